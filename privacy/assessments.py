"""Impact assessments: what was assessed; one of high risk asks for a notice until a version answers it (C77)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from models.keeping import keep
from privacy.publication import NoticeRefusal, Refused

EVERY_SECONDS = 60.0
NOTICE_ASKED_FOR = "NOTICE_ASKED_FOR"
"""The code of its alarm."""
LONGEST_TITLE, LONGEST_TEXT = 200, 20_000
_DAY = timedelta(days=1)

_KEEP = """
INSERT INTO impact_assessment (id, title, text, risk, assessed_by, assessed_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
_ALL = """
SELECT a.id, a.title, a.text, a.risk, a.assessed_by, a.assessed_at, n.version AS answered_by
FROM impact_assessment a LEFT JOIN notice n ON n.number = a.notice
WHERE $1::boolean IS NULL OR (a.risk = 'HIGH' AND a.notice IS NULL) = $1 ORDER BY a.assessed_at DESC, a.id LIMIT $2
"""
_ANSWERED = """
SELECT title FROM impact_assessment WHERE notice > $1 AND notice <= $2 ORDER BY notice, assessed_at, id
"""
_REMIND = """
UPDATE impact_assessment SET reminded_at = $1
WHERE risk = 'HIGH' AND notice IS NULL AND (reminded_at IS NULL OR reminded_at <= $1::timestamptz - $2::interval)
RETURNING id
"""
MOST = 200
"""Assessments in one list."""


class Risk(StrEnum):
    """How high a risk the assessed processing is to those concerned."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


@dataclass(frozen=True, slots=True)
class Assessment:
    """One impact assessment; `answered_by`: the version of the notice that told of it."""

    id: UUID
    title: str
    text: str
    risk: Risk
    assessed_by: str
    assessed_at: datetime
    answered_by: str | None = None

    @property
    def asks_for_notice(self) -> bool:
        """Is its risk high, and does no notice tell of it yet?"""
        return self.risk is Risk.HIGH and self.answered_by is None


async def assess(  # noqa: PLR0913 - what is kept of it
    connection: Any,  # noqa: ANN401 - asyncpg's connection, here and below
    *,
    title: str,
    text: str,
    risk: Risk,
    by: str,
    now: datetime,
) -> Assessment | Refused:
    """Record an assessment. Raises the database's error, here and below."""
    for field, given, longest in (("title", title, LONGEST_TITLE), ("text", text, LONGEST_TEXT)):
        if not 1 <= len(given.strip()) <= longest or "\0" in given:
            return Refused(NoticeRefusal.TEXT_INVALID, f"Give a {field} of 1 to {longest} characters.", field)
    made = Assessment(uuid4(), title.strip(), text.strip(), risk, by, now)
    await connection.execute(_KEEP, made.id, made.title, made.text, risk.value, by, now)
    return made


async def assessments(connection: Any, *, open_only: bool | None = None) -> list[Assessment]:  # noqa: ANN401
    """The latest ones, the last first; `open_only`: only those that ask for a notice, or only those that do not."""
    return [_assessment(row) for row in await connection.fetch(_ALL, open_only, MOST)]


async def answered_between(connection: Any, first: int, second: int) -> list[str]:  # noqa: ANN401
    """The titles of those that versions after one and up to another answered."""
    return [row[0] for row in await connection.fetch(_ANSWERED, *sorted((first, second)))]


async def remind(connection: Any, *, now: datetime, sound: Callable[..., None]) -> None:  # noqa: ANN401
    """Sound for each that asks for a notice, once a day, by one worker; better twice than never."""
    async with connection.transaction():
        for row in await connection.fetch(_REMIND, now, _DAY):
            sound(NOTICE_ASKED_FOR, assessment=str(row["id"]))


async def keep_asking(pool: Any, *, clock: Callable[[], datetime], sound: Callable[..., None]) -> None:  # noqa: ANN401
    """Sound what is due, for as long as the task lives."""
    await keep(pool, partial(remind, sound=sound), clock=clock, every=EVERY_SECONDS, name="notices")


def _assessment(row: Mapping[str, Any]) -> Assessment:
    return Assessment(**{**row, "risk": Risk(row["risk"])})
