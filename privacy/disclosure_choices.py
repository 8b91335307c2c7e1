"""What persons chose: items to be made public in a manner, and who may take their data over (C42-C44).

A choice takes the place of the earlier one to the same; what was chosen stays on record with its end (C68).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from models.disclosures import PublicManner

Fetch = Callable[..., Any]

MOST = 500
"""Choices that one person makes: each stays on record."""

_END = """
UPDATE disclosure_choice SET withdrawn_at = $4, withdrawn_by = $5 WHERE person_id = $1 AND withdrawn_at IS NULL
AND manner IS NOT DISTINCT FROM $2 AND receiver_id IS NOT DISTINCT FROM $3
"""
_ADD = """
INSERT INTO disclosure_choice (id, person_id, manner, items, receiver_id, categories, chosen_by, chosen_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_COUNT = "SELECT count(*) FROM disclosure_choice WHERE person_id = $1"
_STANDING = """
SELECT ch.id, ch.person_id, ch.manner, ch.items, o.code AS receiver, ch.categories, ch.chosen_at
FROM disclosure_choice ch LEFT JOIN organization o ON o.id = ch.receiver_id
WHERE ch.person_id = ANY($1::uuid[]) AND ch.withdrawn_at IS NULL ORDER BY ch.chosen_at, ch.id
"""
_ASKS = """
SELECT EXISTS (SELECT FROM disclosure_case d JOIN disclosure_person dp ON dp.case_id = d.id
WHERE dp.person_id = $1 AND d.receiver_id = $2 AND d.closed_at IS NULL AND d.rejected_at IS NULL AND d.expires_at > $3)
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice that stands: items in a manner, or categories for a receiver, as stored sets."""

    id: UUID
    person: UUID
    manner: PublicManner | None
    items: int | None
    receiver: str | None
    categories: int | None
    chosen_at: datetime


async def choose_public(  # noqa: PLR0913 - who chooses what for whom
    connection: Any,  # noqa: ANN401 - asyncpg's connection
    person: UUID,
    manner: PublicManner,
    items: int,
    *,
    by: UUID,
    now: datetime,
) -> None:
    """What may be made public of a person in a manner from now on; no items: nothing. The person's row is locked."""
    await connection.execute(_END, person, manner.value, None, now, by)
    if items:
        await connection.execute(_ADD, uuid4(), person, manner.value, items, None, None, by, now)


async def agree(  # noqa: PLR0913 - as above
    connection: Any,  # noqa: ANN401 - as above
    person: UUID,
    receiver: UUID,
    categories: int,
    *,
    by: UUID,
    now: datetime,
) -> None:
    """Which categories an organization may take over; none: nothing. The person's row is locked."""
    await connection.execute(_END, person, None, receiver, now, by)
    if categories:
        await connection.execute(_ADD, uuid4(), person, None, None, receiver, categories, by, now)


async def asked_by(connection: Any, person: UUID, receiver: UUID, *, now: datetime) -> bool:  # noqa: ANN401 - as above
    """Does a case that runs or waits ask this person for this receiver? Agreement beforehand would mean nothing."""
    found: bool = await connection.fetchval(_ASKS, person, receiver, now)
    return found


async def too_many(connection: Any, person: UUID) -> bool:  # noqa: ANN401 - as above
    """Did this person choose so often that there is an end to it?"""
    count: int = await connection.fetchval(_COUNT, person)
    return count >= MOST


async def choices(fetch: Fetch, persons: list[UUID]) -> list[Choice]:
    """The choices that stand. Raises the database's error."""
    return [
        Choice(
            row["id"],
            UUID(bytes=row["person_id"].bytes),
            row["manner"] and PublicManner(row["manner"]),
            row["items"],
            row["receiver"],
            row["categories"],
            row["chosen_at"],
        )
        for row in await fetch(_STANDING, persons)
    ]
