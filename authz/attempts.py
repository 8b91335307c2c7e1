"""Attempts: failures in a row under what was typed, each slowing the next, until a lock (C50).

Failures are counted per identifier, whether or not there is a login of it, with the same statements: who guesses does
not learn who has an account. The row is locked while an attempt is judged, so that no number of attempts at once is
more than one after the other.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from authz.sessions import Owner, end_all
from models.logins import SessionEnd

_FREE = 1
"""Failures that cost nothing yet: everybody mistypes once."""
NOBODY = UUID(int=0)
"""A row that never exists: what is locked where there is nothing to lock."""

# A lock that has run out is forgotten: one wrong try must not lock anew.
_BEGIN = """
INSERT INTO failed_login (identifier, failures, failed_at) VALUES ($1, 0, $2)
ON CONFLICT (identifier) DO UPDATE SET
  failures = CASE WHEN failed_login.locked_until <= $2 THEN 0 ELSE failed_login.failures END,
  locked_until = CASE WHEN failed_login.locked_until > $2 THEN failed_login.locked_until END
RETURNING failures, failed_at, locked_until
"""
_FAILED = """
UPDATE failed_login SET failures = failures + 1, failed_at = $2,
  locked_until = CASE WHEN failures + 1 >= $3 THEN $4::timestamptz END
WHERE identifier = $1 RETURNING locked_until
"""
_LOCK = "UPDATE login SET locked_until = $2 WHERE id = $1"
_SUCCEEDED = "DELETE FROM failed_login WHERE identifier = $1"


@dataclass(frozen=True, slots=True)
class Patience:
    """After how many failures in a row a login is locked, and for how long."""

    failures: int = 5
    lock: timedelta = timedelta(minutes=30)


def password_key(login: UUID) -> str:
    """Under what wrong passwords of somebody who is logged in are counted: no keyed hash is as short."""
    return f"login:{login}"


def code_key(login: UUID) -> str:
    """As `password_key`, of wrong codes: who knows the password but not the factor must not be able to start anew."""
    return f"code:{login}"


async def begin(connection: Any, identifier: str, *, patience: Patience, now: datetime) -> int:  # noqa: ANN401 - asyncpg's proxy
    """Begin an attempt: 0, or how many seconds to wait for the next one. Others of this identifier queue up."""
    failures, failed_at, locked_until = await connection.fetchrow(_BEGIN, identifier, now)
    until: datetime = locked_until or failed_at + _delay(failures, patience)
    return max(0, math.ceil((until - now).total_seconds()))


async def failed(  # noqa: PLR0913 - who failed, and when
    connection: Any,  # noqa: ANN401 - asyncpg's proxy
    identifier: str,
    *,
    login: UUID,
    owner: Owner,
    patience: Patience,
    now: datetime,
) -> None:
    """Count a failure; the one too many locks the login and ends its sessions. Both may be NOBODY's."""
    locked = await connection.fetchval(_FAILED, identifier, now, patience.failures, now + patience.lock)
    if locked is not None:
        await connection.execute(_LOCK, login, locked)
        await end_all(connection, owner, because=SessionEnd.LOCKED, now=now)


async def succeeded(connection: Any, identifier: str) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Forget the failures of an identifier."""
    await connection.execute(_SUCCEEDED, identifier)


def _delay(failures: int, patience: Patience) -> timedelta:
    """Twice as long after each failure, and never longer than a lock."""
    if failures <= _FREE:
        return timedelta()
    # So many doublings are longer than any lock; more would be too many for a timedelta.
    doublings = min(failures - _FREE - 1, 31)
    return min(timedelta(seconds=2**doublings), patience.lock)
