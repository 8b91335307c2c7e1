"""The command `calendar show|import`: which days are worked, and a year's notice read by hand (C65, C70, C80)."""

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from authz.commands import Call, Done, OperatorRefusedError, add_command, listed, told
from privacy.bundles import bundle_of
from privacy.calendars import CalendarError, Year, keep_imported, parse_year
from privacy.rights_dates import recount

_LARGEST = 100_000
_YEARS = """
SELECT y.year, y.source, y.recorded_at, count(d.day) FILTER (WHERE NOT d.working) AS off,
  count(d.day) FILTER (WHERE d.working) AS worked
FROM calendar_year y LEFT JOIN calendar_day d ON d.year = y.year GROUP BY y.year ORDER BY y.year DESC
"""
_DAYS = "SELECT day, working FROM calendar_day WHERE year = $1 ORDER BY day"


def accept_calendar(parser: argparse.ArgumentParser) -> None:
    """Declare `calendar`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    option = add_command(commands, "show", _show, "the years that are announced, or the days of one")
    option("year", type=int, nargs="?", metavar="YEAR")
    option = add_command(
        commands, "import", _import, "read a year from a CSV of `day,working`; open due dates follow", stepwise=True
    )
    option("file", type=Path, metavar="FILE")


async def _show(call: Call) -> Done:
    year = call.arguments.year
    if year is not None:
        return listed([{"day": str(row["day"]), "working": row["working"]} for row in await _days(call, year)])
    return listed([_year(row) for row in await call.connection.fetch(_YEARS)])


async def _days(call: Call, year: int) -> Iterable[Any]:
    found: list[Any] = await call.connection.fetch(_DAYS, year)
    if not found:
        message = f"Nothing is announced of {year}: `calendar show` lists the years that are."
        raise OperatorRefusedError(message)
    return found


async def _import(call: Call) -> Done:
    year = _read(call.arguments.file)
    changed = await keep_imported(call.connection, year, now=call.now)
    moved = await recount(call.connection, bundle_of(os.environ).deadlines, now=call.now)
    said = {"year": year.year, "days": len(year.moved), "changed": changed}
    return told({**said, "requests_moved": moved.requests, "orders_moved": moved.orders}, year=year.year)


def _read(path: Path) -> Year:
    try:
        # A year's lines are much shorter; of what is longer the end is wrong in any case.
        with path.open("rb") as file:
            return parse_year(file.read(_LARGEST).decode("utf-8-sig").splitlines())
    except OSError as fault:
        message = f"The file cannot be read ({fault.strerror})."
        raise OperatorRefusedError(message) from None
    except UnicodeDecodeError:
        message = "The file is no CSV in UTF-8."
        raise OperatorRefusedError(message) from None
    except CalendarError as refused:
        raise OperatorRefusedError(str(refused)) from None


def _year(row: Any) -> dict[str, Any]:  # noqa: ANN401 - asyncpg's row
    return {
        "year": row["year"],
        "off": row["off"],
        "worked": row["worked"],
        "source": row["source"],
        "recorded": row["recorded_at"].isoformat(timespec="seconds"),
    }
