"""Notices as the API tells them: every version, what changed, which of them holds for the caller (C76, C78, C79)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from models.global_ids import NodeType, to_global
from models.vocabulary import Role, from_bits
from privacy.assessments import Assessment, answered_between, assessments
from privacy.comparison import Change, compare
from privacy.notice_contents import Content, Party
from privacy.notices import (
    Said,
    Version,
    content_of,
    contents_of,
    effective,
    newest,
    said,
    said_of,
    stands_under,
    still_to_show,
    versions,
)
from resolvers.access_records import audits
from resolvers.asides import Fetching, Question, RootAside, RowAside
from resolvers.problems import bad_input
from resolvers.times import in_shanghai

_CURRENT, _ALL, _ONE = "Query.currentNotice", "Query.notices", "Query.notice"
_PENDING, _STANDING = "User.pendingNotices", "User.standingNotice"
_COMPARED, _ASSESSED = "Query.compareNotices", "Query.impactAssessments"
_TEXTS = ("mode", "controller", "responsible", "functions", "rights", "clauses")
"""What is part of the content, not of what is known of a version."""
_Whose = TypeVar("_Whose")
_WEIGHT = 100
"""What a whole text counts for."""
_ESTIMATE = 10
_ESTIMATED_CHANGES = 100


async def current_notice(question: Question) -> Any:  # noqa: ANN401 - plain values
    """The version that counts now, for anybody at all."""
    found = await newest(Fetching(question.fetch), now=question.now)
    return (await _told_caller(question, [found]))[0]


async def notices(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Every published version, the latest first; one that does not count yet too."""
    return await _told_caller(question, [*reversed(await versions(Fetching(question.fetch)))])


async def notice(question: Question) -> Any:  # noqa: ANN401 - plain values
    """The version of a name; None where there is none."""
    named = question.arguments["version"]
    found = [one for one in await versions(Fetching(question.fetch)) if one.version == named]
    return (await _told_caller(question, found))[0] if found else None


async def compare_notices(question: Question) -> Any:  # noqa: ANN401 - plain values
    """What changed from one version to another."""
    reading = Fetching(question.fetch)
    published = {one.version: one for one in await versions(reading)}
    pair = []
    for name in ("from", "to"):
        if question.arguments[name] not in published:
            raise bad_input(name, "There is no version of this name: take one of notices.")
        pair.append(published[question.arguments[name]])
    first, second = [await content_of(reading, one.number) for one in pair]
    answered = await answered_between(reading, *(one.number for one in pair))
    found = compare(first, second, answered=answered)
    return {
        "from": pair[0].version,
        "to": pair[1].version,
        "major": found.major,
        "grounds": [one.name for one in found.grounds],
        "changes": [_change(one) for one in found.changes],
    }


async def impact_assessments(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Impact assessments, the last first. None for who does not look after them."""
    if not audits(question, Role.PRIVACY_OFFICER, Role.AUDITOR):
        return None
    open_only = question.arguments.get("open")
    question.notes.ask(_ASSESSED, {"open": open_only})
    found = await assessments(Fetching(question.fetch), open_only=open_only)
    return [assessment_told(one) for one in found]


CURRENT_NOTICE = RootAside(_CURRENT, current_notice, 1, _WEIGHT)
NOTICES = RootAside(_ALL, notices, _ESTIMATE, _WEIGHT * _ESTIMATE)
NOTICE = RootAside(_ONE, notice, 1, _WEIGHT)
COMPARE_NOTICES = RootAside(_COMPARED, compare_notices, _ESTIMATED_CHANGES, 2 * _WEIGHT)
IMPACT_ASSESSMENTS = RootAside(_ASSESSED, impact_assessments, _ESTIMATED_CHANGES, _WEIGHT)


async def pending_notices(question: Question) -> list[dict[str, Any]]:
    """What the caller has to be shown; nothing for who is no customer or guardian."""
    person = question.subject.person
    return (await _pending(question, [person]))[person] if person else []


async def standing_notice(question: Question) -> dict[str, Any] | None:
    """The version whose terms hold for the caller."""
    person = question.subject.person
    return (await _standing(question, [person]))[person] if person else None


async def _pending_of(question: Question, people: Sequence[UUID]) -> Mapping[UUID, Any]:
    """What the caller and their wards have to be shown, by person; of anybody else nothing is told."""
    told = _whose(question, people)
    question.notes.tell(_PENDING, told)
    return await _pending(question, told)


async def _standing_of(question: Question, people: Sequence[UUID]) -> Mapping[UUID, Any]:
    """The version whose terms hold, by person; of whom, as above."""
    told = _whose(question, people)
    question.notes.tell(_STANDING, told)
    return await _standing(question, told)


USER_PENDING = RowAside(_PENDING, _pending_of, _ESTIMATE, _WEIGHT)
USER_STANDING = RowAside(_STANDING, _standing_of, 1, _WEIGHT)


def _whose(question: Question, people: Iterable[UUID]) -> list[UUID]:
    """Those of the people whom the caller is or acts for. A narrowed token tells of no whole person."""
    if question.narrowed:
        return []
    own = {*question.wards, question.subject.person}
    return [one for one in dict.fromkeys(people) if one in own]


async def _pending(question: Question, people: Sequence[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    found, by = await _said_by(question, people)
    return await _told_each(question, {one: (still_to_show(found, said), said) for one, said in by.items()})


async def _standing(question: Question, people: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    found, by = await _said_by(question, people)
    told = await _told_each(question, {one: ([stands_under(found, said)], said) for one, said in by.items()})
    return {one: notice for one, (notice,) in told.items()}


async def _said_by(question: Question, people: Collection[UUID]) -> tuple[list[Version], Mapping[UUID, Said]]:
    """The versions that count, and by person what they said to them."""
    if not people:
        return [], {}
    reading = Fetching(question.fetch)
    return await effective(reading, now=question.now), await said_of(reading, people, now=question.now)


async def _told_caller(question: Question, found: Sequence[Version]) -> list[dict[str, Any]]:
    """Versions, with whether the caller agreed to them."""
    person = question.subject.person
    by = None
    if person is not None and question.asked.find("agreed"):
        by = await said(Fetching(question.fetch), person, now=question.now)
    return (await _told_each(question, {person: (found, by)}))[person]


async def _told_each(
    question: Question, found: Mapping[_Whose, tuple[Sequence[Version], Said | None]]
) -> dict[_Whose, list[dict[str, Any]]]:
    """Versions by whom they are told of, with what these said; each text is read once."""
    numbers = {one.number for those, _ in found.values() for one in those}
    whole = numbers and any(question.asked.find(name) for name in _TEXTS)
    texts = await contents_of(Fetching(question.fetch), numbers) if whole else {}
    parts = {number: _content(text) for number, text in texts.items()}
    return {
        whose: [{**_version(one, by), **parts.get(one.number, {})} for one in those]
        for whose, (those, by) in found.items()
    }


def _version(one: Version, by: Said | None) -> dict[str, Any]:
    return {
        "version": one.version,
        "effectiveOn": one.effective_on,
        "major": one.major,
        "summary": one.summary,
        "hash": one.digest,
        "agreed": None if by is None else one.number in by.yes,
    }


def _content(content: Content) -> dict[str, Any]:
    return {
        "mode": content.mode,
        "controller": content.controller,
        "responsible": {name: getattr(content.responsible, name) for name in Party.__slots__},
        "functions": [
            {
                "purpose": one.purpose.name,
                "recipient": one.recipient.name,
                "categories": [category.name for category in from_bits(one.categories)],
                "use": one.use,
            }
            for one in content.functions
        ],
        "rights": [{"name": one.name, "how": one.how} for one in content.rights],
        "clauses": [{"number": one.number, "title": one.title, "text": one.text} for one in content.clauses],
    }


def _change(one: Change) -> dict[str, Any]:
    return {"place": one.place, "before": one.before, "after": one.after, "ground": one.ground and one.ground.name}


def assessment_told(one: Assessment) -> dict[str, Any]:
    """An assessment by the schema's names."""
    return {
        "id": to_global(NodeType.RECORD, one.id),
        "title": one.title,
        "text": one.text,
        "risk": one.risk.name,
        "assessedAt": in_shanghai(one.assessed_at),
        "answeredBy": one.answered_by,
        "asksForNotice": one.asks_for_notice,
    }
