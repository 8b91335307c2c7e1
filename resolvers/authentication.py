"""Authentication: from a request's headers to its subject. Nobody is taken for somebody by default."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from authz.faults import UnavailableError
from authz.oauth.keys import ALGORITHMS
from authz.oauth.proofs import Shown, proven
from authz.standing import Standing, StandingUnknownError
from authz.tokens import Refused, Token, Verifier
from resolvers.problems import Code, RequestRefusedError, unavailable
from resolvers.serving.heads import Asking

_BEARER = 'Bearer realm="needful"'
_DPOP = 'DPoP realm="needful"'
_ALGORITHMS = f'algs="{" ".join(ALGORITHMS)}"'


@dataclass(frozen=True, slots=True)
class Authentication:
    """Tells who asks: by a bearer token, or by a token bound to a key and a proof that it is held (RFC 9449)."""

    verifier: Verifier
    standing: Standing
    clock: Callable[[], datetime]
    pool: Any
    """Where used proofs are kept."""
    address: str
    """The public URL of this endpoint, which a proof names."""

    async def token(self, http: Asking) -> Token:
        """The token of a request, good and still standing; one bound to a key is yet to be proven.

        Raises UNAUTHENTICATED, and UNAVAILABLE where that cannot be found out.
        """
        scheme, text = _credentials(http)
        if scheme not in ("bearer", "dpop") or not text:
            message = (
                "This needs an access token: Authorization: Bearer …, or DPoP … for one bound to a key."
                " Without one, only registered operations run, byte for byte"
            )
            raise _unauthenticated(message, f"{_BEARER}, {_DPOP}, {_ALGORITHMS}")
        token = self.verifier.verify(text, now=self.clock())
        if isinstance(token, Refused):
            raise _token_refused(scheme, token.why)
        try:
            why = _wrong_scheme(scheme, token)
            if why is None:
                standing = self.standing
                why = standing.told(token) if standing.known else await standing.check(token)
        except StandingUnknownError as fault:
            raise unavailable() from fault
        if why is not None:
            raise _token_refused(scheme, why)
        return token

    async def prove(self, http: Asking, token: Token) -> None:
        """Check the proof that comes with a token bound to a key. Raises UNAUTHENTICATED, UNAVAILABLE."""
        if token.grant.proof_key is not None:
            try:
                await self._check_proof(http, _credentials(http)[1], token.grant.proof_key)
            except UnavailableError as fault:
                raise unavailable() from fault

    async def _check_proof(self, http: Asking, text: str, proof_key: str) -> None:
        shown = Shown(http.method, self.address, http.headers.getlist("dpop"), text, proof_key)
        found = await proven(self.pool, shown, now=self.clock())
        if isinstance(found, Refused):
            # No other scheme is offered: without its key this token is good for nothing.
            challenge = f'{_DPOP}, error="invalid_dpop_proof", error_description="{found.why}", {_ALGORITHMS}'
            raise _unauthenticated(f"The proof of possession is refused: {found.why}", challenge)


def _credentials(http: Asking) -> tuple[str, str]:
    scheme, _, text = http.headers.get("authorization", "").partition(" ")
    return scheme.lower(), text.strip()


def _wrong_scheme(scheme: str, token: Token) -> str | None:
    """A bound token is never taken without its proof, nor one for bound that is not (RFC 9449, 7.1 and 7.2)."""
    if token.grant.proof_key is not None and scheme == "bearer":
        return "the token is bound to a key, send it with the scheme DPoP and a proof"
    if token.grant.proof_key is None and scheme == "dpop":
        return "the token is not bound to a key, send it with the scheme Bearer"
    return None


def _token_refused(scheme: str, why: str) -> RequestRefusedError:
    """Refuse a token: the scheme that was tried says why, the other one that there is another."""
    error = f'error="invalid_token", error_description="{why}"'
    challenge = f"{_BEARER}, {error}, {_DPOP}, {_ALGORITHMS}"
    if scheme == "dpop":
        challenge = f"{_DPOP}, {error}, {_ALGORITHMS}, {_BEARER}"
    return _unauthenticated(f"The access token is refused: {why}. Get a new one", challenge)


def _unauthenticated(message: str, challenge: str) -> RequestRefusedError:
    return RequestRefusedError(Code.UNAUTHENTICATED, f"{message}.", headers={"WWW-Authenticate": challenge})
