"""Rulesets, drafts and broken glasses, as those who look after the rules are told of them (C46, C55, C56)."""

from datetime import datetime

import strawberry

from models.rulesets import DraftState, RulesetKind, Verdict
from models.vocabulary import Category, Purpose
from schema.fields import edge, public

strawberry.enum(RulesetKind)
strawberry.enum(DraftState)
strawberry.enum(Verdict)


@strawberry.type
class RuleRow:
    """One rule, its words as files have them; `validFrom` and `validUntil` are moments in UTC, where it has any."""

    effect: str = public()
    role: str = public()
    purpose: str = public()
    relation: str = public()
    basis: str = public()
    action: str = public()
    object: str = public(description="A category, a coordinate, or a root field that writes.")
    clause: str = public()
    valid_from: str | None = public()
    valid_until: str | None = public()


@strawberry.type
class BudgetRow:
    """Of how many persons one subject is revealed anything."""

    role: str = public()
    purpose: str = public()
    per_hour: int = public()
    per_day: int = public()
    clause: str = public()


@strawberry.type
class Ruleset:
    """A published ruleset; none is ever changed."""

    number: int = public()
    digest: str = public()
    in_force: bool = public()
    parent: int | None = public()
    kind: RulesetKind = public()
    restores: int | None = public(description="Of a roll back: the number whose content it has.")
    author: str = public(description="An account, `operator`, or `needful` itself.")
    author_name: str | None = public(description="A work name; here and below null where it is nobody of the staff.")
    reason: str = public()
    draft: strawberry.ID | None = public()
    published_at: datetime = public()


@strawberry.type
class RulesetContent:
    """A ruleset and what it says; of its rules one page."""

    ruleset: Ruleset = edge()
    rules: list[RuleRow] = edge(description="In the order of their words, from `offset` on.")
    rule_count: int = public(description="How many rules there are in all.")
    budgets: list[BudgetRow] = edge()
    cases: str = public(description="The text of its cases, JSON.")


@strawberry.type
class RuleChanges:
    """What a draft adds to its parent and takes away. A changed row is one taken away and one added."""

    add: list[RuleRow] = edge()
    remove: list[RuleRow] = edge()
    add_budgets: list[BudgetRow] = edge()
    remove_budgets: list[BudgetRow] = edge()


@strawberry.type
class RuleFinding:
    """Something about a draft's rules; with an `ERROR` it cannot be proposed."""

    kind: str = public()
    severity: str = public()
    message: str = public()
    rule: RuleRow | None = edge()
    others: list[RuleRow] = edge()


@strawberry.type
class RuleCase:
    """What came of one case."""

    intent: str = public()
    case: list[str] = public(description="Role, purpose, pairs, coordinate and effect, as files have them.")
    expected: str = public()
    got: str | None = public(description="Null where there is no such coordinate.")
    passed: bool = public()


@strawberry.type
class RuleReview:
    """What somebody said of a proposal; it counts where `approves` is the draft's own."""

    reviewer: str = public(description="An account.")
    reviewer_name: str | None = public()
    role: str = public()
    verdict: Verdict = public()
    note: str = public()
    approves: str = public()
    reviewed_at: datetime = public()


@strawberry.type
class MissingReviews:
    """What a proposal lacks before it may be published: reviewers in these roles, and so many people in all."""

    roles: list[str] = public()
    people: int = public()
    sentence: str = public()


@strawberry.type
class RuleDraft:
    """Changes to a ruleset on their way to the next one."""

    id: strawberry.ID = public()
    parent: int = public()
    stale: bool = public(description="Has another ruleset been published since? Then it must be rebased.")
    restores: int | None = public()
    author: str = public(description="An account, or `operator`.")
    author_name: str | None = public()
    editors: list[str] = public(description="Everybody who had a hand in it; none of them reviews it.")
    editor_names: list[str | None] = public(description="Their work names, in the same order.")
    title: str = public()
    reason: str = public()
    state: DraftState = public()
    revision: int = public()
    widens: bool | None = public(description="Does it show anybody more of what the privacy officer watches?")
    approves: str | None = public(description="Of what is proposed, rules, cases and report: what a review names.")
    impact: str | None = public(description="The report of impact that was proposed with it, JSON.")
    created_at: datetime = public()
    updated_at: datetime = public()
    proposed_at: datetime | None = public()
    proposed_by: str | None = public()
    proposed_by_name: str | None = public()
    changes: RuleChanges = edge()
    findings: list[RuleFinding] = edge(description="The worst first, a thousand at most.")
    finding_count: int = public(description="How many findings there are in all.")
    cases: list[RuleCase] = edge()
    cases_changed: bool = public(description="Are its cases others than its parent's?")
    cases_text: str = public(description="The text of its cases, JSON.")
    reviews: list[RuleReview] = edge()
    missing: MissingReviews | None = edge(description="Null where nothing is proposed.")


@strawberry.type
class BrokenGlass:
    """Somebody was shown more than the rules say, for some minutes (C55)."""

    id: strawberry.ID = public()
    account: str = public(description="For whom: an account.")
    account_name: str | None = public()
    role: str = public()
    purpose: Purpose = public()
    categories: list[Category] = public()
    reason: str = public()
    opened_by: str = public()
    opened_by_name: str | None = public()
    opened_at: datetime = public()
    until: datetime = public()
    ended_at: datetime | None = public(description="Null while it runs.")
    ended_by: str | None = public(description="Null where it ended by itself.")
    ended_by_name: str | None = public()
    reviewed_by: str | None = public()
    reviewed_by_name: str | None = public()
    reviewed_at: datetime | None = public()
    verdict: Verdict | None = public()
    note: str | None = public()
