"""Consents: given by the person or a guardian, per purpose and recipient, and taken back by either (C32, C68)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from models.vocabulary import Category, Purpose, to_bits
from privacy import consents
from privacy.consents import Wanted
from privacy.guardianship import guards
from privacy.notices import standing
from privacy.relays import RELAYED, after_consent
from resolvers.payloads import Problem, ProblemCode, Write, Written
from resolvers.writing.minors import not_alone
from resolvers.writing.targets import Target, not_found, not_listed, out_of_question, target

_NOTHING = "Nothing was agreed to; what was before goes on as it is."


async def grant_consent(  # noqa: PLR0913 - what a consent says
    write: Write,
    user: UUID | None,
    *,
    purpose: Purpose,
    recipient: str | None,
    categories: Sequence[Category],
    notice_hash: str,
    expires_at: datetime | None,
) -> Written | Problem:
    """Agree to one purpose of one recipient, for the caller or, by `user`, a ward; in place of what was agreed before.

    Problems: MINOR_NEEDS_GUARDIAN (C71), RECIPIENT_UNKNOWN, those of `privacy.consents.Why`, TRY_LATER.
    """
    found = await person_meant(write, user)
    if isinstance(found, Problem):
        return found
    known = await consents.recipient_of(write.connection, recipient)
    if known is None:
        message = "There is no such organization. Give its code; leave it out to agree with the brokerage itself."
        return Problem(ProblemCode.RECIPIENT_UNKNOWN, message, field="recipient", clause="C32", consequence=_NOTHING)
    wanted = Wanted(purpose, known, to_bits(set(categories)), notice_hash, expires_at)
    refused = not_listed(write, wanted.categories) or await not_alone(write, found.row, consequence=_NOTHING)
    return refused or await _granted(write, found.id, wanted)


async def person_meant(write: Write, user: UUID | None) -> Target | Problem:
    """Oneself or, by `user`, a ward, whose row is locked: for what is begun anew about a person."""
    refused = out_of_question(write)
    if refused:
        return refused
    found = await target(write, "User", user or write.subject.person)
    caller = write.subject.person
    if (
        isinstance(found, Target)
        and caller not in (None, found.id)
        and not await guards(write.connection, caller, found.id)
    ):
        # The link has been ended since it was looked for.
        found = not_found()
    if isinstance(found, Problem) and found.code is ProblemCode.NOT_FOUND:
        message = "There is no such person for you. A guardian names the ward by `user`."
        return replace(found, message=message, field="user")
    return found


async def _granted(write: Write, person: UUID, wanted: Wanted) -> Written | Problem:
    version = await standing(write.connection, person, now=write.now)
    bundle = write.reader.bundle
    refused = consents.refusal_of(wanted, version=version, bundle=bundle, now=write.now)
    if refused:
        code = ProblemCode(refused.why.value)
        return Problem(code, refused.text, field=refused.field, clause=refused.clause, consequence=_NOTHING)
    wait = await consents.retry_after(write.connection, person, now=write.now)
    if wait is not None:
        message = "So much was agreed to today that no more is taken. Try again later."
        return Problem(ProblemCode.TRY_LATER, message, clause="C32", retry_after=wait)
    made = await consents.grant(
        write.connection,
        person,
        wanted,
        version=version,
        bundle=bundle,
        guardian=None if write.subject.person == person else write.subject.person,
        keyring=write.accounts.keyring,
        clock=write.reader.clock,
    )
    if wanted.purpose in RELAYED:
        await after_consent(write.connection, write.reader.relays, person, wanted.recipient.id, now=write.now)
    return Written("Consent", made)


async def withdraw_consent(write: Write, consent: UUID) -> Written | Problem:
    """Take one consent back: what rests on it stops with the next read, and nothing else does (C68).

    It is everybody's right whatever their age, and whoever gave it for them: to take back only narrows. One that has
    ended already stays as it is.
    """
    found = await target(write, "Consent", consent)
    if isinstance(found, Problem):
        return found
    by = write.subject.person
    if by is None:
        message = "a rule lets somebody who is no person take back a consent"
        raise TypeError(message)
    await consents.withdraw(write.connection, found.id, by=by, now=write.reader.clock())
    if found.row["purpose"] in RELAYED:
        person, recipient = found.row["person_id"], found.row["recipient_id"]
        await after_consent(write.connection, write.reader.relays, person, recipient, now=write.now)
    return Written("Consent", found.id)
