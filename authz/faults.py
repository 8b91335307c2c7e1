"""Faults: text that cannot be read, and questions that may have no answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from joserfc.errors import JoseError

from models.faults import NO_ANSWER

MALFORMED = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)
"""What a library stumbles over in text that anyone can send."""
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
