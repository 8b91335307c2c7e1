"""The default ruleset, generated from the minimum-necessary matrix and its grants: exactly that and no more.

`authz/data/necessity.csv`, `grants.csv`, `writes.csv` and `budget.csv` are the source; `authz/data/rules/` holds the
generated files, one per category, one for filters, one for writes and one for budgets, and a test keeps them equal.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from authz.rules import (
    BUDGET_COLUMNS,
    BUDGET_FILE,
    Budget,
    Rule,
    RulesetError,
    budgets_text,
    parse_budget,
    parse_rule,
    rules_text,
)
from authz.vocabulary import ANY, Action
from models.vocabulary import Category, Purpose, Role

DATA = Path(__file__).parent / "data"
RULES, CASES = DATA / "rules", DATA / "cases"
_LEVELS = {"-": 0, "M": 1, "R": 2}
_ACTIONS = {1: Action.MASK, 2: Action.REVEAL}


@dataclass(frozen=True, slots=True)
class Necessity:
    """One row of the matrix: what one role needs for one purpose in one (relation, basis) pair."""

    role: Role
    purpose: Purpose
    relation: str
    basis: str
    levels: Mapping[Category, int]
    clause: str

    def is_broader_than(self, other: "Necessity") -> bool:
        """Does this row fit wherever the other one fits, and elsewhere too?"""
        return (
            (self.role, self.purpose) == (other.role, other.purpose)
            and self.relation in (ANY, other.relation)
            and self.basis in (ANY, other.basis)
            and (self.relation, self.basis) != (other.relation, other.basis)
        )


def read_necessity(path: Path = DATA / "necessity.csv") -> tuple[Necessity, ...]:
    """The matrix. Raises KeyError or ValueError for a word outside the vocabulary."""
    return tuple(
        Necessity(
            role=Role(row["role"]),
            purpose=Purpose(row["purpose"]),
            relation=row["relation"],
            basis=row["basis"],
            levels={category: _LEVELS[row[category.value]] for category in Category},
            clause=row["clause"],
        )
        for row in _rows(path)
    )


def rules_by_file() -> dict[str, list[Rule]]:
    """The generated rules by file name: `health.csv` and so on, `filter.csv` and `write.csv`."""
    matrix = read_necessity()
    files = {f"{category}.csv": list(_category_rules(matrix, category)) for category in Category}
    files["filter.csv"] = list(_grants(DATA / "grants.csv"))
    files["write.csv"] = list(_writes(DATA / "writes.csv"))
    return files


def budgets(matrix: Iterable[Necessity], path: Path = DATA / "budget.csv") -> list[Budget]:
    """The budgets: one for each role and purpose that reveals anything, and no others. Raises RulesetError."""
    found = [
        parse_budget([row["role"], purpose, *(row[name] for name in BUDGET_COLUMNS[2:])], place=path.name)
        for row in _rows(path)
        for purpose in row["purposes"].split()
    ]
    revealing = {(row.role, row.purpose) for row in matrix if _LEVELS["R"] in row.levels.values()}
    differing = revealing ^ {(budget.role, budget.purpose) for budget in found}
    if differing:
        names = ", ".join(sorted(f"{role} for {purpose}" for role, purpose in differing))
        message = f"{path.name}: a budget stands where the matrix reveals something, and nowhere else: see {names}"
        raise RulesetError(message)
    return found


def generated() -> dict[str, str]:
    """The text of every generated file, by its name."""
    texts = {name: rules_text(rules) for name, rules in rules_by_file().items()}
    return {**texts, BUDGET_FILE: budgets_text(budgets(read_necessity()))}


def write_rules(folder: Path = RULES) -> None:
    """Write the generated files."""
    folder.mkdir(exist_ok=True)
    for name, text in generated().items():
        (folder / name).write_text(text, encoding="utf-8")


def _category_rules(matrix: tuple[Necessity, ...], category: Category) -> Iterator[Rule]:
    for row in matrix:
        level = row.levels[category]
        granted_anyway = any(other.is_broader_than(row) and other.levels[category] >= level for other in matrix)
        if level and not granted_anyway:
            words = ("allow", row.role, row.purpose, row.relation, row.basis, _ACTIONS[level], category, row.clause)
            yield parse_rule(words, place="necessity.csv")


def _grants(path: Path) -> Iterator[Rule]:
    for row in _rows(path):
        words = [
            "allow",
            *(row[name] for name in ("role", "purpose", "relation", "basis", "action", "object", "clause")),
        ]
        yield parse_rule(words, place="grants.csv")


def _writes(path: Path) -> Iterator[Rule]:
    for row in _rows(path):
        for obj in row["writes"].split():
            words = ("allow", *(row[name] for name in ("role", "purpose", "relation", "basis")), Action.WRITE, obj)
            yield parse_rule((*words, row["clause"]), place="writes.csv")


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        yield from csv.DictReader(line for line in stream if not line.startswith("#"))


if __name__ == "__main__":
    write_rules()
