"""Incidents: opened, described, reported, told of and closed by the staff; letters acknowledged by persons (C63)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.incidents import Severity
from privacy import incidents, letters
from privacy.incidents import LONGEST_TEXT, Incident, IncidentRefusal, Opening, Told
from resolvers.access_records import check_span, sought_of
from resolvers.affected_people import MOST_DAYS
from resolvers.payloads import Problem, ProblemCode, Write
from resolvers.rulesets import record_named
from resolvers.writing.plain_words import plain_words
from resolvers.writing.targets import not_found, target, without_target

_CLAUSE = "C63"
_FIELDS = {IncidentRefusal.NOTICED_LATER: "noticedAt", IncidentRefusal.INCIDENT_UNTOLD: "impact"}
_Texts = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A letter that somebody has read, and since when that is known."""

    id: UUID
    at: datetime


async def open_incident(  # noqa: PLR0913 - what is known of it
    write: Write, rows: Mapping[str, Any], severity: Severity, noticed_at: datetime, *, texts: _Texts, drill: bool
) -> Incident | Problem:
    """Open an incident; `rows`: an IncidentInput. Raises BAD_USER_INPUT or BAD_ID, naming the argument."""
    refused = without_target(write)
    if refused:
        return refused
    said = _checked(texts)
    if isinstance(said, Problem):
        return said
    sought = await sought_of(write.connection.fetch, rows, within="rows.")
    check_span(rows["from"], rows["to"], days=MOST_DAYS, argument="rows.to")
    opening = Opening(severity, said.pop("facts"), noticed_at, sought, Told(**said), drill)
    terms = write.reader.bundle.incidents
    return _told(
        await incidents.open_incident(write.connection, opening, terms=terms, by=_by(write), now=write.now),
        field="noticedAt",
    )


async def describe(write: Write, named: str, texts: _Texts) -> Incident | Problem:
    """Say more of an incident."""
    refused = without_target(write)
    if refused:
        return refused
    said = _checked(texts)
    if isinstance(said, Problem):
        return said
    return _told(await incidents.describe(write.connection, record_named(named), Told(**said)))


async def report(write: Write, named: str, reference: str) -> Incident | Problem:
    """Record that the authority has the report."""
    refused = without_target(write)
    if refused:
        return refused
    words = plain_words(reference, "reference", LONGEST_TEXT)
    if isinstance(words, Problem):
        return words
    incident = record_named(named)
    return _told(await incidents.reported(write.connection, incident, words, by=_by(write), now=write.now))


async def send(write: Write, named: str) -> Incident | Problem:
    """Write the letters."""
    refused = without_target(write)
    if refused:
        return refused
    return _told(await incidents.send_letters(write.connection, record_named(named), by=_by(write), now=write.now))


async def withhold(write: Write, named: str, reason: str) -> Incident | Problem:
    """Decide that nobody is told."""
    refused = without_target(write)
    if refused:
        return refused
    words = plain_words(reason, "reason", LONGEST_TEXT)
    if isinstance(words, Problem):
        return words
    terms, incident = write.reader.bundle.incidents, record_named(named)
    return _told(await incidents.withhold(write.connection, incident, words, terms=terms, by=_by(write), now=write.now))


async def close(write: Write, named: str) -> Incident | Problem:
    """Close it."""
    refused = without_target(write)
    if refused:
        return refused
    return _told(await incidents.close(write.connection, record_named(named), by=_by(write), now=write.now))


async def acknowledge(write: Write, named: str) -> Acknowledged | Problem:
    """Note that a letter, one's own or a ward's, was read. Of somebody else's it is not said that there is one."""
    letter = record_named(named)
    person = None if letter is None else await letters.person_of(write.connection, letter)
    found = await target(write, "User", person)
    if isinstance(found, Problem):
        return found
    if letter is None:
        return not_found()
    at = await letters.acknowledge(write.connection, letter, found.id, by=_by(write), now=write.now)
    write.people.append(found.id)
    return Acknowledged(letter, at)


def _checked(texts: _Texts) -> dict[str, Any] | Problem:
    found = {}
    for name, text in texts.items():
        words = None if text is None else plain_words(text, name, LONGEST_TEXT)
        if isinstance(words, Problem):
            return words
        found[name] = words
    return found


def _told(found: Incident | IncidentRefusal, *, field: str = "id") -> Incident | Problem:
    if isinstance(found, Incident):
        return found
    return Problem(ProblemCode[found.name], found.message, field=_FIELDS.get(found, field), clause=_CLAUSE)


def _by(write: Write) -> str:
    return str(write.subject.account)
