"""Readiness: may this worker be given requests, and if not, why; in bounded time, and without a secret or an address.

What keeps it from answering rightly is a reason, 503. What somebody must see to while it still answers is a warning: a
sealer that lags is one, for the rows are committed, and taking every worker away for it would help nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from ledger.rows import time_text

SECONDS = 2.0
_LATE = f"It did not answer within {SECONDS:g} seconds."
_BROKEN = "It cannot be had: see the log."


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at: `ask` gives None, or in a sentence what is wrong."""

    name: str
    ask: Callable[[], Awaitable[str | None]]
    warning: bool = False


def told(name: str, wrong: Callable[[], str | None], *, warning: bool = False) -> Check:
    """A check of what is known already."""

    async def ask() -> str | None:
        return wrong()

    return Check(name, ask, warning)


@dataclass(slots=True)
class Readiness:
    """What one worker can say of itself."""

    checks: Sequence[Check]
    clock: Callable[[], datetime]
    _since: dict[str, datetime] = field(default_factory=dict)
    _asking: "asyncio.Task[list[tuple[Check, str | None]]] | None" = None

    async def answer(self) -> Response:
        """`{"status": "ready", "warnings"}` or, with 503, `{"status": "unavailable", "reasons", "warnings"}`."""
        if self._asking is None:
            # However many ask, the database is asked once at a time.
            self._asking = asyncio.create_task(self._ask())
        found = await asyncio.shield(self._asking)
        wrong = [(check, self._told(check, why)) for check, why in found if why is not None]
        reasons = [one for check, one in wrong if not check.warning]
        body: dict[str, Any] = {"status": "unavailable" if reasons else "ready"}
        if reasons:
            body["reasons"] = reasons
        body["warnings"] = [one for check, one in wrong if check.warning]
        return JSONResponse(body, 503 if reasons else 200, headers={"Cache-Control": "no-store"})

    def _told(self, check: Check, why: str) -> dict[str, str]:
        since = self._since.setdefault(check.name, self.clock())
        return {"check": check.name, "why": why, "since": time_text(since)}

    async def _ask(self) -> list[tuple[Check, str | None]]:
        try:
            found = await asyncio.gather(*map(_asked, self.checks))
        finally:
            self._asking = None
        for check, why in zip(self.checks, found, strict=True):
            if why is None:
                self._since.pop(check.name, None)
        return list(zip(self.checks, found, strict=True))


async def _asked(check: Check) -> str | None:
    try:
        async with asyncio.timeout(SECONDS):
            return await check.ask()
    except TimeoutError:
        return _LATE
    except Exception:  # noqa: BLE001 - whatever it is, the answer is the same
        return _BROKEN
