"""Rules drafted, proposed, reviewed, published and rolled back by the security team and the privacy officer (C46)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from authz.rules import RulesetError
from authz.workbench import approvals, editing
from authz.workbench.acts import Actor, Refused, RulesRefusal
from authz.workbench.approvals import Missing, approves_of
from authz.workbench.drafts import Changes, Draft, find
from authz.workbench.editing import Edit
from models.rulesets import DraftState, Verdict
from resolvers.aside_turns import judging_turn
from resolvers.impacts import PROPOSAL_SECONDS, report_of
from resolvers.payloads import Problem, ProblemCode, Write
from resolvers.rulesets import record_named
from resolvers.writing.targets import without_target

_CLAUSES = {
    RulesRefusal.FINDINGS: "C24",
    RulesRefusal.CASES_FAIL: "C24",
    RulesRefusal.ROLE_SEES_NOTHING: "C55",
    RulesRefusal.PURPOSE_UNKNOWN: "C24",
    RulesRefusal.MINUTES_INVALID: "C55",
    RulesRefusal.CATEGORIES_INVALID: "C55",
    RulesRefusal.GLASS_YOURS: "C55",
}
_FIELDS = {
    RulesRefusal.DRAFT_UNKNOWN: "draft",
    RulesRefusal.DRAFT_STATE: "draft",
    RulesRefusal.PARENT_STALE: "draft",
    RulesRefusal.ROLLBACK_FIXED: "draft",
    RulesRefusal.NOTHING_CHANGED: "draft",
    RulesRefusal.FINDINGS: "draft",
    RulesRefusal.CASES_FAIL: "draft",
    RulesRefusal.IMPACT_MISSING: "draft",
    RulesRefusal.RULESET_UNKNOWN: "to",
    RulesRefusal.TEXT_INVALID: "reason",
    RulesRefusal.RULES_INVALID: "add",
    RulesRefusal.PROPOSAL_CHANGED: "approves",
    RulesRefusal.GLASS_UNKNOWN: "glass",
    RulesRefusal.GLASS_STATE: "glass",
    RulesRefusal.MEMBER_UNKNOWN: "username",
    RulesRefusal.PURPOSE_UNKNOWN: "purpose",
    RulesRefusal.MINUTES_INVALID: "minutes",
    RulesRefusal.CATEGORIES_INVALID: "categories",
}
"""By refusal the input field that it is about; the others are about who asks."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a draft stands after an act; `approves`: what a review of it names; `missing`: who has yet to review it."""

    draft: Draft
    missing: Missing | None = None

    @property
    def approves(self) -> str | None:
        """Of what is proposed; None where nothing is."""
        return approves_of(self.draft) if self.draft.state is DraftState.PROPOSED else None


Rows = Mapping[str, Sequence[Sequence[str]]]
"""Rows of words to add and take away, by the names of `Changes`."""


async def draft(write: Write, *, title: str, reason: str, rows: Rows, cases: str | None) -> Standing | Problem:
    """Begin a draft against the ruleset in force."""
    refused = without_target(write)
    if refused:
        return refused
    changes = _read(rows)
    if isinstance(changes, Problem):
        return changes
    given = Edit(title=title, reason=reason, changes=changes, cases=cases)
    begun = await editing.begin(write.connection, given, actor=actor_of(write), now=write.now)
    return told(begun) if isinstance(begun, Refused) else await _standing(write, begun)


async def edit(  # noqa: PLR0913 - what may be changed
    write: Write,
    named: str,
    *,
    title: str | None,
    reason: str | None,
    rebase: bool,
    rows: Rows,
    cases: str | None,
) -> Standing | Problem:
    """Change a draft; what was proposed is void."""
    found = _named(write, named)
    if isinstance(found, Problem):
        return found
    changes = _read(rows)
    if isinstance(changes, Problem):
        return changes
    given = Edit(title=title, reason=reason, rebase=rebase, changes=changes, cases=cases)
    changed = await editing.edit(write.connection, found, given, actor=actor_of(write), now=write.now)
    return told(changed) if isinstance(changed, Refused) else await _standing(write, found)


async def withdraw(write: Write, named: str) -> Standing | Problem:
    """Give a draft up."""
    found = _named(write, named)
    if isinstance(found, Problem):
        return found
    refused = await editing.withdraw(write.connection, found, actor=actor_of(write), now=write.now)
    return told(refused) if refused else await _standing(write, found)


async def propose(write: Write, named: str) -> Standing | Problem:
    """Put a draft before its reviewers, with a report of its impact."""
    found = _named(write, named)
    if isinstance(found, Problem):
        return found
    async with judging_turn():
        proposed = await approvals.propose(
            write.connection,
            found,
            actor=actor_of(write),
            catalogue=write.snapshot.catalogue,
            now=write.now,
            report=partial(_report, write, found),
        )
    return told(proposed) if isinstance(proposed, Refused) else await _standing(write, found)


async def _report(write: Write, draft_id: UUID) -> str | None:
    planner, catalogue = write.reader.planner, write.snapshot.catalogue
    if planner is None:
        return None
    connection, held = write.connection, write.snapshot
    return await report_of(connection, draft_id, planner, catalogue, now=write.now, held=held, seconds=PROPOSAL_SECONDS)


async def review(write: Write, named: str, *, approves: str, verdict: Verdict, note: str) -> Standing | Problem:
    """Say yes or no to exactly what is proposed."""
    found = _named(write, named)
    if isinstance(found, Problem):
        return found
    said = await approvals.review(
        write.connection, found, approves=approves, verdict=verdict, note=note, actor=actor_of(write), now=write.now
    )
    return told(said) if isinstance(said, Refused) else await _standing(write, found)


async def publish(write: Write, named: str) -> int | Problem:
    """Publish what was approved; the number of the ruleset."""
    found = _named(write, named)
    if isinstance(found, Problem):
        return found
    async with judging_turn():
        number = await approvals.publish(
            write.connection, found, actor=actor_of(write), catalogue=write.snapshot.catalogue, now=write.now
        )
    if isinstance(number, Refused):
        return told(number)
    write.published = number
    return number


async def roll_back(write: Write, *, to: int, reason: str) -> Standing | Problem:
    """Propose an earlier ruleset again."""
    refused = without_target(write)
    if refused:
        return refused
    async with judging_turn():
        draft_id = await approvals.roll_back(
            write.connection,
            to,
            reason=reason,
            actor=actor_of(write),
            catalogue=write.snapshot.catalogue,
            now=write.now,
        )
    return told(draft_id) if isinstance(draft_id, Refused) else await _standing(write, draft_id)


def actor_of(write: Write) -> Actor:
    """The caller of a write."""
    return Actor.of(write.subject, write.purpose, write.decision)


def told(refused: Refused) -> Problem:
    """A refusal as the payload holds it."""
    why = refused.why
    return Problem(ProblemCode[why.name], refused.message, field=_FIELDS.get(why), clause=_CLAUSES.get(why, "C46"))


def _named(write: Write, named: str) -> UUID | Problem:
    refused = without_target(write)
    if refused:
        return refused
    return record_named(named) or told(Refused(RulesRefusal.DRAFT_UNKNOWN))


def _read(rows: Rows) -> Changes | Problem:
    try:
        return Changes.read(rows)
    except RulesetError as refused:
        return told(Refused(RulesRefusal.RULES_INVALID, str(refused)))


async def _standing(write: Write, draft_id: UUID) -> Standing | Problem:
    found: Any = await find(write.connection, draft_id)
    if found is None:
        return told(Refused(RulesRefusal.DRAFT_UNKNOWN))
    proposed = found.state is DraftState.PROPOSED
    return Standing(found, await approvals.missing_of(write.connection, found) if proposed else None)
