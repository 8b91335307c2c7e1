"""Turns: what reads much of the ledger is answered one at a time by a worker, and within a bounded time.

Proposals have turns of their own: whoever asks and asks keeps nobody from proposing rules.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from resolvers.problems import Code, RequestRefusedError

SECONDS = 10.0
"""How long one may take. Less than the database gives a statement."""
HEAVY = 40_000
"""What one counts for towards the cost of an operation: there are at most two in one."""
JUDGING_SECONDS = 60.0
"""How long judging may take, with the report of a proposal, which leaves something out well before."""
_AGAIN_SECONDS = 5
_questions, _judgings = asyncio.Lock(), asyncio.Lock()


def turn(
    *, seconds: float = SECONDS, advice: str = "Ask about fewer days at once."
) -> AbstractAsyncContextManager[None]:
    """Be the only one for the block. Raises RATE_LIMITED where another is, UNAVAILABLE where it takes too long.

    Nobody waits: whoever waited would keep a connection from those who only need it for a moment.
    """
    return _alone(_questions, seconds, "question is being answered", advice)


def judging_turn(*, seconds: float = JUDGING_SECONDS) -> AbstractAsyncContextManager[None]:
    """The same for whoever has rules judged, which takes seconds where they are many; no question keeps them off."""
    return _alone(_judgings, seconds, "draft is being judged", "Do it by command: `rules propose` or `publish`.")


@asynccontextmanager
async def _alone(lock: asyncio.Lock, seconds: float, busy: str, advice: str) -> AsyncIterator[None]:
    if lock.locked():
        message = f"Another such {busy}. Try again in a few seconds."
        raise RequestRefusedError(Code.RATE_LIMITED, message, headers={"Retry-After": str(_AGAIN_SECONDS)})
    async with lock:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as fault:
            message = f"This takes more than {seconds:g} seconds. {advice}"
            raise RequestRefusedError(Code.UNAVAILABLE, message) from fault
