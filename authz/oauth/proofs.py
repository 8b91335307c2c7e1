"""DPoP proofs: that whoever shows a token holds the key it is bound to (RFC 9449), at the token endpoint and the API.

The address that a proof must name is this service's own, from its settings; what the request's Host header says is
whatever its sender wrote.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from authz.oauth.keys import ALGORITHMS, BadKeyError, PublicKey, Signed, read_key, read_signed
from authz.tokens import Refused, is_time
from authz.used_proofs import proof_id, use

WINDOW = 60
"""Seconds for which a proof is good."""
AHEAD = 5
"""Seconds by which its maker's clock may be ahead."""
LONGEST_JTI = 128
_LONGEST_TEXT = 8192
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request shows: its method, the address it is for, its DPoP headers, and the token they prove."""

    method: str
    url: str
    headers: Sequence[str] = field(repr=False)
    token: str | None = field(default=None, repr=False)
    proof_key: str | None = None
    """The thumbprint that the token is bound to."""


async def proven(pool: Any, shown: Shown, *, now: datetime) -> str | Refused:  # noqa: ANN401 - asyncpg's pool
    """The thumbprint of the key that is proven to be held, or why none is. Raises UnavailableError."""
    proof = _read(shown, now.timestamp())
    if isinstance(proof, Refused):
        return proof
    thumbprint, jti = proof
    if not await use(pool, proof_id("dpop", thumbprint, jti), good_for=WINDOW + AHEAD):
        return Refused("the proof has been used: make a new one, with a new jti, for each request")
    return thumbprint


def _read(shown: Shown, now: float) -> tuple[str, str] | Refused:
    """The thumbprint and identifier of a proof that holds, but may have been used before."""
    if len(shown.headers) != 1:
        return Refused("send exactly one DPoP header")
    (text,) = shown.headers
    signed = read_signed(text) if len(text) <= _LONGEST_TEXT else None
    if signed is None:
        return Refused("the DPoP header is not a signed JWT")
    key = _key(signed)
    if isinstance(key, Refused):
        return key
    # Compared before the signature is verified: it costs less.
    if shown.proof_key is not None and not hmac.compare_digest(key.thumbprint, shown.proof_key):
        return Refused("the proof is made with another key than the token is bound to")
    if not key.verifies(signed):
        return Refused("the proof is not signed by the key in its header")
    why = _claims_refused(signed.claims, shown, now)
    return why or (key.thumbprint, signed.claims["jti"])


def _key(signed: Signed) -> PublicKey | Refused:
    header = signed.header
    if header.get("typ") != "dpop+jwt" or "crit" in header:
        return Refused("the proof's typ must be dpop+jwt, without crit")
    if header.get("alg") not in ALGORITHMS:
        return Refused(f"sign the proof with one of {', '.join(ALGORITHMS)}")
    try:
        return read_key(header.get("jwk"))
    except BadKeyError:
        return Refused("the proof's jwk must be a public key, P-256, Ed25519 or RSA of 2048 bits and more")


def _claims_refused(claims: Mapping[str, Any], shown: Shown, now: float) -> Refused | None:
    jti, issued = claims.get("jti"), claims.get("iat")
    if claims.get("htm") != shown.method:
        return Refused("the proof is for another method: check htm")
    if not isinstance(claims.get("htu"), str) or _normal(claims["htu"]) != _normal(shown.url):
        return Refused("the proof is for another address: htu is this endpoint's public URL, without query or fragment")
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
        return Refused(f"the proof needs a jti of at most {LONGEST_JTI} characters")
    if not is_time(issued) or not -AHEAD <= now - claims["iat"] <= WINDOW:
        return Refused("the proof is not from now: check iat and your clock, and make a new one for each request")
    if shown.token is not None and claims.get("ath") != token_hash(shown.token):
        return Refused("the proof is for another token: check ath")
    return None


def token_hash(token: str) -> str:
    """A token's hash as a proof names it (`ath`; RFC 9449, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")


def _normal(url: str) -> tuple[str, str, int | None, str] | None:
    """Scheme, host, port and path, in the form in which equal addresses are equal (RFC 3986, 6.2)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.query or parts.fragment or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or _PORTS.get(parts.scheme), parts.path or "/"
