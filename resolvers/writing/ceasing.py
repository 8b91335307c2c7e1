"""Ceasing operations: proposed by one officer, confirmed by another (C30)."""

from datetime import date

from privacy import ceasing
from privacy.ceasing import Ceasing, CeasingRefusal, Found
from resolvers.payloads import Problem, ProblemCode, Write
from resolvers.rulesets import record_named
from resolvers.writing.targets import without_target

_FIELDS = {
    CeasingRefusal.TEXT_INVALID: "announcement",
    CeasingRefusal.CEASING_DAY: "day",
    CeasingRefusal.CEASING_UNKNOWN: "id",
    CeasingRefusal.CEASING_YOURS: "id",
}


async def propose(write: Write, announcement: str, day: date) -> Ceasing | Problem:
    """Propose it; problems: WRITE_DENIED and those of `privacy.ceasing.propose`."""
    refused = without_target(write)
    return refused or _told(await ceasing.propose(write.connection, announcement, day, by=_by(write), now=write.now))


async def confirm(write: Write, named: str) -> Ceasing | Problem:
    """Confirm what another proposed; problems: WRITE_DENIED and those of `privacy.ceasing.confirm`."""
    refused = without_target(write)
    return refused or _told(await ceasing.confirm(write.connection, record_named(named), by=_by(write), now=write.now))


async def take_back(write: Write, named: str) -> Ceasing | Problem:
    """Take it back before its day; problems: WRITE_DENIED and those of `privacy.ceasing.take_back`."""
    refused = without_target(write)
    return refused or _told(
        await ceasing.take_back(write.connection, record_named(named), by=_by(write), now=write.now)
    )


def _by(write: Write) -> str:
    return str(write.subject.account)


def _told(found: Found) -> Ceasing | Problem:
    if isinstance(found, Ceasing):
        return found
    return Problem(ProblemCode[found.name], found.message, field=_FIELDS.get(found), clause="C30")
