"""The job `rights`: dates that moved with the calendar, and alarms before somebody waits too long (C65, C80)."""

from collections.abc import Mapping

from privacy.jobs import Job, Turn
from privacy.rights_dates import recount
from privacy.rights_lists import day_within
from privacy.working_days import shanghai_day

SOON = 3
"""Working days before its last one at which a request is told of."""
DUE = "RIGHTS_DUE"
OVERDUE = "RIGHTS_OVERDUE"
UNASSIGNED = "RIGHTS_UNASSIGNED"
"""The codes of its alarms."""

_COUNTED = """
SELECT count(*) FILTER (WHERE last_day BETWEEN $1 AND $2) AS due, count(*) FILTER (WHERE last_day < $1) AS overdue,
  count(*) FILTER (WHERE NOT handled) AS unassigned
FROM (SELECT coalesce(q.extended_until, q.due_on) AS last_day,
  EXISTS (SELECT FROM assignment a JOIN staff s ON s.id = a.staff_id
    WHERE a.rights_request_id = q.id AND a.ended_at IS NULL AND s.left_at IS NULL)
  OR EXISTS (SELECT FROM export_link l WHERE l.request_id = q.id) AS handled
  FROM rights_request q WHERE q.closed_at IS NULL AND q.due_on IS NOT NULL) r
"""


async def work(turn: Turn) -> Mapping[str, int]:
    """One turn: count dates anew, then sound alarms. Raises the database's error."""
    moved = await recount(turn.connection, turn.bundle.deadlines, now=turn.now)
    found = await counted(turn)
    if found["due"]:
        turn.sound(DUE, requests=found["due"])
    if found["overdue"]:
        turn.sound(OVERDUE, requests=found["overdue"])
    if found["unassigned"]:
        turn.sound(UNASSIGNED, requests=found["unassigned"])
    return {**found, "moved": moved.requests, "moved_orders": moved.orders}


async def counted(turn: Turn) -> dict[str, int]:
    """How many open requests are due soon, overdue, and in nobody's hands."""
    today = shanghai_day(turn.now)
    row = await turn.connection.fetchrow(_COUNTED, today, await day_within(turn.connection, today, SOON))
    return dict(row)


RIGHTS = Job("rights", "20 * * * *", work)
