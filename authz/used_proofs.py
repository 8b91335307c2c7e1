"""Used proofs: an assertion, a DPoP proof or a log-in is good once, on whichever worker.

RFC 7523, 3; RFC 9449, 11.1; RFC 6749, 10.12.
"""

import hashlib
from typing import Any

from authz.faults import answering

_USE = """
INSERT INTO used_proof (id, expires_at) VALUES ($1, now() + make_interval(secs => $2))
ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at WHERE used_proof.expires_at < now()
"""
_SLACK = 60.0
"""Seconds that one is kept beyond the time it is good for: workers' clocks differ."""


def proof_id(kind: str, owner: str, jti: str) -> str:
    """What stands for a proof: a hash, since the identifier is the client's own text."""
    # A lone surrogate is no text, and may be sent as an escape all the same.
    return hashlib.sha256(f"{kind}\0{owner}\0{jti}".encode("utf-8", "surrogatepass")).hexdigest()


async def use(pool: Any, identifier: str, *, good_for: float) -> bool:  # noqa: ANN401 - asyncpg's pool
    """Use a proof that is good for so many seconds more; was this the first time? Raises UnavailableError."""
    async with answering():
        done: str = await pool.execute(_USE, identifier, good_for + _SLACK)
    return done == "INSERT 0 1"
