"""Where requests are counted: in this process, or in the database.

A window begins with the first request counted in it and ends by its own clock: the process's, or the database's.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg

ANSWER_SECONDS = 1.0
"""A shared storage that takes longer has failed."""

_SWEEP_SECONDS = 60.0

# In the order of their keys: two workers that count several keys at once never wait for each other in a circle.
_COUNT = """
INSERT INTO rate_count AS kept (key, count, expires_at)
SELECT key, amount, clock_timestamp() + make_interval(secs => seconds)
FROM unnest($1::text[], $2::integer[], $3::float8[]) AS asked (key, amount, seconds) ORDER BY key
ON CONFLICT (key) DO UPDATE SET
    count = excluded.count + CASE WHEN kept.expires_at > clock_timestamp() THEN kept.count ELSE 0 END,
    expires_at = CASE WHEN kept.expires_at > clock_timestamp() THEN kept.expires_at ELSE excluded.expires_at END
RETURNING key, count, extract(epoch FROM expires_at - clock_timestamp())::float8
"""


class Counts(Protocol):
    """What is asked of a storage; those of the library `limits` answer it too."""

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        """What it raises when it fails."""

    async def incr(self, key: str, expiry: int) -> int:
        """Count, in a window of `expiry` seconds, and give the window's count so far."""

    async def get_expiry(self, key: str) -> float:
        """When the window ends, in seconds since the epoch."""


class ProcessCounts:
    """Counts of this process alone. Unlike the library's own, it does not look through all keys at every request."""

    base_exceptions = OSError
    """It cannot fail."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, float]] = {}
        self._swept = time.monotonic()

    async def incr(self, key: str, expiry: int) -> int:
        """Count, and give the window's count so far."""
        return self.counted(key, expiry)

    def counted(self, key: str, expiry: int) -> int:
        """The same for whoever need not wait."""
        now = time.monotonic()
        if now - self._swept > _SWEEP_SECONDS:
            self._swept = now
            self._counts = {key: kept for key, kept in self._counts.items() if kept[1] > now}
        count, until = self._counts.get(key, (0, 0.0))
        if until <= now:
            count, until = 0, now + expiry
        self._counts[key] = (count + 1, until)
        return count + 1

    async def get_expiry(self, key: str) -> float:
        """When the window ends, in seconds since the epoch."""
        return time.time() + max(0.0, self._counts.get(key, (0, 0.0))[1] - time.monotonic())


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that waits for its number."""

    key: str
    expiry: int
    number: asyncio.Future[int]


class DatabaseCounts:
    """Counts shared by every worker, in the table `rate_count`: each request has a number of its own.

    One statement at a time, on a connection of its own; requests that come meanwhile share the next one. So a worker
    waits for a row only once, however many want it, and the service's connections never do.
    """

    base_exceptions = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
    """What a database that does not answer raises."""

    def __init__(self, connect: Callable[[], Awaitable[Any]]) -> None:
        """`connect` gives a connection; it is opened with the first request."""
        self._connect = connect
        self._connection: Any = None
        self._waiting: list[_Asked] = []
        self._work: asyncio.Task[None] | None = None
        self._ends: dict[str, float] = {}
        self._swept = time.monotonic()

    async def incr(self, key: str, expiry: int) -> int:
        """Count, and give the window's count so far."""
        asked = _Asked(key, expiry, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._count_waiting())
        return await asked.number

    async def get_expiry(self, key: str) -> float:
        """When the window ends, in seconds since the epoch by this process's clock, as of the last count."""
        return time.time() + max(0.0, self._ends.get(key, 0.0) - time.monotonic())

    async def close(self) -> None:
        """Give up the connection."""
        if self._work is not None:
            self._work.cancel()
            with suppress(asyncio.CancelledError):
                await self._work
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self.base_exceptions, TimeoutError):
                await connection.close(timeout=ANSWER_SECONDS)

    async def _count_waiting(self) -> None:
        while self._waiting:
            asked, self._waiting = self._waiting, []
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    counted = await self._counted(asked)
            except Exception as fault:  # noqa: BLE001 - whatever it is, those who wait have to hear of it
                self._drop()
                for one in asked:
                    if not one.number.done():
                        one.number.set_exception(fault)
                continue
            # Who asked first has the lowest number of those that were added.
            for one in reversed(asked):
                if not one.number.done():
                    one.number.set_result(counted[one.key])
                counted[one.key] -= 1

    async def _counted(self, asked: list[_Asked]) -> dict[str, int]:
        """The windows' counts by key, once these are counted."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
            # What a crash of the database could lose is a fraction of a second's counts.
            await self._connection.execute("SET synchronous_commit = off")
        amounts = Counter(one.key for one in asked)
        seconds = {one.key: float(one.expiry) for one in asked}
        rows = await self._connection.fetch(
            _COUNT, list(amounts), list(amounts.values()), [seconds[key] for key in amounts]
        )
        now = time.monotonic()
        if now - self._swept > _SWEEP_SECONDS:
            self._swept = now
            self._ends = {key: ends for key, ends in self._ends.items() if ends > now}
        self._ends.update((key, now + left) for key, _, left in rows)
        return {key: count for key, count, _ in rows}

    def _drop(self) -> None:
        """Close at once: there may be an answer to nobody on its way."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
