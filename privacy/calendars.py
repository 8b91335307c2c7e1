"""The calendar's source: what a release of `chinese_calendar` knows, and what an operator reads from a notice.

Only facts are kept: holidays and make-up days of the State Council's yearly notices. What an operator imports for a
year stands, whatever a release says of it; a release's years take the place of an earlier release's.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.metadata import version
from typing import Any

from chinese_calendar.constants import holidays, workdays

from privacy.working_days import Calendar

BY_HAND = "import"
_EARLIEST = 2004
_LATEST = 2199
_FEWEST, _MOST = 240, 256
"""Working days of a year: 365 less 104 of weekends and 10 to 13 holidays."""
_COLUMNS = ["day", "working"]
_WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
# Whoever brings up the database, imports, or counts anew at the same time comes before or after.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('needful.calendar', 13))"
_KNOWN = "SELECT day, working FROM calendar_day WHERE year = $1"
_SOURCE = "SELECT source FROM calendar_year WHERE year = $1"
_YEAR = """
INSERT INTO calendar_year (year, source, recorded_at) VALUES ($1, $2, $3)
ON CONFLICT (year) DO UPDATE SET source = $2, recorded_at = $3
"""
_FORGET = "DELETE FROM calendar_day WHERE year = $1"
_ADD = "INSERT INTO calendar_day (day, working, source) SELECT *, $3 FROM unnest($1::date[], $2::boolean[])"

Moved = Mapping[date, bool]


class CalendarError(Exception):
    """Why a file is no year's calendar, in one sentence."""


@dataclass(frozen=True, slots=True)
class Year:
    """One announced year: its days that differ from an ordinary week, by whether they are worked on."""

    year: int
    moved: Moved


def shipped_years() -> list[Year]:
    """Every year that the installed release of `chinese_calendar` knows."""
    moved = {**dict.fromkeys(holidays, False), **dict.fromkeys(workdays, True)}
    years = sorted({day.year for day in moved})
    return [Year(year, {day: works for day, works in moved.items() if day.year == year}) for year in years]


async def keep_shipped(connection: Any, *, now: datetime) -> list[int]:  # noqa: ANN401 - the owner's connection
    """Keep what this release knows, but for years imported by hand; the years of which it says something else."""
    source = f"chinesecalendar {version('chinesecalendar')}"
    async with connection.transaction():
        await connection.execute(_LOCK)
        return [
            one.year
            for one in shipped_years()
            if await connection.fetchval(_SOURCE, one.year) != BY_HAND and await _keep(connection, one, source, now)
        ]


async def keep_imported(connection: Any, year: Year, *, now: datetime) -> bool:  # noqa: ANN401 - as above
    """Keep a year that an operator read from the notice; does it say something else than before?"""
    async with connection.transaction():
        await connection.execute(_LOCK)
        return await _keep(connection, year, BY_HAND, now)


def parse_year(lines: Iterable[str]) -> Year:
    """A year from a CSV of `day,working`, which names at least every day that differs. Raises CalendarError."""
    reader = csv.DictReader(lines, strict=True)
    moved: dict[date, bool] = {}
    try:
        if reader.fieldnames != _COLUMNS:
            message = "The first line must be `day,working`."
            raise CalendarError(message)
        for row in reader:
            day, works = _row(row, reader.line_num)
            if day in moved:
                message = f"Line {reader.line_num}: {day} stands there twice."
                raise CalendarError(message)
            moved[day] = works
    except (csv.Error, UnicodeDecodeError) as fault:
        message = f"The file is no CSV in UTF-8: {type(fault).__name__}."
        raise CalendarError(message) from None
    return _checked(moved)


def _row(row: Mapping[str | None, Any], line: int) -> tuple[date, bool]:
    try:
        return date.fromisoformat(row["day"]), _WORDS[row["working"].strip().lower()]
    except (AttributeError, KeyError, TypeError, ValueError):
        message = f"Line {line}: give a day such as 2027-02-06, a comma, and yes or no."
        raise CalendarError(message) from None


def _checked(moved: Moved) -> Year:
    years = {day.year for day in moved}
    if len(years) != 1 or not _EARLIEST <= min(years) <= _LATEST:
        message = f"A file holds the days of one year from {_EARLIEST} to {_LATEST}."
        raise CalendarError(message)
    year = years.pop()
    calendar, first = Calendar(moved, ()), date(year, 1, 1)
    days = (date(year + 1, 1, 1) - first).days
    working = sum(calendar.is_working(first + timedelta(days=place)) for place in range(days))
    if not _FEWEST <= working <= _MOST:
        message = f"{year} would have {working} working days, and years have {_FEWEST} to {_MOST}: check the file."
        raise CalendarError(message)
    return Year(year, moved)


async def _keep(connection: Any, one: Year, source: str, now: datetime) -> bool:  # noqa: ANN401 - as above
    known = {row["day"]: row["working"] for row in await connection.fetch(_KNOWN, one.year)}
    before = await connection.fetchval(_SOURCE, one.year)
    if before == source and known == one.moved:
        return False
    await connection.execute(_YEAR, one.year, source, now)
    await connection.execute(_FORGET, one.year)
    await connection.execute(_ADD, list(one.moved), list(one.moved.values()), source)
    return before is None or known != one.moved
