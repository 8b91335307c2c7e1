"""Client assertions: the JWT with which a partner's client says who it is (RFC 7523, 2.2 and 3; RFC 8725).

What an assertion says of itself is judged before anything is looked up, so that these answers cannot depend on whether
the client exists. Stock libraries write assertions that live an hour; here one counts for five minutes after it was
issued, whatever it says, and once.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from authz.oauth.keys import ALGORITHMS, Signed, read_signed
from authz.tokens import Refused, is_time
from authz.used_proofs import proof_id

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
GOOD_FOR = 300
"""Seconds after `iat`; or before `exp`, where there is no `iat`."""
LONGEST = 3600
"""Seconds from `iat` to `exp`."""
LEEWAY = 60
"""Seconds by which the client's clock may be ahead of this one."""
_LONGEST_TEXT = 8192
_LONGEST_JTI = 256
_TYPES = (None, "jwt", "client-authentication+jwt")
_BRINGS_KEYS = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64"})


@dataclass(frozen=True, slots=True)
class Assertion:
    """A well-formed assertion, meant for this service and in time; who signed it is not known yet."""

    client: str
    kid: str | None
    used_id: str
    ends: float
    """When it stops to count, in seconds since the epoch."""
    signed: Signed = field(repr=False)


def read_assertion(text: str, *, audiences: Collection[str], now: datetime) -> Assertion | Refused:
    """Read an assertion meant for one of `audiences`, or say why it cannot count."""
    signed = read_signed(text) if len(text) <= _LONGEST_TEXT else None
    if signed is None:
        return Refused("client_assertion is not a signed JWT")
    return _header_refused(signed.header) or _read(signed, audiences, now.timestamp())


def _header_refused(header: Mapping[str, Any]) -> Refused | None:
    kind, kid = header.get("typ"), header.get("kid")
    if header.get("alg") not in ALGORITHMS:
        return Refused(f"sign the assertion with one of {', '.join(ALGORITHMS)}")
    if _BRINGS_KEYS & header.keys():
        return Refused("the assertion's header must not have jwk, jku, x5u, x5c, b64 or crit: keys are registered")
    if (kind.lower() if isinstance(kind, str) else kind) not in _TYPES:
        return Refused("the assertion's typ must be JWT or client-authentication+jwt")
    return None if kid is None or isinstance(kid, str) else Refused("the assertion's kid must be text")


def _read(signed: Signed, audiences: Collection[str], now: float) -> Assertion | Refused:
    claims = signed.claims
    client, jti = claims.get("iss"), claims.get("jti")
    if not isinstance(client, str) or client != claims.get("sub"):
        return Refused("the assertion's iss and sub must both be the client id")
    if not _is_meant_for(claims.get("aud"), audiences):
        return Refused("the assertion's aud must be this service's issuer or the endpoint's URL, and nothing else")
    if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:
        return Refused("the assertion needs a jti that is used once")
    ends = _ends(claims, now)
    if isinstance(ends, Refused):
        return ends
    kid = signed.header.get("kid")
    return Assertion(client, kid, proof_id("assertion", client, jti), ends, signed)


def _is_meant_for(audience: object, audiences: Collection[str]) -> bool:
    """One audience: an assertion for two servers could be used at this one by the other."""
    if isinstance(audience, list) and len(audience) == 1:
        (audience,) = audience
    return isinstance(audience, str) and audience in audiences


def _ends(claims: Mapping[str, Any], now: float) -> float | Refused:
    """Until when the assertion counts, or why it does not now."""
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    if not all(map(is_time, times.values())) or "exp" not in times:
        return Refused("the assertion needs exp and, if given, iat and nbf as seconds since the epoch")
    expires, issued = times["exp"], times.get("iat")
    if max(issued or 0, times.get("nbf", 0)) > now + LEEWAY:
        return Refused("the assertion is not valid yet: check your clock")
    if expires - (now if issued is None else issued) > (GOOD_FOR if issued is None else LONGEST):
        return Refused("the assertion lives too long: let exp be five minutes after iat")
    ends = float(expires if issued is None else min(expires, issued + GOOD_FOR))
    return ends if ends > now else Refused("the assertion has expired: sign a new one for each request")
