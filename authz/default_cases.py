"""The default cases, generated from the minimum-necessary matrix, its filters and its writes: what each row is to do.

For every row: what it shows, what it does not show of what the privacy officer watches, a near miss (the basis gone, or
the tie) and another purpose. `authz/data/cases/` holds the generated files, one for each role; tests keep them equal,
and show that no default rule can be deleted without a case failing.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from authz.default_rules import CASES, DATA, Necessity, read_necessity
from authz.vocabulary import ANY, MASKABLE, Basis, Relation
from authz.workbench.cases import Case, CaseGroup, Expected, grouped
from authz.workbench.files import case_texts
from authz.workbench.findings import WATCHED
from models.vocabulary import Category, Purpose, Role

_LEVELS = (Expected.DENY, Expected.MASK, Expected.REVEAL)
_FIELDS = {
    Category.NAME: "User.name",
    Category.GOVERNMENT_ID: "User.idNumber",
    Category.DEMOGRAPHIC: "User.birthDate",
    Category.PHONE: "User.phone",
    Category.RELAY: "User.virtualPhone",
    Category.EMAIL: "User.email",
    Category.ADDRESS: "User.address",
    Category.BANK_ACCOUNT: "User.bankCard",
    Category.OCCUPATION: "User.occupation",
    Category.HEALTH: "User.healthDeclaration",
    Category.INCIDENT: "Claim.incidentDescription",
    Category.EXPENSE: "Claim.expenses",
    Category.FINANCIAL: "Policy.premium",
    Category.DEVICE: "Device.model",
    Category.PROFILE: "User.nickname",
    Category.ACCOUNT: "User.username",
    Category.TAG: "User.tags",
}
"""A field of each category: the default rules speak of categories only."""
_OF_CLAIMS = frozenset({Purpose.CLAIM_HANDLING, Purpose.VERIFICATION})
_DIAGNOSIS = "Claim.diagnosis"
_UNRELATED = (Relation.NONE, Basis.NONE)
_Row = tuple[str, Case]


@dataclass(frozen=True, slots=True)
class _Who:
    """A role for a purpose, tied by a relation and a basis as a row of the matrix has them, and why."""

    role: Role
    purpose: Purpose
    relation: str
    basis: str
    clause: str

    @property
    def pair(self) -> tuple[Relation, Basis]:
        """A pair that fits; `any` is none."""
        relation = Relation.NONE if self.relation == ANY else Relation(self.relation)
        return relation, Basis.NONE if self.basis == ANY else Basis(self.basis)

    @property
    def near(self) -> tuple[Relation, Basis] | None:
        """A pair that nearly fits: the basis gone, or else the tie; None where everything fits."""
        if self.basis not in (ANY, Basis.NONE):
            return self.pair[0], Basis.NONE
        return None if self.relation in (ANY, Relation.NONE) else _UNRELATED

    def intent(self, doing: str) -> str:
        """The sentence over its cases."""
        tie = "of anybody" if self.relation == ANY else f"when {self.relation}"
        basis = "" if self.basis == ANY else f" while {self.basis}"
        return f"{self.role} for {self.purpose} {tie}{basis}: {doing} ({self.clause})."

    def case(self, pair: tuple[Relation, Basis], name: str, effect: Expected) -> Case:
        """What is expected of one name, where one pair holds."""
        return Case(self.role, self.purpose, (pair,), name, effect)


def default_cases() -> tuple[CaseGroup, ...]:
    """Every default case."""
    matrix = read_necessity()
    return grouped(dict.fromkeys((*_shown(matrix), *_filtered(), *_written())))


def generated() -> dict[str, str]:
    """The text of every generated file, by its name."""
    return case_texts(default_cases())


def write_default_cases(folder: Path = CASES) -> None:
    """Write the generated files."""
    folder.mkdir(exist_ok=True)
    for name, text in generated().items():
        (folder / name).write_text(text, encoding="utf-8")


def _shown(matrix: Iterable[Necessity]) -> Iterator[_Row]:
    matrix = tuple(matrix)
    for row in matrix:
        who = _Who(row.role, row.purpose, row.relation, row.basis, row.clause)
        shown = [category for category in Category if row.levels[category]]
        for category in shown:
            name = _field(category, row.purpose)
            yield who.intent("sees what it needs"), who.case(who.pair, name, _level(matrix, who, who.pair, category))
            if who.near:
                near = _level(matrix, who, who.near, category)
                yield who.intent("sees no more once that is gone"), who.case(who.near, name, near)
        for category in sorted(WATCHED - set(shown)):
            level = _level(matrix, who, who.pair, category)
            yield who.intent("sees no more than that"), who.case(who.pair, _field(category, row.purpose), level)
        other = Purpose.RESEARCH
        case = Case(row.role, other, (who.pair,), _field(shown[0], row.purpose), Expected.DENY)
        yield f"{row.role} for {other}: sees nothing as no rule says otherwise (C24).", case
        yield from _halves(matrix, who, shown)


def _halves(matrix: tuple[Necessity, ...], who: _Who, shown: Iterable[Category]) -> Iterator[_Row]:
    """A tie by one record and a basis by another do not make one pair."""
    relation, basis = who.pair
    if Relation.NONE in who.pair or Basis.NONE in who.pair:
        return
    halves = ((Relation.NONE, basis), (relation, Basis.NONE))
    for category in shown:
        level = max(_number(matrix, who, pair, category) for pair in halves)
        if level < _number(matrix, who, who.pair, category):
            case = Case(who.role, who.purpose, halves, _field(category, who.purpose), _LEVELS[level])
            yield who.intent("a tie by one record and a basis by another show no more"), case
            return


def _level(matrix: tuple[Necessity, ...], who: _Who, pair: tuple[Relation, Basis], category: Category) -> Expected:
    return _LEVELS[_number(matrix, who, pair, category)]


def _number(matrix: tuple[Necessity, ...], who: _Who, pair: tuple[Relation, Basis], category: Category) -> int:
    """What the rows that fit show together; what has no masked form is shown or not."""
    fitting = (
        row.levels[category]
        for row in matrix
        if (row.role, row.purpose) == (who.role, who.purpose)
        and row.relation in (pair[0], ANY)
        and row.basis in (pair[1], ANY)
    )
    found = max(fitting, default=0)
    return found if found != 1 or category in MASKABLE else 0


def _field(category: Category, purpose: Purpose) -> str:
    return _DIAGNOSIS if category is Category.HEALTH and purpose in _OF_CLAIMS else _FIELDS[category]


def _filtered() -> Iterator[_Row]:
    granted = {(Role(row["role"]), Purpose(row["purpose"])): row["clause"] for row in _rows("grants.csv")}
    allowed = {(row["role"], row["purpose"], row["object"]) for row in _rows("grants.csv")}
    for (role, purpose), clause in granted.items():
        who = _Who(role, purpose, ANY, ANY, clause)
        for category in (Category.PHONE, Category.GOVERNMENT_ID, Category.BANK_ACCOUNT):
            effect = Expected.FILTER if (role, purpose, category) in allowed else Expected.NO_FILTER
            yield who.intent("looks rows up by this and nothing else"), who.case(_UNRELATED, _FIELDS[category], effect)
    for row in _rows("grants.csv"):
        if row["object"] not in set(Category):
            who = _Who(Role(row["role"]), Purpose(row["purpose"]), row["relation"], row["basis"], row["clause"])
            yield who.intent("counts and sees no rows"), who.case(_UNRELATED, row["object"], Expected.FILTER)


def _written() -> Iterator[_Row]:
    rows = [
        (_Who(Role(row["role"]), Purpose(row["purpose"]), row["relation"], row["basis"], row["clause"]), name)
        for row in _rows("writes.csv")
        for name in row["writes"].split()
    ]
    for who, obj in rows:
        name = _FIELDS[Category(obj)] if obj in set(Category) else obj
        yield who.intent("does this or gives this"), who.case(who.pair, name, Expected.WRITE)
        if who.near:
            also = any(
                (other.role, other.purpose, again) == (who.role, who.purpose, obj)
                and other.relation in (who.near[0], ANY)
                and other.basis in (who.near[1], ANY)
                for other, again in rows
            )
            effect = Expected.WRITE if also else Expected.NO_WRITE
            yield who.intent("does not once that is gone"), who.case(who.near, name, effect)


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(newline="", encoding="utf-8") as stream:
        yield from csv.DictReader(line for line in stream if not line.startswith("#"))


if __name__ == "__main__":
    write_default_cases()
