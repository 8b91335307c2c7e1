"""Work in the background: it goes on whatever it dies of, and whoever operates the service hears of it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from ledger.alarms import Sound
from models.faults import place

ENDED = "TASK_ENDED"
PAUSE_SECONDS = 5.0
"""What dies at once whenever it begins must not keep the worker from its requests."""

Work = Callable[[], Coroutine[Any, Any, None]]

_log = logging.getLogger("needful.background")


@asynccontextmanager
async def running(name: str, work: Work, sound: Sound, *, pause: float = PAUSE_SECONDS) -> AsyncIterator[None]:
    """Let `work` run for as long as the block lasts; where it ends before, sound an alarm and begin it again."""
    task = asyncio.create_task(_lasting(name, work, sound, pause))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _lasting(name: str, work: Work, sound: Sound, pause: float) -> None:
    while True:
        try:
            await work()
            _log.error("the task %s has ended by itself", name)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the work has to go on
            _log.error("the task %s has ended: %s", name, place(fault))
        sound(ENDED, task=name)
        await asyncio.sleep(pause)
