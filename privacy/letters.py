"""Letters to those whom an incident befell: what happened, what of theirs it concerns, and what they can do (C63).

A letter is shown in the API to its person, and to their guardian; of whom has no account there is a list for the post.
What is found out later about somebody is told in another letter: one that was written stays as it is.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from authz.catalogue import Catalogue
from models.vocabulary import Category
from privacy.letter_words import Said

MOST = 200
"""Letters in one list."""

_WRITE = """
INSERT INTO incident_letter (id, person_id, revealed, masked, changed, first, last, written_at)
SELECT gen_random_uuid(), p.id, p.revealed, p.masked, p.changed, p.first, p.last, $2 FROM incident_person p
LEFT JOIN LATERAL (
  SELECT l.id, l.revealed, l.masked, l.changed FROM incident_letter l WHERE l.person_id = p.id
  ORDER BY l.written_at DESC, l.id LIMIT 1
) l ON TRUE
WHERE p.incident_id = $1
  AND (l.id IS NULL OR NOT (p.revealed <@ l.revealed AND p.masked <@ l.masked AND p.changed <@ l.changed))
"""
_COLUMNS = """
l.id, i.id AS incident, r.person_id, l.revealed, l.masked, l.changed, l.first, l.last, l.written_at, l.acknowledged_at,
i.facts, i.impact, i.measures, i.advice
"""
_FROM = "incident_letter l JOIN incident_person p ON p.id = l.person_id JOIN incident i ON i.id = p.incident_id"
_OF_PEOPLE = f"""
SELECT {_COLUMNS} FROM {_FROM} JOIN person_reference r ON r.reference = p.reference
WHERE r.person_id = ANY($1::uuid[]) AND NOT i.drill ORDER BY l.written_at DESC, l.id LIMIT $2
"""  # noqa: S608 - our own names
_ACKNOWLEDGE = """
UPDATE incident_letter l SET acknowledged_at = $3, acknowledged_by = $4
FROM incident_person p JOIN incident i ON i.id = p.incident_id
JOIN person_reference r ON r.reference = p.reference
WHERE l.id = $1 AND p.id = l.person_id AND r.person_id = $2 AND NOT i.drill AND l.acknowledged_at IS NULL
"""
_WHOSE = f"""
SELECT r.person_id, l.acknowledged_at FROM {_FROM} JOIN person_reference r ON r.reference = p.reference
WHERE l.id = $1 AND NOT i.drill
"""  # noqa: S608 - as above
_RELAY = f"""
SELECT {_COLUMNS}, p.stand_in, p.reference FROM {_FROM} LEFT JOIN person_reference r ON r.reference = p.reference
WHERE p.incident_id = $1 AND (p.stand_in IS NOT NULL OR r.person_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM account a WHERE a.person_id = r.person_id))
ORDER BY p.reference NULLS LAST, p.stand_in, l.written_at LIMIT $2
"""  # noqa: S608 - as above
_SUMMARY = f"""
SELECT count(*) AS letters, count(l.acknowledged_at) AS acknowledged,
  count(*) FILTER (WHERE a.id IS NOT NULL) AS shown,
  count(*) FILTER (WHERE p.stand_in IS NOT NULL OR r.person_id IS NOT NULL AND a.id IS NULL) AS relayed,
  count(*) FILTER (WHERE p.reference IS NOT NULL AND r.person_id IS NULL) AS unknown
FROM {_FROM} LEFT JOIN person_reference r ON r.reference = p.reference
LEFT JOIN account a ON a.person_id = r.person_id WHERE p.incident_id = $1
"""  # noqa: S608 - as above


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter; `person` is null for who is no user, whom `stand_in` stands for."""

    id: UUID
    incident: UUID
    person: UUID | None
    stand_in: str | None
    written_at: datetime
    acknowledged_at: datetime | None
    said: Said


async def write_letters(connection: Any, incident: UUID, *, now: datetime) -> None:  # noqa: ANN401 - asyncpg's
    """Write one to each person who has none yet, or of whom more is known. Raises the database's error."""
    await connection.execute(_WRITE, incident, now)


async def letters_of(connection: Any, people: Collection[UUID], catalogue: Catalogue) -> list[Letter]:  # noqa: ANN401
    """Letters of some people, the latest first; none of a drill."""
    return [_letter(row, catalogue) for row in await connection.fetch(_OF_PEOPLE, list(people), MOST)]


async def person_of(connection: Any, letter: UUID) -> UUID | None:  # noqa: ANN401
    """Whose letter it is; None where there is none that is anybody's."""
    found: UUID | None = await connection.fetchval(_WHOSE, letter)
    return found


async def acknowledge(connection: Any, letter: UUID, person: UUID, *, by: str, now: datetime) -> datetime:  # noqa: ANN401
    """Note that a letter was read, and since when that is known: the first time counts."""
    await connection.execute(_ACKNOWLEDGE, letter, person, now, by)
    row = await connection.fetchrow(_WHOSE, letter)
    at: datetime = row["acknowledged_at"]
    return at


async def to_relay(connection: Any, incident: UUID, catalogue: Catalogue, *, most: int) -> list[Letter]:  # noqa: ANN401
    """Letters of those who have no account, for the post; who is erased is not among them."""
    return [_letter(row, catalogue) for row in await connection.fetch(_RELAY, incident, most)]


async def summary(connection: Any, incident: UUID) -> dict[str, int]:  # noqa: ANN401
    """How many letters there are: shown in the API, for the post, acknowledged, and of nobody any more."""
    return dict(await connection.fetchrow(_SUMMARY, incident))


def _letter(row: Any, catalogue: Catalogue) -> Letter:  # noqa: ANN401 - asyncpg's row
    names = {*row["revealed"], *row["masked"]}
    revealed = categories_of(row["revealed"], catalogue)
    said = Said(
        *(row["facts"], row["impact"], row["measures"], row["advice"], row["first"], row["last"]),
        revealed,
        tuple(one for one in categories_of(row["masked"], catalogue) if one not in revealed),
        other=any(name not in catalogue for name in names),
        changed=bool(row["changed"]),
    )
    stand_in = row.get("stand_in")
    return Letter(
        row["id"], row["incident"], row["person_id"], stand_in, row["written_at"], row["acknowledged_at"], said
    )


def categories_of(names: Iterable[str], catalogue: Catalogue) -> tuple[Category, ...]:
    """The categories of some coordinates, in the vocabulary's order."""
    found = {catalogue[name].category for name in names if name in catalogue}
    return tuple(one for one in Category if one in found)
