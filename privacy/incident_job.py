"""The look after open incidents: whom they befell is read on, and what is due is told (C63)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from privacy.incident_extent import refresh
from privacy.incidents import Incident, incidents
from privacy.jobs import Job, Turn

REPORT, LETTERS = "INCIDENT_REPORT_DUE", "INCIDENT_LETTERS_DUE"
"""The codes of its alarms."""
AGAIN = timedelta(hours=1)
"""How often the same is told."""
_HOUR = timedelta(hours=1)

_TOLD = """
UPDATE incident SET {0} = $2 WHERE id = $1 AND closed_at IS NULL AND ({0} IS NULL OR {0} <= $3) RETURNING id
"""


async def look_after(turn: Turn) -> Mapping[str, int]:
    """Read on for each open incident, and sound each hour what has not been done: with the hours left."""
    counted = {"incidents": 0, "told": 0}
    for one in await incidents(turn.connection, is_open=True):
        counted["incidents"] += 1
        while not await refresh(turn.connection, one.id, one.sought, now=turn.now):
            pass
        if one.reported_at is None and await _first(turn, "told_report_at", one):
            turn.sound(REPORT, **_detail(turn, one, one.report_due_at))
            counted["told"] += 1
        if one.letters_at is None and one.withheld_at is None and await _first(turn, "told_letters_at", one):
            turn.sound(LETTERS, **_detail(turn, one, one.letters_due_at))
            counted["told"] += 1
    return counted


async def _first(turn: Turn, column: str, one: Incident) -> bool:
    """Is it this turn that tells it?"""
    found = await turn.connection.fetchval(_TOLD.format(column), one.id, turn.now, turn.now - AGAIN)
    return found is not None


def _detail(turn: Turn, one: Incident, due: Any) -> dict[str, Any]:  # noqa: ANN401 - a datetime
    """Which incident, and how many whole hours are left: less than none once it is late."""
    return {"incident": str(one.id), "hours": (due - turn.now) // _HOUR, "drill": int(one.drill)}


INCIDENTS = Job("incidents", "*/5 * * * *", look_after)
