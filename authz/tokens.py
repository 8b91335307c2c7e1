"""Access tokens: short-lived JWTs (RFC 9068, `at+jwt`, EdDSA) whose scope is an RFC 9396 authorization detail.

Verification follows RFC 8725: one algorithm, pinned key ids, type, issuer, audience and times all checked; header
parameters that bring keys along (`jwk`, `jku`, `x5u`) are never followed. A token that lists no category grants none.
"""

import json
import os
import secrets
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet, OKPKey

from authz.subjects import Subject
from models.vocabulary import PARTNER_ROLES, PERSON_ROLES, Category, Purpose, Role, from_bits, to_bits
from vault.keyring import KeyringError

ISSUER = "needful"
AUDIENCE = "needful-api"
DETAIL_TYPE = "insurance_data"
LONGEST = timedelta(hours=1)
LONGEST_TEXT = 4096
_TYPE = "at+jwt"
_ALGORITHMS = ["EdDSA"]
# RFC 9864 renames EdDSA over Ed25519; partners' libraries know the older name, and our keys are Ed25519 only.
warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)
_CACHE = 4096
_LEEWAY = 60
"""Seconds by which the issuer's clock may be ahead of this one."""
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Refused:
    """A token that is not accepted, and why in words that help its owner and nobody else."""

    why: str


class TokenKeys:
    """The signing keys by key id, in a file outside the database; the newest signs, all verify."""

    def __init__(self, keys: KeySet, current: str) -> None:
        """Use `current` of `keys` to sign."""
        self.keys = keys
        self.current = current

    @classmethod
    def load_or_create(cls, path: Path) -> "TokenKeys":
        """Read the key file at `path`, or write a new one there (mode 0600). Raises KeyringError for a damaged one."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls._load(path)
        kid = secrets.token_hex(8)
        key = OKPKey.generate_key("Ed25519", parameters={"kid": kid, "use": "sig"})
        stored = {"format": _FORMAT, "current": kid, "keys": [key.as_dict(private=True)]}
        with os.fdopen(descriptor, "w") as stream:
            json.dump(stored, stream)
        return cls(KeySet([key]), kid)

    @classmethod
    def _load(cls, path: Path) -> "TokenKeys":
        try:
            stored = json.loads(path.read_text())
            if stored["format"] != _FORMAT:
                message = f"{path} is a key file of format {stored['format']}; this release reads {_FORMAT}"
                raise KeyringError(message)
            return cls(KeySet.import_key_set({"keys": stored["keys"]}), str(stored["current"]))
        except (OSError, ValueError, KeyError, TypeError, JoseError) as fault:
            message = f"{path} cannot be read as a key file: restore it, or remove it to sign with a new key"
            raise KeyringError(message) from fault


def mint(keys: TokenKeys, subject: Subject, *, now: datetime, lifetime: timedelta = LONGEST) -> str:
    """A signed access token for a subject, valid for `lifetime` (an hour at most)."""
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(subject.identity),
        "client_id": "needful-demo",
        "iat": int(now.timestamp()),
        "exp": int((now + min(lifetime, LONGEST)).timestamp()),
        "jti": subject.token_id,
        "role": subject.role.value,
        "authorization_details": [
            {
                "type": DETAIL_TYPE,
                "purposes": [purpose.value for purpose in subject.purposes],
                "categories": [category.value for category in from_bits(subject.categories)],
            },
        ],
    }
    if subject.person:
        claims["person"] = str(subject.person)
    if subject.organization:
        claims["organization"] = {"id": str(subject.organization), "code": subject.organization_code}
    header = {"alg": "EdDSA", "typ": _TYPE, "kid": keys.current}
    return jwt.encode(header, claims, keys.keys.get_by_kid(keys.current), algorithms=_ALGORITHMS)


@dataclass(frozen=True, slots=True)
class _Verified:
    subject: Subject = field(repr=False)
    expires: int


class Verifier:
    """Verifies tokens, and remembers the good ones until they expire (a signature costs more than a query)."""

    def __init__(self, keys: TokenKeys) -> None:
        """Accept tokens signed by `keys` only."""
        self._keys = KeySet([key for key in keys.keys.keys])  # noqa: C416 - a KeySet copies nothing itself
        self._ids = {key.kid for key in self._keys.keys}
        self._seen: dict[str, _Verified] = {}

    def verify(self, text: str, *, now: datetime) -> Subject | Refused:
        """The subject of a token, or why it is refused."""
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
        return seen.subject

    def _read(self, text: str, now: datetime) -> _Verified | Refused:
        if len(text) > LONGEST_TEXT:
            return Refused("the token is too long")
        try:
            token = jwt.decode(text, self._keys, algorithms=_ALGORITHMS)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            # Whatever the library stumbles over in text that anyone can send.
            return Refused("the token is malformed, or not signed by a key of this service")
        header, claims = token.header, token.claims
        # No extension is understood, so none may be critical.
        if header.get("typ") != _TYPE or header.get("kid") not in self._ids or "crit" in header:
            return Refused("the token is not an access token of this service")
        if claims.get("iss") != ISSUER or claims.get("aud") != AUDIENCE:
            return Refused("the token is meant for another service")
        return _checked(claims, now)


def _checked(claims: Mapping[str, Any], now: datetime) -> _Verified | Refused:
    issued, expires = claims.get("iat"), claims.get("exp")
    starts = claims.get("nbf", issued)
    if type(issued) is not int or type(expires) is not int or type(starts) is not int:
        return Refused("the token has no times")
    if expires - issued > LONGEST.total_seconds() or max(issued, starts) > now.timestamp() + _LEEWAY:
        return Refused("the token's times are not plausible")
    try:
        return _Verified(_subject(claims), expires)
    except (KeyError, ValueError, TypeError):
        return Refused("the token's claims are not those of this service")


def _subject(claims: Mapping[str, Any]) -> Subject:
    """Read the claims; anything missing or outside the vocabulary raises and so refuses the token."""
    (detail,) = claims["authorization_details"]
    # A member that is not understood may restrict what the others grant.
    if set(detail) != {"type", "purposes", "categories"} or detail["type"] != DETAIL_TYPE:
        message = "an authorization detail of an unknown shape"
        raise ValueError(message)
    role = Role(claims["role"])
    if role is Role.ANONYMOUS:
        message = "anonymous callers have no token"
        raise ValueError(message)
    partner = claims["organization"] if role in PARTNER_ROLES else {}
    return Subject(
        role=role,
        purposes=tuple(Purpose(name) for name in _listed(detail["purposes"])),
        categories=to_bits({Category(name) for name in _listed(detail["categories"])}),
        token_id=_text(claims["jti"]),
        account=None if role in PARTNER_ROLES else _uuid(claims["sub"]),
        person=_uuid(claims["person"]) if role in PERSON_ROLES else None,
        organization=_uuid(partner["id"]) if role in PARTNER_ROLES else None,
        organization_code=_text(partner["code"]) if role in PARTNER_ROLES else None,
    )


def _listed(value: object) -> list[Any]:
    if not isinstance(value, list):
        message = "not a list"
        raise TypeError(message)
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        message = "not a text"
        raise TypeError(message)
    return value


def _uuid(value: object) -> UUID:
    return UUID(_text(value))


def new_subject(role: Role, purposes: Sequence[Purpose], *, categories: int, **who: Any) -> Subject:  # noqa: ANN401
    """A subject for a token about to be minted, with a fresh token id; `who` are Subject's own fields."""
    return Subject(role=role, purposes=tuple(purposes), categories=categories, token_id=secrets.token_hex(12), **who)


def utc_now() -> datetime:
    """The clock of the composition root; everywhere below it the time is a parameter."""
    return datetime.now(UTC)
