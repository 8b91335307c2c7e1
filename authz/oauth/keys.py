"""Public keys of others (JWK, RFC 7517) and what they signed (JWS, RFC 7515).

One short list of algorithms, each for its own kind of key: a key never verifies under an algorithm of another kind, no
algorithm is symmetric, and `none` is not on the list (RFC 8725, 2.1, 3.1 and 3.2).
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from authz.faults import MALFORMED

ALGORITHMS = ("ES256", "EdDSA", "Ed25519", "RS256", "PS256")
_RSA_BITS = range(2048, 4097)
_RSA_EXPONENTS = range(65537, 1 << 32)
"""Smaller is weak, larger is slow to verify for whoever has to."""
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_LONGEST_HEADER = 4096
_LARGEST_MEMBER = 1024


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of key: its class, its public members, its curve and its algorithms."""

    load: type[ECKey | OKPKey | RSAKey]
    members: tuple[str, ...]
    curve: str | None
    algorithms: tuple[str, ...]


_KINDS = {
    "EC": _Kind(ECKey, ("crv", "x", "y"), "P-256", ("ES256",)),
    "OKP": _Kind(OKPKey, ("crv", "x"), "Ed25519", ("EdDSA", "Ed25519")),
    "RSA": _Kind(RSAKey, ("n", "e"), None, ("RS256", "PS256")),
}


class BadKeyError(ValueError):
    """Why a JWK cannot be used, in one sentence that holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A JWS whose signature has not been looked at: nothing in it is known to be true."""

    header: Mapping[str, Any] = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)
    compact: jws.CompactSignature = field(repr=False)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key and the algorithms that it may verify under."""

    key: ECKey | OKPKey | RSAKey = field(repr=False)
    algorithms: tuple[str, ...]

    @property
    def thumbprint(self) -> str:
        """The SHA-256 thumbprint (RFC 7638), base64url."""
        return self.key.thumbprint()

    @property
    def jwk(self) -> dict[str, Any]:
        """The public members alone."""
        return dict(self.key.as_dict(private=False))

    def verifies(self, signed: Signed) -> bool:
        """Was this signed by the key's private half?"""
        if signed.header.get("alg") not in self.algorithms:
            return False
        try:
            return jws.validate_compact(signed.compact, self.key, registry=_registry())
        except MALFORMED:
            return False


def read_signed(text: str) -> Signed | None:
    """Take a compact JWS over a JSON object apart; None for anything else."""
    try:
        compact = jws.extract_compact(text.encode("ascii"), registry=_registry())
        header: object = compact.protected  # whatever JSON it is
        claims = json.loads(compact.payload)
    except MALFORMED:
        return None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        return None
    return Signed(header, claims, compact)


def _registry() -> jws.JWSRegistry:
    registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    registry.max_header_length = _LONGEST_HEADER  # the library's 512 bytes do not hold an RSA key
    return registry


def read_key(jwk: object) -> PublicKey:
    """The key of a JWK. Raises BadKeyError for a private, symmetric, weak, malformed or unsupported one."""
    if not isinstance(jwk, dict):
        raise BadKeyError("A key is a JSON object (JWK, RFC 7517).")
    kind = _KINDS.get(jwk["kty"]) if isinstance(jwk.get("kty"), str) else None
    if kind is None:
        raise BadKeyError("The key must be of kty EC (P-256), OKP (Ed25519) or RSA: symmetric keys are not taken.")
    if _PRIVATE & jwk.keys():
        raise BadKeyError("The key holds private members: give the public key alone, and replace this one.")
    _check(jwk, kind)
    algorithms = (jwk["alg"],) if "alg" in jwk else kind.algorithms
    try:
        key = kind.load.import_key({"kty": jwk["kty"], **{name: jwk[name] for name in kind.members}})
    except MALFORMED:
        raise BadKeyError("The key's members are not those of a public key of its kind.") from None
    return PublicKey(key, algorithms)


def _check(jwk: Mapping[str, Any], kind: _Kind) -> None:
    if not all(isinstance(jwk.get(name), str) and len(jwk[name]) <= _LARGEST_MEMBER for name in kind.members):
        raise BadKeyError(f"A key of this kind needs the members {', '.join(kind.members)}, as text.")
    if kind.curve and jwk["crv"] != kind.curve:
        raise BadKeyError(f"The key's curve must be {kind.curve}.")
    if jwk.get("use", "sig") != "sig":
        raise BadKeyError("The key is not for signatures.")
    if jwk.get("alg", kind.algorithms[0]) not in kind.algorithms:
        raise BadKeyError(f"The key's alg must be one of {', '.join(kind.algorithms)}.")
    if "n" in kind.members and not (
        _number(jwk["n"]).bit_length() in _RSA_BITS and _number(jwk["e"]) in _RSA_EXPONENTS
    ):
        raise BadKeyError("An RSA key needs 2048 to 4096 bits and a public exponent of at least 65537.")


def _number(text: str) -> int:
    try:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return 0
