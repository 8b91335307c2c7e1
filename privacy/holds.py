"""Legal holds: while one stands, nothing of what it covers is erased, whoever asks (C28)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from models.vocabulary import Retention

LONGEST = 120
"""Characters of a reference."""

_COLUMNS = "h.id, h.person_id, h.classes, h.reference, h.placed_at, h.placed_by, h.until, h.lifted_at"
_OF_PERSON = f"SELECT {_COLUMNS} FROM legal_hold h WHERE h.person_id = $1 AND h.lifted_at IS NULL ORDER BY h.placed_at"  # noqa: S608 - our own text
_LISTED = f"""
SELECT {_COLUMNS} FROM legal_hold h WHERE $1 OR h.lifted_at IS NULL ORDER BY h.placed_at, h.id LIMIT $2
"""  # noqa: S608 - our own names
_PERSON = "SELECT EXISTS (SELECT FROM person WHERE id = $1)"
_PLACE = """
INSERT INTO legal_hold (id, person_id, classes, reference, placed_at, placed_by, until)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_LIFT = f"""
UPDATE legal_hold h SET lifted_at = $2, lifted_by = $3 WHERE h.id = $1 AND h.lifted_at IS NULL RETURNING {_COLUMNS}
"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold on classes of one person's data, by the file it is for; `until`: the last day, or until it is lifted."""

    id: UUID
    person: UUID
    classes: frozenset[Retention]
    reference: str
    placed_at: datetime
    placed_by: str
    until: date | None
    lifted_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Hold":
        """The hold in a row of the table."""
        kept = row["reference"], row["placed_at"], row["placed_by"], row["until"], row["lifted_at"]
        return cls(row["id"], row["person_id"], frozenset(map(Retention, row["classes"])), *kept)

    def stands(self, day: date) -> bool:
        """Does it hold on a day (Shanghai)?"""
        return self.lifted_at is None and (self.until is None or day <= self.until)


async def holds_on(connection: Any, person: UUID) -> list[Hold]:  # noqa: ANN401 - asyncpg's connection or proxy
    """A person's holds that are not lifted, also those past their last day. Raises the database's error."""
    return [Hold.of(row) for row in await connection.fetch(_OF_PERSON, person)]


async def all_holds(connection: Any, *, lifted: bool, most: int) -> list[Hold]:  # noqa: ANN401 - as above
    """Holds on anybody, the first placed before all; with `lifted` also those that were."""
    return [Hold.of(row) for row in await connection.fetch(_LISTED, lifted, most)]


async def place(  # noqa: PLR0913 - what a hold says
    connection: Any,  # noqa: ANN401 - as above
    person: UUID,
    classes: frozenset[Retention],
    *,
    reference: str,
    until: date | None,
    by: str,
    now: datetime,
) -> Hold | None:
    """Hold classes of a person's data for a file (`privacy.records.filed_under`); None where there is no such person.

    Raises the database's error.
    """
    if not await connection.fetchval(_PERSON, person):
        return None
    hold = Hold(uuid4(), person, classes, reference, now, by, until, None)
    await connection.execute(_PLACE, hold.id, person, sorted(map(int, classes)), reference, now, by, until)
    return hold


async def lift(connection: Any, hold: UUID, *, by: str, now: datetime) -> Hold | None:  # noqa: ANN401 - as above
    """Lift a hold; None where there is none of that id that stands. Raises the database's error."""
    row = await connection.fetchrow(_LIFT, hold, now, by)
    return row and Hold.of(row)
