"""What the law wants kept of who somebody was, once their account is erased: apart, under a key of its own (C28).

Name, kind and number of the document and phone stand as one sealed document; nothing that answers requests reads it.
It opens for a privacy officer under an approved disclosure case that covers the person, and ends with the duty.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from models.vocabulary import Retention
from privacy.records import open_value
from privacy.tombstones import Tombstone
from vault.keyring import Keyring
from vault.sealing import SealedValueError, column_label, new_data_key, open_column, seal, unwrap

LAW = "Insurance Law, article 87"
ITEMS = ("name", "id_number", "phone")
"""Of a person, beside the kind of document."""
_LABEL = column_label("restricted_record", "sealed")
_READ = f"""
SELECT p.id, p.id_type, k.wrapped, {", ".join(f"p.{one}_sealed" for one in ITEMS)} FROM person p
JOIN data_key k ON k.person_id = p.id AND k.retention = {int(Retention.ACCOUNT)} AND k.wrapped IS NOT NULL
WHERE p.id = ANY($1::uuid[])
"""  # noqa: S608 - our own names
_KEY = """
INSERT INTO data_key (person_id, retention, wrapped) SELECT p, $3, w FROM unnest($1::uuid[], $2::bytea[]) n (p, w)
ON CONFLICT (person_id, retention) DO UPDATE SET wrapped = excluded.wrapped
"""
_KEEP = """
INSERT INTO restricted_record (person_id, law, until, made_at, sealed)
SELECT p, $5, u, m, s FROM unnest($1::uuid[], $2::date[], $3::timestamptz[], $4::bytea[]) n (p, u, m, s)
ON CONFLICT (person_id) DO UPDATE SET until = excluded.until, made_at = excluded.made_at, sealed = excluded.sealed
"""
_COVERED = """
SELECT r.sealed, r.until, r.law, k.wrapped FROM restricted_record r
JOIN data_key k ON k.person_id = r.person_id AND k.retention = $3
WHERE r.person_id = $1 AND EXISTS (
  SELECT FROM disclosure_case d JOIN disclosure_person o ON o.case_id = d.id
  WHERE d.id = $2 AND o.person_id = $1 AND d.approved_at IS NOT NULL AND d.approved_at <= $4
  AND d.expires_at > $4 AND (d.closed_at IS NULL OR d.closed_at > $4))
"""


@dataclass(frozen=True, slots=True)
class Remainder:
    """One person's, sealed and ready to be kept."""

    person: UUID
    until: date
    at: datetime
    wrapped: bytes = field(repr=False)
    sealed: bytes = field(repr=False)


async def remainders_of(
    connection: Any,  # noqa: ANN401 - asyncpg's
    keyring: Keyring,
    stones: Sequence[Tombstone],
) -> tuple[list[Remainder], set[UUID]]:
    """What is to be kept of those whose account goes while a law keeps their records; nobody's who has no key left.

    And those of whom it cannot be opened, of whom nothing may be erased then. Raises the database's error.
    """
    wanted = {
        one.person: (one, one.keep_until) for one in stones if one.keep_until and Retention.ACCOUNT in one.classes
    }
    found, unreadable = [], set()
    for row in await connection.fetch(_READ, list(wanted)) if wanted else ():
        try:
            found.append(_sealed(keyring, row, *wanted[row["id"]]))
        except SealedValueError:
            unreadable.add(row["id"])
    return found, unreadable


async def keep(connection: Any, remainders: Sequence[Remainder]) -> None:  # noqa: ANN401 - asyncpg's
    """Store remainders, in the caller's transaction. Raises the database's error."""
    if remainders:
        people = [one.person for one in remainders]
        await connection.execute(_KEY, people, [one.wrapped for one in remainders], int(Retention.RESTRICTED))
        kept = ([one.until for one in remainders], [one.at for one in remainders], [one.sealed for one in remainders])
        await connection.execute(_KEEP, people, *kept, LAW)


async def opened(
    connection: Any,  # noqa: ANN401 - asyncpg's
    keyring: Keyring,
    person: UUID,
    case: UUID,
    *,
    now: datetime,
) -> dict[str, Any] | None:
    """What is kept of a person, for whom an approved case covers them; None without such a case, or such a remainder.

    Raises SealedValueError where it cannot be opened, and the database's errors.
    """
    row = await connection.fetchrow(_COVERED, person, case, int(Retention.RESTRICTED), now)
    if row is None or row["wrapped"] is None:
        return None
    key = unwrap(keyring, row["wrapped"], person_id=person, retention=Retention.RESTRICTED)
    told = open_column([row["sealed"]], [key], [person.bytes], label=_LABEL)[0] or "{}"
    return {**json.loads(told), "until": row["until"].isoformat(), "law": row["law"]}


def _sealed(keyring: Keyring, row: Any, stone: Tombstone, until: date) -> Remainder:  # noqa: ANN401 - asyncpg's
    items = {"id_type": row["id_type"]} | {
        one: open_value(
            keyring,
            row["wrapped"],
            row[f"{one}_sealed"],
            person=row["id"],
            row=row["id"],
            label=column_label("person", f"{one}_sealed"),
        )
        for one in ITEMS
    }
    key = new_data_key(keyring, stone.person, retention=Retention.RESTRICTED)
    text = json.dumps({name: value for name, value in items.items() if value is not None}, ensure_ascii=False)
    sealed = seal(key, text, label=_LABEL, row=stone.person.bytes)
    return Remainder(stone.person, until, stone.at, key.wrapped, sealed)
