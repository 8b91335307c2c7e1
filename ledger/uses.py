"""Uses: when each coordinate was last shown to a role or a partner, for the access review (C56). Of no person.

Kept as the ledger is indexed, in one small table, so that a review is immediate and outlives the months it looks back
on. Customers and guardians are not in it: what they may see is their right, and nobody reviews it.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from ledger.bodies import SHOWN, Said
from models.reviews import HolderKind
from models.vocabulary import PARTNER_ROLES, STAFF_ROLES, Purpose

_COORDINATE = re.compile(r"[A-Za-z]{1,60}\.[A-Za-z]{1,60}")
# Reviews speak of days: a row that every second touches would be written each time for nothing.
_NOTE = """
INSERT INTO ledger_use (holder_kind, holder, purpose, coordinate, last_used)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
ON CONFLICT (holder_kind, holder, purpose, coordinate) DO UPDATE SET last_used = excluded.last_used
WHERE ledger_use.last_used < excluded.last_used - interval '1 hour'
"""

Use = tuple[str, str, str, str]
"""Kind of holder, holder, purpose, coordinate."""


async def note_uses(connection: Any, rows: Iterable[tuple[int, datetime, Said]]) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Note what rows of the ledger, each with its leaf and time, say was shown, to the hour; in one statement or none.

    In the connection's transaction, as the owner. The same rows again change nothing. Raises the database's error.
    """
    last: dict[Use, datetime] = {}
    for _, at, said in rows:
        for use in _uses(said):
            last[use] = max(at, last.get(use, at))
    if last:
        # In one order, lest two that note at once wait for each other.
        uses = sorted(last)
        columns = [list(column) for column in zip(*uses, strict=True)]
        await connection.execute(_NOTE, *columns, [last[one] for one in uses])


def _uses(said: Said) -> Iterator[Use]:
    holder = _holder(said)
    if holder is None or not said.left or said.purpose not in set(Purpose):
        return
    for entry in said.entries:
        for coordinate in entry.coordinates if entry.effect in SHOWN else ():
            if _COORDINATE.fullmatch(coordinate):
                yield (*holder, str(said.purpose), coordinate)


def _holder(said: Said) -> tuple[str, str] | None:
    """Kind and name of whoever holds what a row used; None where nobody's grant was used."""
    if said.role in PARTNER_ROLES:
        return (HolderKind.ORGANIZATION.value, str(said.organization)) if said.organization else None
    return (HolderKind.ROLE.value, said.role) if said.role in STAFF_ROLES else None
