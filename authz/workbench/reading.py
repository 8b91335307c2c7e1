"""Rows of files that anybody may have written: each is read whole, or told with its place and what to do about it."""

import csv
import difflib
import io
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from authz.rules import RulesetError
from authz.vocabulary import ANY, Action, Basis, Relation, RuleEffect
from authz.workbench.findings import Finding, FindingKind, Severity
from models.vocabulary import Purpose, Role

MOST_BYTES = 64 << 20
"""Of one file: some half a million rules."""

_BOM = "\ufeff"
Words = Mapping[str, tuple[str, ...]]
RULE_WORDS: Words = {
    "effect": tuple(RuleEffect),
    "role": tuple(Role),
    "purpose": tuple(Purpose),
    "relation": (*Relation, ANY),
    "basis": (*Basis, ANY),
    "action": tuple(Action),
}
"""By column, the words that may stand in it."""
_INHERITED = frozenset({"g", "g2", "g3"})
"""How Casbin's own files begin a row that lets one role inherit from another."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_WILDCARD = re.compile(r"[*?^$|\\\[\]{}]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_FEW = 6
_LONGEST_SHOWN = 40

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Read(Generic[_Row]):
    """One row that was read, and its place: file and line."""

    row: _Row
    place: str


def read_file(
    path: Path, name: str, *, headers: Sequence[tuple[str, ...]], parse: Callable[..., _Row], words: Words = RULE_WORDS
) -> Iterator[Read[_Row] | Finding]:
    """Every row of a CSV file, or a finding in its stead; `name`: the file's, in places; `words`: what may stand."""
    try:
        text = _text(path)
    except _NoTextError as fault:
        yield _finding(f"{name}{fault.line}", fault.message)
        return
    if text.startswith(_BOM):
        text = text.removeprefix(_BOM)
        message = "It begins with a byte order mark, which was passed over: save it as UTF-8 without one."
        yield Finding(FindingKind.FILE, Severity.NOTE, None, message, place=f"{name} line 1")
    header: tuple[str, ...] = ()
    for line, row in _rows(text, name):
        place = f"{name} line {line}"
        if isinstance(row, Finding):
            yield row
        elif not header:
            header = tuple(row)
            if header not in headers:
                yield _finding(place, f"The first line must be {','.join(headers[0])}: nothing of the file was read.")
                return
        else:
            yield from _parsed(row, place, parse, partial(_explained, header=header, words=words))
    if not header:
        yield _finding(f"{name} line 1", f"The first line must be {','.join(headers[0])}.")


def _rows(text: str, name: str) -> Iterator[tuple[int, list[str] | Finding]]:
    """Each row, or the finding that ends them, with the line in which it begins."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = rows.line_num + 1
        try:
            yield line, next(rows)
        except StopIteration:
            return
        except csv.Error:
            message = (
                f"A quotation mark is not closed, or a word has more than {csv.field_size_limit()} letters: mend it;"
                " nothing after it was read."
            )
            yield line, _finding(f"{name} line {line}", message)
            return


def _parsed(
    row: list[str], place: str, parse: Callable[..., _Row], explained: Callable[..., list[str]]
) -> Iterator[Read[_Row] | Finding]:
    try:
        yield Read(parse(row, place=place), place)
    except RulesetError as fault:
        for message in explained(row, fault=str(fault).removeprefix(f"{place}: ")):
            yield Finding(FindingKind.VOCABULARY, Severity.ERROR, None, message, place=place)


def _finding(place: str, message: str) -> Finding:
    return Finding(FindingKind.FILE, Severity.ERROR, None, message, place=place)


class _NoTextError(Exception):
    def __init__(self, message: str, line: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def _text(path: Path) -> str:
    try:
        # Not opened before: opening what is no file may wait for ever.
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _NoTextError("It is no file: put a CSV file in its place, or take it away.")
        if status.st_size > MOST_BYTES:
            raise _NoTextError(f"It has more than {MOST_BYTES >> 20} MiB: split it, or look whether it is meant.")
        data = path.read_bytes()
    except OSError as error:
        raise _NoTextError(f"It cannot be read ({error.strerror}): see who may read it.") from None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _NoTextError("It is not text in UTF-8: save it as CSV UTF-8.", f" line {line}") from None


def _explained(row: Sequence[str], *, header: Sequence[str], words: Words, fault: str) -> list[str]:
    """What is wrong with a row, and what to do; the parser's own words where nothing better is known."""
    if not row:
        return ["It is an empty line: delete it."]
    if row[0] in _INHERITED:
        return ["Roles do not inherit from one another here: write the rules of each role in full."]
    pairs = zip(header, row, strict=False)
    found = [message for column, word in pairs if (message := _wrong(column, word, words.get(column)))]
    if len(row) != len(header):
        found.append(f"It has {len(row)} words where the first line has {len(header)}: no word of a rule has a comma.")
    return found or [f"{fault[:1].upper()}{fault[1:]}."]


def _wrong(column: str, word: str, known: tuple[str, ...] | None) -> str | None:
    if known is not None and word in known:
        return None
    if _UNPRINTABLE.search(word) or "\n" in word or "\r" in word:
        return f"{column} {_shown(word)} holds a sign that is no text, or a line break: type it anew."
    if word.startswith(_FORMULA):
        return f"{column} {_shown(word)} begins like a formula of a table program: no word here does."
    return None if known is None else _unknown(column, word, known)


def _unknown(column: str, word: str, known: tuple[str, ...]) -> str:
    shown = _shown(word)
    if not word:
        return f"{column} is empty: write {_listed(known)}."
    if _WILDCARD.search(word):
        instead = "`any` fits every one" if ANY in known else "write a row for each one"
        return f"{column} {shown} is a pattern, and words are compared letter by letter: {instead}."
    if word.strip().lower() in known:
        return f"{column} {shown} is not written as it should be: write {word.strip().lower()}."
    close = difflib.get_close_matches(word[:_LONGEST_SHOWN], known, n=1)
    meant = f"did you mean {close[0]}?" if close else f"write {_listed(known)}."
    return f"{column} {shown} is unknown, and what it says would be lost: {meant}"


def _listed(words: Iterable[str]) -> str:
    some = list(words)
    return " or ".join(some) if len(some) <= _FEW else f"one of {', '.join(some)}"


def _shown(word: str) -> str:
    return repr(word) if len(word) <= _LONGEST_SHOWN else f"{word[:_LONGEST_SHOWN]!r}…"
