"""Rules and rulesets: rows that read as sentences, validated one by one before anything is enforced.

A rule reads: *allow* a *claims_handler* for *claim_handling* when *assigned* and *contract_open* to *reveal* *health*.
Precedence: a ruleset allows only if some rule allows and none denies (authz/model.conf).
"""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

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


COLUMNS = tuple(column.name for column in fields(Rule))


@dataclass(frozen=True, slots=True)
class Ruleset:
    """An immutable, numbered set of rules; the digest names its content."""

    number: int
    rules: tuple[Rule, ...]
    digest: str


def make_ruleset(number: int, rules: Iterable[Rule], *, catalogue: Catalogue) -> Ruleset:
    """Check the rules together and number them. Raises RulesetError for an empty, doubled or foreign rule."""
    ordered = tuple(sorted(rules))
    if not ordered:
        message = "a ruleset without rules is refused"
        raise RulesetError(message)
    if len({astuple(rule)[:-1] for rule in ordered}) != len(ordered):
        message = "a rule stands twice"
        raise RulesetError(message)
    for rule in ordered:
        _check_object(rule, catalogue)
    text = "\n".join(",".join(astuple(rule)) for rule in ordered)
    return Ruleset(number=number, rules=ordered, digest=hashlib.sha256(text.encode()).hexdigest())


def read_rules(folder: Path) -> Iterator[Rule]:
    """Every rule of the `*.csv` files of a folder. Raises RulesetError at the first row that is not wholly valid."""
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.reader(stream)
            if tuple(next(rows, ())) != COLUMNS:
                message = f"{path.name}: the first line must be {','.join(COLUMNS)}"
                raise RulesetError(message)
            for number, row in enumerate(rows, start=2):
                yield parse_rule(row, place=f"{path.name} line {number}")


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


def _check_object(rule: Rule, catalogue: Catalogue) -> None:
    obj = rule.object
    if obj in catalogue.writes and rule.action != Action.WRITE:
        message = f"{obj!r} can only be written"
        raise RulesetError(message)
    if not catalogue.knows(obj) and obj not in set(Category):
        message = f"{obj!r} is neither a category, nor a sensitive coordinate, nor a write"
        raise RulesetError(message)
