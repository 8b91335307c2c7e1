"""The daily look into the register: what is due soon, and what is overdue, is told (C61, C62)."""

from collections.abc import Mapping

from privacy.duties import DutyState, register, see_staff, today_of
from privacy.jobs import Job, Turn

DUE, OVERDUE = "DUTY_DUE", "DUTY_OVERDUE"
"""The codes of its alarms."""

_TOLD = "UPDATE duty SET told_on = $2 WHERE code = $1 AND told_on IS DISTINCT FROM $2 RETURNING code"


async def tell(turn: Turn) -> Mapping[str, int]:
    """Sound for each duty that is due or overdue, once a day: its code, the days left, and of how many."""
    counted = {"due": 0, "overdue": 0}
    today = today_of(turn.now)
    await see_staff(turn.connection, now=turn.now)
    for one in await register(turn.connection, now=turn.now):
        if one.state not in (DutyState.DUE, DutyState.OVERDUE):
            continue
        if await turn.connection.fetchval(_TOLD, one.duty.code, today) is None:
            continue
        late, days = one.state is DutyState.OVERDUE, one.days(today)
        if late:
            turn.sound(OVERDUE, duty=one.duty.code, days=-days, waiting=one.waiting)
        else:
            turn.sound(DUE, duty=one.duty.code, days=days, waiting=one.waiting)
        counted["overdue" if late else "due"] += 1
    return counted


DUTIES = Job("duties", "0 8 * * *", tell)
