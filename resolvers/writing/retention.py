"""Holds, placed and lifted by privacy officers; longer periods, agreed to by persons and ended by them (C27, C28)."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from models.vocabulary import Retention
from privacy import agreements, holds
from privacy.agreements import Agreement, AgreementRefusal
from privacy.holds import Hold
from resolvers.payloads import Problem, ProblemCode, Write
from resolvers.problems import unavailable
from resolvers.rulesets import record_named
from resolvers.writing.consents import person_meant
from resolvers.writing.items import invalid
from resolvers.writing.minors import not_alone
from resolvers.writing.plain_words import plain_words
from resolvers.writing.targets import out_of_question, target, without_target

_FIELDS = {
    AgreementRefusal.RETENTION_NOT_LONGER: "until",
    AgreementRefusal.AGREEMENT_UNKNOWN: "id",
}
_UNCHANGED = "The period stays as it is."


async def place(
    write: Write, person: UUID, classes: Sequence[Retention] | None, reference: str, until: date | None
) -> Hold | Problem:
    """Hold classes of somebody's data, by default all of them.

    Problems: WRITE_DENIED, NEVER_COLLECTED, ITEM_INVALID, PERSON_UNKNOWN.
    """
    refused = without_target(write)
    if refused:
        return refused
    filed = plain_words(reference, "reference", holds.LONGEST)
    if isinstance(filed, Problem):
        return filed
    if until is not None and until < write.today:
        return invalid("until", "The last day of a hold is today or a later one.")
    wanted = frozenset(classes or Retention)
    hold = await holds.place(
        write.connection, person, wanted, reference=filed, until=until, by=_officer(write), now=write.now
    )
    if hold is None:
        message = "There is no such person. Give the id of a user as the API returned it."
        return Problem(ProblemCode.PERSON_UNKNOWN, message, field="user", clause="C28")
    write.people.append(person)
    return hold


async def lift(write: Write, named: str) -> Hold | Problem:
    """Let a hold go: what its data are due for is erased by the next sweep."""
    refused = without_target(write)
    if refused:
        return refused
    hold = record_named(named)
    found = hold and await holds.lift(write.connection, hold, by=_officer(write), now=write.now)
    if not found:
        message = "There is no such hold that stands. Take its id from `legalHolds`."
        return Problem(ProblemCode.HOLD_UNKNOWN, message, field="id", clause="C28")
    write.people.append(found.person)
    return found


async def agree(write: Write, user: UUID | None, retention: Retention, until: date) -> Agreement | Problem:
    """Have a class of one's own data, or of a ward's, kept longer; in place of what was agreed before.

    Problems: WRITE_DENIED, NOT_FOUND, MINOR_NEEDS_GUARDIAN, RETENTION_NOT_LONGER, CHOICE_CEILING.
    """
    found = await person_meant(write, user)
    if isinstance(found, Problem):
        return found
    refused = await not_alone(write, found.row, consequence=_UNCHANGED)
    if refused:
        return refused
    if write.subject.person is None:
        # No rule lets anybody but a person agree.
        raise unavailable()
    by, bundle = write.subject.person, write.reader.bundle
    return _told(
        write,
        await agreements.agree(write.connection, found.id, retention, until, by=by, bundle=bundle, now=write.now),
    )


async def end(write: Write, named: str) -> Agreement | Problem:
    """End an agreement of one's own, or about a ward: from the next sweep on it keeps nothing."""
    refused = out_of_question(write)
    if refused:
        return refused
    agreement = record_named(named)
    found = await target(write, "User", await agreements.person_of(write.connection, agreement))
    if isinstance(found, Problem) and found.code is not ProblemCode.NOT_FOUND:
        return found
    if isinstance(found, Problem) or agreement is None:
        return _told(write, AgreementRefusal.AGREEMENT_UNKNOWN)
    ended = await agreements.end(write.connection, agreement, now=write.now)
    return _told(write, ended or AgreementRefusal.AGREEMENT_UNKNOWN)


def _officer(write: Write) -> str:
    return str(write.subject.account)


def _told(write: Write, found: Agreement | AgreementRefusal) -> Agreement | Problem:
    if isinstance(found, AgreementRefusal):
        code = ProblemCode[found.name]
        return Problem(code, found.message, field=_FIELDS.get(found), clause="C27", consequence=_UNCHANGED)
    write.people.append(found.person)
    return found
