"""Connections of the pool for a moment: where one is free nobody waits, so no task and no timer is made for waiting.

asyncpg's own way makes some for each loan, which takes longer than sending a short statement. What is anything but a
free connection in good order goes that way all the same. asyncpg has no public names for what is asked here; its
version is pinned, and the tests of this file hold it.
"""

from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg

from models.database import keep_session


def lent(pool: Any, *, seconds: float) -> AbstractAsyncContextManager[Any]:  # noqa: ANN401 - asyncpg's, or alike
    """A connection for a block. Raises TimeoutError if none is free for `seconds`, and asyncpg's errors."""
    if isinstance(pool, asyncpg.Pool):
        return _Loan(pool, seconds)
    found: AbstractAsyncContextManager[Any] = pool.acquire(timeout=seconds)
    return found


class _Loan:
    """One loan of asyncpg's pool."""

    __slots__ = ("_connection", "_pool", "_seconds")

    def __init__(self, pool: Any, seconds: float) -> None:  # noqa: ANN401 - asyncpg's private side
        self._pool = pool
        self._seconds = seconds
        self._connection: Any = None

    async def __aenter__(self) -> Any:  # noqa: ANN401 - asyncpg's proxy
        pool = self._pool
        if pool._initialized and not pool._closing and not pool._queue.empty():  # noqa: SLF001
            holder = pool._queue.get_nowait()  # noqa: SLF001
            if _is_open(holder):
                self._connection = await holder.acquire()
                return self._connection
            pool._queue.put_nowait(holder)  # noqa: SLF001
        self._connection = await pool.acquire(timeout=self._seconds)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        proxy = self._connection
        connection, holder = proxy._con, proxy._holder  # noqa: SLF001
        if connection is not None and _is_open(holder) and _is_clean(connection):
            connection._on_release()  # noqa: SLF001
            holder._timeout = None  # noqa: SLF001
            holder._release()  # noqa: SLF001
            holder._setup_inactive_callback()  # noqa: SLF001
        else:
            await self._pool.release(proxy)


def _is_open(holder: Any) -> bool:  # noqa: ANN401 - as above
    """Is there a connection, and one to go on with?"""
    connection = holder._con  # noqa: SLF001
    return (
        connection is not None
        and not connection.is_closed()
        and holder._setup is None  # noqa: SLF001
        and holder._pool._reset is keep_session  # noqa: SLF001
        and holder._generation == holder._pool._generation  # noqa: SLF001
        and connection._protocol.queries_count < holder._max_queries  # noqa: SLF001
    )


def _is_clean(connection: Any) -> bool:  # noqa: ANN401 - as above
    """Is nothing left to be undone: no transaction, no statement under way, no listener?"""
    protocol = connection._protocol  # noqa: SLF001
    return not (
        protocol.is_in_transaction()
        or protocol._is_cancelling()  # noqa: SLF001
        or connection._top_xact is not None  # noqa: SLF001
        or connection._listeners  # noqa: SLF001
        or connection._log_listeners  # noqa: SLF001
    )
