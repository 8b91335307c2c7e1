"""Rulesets, drafts and broken glasses: for the security team, auditors and the privacy officer (C46, C55, C56)."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from authz import glass, ruleset_store
from authz.glass import Glass
from authz.rules import RulesetError
from authz.ruleset_store import Publication
from authz.workbench import drafts
from authz.workbench.approvals import approves_of, missing_of, reviews_of
from authz.workbench.drafts import Changes, Draft
from models.global_ids import NodeType, from_global, to_global
from models.rulesets import DraftState
from models.vocabulary import Role
from resolvers.access_records import audits
from resolvers.asides import Asked, Fetching, Question, RootAside
from resolvers.paging import DEFAULT_PAGE, LARGEST_PAGE
from resolvers.problems import bad_id, bad_input
from resolvers.rule_checks import ChecksTold, checks_told
from resolvers.rule_rows import budget_rows, rule_rows
from resolvers.rulings import content_of
from resolvers.staff_names import Names, names_of, who
from resolvers.times import in_shanghai

WATCHING = (Role.SECURITY_ADMIN, Role.AUDITOR, Role.PRIVACY_OFFICER)
USUAL_PAGE = 20
RULES_PAGE = 1_000
"""Rows of a ruleset that one answer gives at most, and by default."""
_LARGEST_NUMBER = 2**31 - 1
_WEIGHT = 500
_HEAVY = 5_000
"""A whole ruleset may be read for it."""
_CHECKED = 5_000
"""What one draft counts for besides, whose findings or cases are asked for: it is checked with all its rules."""
_CHANGES = 500
"""And one whose changes are: there may be thousands."""


async def rulesets(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Published rulesets, the latest first. None for who does not look after the rules."""
    if not audits(question, *WATCHING):
        return None
    size, reading = _size(question), Fetching(question.fetch)
    question.notes.ask("Query.rulesets", {"first": size})
    latest = await ruleset_store.latest(reading)
    before = question.arguments.get("before")
    last = latest if before is None else min(before - 1, latest)
    found = [await ruleset_store.publication(reading, number) for number in range(last, max(last - size, 0), -1)]
    known = [one for one in found if one]
    names = await names_of(question.fetch, *(one.author for one in known))
    return [_ruleset(one, latest, names) for one in known]


async def ruleset(question: Question) -> Any:  # noqa: ANN401 - plain values
    """One ruleset with a page of its rows, by default of the one in force. None for nobody's number, and as above."""
    if not audits(question, *WATCHING):
        return None
    first, offset = question.arguments.get("first", RULES_PAGE), question.arguments.get("offset", 0)
    if offset < 0:
        raise bad_input("offset", "Rows are left out from the first on: 'offset' is 0 or more.")
    reading = Fetching(question.fetch)
    latest = await ruleset_store.latest(reading)
    number = question.arguments.get("number")
    question.notes.ask("Query.ruleset", {"number": number, "offset": offset or None})
    if number is not None and not 0 < number <= _LARGEST_NUMBER:
        return None
    found = await ruleset_store.publication(reading, number or latest)
    if found is None:
        return None
    try:
        content = await content_of(question, found)
    except RulesetError as fault:
        raise bad_input("number", f"This release cannot read that ruleset: {fault}.") from None
    names = await names_of(question.fetch, found.author)
    return {
        "ruleset": _ruleset(found, latest, names),
        "rules": rule_rows(content.rules[offset : offset + first]),
        "ruleCount": len(content.rules),
        "budgets": budget_rows(content.budgets),
        "cases": content.cases,
    }


async def rule_drafts(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Drafts in some states, the last changed first. None as above."""
    if not audits(question, *WATCHING):
        return None
    states = [DraftState[_name(one)] for one in question.arguments.get("states") or ()]
    size = _size(question)
    question.notes.ask("Query.ruleDrafts", {"first": size, "states": [one.value for one in states]})
    found = await drafts.some(Fetching(question.fetch), *states, most=size)
    return [await _draft(question, one) for one in found]


async def rule_draft(question: Question) -> Any:  # noqa: ANN401 - plain values
    """One draft. None for nobody's id, and as above."""
    if not audits(question, *WATCHING):
        return None
    draft = record_named(question.arguments["id"])
    if draft is None:
        raise bad_id("id")
    question.notes.ask("Query.ruleDraft", {"draft": str(draft)})
    found = await drafts.find(Fetching(question.fetch), draft)
    return found and await _draft(question, found)


async def broken_glasses(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Broken glasses, the latest first. None as above."""
    if not audits(question, *WATCHING):
        return None
    size = _size(question)
    question.notes.ask("Query.brokenGlasses", {"first": size})
    found = await glass.some(Fetching(question.fetch), most=size)
    people = (by for one in found for by in (one.account, one.opened_by, one.ended_by, one.reviewed_by))
    names = await names_of(question.fetch, *people)
    return [_glass(one, question, names) for one in found]


def _checks(asked: Asked) -> bool:
    return any(asked.find(name) for name in ("findings", "findingCount", "cases"))


def _one_more(asked: Asked, _: Mapping[str, Any]) -> int:
    return _CHECKED * _checks(asked) + _CHANGES * asked.find("changes")


def _each_more(asked: Asked, given: Mapping[str, Any]) -> int:
    first: int = given.get("first", USUAL_PAGE)
    return first * _one_more(asked, given)


def _usual_rows(asked: Asked, given: Mapping[str, Any]) -> int:
    return 0 if "first" in given else (RULES_PAGE - DEFAULT_PAGE) * asked.size


RULESETS = RootAside("Query.rulesets", rulesets, LARGEST_PAGE, _WEIGHT)
RULESET = RootAside("Query.ruleset", ruleset, RULES_PAGE, _HEAVY, _usual_rows)
RULE_DRAFTS = RootAside("Query.ruleDrafts", rule_drafts, USUAL_PAGE, _WEIGHT, _each_more)
RULE_DRAFT = RootAside("Query.ruleDraft", rule_draft, USUAL_PAGE, _WEIGHT, _one_more)
BROKEN_GLASSES = RootAside("Query.brokenGlasses", broken_glasses, LARGEST_PAGE, _WEIGHT)


def record_named(text: str) -> UUID | None:
    """The row that an id of a draft or a broken glass names; None for an id of anything else."""
    named = from_global(text)
    return named[1] if named and named[0] is NodeType.RECORD else None


def _size(question: Question) -> int:
    size: int = question.arguments.get("first", USUAL_PAGE)
    if not 1 <= size <= LARGEST_PAGE:
        raise bad_input("first", f"A page has 1 to {LARGEST_PAGE} entries.")
    return size


def _name(state: Any) -> str:  # noqa: ANN401 - an enum's member or its name
    name: str = getattr(state, "name", state)
    return name


def _ruleset(found: Publication, latest: int, names: Names) -> dict[str, Any]:
    return {
        "number": found.number,
        "digest": found.digest,
        "inForce": found.number == latest,
        "parent": found.parent,
        "kind": found.kind.name,
        "restores": found.restores,
        "author": who(found.author),
        "authorName": names.get(found.author),
        "reason": found.reason,
        "draft": found.draft and to_global(NodeType.RECORD, found.draft),
        "publishedAt": in_shanghai(found.published_at),
    }


async def _draft(question: Question, draft: Draft) -> dict[str, Any]:
    asked, reading = question.asked, Fetching(question.fetch)
    latest = await ruleset_store.latest(reading)
    proposed = draft.state is DraftState.PROPOSED
    lacking = await missing_of(reading, draft, locked=False) if proposed else None
    parent = await ruleset_store.publication(reading, draft.parent)
    reviews = await reviews_of(reading, draft.id) if asked.find("reviews") else []
    people = draft.author, draft.proposed_by, *draft.editors, *(one.reviewer for one in reviews)
    names = await names_of(question.fetch, *people)
    checks = await checks_told(question, draft, parent) if _checks(asked) else ChecksTold()
    return {
        "id": to_global(NodeType.RECORD, draft.id),
        "parent": draft.parent,
        "stale": draft.parent != latest,
        "restores": draft.restores,
        "author": who(draft.author),
        "authorName": names.get(draft.author),
        "editors": [who(one) for one in draft.editors],
        "editorNames": [names.get(one) for one in draft.editors],
        "title": draft.title,
        "reason": draft.reason,
        "state": draft.state.name,
        "revision": draft.revision,
        "widens": draft.widens,
        "approves": approves_of(draft) if proposed else None,
        "impact": await _text(reading, draft.impact) if asked.find("impact") else None,
        "createdAt": in_shanghai(draft.created_at),
        "updatedAt": in_shanghai(draft.updated_at),
        "proposedAt": draft.proposed_at and in_shanghai(draft.proposed_at),
        "proposedBy": who(draft.proposed_by),
        "proposedByName": names.get(draft.proposed_by),
        "changes": await asyncio.to_thread(_changes, draft) if asked.find("changes") else None,
        "findings": checks.findings,
        "findingCount": checks.count,
        "cases": checks.cases,
        "casesChanged": parent is None or parent.cases != draft.cases,
        "casesText": await _text(reading, draft.cases) if asked.find("casesText") else None,
        "reviews": [
            {
                "reviewer": who(one.reviewer),
                "reviewerName": names.get(one.reviewer),
                "role": one.role.value,
                "verdict": one.verdict.name,
                "note": one.note,
                "approves": one.approves,
                "reviewedAt": in_shanghai(one.reviewed_at),
            }
            for one in reviews
        ],
        "missing": lacking
        if lacking is None
        else {
            "roles": [role.value for role in lacking.roles],
            "people": lacking.people,
            "sentence": lacking.sentence,
        },
    }


def _changes(draft: Draft) -> dict[str, Any]:
    try:
        changes = draft.changes
    except RulesetError:
        # Words that this release does not have: a finding says which.
        changes = Changes()
    return {
        "add": rule_rows(changes.add),
        "remove": rule_rows(changes.remove),
        "addBudgets": budget_rows(changes.add_budgets),
        "removeBudgets": budget_rows(changes.remove_budgets),
    }


async def _text(reading: Fetching, digest: str | None) -> str | None:
    return digest and await ruleset_store.text(reading, digest)


def _glass(found: Glass, question: Question, names: Names) -> dict[str, Any]:
    over = found.over_at(question.now)
    return {
        "id": to_global(NodeType.RECORD, found.id),
        "account": to_global(NodeType.RECORD, found.account),
        "accountName": names.get(str(found.account)),
        "role": found.role.value,
        "purpose": found.purpose.name,
        "categories": [one.name for one in found.categories],
        "reason": found.reason,
        "openedBy": who(found.opened_by),
        "openedByName": names.get(found.opened_by),
        "openedAt": in_shanghai(found.opened_at),
        "until": in_shanghai(found.until),
        "endedAt": over and in_shanghai(over),
        "endedBy": who(found.ended_by),
        "endedByName": names.get(found.ended_by),
        "reviewedBy": who(found.reviewed_by),
        "reviewedByName": names.get(found.reviewed_by),
        "reviewedAt": found.reviewed_at and in_shanghai(found.reviewed_at),
        "verdict": found.verdict and found.verdict.name,
        "note": found.note,
    }
