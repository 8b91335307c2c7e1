"""The month's release of statistics, made once and told to everybody; and who has asked how much of it (C40)."""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from models.claims import ClaimStatus
from models.installation import InstallationError
from models.policies import PolicyStatus
from models.statistics import Counts, Dimension
from privacy.jobs import Job, Turn
from privacy.statistics import (
    LEAST,
    LEAST_OF_ALL,
    MOST_OF_A_PERSON,
    PUBLISHED,
    Group,
    Protection,
    Table,
    number_of,
    picked,
    quarters,
    question_text,
)
from vault.keyring import Keyring

Fetch = Callable[..., Any]
SHANGHAI = ZoneInfo("Asia/Shanghai")
QUESTIONS = 200
"""Distinct questions that one organization is answered in a month."""
_DIGITS, _SALT_BYTES = 5, 16
BROKERAGE = UUID(int=0)
"""Who pays for what the brokerage's own analysts ask, all together."""

_COLUMNS = {
    Dimension.INSURER: "insurer",
    Dimension.PRODUCT: "product",
    Dimension.STATUS: "status",
    Dimension.QUARTER: "quarter",
}
_POLICIES = f"""
SELECT p.id, p.holder_id, p.insured_id, p.holder_id AS person, p.insurer_id, p.product_id, p.status,
  p.starts_on AS day FROM policy p WHERE p.status <> '{PolicyStatus.DRAFT}'
"""  # noqa: S608 - our own words, here and below
_CLAIMS = f"""
SELECT c.id, c.holder_id, c.insured_id, c.insured_id AS person, c.insurer_id, p.product_id, c.status,
  (c.reported_at AT TIME ZONE 'Asia/Shanghai')::date AS day FROM claim c JOIN policy p ON p.id = c.policy_id
WHERE c.status <> '{ClaimStatus.DRAFT}'
"""  # noqa: S608
_ROWS = {Counts.POLICIES: _POLICIES, Counts.CLAIMS: _CLAIMS}
_SETS = ", ".join(f"({', '.join(_COLUMNS[one] for one in table)})" for table in PUBLISHED)
# Each person counts a few times and no more, by the rows with the least ids: as good as drawn, and the same each month.
# `held` and `insured` number them; a day outside the quarters told of has none.
_COUNTED = f"""
WITH placed AS (
  SELECT r.*, row_number() OVER (PARTITION BY holder_id ORDER BY id) AS held,
    row_number() OVER (PARTITION BY insured_id ORDER BY id) AS insured FROM ({{rows}}) r
), bounded AS (
  SELECT o.code AS insurer, d.code AS product, b.status, to_char(day, 'YYYY"Q"Q') AS quarter,
    holder_id, insured_id, person
  FROM placed b JOIN organization o ON o.id = b.insurer_id JOIN product d ON d.id = b.product_id
  WHERE held <= {MOST_OF_A_PERSON} AND insured <= {MOST_OF_A_PERSON}
)
SELECT insurer, product, status, quarter, grouping(insurer, product, status, quarter) AS apart,
  count(*) AS number, count(DISTINCT person) AS persons,
  least(count(DISTINCT holder_id), count(DISTINCT insured_id)) AS fewest
FROM bounded GROUP BY GROUPING SETS ({_SETS})
HAVING grouping(quarter) = 1 OR quarter = ANY($1::text[])
"""  # noqa: S608
_TABLES = {
    sum(0 if one in table else 1 << 3 - place for place, one in enumerate(_COLUMNS)): table for table in PUBLISHED
}
"""By what `grouping` gives for it: a bit for each column that rows are not told apart by."""
# In one statement: a release is there with every figure, or not at all; of two that make it at once one counts.
_STORE = """
WITH made AS (
  INSERT INTO statistics_release (month, made_at, least, spread, salt) VALUES ($1, $2, $3, $4, $10)
  ON CONFLICT DO NOTHING RETURNING month
)
INSERT INTO statistics_figure (month, counts, dimensions, cell, number, persons)
SELECT made.month, f.counts, f.dimensions, string_to_array(f.cell, E'\\x1f'), f.number, f.persons FROM made,
  unnest($5::text[], $6::text[], $7::text[], $8::int[], $9::int[]) f (counts, dimensions, cell, number, persons)
"""
_FIND = "SELECT month, made_at, least, spread FROM statistics_release WHERE month = $1"
_SALTS = "SELECT month, salt FROM statistics_release"
_FIGURES = """
SELECT cell, number, persons FROM statistics_figure WHERE month = $1 AND counts = $2 AND dimensions = $3 ORDER BY cell
"""
# A question that was answered is free; of new ones, the budget's one row lets no more through than it has.
_ASK = """
WITH known AS (
  SELECT FROM statistics_question WHERE payer = $1 AND month = $2 AND question = $3
), counted AS (
  INSERT INTO statistics_budget AS b (payer, month, asked)
  SELECT $1, $2, 1 WHERE NOT EXISTS (SELECT FROM known) AND $5::int > 0
  ON CONFLICT (payer, month) DO UPDATE SET asked = b.asked + 1 WHERE b.asked < $5::int RETURNING asked
), noted AS (
  INSERT INTO statistics_question (payer, month, question, asked_at)
  SELECT $1, $2, $3, $4 FROM counted ON CONFLICT DO NOTHING
)
SELECT EXISTS (SELECT FROM known) OR EXISTS (SELECT FROM counted) AS answered,
  coalesce((SELECT asked FROM counted),
    (SELECT asked FROM statistics_budget WHERE payer = $1 AND month = $2), 0) AS asked
"""


@dataclass(frozen=True, slots=True)
class StatisticsSettings:
    """What an operator may set: the least group, and the questions of a month."""

    least: int = LEAST
    questions: int = QUESTIONS


USUAL = StatisticsSettings()


def read_statistics(environ: Mapping[str, str]) -> StatisticsSettings:
    """The settings of an environment. Raises InstallationError for a value that cannot be."""
    return StatisticsSettings(
        _number(environ, "NEEDFUL_STATISTICS_LEAST", LEAST, range(LEAST_OF_ALL, 10_001)),
        _number(environ, "NEEDFUL_STATISTICS_QUESTIONS", QUESTIONS, range(10_001)),
    )


def _number(environ: Mapping[str, str], name: str, usual: int, allowed: range) -> int:
    text = environ.get(name, str(usual))
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS and int(text) in allowed):
        message = f"{name} must be a number from {allowed[0]} to {allowed[-1]}."
        raise InstallationError(message)
    return int(text)


@dataclass(frozen=True, slots=True)
class Release:
    """A month's release: when it was counted, the least group, and the standard deviation of its noise."""

    month: date
    made_at: datetime
    least: int
    spread: float

    @property
    def next(self) -> date:
        """When the next one is made."""
        return (
            self.month.replace(year=self.month.year + 1, month=1)
            if self.month.month == 12  # noqa: PLR2004 - December
            else self.month.replace(month=self.month.month + 1)
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """Was a question answered, or is the budget spent? And how many were this month."""

    answered: bool
    asked: int


def month_of(now: datetime) -> date:
    """The month, by its first day, of a moment in Shanghai."""
    return now.astimezone(SHANGHAI).date().replace(day=1)


async def release(fetch: Fetch, keyring: Keyring, *, least: int, now: datetime) -> Release:
    """This month's release, made now if nobody has. Raises the database's error."""
    month = month_of(now)
    found = await fetch(_FIND, month)
    if not found:
        salts = {number_of(row["month"]): row["salt"] for row in await fetch(_SALTS)}
        salts[number_of(month)] = secrets.token_bytes(_SALT_BYTES)
        await _make(fetch, Protection(keyring.blind["statistics"], month, least, salts), now)
        found = await fetch(_FIND, month)
    return Release(**found[0])


async def _make(fetch: Fetch, protection: Protection, now: datetime) -> None:
    groups = [one for counts in Counts for one in await counted(fetch, counts, protection.month)]
    figures = list(protection.figures(groups))
    columns = (
        [one.counts.value for one in figures],
        ["+".join(one.table) for one in figures],
        ["\x1f".join(one.cell) for one in figures],
        [one.number for one in figures],
        [one.persons for one in figures],
    )
    salt = protection.salts[number_of(protection.month)]
    await fetch(_STORE, protection.month, now, protection.least, protection.spread, *columns, salt)


async def counted(fetch: Fetch, counts: Counts, month: date) -> list[Group]:
    """Every group of every table as it is: for `Protection.figures`, and nobody else."""
    rows = await fetch(_COUNTED.format(rows=_ROWS[counts]), list(quarters(month)))
    return [_group(counts, _TABLES[row["apart"]], row) for row in rows]


def _group(counts: Counts, table: Table, row: Any) -> Group:  # noqa: ANN401 - asyncpg's record
    cell = tuple(row[_COLUMNS[one]] for one in table)
    return Group(counts, table, cell, row["number"], row["persons"], row["fewest"])


async def figures(
    fetch: Fetch, found: Release, counts: Counts, table: Table, given: Mapping[Dimension, str]
) -> Sequence[Any]:
    """The figures of a release that answer a question: cell, number, persons."""
    rows = await fetch(_FIGURES, found.month, counts.value, "+".join(table))
    return [rows[at] for at in picked(table, [row["cell"] for row in rows], given)]


async def ask(  # noqa: PLR0913 - what a question is
    fetch: Fetch,
    payer: UUID,
    month: date,
    question: tuple[Counts, Table, Mapping[Dimension, str]],
    *,
    most: int,
    now: datetime,
) -> Asked:
    """Count a question, if it has not been answered to this payer this month. Raises the database's error."""
    (row,) = await fetch(_ASK, payer, month, question_text(*question), now, most)
    return Asked(row["answered"], row["asked"])


async def make_release(turn: Turn) -> Mapping[str, int]:
    """The job: make this month's release, if nobody has asked for it yet. Raises InstallationError, as settings do."""
    before = await turn.connection.fetch(_FIND, month_of(turn.now))
    if not before:
        least = read_statistics(os.environ).least
        await release(turn.connection.fetch, turn.keyring, least=least, now=turn.now)
    return {"releases": int(not before)}


RELEASE = Job("statistics-release", "5 0 1 * *", make_release)
