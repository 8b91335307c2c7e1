"""Rules and budgets as the API gives them: rows of words as files have them, or told to whoever reads them."""

from collections.abc import Iterable
from typing import Any

from authz.rules import Budget, Rule
from authz.workbench.wording import rule_said


def rule_row(rule: Rule) -> dict[str, Any]:
    """A rule by the words that files and drafts have."""
    return {
        "effect": rule.effect.value,
        "role": rule.role.value,
        "purpose": rule.purpose.value,
        "relation": rule.relation,
        "basis": rule.basis,
        "action": rule.action.value,
        "object": rule.object,
        "clause": rule.clause,
        "validFrom": rule.valid_from or None,
        "validUntil": rule.valid_until or None,
    }


def rule_rows(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """Some rules, as above."""
    return [rule_row(rule) for rule in rules]


def rule_told(rule: Rule) -> dict[str, Any]:
    """The same as a sentence besides, its purpose as arguments name it."""
    return {**rule_row(rule), "purpose": rule.purpose.name, "sentence": rule_said(rule)}


def budget_rows(budgets: Iterable[Budget]) -> list[dict[str, Any]]:
    """Budgets by the words that files and drafts have."""
    return [
        {
            "role": one.role.value,
            "purpose": one.purpose.value,
            "perHour": one.per_hour,
            "perDay": one.per_day,
            "clause": one.clause,
        }
        for one in budgets
    ]
