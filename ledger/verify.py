"""Is an export of the ledger what was sealed? A program of its own: needs the export and the second place's heads only.

    python ledger/verify.py EXPORT --heads FILE [--key FILE|FINGERPRINT] [--months N] [--partial] [--json]

It shares no code with what it checks, on purpose, and runs without the rest of the project: the standard library,
`cryptography`, and the few lines of RFC 6962 that follow. Exit 0 intact, 1 found something, 2 usage.
"""

import argparse
import bisect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MOST_FINDINGS = 100
LEAST_MONTHS = 36
"""For how many months every row is kept (PIPL, Art. 56)."""
_HASH = 32
"""Bytes of a SHA-256."""
_FIRST_BEFORE = "0" * 64
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SIGNATURE = re.compile(r"[0-9a-f]{128}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")

_HEADER = {"export": int, "size": int, "first": int, "end": int}
_ROW = {"index": int, "writer": str, "sequence": int, "at": str, "body": str}
_BARE = {"index": int, "hash": str}
_SIGNED_HEAD = {"head": str, "signature": str}
_HEAD = {"size": int, "root": str, "at": str, "previous": str, "key": str}
_KEY = {"key": str, "public": str}
_SIGNED_ROTATION = {"rotation": str, "signature": str}
_ROTATION = {"at": str, "key": str, "next": str, "public": str}

_AS_IT_IS: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": "\n"}
"""Opens a file so that no byte of it is taken for another."""

Shape = Mapping[str, type]


class MalformedError(Exception):
    """A line that is not written as it has to be."""


class UnusableError(Exception):
    """What was given cannot be used at all; the message says what to do."""


@dataclass(slots=True)
class Report:
    """What was found, a sentence each, and what was looked at."""

    findings: list[str] = field(default_factory=list)
    rows: int = field(init=False)
    texts: int = 0
    dropped: list[list[int]] = field(default_factory=list)
    """Rows without a text that a record of `ledger drop` accounts for: the first and the last of each range."""
    heads: int = field(init=False)
    first: int = field(init=False)
    end: int = field(init=False)
    key: str = field(init=False)
    since: str = ""
    until: str = ""

    def add(self, finding: str) -> None:
        """Note a finding; those after many others say nothing more."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)

    @property
    def summary(self) -> str:
        """What holds where nothing was found."""
        between = f" ({self.since} to {self.until})" if self.since else ""
        texts = f"{self.texts} with a text, of those from {self.first} up to {self.end}{between}"
        return f"Intact: {self.rows} rows under {self.heads} signed heads, {texts}. The key is {self.key}."

    @property
    def text(self) -> str:
        """What was found, and which texts there are not to look at: a line each."""
        found = self.findings or [self.summary]
        gone = [f"Rows {first} to {last} have no text: they were dropped as old." for first, last in self.dropped]
        looked = [f"{self.texts} of {self.rows} rows have a text."] if self.findings else []
        return "\n".join([*found, *gone, *looked])


@dataclass(frozen=True, slots=True)
class Head:
    """A head as it was signed."""

    line: str
    text: str
    signature: bytes
    size: int
    root: str
    at: str
    previous: str
    key: str


def leaf_hash(content: bytes) -> bytes:
    """RFC 6962, 2.1."""
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962, 2.1."""
    return sha256(b"\x01" + left + right).digest()


def roots(leaves: bytes, sizes: set[int]) -> Iterator[tuple[int, str]]:
    """The roots (hex) over the first so many leaf hashes, which stand one after another."""
    stack: list[bytes] = []
    for size in range(1, len(leaves) // _HASH + 1):
        stack.append(leaves[_HASH * (size - 1) : _HASH * size])
        joined = size
        while joined % 2 == 0:
            right = stack.pop()
            stack[-1] = node_hash(stack[-1], right)
            joined //= 2
        if size in sizes:
            root = stack[-1]
            for left in reversed(stack[:-1]):
                root = node_hash(left, root)
            yield size, root.hex()


def parsed(text: str, *shapes: Shape) -> tuple[Shape, dict[str, Any]]:
    """Which of the shapes a text has, written in the one way there is. Raises MalformedError."""
    try:
        text.encode()
        found = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise MalformedError from fault
    for shape in shapes:
        if isinstance(found, dict) and list(found) == list(shape) and _fits(found, shape) and _written(found) == text:
            return shape, found
    raise MalformedError


def _fits(found: Mapping[str, Any], shape: Shape) -> bool:
    return all(type(found[name]) is kind for name, kind in shape.items())


def _written(found: object) -> str:
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


def _checked(pattern: re.Pattern[str], *texts: str) -> None:
    if not all(pattern.fullmatch(text) for text in texts):
        raise MalformedError


def _head(line: str, outer: Mapping[str, Any]) -> Head:
    _, inner = parsed(outer["head"], _HEAD)
    _checked(_SIGNATURE, outer["signature"])
    _checked(_TIME, inner["at"])
    return Head(line, outer["head"], bytes.fromhex(outer["signature"]), **inner)


class Keys:
    """The keys that sign, each announced by the one before."""

    def __init__(self) -> None:
        self.publics: dict[str, bytes] = {}

    def add(self, called: str, public: str) -> None:
        """A key under its name. Raises MalformedError where the name is not its SHA-256."""
        _checked(_DIGEST, public)
        raw = bytes.fromhex(public)
        if sha256(raw).hexdigest() != called:
            raise MalformedError
        self.publics[called] = raw

    @property
    def newest(self) -> str:
        """The id of the one that signs now."""
        return list(self.publics)[-1]

    def place(self, called: str) -> int:
        """Where it stands in the order of the keys; -1 where it does not."""
        return list(self.publics).index(called) if called in self.publics else -1

    def signed(self, text: str, signature: bytes, called: str) -> bool:
        """Is this the key's signature of the text?"""
        try:
            Ed25519PublicKey.from_public_bytes(self.publics[called]).verify(signature, text.encode())
        except (KeyError, ValueError, InvalidSignature):
            return False
        return True


class Chain:
    """Heads one after another, each of which has to follow from the one before."""

    def __init__(self, where: str, report: Report, keys: Keys) -> None:
        self.where, self.report, self.keys = where, report, keys
        self.heads: dict[int, Head] = {}
        self.last: Head | None = None

    def add(self, head: Head, *, known: Head | None = None) -> None:
        """The next head; `known` is one of the same size whose signature has been checked."""
        last, what = self.last, f"{self.where}: the head of {head.size} rows"
        if head.previous != (sha256(last.text.encode()).hexdigest() if last else _FIRST_BEFORE):
            self.report.add(f"{what} does not name the head before it: one was taken out, put in or changed.")
        if head.size <= (last.size if last else 0):
            self.report.add(f"{what} comes after one of as many rows or more: the heads are out of order.")
        if last and head.at < last.at:
            self.report.add(f"{what} is signed for {head.at}, before the head before it: the times are out of order.")
        if last and 0 <= self.keys.place(head.key) < self.keys.place(last.key):
            self.report.add(f"{what} is signed with a key that another had replaced by then.")
        same = known is not None and known.line == head.line
        if not same and not self.keys.signed(head.text, head.signature, head.key):
            self.report.add(f"{what} is not signed with a key that the second place announces.")
        self.heads[head.size] = self.last = head


def read_second_place(lines: Iterable[str], report: Report) -> Chain:
    """The keys and heads of the second place. Raises UnusableError where it does not begin with a key."""
    keys = Keys()
    chain = Chain("Second place", report, keys)
    for number, line in enumerate(_finished(lines), 1):
        try:
            _take_second(line, number, chain, keys)
        except MalformedError:
            if not keys.publics:
                message = "The heads do not begin with the line of their key: give the second place's file as it is."
                raise UnusableError(message) from None
            report.add(f"Second place: line {number} is malformed.")
    if not keys.publics:
        raise UnusableError("The file of heads is empty: give the second place's file as it is.")
    return chain


def _finished(lines: Iterable[str]) -> Iterator[str]:
    """Lines that end. The last one of a copy may have been half written when it was taken."""
    return (line[:-1] for line in lines if line.endswith("\n"))


def _take_second(line: str, number: int, chain: Chain, keys: Keys) -> None:
    if number == 1:
        _, opening = parsed(line, _KEY)
        keys.add(opening["key"], opening["public"])
        return
    shape, outer = parsed(line, _SIGNED_HEAD, _SIGNED_ROTATION)
    if shape is _SIGNED_HEAD:
        head = _head(line, outer)
        if head.key != keys.newest:
            chain.report.add(f"Second place: line {number} is signed with another key than the one announced.")
        chain.add(head)
        return
    _, inner = parsed(outer["rotation"], _ROTATION)
    _checked(_SIGNATURE, outer["signature"])
    signed = keys.signed(outer["rotation"], bytes.fromhex(outer["signature"]), inner["key"])
    if inner["key"] != keys.newest or not signed:
        chain.report.add(f"Second place: line {number} announces a key, and the key before it has not signed that.")
    keys.add(inner["next"], inner["public"])


@dataclass(frozen=True, slots=True)
class Drop:
    """What a record of `ledger drop`, itself a row, says: that at this time all rows before a month were dropped."""

    index: int
    at: str
    before: str
    ranges: list[tuple[int, int]]

    @classmethod
    def read(cls, index: int, at: str, detail: Mapping[str, Any]) -> "Drop":
        """From the detail of a row. Raises TypeError, ValueError."""
        ranges = [(first, last) for first, last in detail["dropped"]]
        if not all(type(place) is int for one in ranges for place in one):
            raise TypeError
        return cls(index, at, str(detail.get("before")), ranges)

    def counted(self, heads: list[Head], months: int) -> list[tuple[int, int]]:
        """The ranges of which it can be true, by the heads in their order.

        Whoever can add rows can write such a record and date it, but not the signed head that covers it. So the record
        has to be late enough by its own date and by its head's, and the rows early enough by the head that sealed them.
        """
        own = _covering(heads, self.index)
        if (
            own is None
            or not _MONTH.fullmatch(self.before)
            or _months(min(self.at, own.at)) - _months(self.before) < months
        ):
            return []
        return [one for one in self.ranges if one[1] < self.index and self._is_before(_covering(heads, one[1]))]

    def _is_before(self, head: Head | None) -> bool:
        # Rows are sealed within seconds: on the first day of the next month at the latest.
        return head is not None and head.at[:10] <= f"{self.before}-01"


def _covering(heads: list[Head], index: int) -> Head | None:
    """The first head that has the row."""
    place = bisect.bisect_right(heads, index, key=lambda head: head.size)
    return heads[place] if place < len(heads) else None


def _months(date: str) -> int:
    return 12 * int(date[:4]) + int(date[5:7])


def _merged(places: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Ranges, first and last, as the fewest there are."""
    merged: list[list[int]] = []
    for first, last in sorted(places):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(last, merged[-1][1])
        elif first <= last:
            merged.append([first, last])
    return merged


class Rows:
    """The rows of an export, in their order."""

    def __init__(self, header: Mapping[str, Any], report: Report, months: int) -> None:
        self.size, self.report, self.months = header["size"], report, months
        self.window = range(header["first"], header["end"])
        self.leaves = bytearray()
        self.whole = True
        """Does each row stand in its place, so that the tree can be compared?"""
        self._expected = 0
        self._bare: list[int] = []
        self._all_bare = 0
        self._drops: list[Drop] = []
        self._last: dict[str, tuple[int, int]] = {}
        """Of each writer the last sequence, and how many rows had no text by then."""

    def take(self, shape: Shape, row: Mapping[str, Any]) -> None:
        """The next row. Raises MalformedError."""
        index = row["index"]
        if index != self._expected:
            self._misplaced(index)
        self._expected = index + 1
        if shape is _BARE:
            _checked(_DIGEST, row["hash"])
            self.leaves += bytes.fromhex(row["hash"])
            self._all_bare += 1
            if index in self.window:
                self._bare.append(index)
            return
        _checked(_UUID, row["writer"])
        _checked(_TIME, row["at"])
        self.report.texts += 1
        self.leaves += leaf_hash(f"{row['writer']}:{row['sequence']}:{row['body']}".encode())
        if index not in self.window:
            self.report.add(f"Row {index} has a text, and the export says that it has none.")
        self._follow(index, row["writer"], row["sequence"])
        self._look_into(index, row)

    def _misplaced(self, index: int) -> None:
        self.whole = False
        if index > self._expected:
            self.report.add(f"The rows from {self._expected} up to {index} are missing.")
        else:
            self.report.add(f"Row {index} stands after row {self._expected - 1}: it is doubled or out of order.")

    def _follow(self, index: int, writer: str, sequence: int) -> None:
        last, bare = self._last.get(writer, (0, 0))
        # Rows of which only the hash is there may have been this writer's.
        if sequence - last - 1 > self._all_bare - bare:
            self.report.add(
                f"Row {index}: the rows from {last + 1} up to {sequence} of the writer {writer} are missing."
            )
        if sequence <= last:
            self.report.add(f"Row {index}: the writer {writer} has its row {sequence} twice or out of order.")
        self._last[writer] = sequence, self._all_bare

    def _look_into(self, index: int, row: Mapping[str, Any]) -> None:
        try:
            body = json.loads(row["body"])
            at = body["at"]
            if body["kind"] == "COMMAND" and "dropped" in body.get("detail", ()):
                self._drops.append(Drop.read(index, row["at"], body["detail"]))
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            self.report.add(f"Row {index} does not hold the text of a row.")
            return
        if at != row["at"]:
            self.report.add(f"Row {index} is dated {row['at']}, and its text says otherwise.")
        self.report.since = self.report.since or row["at"]
        self.report.until = row["at"]

    def finish(self, heads: Iterable[Head]) -> None:
        """All rows have been taken: are they all there, with their texts? The heads date what was dropped."""
        if self._expected != self.size:
            self.report.add(f"The export says that it has {self.size} rows, and ends after {self._expected}.")
        dated = sorted(heads, key=lambda head: head.size)
        counted = _merged(one for drop in self._drops for one in drop.counted(dated, self.months))
        accounted = []
        for index in self._bare:
            place = bisect.bisect_right(counted, index, key=lambda one: one[0]) - 1
            if place >= 0 and index <= counted[place][1]:
                accounted.append((index, index))
                continue
            why = f"no record of `ledger drop` accounts for it (rows are kept for {self.months} months)"
            self.report.add(f"The text of row {index} is missing, and {why}.")
        self.report.dropped = _merged(accounted)


def verify(
    export: Iterable[str],
    heads: Iterable[str],
    *,
    pinned: str | None = None,
    partial: bool = False,
    months: int = LEAST_MONTHS,
) -> Report:
    """Check an export against the second place's heads, both as lines. Raises UnusableError.

    `pinned` is the SHA-256 (hex) of the public key that the asker knows; `partial`: only some rows were asked for; what
    was dropped before it was so many `months` old should not have been.
    """
    report = Report()
    second = read_second_place(heads, report)
    keys = second.keys
    report.key = keys.newest
    if pinned is not None:
        signer = keys.place(second.last.key) if second.last else keys.place(keys.newest)
        if keys.place(pinned) < 0 or signer < keys.place(pinned):
            report.add(f"The heads are not signed with the key {pinned}, nor with one that it announced.")
    rows, chain = _read_export(export, second, report, months)
    report.rows, report.heads = rows.size, len(chain.heads)
    report.first, report.end = rows.window.start, rows.window.stop
    if not partial and rows.window != range(rows.size):
        report.add("The export has the texts of some rows only: say --partial if that is what was asked for.")
    _compare(rows, chain, second, report)
    return report


def _read_export(export: Iterable[str], second: Chain, report: Report, months: int) -> tuple[Rows, Chain]:
    lines = iter(export)
    header = _header(next(lines, ""))
    rows, chain = Rows(header, report, months), Chain("Export", report, second.keys)
    for number, line in enumerate(lines, 2):
        try:
            shape, found = parsed(line.removesuffix("\n"), _ROW, _BARE, _SIGNED_HEAD)
            if shape is _SIGNED_HEAD:
                head = _head(line.removesuffix("\n"), found)
                chain.add(head, known=second.heads.get(head.size))
            elif chain.heads:
                report.add(f"Export: the row in line {number} stands after the heads.")
            else:
                rows.take(shape, found)
        except MalformedError:
            report.add(f"Export: line {number} is malformed.")
    rows.finish({**chain.heads, **second.heads}.values())
    return rows, chain


def _header(line: str) -> dict[str, Any]:
    known = "This is no export of the ledger, or of a format that this program does not know."
    try:
        _, header = parsed(line.removesuffix("\n"), _HEADER)
    except MalformedError:
        raise UnusableError(known) from None
    if header["export"] != 1 or not 0 <= header["first"] <= header["end"] <= header["size"]:
        raise UnusableError(known)
    return header


def _compare(rows: Rows, chain: Chain, second: Chain, report: Report) -> None:
    ends = chain.last.size if chain.last else 0
    if ends != rows.size:
        report.add(f"The last head of the export has {ends} rows and the export {rows.size}: one of them was cut off.")
    if second.last and second.last.size > ends:
        report.add(
            f"The second place knows of {second.last.size} rows and the export's heads of {ends}: rows were cut off or"
            " the database was rolled back (or the heads were copied after the export: copy them first)."
        )
    for size, head in second.heads.items():
        if size <= ends and (size not in chain.heads or chain.heads[size].line != head.line):
            report.add(f"The second place's head of {size} rows is not in the export: it was taken out or signed anew.")
    if rows.whole:
        _compare_roots(bytes(rows.leaves), {**chain.heads, **second.heads}, report)


def _compare_roots(leaves: bytes, heads: Mapping[int, Head], report: Report) -> None:
    fits = 0
    for size, root in roots(leaves, set(heads)):
        if heads[size].root != root:
            report.add(
                f"The rows from {fits} up to {size} are not those that were sealed: something in them was changed."
            )
            return
        fits = size


def accept(parser: argparse.ArgumentParser) -> None:
    """Declare what the program takes."""
    parser.add_argument("export", metavar="EXPORT", type=Path, help="what `ledger export` wrote")
    parser.add_argument("--heads", metavar="FILE", type=Path, required=True, help="a copy of the second place")
    parser.add_argument("--key", metavar="FILE|FINGERPRINT", help="the key that must have signed, as you know it")
    parser.add_argument(
        "--months",
        metavar="N",
        type=int,
        default=LEAST_MONTHS,
        help="for how long rows have to be kept; no younger one may have been dropped (%(default)s)",
    )
    parser.add_argument("--partial", action="store_true", help="only some months were asked for")


def run(arguments: argparse.Namespace, show: Callable[[str], object]) -> int:
    """Verify as told and show the result; the exit code."""
    try:
        pinned = None if arguments.key is None else _fingerprint(arguments.key)
        with arguments.export.open(**_AS_IT_IS) as export, arguments.heads.open(**_AS_IT_IS) as heads:
            report = verify(export, heads, pinned=pinned, partial=arguments.partial, months=arguments.months)
    except (OSError, UnusableError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    if arguments.json:
        names = ("findings", "rows", "texts", "dropped", "heads", "first", "end", "key")
        show(json.dumps({"intact": not report.findings, **{name: getattr(report, name) for name in names}}))
    else:
        show(report.text)
    return 1 if report.findings else 0


def _fingerprint(given: str) -> str:
    """The SHA-256 of the key: as given, or of the key in a file that begins as the second place does."""
    if _DIGEST.fullmatch(given):
        return given
    keys = Keys()
    try:
        with Path(given).open(**_AS_IT_IS) as stream:
            _, found = parsed(stream.readline().removesuffix("\n"), _KEY)
        keys.add(found["key"], found["public"])
    except (MalformedError, ValueError):
        message = f"{given!r} holds no key: give the line that a second place begins with, or the key's 64 hex digits."
        raise UnusableError(message) from None
    return keys.newest


def main() -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="verify.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    accept(parser)
    return run(parser.parse_args(), print)


if __name__ == "__main__":
    sys.exit(main())
