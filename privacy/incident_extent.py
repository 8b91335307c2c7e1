"""Whom an incident befell, read from the ledger as far as it is sealed, and frozen with the incident (C63)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from authz.catalogue import Catalogue
from ledger.incidents import Affected, extent_of, leaf_beyond
from ledger.searches import Sought, pending
from models.vocabulary import Category
from privacy.letters import write_letters

PORTION = 20_000
"""Rows read in one transaction."""
_PORTIONS = 10
"""How many of them at once; the job reads the rest."""

_STATE = "SELECT read_to, letters_at, closed_at FROM incident WHERE id = $1 FOR UPDATE"
_INDEXED = "SELECT next FROM ledger_indexed"
_MERGE = """
INSERT INTO incident_person AS p (id, incident_id, reference, stand_in, revealed, masked, changed, first, last, times)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (incident_id, {0}) WHERE {0} IS NOT NULL DO UPDATE SET
  revealed = ARRAY(SELECT DISTINCT unnest(p.revealed || excluded.revealed) ORDER BY 1),
  masked = ARRAY(SELECT DISTINCT unnest(p.masked || excluded.masked) ORDER BY 1),
  changed = ARRAY(SELECT DISTINCT unnest(p.changed || excluded.changed) ORDER BY 1),
  first = least(p.first, excluded.first), last = greatest(p.last, excluded.last), times = p.times + excluded.times
"""
_ADVANCE = "UPDATE incident SET read_to = $2, rows_known = rows_known + $3 WHERE id = $1"
_COUNTS = """
SELECT count(*) AS total, count(*) FILTER (WHERE p.stand_in IS NOT NULL) AS stand_ins,
  count(*) FILTER (WHERE p.reference IS NOT NULL AND r.person_id IS NULL) AS unknown,
  count(*) FILTER (WHERE p.changed <> '{}') AS changed, min(p.first) AS first, max(p.last) AS last
FROM incident_person p LEFT JOIN person_reference r ON r.reference = p.reference WHERE p.incident_id = $1
"""
_CATEGORIES = """
SELECT k.category, count(DISTINCT p.id) FILTER (WHERE k.name = ANY(p.revealed)) AS revealed,
  count(DISTINCT p.id) FILTER (WHERE k.name = ANY(p.masked)) AS masked
FROM incident_person p JOIN unnest($2::text[], $3::text[]) k (name, category) ON k.name = ANY(p.revealed || p.masked)
WHERE p.incident_id = $1 GROUP BY k.category
"""
_PEOPLE = """
SELECT p.reference, p.stand_in, p.revealed, p.masked, p.changed, p.first, p.last, p.times
FROM incident_person p WHERE p.incident_id = $1 ORDER BY p.reference NULLS LAST, p.stand_in LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many an incident befell, and by category of how many something left; of nobody in particular."""

    total: int
    stand_ins: int
    """Beneficiaries, reporters and payees who are no users."""
    unknown: int
    """Whose reference is nobody's any more: they are erased."""
    changed: int
    first: datetime | None
    last: datetime | None
    revealed: Mapping[Category, int]
    masked: Mapping[Category, int]
    pending: int
    """Rows of the ledger that are not sealed yet, or not read for the incident."""


async def refresh_all(connection: Any, incident: UUID, sought: Sought, *, now: datetime) -> bool:  # noqa: ANN401
    """Read on for an incident, portion by portion; is everything read that is sealed? Raises the database's error.

    Each portion is a transaction of its own, or part of the connection's: read twice, a row still counts once.
    """
    for _ in range(_PORTIONS):
        if await refresh(connection, incident, sought, now=now):
            return True
    return False


async def refresh(connection: Any, incident: UUID, sought: Sought, *, now: datetime) -> bool:  # noqa: ANN401
    """Read one portion on; is everything read that is sealed? Whoever is found after the letters gets theirs now."""
    async with connection.transaction():
        state = await connection.fetchrow(_STATE, incident)
        end = await connection.fetchval(_INDEXED)
        if state is None or state["closed_at"] is not None or state["read_to"] >= end:
            return True
        span = {"first": state["read_to"], "before": end}
        leaf = await leaf_beyond(connection.fetch, sought, **span, rows=PORTION)
        extent = await extent_of(connection.fetch, sought, first=state["read_to"], before=leaf)
        for column in ("reference", "stand_in"):
            rows = [_row(incident, one) for one in extent.people if isinstance(one.who, int) is (column == "reference")]
            await connection.executemany(_MERGE.format(column), rows)
        await connection.execute(_ADVANCE, incident, leaf, extent.rows)
        if state["letters_at"] is not None:
            await write_letters(connection, incident, now=now)
    done: bool = leaf >= end
    return done


def _row(incident: UUID, one: Affected) -> tuple[object, ...]:
    known = isinstance(one.who, int)
    named = (one.who, None) if known else (None, one.who)
    left = (sorted(one.revealed), sorted(one.masked), sorted(one.changed))
    return (uuid4(), incident, *named, *left, one.first, one.last, one.times)


async def counts(connection: Any, incident: UUID, *, read_to: int, catalogue: Catalogue) -> Counts:  # noqa: ANN401
    """How many an incident befell so far."""
    row = await connection.fetchrow(_COUNTS, incident)
    names = [[one.name for one in catalogue.values()], [one.category.value for one in catalogue.values()]]
    by = {Category(one["category"]): one for one in await connection.fetch(_CATEGORIES, incident, *names)}
    waiting = await pending(connection.fetch) + max(0, await connection.fetchval(_INDEXED) - read_to)
    revealed, masked = (
        {one: by[one][kind] for one in Category if one in by and by[one][kind]} for kind in ("revealed", "masked")
    )
    return Counts(**row, revealed=revealed, masked=masked, pending=waiting)


async def people(connection: Any, incident: UUID, *, most: int) -> list[Any]:  # noqa: ANN401
    """Whom an incident befell, by reference, then those who are no users: what left of each, and how often."""
    found: list[Any] = await connection.fetch(_PEOPLE, incident, most)
    return found
