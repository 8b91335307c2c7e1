"""ID tokens: whom an OpenID Connect issuer says it is, or why that is not believed (OpenID Connect Core, 3.1.3.7).

Verification follows RFC 8725: asymmetric algorithms only, keys of the issuer's published set only, header parameters
that bring keys along never followed, issuer, audience, times and nonce all checked.
"""

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from authz.faults import MALFORMED
from authz.tokens import is_time

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Never `none`, and never one whose key is the client's secret."""
_KEYS: Mapping[str, Any] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_LONGEST_TEXT = 16_384
_LONGEST_SUBJECT = 255
_LEEWAY = 60
_OLDEST = 600
"""Seconds since which an ID token may have been issued: it comes straight from the issuer."""


@dataclass(frozen=True, slots=True)
class Disbelieved:
    """Why an ID token is not accepted."""

    why: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token has to say to be the answer to this log-in."""

    issuer: str
    client: str
    nonce: str


def key_id(text: str) -> str | None:
    """The key that an ID token names, unverified; to find out whether the issuer has rotated its keys."""
    try:
        segment = text[:_LONGEST_TEXT].split(".", 1)[0]
        found = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))["kid"]
    except MALFORMED:
        return None
    return found if isinstance(found, str) else None


def read_keys(stored: object) -> KeySet:
    """The public signature keys of a JWK Set (RFC 7517); everything else in it is left out."""
    listed = stored.get("keys") if isinstance(stored, dict) else None
    keys = []
    for one in listed if isinstance(listed, list) else ():
        if not isinstance(one, dict) or one.get("use", "sig") != "sig" or one.get("kty") not in _KEYS:
            continue
        try:
            keys.append(_KEYS[one["kty"]].import_key(one))
        except MALFORMED:
            continue
    return KeySet(keys)


def believe(text: str, keys: KeySet, expected: Expected, *, now: datetime) -> Mapping[str, Any] | Disbelieved:
    """The claims of an ID token, or why it is refused."""
    if len(text) > _LONGEST_TEXT:
        return Disbelieved("the ID token is too long")
    try:
        token = jwt.decode(text, keys, algorithms=list(ALGORITHMS))
    except MALFORMED:
        return Disbelieved("the ID token is malformed, or not signed by a key of the issuer")
    if "crit" in token.header or not isinstance(token.claims, dict):
        return Disbelieved("the ID token needs extensions that are not understood")
    return _checked(token.claims, expected, now.timestamp())


def _checked(claims: Mapping[str, Any], expected: Expected, now: float) -> Mapping[str, Any] | Disbelieved:
    why = _why_not_ours(claims, expected) or _why_not_now(claims, now)
    return Disbelieved(why) if why else claims


def _why_not_ours(claims: Mapping[str, Any], expected: Expected) -> str | None:
    """Is it of this issuer, for this client and this log-in, about somebody?"""
    audience, subject, nonce = claims.get("aud"), claims.get("sub"), claims.get("nonce")
    audiences = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != expected.issuer:
        return "the ID token is of another issuer"
    if expected.client not in audiences:
        return "the ID token is for another client"
    if claims.get("azp", expected.client) != expected.client or (len(audiences) > 1 and "azp" not in claims):
        return "the ID token was issued to another client"
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        return "the ID token belongs to another log-in"
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or "\0" in subject:
        return "the ID token names nobody"
    return None


def _why_not_now(claims: Mapping[str, Any], now: float) -> str | None:
    issued, expires = claims.get("iat"), claims.get("exp")
    starts = claims.get("nbf", issued)
    if not (is_time(issued) and is_time(expires) and is_time(starts)):
        return "the ID token has no times"
    if expires <= now - _LEEWAY or issued < now - _OLDEST:
        return "the ID token has expired"
    if max(issued, starts) > now + _LEEWAY:
        return "the ID token is not valid yet"
    return None


KINDS = (
    frozenset({"pwd", "pin"}),
    frozenset({"otp", "hwk", "swk", "sc"}),
    frozenset({"face", "fpt", "iris", "retina", "vbm"}),
)
"""Authentication methods (RFC 8176) by what they prove: something known, held, or born with. A text message is none."""


def has_second_factor(claims: Mapping[str, Any], acr: Sequence[str]) -> bool:
    """Does the issuer say that two factors were given: `mfa`, methods of two kinds, or one of the classes in `acr`?"""
    methods = claims.get("amr")
    named = {one for one in methods if isinstance(one, str)} if isinstance(methods, list) else set()
    return "mfa" in named or sum(bool(named & kind) for kind in KINDS) > 1 or claims.get("acr") in acr
