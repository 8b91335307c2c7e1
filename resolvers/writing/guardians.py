"""Guardian links: asked for by a guardian, decided by a privacy officer, ended by whoever may (C71, C73)."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from models.formats import FormatError, person_name
from models.guardian_links import EvidenceKind
from models.identity_numbers import identity_number
from models.people import IdType
from models.rulesets import Verdict
from models.vocabulary import PERSON_ROLES
from privacy import guardians
from privacy.guardians import Child, Decided, Desk, Document, Evidence, Found, LinkRefusal
from resolvers.payloads import Problem, ProblemCode, Write
from resolvers.rulesets import record_named
from resolvers.writing.items import invalid
from resolvers.writing.plain_words import plain_words
from resolvers.writing.targets import target, without_target

_LONGEST_REFERENCE = 64
_LONGEST_NOTE = 200
_CLAUSES = {LinkRefusal.GUARDIAN_UNDER_AGE: "C71", LinkRefusal.CHILD_OF_AGE: "C71"}
_FIELDS = {
    LinkRefusal.LINK_UNKNOWN: "id",
    LinkRefusal.LINK_STATE: "id",
    LinkRefusal.LINK_CIRCLE: "child",
    LinkRefusal.CHILD_OF_AGE: "child",
    LinkRefusal.DOCUMENT_DIFFERS: "document",
}


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """A child as a guardian names them; the birth date only where the document's number does not tell it."""

    name: str
    id_type: IdType
    id_number: str
    birth_date: date | None


async def request(write: Write, asked: Asked, kind: EvidenceKind, reference: str) -> Decided | Problem:
    """Ask for a link to a child. The answer is the same whether the child is on record or not.

    Problems: WRITE_DENIED, ITEM_INVALID, NEVER_COLLECTED, AGE_UNKNOWN (the number tells no birth date), and those of
    `privacy.guardians.request`. It counts as an attempt. Raises RATE_LIMITED.
    """
    found = await target(write, "User", write.subject.person)
    if isinstance(found, Problem):
        return found
    child = _child(write, asked)
    if isinstance(child, Problem):
        return child
    filed = plain_words(reference, "evidence.reference", _LONGEST_REFERENCE)
    if isinstance(filed, Problem):
        return filed
    await write.count_attempt()
    return _told(write, await guardians.request(_desk(write), found.id, child, Evidence(kind, filed)))


async def verify(
    write: Write, named: str, verdict: Verdict, *, document: Document | None, note: str | None
) -> Decided | Problem:
    """Decide on a request, having seen the document; to verify needs what stands in it. Raises RATE_LIMITED."""
    refused = without_target(write)
    if refused:
        return refused
    link = record_named(named)
    if link is None:
        return _told(write, LinkRefusal.LINK_UNKNOWN)
    said = None if note is None else plain_words(note, "note", _LONGEST_NOTE)
    if isinstance(said, Problem):
        return said
    if verdict is Verdict.REJECTED:
        return _told(write, await guardians.refuse(_desk(write), link, by=_by(write), note=said))
    if document is None:
        message = "To verify a link, give what the document says of guardian and child."
        return Problem(ProblemCode.ITEM_MISSING, message, field="document", clause="C73")
    # What is compared could be guessed.
    await write.count_attempt()
    return _told(write, await guardians.verify(_desk(write), link, document, by=_by(write), note=said))


async def revoke(write: Write, named: str) -> Decided | Problem:
    """End a link or take back a request: one's own, as a child of age one's guardian's, as an officer anybody's."""
    person = write.subject.person if write.subject.role in PERSON_ROLES else None
    if write.subject.role in PERSON_ROLES:
        found = await target(write, "User", person)
        refused = found if isinstance(found, Problem) else None
    else:
        refused = without_target(write)
    if refused:
        return refused
    link = record_named(named)
    if link is None:
        return _told(write, LinkRefusal.LINK_UNKNOWN)
    return _told(write, await guardians.revoke(_desk(write), link, by=_by(write), person=person))


def _desk(write: Write) -> Desk:
    age, relays = write.reader.bundle.age_of_majority, write.reader.relays
    return Desk(write.connection, write.accounts.keyring, write.now, age, relays)


def _by(write: Write) -> str:
    account: UUID | None = write.subject.account
    return str(account)


def _child(write: Write, asked: Asked) -> Child | Problem:
    try:
        name = person_name(asked.name)
    except FormatError as expected:
        return invalid("child.name", str(expected))
    try:
        identity = identity_number(asked.id_type, asked.id_number, today=write.today)
    except FormatError as expected:
        return invalid("child.idNumber", str(expected))
    birth = identity.birth_date or asked.birth_date
    if birth is None or birth > write.today:
        message = "This document's number tells no birth date: give the one that stands in it."
        return Problem(ProblemCode.AGE_UNKNOWN, message, field="child.birthDate", clause="C71")
    if asked.birth_date not in (None, birth):
        return invalid("child.birthDate", "The number tells another birth date. Give the document's, or none.")
    return Child(name, asked.id_type, identity.number, birth.isoformat())


def _told(write: Write, found: Found) -> Decided | Problem:
    if isinstance(found, Decided):
        write.people += found.people
        return found
    clause = _CLAUSES.get(found, "C73")
    return Problem(ProblemCode[found.name], found.message, field=_FIELDS.get(found), clause=clause)
