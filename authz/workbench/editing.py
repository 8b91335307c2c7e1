"""Drafting: begin a draft, change it, move it onto the ruleset in force, withdraw it (C46). Each leaves a ledger row.

Whoever touches a draft has a hand in it and will not review it; whatever was proposed of it is void by the edit.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from authz import ruleset_store
from authz.rules import Budget, Rule, RulesetError
from authz.ruleset_store import Content
from authz.workbench import drafts
from authz.workbench.acts import Actor, Refused, RulesRefusal, row_of, said
from authz.workbench.cases import grouped, read_cases, write_cases
from authz.workbench.drafts import LONGEST_TITLE, MOST_ROWS, Changes, Draft
from ledger.append import add_alone
from models.rulesets import DraftState

_EDITABLE = frozenset({DraftState.OPEN, DraftState.PROPOSED, DraftState.REJECTED})

_Row = TypeVar("_Row", bound=Rule | Budget)


@dataclass(frozen=True, slots=True)
class Edit:
    """What to change of a draft, in this order; what is None stays as it is.

    `rebase`: its changes are made to the ruleset in force instead. `content`: what it is to say as a whole.
    `changes`: rows to add to what it says, and to take away.
    """

    title: str | None = None
    reason: str | None = None
    rebase: bool = False
    content: Content | None = None
    changes: Changes | None = None
    cases: str | None = None


async def begin(
    connection: Any,  # noqa: ANN401 - asyncpg's connection or proxy
    given: Edit,
    *,
    actor: Actor,
    now: datetime,
) -> UUID | Refused:
    """Begin a draft against the ruleset in force; its id. Raises the database's error."""
    title, reason = (given.title or "").strip(), (given.reason or "").strip()
    refused = await actor.may_edit(connection) or _unsaid(title=title, reason=reason)
    if refused:
        return refused
    async with connection.transaction():
        parent = await ruleset_store.latest(connection)
        try:
            base = await ruleset_store.published(connection, parent)
            content = _edited(given.content or base, given)
        except RulesetError as fault:
            return Refused(RulesRefusal.RULES_INVALID, str(fault))
        draft = await drafts.open_draft(
            connection,
            parent=parent,
            author=actor.by,
            title=title,
            reason=reason,
            now=now,
            changes=Changes.between(base, content),
            cases=content.cases,
        )
        await add_alone(connection, row_of(actor, now, "draft", draft=str(draft), parent=parent))
    return draft


async def edit(
    connection: Any,  # noqa: ANN401 - as above
    draft_id: UUID,
    given: Edit,
    *,
    actor: Actor,
    now: datetime,
) -> Draft | Refused:
    """Change a draft; as it is then. Raises the database's error."""
    refused = await actor.may_edit(connection)
    if refused:
        return refused
    async with connection.transaction():
        found = await in_state(connection, draft_id, *_EDITABLE)
        if isinstance(found, Refused):
            return found
        if found.restores is not None:
            return Refused(RulesRefusal.ROLLBACK_FIXED)
        title = found.title if given.title is None else given.title.strip()
        reason = found.reason if given.reason is None else given.reason.strip()
        refused = _unsaid(title=title, reason=reason)
        if refused:
            return refused
        parent = await ruleset_store.latest(connection) if given.rebase else found.parent
        try:
            base = await ruleset_store.published(connection, parent)
            content = _edited(given.content or await _before(connection, found, base, given), given)
        except RulesetError as fault:
            return Refused(RulesRefusal.RULES_INVALID, str(fault))
        changed = replace(found, parent=parent, title=title, reason=reason, rows=Changes.between(base, content).text)
        await drafts.edit(connection, changed, editor=actor.by, cases=content.cases, now=now)
        act = "rebase" if given.rebase else "edit"
        await add_alone(
            connection, row_of(actor, now, act, draft=str(draft_id), parent=parent, revision=found.revision + 1)
        )
        return await drafts.find(connection, draft_id) or Refused(RulesRefusal.DRAFT_UNKNOWN)


async def withdraw(connection: Any, draft_id: UUID, *, actor: Actor, now: datetime) -> Refused | None:  # noqa: ANN401
    """Give a draft up. Raises the database's error."""
    refused = await actor.may_edit(connection)
    if refused:
        return refused
    async with connection.transaction():
        found = await in_state(connection, draft_id, *_EDITABLE)
        if isinstance(found, Refused):
            return found
        await drafts.move(connection, draft_id, DraftState.WITHDRAWN, now=now)
        await add_alone(connection, row_of(actor, now, "withdraw", draft=str(draft_id)))
    return None


async def in_state(
    connection: Any,  # noqa: ANN401 - as above
    draft_id: UUID,
    *states: DraftState,
    locked: bool = True,
) -> Draft | Refused:
    """A draft that is in one of these states; `locked`: nobody else changes it before the transaction ends."""
    found = await drafts.find(connection, draft_id, locked=locked)
    if found is None:
        return Refused(RulesRefusal.DRAFT_UNKNOWN)
    return found if found.state in states else Refused(RulesRefusal.DRAFT_STATE, f"It is {found.state.value}.")


def _unsaid(*, title: str, reason: str) -> Refused | None:
    """Why a title or a reason is none."""
    return None if said(title, LONGEST_TITLE) and said(reason) else Refused(RulesRefusal.TEXT_INVALID)


async def _before(connection: Any, draft: Draft, base: Content, given: Edit) -> Content:  # noqa: ANN401 - as above
    """What rows of an edit are added to and taken from. Raises RulesetError."""
    whole = await drafts.content_of(connection, draft)
    if not given.rebase:
        return whole
    return _moved(draft.changes, await ruleset_store.published(connection, draft.parent), whole, base)


def _moved(changes: Changes, old: Content, whole: Content, onto: Content) -> Content:
    """A draft's changes made to another ruleset. What that has already, or has no more, needs no change.

    Raises RulesetError where a row was changed there that the draft changes as well.
    """
    rules = _merged(old.rules, changes.add, changes.remove, onto.rules, lambda rule: rule.sentence)
    budgets = _merged(
        old.budgets, changes.add_budgets, changes.remove_budgets, onto.budgets, lambda one: (one.role, one.purpose)
    )
    return Content(rules, budgets, _merged_cases(old.cases, whole.cases, onto.cases))


def _merged(
    old: Iterable[_Row],
    add: Iterable[_Row],
    remove: Iterable[_Row],
    onto: Iterable[_Row],
    sentence: Callable[[_Row], Hashable],
) -> tuple[_Row, ...]:
    theirs = set(onto)
    new = {sentence(row): row for row in theirs - set(old) - set(add)}
    for row in (*add, *remove):
        other = new.get(sentence(row))
        if other is not None and row not in theirs:
            message = (
                f"`{other.line}` has been published since, and the draft changes `{row.line}`: take that back from the"
                " draft, rebase it, and change what is in force"
            )
            raise RulesetError(message)
    return tuple((theirs - set(remove)) | set(add))


def _merged_cases(old: str, mine: str, theirs: str) -> str:
    """Cases of both; of one that both changed both stand, and the one that fails is told. Raises RulesetError."""
    if mine == old:
        return theirs
    before, ours, others = (
        {(group.intent, case) for group in read_cases(text) for case in group.cases} for text in (old, mine, theirs)
    )
    return write_cases(grouped((others - (before - ours)) | (ours - before)))


def _edited(content: Content, given: Edit) -> Content:
    """A content with an edit. Raises RulesetError for rows that do not fit or are too many, and for no cases."""
    changed = given.changes.applied_to(content) if given.changes else content
    rows = len(changed.rules) + len(changed.budgets)
    if rows > MOST_ROWS:
        message = f"it would come to {rows} rules and budgets, and a draft has {MOST_ROWS} at most"
        raise RulesetError(message)
    return changed if given.cases is None else replace(changed, cases=write_cases(read_cases(given.cases)))
