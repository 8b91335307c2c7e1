"""Verification cases: opened by whoever handles the matter, recorded by whoever verifies, closed by either (C11)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from models.cases import Aspect, VerificationOutcome
from models.organizations import OrganizationKind
from models.vocabulary import Purpose, Role, to_bits
from privacy import verification
from privacy.verification import Assignee, Case, Matter, Result, Source
from resolvers.payloads import Problem, ProblemCode, Standing, Write
from resolvers.registry import NOUNS
from resolvers.writing.items import invalid
from resolvers.writing.plain_words import plain_words
from resolvers.writing.rows import opened
from resolvers.writing.targets import Target, not_found, target

_LONGEST_SOURCE = 120
_LONGEST_NOTE = 120
_CLAUSE = "C11"
_MATTER = {Purpose.CLAIM_HANDLING: "Claim", Purpose.APPLICATION: "Policy"}
"""What a case is about, by the purpose it is opened under."""

_ORGANIZATION = "SELECT id FROM organization WHERE code = $1"
_PROVIDER = "SELECT id FROM organization WHERE code = $1 AND kind = $2"
_ANALYST = "SELECT id FROM staff WHERE username = $1 AND role = $2 AND left_at IS NULL"
_PERSON = "SELECT * FROM person WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Named:
    """A source or an assignee as a client names it: exactly one of the two."""

    organization: str | None
    other: str | None
    """The name of an authority or institution, or the work name of an analyst."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A case as it is asked for; without `consent` the latest one that fits is taken."""

    user: UUID
    claim: UUID | None
    policy: UUID | None
    consent: UUID | None
    source: Named
    assignee: Named
    aspects: Sequence[Aspect]


async def open_case(write: Write, wanted: Wanted) -> Case | Problem:
    """Open a case on one's own claim or application about its policyholder or insured.

    Problems, beside a target's: ITEM_INVALID, NOTHING_GIVEN (no aspect), SOURCE_UNKNOWN, ASSIGNEE_UNKNOWN, and
    CONSENT_REQUIRED where no live consent of the person fits, whichever way it does not; AGE_UNKNOWN where only a
    guardian's would, and there is none, because nobody knows whether the person is of age.
    """
    found = await _asked(write, wanted)
    if isinstance(found, Problem):
        return found
    source, assignee = found
    of_age = await _is_of_age(write, wanted.user)
    consent = await verification.consent_for(
        write.connection,
        wanted.user,
        named=wanted.consent,
        recipient=assignee.organization,
        aspects=wanted.aspects,
        apart=to_bits(write.reader.bundle.consent.apart),
        of_age=of_age is True,
    )
    if consent is None:
        return _AGE_UNKNOWN if of_age is None else _CONSENT_REQUIRED
    made = await verification.open_case(
        write.connection,
        wanted.user,
        Matter(wanted.claim, wanted.policy),
        consent=consent,
        source=source,
        aspects=wanted.aspects,
        assignee=assignee,
        by=_by(write),
        now=write.now,
    )
    return await verification.locked_case(write.connection, made, _by(write)) or _unknown()


async def record(  # noqa: PLR0913 - what a source says
    write: Write, case: UUID, source: Named, *, aspect: Aspect, outcome: VerificationOutcome, note: str | None
) -> Case | Problem:
    """Keep what the case's source said of one of its aspects, while case and consent are live."""
    found = await _in_hand(write, case)
    if isinstance(found, Problem):
        return found
    refused = _not_live(write, found) or await _not_its(write, found, source, aspect)
    if refused:
        return refused
    said = None if note is None else plain_words(note, "note", _LONGEST_NOTE)
    if isinstance(said, Problem):
        return said
    await verification.record(write.connection, case, Result(aspect, outcome, said, write.now), by=_by(write))
    return found


async def close(write: Write, case: UUID) -> Case | Problem:
    """End a case: whoever opened it, or whoever has it in hand."""
    found = await (_in_hand(write, case) if write.purpose is Purpose.VERIFICATION else _own(write, case))
    if isinstance(found, Problem):
        return found
    if found.closed_at is not None:
        return _closed(found)
    await verification.close_case(write.connection, case, now=write.now)
    return replace(found, closed_at=write.now)


async def _asked(write: Write, wanted: Wanted) -> tuple[Source, Assignee] | Problem:
    """Whom to ask and who does, once it is clear that it is about the caller's own matter and one of its people."""
    matter = await _matter(write, wanted)
    if isinstance(matter, Problem):
        return matter
    if wanted.user not in (matter.row["holder_id"], matter.row["insured_id"]):
        return replace(not_found(), field="user")
    write.people.append(wanted.user)
    if not wanted.aspects:
        return Problem(ProblemCode.NOTHING_GIVEN, "Name what is to be verified.", field="aspects", clause=_CLAUSE)
    source = await _source(write, wanted.source)
    if isinstance(source, Problem):
        return source
    assignee = await _assignee(write, wanted.assignee)
    return assignee if isinstance(assignee, Problem) else (source, assignee)


def _not_live(write: Write, found: Case) -> Problem | None:
    if found.closed_at is not None:
        return _closed(found)
    return None if found.consented and found.recipient == write.subject.organization else _CONSENT_REQUIRED


async def _not_its(write: Write, found: Case, source: Named, aspect: Aspect) -> Problem | None:
    """Why nothing that this source says of this aspect belongs to a case."""
    if aspect not in found.aspects:
        return invalid("aspect", "The case is about other aspects. Have another one opened for this one.")
    named = await _source(write, source)
    if isinstance(named, Problem) or named == found.source:
        return named if isinstance(named, Problem) else None
    message = "The case names another source: whoever else is asked needs a case of its own."
    return Problem(ProblemCode.SOURCE_DIFFERS, message, field="source", clause=_CLAUSE)


async def _matter(write: Write, wanted: Wanted) -> Target | Problem:
    noun = _MATTER.get(write.purpose, "Claim")
    given, other = (wanted.claim, wanted.policy) if noun == "Claim" else (wanted.policy, wanted.claim)
    field = noun.lower()
    if given is None or other is not None:
        message = "A claims handler names the claim, a broker agent the policy that is applied for: one of them."
        return invalid(field, message)
    found = await target(write, noun, given)
    if isinstance(found, Problem):
        return replace(found, field=field) if found.code is ProblemCode.NOT_FOUND else found
    if found.row["status"] == "DRAFT":
        message = "Nothing is verified for a draft. Have it submitted first."
        return Problem(ProblemCode.WRONG_STATUS, message, standing=Standing("DRAFT", found.row["version"]))
    return found


async def _own(write: Write, case: UUID) -> Case | Problem:
    """A case that the caller opened, on a matter that is still theirs."""
    found = await _found(write, case)
    noun = _MATTER.get(write.purpose, "Claim")
    matter = None if found is None else found.matter.claim if noun == "Claim" else found.matter.policy
    reached = await target(write, noun, matter)
    if isinstance(reached, Problem):
        return replace(reached, field="case") if reached.code is ProblemCode.NOT_FOUND else reached
    if found is None or found.opened_by != _by(write):
        return _unknown()
    return found


async def _in_hand(write: Write, case: UUID) -> Case | Problem:
    """A case that is assigned to the caller."""
    found = await _found(write, case)
    reached = await target(write, "User", found.person if found else None)
    if isinstance(reached, Problem):
        return replace(reached, field="case") if reached.code is ProblemCode.NOT_FOUND else reached
    return found if found is not None and found.assigned else _unknown()


async def _found(write: Write, case: UUID) -> Case | None:
    """A case, and whatever becomes of the write: it is about the case's person."""
    found = await verification.locked_case(write.connection, case, write.subject.identity)
    if found is not None:
        write.people.append(found.person)
    return found


def _by(write: Write) -> UUID:
    identity = write.subject.identity
    if identity is None:
        message = "a case without anybody who handles it"
        raise TypeError(message)
    return identity


def _unknown() -> Problem:
    return replace(not_found(), field="case")


_CONSENT_REQUIRED = Problem(
    ProblemCode.CONSENT_REQUIRED,
    "No consent of this person to such a verification stands, or not to all that it needs, or for another recipient."
    " Ask them for one (grantConsent).",
    field="consent",
    clause=_CLAUSE,
    consequence="Nothing is verified with anybody.",
)
_AGE_UNKNOWN = Problem(
    ProblemCode.AGE_UNKNOWN,
    "It is not known whether this person is of age, and no guardian's consent to it stands. Have their birth date put"
    " on record, or ask a guardian for one (grantConsent).",
    field="user",
    clause=_CLAUSE,
    consequence="Nothing is verified with anybody.",
)


def _closed(found: Case) -> Problem:
    return Problem(
        ProblemCode.CASE_CLOSED,
        "This case is closed. Have another one opened, if something is still to be verified.",
        field="case",
        clause=_CLAUSE,
        consequence=f"It was closed at {found.closed_at:%Y-%m-%dT%H:%MZ}." if found.closed_at else None,
    )


async def _source(write: Write, named: Named) -> Source | Problem:
    if (named.organization is None) is (named.other is None):
        return invalid("source", "Name one source: an organization's code, or an authority or institution by its name.")
    if named.organization is not None:
        found = await write.connection.fetchval(_ORGANIZATION, named.organization)
        if found is None:
            message = "There is no organization of that code. Check the code, or give the institution's name."
            return Problem(ProblemCode.SOURCE_UNKNOWN, message, field="source.organization", clause=_CLAUSE)
        return Source(named.organization, found)
    name = plain_words(named.other or "", "source.name", _LONGEST_SOURCE)
    return name if isinstance(name, Problem) else Source(name)


async def _assignee(write: Write, named: Named) -> Assignee | Problem:
    if (named.organization is None) is (named.other is None):
        return invalid("assignee", "Say who verifies: an analyst's work name, or a service provider's code.")
    fetch: Any = write.connection.fetchval
    if named.organization is not None:
        provider = await fetch(_PROVIDER, named.organization, OrganizationKind.SERVICE_PROVIDER.value)
        return Assignee(organization=provider) if provider else _nobody("assignee.serviceProvider")
    analyst = await fetch(_ANALYST, named.other, Role.RISK_ANALYST.value)
    return Assignee(staff=analyst) if analyst else _nobody("assignee.analyst")


def _nobody(field: str) -> Problem:
    message = "There is no risk analyst of that work name, or no service provider of that code. Check it."
    return Problem(ProblemCode.ASSIGNEE_UNKNOWN, message, field=field, clause=_CLAUSE)


async def _is_of_age(write: Write, person: UUID) -> bool | None:
    """None where nobody knows: no birth date is on record."""
    row = await write.connection.fetchrow(_PERSON, person)
    birth = (await opened(write, NOUNS["User"], row, owner=person, fields=("birthDate",)))["birthDate"]
    return None if birth is None else not write.is_minor(birth)
