"""Publishing a version of the notice: what it must be, and that it is major is found, not said (C76, C77, C82).

A version takes effect on a later day than any other, tomorrow at the earliest and an hour from now: by then every
worker knows what it tells of. It answers the high-risk assessments that asked for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from ledger.behaviour import SHANGHAI
from privacy.comparison import Comparison, compare
from privacy.notice_contents import LONGEST, Content, NoticeError, read_content
from privacy.notices import Version, content_of, keep, lock, versions

AHEAD = timedelta(hours=1)
"""How long before a version takes effect it is published, at the least."""
LATEST = timedelta(days=366)
"""And at the most."""

_OPEN = "SELECT id, title FROM impact_assessment WHERE id = ANY($1) AND risk = 'HIGH' AND notice IS NULL FOR UPDATE"
_ANSWER = "UPDATE impact_assessment SET notice = $2 WHERE id = ANY($1)"


class NoticeRefusal(StrEnum):
    """Why a version is not published, or an assessment not recorded."""

    NOTICE_INVALID = "NOTICE_INVALID"
    NOTICE_DATE = "NOTICE_DATE"
    NOTHING_CHANGED = "NOTHING_CHANGED"
    ASSESSMENT_UNKNOWN = "ASSESSMENT_UNKNOWN"
    TEXT_INVALID = "TEXT_INVALID"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing was done, in a sentence that says what to do; `field`: by which part of what was given."""

    why: NoticeRefusal
    message: str
    field: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version as it would be published: its number, and how it differs from the last published one."""

    number: int
    content: Content
    comparison: Comparison
    answers: tuple[UUID, ...]


def dated(given: Any, effective_on: date | None) -> Content | Refused:  # noqa: ANN401 - any JSON
    """A content as it was given; `effective_on` takes the place of the date in it."""
    try:
        content = read_content(given)
    except NoticeError as refused:
        return Refused(NoticeRefusal.NOTICE_INVALID, str(refused), "content")
    return content if effective_on is None else replace(content, effective_on=effective_on)


async def check(
    connection: Any,  # noqa: ANN401 - asyncpg's connection
    given: Content,
    *,
    answers: Sequence[UUID] = (),
    now: datetime,
) -> Candidate | Refused:
    """What publishing would come to. Raises the database's error."""
    found = await versions(connection)
    refused = _refused(given, found, now=now)
    if refused:
        return refused
    titles = {row["id"]: row["title"] for row in await connection.fetch(_OPEN, list(answers))}
    if set(titles) != set(answers):
        message = "An assessment that a notice answers is open and of high risk: take its id from impactAssessments."
        return Refused(NoticeRefusal.ASSESSMENT_UNKNOWN, message, "answersAssessments")
    before = await content_of(connection, found[-1].number)
    if not compare(before, given).changes:
        message = "It says what the last published version says: there is nothing to tell anybody."
        return Refused(NoticeRefusal.NOTHING_CHANGED, message, "content")
    answered = [titles[one] for one in dict.fromkeys(answers)]
    return Candidate(found[-1].number + 1, given, compare(before, given, answered=answered), tuple(titles))


async def publish(  # noqa: PLR0913 - what is kept of it
    connection: Any,  # noqa: ANN401 - as above
    given: Content,
    *,
    reason: str,
    answers: Sequence[UUID] = (),
    by: str,
    now: datetime,
) -> Candidate | Refused:
    """Publish the next version, in the caller's transaction. Raises the database's error."""
    if not reason.strip() or len(reason) > LONGEST:
        message = f"Say why in 1 to {LONGEST} characters."
        return Refused(NoticeRefusal.TEXT_INVALID, message, "reason")
    await lock(connection)
    found = await check(connection, given, answers=answers, now=now)
    if isinstance(found, Refused):
        return found
    major = found.comparison.major
    await keep(connection, given, number=found.number, major=major, by=by, reason=reason.strip(), now=now)
    await connection.execute(_ANSWER, list(found.answers), found.number)
    return found


def _refused(given: Content, found: Sequence[Version], *, now: datetime) -> Refused | None:
    """Is it named anew, and does it take effect when it may?"""
    if given.version in {one.version for one in found}:
        message = f"There is a version {given.version} already: give another name."
        return Refused(NoticeRefusal.NOTICE_INVALID, message, "content")
    if given.digest in {one.digest for one in found}:
        message = "This very text has been published."
        return Refused(NoticeRefusal.NOTHING_CHANGED, message, "content")
    earliest = max((now + AHEAD).astimezone(SHANGHAI).date(), *(one.effective_on for one in found)) + timedelta(days=1)
    latest = now.astimezone(SHANGHAI).date() + LATEST
    if not earliest <= given.effective_on <= latest:
        # Nothing that is published can be taken back: a mistyped year would stand in the way of every later version.
        message = f"It takes effect from {earliest}, a later day and after every other version, to {latest}."
        return Refused(NoticeRefusal.NOTICE_DATE, message, "effectiveOn")
    return None
