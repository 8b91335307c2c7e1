"""Rulesets and drafts as the API tells of them, and what follows from their rows without asking anybody.

Findings while somebody types, the difference and the coverage of cases are worked out here, from rows that the API has
given to whoever visits: nothing more is read for them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from authz.rules import Budget, Rule, parse_budget, parse_rule
from authz.ruleset_store import Content
from authz.workbench.drafts import Changes
from console.forms import between
from console.frame import Page

_LARGEST = 999_999_999
"""Of the numbers of rulesets."""


@dataclass(frozen=True, slots=True)
class DraftSaid:
    """A draft: what the API says of it, its parent's content, and its own."""

    said: Mapping[str, Any]
    changes: Changes
    before: Content
    after: Content

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the API names it
        """Whatever the API says of it."""
        try:
            return self.said[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def open(self) -> bool:
        """May it still be edited?"""
        return self.said["state"] in ("OPEN", "PROPOSED") and self.said["restores"] is None


async def content_of(found: Page, number: int | None) -> tuple[dict[str, Any], Content]:
    """A ruleset, by default the one in force, and its content. Raises Refused."""
    said = (await found.ask("Ruleset", number=number, offset=0))["ruleset"]
    if said is None:
        raise found.refused(404, "NOT_FOUND", "refusal.unknown")
    rows, number = said["rules"], said["ruleset"]["number"]
    while len(rows) < said["ruleCount"]:
        rows += (await found.ask("Ruleset", number=number, offset=len(rows)))["ruleset"]["rules"]
    rules = tuple(map(rule_of, rows))
    return said["ruleset"], Content(rules, tuple(map(budget_of, said["budgets"])), said["cases"])


async def draft_of(found: Page, draft: str, *, checks: bool = False) -> DraftSaid:
    """A draft with its parent's content and its own; `checks`: with findings and cases, too. Raises Refused."""
    said = (await found.ask("RuleDraft", id=draft, checks=checks))["ruleDraft"]
    if said is None:
        raise found.refused(404, "NOT_FOUND", "refusal.unknown")
    _, before = await content_of(found, said["parent"])
    rows = said["changes"]
    changes = Changes(
        add=_rules(rows["add"]),
        remove=_rules(rows["remove"]),
        add_budgets=tuple(map(budget_of, rows["addBudgets"])),
        remove_budgets=tuple(map(budget_of, rows["removeBudgets"])),
    )
    after = changes.applied_to(Content(before.rules, before.budgets, said["casesText"]))
    return DraftSaid(said, changes, before, after)


def _rules(rows: Iterable[Mapping[str, Any]]) -> tuple[Rule, ...]:
    return tuple(map(rule_of, rows))


def rule_of(row: Mapping[str, Any]) -> Rule:
    """A rule as the API gives it."""
    names = ("effect", "role", "purpose", "relation", "basis", "action", "object", "clause")
    words = [row[name] for name in names]
    bounds = [row["validFrom"] or "", row["validUntil"] or ""]
    return parse_rule([*words, *bounds] if any(bounds) else words, place="API")


def budget_of(row: Mapping[str, Any]) -> Budget:
    """A budget as the API gives it."""
    names = ("role", "purpose", "perHour", "perDay", "clause")
    return parse_budget([str(row[name]) for name in names], place="API")


def number_in(text: str) -> int | None:
    """The number of a ruleset, or None."""
    return between(text, 0, _LARGEST)
