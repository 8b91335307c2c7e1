"""Jobs: what is done by a timetable, each once a turn, beside everything that answers requests."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.installation import Installation
from privacy.bundles import Bundle
from vault.keyring import Keyring

Sound = Callable[..., None]
"""Sounds an alarm: its code, and details that are of no person."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of a job works with."""

    connection: Any
    """The owner's, outside a transaction."""
    keyring: Keyring
    bundle: Bundle
    installation: Installation
    now: datetime
    sound: Sound


@dataclass(frozen=True, slots=True)
class Job:
    """One job. A turn commits step by step: one that was killed goes on where it was, and done twice it does nothing.

    It gives how many of what it did, by name; and raises the database's errors.
    """

    name: str
    cron: str
    """When: five fields, in the time of Shanghai."""
    work: Callable[[Turn], Awaitable[Mapping[str, int]]]
