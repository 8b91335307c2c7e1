"""One OpenID Connect issuer, found by its URL: its metadata, its keys, and the exchange of codes for ID tokens.

Discovery 1.0, authorization code flow with PKCE (RFC 7636). What the issuer publishes is believed only where it names
itself as configured and speaks TLS (or is on this machine), so that no other issuer can stand in for it.
"""

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.deprecate import AuthlibDeprecationWarning
from authlib.integrations.base_client import OAuthError
from joserfc.jwk import KeySet

from authz.oidc.id_tokens import key_id, read_keys
from models.installation import InstallationError

DISCOVERY = "/.well-known/openid-configuration"
_ADDRESSES = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_KEPT_SECONDS = 600.0
"""As long may a key count that the issuer has withdrawn."""
_REFETCH_SECONDS = 5.0
"""Keys are fetched anew for an unknown key id at most this often: anybody can send one."""
_TIMEOUT = httpx.Timeout(5.0)
_SCOPE, _USERNAME_CLAIM = "openid profile", "preferred_username"
_SWITCHES = {"": False, "0": False, "1": True}


class IssuerUnavailableError(Exception):
    """The issuer does not answer, or not as an issuer does."""


class CodeRefusedError(Exception):
    """The issuer does not take the code."""


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """The issuer of staff, and what it is asked for."""

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scope: str = _SCOPE
    username_claim: str = _USERNAME_CLAIM
    acr: tuple[str, ...] = ()
    """Authentication classes that include a second factor."""
    trust_mfa: bool = False
    """The issuer always asks for a second factor, and does not say so in its tokens."""


def read_oidc(environ: Mapping[str, str]) -> OidcSettings | None:
    """The settings of an environment; None without an issuer. Raises InstallationError for what cannot be."""
    issuer = environ.get("NEEDFUL_OIDC_ISSUER")
    if not issuer:
        return None
    if not _is_safe(issuer) or "?" in issuer or "#" in issuer:
        message = "NEEDFUL_OIDC_ISSUER must be the https:// address that the issuer calls itself."
        raise InstallationError(message)
    client_id = environ.get("NEEDFUL_OIDC_CLIENT_ID")
    if not client_id:
        message = "NEEDFUL_OIDC_CLIENT_ID must say as which client this service is registered with the issuer."
        raise InstallationError(message)
    trust = environ.get("NEEDFUL_OIDC_TRUST_MFA", "")
    if trust not in _SWITCHES:
        message = "NEEDFUL_OIDC_TRUST_MFA must be 0 or 1."
        raise InstallationError(message)
    scope = environ.get("NEEDFUL_OIDC_SCOPE") or _SCOPE
    if "openid" not in scope.split():
        message = "NEEDFUL_OIDC_SCOPE must hold the scope openid."
        raise InstallationError(message)
    return OidcSettings(
        issuer=issuer,
        client_id=client_id,
        client_secret=environ.get("NEEDFUL_OIDC_CLIENT_SECRET") or None,
        scope=scope,
        username_claim=environ.get("NEEDFUL_OIDC_USERNAME_CLAIM") or _USERNAME_CLAIM,
        acr=tuple(environ.get("NEEDFUL_OIDC_ACR", "").split()),
        trust_mfa=_SWITCHES[trust],
    )


def _is_safe(url: object) -> bool:
    """Is this an address whose answers nobody on the way can forge?"""
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    try:
        return parts.scheme == "http" and ip_address(host).is_loopback
    except ValueError:
        return parts.scheme == "http" and host == "localhost"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is used of an issuer's metadata."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    names_itself: bool
    """Does it put `iss` into its authorization responses (RFC 9207)?"""


class Issuer:
    """The issuer as this worker knows it."""

    def __init__(self, settings: OidcSettings, *, redirect_uri: str) -> None:
        """Nothing is fetched before somebody logs in."""
        self.settings = settings
        self._client = _client(settings, redirect_uri)
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def metadata(self) -> Metadata:
        """Its metadata, ten minutes old at most. Raises IssuerUnavailableError."""
        if self._metadata is None or time.monotonic() - self._metadata[0] > _KEPT_SECONDS:
            found = await self._get(self.settings.issuer.removesuffix("/") + DISCOVERY)
            self._metadata = (time.monotonic(), _read_metadata(found, self.settings.issuer))
        return self._metadata[1]

    async def authorization_url(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to log in."""
        metadata = await self.metadata()
        asked = {"acr_values": " ".join(self.settings.acr)} if self.settings.acr else {}
        url, _ = self._client.create_authorization_url(
            metadata.authorization_endpoint, state=state, nonce=nonce, code_verifier=verifier, **asked
        )
        return str(url)

    async def exchange(self, code: str, *, verifier: str) -> str:
        """The ID token for a code. Raises CodeRefusedError, IssuerUnavailableError."""
        metadata = await self.metadata()
        try:
            answer = await self._client.fetch_token(metadata.token_endpoint, code=code, code_verifier=verifier)
        except OAuthError as refusal:
            raise CodeRefusedError from refusal
        except (httpx.HTTPError, ValueError) as fault:
            raise IssuerUnavailableError from fault
        self._client.token = None  # it is nobody's: only the ID token is wanted
        found = answer.get("id_token")
        if not isinstance(found, str):
            raise CodeRefusedError
        return found

    async def keys(self, id_token: str) -> KeySet:
        """Its keys, fetched anew if the token names one that is unknown. Raises IssuerUnavailableError."""
        now = time.monotonic()
        kept = self._keys
        if kept is not None and now - kept[0] < _KEPT_SECONDS:
            wanted = key_id(id_token)
            known = wanted is None or any(key.kid == wanted for key in kept[1])
            if known or now - kept[0] < _REFETCH_SECONDS:
                return kept[1]
        found = await self._get((await self.metadata()).jwks_uri)
        self._keys = (now, read_keys(found))
        return self._keys[1]

    async def _get(self, url: str) -> object:
        headers = {"Accept": "application/json"}
        try:
            answer = await self._client.request("GET", url, headers=headers, withhold_token=True)
            answer.raise_for_status()
            found: object = answer.json()
        except (httpx.HTTPError, ValueError) as fault:
            raise IssuerUnavailableError from fault
        return found

    async def close(self) -> None:
        """Give up the connections to it."""
        await self._client.aclose()


def _client(settings: OidcSettings, redirect_uri: str) -> Any:  # noqa: ANN401 - Authlib ships no types
    """One for the issuer's life: reading the certificates that it trusts takes tens of milliseconds."""
    return _client_type()(
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        token_endpoint_auth_method="client_secret_basic" if settings.client_secret else "none",
        scope=settings.scope,
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
        timeout=_TIMEOUT,
        follow_redirects=False,
        # What the issuer sets for one log-in goes with no other.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


def _client_type() -> Any:  # noqa: ANN401 - Authlib ships no types
    # It says at each import that it would rather have httpx's successor; operators can do nothing about that.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AuthlibDeprecationWarning)
        from authlib.integrations.httpx_client import AsyncOAuth2Client  # noqa: PLC0415 - as above

    return AsyncOAuth2Client


def _read_metadata(found: object, issuer: str) -> Metadata:
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        raise IssuerUnavailableError
    authorization, token, keys = (found.get(name) for name in _ADDRESSES)
    if not all(map(_is_safe, (authorization, token, keys))):
        raise IssuerUnavailableError
    names_itself = found.get("authorization_response_iss_parameter_supported") is True
    return Metadata(str(authorization), str(token), str(keys), names_itself)
