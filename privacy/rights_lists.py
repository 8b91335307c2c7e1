"""Requests as they stand: a person's own, or all that officers look after, the first due before all (C65, C80)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from models.rights import ComplaintMatter, DeletionGround
from models.vocabulary import Retention
from privacy.records import open_value
from privacy.rights import ANSWER, STATEMENT, Standing, standing_of
from privacy.working_days import calendar_after
from vault.keyring import Keyring

Fetch = Callable[..., Any]
Place = tuple[int, date, UUID]
"""Where a request stands in a list: 0 while it is open, its last day, its id."""

_ACTIVE = "a.rights_request_id = q.id AND a.ended_at IS NULL"
_ROWS = f"""
SELECT q.*, k.wrapped, s.username AS officer, s.id AS officer_id, e.due_on AS erasure_due_on,
  (q.closed_at IS NOT NULL)::int::bigint AS ended, coalesce(q.extended_until, q.due_on) AS last_day
FROM rights_request q
LEFT JOIN LATERAL (SELECT m.username, m.id FROM assignment a JOIN staff m ON m.id = a.staff_id
  WHERE {_ACTIVE} ORDER BY a.assigned_at DESC, a.id LIMIT 1) s ON TRUE
LEFT JOIN LATERAL (SELECT o.due_on FROM erasure_order o WHERE o.request_id = q.id LIMIT 1) e ON TRUE
LEFT JOIN data_key k ON k.person_id = q.person_id AND k.retention = {int(Retention.ACCOUNT)}
WHERE q.due_on IS NOT NULL
"""  # noqa: S608 - our own text
_PAGE = f"""
SELECT * FROM ({_ROWS}) r
WHERE ($1::uuid[] IS NULL OR person_id = ANY($1)) AND ($2::uuid IS NULL OR officer_id = $2)
AND ($3::boolean IS NULL OR (closed_at IS NULL) = $3)
AND ($4::date IS NULL OR (closed_at IS NULL AND last_day <= $4))
AND ($5::bigint IS NULL OR (ended, last_day, id) > ($5, $6::date, $7::uuid))
ORDER BY ended, last_day, id LIMIT $8
"""  # noqa: S608 - as above
_ONE = f"SELECT * FROM ({_ROWS}) r WHERE id = $1"  # noqa: S608 - as above


@dataclass(frozen=True, slots=True)
class Sought:
    """Whose requests: of these people, or in this officer's hands; open ones or closed; due until a day."""

    people: Sequence[UUID] | None = None
    officer: UUID | None = None
    is_open: bool | None = None
    due_until: date | None = None
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """One request with all that may be told of it; words as they were sealed."""

    standing: Standing
    place: Place
    closed_at: datetime | None
    decided_at: datetime | None
    extension_reason: str | None
    ground: DeletionGround | None
    matter: ComplaintMatter | None
    officer: str | None
    officer_id: UUID | None
    erasure_due_on: date | None
    row: Any = field(repr=False)

    def statement(self, keyring: Keyring) -> str | None:
        """The person's own words; None where there are none any more. Raises SealedValueError."""
        return self._opened(keyring, "statement_sealed", STATEMENT)

    def answer(self, keyring: Keyring) -> str | None:
        """The answer's words, as above."""
        return self._opened(keyring, "answer_sealed", ANSWER)

    def _opened(self, keyring: Keyring, column: str, label: bytes) -> str | None:
        wrapped, person = self.row["wrapped"], self.standing.person
        return open_value(keyring, wrapped, self.row[column], person=person, row=self.standing.id, label=label)


async def requests(fetch: Fetch, sought: Sought, *, most: int) -> list[Shown]:
    """Requests, open ones first and the first due before all. Raises the database's error."""
    after = sought.after or (None, None, None)
    found = await fetch(_PAGE, sought.people, sought.officer, sought.is_open, sought.due_until, *after, most)
    return [_shown(row) for row in found]


async def request_shown(fetch: Fetch, request: UUID) -> Shown | None:
    """One request; None where there is none."""
    found = await fetch(_ONE, request)
    return _shown(found[0]) if found else None


async def day_within(connection: Any, today: date, working_days: int) -> date:  # noqa: ANN401 - asyncpg's connection
    """The last of so many working days after today; today itself for none."""
    if working_days < 1:
        return today
    return (await calendar_after(connection, today)).due(today, working_days).day


def _shown(row: Any) -> Shown:  # noqa: ANN401 - asyncpg's row
    standing = standing_of(row)
    return Shown(
        standing,
        (row["ended"], row["last_day"], row["id"]),
        row["closed_at"],
        row["decided_at"],
        row["extension_reason"],
        row["ground"] and DeletionGround(row["ground"]),
        row["matter"] and ComplaintMatter(row["matter"]),
        row["officer"],
        row["officer_id"],
        row["erasure_due_on"],
        row,
    )
