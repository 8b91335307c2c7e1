"""Policies once they were applied for: underwritten, paid, withdrawn, surrendered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from models import formats
from models.formats import FormatError
from models.lifecycles import Event
from models.policies import PolicyStatus
from models.vocabulary import Purpose, Role
from privacy.relays import after_contract
from resolvers.payloads import Problem, Write, Written
from resolvers.registry import NOUNS
from resolvers.writing.items import invalid
from resolvers.writing.minors import guarded_profile
from resolvers.writing.people import locked_person
from resolvers.writing.rows import change, sealed
from resolvers.writing.targets import Target, may_give, target

LONGEST_COVER = timedelta(days=366 * 110)
"""A whole life."""
START_WITHIN = timedelta(days=366)
"""How far from today, either way, the first day of cover can be."""


class UnderwritingOutcome(StrEnum):
    """What an underwriter did or decided."""

    BEGIN = "BEGIN"
    ACCEPT = "ACCEPT"
    DECLINE = "DECLINE"


_EVENTS = {
    UnderwritingOutcome.BEGIN: Event.UNDERWRITING_BEGUN,
    UnderwritingOutcome.ACCEPT: Event.UNDERWRITING_ACCEPTED,
    UnderwritingOutcome.DECLINE: Event.UNDERWRITING_DECLINED,
}


@dataclass(frozen=True, slots=True)
class Underwriting:
    """An underwriter's word; the premium, in yuan, comes with acceptance and only then."""

    outcome: UnderwritingOutcome
    premium: Decimal | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Cover:
    """The first and the last day of cover, as far as they are given."""

    starts_on: date | None = None
    ends_on: date | None = None


async def withdraw_application(write: Write, policy: UUID | None, *, if_version: int | None) -> Written | Problem:
    """End an application; the policy never begins, so it has no dates."""
    event = Event.WITHDRAW_APPLICATION
    found = await target(write, "Policy", policy, event=event, if_version=if_version)
    if isinstance(found, Problem):
        return found
    return await of_age(write, found) or await change(write, found, {}, event)


async def of_age(write: Write, found: Target) -> Problem | None:
    """A holder under age disposes of a policy with a guardian's consent only (C71)."""
    if write.subject.person is None:
        return None
    holder = await locked_person(write, found.row["holder_id"])
    return await guarded_profile(write, holder, purpose=Purpose.APPLICATION)


async def record_underwriting(
    write: Write, policy: UUID | None, said: Underwriting, *, if_version: int | None
) -> Written | Problem:
    """Take an application on, accept it at a premium, or decline it."""
    event = _EVENTS[said.outcome]
    found = await target(write, "Policy", policy, event=event, if_version=if_version)
    if isinstance(found, Problem):
        return found
    premium = _premium(said)
    if isinstance(premium, Problem):
        return premium
    refused = may_give(write, found, {name: f"Policy.{name}" for name in premium})
    if refused:
        return refused
    columns = await sealed(write, NOUNS["Policy"], found.id, owner=found.row["holder_id"], values=premium)
    return await change(write, found, columns, event)


def _premium(said: Underwriting) -> dict[str, str] | Problem:
    accepted = said.outcome is UnderwritingOutcome.ACCEPT
    if said.premium is None:
        return invalid("premium", "Give the premium to accept at.") if accepted else {}
    if not accepted:
        return invalid("premium", "A premium comes with ACCEPT only. Leave it out.")
    try:
        amount = formats.amount(said.premium)
    except FormatError as expected:
        return invalid("premium", str(expected))
    return {"premium": str(amount)} if amount else invalid("premium", "A premium is more than nothing.")


async def record_payment(
    write: Write, policy: UUID | None, cover: Cover, *, if_version: int | None
) -> Written | Problem:
    """Put a policy in force with its premium: the first one begins the cover, one in grace goes on with it."""
    event = Event.RECORD_PAYMENT
    found = await target(write, "Policy", policy, event=event, if_version=if_version)
    if isinstance(found, Problem):
        return found
    begins = found.row["status"] == PolicyStatus.AWAITING_PAYMENT
    dates = _begun(cover, write) if begins else _continued(cover, found)
    return dates if isinstance(dates, Problem) else await _settled(write, found, dates, event)


async def _settled(write: Write, found: Target, dates: Mapping[str, date], event: Event) -> Written:
    """Where a contract begins or ends, so do the relay numbers that it makes needless or due (C22)."""
    done = await change(write, found, dates, event)
    await after_contract(write.connection, write.reader.relays, found.id, now=write.now)
    return done


def _begun(cover: Cover, write: Write) -> dict[str, date] | Problem:
    starts, ends, today = cover.starts_on, cover.ends_on, write.today
    if starts is None:
        return invalid("startsOn", "Give the first day of cover.")
    if ends is None:
        return invalid("endsOn", "Give the last day of cover.")
    if abs(starts - today) > START_WITHIN:
        return invalid("startsOn", "Cover begins within a year from today, either way.")
    if starts < today and write.subject.role != Role.INSURER:
        return invalid("startsOn", "Only the insurer lets cover begin in the past. Give today or a later day.")
    return _invalid_end(ends, starts=starts, after=max(starts, today)) or {"starts_on": starts, "ends_on": ends}


def _continued(cover: Cover, found: Target) -> dict[str, date] | Problem:
    starts, ends = found.row["starts_on"], found.row["ends_on"]
    if cover.starts_on not in (None, starts):
        return invalid("startsOn", "Cover has begun already. Leave this out.")
    if cover.ends_on is None:
        return {}
    refused = _invalid_end(cover.ends_on, starts=starts, after=ends + timedelta(days=1))
    return refused or {"ends_on": cover.ends_on}


def _invalid_end(ends: date, *, starts: date, after: date) -> Problem | None:
    """`after`: the first day that it can be."""
    if after <= ends <= starts + LONGEST_COVER:
        return None
    return invalid("endsOn", f"The last day of cover is {after} or later, and within a human life.")


async def surrender(write: Write, policy: UUID | None, *, if_version: int | None) -> Written | Problem:
    """End a running policy today at its holder's wish, or earlier where its term was over."""
    event = Event.SURRENDER_POLICY
    found = await target(write, "Policy", policy, event=event, if_version=if_version)
    if isinstance(found, Problem):
        return found
    starts, ends = found.row["starts_on"], found.row["ends_on"]
    # Cover is never prolonged by its end, and what has not begun ends on its first day.
    last = max(starts or write.today, min(ends or write.today, write.today))
    return await of_age(write, found) or await _settled(write, found, {"ends_on": last}, event)
