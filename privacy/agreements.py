"""Longer periods that a person agrees to (C27, third criterion): only ever longer, and ended by whoever agreed.

One stands for each class: a longer one takes its place. What was agreed stays on record with its end (C68).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from models.retention import AgreementKind
from models.vocabulary import Retention
from privacy.bundles import SCHEDULED, Bundle
from privacy.retention_facts import decide
from privacy.working_days import shanghai_day

LONGEST = timedelta(days=30 * 365)
"""From the day on which it is agreed."""
MOST = 100
"""Agreements of one person: each stays on record."""

_COLUMNS = "id, person_id, retention, until, recorded_at, ended_at"
_CONSENTED = f"kind = '{AgreementKind.CONSENTED.value}'"
_COUNT = f"SELECT count(*) FROM retention_agreement WHERE person_id = $1 AND {_CONSENTED}"  # noqa: S608 - our own names
_ORDERED = "SELECT EXISTS (SELECT FROM erasure_order WHERE person_id = $1 AND $2 = ANY(classes))"
_REPLACE = f"""
UPDATE retention_agreement SET ended_at = $3
WHERE person_id = $1 AND retention = $2 AND {_CONSENTED} AND ended_at IS NULL
"""  # noqa: S608 - our own names
_ADD = f"""
INSERT INTO retention_agreement (id, person_id, retention, kind, until, recorded_at, recorded_by)
VALUES ($1, $2, $3, '{AgreementKind.CONSENTED.value}', $4, $5, $6) RETURNING {_COLUMNS}
"""  # noqa: S608 - our own names
_PERSON = f"SELECT person_id FROM retention_agreement WHERE id = $1 AND {_CONSENTED}"  # noqa: S608 - our own names
_END = f"""
UPDATE retention_agreement SET ended_at = $2 WHERE id = $1 AND {_CONSENTED} AND ended_at IS NULL RETURNING {_COLUMNS}
"""  # noqa: S608 - our own names
_STANDING = f"""
SELECT {_COLUMNS} FROM retention_agreement WHERE person_id = $1 AND {_CONSENTED} AND ended_at IS NULL
ORDER BY recorded_at, id
"""  # noqa: S608 - our own names


class AgreementRefusal(StrEnum):
    """Why nothing was agreed to."""

    RETENTION_NOT_LONGER = "RETENTION_NOT_LONGER"
    CHOICE_CEILING = "CHOICE_CEILING"
    AGREEMENT_UNKNOWN = "AGREEMENT_UNKNOWN"

    @property
    def message(self) -> str:
        """What to do."""
        return _MESSAGES[self]


_MESSAGES = {
    AgreementRefusal.RETENTION_NOT_LONGER: (
        "Name a class of data that is kept and not ordered to be erased, and a day that is later than `retentionOf`"
        " tells, within thirty years."
    ),
    AgreementRefusal.CHOICE_CEILING: "So much was agreed to already that no more is taken. Ask the privacy officer.",
    AgreementRefusal.AGREEMENT_UNKNOWN: "There is no such agreement that stands. Take its id from `retentionOf`.",
}


@dataclass(frozen=True, slots=True)
class Agreement:
    """One class of a person's data, kept until a day because they agree."""

    id: UUID
    person: UUID
    retention: Retention
    until: date
    agreed_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Agreement":
        """The agreement in a row of the table."""
        return cls(
            row["id"],
            row["person_id"],
            Retention(row["retention"]),
            row["until"],
            row["recorded_at"],
            row["ended_at"],
        )


async def agree(  # noqa: PLR0913 - who agrees to what
    connection: Any,  # noqa: ANN401 - asyncpg's connection or proxy
    person: UUID,
    retention: Retention,
    until: date,
    *,
    by: UUID,
    bundle: Bundle,
    now: datetime,
) -> Agreement | AgreementRefusal:
    """Keep a class until a later day than anything else does. The person's row is locked. Raises database errors."""
    if await connection.fetchval(_COUNT, person) >= MOST:
        return AgreementRefusal.CHOICE_CEILING
    if not await _longer(connection, person, retention, until, bundle=bundle, now=now):
        return AgreementRefusal.RETENTION_NOT_LONGER
    await connection.execute(_REPLACE, person, int(retention), now)
    return Agreement.of(await connection.fetchrow(_ADD, uuid4(), person, int(retention), until, now, by))


async def _longer(  # noqa: PLR0913 - as above
    connection: Any,  # noqa: ANN401 - as above
    person: UUID,
    retention: Retention,
    until: date,
    *,
    bundle: Bundle,
    now: datetime,
) -> bool:
    """Would it lengthen anything? What an order is to erase is no longer the person's to lengthen."""
    today = shanghai_day(now)
    told = (await decide(connection, [person], bundle, now))[person].explained.get(retention)
    if retention not in SCHEDULED or told is None or not today < until <= today + LONGEST:
        return False
    # Where nobody knows when it ends, any day may turn out to be the later one.
    later = told.until is None or until > told.until
    return later and not await connection.fetchval(_ORDERED, person, int(retention))


async def person_of(connection: Any, agreement: UUID | None) -> UUID | None:  # noqa: ANN401 - as above
    """Who agreed, or whose guardian did; None where there is no such agreement."""
    found: UUID | None = await connection.fetchval(_PERSON, agreement)
    return found


async def end(connection: Any, agreement: UUID, *, now: datetime) -> Agreement | None:  # noqa: ANN401 - as above
    """End an agreement; None where none of that id stands. Raises the database's error."""
    row = await connection.fetchrow(_END, agreement, now)
    return row and Agreement.of(row)


async def agreements(connection: Any, person: UUID) -> dict[Retention, Agreement]:  # noqa: ANN401 - as above
    """A person's that stand, by class. Raises the database's error."""
    return {found.retention: found for found in map(Agreement.of, await connection.fetch(_STANDING, person))}
