"""Working days: by when something is due that was promised in so many of them (C65, C70, C80).

The day of receipt does not count, and days are Shanghai's. Which weekdays are off and which weekend days are worked is
the database's to say (`privacy.calendars`); where a count passes a year that is not announced, its weekends alone are
known, and the day is provisional.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

_SHANGHAI = ZoneInfo("Asia/Shanghai")
_SATURDAY = 5
_DAY = timedelta(days=1)
_DAYS = "SELECT day, working FROM calendar_day WHERE day > $1"
_YEARS = "SELECT year FROM calendar_year"


@dataclass(frozen=True, slots=True)
class Due:
    """The last day by which something is due; provisional while a year on the way to it is not announced."""

    day: date
    provisional: bool


@dataclass(frozen=True, slots=True)
class Calendar:
    """What is known of days: those that differ from an ordinary week, and the years that are announced."""

    moved: Mapping[date, bool] = field(repr=False)
    """Is it worked on?"""
    announced: Collection[int]

    def is_working(self, day: date) -> bool:
        """Is it a working day, as far as is known?"""
        return self.moved.get(day, day.weekday() < _SATURDAY)

    def due(self, received: date, working_days: int) -> Due:
        """The so-manieth working day after a day, which does not count itself. Raises ValueError below one."""
        if working_days < 1:
            message = "a deadline has one working day or more"
            raise ValueError(message)
        day, left = received, working_days
        while left:
            day += _DAY
            left -= self.is_working(day)
        years = range((received + _DAY).year, day.year + 1)
        return Due(day, any(year not in self.announced for year in years))

    def left(self, today: date, until: date) -> int:
        """How many working days are left after today, the last one included; none where it is past."""
        return sum(self.is_working(today + _DAY * place) for place in range(1, (until - today).days + 1))


def shanghai_day(moment: datetime) -> date:
    """The day it is where the brokerage is."""
    return moment.astimezone(_SHANGHAI).date()


async def calendar_after(connection: Any, day: date) -> Calendar:  # noqa: ANN401 - asyncpg's connection or proxy
    """What is known of the days after one. Raises the database's error."""
    moved = {row["day"]: row["working"] for row in await connection.fetch(_DAYS, day)}
    return Calendar(moved, frozenset(row["year"] for row in await connection.fetch(_YEARS)))


async def due_after(connection: Any, received: datetime, working_days: int) -> Due:  # noqa: ANN401 - as above
    """By when something is due that was received at a moment. Raises ValueError below one working day."""
    day = shanghai_day(received)
    return (await calendar_after(connection, day)).due(day, working_days)
