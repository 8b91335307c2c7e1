"""The job `disclosures`: tells officers of cases that wait, end soon, or are secret no more. Numbers only.

Each case is told of once a day, and that its secrecy has ended once. Nothing opens or shows by this job: that a case
counts, and whom it is kept from, every statement looks up by itself.
"""

from collections.abc import Mapping
from datetime import datetime, time, timedelta

from ledger.behaviour import SHANGHAI
from privacy.jobs import Job, Turn

UNREVIEWED = "DISCLOSURES_UNREVIEWED"
EXPIRING = "DISCLOSURES_EXPIRING"
ENDED = "DISCLOSURE_SECRECY_ENDED"
SOON = timedelta(days=7)
"""How long before its end a case is told of."""
PATIENCE = timedelta(days=2)
"""For how long a case may wait for its reviewer before it is told of."""

_LIVE = "closed_at IS NULL AND rejected_at IS NULL AND expires_at > $1 AND opened_by_id IS NOT NULL"
_REMIND = f"""
UPDATE disclosure_case SET reminded_at = $1 WHERE {_LIVE} AND (reminded_at IS NULL OR reminded_at < $2)
AND CASE WHEN approved_at IS NULL THEN opened_at <= $3 ELSE expires_at <= $4 END RETURNING approved_at IS NULL AS waits
"""  # noqa: S608 - our own text
_SECRETS = """
UPDATE disclosure_case SET secrecy_ended_at = $1 WHERE secret_until <= $1 AND secrecy_ended_at IS NULL RETURNING id
"""


async def remind(turn: Turn) -> Mapping[str, int]:
    """One turn. Raises the database's error."""
    now = turn.now
    today = datetime.combine(now.astimezone(SHANGHAI).date(), time(), SHANGHAI)
    told = await turn.connection.fetch(_REMIND, now, today, now - PATIENCE, now + SOON)
    ended = await turn.connection.fetch(_SECRETS, now)
    waiting = sum(row["waits"] for row in told)
    found = {"unreviewed": waiting, "expiring": len(told) - waiting, "secrecy_ended": len(ended)}
    if found["unreviewed"]:
        turn.sound(UNREVIEWED, cases=found["unreviewed"])
    if found["expiring"]:
        turn.sound(EXPIRING, cases=found["expiring"])
    if found["secrecy_ended"]:
        turn.sound(ENDED, cases=found["secrecy_ended"])
    return found


DISCLOSURES = Job("disclosures", "40 7 * * *", remind)
