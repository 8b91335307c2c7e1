"""Rules and rulesets: rows that read as sentences, validated one by one before anything is enforced.

A rule reads: *allow* a *claims_handler* for *claim_handling* when *assigned* and *contract_open* to *reveal* *health*.
Precedence: a ruleset allows only if some rule allows and none denies (authz/model.conf).
A rule may hold for a time only: from `valid_from` until just before `valid_until`, to the second.
A budget reads: a *claims_handler* for *claim_handling* is revealed *2000* persons an hour and *8000* a day.
"""

import csv
import hashlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from authz.catalogue import Catalogue
from authz.vocabulary import ANY, Action, Basis, Relation, RuleEffect
from models.vocabulary import Category, Purpose, Role


class RulesetError(Exception):
    """A ruleset is refused as a whole; the message names the row and what is wrong with it."""


class _Lined:
    """Room for a row's text, written out once: rules by the thousand are sorted and named by it."""

    __slots__ = ("_line",)
    _line: str


@dataclass(frozen=True, slots=True, order=True)
class Rule(_Lined):
    """One row. `object` is a category or a coordinate; relation and basis may be `any`; clause says why.

    `valid_from` and `valid_until` are moments as `moment_text` writes them, or empty: without that bound.
    """

    effect: RuleEffect
    role: Role
    purpose: Purpose
    relation: str
    basis: str
    action: Action
    object: str
    clause: str
    valid_from: str = ""
    valid_until: str = ""

    @property
    def sentence(self) -> tuple[str, ...]:
        """What it says, without why and until when: two rules of one sentence say the same."""
        return self.effect, self.role, self.purpose, self.relation, self.basis, self.action, self.object

    @property
    def timed(self) -> bool:
        """Does it hold for a time only?"""
        return bool(self.valid_from or self.valid_until)

    @property
    def line(self) -> str:
        """The row as text; no word holds a comma."""
        try:
            return self._line
        except AttributeError:
            words = (*self.sentence, self.clause)
            text = ",".join((*words, self.valid_from, self.valid_until) if self.timed else words)
            object.__setattr__(self, "_line", text)
            return text

    def holds_at(self, moment: str) -> bool:
        """Is it in force at a moment, written by `moment_text`?"""
        return self.valid_from <= moment and (not self.valid_until or moment < self.valid_until)


@dataclass(frozen=True, slots=True, order=True)
class Budget:
    """Of how many persons one subject is revealed anything, in an hour and in a day; clause says why."""

    role: Role
    purpose: Purpose
    per_hour: int
    per_day: int
    clause: str

    @property
    def line(self) -> str:
        """The row as text; no word holds a comma."""
        return ",".join(map(str, astuple(self)))


TIMED_COLUMNS = tuple(column.name for column in fields(Rule))
COLUMNS = TIMED_COLUMNS[:-2]
"""Of a file in which no rule holds for a time only."""
BUDGET_COLUMNS = tuple(column.name for column in fields(Budget))
BUDGET_FILE = "budget.csv"
_Row = TypeVar("_Row")
_MOST_DIGITS = 9
"""Of a number of persons: the database counts them in four bytes."""
_CLAUSE = re.compile(r"[A-Za-z0-9\u4e00-\u9fff][A-Za-z0-9\u4e00-\u9fff .()§/–-]{0,59}")
"""Latin letters, Chinese ones, digits and what stands between them: nothing that looks like another clause, or that a
table program takes for a formula or a separator."""
_WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", re.ASCII)
_OBJECT = re.compile(r"[A-Za-z_]{1,60}(\.[A-Za-z_]{1,60})?")
_CATEGORIES = frozenset(Category)
_YEARS = range(2000, 2101)
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Ruleset:
    """An immutable, numbered set of rules and budgets, in order; the digest names its content.

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
    ordered = tuple(sorted(rules, key=attrgetter("line")))
    if not ordered:
        message = "a ruleset without rules is refused"
        raise RulesetError(message)
    if _doubled(ordered):
        message = "a rule stands twice"
        raise RulesetError(message)
    for rule in {(rule.object, rule.action): rule for rule in ordered}.values():
        check_object(rule, catalogue)
    allowed = tuple(sorted(budgets))
    by_subject = {(budget.role, budget.purpose): budget for budget in allowed}
    if len(by_subject) != len(allowed):
        message = "a role and purpose have two budgets"
        raise RulesetError(message)
    return Ruleset(number, ordered, by_subject, digest_of(ordered, allowed))


def _doubled(ordered: Sequence[Rule]) -> bool:
    """Does a rule stand twice? In order of their lines, rules of one sentence stand beside each other."""
    alike: dict[Rule, None] = {}
    for one, other in pairwise(ordered):
        if one.object == other.object and one.sentence == other.sentence:
            if one == other:
                return True
            alike |= {one: None, other: None}
    return len({(rule.sentence, rule.valid_from, rule.valid_until) for rule in alike}) != len(alike)


def digest_of(rules: Iterable[Rule], budgets: Iterable[Budget]) -> str:
    """The name of a content: hex SHA-256 of its rows, each kind in order."""
    lines = (*(rule.line for rule in rules), *(budget.line for budget in budgets))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def moment_text(moment: datetime) -> str:
    """A moment as rules have it: UTC, to the second, so that texts compare as moments do."""
    return moment.astimezone(UTC).strftime(_MOMENT)


def in_force(ruleset: Ruleset, at: datetime) -> Ruleset:
    """What of a ruleset holds at a moment, under the same number; itself if nothing in it holds for a time only."""
    moment = moment_text(at)
    if not any(rule.timed for rule in ruleset.rules):
        return ruleset
    rules = tuple(rule for rule in ruleset.rules if rule.holds_at(moment))
    budgets = tuple(ruleset.budgets.values())
    return Ruleset(ruleset.number, rules, ruleset.budgets, digest_of(rules, budgets))


def boundaries(ruleset: Ruleset) -> tuple[str, ...]:
    """The moments at which some rule begins or ends, in order, as `moment_text` writes them."""
    found = {bound for rule in ruleset.rules if rule.timed for bound in (rule.valid_from, rule.valid_until)}
    return tuple(sorted(found - {""}))


def read_rules(folder: Path) -> Iterator[Rule]:
    """Every rule of the `*.csv` files of a folder. Raises RulesetError at the first row that is not wholly valid."""
    for path in sorted(folder.glob("*.csv")):
        if path.name != BUDGET_FILE:
            yield from _read(path, (COLUMNS, TIMED_COLUMNS), parse_rule)


def read_budgets(folder: Path) -> Iterator[Budget]:
    """Every budget of a folder. Raises RulesetError where the file is missing or a row is not wholly valid."""
    path = folder / BUDGET_FILE
    if not path.is_file():
        message = f"{BUDGET_FILE} is missing: without it nobody is revealed"
        raise RulesetError(message)
    return _read(path, (BUDGET_COLUMNS,), parse_budget)


def rules_text(rules: Iterable[Rule]) -> str:
    """Rules as a file has them, in order; with the columns of times only where some rule holds for a time only."""
    ordered = sorted(rules, key=attrgetter("line"))
    if not any(rule.timed for rule in ordered):
        return _text(COLUMNS, (rule.line for rule in ordered))
    return _text(TIMED_COLUMNS, (rule.line if rule.timed else f"{rule.line},," for rule in ordered))


def budgets_text(budgets: Iterable[Budget]) -> str:
    """Budgets as a file has them, in order."""
    return _text(BUDGET_COLUMNS, (budget.line for budget in sorted(budgets)))


def _text(columns: Iterable[str], lines: Iterable[str]) -> str:
    return "\n".join((",".join(columns), *lines)) + "\n"


def _read(path: Path, headers: tuple[tuple[str, ...], ...], parse: Callable[..., _Row]) -> Iterator[_Row]:
    with path.open(newline="", encoding="utf-8") as stream:
        rows = csv.reader(stream)
        if tuple(next(rows, ())) not in headers:
            message = f"{path.name}: the first line must be {','.join(headers[0])}"
            raise RulesetError(message)
        for number, row in enumerate(rows, start=2):
            yield parse(row, place=f"{path.name} line {number}")


def parse_rule(row: Sequence[str], *, place: str) -> Rule:
    """One rule from its 8 words, or 10 where it holds for a time only (of the last two one may be empty).

    Nothing is trimmed, guessed or defaulted. Raises RulesetError.
    """
    if len(row) not in (len(COLUMNS), len(TIMED_COLUMNS)) or not all(row[: len(COLUMNS)]):
        message = f"{place}: a rule has {len(COLUMNS)} words, none of them empty"
        raise RulesetError(message)
    effect, role, purpose, relation, basis, action, obj, clause, *bounds = row
    try:
        valid_from, valid_until = _bounds(*bounds)
        return Rule(
            effect=RuleEffect(effect),
            role=Role(role),
            purpose=Purpose(purpose),
            relation=relation if relation == ANY else Relation(relation).value,
            basis=basis if basis == ANY else Basis(basis).value,
            action=Action(action),
            # Few words, in many rows: each is kept once.
            object=sys.intern(str(_named(obj))),
            clause=sys.intern(_checked(clause)),
            valid_from=valid_from,
            valid_until=valid_until,
        )
    except ValueError as fault:
        message = f"{place}: {fault}"
        raise RulesetError(message) from fault


def _named(obj: str) -> str:
    """What a row is about. Raises ValueError for what can be no name; whether it is there, the catalogue knows."""
    if not _OBJECT.fullmatch(obj):
        raise ValueError(f"{obj[:40]!r} is no name of a category, a field such as Claim.diagnosis, or a write")
    return obj


def _checked(clause: str) -> str:
    """The clause of a row. Raises ValueError for what no clause is."""
    if not _CLAUSE.fullmatch(clause):
        raise ValueError(f"{clause[:80]!r} is no clause: letters and digits, and spaces and .()§/- between them")
    return clause


def _bounds(begin: str = "", end: str = "") -> tuple[str, str]:
    """Both bounds of validity. Raises ValueError for a time that ends before it begins."""
    valid_from, valid_until = _bound(begin), _bound(end)
    if valid_from and valid_until and valid_from >= valid_until:
        raise ValueError(f"it would end at {valid_until}, before it begins")
    return valid_from, valid_until


def _bound(text: str) -> str:
    """A bound of validity from RFC 3339 with an offset; empty: none. Raises ValueError."""
    if not text:
        return ""
    moment = None
    if _WHEN.fullmatch(text):
        with suppress(ValueError):  # such as the 30th of February
            moment = datetime.fromisoformat(text)
    if moment is None or moment.year not in _YEARS:
        raise ValueError(f"{text[:80]!r} is no moment to the second with its offset: write 2026-12-01T00:00:00+08:00")
    return moment_text(moment)


def parse_budget(row: Sequence[str], *, place: str) -> Budget:
    """One budget from its words; nothing is trimmed, guessed or defaulted. Raises RulesetError."""
    if len(row) != len(BUDGET_COLUMNS) or not all(row):
        message = f"{place}: a budget has {len(BUDGET_COLUMNS)} words, none of them empty"
        raise RulesetError(message)
    role, purpose, per_hour, per_day, clause = row
    try:
        budget = Budget(Role(role), Purpose(purpose), _persons(per_hour), _persons(per_day), _checked(clause))
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


def check_object(rule: Rule, catalogue: Catalogue) -> None:
    """Raises RulesetError for a rule about something that is not there, or that cannot be so acted on."""
    obj = rule.object
    if obj in catalogue.writes and rule.action != Action.WRITE:
        message = f"{obj!r} can only be written"
        raise RulesetError(message)
    if obj in catalogue.counts and rule.action != Action.FILTER:
        message = f"{obj!r} can only be filtered"
        raise RulesetError(message)
    if not catalogue.knows(obj) and obj not in _CATEGORIES:
        message = f"{obj!r} is neither a category, nor a sensitive coordinate, nor a write, nor a count"
        raise RulesetError(message)
