"""Access tokens: short-lived JWTs (RFC 9068, `at+jwt`, EdDSA) whose scope is an RFC 9396 authorization detail.

Verification follows RFC 8725: one algorithm, pinned key ids, type, issuer, audience and times all checked; header
parameters that bring keys along (`jwk`, `jku`, `x5u`) are never followed. A token that lists no category grants none.
"""

import hashlib
import secrets
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard
from uuid import UUID

from joserfc import jwt
from joserfc.errors import SecurityWarning

from authz.caveats import Until, read_caveats, write_caveats
from authz.faults import MALFORMED
from authz.subjects import Subject
from authz.token_keys import TokenKeys
from models.revocations import Revoked
from models.vocabulary import PARTNER_ROLES, PERSON_ROLES, Category, Purpose, Role, from_bits, to_bits

DEMO_ISSUER = "needful"
"""Who signs tokens made on the command line; they are accepted in demo mode only."""
AUDIENCE = "needful-api"
DETAIL_TYPE = "insurance_data"
LONGEST = timedelta(hours=1)
LIFETIME = timedelta(minutes=10)
"""Of the tokens that this service issues to partners and to people."""
LONGEST_TEXT = 4096
_TYPE = "at+jwt"
_ALGORITHMS = ["EdDSA"]
# RFC 9864 renames EdDSA over Ed25519; partners' libraries know the older name, and our keys are Ed25519 only.
warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)
_LONGEST_ID = 64
"""Characters of a token's id, as the ledger and the counters keep it."""
_CACHE = 4096
_LEEWAY = 60
"""Seconds by which the issuer's clock may be ahead of this one."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A token that is not accepted, and why in words that help its owner and nobody else."""

    why: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is issued under, beside its subject. `agreement` and `client` are a partner's."""

    issuer: str = DEMO_ISSUER
    client: str = "needful-demo"
    agreement: UUID | None = None
    client_key: str | None = None
    """The id of the client's key that asked for it, if a key did: what it brought falls with it."""
    proof_key: str | None = None
    """SHA-256 thumbprint (RFC 7638) of the key that must prove possession (RFC 9449), if one must."""


@dataclass(frozen=True, slots=True)
class Token:
    """A verified token: for whom it speaks, under which grant, from when to when (seconds since the epoch)."""

    subject: Subject = field(repr=False)
    grant: Grant
    issued: int
    expires: int
    names: tuple[tuple[str, str], ...] = ()
    """Kinds of revocation and keys: whatever of these is taken back takes the token along."""


def client_key(client: str, kid: str) -> str:
    """The name under which what a client's key brought is taken back."""
    return hashlib.sha256(f"{client} {kid}".encode()).hexdigest()


def names_of(subject: Subject, grant: Grant) -> tuple[tuple[str, str], ...]:
    """What a token stands and falls with."""
    kid = grant.client_key
    found = (
        (Revoked.TOKEN, subject.token_id),
        (Revoked.SESSION, subject.session),
        (Revoked.CLIENT, grant.client),
        (Revoked.CLIENT_KEY, kid and client_key(grant.client, kid)),
        (Revoked.AGREEMENT, grant.agreement),
        (Revoked.SUBJECT, subject.identity),
    )
    return tuple((kind.value, str(key)) for kind, key in found if key is not None)


def mint(
    keys: TokenKeys, subject: Subject, *, now: datetime, lifetime: timedelta = LONGEST, grant: Grant | None = None
) -> str:
    """A signed access token for a subject, valid for `lifetime` (an hour at most). Without a grant, a demo token."""
    grant = grant or Grant()
    expires = int((now + min(lifetime, LONGEST)).timestamp())
    claims: dict[str, Any] = {
        "iss": grant.issuer,
        "aud": AUDIENCE,
        "sub": str(subject.identity),
        "client_id": grant.client,
        "iat": int(now.timestamp()),
        "exp": expires,
        "jti": subject.token_id,
        "role": subject.role.value,
        "authorization_details": [authorization_detail(subject)],
    }
    if subject.person:
        claims["person"] = str(subject.person)
    if subject.organization:
        claims["organization"] = {"id": str(subject.organization), "code": subject.organization_code}
    if subject.session:
        claims["sid"] = str(subject.session)
    # A demo token stands for someone who has just given their second factor, for as long as it lives.
    stepped_up_until = expires if grant.issuer == DEMO_ISSUER else subject.stepped_up_until
    if subject.role in PERSON_ROLES and stepped_up_until:
        claims["step_up_until"] = stepped_up_until
    if grant.agreement:
        claims["agreement"] = str(grant.agreement)
    if grant.client_key:
        claims["client_kid"] = grant.client_key
    if grant.proof_key:
        claims["cnf"] = {"jkt": grant.proof_key}
    key = keys.signing(now)
    return jwt.encode({"alg": "EdDSA", "typ": _TYPE, "kid": key.kid}, claims, key, algorithms=_ALGORITHMS)


def authorization_detail(subject: Subject) -> dict[str, Any]:
    """The subject's scope as an RFC 9396 authorization detail."""
    return {
        "type": DETAIL_TYPE,
        "purposes": [purpose.value for purpose in subject.purposes],
        "categories": [category.value for category in from_bits(subject.categories)],
        **write_caveats(subject.caveats),
    }


class Verifier:
    """Verifies tokens, and remembers the good ones until they expire (a signature costs more than a query)."""

    def __init__(self, keys: TokenKeys, *, issuers: frozenset[str] = frozenset({DEMO_ISSUER})) -> None:
        """Accept tokens signed by `keys` for one of `issuers`."""
        self._keys = keys
        self._issuers = issuers
        self._seen: dict[str, Token] = {}

    def use(self, keys: TokenKeys) -> None:
        """Accept tokens signed by these keys from now on, and no others."""
        self._keys = keys
        self._seen = {}

    def verify(self, text: str, *, now: datetime) -> Token | Refused:
        """What a token says, or why it is refused. Whether it has been taken back since: `Standing`."""
        seen = self._seen.get(text)
        if seen is None:
            found = self._read(text, now)
            if isinstance(found, Refused):
                return found
            if len(self._seen) >= _CACHE:
                self._seen.pop(next(iter(self._seen)))
            seen = self._seen[text] = found
        if seen.expires <= now.timestamp():
            return Refused("the token has expired")
        return seen

    def _read(self, text: str, now: datetime) -> Token | Refused:
        if len(text) > LONGEST_TEXT:
            return Refused("the token is too long")
        keys = self._keys.verifying(now)
        try:
            token = jwt.decode(text, keys, algorithms=_ALGORITHMS)
        except MALFORMED:
            return Refused("the token is malformed, or not signed by a key of this service")
        header, claims = token.header, token.claims
        # No extension is understood, so none may be critical.
        if header.get("typ") != _TYPE or header.get("kid") not in {key.kid for key in keys} or "crit" in header:
            return Refused("the token is not an access token of this service")
        issuer = claims.get("iss")
        if not isinstance(issuer, str) or issuer not in self._issuers or claims.get("aud") != AUDIENCE:
            return Refused("the token is meant for another service")
        return _checked(claims, now)


def _checked(claims: Mapping[str, Any], now: datetime) -> Token | Refused:
    issued, expires = claims.get("iat"), claims.get("exp")
    starts = claims.get("nbf", issued)
    if type(issued) is not int or type(expires) is not int or type(starts) is not int:
        return Refused("the token has no times")
    if expires - issued > LONGEST.total_seconds() or max(issued, starts) > now.timestamp() + _LEEWAY:
        return Refused("the token's times are not plausible")
    try:
        subject, grant = _subject(claims), _grant(claims)
    except (KeyError, ValueError, TypeError):
        return Refused("the token's claims are not those of this service")
    subject = replace(subject, client=grant.client, agreement=grant.agreement)
    ends = [caveat.at for caveat in subject.caveats if isinstance(caveat, Until)]
    return Token(subject, grant, issued, min([expires, *ends]), names_of(subject, grant))


def _grant(claims: Mapping[str, Any]) -> Grant:
    return Grant(
        issuer=_text(claims["iss"]),
        client=_text(claims["client_id"]),
        agreement=_uuid(claims["agreement"]) if "agreement" in claims else None,
        client_key=_text(claims["client_kid"]) if "client_kid" in claims else None,
        proof_key=_text(claims["cnf"]["jkt"]) if "cnf" in claims else None,
    )


def _subject(claims: Mapping[str, Any]) -> Subject:
    """Read the claims; anything missing or outside the vocabulary raises and so refuses the token."""
    (detail,) = claims["authorization_details"]
    if detail["type"] != DETAIL_TYPE:
        message = "an authorization detail of an unknown type"
        raise ValueError(message)
    role = Role(claims["role"])
    if role is Role.ANONYMOUS:
        message = "anonymous callers have no token"
        raise ValueError(message)
    partner = claims["organization"] if role in PARTNER_ROLES else {}
    own = {"type", "purposes", "categories"}
    return Subject(
        role=role,
        purposes=tuple(Purpose(name) for name in _listed(detail["purposes"])),
        categories=to_bits({Category(name) for name in _listed(detail["categories"])}),
        token_id=_text(claims["jti"], longest=_LONGEST_ID),
        account=None if role in PARTNER_ROLES else _uuid(claims["sub"]),
        person=_uuid(claims["person"]) if role in PERSON_ROLES else None,
        organization=_uuid(partner["id"]) if role in PARTNER_ROLES else None,
        organization_code=_text(partner["code"]) if role in PARTNER_ROLES else None,
        caveats=read_caveats({name: value for name, value in detail.items() if name not in own}),
        session=_uuid(claims["sid"]) if "sid" in claims else None,
        stepped_up_until=_whole(claims.get("step_up_until", 0)),
    )


def _whole(value: object) -> int:
    if type(value) is not int:
        message = "not a whole number"
        raise TypeError(message)
    return value


def _listed(value: object) -> list[Any]:
    if not isinstance(value, list):
        message = "not a list"
        raise TypeError(message)
    return value


def _text(value: object, *, longest: int = LONGEST_TEXT) -> str:
    if not isinstance(value, str) or len(value) > longest:
        message = "not a text of that length"
        raise TypeError(message)
    return value


def _uuid(value: object) -> UUID:
    return UUID(_text(value))


def is_time(value: object) -> TypeGuard[float]:
    """Can this be a NumericDate (RFC 7519, 2)? JSON as Python reads it has NaN and infinity, which never pass."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1 << 53


def new_subject(role: Role, purposes: Sequence[Purpose], *, categories: int, **who: Any) -> Subject:  # noqa: ANN401
    """A subject for a token about to be minted, with a fresh token id; `who` are Subject's own fields."""
    return Subject(role=role, purposes=tuple(purposes), categories=categories, token_id=secrets.token_hex(12), **who)


def utc_now() -> datetime:
    """The clock of the composition root; everywhere below it the time is a parameter."""
    return datetime.now(UTC)
