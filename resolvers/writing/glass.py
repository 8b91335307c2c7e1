"""The glass broken for somebody else, ended, and looked at afterwards (C46, C55)."""

from uuid import UUID

from authz import glass
from authz.glass import Glass, Wanted
from authz.workbench.acts import Refused, RulesRefusal
from models.rulesets import Verdict
from resolvers.payloads import Problem, Write
from resolvers.rulesets import record_named
from resolvers.writing.rulesets import actor_of, told
from resolvers.writing.targets import without_target


async def break_glass(write: Write, wanted: Wanted) -> Glass | Problem:
    """Break it."""
    refused = without_target(write)
    if refused:
        return refused
    found = await glass.break_glass(
        write.connection,
        wanted,
        snapshot=write.snapshot,
        most=write.most_glass,
        actor=actor_of(write),
        now=write.now,
    )
    return told(found) if isinstance(found, Refused) else found


async def end(write: Write, named: str) -> Glass | Problem:
    """End it before its time."""
    which = _named(write, named)
    if isinstance(which, Problem):
        return which
    found = await glass.end(write.connection, which, actor=actor_of(write), now=write.now)
    return told(found) if isinstance(found, Refused) else found


async def review(write: Write, named: str, *, verdict: Verdict, note: str) -> Glass | Problem:
    """Say whether it was right."""
    which = _named(write, named)
    if isinstance(which, Problem):
        return which
    actor = actor_of(write)
    found = await glass.review(write.connection, which, verdict=verdict, note=note, actor=actor, now=write.now)
    return told(found) if isinstance(found, Refused) else found


def _named(write: Write, named: str) -> UUID | Problem:
    refused = without_target(write)
    if refused:
        return refused
    return record_named(named) or told(Refused(RulesRefusal.GLASS_UNKNOWN))
