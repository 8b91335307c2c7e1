"""Rules, budgets and cases as a folder of readable CSV files; a content written and read again is the same.

`rules/` has a file for each category, `filter.csv`, `write.csv` and `budget.csv`; `cases/` a file for each role. Rules
may stand in whichever of the files of their folder: only what they say counts.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from authz.catalogue import Catalogue
from authz.commands import OperatorRefusedError
from authz.rules import (
    BUDGET_COLUMNS,
    BUDGET_FILE,
    COLUMNS,
    TIMED_COLUMNS,
    Budget,
    Rule,
    RulesetError,
    budgets_text,
    parse_budget,
    parse_rule,
    rules_text,
)
from authz.ruleset_store import Content
from authz.vocabulary import Action
from authz.workbench.cases import CASE_COLUMNS, Case, CaseGroup, Expected, grouped, parse_case, read_cases, write_cases
from authz.workbench.findings import Finding, FindingKind, Severity
from authz.workbench.reading import RULE_WORDS, Read, read_file
from models.vocabulary import Category, Role

RULES_FOLDER, CASES_FOLDER = "rules", "cases"
_FILES = {Action.FILTER: "filter.csv", Action.WRITE: "write.csv"}
_UNKNOWN = "unknown.csv"
"""Of rules about what the schema does not have any more."""
_RULE_FILES = frozenset({*(f"{category}.csv" for category in Category), *_FILES.values(), BUDGET_FILE, _UNKNOWN})
_CASE_FILES = frozenset(f"{role}.csv" for role in Role)
_SUFFIX = ".csv"
_CASE_WORDS = {**RULE_WORDS, "effect": tuple(Expected)}

_Row = TypeVar("_Row")


@dataclass(slots=True)
class Folder:
    """What was read of a folder: its content unless some file or row could not be, and where each rule stands."""

    content: Content | None
    findings: list[Finding]
    places: Mapping[Rule, tuple[str, ...]] = field(default_factory=dict)

    def placed(self, found: Sequence[Finding]) -> list[Finding]:
        """Findings on its rules with the places of these rules; of one that stands twice both."""
        return [
            replace(one, place=" and ".join(self.places[one.rule])) if one.rule and one.rule in self.places else one
            for one in found
        ]


def read_folder(path: Path) -> tuple[Content | None, list[Finding]]:
    """The content of a folder and what was found in reading it; None where something could not be read."""
    found = read_placed(path)
    return found.content, found.findings


def read_placed(path: Path) -> Folder:
    """The same, with places."""
    found: list[Finding] = []
    rules = list(_kept(_read_rules(path, found), found))
    budgets = list(_kept(_read_budgets(path, found), found))
    cases = list(_kept(_read_cases(path, found), found))
    text = _cases_text(cases, found)
    if any(one.severity is Severity.ERROR for one in found):
        return Folder(None, found)
    places: defaultdict[Rule, tuple[str, ...]] = defaultdict(tuple)
    for one in rules:
        places[one.row] += (one.place,)
    content = Content(tuple(one.row for one in rules), tuple(one.row for one in budgets), text)
    return Folder(content, found, dict(places))


def _kept(rows: Iterator[Read[_Row] | Finding], found: list[Finding]) -> Iterator[Read[_Row]]:
    for one in rows:
        if isinstance(one, Finding):
            found.append(one)
        else:
            yield one


def _read_rules(path: Path, found: list[Finding]) -> Iterator[Read[Rule] | Finding]:
    for name, file in _files(path / RULES_FOLDER, RULES_FOLDER, found):
        if file.name != BUDGET_FILE:
            yield from read_file(file, name, headers=(COLUMNS, TIMED_COLUMNS), parse=parse_rule)


def _read_budgets(path: Path, found: list[Finding]) -> Iterator[Read[Budget] | Finding]:
    file = path / RULES_FOLDER / BUDGET_FILE
    name = f"{RULES_FOLDER}/{BUDGET_FILE}"
    if (path / RULES_FOLDER).is_dir() and not file.exists():
        message = "It is missing: without it nobody is revealed. `rules export` writes one."
        found.append(Finding(FindingKind.FILE, Severity.ERROR, None, message, place=name))
    elif file.exists():
        yield from read_file(file, name, headers=(BUDGET_COLUMNS,), parse=parse_budget)


def _read_cases(path: Path, found: list[Finding]) -> Iterator[Read[tuple[str, Case]] | Finding]:
    folder = path / CASES_FOLDER
    # A content without cases has no folder of them.
    for name, file in _files(folder, CASES_FOLDER, found) if folder.exists() else ():
        yield from read_file(file, name, headers=(CASE_COLUMNS,), parse=_parse_case, words=_CASE_WORDS)


def _parse_case(row: Sequence[str], *, place: str) -> tuple[str, Case]:
    return parse_case(tuple(row), place=place)


def _files(folder: Path, name: str, found: list[Finding]) -> Iterator[tuple[str, Path]]:
    try:
        files = sorted(folder.iterdir())
    except OSError:
        message = "There is no such folder: give a folder as `rules export` writes it, with `rules` and `cases` in it."
        found.append(Finding(FindingKind.FILE, Severity.ERROR, None, message, place=name))
        return
    for file in files:
        if file.suffix == _SUFFIX:
            yield f"{name}/{file.name}", file
        elif not file.name.startswith("."):
            message = "It was not read, as its name does not end with .csv: give it that end, or take it away."
            found.append(Finding(FindingKind.FILE, Severity.WARNING, None, message, place=f"{name}/{file.name}"))


def _cases_text(cases: Sequence[Read[tuple[str, Case]]], found: list[Finding]) -> str:
    places: dict[tuple[str, Case], str] = {}
    for one in cases:
        if one.row in places:
            message = f"The case stands in {places[one.row]} already: delete one of the two."
            found.append(Finding(FindingKind.DOUBLED, Severity.ERROR, None, message, place=one.place))
        places.setdefault(one.row, one.place)
    return write_cases(grouped(places))


def texts(content: Content, catalogue: Catalogue) -> dict[str, str]:
    """The text of each file by its path in the folder. Raises RulesetError for cases that cannot be read."""
    rules: defaultdict[str, list[Rule]] = defaultdict(list)
    for rule in content.rules:
        rules[_file_of(rule, catalogue)].append(rule)
    found = {f"{RULES_FOLDER}/{name}": rules_text(some) for name, some in sorted(rules.items())}
    found[f"{RULES_FOLDER}/{BUDGET_FILE}"] = budgets_text(content.budgets)
    return found | {f"{CASES_FOLDER}/{name}": text for name, text in case_texts(read_cases(content.cases)).items()}


def _file_of(rule: Rule, catalogue: Catalogue) -> str:
    if rule.action in _FILES:
        return _FILES[rule.action]
    category = catalogue[rule.object].category if rule.object in catalogue else rule.object
    return f"{category}{_SUFFIX}" if category in set(Category) else _UNKNOWN


def case_texts(groups: Sequence[CaseGroup]) -> dict[str, str]:
    """The files of cases: one for each role that has any."""
    rows: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    for group in groups:
        for case in group.cases:
            rows[f"{case.role}{_SUFFIX}"].append((group.intent, *case.words))
    return {name: _table((CASE_COLUMNS, *some)) for name, some in sorted(rows.items())}


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def read_case_files(folder: Path) -> tuple[CaseGroup, ...]:
    """The cases of a folder of our own. Raises RulesetError at the first row that is not wholly valid."""
    found: list[tuple[str, Case]] = []
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        for one in read_file(path, path.name, headers=(CASE_COLUMNS,), parse=_parse_case, words=_CASE_WORDS):
            if isinstance(one, Finding):
                raise RulesetError(f"{one.place}: {one.message}")
            found.append(one.row)
    return grouped(found)


def write_folder(path: Path, content: Content, catalogue: Catalogue) -> list[str]:
    """Write a content's files into a folder, and take away those of ours that it has not; their paths.

    Raises OperatorRefusedError where the folder holds other CSV files, which would be read with them, or cannot be
    written.
    """
    written = texts(content, catalogue)
    try:
        for name, ours in ((RULES_FOLDER, _RULE_FILES), (CASES_FOLDER, _CASE_FILES)):
            folder = path / name
            folder.mkdir(parents=True, exist_ok=True)
            others = sorted(file.name for file in folder.iterdir() if file.suffix == _SUFFIX and file.name not in ours)
            if others:
                raise OperatorRefusedError(f"{folder} holds {others[0]}, which is none of these files: take another.")
        for name, ours in ((RULES_FOLDER, _RULE_FILES), (CASES_FOLDER, _CASE_FILES)):
            for file in ours:
                if f"{name}/{file}" not in written:
                    (path / name / file).unlink(missing_ok=True)
        for name, text in written.items():
            (path / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OperatorRefusedError(f"{path} cannot be written ({error.strerror}): take another folder.") from None
    return sorted(written)
