"""Decisions on grants: recertified, lapsed or restored by the security team (C56)."""

from dataclasses import dataclass
from uuid import UUID

from authz import reviews
from authz.grants import Grant, codes, holder_named
from authz.reviews import Decided, Reviewer, ReviewRefusal
from models.vocabulary import Category, Purpose
from resolvers.payloads import Problem, ProblemCode, Write
from resolvers.writing.targets import without_target

_CLAUSE = "C56"
_FIELDS = {ReviewRefusal.DAYS_INVALID: "days"}


@dataclass(frozen=True, slots=True)
class Named:
    """A grant as a client names it: `holder` is a role, or the code of a partner."""

    holder: str
    purpose: Purpose
    category: Category


async def recertify(write: Write, named: Named, *, days: int) -> Decided | Problem:
    """Keep a grant for some days, used or not."""
    grant = await _grant(write, named)
    if isinstance(grant, Problem):
        return grant
    decided = await reviews.recertify(write.connection, grant, days=days, reviewer=_reviewer(write), now=write.now)
    return _told(decided)


async def lapse(write: Write, named: Named) -> Decided | Problem:
    """End a grant."""
    grant = await _grant(write, named)
    if isinstance(grant, Problem):
        return grant
    return _told(await reviews.lapse(write.connection, grant, reviewer=_reviewer(write), now=write.now))


async def restore(write: Write, named: Named) -> Decided | Problem:
    """Give back what has lapsed."""
    grant = await _grant(write, named)
    if isinstance(grant, Problem):
        return grant
    return _told(await reviews.restore(write.connection, grant, reviewer=_reviewer(write), now=write.now))


async def _grant(write: Write, named: Named) -> Grant | Problem:
    refused = without_target(write)
    if refused:
        return refused
    holder = holder_named(named.holder, await codes(write.connection.fetch))
    return _refused(ReviewRefusal.GRANT_UNKNOWN) if holder is None else Grant(holder, named.purpose, named.category)


def _reviewer(write: Write) -> Reviewer:
    by: UUID | None = write.subject.account
    return Reviewer(write.snapshot, str(by), write.subject, write.purpose, write.decision)


def _told(decided: Decided | ReviewRefusal) -> Decided | Problem:
    return _refused(decided) if isinstance(decided, ReviewRefusal) else decided


def _refused(why: ReviewRefusal) -> Problem:
    return Problem(ProblemCode[why.name], why.message, field=_FIELDS.get(why, "holder"), clause=_CLAUSE)
