"""Expiry: rows that count for a while only, such as revocations and used proofs, are deleted once they have run out."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from authz.faults import UnavailableError, answering

EVERY_SECONDS = 60.0
PORTION = 1_000
"""Rows deleted at once: however many have piled up, each statement is short."""

_EXPIRED = "expires_at < now() - interval '2 minutes'"
"""A token's clock may run ahead of ours by one: its counter must outlive it."""
OVER: Mapping[str, str] = {
    # Where its clock is behind, a worker must not find a window gone that it is still in.
    "disclosure_lease": "ends_at < now() - interval '1 day'",
    "failed_login": "failed_at < now() - interval '1 day' AND (locked_until IS NULL OR locked_until < now())",
    "idempotency_key": _EXPIRED,
    "rate_count": _EXPIRED,
    "revocation": _EXPIRED,
    # Their refresh tokens go with them.
    "session": "(expires_at < now() - interval '30 days' OR ended_at < now() - interval '30 days')",
    "token_use": _EXPIRED,
    "used_proof": _EXPIRED,
}
"""By table, which rows have run out."""

_log = logging.getLogger("needful.expiry")


async def forget_expired(pool: Any) -> None:  # noqa: ANN401 - asyncpg's pool
    """Delete what has run out, a portion at a time. Raises UnavailableError."""
    for table, over in OVER.items():
        portion = f"SELECT ctid FROM {table} WHERE {over} LIMIT {PORTION} FOR UPDATE SKIP LOCKED"
        delete = f"DELETE FROM {table} WHERE ctid = ANY(ARRAY({portion}))"
        deleted = PORTION
        while deleted == PORTION:
            async with answering():
                deleted = int((await pool.execute(delete)).removeprefix("DELETE "))


async def keep_forgetting(pool: Any) -> None:  # noqa: ANN401 - asyncpg's pool
    """Delete what has run out, for as long as the task lives."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await forget_expired(pool)
        except UnavailableError:
            _log.warning("expired rows stay until the database answers again")
