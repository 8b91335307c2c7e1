"""The matrix of a ruleset: per role and category of one purpose what its rules show, and what editing a cell changes.

It shows rules, not decisions: of a pair of relation and basis the most that a rule about the category allows. What
Casbin makes of all of them together is on the pages that explain and compare.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from authz.catalogue import Catalogue
from authz.rules import Rule
from authz.vocabulary import ANY, MASKABLE, Action, Basis, Relation, RuleEffect
from models.vocabulary import Category, Purpose, Role

REVEAL, MASK, DENY, NOTHING = "R", "M", "D", "-"
_ORDER = (NOTHING, MASK, REVEAL)
RELATIONS = (ANY, *(one.value for one in Relation))
BASES = (ANY, *(one.value for one in Basis))

Pair = tuple[str, str]


@dataclass(slots=True)
class Cell:
    """What rules say of one role and category: the letter of each pair of relation and basis."""

    pairs: dict[Pair, str] = field(default_factory=dict)
    denied: list[Rule] = field(default_factory=list)
    fields: list[Rule] = field(default_factory=list)
    """Rules about single fields of the category."""
    timed: bool = False
    """Does one of them hold for a time only?"""

    @property
    def letter(self) -> str:
        """The most that is shown to anybody of the role, on some record."""
        allowed = [*self.pairs.values(), *(_letter(rule) for rule in self.fields if rule.effect == RuleEffect.ALLOW)]
        return max(allowed, key=_ORDER.index, default=NOTHING)


def cells(rules: Iterable[Rule], purpose: Purpose, catalogue: Catalogue) -> dict[Role, dict[Category, Cell]]:
    """The cells of a purpose that rules speak of."""
    found: defaultdict[Role, defaultdict[Category, Cell]] = defaultdict(lambda: defaultdict(Cell))
    for rule in rules:
        category = category_of(rule, catalogue)
        if rule.purpose is not purpose or category is None or rule.action not in (Action.REVEAL, Action.MASK):
            continue
        cell = found[rule.role][category]
        cell.timed |= rule.timed
        if rule.effect == RuleEffect.DENY:
            cell.denied.append(rule)
        elif rule.object != category.value:
            cell.fields.append(rule)
        else:
            pair = rule.relation, rule.basis
            cell.pairs[pair] = max(cell.pairs.get(pair, NOTHING), _letter(rule), key=_ORDER.index)
    return {role: dict(row) for role, row in found.items()}


def category_of(rule: Rule, catalogue: Catalogue) -> Category | None:
    """The category that a rule is about; None for a write."""
    coordinate = catalogue.get(rule.object)
    if coordinate is not None:
        return coordinate.category
    return Category(rule.object) if rule.object in set(Category) else None


def _letter(rule: Rule) -> str:
    return REVEAL if rule.action == Action.REVEAL else MASK


@dataclass(frozen=True, slots=True)
class Edited:
    """Rows that an edit of one cell adds and takes away."""

    add: tuple[Rule, ...]
    remove: tuple[Rule, ...]


def edited(  # noqa: PLR0913 - a cell and what is wanted of it
    rules: Iterable[Rule],
    role: Role,
    purpose: Purpose,
    category: Category,
    *,
    wanted: Mapping[Pair, str],
    clause: str,
) -> Edited:
    """What makes these pairs of a cell show what is wanted; rows that deny, or are about single fields, stay.

    A pair whose letter stays keeps its rows as they are. Raises ValueError for a letter that a category cannot have.
    """
    of_cell = [
        rule
        for rule in rules
        if (rule.role, rule.purpose, rule.object, rule.effect) == (role, purpose, category.value, RuleEffect.ALLOW)
        and rule.action in (Action.REVEAL, Action.MASK)
    ]
    add: list[Rule] = []
    remove: list[Rule] = []
    for (relation, basis), letter in wanted.items():
        there = [rule for rule in of_cell if (rule.relation, rule.basis) == (relation, basis)]
        before = max((_letter(rule) for rule in there), key=_ORDER.index, default=NOTHING)
        if letter not in possible(category):
            raise ValueError(letter)
        if letter == before:
            continue
        remove += there
        if letter != NOTHING:
            action = Action.REVEAL if letter == REVEAL else Action.MASK
            said = there[0].clause if there and not clause else clause
            rule = Rule(RuleEffect.ALLOW, role, purpose, relation, basis, action, category.value, said)
            add.append(
                replace(rule, valid_from=there[0].valid_from, valid_until=there[0].valid_until) if there else rule
            )
    return Edited(tuple(add), tuple(remove))


def possible(category: Category) -> tuple[str, ...]:
    """The letters that a cell of a category may have: only text has a masked form."""
    return _ORDER if category in MASKABLE else (NOTHING, REVEAL)
