"""The fixed calendar of demo data: it never depends on today, and no state changes before 2032."""

from datetime import date, timedelta, timezone

from models import people

CHINA = timezone(timedelta(hours=8))

ANCHOR = date(2026, 11, 1)
"""The day as of which statuses are told."""

RECENTLY = date(2026, 4, 1)
"""Open claims were reported since then."""

LAST_START = date(2026, 6, 30)
LAST_END = date(2026, 9, 15)
LAST_CLOSED_REPORT = date(2026, 9, 20)
LAST_REPORT = date(2026, 10, 28)
LAST_GRANT = date(2026, 10, 20)

FAR = date(2032, 3, 1)
"""Whatever still runs expires between here and VERY_FAR, or never."""

VERY_FAR = date(2045, 12, 31)

ADULTS_BORN_UNTIL = date(2006, 10, 31)
CHILDREN_BORN_FROM = date(2014, 6, 1)
"""Children are under age until 2032; nobody comes of age in between."""

CHILDREN_BORN_UNTIL = date(2026, 3, 31)
MAJORITY = 18


def years_later(day: date, years: int) -> date:
    """The same day another year; 29 February becomes 28."""
    return day.replace(year=day.year + years, day=min(day.day, 28))


def age(born: date, *, on: date = ANCHOR) -> int:
    """Completed years of life on that day."""
    return people.age(born, on)
