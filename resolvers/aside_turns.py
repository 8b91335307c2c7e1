"""Turns: what reads much of the ledger is answered one at a time by a worker, and within a bounded time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from resolvers.problems import Code, RequestRefusedError

SECONDS = 10.0
"""How long one may take. Less than the database gives a statement."""
HEAVY = 40_000
"""What one counts for towards the cost of an operation: there are at most two in one."""
_AGAIN_SECONDS = 5
_turn = asyncio.Lock()


@asynccontextmanager
async def turn(*, seconds: float = SECONDS) -> AsyncIterator[None]:
    """Be the only one for the block. Raises RATE_LIMITED where another is, UNAVAILABLE where it takes too long.

    Nobody waits: whoever waited would keep a connection from those who only need it for a moment.
    """
    if _turn.locked():
        message = "Another such question is being answered. Ask again in a few seconds."
        raise RequestRefusedError(Code.RATE_LIMITED, message, headers={"Retry-After": str(_AGAIN_SECONDS)})
    async with _turn:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as fault:
            message = f"This takes more than {seconds:g} seconds. Ask about fewer days at once."
            raise RequestRefusedError(Code.UNAVAILABLE, message) from fault
