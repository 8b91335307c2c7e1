"""A guardian's wards: children of verified links who are under age today (C71, C73)."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from models.people import age
from models.vocabulary import Retention
from resolvers.disclosure import open_texts
from resolvers.times import SHANGHAI
from vault.sealing import KeyCache, column_label

_LABEL = column_label("person", "birth_date_sealed")
_SQL = """
SELECT p.id, p.birth_date_sealed, k.wrapped
FROM guardian_link g JOIN person p ON p.id = g.child_id
LEFT JOIN data_key k ON k.person_id = p.id AND k.retention = $2
WHERE g.guardian_id = $1 AND g.verified_at IS NOT NULL AND g.revoked_at IS NULL
"""


async def wards_of(
    connection: Any,  # noqa: ANN401 - asyncpg
    guardian: UUID,
    *,
    keys: KeyCache,
    now: datetime,
    age_of_majority: int,
) -> list[UUID]:
    """The children, under age at `now`, whom a guardian acts for. One of unknown birth date is not among them."""
    rows = await connection.fetch(_SQL, guardian, int(Retention.ACCOUNT))
    births = open_texts(
        [row[1] for row in rows],
        [keys.find(row[2], person_id=row[0], retention=Retention.ACCOUNT) for row in rows],
        [row[0].bytes for row in rows],
        label=_LABEL,
    )
    today = now.astimezone(SHANGHAI).date()
    return [
        row[0] for row, birth in zip(rows, births, strict=True) if birth and is_minor(birth, today, age_of_majority)
    ]


def is_minor(birth: str, today: date, age_of_majority: int) -> bool:
    """Is somebody born on this day under age today? The birthday itself is the first day of age."""
    return age(date.fromisoformat(birth), today) < age_of_majority
