"""Writes docs/clauses.md: each clause of the privacy policy, where it is carried out, and the tests that hold it.

`python -m tests.clauses` writes it anew. A clause's place is every module and rule that names its number, its tests are
those whose names have it. The clauses themselves stand in docs/clauses.csv.
"""

import ast
import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
CLAUSES, PAGE = ROOT / "docs" / "clauses.csv", ROOT / "docs" / "clauses.md"
ROOMS = ("authz", "console", "ledger", "models", "privacy", "resolvers", "schema", "vault")
PLACES = {".py", ".csv", ".toml", ".json"}
SOFTWARE = {"A", "J"}
"""How a clause is carried out: by the interface, by a job; or O by an operator's workflow, D by documents alone."""
MOST = 4
"""Of places and of tests so many are named, the others counted."""

_NAMED = re.compile(r"\bC(\d\d)(?:\s?[-–]\s?C?(\d\d))?\b")
_IN_TEST = re.compile(r"(?<=_)c(\d\d)(?=_)")
_HEAD = """# The privacy policy, clause by clause

Written by `python -m tests.clauses` from the tests and the source, and checked by the suite: do not edit. **How**:
A the interface decides or refuses, J a job, O an operator's workflow that is recorded and watched, D documents and
settings.

| clause | source | what the service does | how | where | held by |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Clause:
    """One clause: its number, where the policy has it, what the service does, and how."""

    number: str
    source: str
    does: str
    how: frozenset[str]


def clauses() -> list[Clause]:
    with CLAUSES.open(newline="") as file:
        return [
            Clause(number, source, does, frozenset(how.split(", ")))
            for number, source, does, how in list(csv.reader(file))[1:]
        ]


def places() -> Mapping[str, list[str]]:
    """Files of the product by the clauses they name."""
    return _by_clause((path, path.read_text()) for path in _sources())


def guides() -> Mapping[str, list[str]]:
    """Guides by the clauses they name."""
    pages = (path for path in (ROOT / "docs").glob("*.md") if path != PAGE)
    return _by_clause((path, path.read_text()) for path in pages)


def held() -> Mapping[str, list[str]]:
    """Tests by the clauses in their names, `file::name`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "node_modules" in path.parts:
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for number in _IN_TEST.findall(node.name):
                    found[f"C{number}"].append(f"{path.relative_to(ROOT)}::{node.name}")
    return found


def page() -> str:
    """The page as it should stand."""
    where, told, tests = places(), guides(), held()
    return _HEAD + "".join(
        f"| {one.number} | {one.source} | {one.does} | {', '.join(sorted(one.how))}"
        f" | {_named(where[one.number] or told[one.number])} | {_named(tests[one.number])} |\n"
        for one in clauses()
    )


def _sources() -> Iterator[Path]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in PLACES and "migrations" not in path.parts and "cases" not in path.parts:
                yield path


def _by_clause(texts: Iterator[tuple[Path, str]]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path, text in texts:
        for number in sorted(_numbers(text)):
            found[number].append(str(path.relative_to(ROOT)))
    return found


def _numbers(text: str) -> set[str]:
    spans = ((int(first), int(last or first)) for first, last in _NAMED.findall(text))
    return {f"C{number:02}" for first, last in spans for number in range(first, last + 1)}


def _named(found: list[str]) -> str:
    shown = "<br>".join(f"`{one}`" for one in found[:MOST])
    return shown + (f"<br>and {len(found) - MOST} more" if len(found) > MOST else "")


if __name__ == "__main__":
    PAGE.write_text(page())
