"""Relay numbers are looked after in the background: what is old is replaced, what has no basis any more ends (C21)."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from models.keeping import keep
from privacy.relays import EXHAUSTED, Relays, Settled, rotate

EVERY_SECONDS = 300.0
RELAY_DAYS = 30
"""After how many days a number is replaced by another."""

Sound = Callable[..., None]
"""Sounds an alarm: its code, and details that are of no person."""


async def look_after(connection: Any, relays: Relays, *, days: int, now: datetime, sound: Sound) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Rotate once, and sound an alarm where people are due a number and there is none."""
    done = await rotate(connection, relays, days=days, now=now)
    if done[Settled.EXHAUSTED]:
        sound(EXHAUSTED, pairs=done[Settled.EXHAUSTED])


async def keep_rotating(
    pool: Any,  # noqa: ANN401 - asyncpg's pool
    relays: Relays,
    *,
    days: int,
    clock: Callable[[], datetime],
    sound: Sound,
) -> None:
    """Rotate every five minutes, for as long as the task lives."""
    look = partial(look_after, relays=relays, days=days, sound=sound)
    await keep(pool, look, clock=clock, every=EVERY_SECONDS, name="relays")
