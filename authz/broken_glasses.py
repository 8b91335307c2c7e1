"""Broken glasses as one worker knows them: for whom they are, and the rules that such a one is answered by."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from authz.compile import Snapshot
from authz.glass import MOST_MINUTES, under_glass
from authz.rules import RulesetError
from authz.subjects import Subject
from models.keeping import keep
from models.vocabulary import Purpose, Role, from_bits

EVERY_SECONDS = 2.0
REVIEW_WITHIN = timedelta(hours=24)
BROKEN, UNREVIEWED = "GLASS_BROKEN", "GLASS_UNREVIEWED"
"""The codes of its alarms."""

_RUNNING = """
SELECT id, account, role, purpose, categories, until FROM broken_glass WHERE ended_at IS NULL AND until > now()
"""
_ANNOUNCE = """
UPDATE broken_glass SET announced_at = $1 WHERE announced_at IS NULL
RETURNING id, account, role, purpose, ceil(extract(epoch FROM until - opened_at) / 60)::int AS minutes
"""
# Every day anew, until somebody has looked.
_REMIND = """
UPDATE broken_glass SET reminded_at = $1
WHERE reviewed_at IS NULL AND coalesce(ended_at, until) <= $1::timestamptz - $2::interval
  AND (reminded_at IS NULL OR reminded_at <= $1::timestamptz - $2::interval)
RETURNING id, account, role, purpose
"""
_log = logging.getLogger("needful.glass")


@dataclass(frozen=True, slots=True)
class Running:
    """A broken glass that counts; `categories` is a stored set."""

    id: UUID
    role: Role
    categories: int
    until: datetime


class BrokenGlasses:
    """What one worker knows of broken glasses; `most`: the minutes that one may last."""

    def __init__(self, most: int = MOST_MINUTES) -> None:
        """None that is known of; `learn` comes first (`Standing`)."""
        self.most = most
        self._running: dict[tuple[UUID, Purpose], Running] = {}
        self._compiled: dict[tuple[Role, Purpose, int], tuple[Snapshot, Snapshot]] = {}

    async def learn(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg's connection
        """Take over those that run. Raises the database's error."""
        rows = await connection.fetch(_RUNNING)
        self._running = {
            (row["account"], Purpose(row["purpose"])): Running(
                row["id"], Role(row["role"]), row["categories"], row["until"]
            )
            for row in rows
        }
        if not rows:
            self._compiled = {}

    def applied(
        self, snapshot: Snapshot, subject: Subject, purpose: Purpose, *, now: datetime
    ) -> tuple[Snapshot, UUID | None]:
        """The rules that a subject is answered by for a purpose, and the broken glass that they owe something to.

        Where nobody can tell which rules are in force, no glass opens anything.
        """
        if snapshot.is_closed:
            return snapshot, None
        found = self._running.get((subject.account, purpose)) if subject.account and self._running else None
        if found is None or found.role is not subject.role or now >= found.until:
            return snapshot, None
        place = subject.role, purpose, found.categories
        before, compiled = self._compiled.get(place, (None, snapshot))
        if before is not snapshot:
            try:
                compiled = under_glass(snapshot, subject.role, purpose, from_bits(found.categories))
            except RulesetError as refused:
                # Rules have been published since that it does not go with: what is not sure is not shown.
                _log.error("the broken glass %s shows nothing: %s", found.id, refused)
                compiled = snapshot
            self._compiled[place] = snapshot, compiled
        return (snapshot, None) if compiled is snapshot else (compiled, found.id)


async def tell(connection: Any, *, now: datetime, sound: Callable[..., None]) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Sound the alarms that are due, each by one worker; better twice than never. Raises the database's error."""
    async with connection.transaction():
        for row in await connection.fetch(_ANNOUNCE, now):
            sound(BROKEN, **_said(row), minutes=row["minutes"])
        for row in await connection.fetch(_REMIND, now, REVIEW_WITHIN):
            sound(UNREVIEWED, **_said(row))


def _said(row: Any) -> dict[str, str]:  # noqa: ANN401 - asyncpg's record
    return {
        "glass": str(row["id"]),
        "account": str(row["account"]),
        "role": row["role"],
        "purpose": row["purpose"],
    }


async def keep_telling(pool: Any, *, clock: Callable[[], datetime], sound: Callable[..., None]) -> None:  # noqa: ANN401
    """Sound what is due, for as long as the task lives."""
    await keep(pool, partial(tell, sound=sound), clock=clock, every=EVERY_SECONDS, name="glass")
