"""Due dates when the calendar changes: counted anew for what is open, and what moved is kept (C65, C70, C80)."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from privacy.bundles import Deadlines
from privacy.working_days import Calendar, calendar_after, shanghai_day

# Of a cancellation the request is answered at once; what is open is its erasure.
_OPEN = """
SELECT q.id, q.opened_at, q.deadline_days, q.due_on, q.provisional FROM rights_request q
WHERE q.closed_at IS NULL OR (q.kind = 'cancellation' AND EXISTS
  (SELECT FROM erasure_order o WHERE o.request_id = q.id AND o.done_at IS NULL))
ORDER BY q.id FOR UPDATE OF q
"""
# Of a cancellation the person was told in how many days; of a deletion nobody but by the rules in force.
_ORDERS = """
SELECT o.id, o.ordered_at, o.due_on, CASE WHEN q.kind = 'cancellation' THEN q.deadline_days END AS promised
FROM erasure_order o JOIN rights_request q ON q.id = o.request_id WHERE o.done_at IS NULL ORDER BY o.id FOR UPDATE OF o
"""
_MOVE = "UPDATE rights_request SET due_on = $2, provisional = $3, deadline_days = $4 WHERE id = $1"
_NOTE = """
INSERT INTO rights_due_change (request_id, was, due_on, provisional, changed_at) VALUES ($1, $2, $3, $4, $5)
"""
_MOVE_ORDER = "UPDATE erasure_order SET due_on = $2 WHERE id = $1"
_FIRST = date(2004, 1, 1)


@dataclass(frozen=True, slots=True)
class Moved:
    """How many dates changed: of requests, by their day or in that they are firm now, and of orders to erase."""

    requests: int
    orders: int


async def recount(connection: Any, deadlines: Deadlines, *, now: datetime) -> Moved:  # noqa: ANN401 - the owner's connection
    """Count every open due date anew, each with the days it was promised in. Done twice, it changes nothing more.

    A request that was loaded and has no date gets one. What an officer promised since stands.
    """
    async with connection.transaction():
        calendar = await calendar_after(connection, _FIRST)
        return Moved(
            sum([await _request(connection, row, calendar, deadlines, now) for row in await connection.fetch(_OPEN)]),
            sum([await _order(connection, row, calendar, deadlines) for row in await connection.fetch(_ORDERS)]),
        )


async def _request(connection: Any, row: Any, calendar: Calendar, deadlines: Deadlines, now: datetime) -> bool:  # noqa: ANN401
    days = row["deadline_days"] or deadlines.answer_working_days
    due = calendar.due(shanghai_day(row["opened_at"]), days)
    if (row["due_on"], row["provisional"]) == (due.day, due.provisional):
        return False
    await connection.execute(_MOVE, row["id"], due.day, due.provisional, days)
    await connection.execute(_NOTE, row["id"], row["due_on"], due.day, due.provisional, now)
    return True


async def _order(connection: Any, row: Any, calendar: Calendar, deadlines: Deadlines) -> bool:  # noqa: ANN401 - as above
    due = calendar.due(shanghai_day(row["ordered_at"]), row["promised"] or deadlines.erasure_working_days)
    if row["due_on"] == due.day:
        return False
    await connection.execute(_MOVE_ORDER, row["id"], due.day)
    return True
