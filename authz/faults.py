"""Faults: what a log may say of an exception, and what counts as a database that does not answer."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from joserfc.errors import JoseError

MALFORMED = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)
"""What a library stumbles over in text that anyone can send."""
NO_ANSWER = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""How a database that cannot be had shows itself; the third when a connection breaks in the middle of an answer."""
_ASK_SECONDS = 5.0


class UnavailableError(Exception):
    """The database does not answer at the moment; its cause says why."""


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Ask the database something short. Raises UnavailableError instead of whatever it stumbles over."""
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            yield
    except NO_ANSWER as fault:
        raise UnavailableError from fault


def place(fault: BaseException) -> str:
    """Kind and place of an exception and of what led to it. Not its text, which may hold a caller's values."""
    lines = [type(fault).__name__, *traceback.format_tb(fault.__traceback__)]
    before = fault.__cause__ or fault.__context__
    return "\n".join([*lines, "after", place(before)] if before else lines)
