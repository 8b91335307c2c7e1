"""Keepers: a database that does not answer is asked again; what would come again for ever is heard of."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest

from models.keeping import keep
from resolvers.operating.background import ENDED, running

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Pool:
    @asynccontextmanager
    async def acquire(self, *, timeout):  # noqa: ASYNC109 - asyncpg's name
        assert timeout > 0
        yield self


PASSES = [
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.DeadlockDetectedError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ConnectionResetError,
    TimeoutError,
]
STAYS = [
    asyncpg.InsufficientPrivilegeError,
    asyncpg.CheckViolationError,
    asyncpg.UndefinedColumnError,
    asyncpg.InvalidPasswordError,
    ValueError,
]


def kept(fault):
    """What is heard while a look dies of a fault twice, and how often somebody looked by then."""
    heard, looked = [], []

    async def run():
        done = asyncio.Event()

        async def look(_, *, now):
            assert now is NOW
            looked.append(1)
            if len(looked) == 3:
                done.set()
                await asyncio.Event().wait()
            raise fault("")

        work = lambda: keep(Pool(), look, clock=lambda: NOW, every=0, name="minors")  # noqa: E731 - as app.py has it
        async with asyncio.timeout(5), running("minors", work, lambda code, **_: heard.append(code), pause=0):
            await done.wait()

    asyncio.run(run())
    return heard, len(looked)


@pytest.mark.parametrize("fault", PASSES)
def test_a_keeper_goes_on_where_the_database_does_not_answer(fault):
    assert kept(fault) == ([], 3)


@pytest.mark.parametrize("fault", STAYS)
def test_a_keeper_ends_and_is_heard_of_where_the_database_or_its_own_work_refuses(fault):
    assert kept(fault) == ([ENDED, ENDED], 3)
