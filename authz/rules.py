"""Rules and rulesets: rows that read as sentences, validated one by one before anything is enforced.

A rule reads: *allow* a *claims_handler* for *claim_handling* when *assigned* and *contract_open* to *reveal* *health*.
Precedence: a ruleset allows only if some rule allows and none denies (authz/model.conf).
A budget reads: a *claims_handler* for *claim_handling* is revealed *2000* persons an hour and *8000* a day.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TypeVar

from authz.catalogue import Catalogue
from authz.vocabulary import ANY, Action, Basis, Relation, RuleEffect
from models.vocabulary import Category, Purpose, Role


class RulesetError(Exception):
    """A ruleset is refused as a whole; the message names the row and what is wrong with it."""


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One row. `object` is a category or a coordinate; relation and basis may be `any`; clause says why."""

    effect: RuleEffect
    role: Role
    purpose: Purpose
    relation: str
    basis: str
    action: Action
    object: str
    clause: str


@dataclass(frozen=True, slots=True, order=True)
class Budget:
    """Of how many persons one subject is revealed anything, in an hour and in a day; clause says why."""

    role: Role
    purpose: Purpose
    per_hour: int
    per_day: int
    clause: str


COLUMNS = tuple(column.name for column in fields(Rule))
BUDGET_COLUMNS = tuple(column.name for column in fields(Budget))
BUDGET_FILE = "budget.csv"
_Row = TypeVar("_Row")
_MOST_DIGITS = 9
"""Of a number of persons: the database counts them in four bytes."""


@dataclass(frozen=True, slots=True)
class Ruleset:
    """An immutable, numbered set of rules and budgets; the digest names its content.

    Where a role and purpose have no budget, nobody is revealed: what is unknown is denied.
    """

    number: int
    rules: tuple[Rule, ...]
    budgets: Mapping[tuple[Role, Purpose], Budget]
    digest: str


def make_ruleset(
    number: int, rules: Iterable[Rule], *, catalogue: Catalogue, budgets: Iterable[Budget] = ()
) -> Ruleset:
    """Check rules and budgets together and number them. Raises RulesetError for an empty, doubled or foreign rule."""
    ordered = tuple(sorted(rules))
    if not ordered:
        message = "a ruleset without rules is refused"
        raise RulesetError(message)
    if len({astuple(rule)[:-1] for rule in ordered}) != len(ordered):
        message = "a rule stands twice"
        raise RulesetError(message)
    for rule in ordered:
        _check_object(rule, catalogue)
    allowed = tuple(sorted(budgets))
    by_subject = {(budget.role, budget.purpose): budget for budget in allowed}
    if len(by_subject) != len(allowed):
        message = "a role and purpose have two budgets"
        raise RulesetError(message)
    rows: tuple[Rule | Budget, ...] = (*ordered, *allowed)
    text = "\n".join(",".join(map(str, astuple(row))) for row in rows)
    return Ruleset(number, ordered, by_subject, hashlib.sha256(text.encode()).hexdigest())


def read_rules(folder: Path) -> Iterator[Rule]:
    """Every rule of the `*.csv` files of a folder. Raises RulesetError at the first row that is not wholly valid."""
    for path in sorted(folder.glob("*.csv")):
        if path.name != BUDGET_FILE:
            yield from _read(path, COLUMNS, parse_rule)


def read_budgets(folder: Path) -> Iterator[Budget]:
    """Every budget of a folder. Raises RulesetError where the file is missing or a row is not wholly valid."""
    path = folder / BUDGET_FILE
    if not path.is_file():
        message = f"{BUDGET_FILE} is missing: without it nobody is revealed"
        raise RulesetError(message)
    return _read(path, BUDGET_COLUMNS, parse_budget)


def _read(path: Path, columns: tuple[str, ...], parse: Callable[..., _Row]) -> Iterator[_Row]:
    with path.open(newline="", encoding="utf-8") as stream:
        rows = csv.reader(stream)
        if tuple(next(rows, ())) != columns:
            message = f"{path.name}: the first line must be {','.join(columns)}"
            raise RulesetError(message)
        for number, row in enumerate(rows, start=2):
            yield parse(row, place=f"{path.name} line {number}")


def parse_rule(row: Sequence[str], *, place: str) -> Rule:
    """One rule from its words; nothing is trimmed, guessed or defaulted. Raises RulesetError."""
    if len(row) != len(COLUMNS) or not all(row):
        message = f"{place}: a rule has {len(COLUMNS)} words, none of them empty"
        raise RulesetError(message)
    effect, role, purpose, relation, basis, action, obj, clause = row
    try:
        return Rule(
            effect=RuleEffect(effect),
            role=Role(role),
            purpose=Purpose(purpose),
            relation=relation if relation == ANY else Relation(relation).value,
            basis=basis if basis == ANY else Basis(basis).value,
            action=Action(action),
            object=obj,
            clause=clause,
        )
    except ValueError as fault:
        message = f"{place}: {fault}"
        raise RulesetError(message) from fault


def parse_budget(row: Sequence[str], *, place: str) -> Budget:
    """One budget from its words; nothing is trimmed, guessed or defaulted. Raises RulesetError."""
    if len(row) != len(BUDGET_COLUMNS) or not all(row):
        message = f"{place}: a budget has {len(BUDGET_COLUMNS)} words, none of them empty"
        raise RulesetError(message)
    role, purpose, per_hour, per_day, clause = row
    try:
        budget = Budget(Role(role), Purpose(purpose), _persons(per_hour), _persons(per_day), clause)
    except ValueError as fault:
        message = f"{place}: {fault}"
        raise RulesetError(message) from fault
    if budget.per_hour > budget.per_day:
        message = f"{place}: {per_hour} persons an hour are more than {per_day} a day"
        raise RulesetError(message)
    return budget


def _persons(text: str) -> int:
    """A number of persons, written as Python would. Raises ValueError."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS and str(int(text)) == text != "0"):
        message = f"{text!r} is not a number of persons from 1 to {'9' * _MOST_DIGITS}"
        raise ValueError(message)
    return int(text)


def _check_object(rule: Rule, catalogue: Catalogue) -> None:
    obj = rule.object
    if obj in catalogue.writes and rule.action != Action.WRITE:
        message = f"{obj!r} can only be written"
        raise RulesetError(message)
    if not catalogue.knows(obj) and obj not in set(Category):
        message = f"{obj!r} is neither a category, nor a sensitive coordinate, nor a write"
        raise RulesetError(message)
