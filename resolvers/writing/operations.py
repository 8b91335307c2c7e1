"""Registering operations of client teams, for the developer who writes them (C56)."""

from dataclasses import dataclass, replace

from ledger.append import add_alone
from ledger.rows import Kind, Operation
from models.vocabulary import Purpose, Role
from resolvers import client_operations
from resolvers.client_operations import MOST, MOST_OF_A_TEAM, ClientOperation, Refusal, words_refused
from resolvers.payloads import Problem, ProblemCode, Write
from resolvers.problems import RequestRefusedError
from resolvers.writing.targets import without_target

_CLAUSE = "C56"
_MESSAGES = {
    Refusal.OPERATION_CEILING: f"A team registers at most {MOST_OF_A_TEAM} operations, all of them {MOST}:"
    " take some back first.",
    Refusal.OPERATION_UNKNOWN: "No such operation is registered: take team, hash, role and purpose from"
    " registeredOperations.",
    Refusal.NOT_YOURS: "Somebody else registered this: they, or the operator, rename it and take it back.",
}


@dataclass(frozen=True, slots=True, repr=False)
class Given:
    """An operation as a client names it."""

    team: str
    name: str
    role: str
    purpose: Purpose
    document: str


async def register(write: Write, given: Given) -> ClientOperation | Problem:
    """Validate an operation as the server would, and keep it."""
    refused = without_target(write)
    if refused:
        return refused
    if given.role not in list(Role):
        return _invalid(f"A role is one of: {', '.join(Role)}.", "role")
    operation = ClientOperation(given.team, given.name, Role(given.role), given.purpose, given.document)
    wrong = words_refused(operation)
    if wrong:
        field, message = wrong
        return _invalid(message, field)
    refusal = _document_refused(write, given.document)
    if refusal:
        return _invalid(refusal, "document")
    found = await client_operations.register(write.connection, operation, by=str(write.subject.account), now=write.now)
    if isinstance(found, Refusal):
        return _told(found, "name" if found is Refusal.NOT_YOURS else "team")
    await add_alone(write.connection, _row(write, "REGISTERED", operation.key))
    return replace(operation, registered_at=found)


async def unregister(write: Write, *, team: str, hash_: str, role: str, purpose: Purpose) -> str | Problem:
    """Take an operation back; its name."""
    refused = without_target(write)
    if refused:
        return refused
    key = team, hash_, role, purpose.value
    found = await client_operations.unregister(write.connection, key, by=str(write.subject.account))
    if isinstance(found, Refusal):
        return _told(found, "hash")
    await add_alone(write.connection, _row(write, "UNREGISTERED", key))
    return found


def _told(refusal: Refusal, field: str) -> Problem:
    return Problem(ProblemCode[refusal.name], _MESSAGES[refusal], field=field, clause=_CLAUSE)


def _invalid(message: str, field: str) -> Problem:
    return Problem(ProblemCode.OPERATION_INVALID, message, field=field, clause=_CLAUSE)


def _document_refused(write: Write, document: str) -> str | None:
    """What is wrong with a document, in a sentence; None where the server would run it."""
    planner = write.reader.planner
    if planner is None:
        message = "operations cannot be registered without what plans them"
        raise TypeError(message)
    try:
        planner.check(document)
    except RequestRefusedError as refusal:
        return f"{refusal.errors[0]['message']} ({refusal.code})"
    return None


def _row(write: Write, what: str, key: tuple[str, str, str, str]) -> Operation:
    team, hash_, role, purpose = key
    return Operation(
        kind=Kind.RULES,
        decision=write.decision,
        at=write.now,
        role=write.subject.role,
        account=write.subject.account,
        token=write.subject.token_id,
        purpose=write.purpose,
        ruleset=write.ruleset.number,
        digest=write.ruleset.digest,
        detail={"operation": what, "team": team, "hash": hash_, "role": role, "purpose": purpose},
    )
