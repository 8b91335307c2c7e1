"""Incidents: opened, described, reported, told to those affected or not, and closed (C62, C63).

A drill goes the same way, but for its letters, which nobody is shown; once it is closed, the register has it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from ledger.searches import Sought, pending
from models.incidents import Severity
from privacy.bundles import IncidentTerms
from privacy.duties import DRILL, Fact, record, today_of
from privacy.incident_extent import refresh_all
from privacy.letters import write_letters

LONGEST_TEXT = 500
MOST = 200
"""Incidents in one list."""
_LATEST = timedelta(minutes=1)
"""For longer than a row takes to be sealed and indexed."""

_OPEN = """
INSERT INTO incident (id, drill, severity, facts, impact, measures, advice, noticed_at, sought, opened_at, opened_by,
  report_due_at, letters_due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $11, $12, $13)
"""
_COLUMNS = """
i.id, i.drill, i.severity, i.facts, i.impact, i.measures, i.advice, i.noticed_at, i.sought::text AS sought, i.opened_at,
i.report_due_at, i.letters_due_at, i.reported_at, i.report_reference, i.letters_at, i.withheld_at, i.withheld_reason,
i.closed_at, i.read_to, i.rows_known
"""
_ALL = f"""
SELECT {_COLUMNS} FROM incident i WHERE ($1::uuid IS NULL OR id = $1)
  AND ($2::boolean IS NULL OR (closed_at IS NULL) = $2)
ORDER BY (closed_at IS NULL) DESC, opened_at DESC, id LIMIT $3
"""  # noqa: S608 - our own names
_LOCK = "SELECT FROM incident WHERE id = $1 FOR UPDATE"
_DESCRIBE = """
UPDATE incident SET impact = coalesce($2, impact), measures = coalesce($3, measures), advice = coalesce($4, advice)
WHERE id = $1
"""
_REPORT = "UPDATE incident SET reported_at = $2, reported_by = $3, report_reference = $4 WHERE id = $1"
_LETTERS = "UPDATE incident SET letters_at = $2, letters_by = $3 WHERE id = $1"
_WITHHOLD = "UPDATE incident SET withheld_at = $2, withheld_by = $3, withheld_reason = $4 WHERE id = $1"
_BEYOND = """
SELECT EXISTS (SELECT FROM ledger_leaf l JOIN ledger_indexed i ON l.index = i.next - 1 WHERE l.at > $1)
"""
_CLOSE = "UPDATE incident SET closed_at = $2, closed_by = $3 WHERE id = $1"


class IncidentRefusal(StrEnum):
    """Why nothing was done."""

    INCIDENT_UNKNOWN = "INCIDENT_UNKNOWN"
    INCIDENT_CLOSED = "INCIDENT_CLOSED"
    INCIDENT_TOLD = "INCIDENT_TOLD"
    INCIDENT_UNTOLD = "INCIDENT_UNTOLD"
    INCIDENT_UNREPORTED = "INCIDENT_UNREPORTED"
    INCIDENT_UNREAD = "INCIDENT_UNREAD"
    WITHHOLDING_UNLAWFUL = "WITHHOLDING_UNLAWFUL"
    NOTICED_LATER = "NOTICED_LATER"

    @property
    def message(self) -> str:
        """What to do."""
        return _MESSAGES[self]


_MESSAGES: Mapping[IncidentRefusal, str] = {
    IncidentRefusal.INCIDENT_UNKNOWN: "There is no such incident: take its id from the list of incidents.",
    IncidentRefusal.INCIDENT_CLOSED: "The incident is closed: open another for what has become known since.",
    IncidentRefusal.INCIDENT_TOLD: "It has been done already.",
    IncidentRefusal.INCIDENT_UNTOLD: "Describe impact, measures and advice first: those affected are told them.",
    IncidentRefusal.INCIDENT_UNREPORTED: (
        "Report it to the authority first, and send letters to those affected or decide to withhold them."
    ),
    IncidentRefusal.INCIDENT_UNREAD: (
        "Rows of the ledger that may belong to it are not sealed or read yet. Try again in a moment."
    ),
    IncidentRefusal.WITHHOLDING_UNLAWFUL: "The law in force here wants those affected to be told: send the letters.",
    IncidentRefusal.NOTICED_LATER: "An incident is opened once it has been noticed: give a moment that is past.",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of an incident: what it may do, what was done against it, and what those affected can do."""

    impact: str | None = None
    measures: str | None = None
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """What an incident is opened with; every word has been checked to be of no person."""

    severity: Severity
    facts: str
    noticed_at: datetime
    sought: Sought
    told: Told
    drill: bool = False


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident, of nobody by name; `read_to`: the first leaf of the ledger that is not read for it yet."""

    id: UUID
    drill: bool
    severity: Severity
    facts: str
    impact: str | None
    measures: str | None
    advice: str | None
    noticed_at: datetime
    sought: Sought
    opened_at: datetime
    report_due_at: datetime
    letters_due_at: datetime
    reported_at: datetime | None
    report_reference: str | None
    letters_at: datetime | None
    withheld_at: datetime | None
    withheld_reason: str | None
    closed_at: datetime | None
    read_to: int
    rows_known: int


Found = Incident | IncidentRefusal


async def open_incident(
    connection: Any,  # noqa: ANN401 - asyncpg's, here and below
    opening: Opening,
    *,
    terms: IncidentTerms,
    by: str,
    now: datetime,
) -> Found:
    """Open an incident, and read whom it befell as far as the ledger is sealed. Raises the database's error."""
    if opening.noticed_at > now:
        return IncidentRefusal.NOTICED_LATER
    grave = opening.severity is not Severity.GENERAL
    report = opening.noticed_at + timedelta(hours=terms.grave_report_hours if grave else terms.report_hours)
    letters = opening.noticed_at + timedelta(hours=terms.letter_hours)
    told, made = opening.told, uuid4()
    await connection.execute(
        _OPEN,
        *(made, opening.drill, opening.severity.value, opening.facts, told.impact, told.measures, told.advice),
        *(opening.noticed_at, sought_text(opening.sought), now, by, report, letters),
    )
    await refresh_all(connection, made, opening.sought, now=now)
    return await find(connection, made)


async def incidents(connection: Any, *, is_open: bool | None = None) -> list[Incident]:  # noqa: ANN401
    """The latest ones, open ones first."""
    return [_incident(row) for row in await connection.fetch(_ALL, None, is_open, MOST)]


async def find(connection: Any, named: UUID | None) -> Found:  # noqa: ANN401
    """One incident."""
    rows = await connection.fetch(_ALL, named, None, 1) if named is not None else []
    return _incident(rows[0]) if rows else IncidentRefusal.INCIDENT_UNKNOWN


async def describe(connection: Any, named: UUID | None, told: Told) -> Found:  # noqa: ANN401
    """Say more of an incident, until those affected have been told."""
    found = await _locked(connection, named)
    if isinstance(found, IncidentRefusal):
        return found
    if found.letters_at is not None:
        return IncidentRefusal.INCIDENT_TOLD
    await connection.execute(_DESCRIBE, found.id, told.impact, told.measures, told.advice)
    return await find(connection, found.id)


async def reported(connection: Any, named: UUID | None, reference: str, *, by: str, now: datetime) -> Found:  # noqa: ANN401
    """Record that the authority has the report, and under which reference."""
    found = await _locked(connection, named)
    if isinstance(found, IncidentRefusal):
        return found
    if found.reported_at is not None:
        return IncidentRefusal.INCIDENT_TOLD
    await connection.execute(_REPORT, found.id, now, by, reference)
    return await find(connection, found.id)


async def send_letters(connection: Any, named: UUID | None, *, by: str, now: datetime) -> Found:  # noqa: ANN401
    """Write a letter to each person affected; whoever is found later gets theirs then."""
    found = await _locked(connection, named)
    if isinstance(found, IncidentRefusal):
        return found
    if found.letters_at is not None:
        return IncidentRefusal.INCIDENT_TOLD
    if None in (found.impact, found.measures, found.advice):
        return IncidentRefusal.INCIDENT_UNTOLD
    await connection.execute(_LETTERS, found.id, now, by)
    await refresh_all(connection, found.id, found.sought, now=now)
    await write_letters(connection, found.id, now=now)
    return await find(connection, found.id)


async def withhold(  # noqa: PLR0913 - who decides what, by which law
    connection: Any,  # noqa: ANN401
    named: UUID | None,
    reason: str,
    *,
    terms: IncidentTerms,
    by: str,
    now: datetime,
) -> Found:
    """Record a privacy officer's decision that measures avoid the harm, so that nobody is told (PIPL, article 57)."""
    if not terms.may_withhold:
        return IncidentRefusal.WITHHOLDING_UNLAWFUL
    found = await _locked(connection, named)
    if isinstance(found, IncidentRefusal):
        return found
    if found.letters_at is not None or found.withheld_at is not None:
        return IncidentRefusal.INCIDENT_TOLD
    await connection.execute(_WITHHOLD, found.id, now, by, reason)
    return await find(connection, found.id)


async def close(connection: Any, named: UUID | None, *, by: str, now: datetime) -> Found:  # noqa: ANN401
    """Close an incident that is reported and told of; whom it befell stays as it is then. A drill is done by it."""
    found = await _locked(connection, named)
    if isinstance(found, IncidentRefusal):
        return found
    if found.reported_at is None or (found.letters_at is None and found.withheld_at is None):
        return IncidentRefusal.INCIDENT_UNREPORTED
    read = await refresh_all(connection, found.id, found.sought, now=now)
    if not read or not await _settled(connection, found.sought, now=now):
        return IncidentRefusal.INCIDENT_UNREAD
    await connection.execute(_CLOSE, found.id, now, by)
    if found.drill:
        done = Fact(DRILL, today_of(now), f"incident {found.id.hex[:8]}", by, incident=found.id)
        await record(connection, done, now=now)
    return await find(connection, found.id)


async def _settled(connection: Any, sought: Sought, *, now: datetime) -> bool:  # noqa: ANN401
    """Is nothing of the incident's time left to seal? On a busy service something of another time always is."""
    if not await pending(connection.fetch):
        return True
    last = min(sought.until or now, now - _LATEST)
    beyond: bool = await connection.fetchval(_BEYOND, last)
    return beyond


async def _locked(connection: Any, named: UUID | None) -> Found:  # noqa: ANN401
    """The incident, if it is open; nobody else changes it until the connection's transaction ends."""
    if named is not None:
        await connection.execute(_LOCK, named)
    found = await find(connection, named)
    if isinstance(found, Incident) and found.closed_at is not None:
        return IncidentRefusal.INCIDENT_CLOSED
    return found


def sought_text(sought: Sought) -> str:
    """Which rows are sought, as it is stored: only what is given, ids and moments as text."""
    said = {one.name: getattr(sought, one.name) for one in fields(sought)}
    return json.dumps({name: value for name, value in said.items() if value not in (None, ())}, default=_plain)


def read_sought(text: str) -> Sought:
    """The same, read. Raises ValueError or TypeError for what was not stored by this."""
    said: dict[str, Any] = json.loads(text)
    for name in ("organization", "account", "decision"):
        if name in said:
            said[name] = UUID(said[name])
    for name in ("since", "until"):
        if name in said:
            said[name] = datetime.fromisoformat(said[name])
    return Sought(**{**said, "coordinates": tuple(said.get("coordinates", ()))})


def _plain(value: Any) -> str:  # noqa: ANN401 - a UUID or a datetime
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _incident(row: Any) -> Incident:  # noqa: ANN401 - asyncpg's row
    return Incident(**{**row, "severity": Severity(row["severity"]), "sought": read_sought(row["sought"])})
