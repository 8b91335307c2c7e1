"""What follows from a draft's rows: findings while somebody types, what differs, and how far its cases reach."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from authz.catalogue import Catalogue
from authz.compile import Snapshot
from authz.rules import BUDGET_COLUMNS, RulesetError, parse_budget, parse_rule
from authz.ruleset_store import Content
from authz.workbench.cases import Case, CaseGroup, Coverage, coverage, from_now_on, read_cases, run_cases, write_cases
from authz.workbench.difference import Cell, difference_in_time, matrix
from authz.workbench.drafts import Changes
from authz.workbench.findings import Finding, findings
from authz.workbench.impact import read_impact
from authz.workbench.impact_words import Language as Words
from console.asking import Problem
from console.languages import Language
from console.rulesets import DraftSaid
from resolvers.payloads import ProblemCode

MOST_LINES = 500
_MOST_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to say of rows that nobody has kept yet; `refused`: why they cannot be."""

    findings: Sequence[Finding] = ()
    refused: Problem | None = None


@dataclass(frozen=True, slots=True)
class ChangedGroup:
    """The cases under one intent that a draft adds to its parent's and takes away."""

    intent: str
    added: tuple[Case, ...]
    removed: tuple[Case, ...]
    state: str
    """`added` or `removed` where the whole group is, else `changed`."""


def rows_in(text: str) -> Changes:
    """Rows to add, a line each, as files have them: a line of 5 words is a budget, any other a rule.

    Empty lines are left out. Raises RulesetError.
    """
    lines = [line.strip() for line in text.splitlines()]
    if len(lines) > MOST_LINES:
        message = f"these are more than {MOST_LINES} lines: import a file instead"
        raise RulesetError(message)
    rows = [(line.split(","), f"line {at}") for at, line in enumerate(lines, start=1) if line]
    return Changes(
        add=tuple(parse_rule(row, place=place) for row, place in rows if len(row) != len(BUDGET_COLUMNS)),
        add_budgets=tuple(parse_budget(row, place=place) for row, place in rows if len(row) == len(BUDGET_COLUMNS)),
    )


def cases_changed(draft: DraftSaid) -> list[ChangedGroup] | None:
    """The groups of cases in which a draft differs from its parent; None where either cannot be read."""
    try:
        before, after = (
            {group.intent: set(group.cases) for group in read_cases(content.cases)}
            for content in (draft.before, draft.after)
        )
    except RulesetError:
        return None
    found = []
    for intent in sorted(before.keys() | after.keys()):
        was, now = before.get(intent, set()), after.get(intent, set())
        state = "added" if intent not in before else "removed" if intent not in after else "changed"
        if was != now or state != "changed":
            found.append(ChangedGroup(intent, tuple(sorted(now - was)), tuple(sorted(was - now)), state))
    return found


def told_of(draft: DraftSaid, changes: Changes, snapshot: Snapshot, now: datetime) -> Told:
    """The findings that a draft has with further changes, and has not without them."""
    try:
        before, after = (
            findings(content, catalogue=snapshot.catalogue, parent=draft.before, now=now, law=snapshot.law)
            for content in (draft.after, changes.applied_to(draft.after))
        )
        old = {(one.kind, one.message) for one in before}
    except RulesetError as refused:
        return Told(refused=invalid(refused))
    return Told([one for one in after if (one.kind, one.message) not in old][:_MOST_FINDINGS])


def differs(draft: DraftSaid, catalogue: Catalogue, now: datetime) -> list[Cell]:
    """The cells of the matrix that a draft changes. Raises RulesetError."""
    return matrix(difference_in_time(draft.before, draft.after, catalogue=catalogue, now=now))


def reaches(content: Content, catalogue: Catalogue) -> Coverage | None:
    """Which rules no case exercises, and whose deletion none notices; None for cases that cannot be read."""
    try:
        return coverage(read_cases(content.cases), content, catalogue)
    except RulesetError:
        return None


def accepted(content: Content, catalogue: Catalogue, now: datetime) -> str:
    """The cases of a content, those that fail with what came. Raises RulesetError for what cannot be used."""
    ran = run_cases(read_cases(content.cases), *from_now_on(content, catalogue, now=now))
    return write_cases(
        CaseGroup(one.group.intent, (one.case if one.got is None else replace(one.case, effect=one.got),))
        for one in ran
    )


def report_in(text: str | None, language: Language) -> list[str]:
    """The sentences of the report of impact that a draft was proposed with; none where there is no such report."""
    try:
        return read_impact(text).sentences(Words(language.word)) if text else []
    except (ValueError, TypeError, KeyError):
        return []


def without(changes: Changes, lines: Iterable[str]) -> Changes:
    """What takes some of a draft's changes back: those whose rows read so."""
    wanted = set(lines)
    return Changes(
        add=tuple(rule for rule in changes.remove if rule.line in wanted),
        remove=tuple(rule for rule in changes.add if rule.line in wanted),
        add_budgets=tuple(budget for budget in changes.remove_budgets if budget.line in wanted),
        remove_budgets=tuple(budget for budget in changes.add_budgets if budget.line in wanted),
    )


def taken_away(content: Content, lines: Iterable[str]) -> Changes:
    """What takes rows of a content away: those that read so."""
    wanted = set(lines)
    return Changes(
        remove=tuple(rule for rule in content.rules if rule.line in wanted),
        remove_budgets=tuple(budget for budget in content.budgets if budget.line in wanted),
    )


def invalid(refused: RulesetError) -> Problem:
    """A row that cannot be used, as the API would say it."""
    return Problem(ProblemCode.RULES_INVALID.value, str(refused))
