"""Connections that reads hand on to each other, without a return to the pool in between.

To return one and take it again costs as much as a short statement. So up to half of the pool stays with the reads, as
long as nobody waits for a connection; all others come from the pool and return to it, for reads too.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any

import asyncpg

SHARE = 2
"""The reads keep one connection of so many of the pool's."""


def waiting(pool: Any) -> int:  # noqa: ANN401 - asyncpg's pool
    """How many wait for a connection of a pool."""
    # The pool has no public name for them.
    return len(pool._queue._getters)  # noqa: SLF001


class ReadConnections:
    """What reads have of a pool. What runs on them is never part of a transaction, and sets nothing."""

    def __init__(self, pool: Any, *, size: int) -> None:  # noqa: ANN401 - asyncpg's pool
        """Keep at most a share of the pool's `size` connections."""
        self._pool = pool
        self._most = size // SHARE
        self._kept: set[Any] = set()
        self._idle: list[Any] = []
        self._closing = False

    @property
    def idle(self) -> int:
        """Connections that are kept and that nobody uses now."""
        return len(self._idle)

    def acquire(self, *, timeout: float) -> "_Reading":
        """One connection, for as long as the block lasts. Raises TimeoutError where there is none in `timeout` seconds.

        It takes part in whatever goes wrong in the block: then it returns to the pool, which mends or replaces it.
        """
        return _Reading(self, timeout)

    async def take(self, timeout: float) -> Any:  # noqa: ANN401, ASYNC109 - asyncpg's proxy, and its name
        """A connection that is at hand, or one of the pool's."""
        while self._idle:
            connection = self._idle.pop()
            if _works(connection):
                return connection
            await self.give_up(connection)
        connection = await self._pool.acquire(timeout=timeout)
        if len(self._kept) < self._most and not self._closing:
            self._kept.add(connection)
        return connection

    async def hand_on(self, connection: Any) -> None:  # noqa: ANN401 - as above
        """Keep a connection for the next read, unless somebody waits for one of the pool's."""
        if connection in self._kept and not self._closing and not waiting(self._pool):
            self._idle.append(connection)
        else:
            await self.give_up(connection)

    async def give_up(self, connection: Any) -> None:  # noqa: ANN401 - as above
        """Return a connection to the pool."""
        self._kept.discard(connection)
        await self._pool.release(connection)

    async def close(self) -> None:
        """Return what nobody uses; the others return after use."""
        self._closing = True
        while self._idle:
            await self.give_up(self._idle.pop())


@asynccontextmanager
async def read_connections(pool: Any, *, size: int) -> AsyncIterator[ReadConnections]:  # noqa: ANN401 - asyncpg's pool
    """Connections for reads, for as long as the block lasts."""
    reading = ReadConnections(pool, size=size)
    try:
        yield reading
    finally:
        await reading.close()


def _works(connection: Any) -> bool:  # noqa: ANN401 - as above
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        # It was closed, and the pool has taken it back.
        return False


class _Reading:
    __slots__ = ("_connection", "_of", "_timeout")

    def __init__(self, of: ReadConnections, timeout: float) -> None:
        self._of = of
        self._timeout = timeout
        self._connection: Any = None

    async def __aenter__(self) -> Any:  # noqa: ANN401 - asyncpg's proxy
        self._connection = await self._of.take(self._timeout)
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if fault is None:
            await self._of.hand_on(self._connection)
        else:
            await self._of.give_up(self._connection)
