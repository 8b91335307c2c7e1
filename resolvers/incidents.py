"""Incidents, for privacy officers and the security team; and letters about them, for whom they befell (C63)."""

from typing import Any

from models.global_ids import NodeType, to_global
from models.vocabulary import PERSON_ROLES, Purpose
from privacy.incident_extent import Counts, counts
from privacy.incident_report import as_markdown, report
from privacy.incidents import Incident, incidents
from privacy.letter_words import chinese, english
from privacy.letters import Letter, letters_of, summary
from privacy.notice_contents import Content, Party
from privacy.notices import content_of, newest
from resolvers.access_records import audits
from resolvers.asides import Fetching, Question, RootAside
from resolvers.duties import OFFICERS
from resolvers.times import in_shanghai

_INCIDENTS, _LETTERS = "Query.incidents", "Query.letters"
_ESTIMATE = 50
_WEIGHT = 2_000
_OWN = (Purpose.ACCOUNT_SERVICE, Purpose.RIGHTS_REQUEST)


async def all_incidents(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Incidents, open ones first; of nobody by name. None for who does not see to them."""
    if not audits(question, *OFFICERS):
        return None
    is_open = question.arguments.get("open")
    question.notes.ask(_INCIDENTS, {"open": is_open})
    reading = Fetching(question.fetch)
    content = await _content(question)
    found = []
    for one in await incidents(reading, is_open=is_open):
        counted = await counts(reading, one.id, read_to=one.read_to, catalogue=question.snapshot.catalogue)
        found.append({**_incident(one, counted, content), **await summary(reading, one.id)})
    return found


INCIDENTS = RootAside(_INCIDENTS, all_incidents, _ESTIMATE, _WEIGHT)


async def letters(question: Question) -> Any:  # noqa: ANN401 - plain values
    """One's own and one's wards', the latest first; None for anybody else."""
    subject = question.subject
    if question.narrowed or subject.role not in PERSON_ROLES or question.purpose not in _OWN:
        return None
    # A guardian reads those of the children, as everything of theirs; their own they read as a customer.
    people = list(question.wards) if question.wards else [subject.person] if subject.person else []
    found = await letters_of(Fetching(question.fetch), people, question.snapshot.catalogue)
    question.notes.tell(_LETTERS, (one.person for one in found if one.person is not None))
    responsible = (await _content(question)).responsible
    return [_letter(one, responsible) for one in found]


LETTERS = RootAside(_LETTERS, letters, _ESTIMATE, _WEIGHT)


async def _content(question: Question) -> Content:
    reading = Fetching(question.fetch)
    return await content_of(reading, (await newest(reading, now=question.now)).number)


def _incident(one: Incident, counted: Counts, content: Content) -> dict[str, Any]:
    return {
        "id": to_global(NodeType.RECORD, one.id),
        "drill": one.drill,
        "severity": one.severity.name,
        "facts": one.facts,
        "impact": one.impact,
        "measures": one.measures,
        "advice": one.advice,
        "noticedAt": in_shanghai(one.noticed_at),
        "openedAt": in_shanghai(one.opened_at),
        "reportDueAt": in_shanghai(one.report_due_at),
        "reportedAt": one.reported_at and in_shanghai(one.reported_at),
        "lettersDueAt": in_shanghai(one.letters_due_at),
        "lettersAt": one.letters_at and in_shanghai(one.letters_at),
        "withheldAt": one.withheld_at and in_shanghai(one.withheld_at),
        "withheldReason": one.withheld_reason,
        "closedAt": one.closed_at and in_shanghai(one.closed_at),
        "persons": counted.total,
        "standIns": counted.stand_ins,
        "noLongerKnown": counted.unknown,
        "pending": counted.pending,
        "categories": [
            {"category": category.name, "inClear": counted.revealed.get(category, 0), "inPart": masked}
            for category in dict.fromkeys((*counted.revealed, *counted.masked))
            for masked in (counted.masked.get(category, 0),)
        ],
        "report": as_markdown(report(one, counted, content=content)),
    }


def _letter(one: Letter, responsible: Party) -> dict[str, Any]:
    said = one.said
    return {
        "id": to_global(NodeType.RECORD, one.id),
        "user": one.person and to_global(NodeType.USER, one.person),
        "writtenAt": in_shanghai(one.written_at),
        "acknowledgedAt": one.acknowledged_at and in_shanghai(one.acknowledged_at),
        "first": in_shanghai(said.first),
        "last": in_shanghai(said.last),
        "facts": said.facts,
        "impact": said.impact,
        "measures": said.measures,
        "advice": said.advice,
        "categories": [category.name for category in said.revealed],
        "masked": [category.name for category in said.masked],
        "changed": said.changed,
        "text": chinese(said, responsible),
        "english": english(said, responsible),
    }
