"""Disclosure cases, opened, reviewed, handed on and closed by officers; what persons chose (C25, C33, C34, C42-C45)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from models.disclosures import (
    DisclosureKind,
    DocumentKind,
    LawfulException,
    PublicItem,
    PublicManner,
    TransferBasis,
)
from models.rulesets import Verdict
from models.vocabulary import Category, to_bits
from privacy import disclosure_choices, disclosures
from privacy.consents import recipient_of
from privacy.disclosure_terms import CLAUSES, Lack, Unfit, unfit
from privacy.disclosures import Case, CaseState, Document, Secrecy, Wanted
from resolvers.payloads import Item, Problem, ProblemCode, Write, Written
from resolvers.problems import unavailable
from resolvers.rulesets import record_named
from resolvers.writing.consents import person_meant
from resolvers.writing.items import invalid
from resolvers.writing.minors import not_alone
from resolvers.writing.plain_words import plain_words
from resolvers.writing.targets import not_listed, without_target
from vault.blind import blind

LONGEST_WORDS = 120
LONGEST_NOTE = 200
LONGEST_REFERENCE = 64
LONGEST_NUMBER = 32
_NOTHING = "Nothing is disclosed."
_UNCHANGED = "Everything is as it was."
_NOBODY_BOUND = "public"


@dataclass(frozen=True, slots=True)
class Asked:
    """A case as an officer asks for it: words as they were typed, ids that were read, codes that nobody knows yet."""

    kind: DisclosureKind
    persons: Sequence[UUID]
    categories: Sequence[Category]
    expires_at: datetime
    exception: LawfulException | None
    authority: str | None
    recipient: str | None
    document: tuple[DocumentKind, str, str] | None
    justification: str | None
    basis: TransferBasis | None
    undertaking: str | None
    manner: PublicManner | None
    items: Sequence[PublicItem]
    secrecy: tuple[datetime, str] | None
    numbers: Sequence[str] = field(default=(), repr=False)
    """Numbers of documents of identity, as the authority's letter gives them: whoever has them is meant as well."""


async def open_case(write: Write, asked: Asked) -> Case | Problem:
    """Open a case; it opens nothing until another officer approves it.

    Problems: WRITE_DENIED, ITEM_MISSING with everything that is, ITEM_INVALID, NEVER_COLLECTED, EXPIRY_INVALID,
    RECIPIENT_UNKNOWN, PERSON_UNKNOWN, ITEM_NOT_CHOSEN.
    """
    refused = without_target(write)
    if refused:
        return refused
    words = _words(asked)
    if isinstance(words, Problem):
        return words
    receiver = None if asked.recipient is None else await recipient_of(write.connection, asked.recipient)
    if asked.recipient is not None and receiver is None:
        message = "There is no such organization outside the brokerage. Give its code."
        return Problem(ProblemCode.RECIPIENT_UNKNOWN, message, field="recipient", clause=CLAUSES[asked.kind])
    if not all(one.isprintable() and 0 < len(one) <= LONGEST_NUMBER for one in asked.numbers):
        return invalid("idNumbers", f"A number of 1 to {LONGEST_NUMBER} printable characters.")
    # Only their digests are looked up, and nothing of them is kept: the case has the persons.
    digests = [blind(write.accounts.keyring, "id_number", one) for one in asked.numbers]
    found, nobodys = await disclosures.numbered(write.connection, digests)
    wanted = _wanted(asked, words, None if receiver is None else receiver.id, [*asked.persons, *found])
    lacking = [*_nobody_named(asked), *unfit(wanted, now=write.now)]
    if nobodys:
        lacking = [one for one in lacking if one.field != "users"]
    return _unfit(lacking) or _nobodys(nobodys) or await _not_theirs(write, wanted) or await _opened(write, wanted)


async def review_case(write: Write, named: str, verdict: Verdict, note: str) -> Case | Problem:
    """Approve or reject a case that somebody else opened; once (C45)."""
    found = await _named(write, named)
    if isinstance(found, Problem):
        return found
    said = plain_words(note, "note", LONGEST_NOTE)
    if isinstance(said, Problem):
        return said
    by = _officer(write)
    if by == found.row["opened_by"]:
        message = "Nobody reviews what they opened. Ask another privacy officer."
        return Problem(ProblemCode.OWN_CASE, message, clause="C45", consequence=_UNCHANGED)
    refused = _not_in(write, found, CaseState.PROPOSED)
    if refused:
        return refused
    approved = verdict is Verdict.APPROVED
    await disclosures.review(write.connection, found.id, approved=approved, note=said, by=by, now=write.reader.clock())
    return await _again(write, found)


async def close_case(write: Write, named: str) -> Case | Problem:
    """End a case: from the next read on nothing is shown by it."""
    found = await _named(write, named)
    if isinstance(found, Problem):
        return found
    refused = _not_in(write, found, CaseState.PROPOSED, CaseState.APPROVED)
    if refused:
        return refused
    await disclosures.close(write.connection, found.id, by=_officer(write), now=write.reader.clock())
    return await _again(write, found)


async def assign_case(write: Write, named: str, username: str) -> Case | Problem:
    """Put a case into the hands of one officer, and out of everybody else's."""
    found = await _named(write, named)
    if isinstance(found, Problem):
        return found
    refused = _not_in(write, found, CaseState.PROPOSED, CaseState.APPROVED)
    if refused:
        return refused
    to = await disclosures.officer(write.connection, username)
    if to is None:
        message = "No privacy officer of this work name works here."
        return Problem(ProblemCode.ASSIGNEE_UNKNOWN, message, field="officer", clause="C46")
    await disclosures.assign(write.connection, found.id, to, now=write.reader.clock())
    return await _again(write, found)


async def choose_public(
    write: Write, user: UUID | None, manner: PublicManner, items: Sequence[PublicItem]
) -> Written | Problem:
    """Choose what of oneself, or of a ward, may be made public in a manner; none takes it back (C44)."""
    categories = to_bits({write.snapshot.catalogue[item.value].category for item in items})
    person = await _chooser(write, user, categories)
    if isinstance(person, Problem):
        return person
    chosen = sum(item.bit for item in set(items))
    now = write.reader.clock()
    await disclosure_choices.choose_public(write.connection, person, manner, chosen, by=_person(write), now=now)
    return Written("User", person)


async def agree_to_transfer(
    write: Write, user: UUID | None, recipient: str, categories: Sequence[Category]
) -> Written | Problem:
    """Agree that an organization which asks takes over some categories; none takes it back (C42, C43)."""
    bits = to_bits(set(categories))
    person = await _chooser(write, user, bits)
    if isinstance(person, Problem):
        return person
    found, now = await recipient_of(write.connection, recipient), write.reader.clock()
    if (
        found is None
        or found.id is None
        or (bits and not await disclosure_choices.asked_by(write.connection, person, found.id, now=now))
    ):
        message = "No such organization asks to take your data over. Give its code, as the letter to you does."
        return Problem(ProblemCode.RECIPIENT_UNKNOWN, message, field="recipient", clause="C43", consequence=_UNCHANGED)
    await disclosure_choices.agree(write.connection, person, found.id, bits, by=_person(write), now=now)
    return Written("User", person)


# What is given.


def _words(asked: Asked) -> Mapping[str, str | None] | Problem:
    """Every word of it, fit to be shown beside a case; by its place in the input."""
    document, secrecy = asked.document, asked.secrecy
    given = {
        "authority": (asked.authority, LONGEST_WORDS),
        "document.reference": (document and document[1], LONGEST_WORDS),
        "document.filed": (document and document[2], LONGEST_REFERENCE),
        "justification": (asked.justification, LONGEST_NOTE),
        "undertaking": (asked.undertaking, LONGEST_REFERENCE),
        "secrecy.ground": (secrecy and secrecy[1], LONGEST_WORDS),
    }
    found: dict[str, str | None] = {}
    for where, (text, longest) in given.items():
        said = None if text is None else plain_words(text, where, longest)
        if isinstance(said, Problem):
            return said
        found[where] = said
    return found


def _wanted(asked: Asked, words: Mapping[str, str | None], receiver: UUID | None, persons: Sequence[UUID]) -> Wanted:
    reference, filed, ground = words["document.reference"], words["document.filed"], words["secrecy.ground"]
    document = Document(asked.document[0], reference, filed) if asked.document and reference and filed else None
    return Wanted(
        kind=asked.kind,
        authority=words["authority"] or asked.recipient or _NOBODY_BOUND,
        persons=persons,
        categories=to_bits(set(asked.categories)),
        expires_at=asked.expires_at,
        exception=asked.exception,
        document=document,
        justification=words["justification"],
        basis=asked.basis,
        undertaking=words["undertaking"],
        receiver=receiver,
        manner=asked.manner,
        items=sum(item.bit for item in set(asked.items)) or None,
        secrecy=Secrecy(asked.secrecy[0], ground) if asked.secrecy and ground else None,
    )


def _nobody_named(asked: Asked) -> list[Unfit]:
    if asked.authority is not None or asked.recipient is not None or asked.kind is DisclosureKind.PUBLIC:
        return []
    text = "Name the authority, the court, or whoever it is disclosed to."
    return [Unfit(Lack.MISSING, "authority", text, CLAUSES[asked.kind])]


_CODES = {Lack.MISPLACED: ProblemCode.ITEM_INVALID, Lack.EXPIRY: ProblemCode.EXPIRY_INVALID}


def _unfit(lacking: Sequence[Unfit]) -> Problem | None:
    """What is missing, all at once; else the first that is wrong."""
    missing = [one for one in lacking if one.lack is Lack.MISSING]
    if missing:
        items = tuple(Item(one.field, one.clause) for one in missing)
        message = " ".join(one.text for one in missing)
        first = missing[0]
        return Problem(ProblemCode.ITEM_MISSING, message, first.field, first.clause, _NOTHING, items=items)
    for one in lacking:
        return Problem(_CODES[one.lack], one.text, one.field, one.clause, _NOTHING)
    return None


def _nobodys(numbers: int) -> Problem | None:
    if not numbers:
        return None
    message = (
        f"{numbers} of these numbers are nobody's, or of several records. Leave them out, and answer the letter so."
    )
    return Problem(ProblemCode.PERSON_UNKNOWN, message, "idNumbers", "C25", _NOTHING)


async def _not_theirs(write: Write, wanted: Wanted) -> Problem | None:
    unknown = await disclosures.unknown_persons(write.connection, wanted.persons)
    if unknown:
        message = f"{unknown} of these are nobody. Give ids of users as the API returned them."
        return Problem(ProblemCode.PERSON_UNKNOWN, message, "users", "C25", _NOTHING)
    if wanted.manner is None or not wanted.items:
        return None
    others = await disclosures.not_chosen(write.connection, wanted.persons, wanted.manner, wanted.items)
    if not others:
        return None
    message = f"{others} of these did not choose all of these items for {wanted.manner}: disclose only what they chose."
    return Problem(ProblemCode.ITEM_NOT_CHOSEN, message, "items", "C44", _NOTHING)


async def _opened(write: Write, wanted: Wanted) -> Case | Problem:
    made = await disclosures.open_case(write.connection, wanted, by=_officer(write), now=write.now)
    write.people.extend(wanted.persons)
    write.record = f"d{made.hex}"
    found = await disclosures.locked(write.connection, made)
    return found or _unknown()


# What there is.


async def _named(write: Write, named: str) -> Case | Problem:
    """The case of an id, locked; persons and record go into the ledger."""
    refused = without_target(write)
    if refused:
        return refused
    case = record_named(named)
    found = case and await disclosures.locked(write.connection, case)
    return found or _unknown()


async def _again(write: Write, found: Case) -> Case | Problem:
    """The case as it stands now that it was changed; its persons find that in their history, once they may."""
    write.people.extend(await disclosures.persons_of(write.connection.fetch, found.id))
    write.record = f"d{found.id.hex}"
    return await disclosures.locked(write.connection, found.id) or _unknown()


def _not_in(write: Write, found: Case, *allowed: CaseState) -> Problem | None:
    state = found.state(write.reader.clock())
    if state in allowed:
        return None
    message = f"The case is {state}: this needs one that is {' or '.join(allowed)}. Open another one, if need be."
    return Problem(ProblemCode.CASE_STATE, message, field="id", clause="C25", consequence=_UNCHANGED)


def _unknown() -> Problem:
    message = "There is no such case. Take its id from disclosureCases."
    return Problem(ProblemCode.CASE_UNKNOWN, message, field="id", clause="C25")


# Who asks.


def _officer(write: Write) -> UUID:
    if write.subject.account is None:
        # No rule lets anybody but staff do this.
        raise unavailable()
    return UUID(bytes=write.subject.account.bytes)


def _person(write: Write) -> UUID:
    if write.subject.person is None:
        # No rule lets anybody but a person choose.
        raise unavailable()
    return write.subject.person


async def _chooser(write: Write, user: UUID | None, categories: int) -> UUID | Problem:
    """Of whom the caller may choose this: of themselves when of age, or as a guardian of a ward (C71)."""
    found: Any = await person_meant(write, user)
    if isinstance(found, Problem):
        return found
    refused = not_listed(write, categories) or await not_alone(write, found.row, consequence=_UNCHANGED)
    if refused:
        return refused
    if await disclosure_choices.too_many(write.connection, found.id):
        message = "So much was chosen already that no more is taken. Ask the privacy officer."
        return replace(_unknown(), code=ProblemCode.CHOICE_CEILING, message=message, field=None, clause="C44")
    return UUID(bytes=found.id.bytes)
