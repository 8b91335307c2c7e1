"""Published rulesets as questions need them: read and assembled in another thread, and the last few kept.

Those who serve everybody else must not wait for it: thirty thousand rules take a second.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import attrgetter

from authz import ruleset_store
from authz.compile import Snapshot, assemble
from authz.rules import Rule, RulesetError, boundaries, in_force, moment_text
from authz.ruleset_store import Content, Fetched, Publication
from authz.workbench.explain import Failed, idle_rules
from resolvers.asides import Fetching, Question
from resolvers.kept import Kept


@dataclass(frozen=True, slots=True)
class Ruling:
    """The rules of a ruleset that are in force from one moment until before another, and those that are not."""

    snapshot: Snapshot
    idle: Mapping[Rule, Failed]
    since: str
    until: str | None

    def holds_at(self, moment: str) -> bool:
        """Are these in force then?"""
        return self.since <= moment and (self.until is None or moment < self.until)


_RULINGS: Kept[tuple[int, str], Ruling] = Kept(4)
_CONTENTS: Kept[tuple[str, str], Content] = Kept(4)


async def ruling_of(question: Question, number: int) -> Ruling:
    """A ruleset as it is at this moment. Raises RulesetError where there is none, or not as it was published."""
    reading, now = Fetching(question.fetch), question.snapshot
    found = await ruleset_store.publication(reading, number)
    if found is None:
        message = f"there is no ruleset {number}"
        raise RulesetError(message)
    kept = _RULINGS.find((number, found.digest))
    if kept and kept.holds_at(moment_text(question.now)) and kept.snapshot.catalogue is now.catalogue:
        return kept
    fetched = await ruleset_store.fetch(reading, found)
    return await asyncio.to_thread(_ruled, fetched, now, question.now)


def _ruled(fetched: Fetched, now: Snapshot, at: datetime) -> Ruling:
    whole = fetched.ruleset(now.catalogue)
    then, moment = in_force(whole, at), moment_text(at)
    # What has been published was checked before; nobody is answered by this.
    same = (then.number, then.digest) == (now.ruleset.number, now.ruleset.digest)
    snapshot = now if same else assemble(then, now.catalogue, before=now)
    bounds = boundaries(whole)
    ruling = Ruling(
        snapshot=snapshot,
        idle=idle_rules(whole, at),
        since=max((one for one in bounds if one <= moment), default=""),
        until=min((one for one in bounds if one > moment), default=None),
    )
    return _RULINGS.keep((whole.number, whole.digest), ruling)


async def content_of(question: Question, found: Publication) -> Content:
    """What a ruleset says, its rules and budgets in order. Raises RulesetError, and the database's error."""
    kept = _CONTENTS.find((found.digest, found.cases))
    if kept:
        return kept
    fetched = await ruleset_store.fetch(Fetching(question.fetch), found)
    return await asyncio.to_thread(partial(_ordered, fetched))


def _ordered(fetched: Fetched) -> Content:
    whole = fetched.content()
    rules = tuple(sorted(whole.rules, key=attrgetter("line")))
    ordered = Content(rules, tuple(sorted(whole.budgets)), whole.cases)
    return _CONTENTS.keep((fetched.found.digest, fetched.found.cases), ordered)
