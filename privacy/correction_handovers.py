"""Corrections handed on: recipients of an earlier value learn which datum of whom was corrected, and say when (C64).

They are told no value: the new one they read by the rules. Who may have had the earlier one was written down with the
correction; what they did about it since stands beside, added to and never changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from privacy.exports import lapse
from privacy.jobs import Job, Turn
from privacy.working_days import calendar_after, shanghai_day

WORKING_DAYS = 10
"""How long a recipient has: the person is promised an answer within 15 (C65)."""
NOT_APPLIED = "CORRECTION_NOT_APPLIED"
MOST = 100
Fetch = Callable[..., Any]

# A recipient that knows a person from marketing only is told by the id that is its own, and under marketing (C21).
_KNOWN = """
(EXISTS (SELECT FROM policy p WHERE p.insurer_id = $1 AND p.status <> 'DRAFT'
    AND (p.holder_id = c.person_id OR p.insured_id = c.person_id))
OR EXISTS (SELECT FROM health_service h JOIN policy p ON p.id = h.policy_id WHERE h.provider_id = $1
    AND (p.holder_id = c.person_id OR p.insured_id = c.person_id))
OR EXISTS (SELECT FROM assignment a JOIN claim m ON m.id = a.claim_id WHERE a.organization_id = $1
    AND (m.holder_id = c.person_id OR m.insured_id = c.person_id))
OR EXISTS (SELECT FROM assignment a JOIN verification_case v ON v.id = a.verification_case_id
    WHERE a.organization_id = $1 AND v.person_id = c.person_id)
OR EXISTS (SELECT FROM consent n WHERE n.recipient_id = $1 AND n.person_id = c.person_id AND n.purpose <> 'marketing')
OR EXISTS (SELECT FROM disclosure_case d JOIN disclosure_person q ON q.case_id = d.id
    WHERE coalesce(d.receiver_id, d.recipient_id) = $1 AND q.person_id = c.person_id AND d.approved_at IS NOT NULL))
"""
_AUDIENCE = """
(SELECT n.audience_id FROM consent n WHERE n.recipient_id = $1 AND n.person_id = c.person_id
    AND n.purpose = 'marketing' AND n.audience_id IS NOT NULL ORDER BY n.granted_at DESC LIMIT 1)
"""
_DONE = """
(SELECT FROM correction_handover h WHERE h.correction_id = r.correction_id AND h.organization_id = r.organization_id
    AND h.step = 'ACKNOWLEDGED')
"""
_WAITING = f"""
SELECT c.id, c.person_id, {_AUDIENCE} AS audience_id, c.coordinate, c.corrected_at
FROM correction_recipient r JOIN correction c ON c.id = r.correction_id
WHERE r.organization_id = $1 AND NOT EXISTS {_DONE}
    AND CASE WHEN $2 THEN NOT {_KNOWN} AND {_AUDIENCE} IS NOT NULL ELSE {_KNOWN} END
ORDER BY c.corrected_at, c.id LIMIT $3
"""  # noqa: S608 - our own text
_STEP = """
INSERT INTO correction_handover (correction_id, organization_id, step, at)
SELECT r.correction_id, r.organization_id, $3, $4 FROM correction_recipient r
WHERE r.organization_id = $1 AND r.correction_id = ANY($2::uuid[]) ON CONFLICT DO NOTHING
"""
_RECEIVED = """
SELECT c.person_id, h.at FROM correction_recipient r JOIN correction c ON c.id = r.correction_id
LEFT JOIN correction_handover h ON h.correction_id = r.correction_id AND h.organization_id = r.organization_id
    AND h.step = 'ACKNOWLEDGED'
WHERE r.organization_id = $1 AND r.correction_id = $2
"""
_OF = """
SELECT r.correction_id, o.code, o.name,
    max(h.at) FILTER (WHERE h.step = 'HANDED_ON') AS handed_on_at,
    max(h.at) FILTER (WHERE h.step = 'ACKNOWLEDGED') AS acknowledged_at
FROM correction_recipient r JOIN organization o ON o.id = r.organization_id
LEFT JOIN correction_handover h ON h.correction_id = r.correction_id AND h.organization_id = r.organization_id
WHERE r.correction_id = ANY($1::uuid[]) GROUP BY r.correction_id, o.id ORDER BY o.name, o.code
"""
_LATE = f"""
SELECT o.code, c.corrected_at FROM correction_recipient r JOIN correction c ON c.id = r.correction_id
JOIN organization o ON o.id = r.organization_id WHERE NOT EXISTS {_DONE} AND c.corrected_at < $1
"""  # noqa: S608 - as above


class Step(StrEnum):
    """What a recipient of a correction did."""

    HANDED_ON = "HANDED_ON"
    """It was told that there is one."""
    ACKNOWLEDGED = "ACKNOWLEDGED"
    """It says that it has applied it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A correction that a recipient has yet to apply; `audience`: under which id it knows the person, if no other."""

    id: UUID
    person: UUID
    audience: UUID | None
    coordinate: str
    corrected_at: datetime


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A correction that a recipient says it has applied, and when it said so first."""

    person: UUID
    at: datetime


async def waiting_for(fetch: Fetch, organization: UUID, *, marketing: bool, most: int) -> list[Waiting]:
    """What an organization has yet to apply, the oldest first; under `marketing`, of whom it knows from nothing else.

    Raises the database's error.
    """
    return [
        Waiting(row["id"], row["person_id"], row["audience_id"] if marketing else None, row[3], row[4])
        for row in await fetch(_WAITING, organization, marketing, most)
    ]


async def hand_on(fetch: Fetch, organization: UUID, corrections: list[UUID], *, now: datetime) -> None:
    """Write down that a recipient was told of these; once is enough. Raises the database's error."""
    if corrections:
        await fetch(_STEP, organization, corrections, Step.HANDED_ON.value, now)


async def acknowledge(connection: Any, organization: UUID, correction: UUID, *, now: datetime) -> Acknowledged | None:  # noqa: ANN401 - asyncpg's proxy
    """A recipient says that it has applied a correction, which it may say again. None where it is none of its own."""
    row = await connection.fetchrow(_RECEIVED, organization, correction)
    if row is None:
        return None
    if row["at"] is None:
        for step in Step:
            await connection.execute(_STEP, organization, [correction], step.value, now)
        row = await connection.fetchrow(_RECEIVED, organization, correction)
    return Acknowledged(row["person_id"], row["at"])


async def handovers_of(fetch: Fetch, corrections: list[UUID]) -> list[Mapping[str, Any]]:
    """For each recipient of these corrections, when it was told and when it said that it has applied it."""
    found: list[Mapping[str, Any]] = await fetch(_OF, corrections)
    return found


async def late(connection: Any, *, now: datetime) -> dict[str, int]:  # noqa: ANN401 - as above
    """How many corrections each organization, by code, has not applied in time. Raises the database's error."""
    found: dict[str, int] = {}
    rows = await connection.fetch(_LATE, now)
    if not rows:
        return found
    first = min(shanghai_day(row["corrected_at"]) for row in rows)
    calendar, today = await calendar_after(connection, first), shanghai_day(now)
    for row in rows:
        if calendar.due(shanghai_day(row["corrected_at"]), WORKING_DAYS).day < today:
            found[row["code"]] = found.get(row["code"], 0) + 1
    return found


async def _work(turn: Turn) -> dict[str, int]:
    """Tell of recipients that are late, one alarm each; and close requests whose archive nobody came for."""
    found = await late(turn.connection, now=turn.now)
    for code, count in sorted(found.items()):
        turn.sound(NOT_APPLIED, organization=code, count=count)
    return {"late": sum(found.values()), "lapsed": await lapse(turn.connection, now=turn.now)}


CORRECTIONS = Job("corrections", "20 6 * * *", _work)
"""Every morning."""
