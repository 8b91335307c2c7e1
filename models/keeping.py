"""Keepers: what a server does again and again in the background, on one connection of its pool."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from models.faults import PASSING

_ACQUIRE_SECONDS = 5.0


class Look(Protocol):
    """One look, on a connection, at a moment."""

    async def __call__(self, connection: Any, /, *, now: datetime) -> object:  # noqa: ANN401 - asyncpg's proxy
        """Do what is due."""


_log = logging.getLogger("needful.background")


async def keep(
    pool: Any,  # noqa: ANN401 - asyncpg's pool
    look: Look,
    *,
    clock: Callable[[], datetime],
    every: float,
    name: str,
) -> None:
    """Look every so many seconds, for as long as the task lives; `name`: what the log calls it.

    A database that does not answer is asked again at the next look. Whatever else a look dies of, a missing right for
    one, would come again for ever: it is raised, so that whoever operates the service hears of it.
    """
    while True:
        try:
            async with pool.acquire(timeout=_ACQUIRE_SECONDS) as connection:
                await look(connection, now=clock())
        except PASSING:
            _log.warning("the task %s looks again in %d seconds: the database does not answer", name, every)
        await asyncio.sleep(every)
