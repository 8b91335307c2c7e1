"""Ceasing operations: proposed by one officer, confirmed by another, and final from its day on (C30).

From then on nothing is collected, the announcement stands, and no function needs its data any more. Until then it can
be taken back; after that not even by the database's owner without taking its guard away first.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from models.formats import FormatError, free_text
from models.vocabulary import Role

OFFICERS = (Role.PRIVACY_OFFICER, Role.SECURITY_ADMIN)
"""Who proposes and confirms."""
LONGEST = 20_000
_SHANGHAI = ZoneInfo("Asia/Shanghai")
_EXPECTED = f"An announcement has 1 to {LONGEST} characters."

_CEASED = """
SELECT ceases_at FROM ceasing WHERE taken_back_at IS NULL AND ceases_at <= coalesce($1::timestamptz, now())
"""
_STANDING = """
SELECT id, announcement, day, proposed_by, confirmed_at, ceases_at FROM ceasing WHERE taken_back_at IS NULL
"""
_WORKS_HERE = "SELECT FROM staff WHERE id::text = $1 AND role = ANY($2::text[]) AND left_at IS NULL FOR SHARE"
_PROPOSE = """
INSERT INTO ceasing (id, announcement, day, proposed_at, proposed_by) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT ((TRUE)) WHERE taken_back_at IS NULL DO NOTHING RETURNING id
"""
_CONFIRM = "UPDATE ceasing SET confirmed_at = $2, confirmed_by = $3, ceases_at = $4 WHERE id = $1"
_TAKE_BACK = "UPDATE ceasing SET taken_back_at = $2, taken_back_by = $3 WHERE id = $1"


class CeasingRefusal(StrEnum):
    """Why nothing was done about ceasing."""

    NOT_STAFF = "NOT_STAFF"
    TEXT_INVALID = "TEXT_INVALID"
    CEASING_DAY = "CEASING_DAY"
    CEASING_STATE = "CEASING_STATE"
    CEASING_UNKNOWN = "CEASING_UNKNOWN"
    CEASING_YOURS = "CEASING_YOURS"

    @property
    def message(self) -> str:
        """What to do."""
        return _MESSAGES[self]


_MESSAGES = {
    CeasingRefusal.NOT_STAFF: "Operations are ceased by two of privacy_officer and security_admin: log in as one.",
    CeasingRefusal.TEXT_INVALID: _EXPECTED,
    CeasingRefusal.CEASING_DAY: "Name today or a later day.",
    CeasingRefusal.CEASING_STATE: "It stands otherwise by now: ask for `operations` and decide anew.",
    CeasingRefusal.CEASING_UNKNOWN: "There is no such proposal: ask for `operations`, which names the one that stands.",
    CeasingRefusal.CEASING_YOURS: "Somebody else has to confirm what you proposed.",
}


@dataclass(frozen=True, slots=True)
class Ceasing:
    """What stands: a proposal, or once `ceases_at` is there, what was confirmed."""

    id: UUID
    announcement: str
    day: date
    proposed_by: str
    ceases_at: datetime | None

    def ceased(self, now: datetime) -> bool:
        """Have operations ceased?"""
        return self.ceases_at is not None and self.ceases_at <= now


Found = Ceasing | CeasingRefusal


async def ceased_at(connection: Any, *, now: datetime | None = None) -> datetime | None:  # noqa: ANN401 - asyncpg's
    """Since when operations have ceased; None until they have. Raises the database's error.

    `now`: by default the database's clock. From then on nothing is collected, and no function needs its data (C30).
    """
    ceased: datetime | None = await connection.fetchval(_CEASED, now)
    return ceased


async def standing(connection: Any, *, lock: bool = False) -> Ceasing | None:  # noqa: ANN401 - as above
    """What was proposed and not taken back, or None. Raises the database's error."""
    row = await connection.fetchrow(_STANDING + ("FOR UPDATE" if lock else ""))
    return row and Ceasing(row["id"], row["announcement"], row["day"], row["proposed_by"], row["ceases_at"])


async def propose(connection: Any, announcement: str, day: date, *, by: str, now: datetime) -> Found:  # noqa: ANN401
    """Propose to cease with a day of Shanghai's. `by`: an account's id. Raises the database's error."""
    if not await _officer(connection, by):
        return CeasingRefusal.NOT_STAFF
    try:
        text = free_text(announcement, longest=LONGEST, expected=_EXPECTED)
    except FormatError:
        return CeasingRefusal.TEXT_INVALID
    if day < now.astimezone(_SHANGHAI).date():
        return CeasingRefusal.CEASING_DAY
    made = await connection.fetchval(_PROPOSE, uuid4(), text, day, now, by)
    return CeasingRefusal.CEASING_STATE if made is None else await _now(connection)


async def confirm(connection: Any, ceasing: UUID | None, *, by: str, now: datetime) -> Found:  # noqa: ANN401 - as above
    """Confirm what another proposed: operations cease as its day begins, or at once where it has begun."""
    found = await _found(connection, ceasing, by)
    if isinstance(found, CeasingRefusal):
        return found
    if found.ceases_at is not None:
        return CeasingRefusal.CEASING_STATE
    if found.proposed_by == by:
        return CeasingRefusal.CEASING_YOURS
    begins = datetime(found.day.year, found.day.month, found.day.day, tzinfo=_SHANGHAI)
    await connection.execute(_CONFIRM, found.id, now, by, max(begins, now))
    return await _now(connection)


async def take_back(connection: Any, ceasing: UUID | None, *, by: str, now: datetime) -> Found:  # noqa: ANN401 - as above
    """Take back what has not taken effect: one officer is enough to go on as before."""
    found = await _found(connection, ceasing, by)
    if isinstance(found, CeasingRefusal):
        return found
    if found.ceased(now):
        return CeasingRefusal.CEASING_STATE
    await connection.execute(_TAKE_BACK, found.id, now, by)
    return found


async def _found(connection: Any, ceasing: UUID | None, by: str) -> Found:  # noqa: ANN401 - as above
    if not await _officer(connection, by):
        return CeasingRefusal.NOT_STAFF
    found = await standing(connection, lock=True)
    return found if found and found.id == ceasing else CeasingRefusal.CEASING_UNKNOWN


async def _officer(connection: Any, by: str) -> bool:  # noqa: ANN401 - as above
    return await connection.fetchrow(_WORKS_HERE, by, list(OFFICERS)) is not None


async def _now(connection: Any) -> Found:  # noqa: ANN401 - as above
    return await standing(connection) or CeasingRefusal.CEASING_STATE
