"""Requests about one's own data, and cancelling an account: by a person, for a ward, by an officer (C65, C69, C80)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID

from models.rights import ComplaintMatter, DeletionGround, RightsRequestKind
from models.vocabulary import Retention
from privacy import cancellation, rights
from privacy.cancellation import Blocker, Cancelled
from privacy.rights import LONGEST_REASON, LONGEST_WORDS, Bureau, RightsRefusal, Standing, Wanted
from resolvers.payloads import Problem, ProblemCode, Write
from resolvers.rulesets import record_named
from resolvers.writing.consents import person_meant
from resolvers.writing.identity import identified
from resolvers.writing.items import invalid
from resolvers.writing.minors import not_alone
from resolvers.writing.plain_words import plain_words
from resolvers.writing.targets import Target, exists, not_found, out_of_question, target, without_target

_CLAUSES = {RightsRefusal.EXTENSION_INVALID: "C80"}
_FIELDS = {
    RightsRefusal.REQUEST_UNKNOWN: "id",
    RightsRefusal.REQUEST_STATE: "id",
    RightsRefusal.REQUEST_NOT_YOURS: "id",
    RightsRefusal.REQUEST_OPEN: "kind",
    RightsRefusal.OFFICER_UNKNOWN: "officer",
    RightsRefusal.EXTENSION_INVALID: "until",
    RightsRefusal.CLASSES_INVALID: "classes",
}
_NOTHING_ASKED = "Nothing was asked for."


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks for, for themselves or, by `user`, for a ward."""

    kind: RightsRequestKind
    user: UUID | None
    ground: DeletionGround | None
    matter: ComplaintMatter | None
    statement: str | None = field(repr=False)
    password: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why an account is not cancelled: each thing that stands in the way."""

    problem: Problem
    blockers: tuple[Blocker, ...]


async def file(write: Write, asked: Asked) -> Standing | Problem:
    """Take a request. Problems: IDENTITY_NOT_VERIFIED, TRY_LATER, MINOR_NEEDS_GUARDIAN (a deletion), REQUEST_OPEN."""
    wanted = _wanted(asked)
    if isinstance(wanted, Problem):
        return wanted
    found = await person_meant(write, asked.user)
    if isinstance(found, Problem):
        return found
    refused = await identified(write, asked.password)
    if refused is None and wanted.kind is RightsRequestKind.DELETION:
        refused = await not_alone(write, found.row, consequence=_NOTHING_ASKED)
    if refused:
        return refused
    return _told(write, await rights.file(bureau_of(write), found.id, _caller(write), wanted))


def _wanted(asked: Asked) -> Wanted | Problem:
    if asked.kind is RightsRequestKind.CANCELLATION:
        return invalid("kind", "An account is cancelled by cancelAccount, at once.")
    for kind, name, given in (
        (RightsRequestKind.DELETION, "ground", asked.ground),
        (RightsRequestKind.COMPLAINT, "matter", asked.matter),
    ):
        if asked.kind is kind and given is None:
            message = f"A {kind.value} names its {name}."
            return Problem(ProblemCode.ITEM_MISSING, message, field=name, clause="C65" if name == "ground" else "C80")
        if asked.kind is not kind and given is not None:
            return invalid(name, f"Only a {kind.value} has a {name}: leave it out.")
    said = None if asked.statement is None else plain_words(asked.statement, "statement", LONGEST_WORDS)
    return said if isinstance(said, Problem) else Wanted(asked.kind, asked.ground, asked.matter, said)


async def withdraw(write: Write, named: str) -> Standing | Problem:
    """Take back a request of one's own, or of a ward's."""
    refused = out_of_question(write)
    request = record_named(named)
    person = await rights.person_of(write.connection, request)
    if refused is None:
        found = await target(write, "User", person)
        refused = found if isinstance(found, Problem) else None
    if refused is not None and refused.code is not ProblemCode.NOT_FOUND:
        return refused
    if refused or request is None:
        return _told(write, RightsRefusal.REQUEST_UNKNOWN)
    return _told(write, await rights.withdraw(bureau_of(write), request))


async def cancel(write: Write, user: UUID | None, *, password: str | None) -> Cancelled | Blocked | Problem:
    """End an account now, or tell all that stands in the way (C69, C70)."""
    refused = out_of_question(write)
    if refused:
        return refused
    person = user or write.subject.person
    if person is not None and await exists(write, "User", person):
        await cancellation.lock_drafts(write.connection, person)
    found = await person_meant(write, user)
    if isinstance(found, Problem):
        return found
    refused = await identified(write, password) or await not_alone(
        write, found.row, consequence="The account stays as it is."
    )
    if refused:
        return refused
    done = await cancellation.cancel(
        write.connection,
        found.id,
        requester=_caller(write),
        erasure_days=write.reader.bundle.deadlines.erasure_working_days,
        relays=write.reader.relays,
        now=write.now,
    )
    if done is None:
        message = "This person has no account. Ask for deletion with fileRightsRequest."
        return Problem(ProblemCode.ACCOUNT_UNKNOWN, message, field="user", clause="C69")
    if isinstance(done, Cancelled):
        write.people.append(found.id)
        return done
    message = "Something still runs by this account. Once what is listed has ended, ask again."
    consequence = "The account stays as it is."
    problem = Problem(ProblemCode.CANCELLATION_BLOCKED, message, clause="C69", consequence=consequence)
    return Blocked(problem, tuple(done))


async def assign(write: Write, named: str, officer: str | None) -> Standing | Problem:
    """Hand a request to an officer at work, by default to the caller."""
    refused = without_target(write)
    if refused:
        return refused
    request = record_named(named)
    if request is None:
        return _told(write, RightsRefusal.REQUEST_UNKNOWN)
    return _told(write, await rights.assign(bureau_of(write), request, officer, by=_officer(write)))


async def extend(write: Write, named: str, until: date, reason: str) -> Standing | Problem:
    """Promise an answer by a later day; the reason is for the person (C80)."""
    request = await _in_reach(write, named)
    if isinstance(request, Problem):
        return request
    said = plain_words(reason, "reason", LONGEST_REASON)
    if isinstance(said, Problem):
        return replace(said, clause="C80")
    return _told(write, await rights.extend(bureau_of(write), request, until, said, by=_officer(write)))


async def decide(
    write: Write, named: str, *, granted: bool, answer: str, classes: Iterable[Retention]
) -> Standing | Problem:
    """Grant or refuse a request that the caller has in hand; the answer is for the person."""
    request = await _in_reach(write, named)
    if isinstance(request, Problem):
        return request
    said = plain_words(answer, "answer", LONGEST_WORDS)
    if isinstance(said, Problem):
        return said
    wanted = frozenset(classes)
    done = await rights.decide(
        bureau_of(write), request, granted=granted, answer=said, classes=wanted, by=_officer(write)
    )
    if isinstance(done, list):
        message = (
            "A purchase, claim, policy or health service of this person runs, and needs these data."
            " Grant the classes that it does not need, or refuse and say so."
        )
        return Problem(ProblemCode.DELETION_BLOCKED, message, field="classes", clause="C65")
    return _told(write, done)


async def _in_reach(write: Write, named: str) -> UUID | Problem:
    """The request, if the rules let the caller do this about its person; their row is locked."""
    request = record_named(named)
    person = await rights.person_of(write.connection, request)
    found = await target(write, "User", person)
    if isinstance(found, Target) and request is not None:
        return request
    refused = not_found() if isinstance(found, Target) else found
    if refused.code is ProblemCode.NOT_FOUND:
        return _refusal(RightsRefusal.REQUEST_UNKNOWN)
    return refused


def bureau_of(write: Write) -> Bureau:
    """Where a write deals with requests."""
    return Bureau(write.connection, write.accounts.keyring, write.now, write.reader.bundle.deadlines)


def _caller(write: Write) -> UUID:
    return _known(write.subject.person)


def _officer(write: Write) -> UUID:
    return _known(write.subject.account)


def _known(found: UUID | None) -> UUID:
    if found is None:
        message = "a rule lets somebody who is nobody ask for rights, or answer"
        raise TypeError(message)
    return found


def _told(write: Write, found: Standing | RightsRefusal) -> Standing | Problem:
    if isinstance(found, RightsRefusal):
        return _refusal(found)
    write.people.append(found.person)
    return found


def _refusal(found: RightsRefusal) -> Problem:
    return Problem(ProblemCode[found.name], found.message, field=_FIELDS[found], clause=_CLAUSES.get(found, "C65"))
