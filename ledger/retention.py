"""How long the ledger keeps its rows: whole months are dropped, their leaves' hashes and the heads stay.

Records of processing are kept for three years at least (PIPL, Art. 56). A drop is a row of the ledger itself, which
names every row whose text is gone by then, so that no text can be taken away under that pretext.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg

from models.ledger import PARTITIONED

LEAST_MONTHS = 36
_SETTING = "NEEDFUL_LEDGER_MONTHS"
_MOST_MONTHS = 1_200
_MONTHS_A_YEAR = 12
_SEALED_WITHIN = timedelta(days=1)
"""So long after a month its last rows are sealed at the latest, for it to be dropped when it is old enough."""
_ATTEMPTS = 50
_PAUSE = 0.1

_UNSEALED = """
SELECT count(*) FROM ledger l WHERE l.at < $1 AND NOT EXISTS (
    SELECT FROM ledger_leaf f WHERE f.writer = l.writer AND f.sequence = l.sequence AND f.at = l.at)
"""
_RANGES = """
SELECT min(index) AS first, max(index) AS last FROM (
    SELECT index, index - row_number() OVER (ORDER BY index) AS island FROM ledger_leaf WHERE at < $1
) leaves GROUP BY island ORDER BY first
"""
_SEALED_LAST = """
SELECT at FROM ledger_head WHERE size > (SELECT max(index) FROM ledger_leaf WHERE at < $1) ORDER BY size LIMIT 1
"""
_PARTITIONS = r"""
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = $1::regclass AND c.relname ~ '_\d{4}_\d{2}$' AND right(c.relname, 7) < $2 ORDER BY c.relname
"""


class RetentionError(Exception):
    """Why nothing is dropped, in one sentence that says what to do."""


def least_months(environ: Mapping[str, str]) -> int:
    """For how many months every row is kept. Raises RetentionError for a setting that cannot be."""
    text = environ.get(_SETTING) or str(LEAST_MONTHS)
    if not (text.isdecimal() and len(text) <= len(str(_MOST_MONTHS)) and LEAST_MONTHS <= int(text) <= _MOST_MONTHS):
        message = f"{_SETTING} must be a number of months from {LEAST_MONTHS} (PIPL, Art. 56) to {_MOST_MONTHS}."
        raise RetentionError(message)
    return int(text)


def month_of(text: str) -> date:
    """The first day of a month such as 2026-11. Raises RetentionError."""
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        message = f"{text!r} is no month: write it as 2026-11."
        raise RetentionError(message) from None


def check_age(before: date, *, now: datetime, least: int) -> None:
    """Is every month before this one old enough? Raises RetentionError."""
    months = (now.year - before.year) * _MONTHS_A_YEAR + now.month - before.month
    if months < least:
        year, month = divmod(now.year * _MONTHS_A_YEAR + now.month - 1 - least, _MONTHS_A_YEAR)
        message = (
            f"Rows are kept for {least} months (PIPL, Art. 56; {_SETTING}): drop what is before"
            f" {year:04}-{month + 1:02} at most."
        )
        raise RetentionError(message)


async def ranges_before(connection: Any, before: date) -> list[list[int]]:  # noqa: ANN401 - asyncpg's own
    """The rows before a month, as ranges of leaves, first and last.

    Raises RetentionError where one is not sealed, or was so late that `ledger verify` would not accept its drop.
    """
    midnight = datetime(before.year, before.month, 1, tzinfo=UTC)
    if unsealed := await connection.fetchval(_UNSEALED, midnight):
        message = f"{unsealed} row(s) before {before:%Y-%m} are not sealed: see `ledger status`."
        raise RetentionError(message)
    late: datetime | None = await connection.fetchval(_SEALED_LAST, midnight)
    if late is not None and late >= midnight + _SEALED_WITHIN:
        message = (
            f"Rows before {before:%Y-%m} were sealed on {late:%Y-%m-%d} only: they can be dropped with that month."
        )
        raise RetentionError(message)
    return [[row["first"], row["last"]] for row in await connection.fetch(_RANGES, midnight)]


async def drop_before(connection: Any, before: date) -> list[str]:  # noqa: ANN401 - asyncpg's own
    """Drop the months before this one; the partitions dropped, by name. Raises RetentionError if others are in the way.

    The rows that answers are found by go with them; leaves, nodes and heads stay.
    """
    midnight = datetime(before.year, before.month, 1, tzinfo=UTC)
    dropped: list[str] = []
    for parent in PARTITIONED:
        for row in await connection.fetch(_PARTITIONS, parent, f"{before:%Y_%m}"):
            await _drop(connection, row["relname"])
            dropped.append(row["relname"])
        # Rows whose month never had a partition.
        await connection.execute(f"DELETE FROM {parent}_rest WHERE at < $1", midnight)  # noqa: S608 - names of ours
    return dropped


async def _drop(connection: Any, partition: str) -> None:  # noqa: ANN401
    """Drop one partition without holding up those who write to the others."""
    for _ in range(_ATTEMPTS):
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '100ms'")
                await connection.execute(f'DROP TABLE "{partition}"')
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(_PAUSE)
        else:
            return
    message = f"{partition} is in use all the time: run this again when less is going on."
    raise RetentionError(message)
