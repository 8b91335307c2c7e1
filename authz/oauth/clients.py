"""Client authentication: which partner asks (RFC 6749, 2.3; RFC 7523; RFC 9700, 2.5).

An unknown client, one that has ended, a key that is not its own and a bad signature get the same answer, byte for byte.
Shared secrets are for demo mode only; elsewhere they are refused before anything is looked up.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

from authz.faults import answering
from authz.oauth.assertions import ASSERTION_TYPE, Assertion, read_assertion
from authz.oauth.keys import BadKeyError, PublicKey, read_key
from authz.oauth.problems import OAuthRefusedError, Problem
from authz.tokens import Refused
from authz.used_proofs import use
from models.organizations import OrganizationKind

_CLIENT = """
SELECT o.id, o.code, o.kind, c.secret_hash,
       (SELECT json_object_agg(k.kid, k.jwk) FROM partner_key k WHERE k.client_id = c.id AND k.ended_at IS NULL) AS keys
FROM partner_client c JOIN organization o ON o.id = c.organization_id WHERE c.id = $1 AND c.ended_at IS NULL
"""
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NOT_AUTHENTICATED = (
    "The client could not be authenticated: check the client id, and that the key you sign with is registered for it"
    " and named by kid."
)


@dataclass(frozen=True, slots=True)
class Client:
    """A partner's client, authenticated."""

    id: str
    organization: UUID
    organization_code: str
    kind: OrganizationKind
    key: str | None = None
    """The id of the key that signed, if one did."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client shows of itself: the form's parameters and the Authorization header."""

    form: Mapping[str, str] = field(repr=False)
    authorization: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Found:
    client: Client
    secret_hash: str | None = field(repr=False)
    keys: Mapping[str, PublicKey]


@dataclass(frozen=True, slots=True)
class Clients:
    """Tells which client asks."""

    pool: Any
    clock: Callable[[], datetime]
    secrets: bool
    """Are shared secrets taken?"""

    async def authenticate(self, shown: Shown, *, audiences: Collection[str]) -> Client:
        """The client that asks. Raises OAuthRefusedError, and UnavailableError."""
        form = shown.form
        methods = (shown.authorization is not None, "client_secret" in form, _asserts(form))
        if sum(methods) > 1:
            raise OAuthRefusedError(Problem.INVALID_REQUEST, "Authenticate the client in one way only.")
        if _asserts(form):
            return await self._by_assertion(form, audiences)
        if any(methods):
            return await self._by_secret(shown)
        raise _refused("Authenticate the client: send client_assertion_type and client_assertion (private_key_jwt).")

    async def _by_assertion(self, form: Mapping[str, str], audiences: Collection[str]) -> Client:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise _refused(f"client_assertion_type must be {ASSERTION_TYPE}.")
        assertion = read_assertion(form.get("client_assertion", ""), audiences=audiences, now=self.clock())
        if isinstance(assertion, Refused):
            raise _refused(f"{assertion.why[0].upper()}{assertion.why[1:]}.")
        if form.get("client_id", assertion.client) != assertion.client:
            raise _refused("client_id is another than the assertion's iss.")
        found = await self._find(assertion.client)
        kid = _kid(found, assertion)
        if found is None or kid is None or not found.keys[kid].verifies(assertion.signed):
            raise _refused(_NOT_AUTHENTICATED)
        if not await use(self.pool, assertion.used_id, good_for=assertion.ends - self.clock().timestamp()):
            raise _refused("The assertion has been used: sign a new one, with a new jti, for each request.")
        return replace(found.client, key=kid)

    async def _by_secret(self, shown: Shown) -> Client:
        header = shown.authorization
        scheme, _, credentials = (header or "").partition(" ")
        if header is not None and scheme.lower() != "basic":
            raise _refused(
                "Authenticate the client by client_assertion (private_key_jwt), not by this scheme.", basic=True
            )
        if not self.secrets:
            raise _refused("Shared secrets are not taken here: use private_key_jwt.", basic=header is not None)
        client, secret = (
            _basic(credentials) if header else (shown.form.get("client_id", ""), shown.form["client_secret"])
        )
        found = await self._find(client)
        expected = (found.secret_hash if found else None) or ""
        if not hmac.compare_digest(secret_hash(secret), expected) or found is None:
            raise _refused(_NOT_AUTHENTICATED, basic=header is not None)
        return found.client

    async def _find(self, client: str) -> _Found | None:
        if not _CLIENT_ID.fullmatch(client):
            return None
        async with answering():
            row = await self.pool.fetchrow(_CLIENT, client)
        if row is None:
            return None
        organization, code, kind, secret, keys = row
        stored = json.loads(keys or "{}")
        return _Found(Client(client, organization, code, OrganizationKind(kind)), secret, _readable(stored))


def secret_hash(secret: str) -> str:
    """What is stored of a shared secret: it is random and long, so a plain hash gives nothing away."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _asserts(form: Mapping[str, str]) -> bool:
    return "client_assertion" in form or "client_assertion_type" in form


def _readable(stored: Mapping[str, Any]) -> dict[str, PublicKey]:
    """The keys that this release accepts: a stricter one does not take what an older one registered."""
    keys = {}
    for kid, jwk in stored.items():
        try:
            keys[kid] = read_key(jwk)
        except BadKeyError:
            continue
    return keys


def _kid(found: _Found | None, assertion: Assertion) -> str | None:
    """The live key that the assertion names; if it names none, the only one there is."""
    if found is None:
        return None
    if assertion.kid is None:
        return next(iter(found.keys)) if len(found.keys) == 1 else None
    return assertion.kid if assertion.kid in found.keys else None


def _basic(credentials: str) -> tuple[str, str]:
    """Client id and secret, each form-encoded (RFC 6749, 2.3.1)."""
    try:
        text = base64.b64decode(credentials.strip(), validate=True).decode()
    except ValueError:
        return "", ""
    client, _, secret = text.partition(":")
    return unquote_plus(client), unquote_plus(secret)


def _refused(description: str, *, basic: bool = False) -> OAuthRefusedError:
    headers = {"WWW-Authenticate": 'Basic realm="needful"'} if basic else {}
    return OAuthRefusedError(Problem.INVALID_CLIENT, description, headers=headers)
