"""Writes about notices: published and asked for by the privacy officer, acknowledged by everybody (C75-C78)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from ledger.append import add_alone
from ledger.rows import Kind, Operation
from privacy import assessments, publication
from privacy.assessments import Assessment, Risk
from privacy.notices import agree, effective, said
from privacy.publication import Candidate, NoticeRefusal, Refused, dated
from privacy.relays import after_word
from resolvers.payloads import Problem, ProblemCode, Write, Written
from resolvers.rulesets import record_named
from resolvers.writing.minors import not_alone
from resolvers.writing.targets import target, without_target

_CLAUSES = {NoticeRefusal.ASSESSMENT_UNKNOWN: "C77", NoticeRefusal.NOTICE_DATE: "C82"}


@dataclass(frozen=True, slots=True)
class Given:
    """A version as its officer gives it."""

    content: Any
    reason: str
    effective_on: date | None
    answers: Sequence[str]


async def publish_notice(write: Write, given: Given) -> Candidate | Problem:
    """Publish the next version, and say so in the ledger."""
    refused = without_target(write)
    if refused:
        return refused
    content = dated(given.content, given.effective_on)
    if isinstance(content, Refused):
        return _told(content)
    answers = [record_named(one) for one in given.answers]
    found = await publication.publish(
        write.connection,
        content,
        reason=given.reason,
        # What is no id at all names nothing, as an id does that nobody has.
        answers=[one or UUID(int=0) for one in answers],
        by=str(write.subject.account),
        now=write.now,
    )
    if isinstance(found, Refused):
        return _told(found)
    detail = {"act": "publishNotice", "notice": found.number, "major": found.comparison.major}
    await add_alone(write.connection, _row(write, detail, digest=content.digest))
    return found


async def assess_impact(write: Write, *, title: str, text: str, risk: Risk) -> Assessment | Problem:
    """Record an impact assessment; of high risk it asks for a notice from now on."""
    refused = without_target(write)
    if refused:
        return refused
    by = str(write.subject.account)
    found = await assessments.assess(write.connection, title=title, text=text, risk=risk, by=by, now=write.now)
    if isinstance(found, Refused):
        return _told(found)
    detail = {"act": "assessImpact", "assessment": str(found.id), "risk": risk.value}
    await add_alone(write.connection, _row(write, detail))
    return found


async def acknowledge_notice(write: Write, user: UUID | None, *, notice_hash: str, agrees: bool) -> Written | Problem:
    """Keep that the caller, or a ward, was shown a version, and whether they agree to it.

    Who does not agree keeps the terms that they have. A minor alone can be shown it, and agree to nothing.
    """
    found = await target(write, "User", user or write.subject.person)
    if isinstance(found, Problem):
        return replace(found, field="user") if found.code is ProblemCode.NOT_FOUND else found
    counting = await effective(write.connection, now=write.now)
    named = next((one for one in counting if one.digest == notice_hash), None)
    if named is None:
        message = "No notice of this hash is in force. Take it from viewer.pendingNotices or currentNotice."
        return Problem(ProblemCode.NOTICE_UNKNOWN, message, field="noticeHash", clause="C82")
    problem = await not_alone(write, found.row) if agrees else None
    if problem:
        return problem
    by = await said(write.connection, found.id, now=write.now)
    if not agrees and by.agreed >= named.number:
        message = "This or a later notice has been agreed to. Take back consents instead: withdrawConsent."
        return Problem(ProblemCode.NOTICE_AGREED, message, field="agrees", clause="C75")
    if by.agreed < named.number and (agrees or by.shown < named.number):
        guardian = write.subject.person if write.subject.person != found.id else None
        await agree(write.connection, found.id, named, agrees=agrees, guardian=guardian, now=write.now)
        if agrees:
            await after_word(write.connection, write.reader.relays, found.id, now=write.now)
    return Written("User", found.id)


def _told(refused: Refused) -> Problem:
    return Problem(
        ProblemCode[refused.why.name],
        refused.message,
        field=refused.field,
        clause=_CLAUSES.get(refused.why, "C76"),
    )


def _row(write: Write, detail: dict[str, Any], *, digest: str | None = None) -> Operation:
    return Operation(
        Kind.WRITE,
        write.decision,
        write.now,
        role=write.subject.role,
        account=write.subject.account,
        token=write.subject.token_id,
        purpose=write.purpose,
        ruleset=write.ruleset.number,
        digest=digest,
        detail=detail,
    )
