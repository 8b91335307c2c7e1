"""A process beside a server: it reads its settings from its standard input, and works until that ends.

So it ends with whoever started it, however that ended.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from models import logs
from models.faults import place

Run = Callable[[dict[str, Any], asyncio.Event], Awaitable[None]]
"""Works with the settings until the event is set."""


def attached(run: Run, *, name: str, stops: bool = False) -> int:
    """Read one line of JSON, then work until the input ends; 0 if it did. `stops`: SIGTERM ends it too, orderly."""
    logs.configure(os.environ)
    log = logging.getLogger(f"{logs.OWN}.{name}")
    # These are for the server, which ends this process once it has ended itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    settings = json.loads(sys.stdin.readline() or "null")
    if settings is None:
        return 0

    async def work() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()

        def follow() -> None:
            sys.stdin.read()
            with suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=follow, daemon=True).start()
        if stops:
            loop.add_signal_handler(signal.SIGTERM, ended.set)
        await run(settings, ended)

    try:
        asyncio.run(work())
    except Exception as fault:  # noqa: BLE001 - another process takes its place
        log.error("the %s ends: %s", name, place(fault))  # noqa: TRY400 - all that may be said
        return 1
    return 0
