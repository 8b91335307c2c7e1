"""What the verifier must say, case by case: of a ledger as it was sealed nothing, of any other what is wrong.

Every case names, in their order, a part of each finding that it expects; none more may come.
"""

import json
from argparse import Namespace
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from ledger.head_keys import line_of, opening_line
from ledger.heads import sign
from tests.ledger.sealed_world import (
    ALICE,
    BEGUN,
    BOB,
    DROPPED,
    FIRST_KEPT,
    Row,
    World,
    compact,
    dropping,
    ended,
    key_of,
    plain,
    plain_rows,
    row,
)


@dataclass
class Case:
    name: str
    export: list[str]
    heads: list[str]
    expected: tuple[str, ...] = ()
    unusable: str | None = None
    given: dict[str, Any] = field(default_factory=dict)
    rows: int | None = None
    dropped: list[list[int]] | None = None

    def check_unusable(self, why: str) -> None:
        assert self.unusable is not None, f"{self.name}: {why}"
        assert self.unusable in why, f"{self.name}: {why}"

    def run(self, module: Any) -> None:
        """Raise AssertionError where the verifier says anything else."""
        try:
            report = module.verify(iter(ended(self.export)), iter(ended(self.heads)), **self.given)
        except module.UnusableError as why:
            self.check_unusable(str(why))
            return
        assert self.unusable is None, self.name
        found = report.findings
        assert len(found) == len(self.expected), f"{self.name}: {found}"
        for part, finding in zip(self.expected, found, strict=True):
            assert part in finding, f"{self.name}: {finding}"
        if self.rows is not None:
            assert (report.rows, report.heads) == (self.rows, len(self.heads)), self.name
        if self.dropped is not None:
            gone = sum(last - first + 1 for first, last in self.dropped)
            assert (report.dropped, report.texts) == (self.dropped, report.rows - gone), self.name


CHANGED = "are not those that were sealed"


def cases() -> list[Case]:
    return [
        *honest(),
        *of_rows(),
        *of_lines(),
        *of_heads(),
        *of_the_second_place(),
        *of_drops(),
        *of_forged_drops(),
        *of_parts(),
        *of_keys(),
    ]


def honest() -> list[Case]:
    world, short = plain(), World(plain_rows()[:1], (1,))
    every = [World(plain_rows()[:size], tuple(range(1, size + 1))) for size in range(1, 10)]
    return [
        Case("whole", world.export(), world.second),
        Case("one row", short.export(), short.second),
        *(Case(f"a head at each of {one.sizes}", one.export(), one.second) for one in every),
        Case("nothing at all", World([], ()).export(), World([], ()).second),
        Case("the heads were copied before", world.export(), world.second[:5]),
        Case("before any head", world.export(), world.second[:1], ("not signed with a key",) * 2),
        Case("two heads of one time", (same := same_times()).export(), same.second),
        Case(
            "emoji and controls", (odd := World([row(ALICE, 1, 1, said='😀\u2028\x7f"\\')], (1,))).export(), odd.second
        ),
    ]


def same_times() -> World:
    world = World(plain_rows()[:3], (2,))
    world.heads.append(sign(world.key, 3, world.root(3), world.heads[-1], now=BEGUN))
    world.second.append(world.heads[-1].line)
    return world


def edited(world: World, index: int, **values: Any) -> list[str]:
    """The export with one row's members changed."""
    lines = world.export()
    found = json.loads(lines[index + 1])
    lines[index + 1] = compact({**found, **values})
    return lines


def body_with(world: World, index: int, **values: Any) -> str:
    return compact({**world.rows[index].body, **values})


def of_rows() -> list[Case]:
    world = plain()
    lines, second = world.export(), world.second
    swapped = [*lines[:3], lines[4], lines[3], *lines[5:]]
    exchanged = edited(world, 2, body=world.rows[3].text, at=world.row_lines()[3].split('"at":"')[1][:27])
    exchanged[4] = edited(world, 3, body=world.rows[2].text, at=world.row_lines()[2].split('"at":"')[1][:27])[4]
    forged = compact({**world.rows[8].line(9), "sequence": 6})
    return [
        Case("flip in a text", edited(world, 4, body=body_with(world, 4, outcome="DONF")), second, (CHANGED,)),
        Case(
            "flip in the first row",
            edited(world, 0, body=body_with(world, 0, v=3)),
            second,
            ("from 0 up to 2 are not",),
        ),
        Case(
            "flip in the last row", edited(world, 8, body=body_with(world, 8, v=3)), second, ("from 7 up to 9 are not",)
        ),
        Case("persons swapped", edited(world, 1, body=body_with(world, 1, persons=[14])), second, ("from 0 up to 2",)),
        Case(
            "another writer",
            edited(world, 0, writer="cccccccc-0000-4000-8000-000000000003"),
            second,
            (f"the rows from 1 up to 2 of the writer {ALICE} are missing", "from 0 up to 2 are not"),
        ),
        Case(
            "another sequence",
            edited(world, 8, sequence=6),
            second,
            (f"Row 8: the rows from 5 up to 6 of the writer {ALICE} are missing", "from 7 up to 9 are not"),
        ),
        Case(
            "a sequence again",
            edited(world, 8, sequence=4),
            second,
            (f"Row 8: the writer {ALICE} has its row 4 twice", "from 7 up to 9 are not"),
        ),
        Case(
            "a sequence below one",
            edited(world, 0, sequence=0),
            second,
            (f"the writer {ALICE} has its row 0 twice", f"rows from 1 up to 2 of the writer {ALICE}", "from 0 up to 2"),
        ),
        Case(
            "another date",
            edited(world, 5, at="2026-11-02T08:05:00.000001Z"),
            second,
            ("Row 5 is dated 2026-11-02T08:05",),
        ),
        Case(
            "a first row deleted",
            [lines[0], *lines[2:]],
            second,
            ("The rows from 0 up to 1 are missing", f"Row 2: the rows from 1 up to 2 of the writer {ALICE}"),
        ),
        Case(
            "a row deleted",
            [*lines[:5], *lines[6:]],
            second,
            ("The rows from 4 up to 5 are missing", "from 2 up to 3 of"),
        ),
        Case("the last row deleted", [*lines[:9], *lines[10:]], second, ("has 9 rows, and ends after 8",)),
        Case("all rows deleted", [lines[0], *lines[10:]], second, ("has 9 rows, and ends after 0",)),
        Case(
            "rows reordered",
            swapped,
            second,
            (
                "The rows from 2 up to 3 are missing",
                f"Row 3: the rows from 2 up to 3 of the writer {ALICE}",
                "Row 2 stands after row 3",
                "Row 2: the writer",
                "The rows from 3 up to 4 are missing",
                f"Row 5: the rows from 3 up to 4 of the writer {ALICE}",
            ),
        ),
        Case("rows exchanged", exchanged, second, ("from 2 up to 3 are not",)),
        Case(
            "a row inserted",
            [*lines[:10], forged, *lines[10:]],
            second,
            ("Row 9 has a text", "has 9 rows, and ends after 10"),
        ),
        Case(
            "a row doubled",
            [*lines[:5], lines[4], *lines[5:]],
            second,
            ("Row 3 stands after row 3: it is doubled", "has its row 3 twice"),
        ),
        Case(
            "a row inserted and counted",
            [compact({"export": 1, "size": 10, "first": 0, "end": 10}), *lines[1:10], forged, *lines[10:]],
            second,
            ("of the export has 9 rows and the export 10",),
        ),
        Case(
            "truncated",
            [compact({"export": 1, "size": 7, "first": 0, "end": 7}), *lines[1:8], *lines[10:13]],
            second,
            ("knows of 9 rows and the export's heads of 7",),
        ),
        Case(
            "rows cut off, heads left",
            [compact({"export": 1, "size": 7, "first": 0, "end": 7}), *lines[1:8], *lines[10:]],
            second,
            ("The last head of the export has 9 rows and the export 7",),
        ),
        Case(
            "heads cut off",
            lines[:-1],
            second,
            ("The last head of the export has 7 rows and the export 9", "knows of 9 rows and the export's heads of 7"),
        ),
        Case(
            "all heads cut off",
            lines[:10],
            second,
            ("The last head of the export has 0 rows and the export 9", "knows of 9 rows and the export's heads of 0"),
        ),
        Case("cut off behind the heads known", lines[:-1], second[:5], ("has 7 rows and the export 9",)),
    ]


def of_lines() -> list[Case]:
    world = plain()
    lines, second = world.export(), world.second

    def with_line(place: int, line: str) -> list[str]:
        return [*lines[:place], line, *lines[place + 1 :]]

    def odd(place: int, line: str, *after: str) -> Case:
        expected = (f"Export: line {place + 1} is malformed", *after)
        return Case(f"line {place} as {line[:40]}", with_line(place, line), second, expected)

    last = ("has 9 rows, and ends after 8",)
    row_ = json.loads(lines[9])
    return [
        odd(9, "", *last),
        odd(9, "{", *last),
        odd(9, "[]", *last),
        odd(9, "[" * 100_000, *last),
        odd(9, lines[9].replace(",", ", ", 1), *last),
        odd(9, lines[9] + " ", *last),
        odd(9, lines[9].replace("查", "\\u67e5"), *last),
        odd(9, lines[9].replace("查", "\udce6\udc9f"), *last),
        odd(9, lines[9].replace('"index":8', '"index":8,"index":8'), *last),
        odd(9, compact({**row_, "index": 8.0}), *last),
        odd(9, compact({**row_, "sequence": True}), *last),
        odd(9, compact({**row_, "more": 1}), *last),
        odd(9, compact({name: row_[name] for name in ("index", "writer", "sequence", "body", "at")}), *last),
        odd(9, compact({**row_, "body": None}), *last),
        odd(9, compact({**row_, "writer": ALICE.upper()})),
        odd(9, compact({**row_, "at": "2026-11-02T08:08:00.000000+00:00"})),
        odd(9, compact({"index": 8, "hash": "AB" * 32})),
        odd(9, compact({"index": 8, "hash": "ab" * 31})),
        odd(9, compact({"index": 8, "hash": "ab" * 33})),
        Case(
            "no text of a row",
            edited(world, 8, body="[]"),
            second,
            ("Row 8 does not hold the text", "from 7 up to 9 are"),
        ),
        Case(
            "no JSON in a row",
            edited(world, 8, body="{"),
            second,
            ("Row 8 does not hold the text", "from 7 up to 9 are"),
        ),
        Case(
            "nothing in a row",
            edited(world, 8, body="{}"),
            second,
            ("Row 8 does not hold the text", "from 7 up to 9 are"),
        ),
        Case(
            "no kind in a row",
            edited(world, 8, body=compact({"at": row_["at"]})),
            second,
            ("Row 8 does not hold the text", "from 7 up to 9 are"),
        ),
        Case(
            "nested too deep",
            edited(world, 8, body="[" * 100_000),
            second,
            ("Row 8 does not hold the text", "from 7 up to 9 are"),
        ),
        Case(
            "a row after the heads",
            [*lines, compact({**row_, "index": 9})],
            second,
            ("the row in line 15 stands after",),
        ),
        Case(
            "the rows after a head",
            [lines[0], lines[10], *lines[1:10], *lines[11:]],
            second,
            (*(f"the row in line {number} stands after" for number in range(3, 12)), "has 9 rows, and ends after 0"),
        ),
        Case("two exports", [lines[0], *lines], second, ("Export: line 2 is malformed",)),
        *(
            Case(f"a header {header}", [header, *lines[1:]], second, unusable="This is no export of the ledger")
            for header in (
                "",
                "{}",
                '["export","size","first","end"]',
                lines[1],
                second[0],
                lines[0] + " ",
                compact({"export": 2, "size": 9, "first": 0, "end": 9}),
                compact({"export": 0, "size": 9, "first": 0, "end": 9}),
                compact({"export": 1, "size": 9, "first": -1, "end": 9}),
                compact({"export": 1, "size": 9, "first": 0, "end": 10}),
                compact({"export": 1, "size": 9, "first": 5, "end": 4}),
                compact({"export": 1, "size": "9", "first": 0, "end": 9}),
            )
        ),
        Case("no export", [], second, unusable="This is no export of the ledger"),
        Case(
            "a size too large",
            with_line(0, compact({"export": 1, "size": 10, "first": 0, "end": 10})),
            second,
            ("has 10 rows, and ends after 9", "has 9 rows and the export 10"),
        ),
        Case(
            "a size too small",
            with_line(0, compact({"export": 1, "size": 8, "first": 0, "end": 8})),
            second,
            ("Row 8 has a text, and the export says", "has 8 rows, and ends after 9", "has 9 rows and the export 8"),
        ),
        Case(
            "a gap of many",
            [*lines[:9], compact({**row_, "index": 108}), *lines[10:]],
            second,
            ("The rows from 8 up to 108 are missing", "Row 108 has a text", "has 9 rows, and ends after 109"),
        ),
        Case("so many findings that they are cut", [lines[0], *["x"] * 150], second, ("is malformed",) * 100),
    ]


def of_heads() -> list[Case]:
    world, other = plain(), plain()
    lines, second = world.export(), world.second
    stranger = key_of(99)
    resigned = [sign(stranger, 2, world.root(2), None, now=BEGUN + timedelta(hours=1))]
    for size in (3, 7, 9):
        resigned.append(sign(stranger, size, world.root(size), resigned[-1], now=BEGUN + timedelta(hours=2)))
    one = lines[10]
    late = sign(world.last_key, 9, world.root(9), world.heads[2], now=BEGUN + timedelta(hours=30))
    early = replace_head(world, 3, at="2026-11-02T08:00:00.000000Z")
    old = replace_head(world, 3, key=world.key)
    wrong_root = replace_head(world, 3, root="00" * 32)
    gone = "is not in the export"
    return [
        Case(
            "signed again by another",
            [*lines[:10], *(head.line for head in resigned)],
            second,
            (
                "of 2 rows is not signed with a key",
                "of 3 rows is not signed with a key",
                "of 7 rows is not signed with a key",
                "of 9 rows is not signed with a key",
                *(f"head of {size} rows {gone}" for size in (2, 3, 7, 9)),
            ),
        ),
        Case("a head signed anew", [*lines[:13], late.line], second, (f"head of 9 rows {gone}",)),
        Case(
            "a head taken out",
            [*lines[:11], *lines[12:]],
            second,
            ("the head of 7 rows does not name the head before it", f"head of 3 rows {gone}"),
        ),
        Case(
            "the first head taken out",
            [*lines[:10], *lines[11:]],
            second,
            ("the head of 3 rows does not name the head before it", f"head of 2 rows {gone}"),
        ),
        Case(
            "the last head replaced by the one before",
            [*lines[:13], lines[12]],
            second,
            (
                "the head of 7 rows does not name the head before",
                "comes after one of as many rows or more",
                "export has 7 rows and the export 9",
                "knows of 9 rows",
            ),
        ),
        Case(
            "heads swapped",
            [*lines[:11], lines[12], lines[11], lines[13]],
            second,
            (
                "of 7 rows does not name",
                "of 3 rows does not name",
                "of 3 rows comes after one of as many rows or more",
                "of 3 rows is signed for 2026-11-02T10:00:00.000000Z, before the head before it",
                "key that another had replaced",
                "of 9 rows does not name",
            ),
        ),
        Case(
            "a signature changed",
            [*lines[:10], flipped(one, '"signature":"'), *lines[11:]],
            second,
            ("the head of 2 rows is not signed", f"head of 2 rows {gone}"),
        ),
        Case(
            "a signature in capitals",
            [*lines[:10], upper_signature(one), *lines[11:]],
            second,
            ("line 11 is malformed", "of 3 rows does not name the head before it", f"head of 2 rows {gone}"),
        ),
        Case(
            "a signature cut short",
            [*lines[:10], line_of({**json.loads(one), "signature": "ab" * 63}), *lines[11:]],
            second,
            ("line 11 is malformed", "of 3 rows does not name the head before it", f"head of 2 rows {gone}"),
        ),
        Case(
            "a head with more in it",
            [*lines[:10], head_of({**json.loads(json.loads(one)["head"]), "more": 1}, world.key), *lines[11:]],
            second,
            ("line 11 is malformed", "of 3 rows does not name the head before", f"of 2 rows {gone}"),
        ),
        Case(
            "a head of no time",
            [*lines[:10], head_of({**json.loads(json.loads(one)["head"]), "at": "now"}, world.key), *lines[11:]],
            second,
            ("line 11 is malformed", "of 3 rows does not name the head before", f"of 2 rows {gone}"),
        ),
        Case(
            "a newer head before its time",
            [*lines[:13], early.heads[-1].line],
            second[:5],
            ("of 9 rows is signed for 2026-11-02T08:00:00.000000Z, before the head before it",),
        ),
        Case(
            "a newer head by an old key",
            [*lines[:13], old.heads[-1].line],
            second[:5],
            ("of 9 rows is signed with a key that another had replaced",),
        ),
        Case(
            "a newer head of another root",
            [*lines[:13], wrong_root.heads[-1].line],
            second[:5],
            ("from 7 up to 9 are not",),
        ),
        Case(
            "a newer head by a stranger",
            [*lines[:13], replace_head(world, 3, key=stranger).heads[-1].line],
            second[:5],
            ("of 9 rows is not signed with a key that the second place",),
        ),
        Case(
            "another ledger's",
            other_world().export(),
            second,
            (
                "of 2 rows is not signed",
                "of 3 rows is not signed",
                "of 7 rows is not signed",
                "of 9 rows is not signed",
                *(f"head of {size} rows {gone}" for size in (2, 3, 7, 9)),
            ),
        ),
        Case("the same made again", other.export(), second),
    ]


def other_world() -> World:
    return plain(key=key_of(98))


def head_of(inner: dict[str, Any], key: Any) -> str:
    text = line_of(inner)
    return line_of({"head": text, "signature": key.sign(text).hex()})


def replace_head(world: World, place: int, *, key: Any = None, **values: Any) -> World:
    """The world with one head changed and signed by the key that should have, or by another."""
    changed = World(world.rows, world.sizes, world.rotated_after)
    head = changed.heads[place]
    signer = key or changed.last_key
    inner = {**json.loads(head.text), **values, "key": signer.id}
    line = head_of(inner, signer)
    changed.heads[place] = replace(type(head).read(line))
    changed.second = [line if one == head.line else one for one in changed.second]
    return changed


def flipped(line: str, after: str) -> str:
    place = line.rindex(after) + len(after)
    return line[:place] + ("0" if line[place] != "0" else "1") + line[place + 1 :]


def upper_signature(line: str) -> str:
    before, _, signature = line.rpartition('"signature":')
    return before + '"signature":' + signature.upper()


def of_the_second_place() -> list[Case]:
    world = plain()
    lines, second = world.export(), world.second
    stranger, opening = key_of(99), second[0]
    first = json.loads(second[1])
    other = json.loads(opening)
    not_signed = "is not signed with a key that the second place announces"
    rotation = json.loads(second[3])
    forged = line_of({**rotation, "signature": stranger.sign(rotation["rotation"]).hex()})
    renamed = json.loads(rotation["rotation"]) | {"next": "00" * 32}
    bad_name = line_of({"rotation": (text := line_of(renamed)), "signature": world.key.sign(text).hex()})
    no_key = "Second place: line 4 announces a key, and the key before it has not signed that"
    by_stranger = json.loads(rotation["rotation"]) | {"key": stranger.id}
    usurped = line_of({"rotation": (said := line_of(by_stranger)), "signature": stranger.sign(said).hex()})
    late_text = line_of(json.loads(rotation["rotation"]) | {"next": stranger.id, "public": stranger.public.hex()})
    old = replace_head(world, 3, key=world.key)
    early = replace_head(world, 3, at="2026-11-02T08:00:00.000000Z")
    again = World(world.rows, (*world.sizes[:3],), (3,))
    rolled = [*again.second, sign(again.last_key, 9, again.root(9), None, now=BEGUN + timedelta(days=1)).line]
    return [
        Case("a head of it gone", lines, [*second[:2], *second[3:]], ("head of 7 rows does not name the head before",)),
        Case(
            "its chain broken",
            [*lines[:13], rolled[-1]],
            rolled,
            ("Second place: the head of 9 rows does not name", "Export: the head of 9 rows does not name"),
        ),
        Case(
            "a head of it twice",
            lines,
            [*second[:3], second[2], *second[3:]],
            ("of 3 rows does not name the head before", "of 3 rows comes after one of as many rows or more"),
        ),
        Case(
            "its first line only flipped",
            lines,
            [flipped(opening, '"public":"'), *second[1:]],
            unusable="The heads do not begin with the line of their key",
        ),
        Case("its first line gone", lines, second[1:], unusable="The heads do not begin with the line of their key"),
        Case(
            "its first line another's",
            lines,
            [opening_line(stranger.opening), *second[1:]],
            (
                "line 2 is signed with another key than",
                "of 2 rows " + not_signed,
                "line 3 is signed with another key than",
                "of 3 rows " + not_signed,
                no_key,
            ),
        ),
        Case("nothing in it", lines, [], unusable="The file of heads is empty"),
        Case(
            "its first line no key",
            lines,
            [compact({"key": other["key"], "public": "ab" * 31})],
            unusable="The heads do not begin with the line of their key",
        ),
        Case(
            "a line of it malformed",
            lines,
            [*second[:2], second[2] + " ", *second[3:]],
            ("Second place: line 3 is malformed", "of 7 rows does not name the head before"),
        ),
        Case(
            "another key line in it", lines, [*second[:2], opening, *second[2:]], ("Second place: line 3 is malformed",)
        ),
        Case(
            "a signature of it changed",
            lines,
            [opening, flipped(second[1], '"signature":"'), *second[2:]],
            ("Second place: the head of 2 rows " + not_signed, "head of 2 rows is not in the export"),
        ),
        Case(
            "a signature of it cut short",
            lines,
            [opening, line_of({**first, "signature": "ab" * 63}), *second[2:]],
            ("Second place: line 2 is malformed", "of 3 rows does not name the head before it"),
        ),
        Case("a rotation forged", lines, [*second[:3], forged, *second[4:]], (no_key,)),
        Case("a rotation by a stranger", lines, [*second[:3], usurped, *second[4:]], (no_key,)),
        Case(
            "a rotation's signature cut short",
            lines,
            [*second[:3], line_of({**rotation, "signature": "ab"}), *second[4:]],
            (
                "line 4 is malformed",
                "line 5 is signed with another key",
                "of 7 rows " + not_signed,
                "line 6 is signed with another key",
                "of 9 rows " + not_signed,
            ),
        ),
        Case(
            "a rotation by a key that was replaced",
            lines,
            [*second[:4], line_of({"rotation": late_text, "signature": world.key.sign(late_text).hex()})],
            ("Second place: line 5 announces a key, and the key before it has not signed that",),
        ),
        Case(
            "its key in capitals",
            lines,
            [compact({**other, "public": other["public"].upper()}), *second[1:]],
            unusable="The heads do not begin with the line of their key",
        ),
        Case(
            "its key no number",
            lines,
            [compact({**other, "public": "zz" * 32}), *second[1:]],
            unusable="The heads do not begin with the line of their key",
        ),
        Case(
            "a rotation under another name",
            lines,
            [*second[:3], bad_name, *second[4:]],
            (
                "line 4 is malformed",
                "line 5 is signed with another key",
                "of 7 rows " + not_signed,
                "line 6 is signed with another key",
                "of 9 rows " + not_signed,
            ),
        ),
        Case(
            "a head of it by the old key",
            old.export(),
            old.second,
            (
                "line 6 is signed with another key than the one announced",
                "Second place: the head of 9 rows is signed with a key",
                "Export: the head of 9 rows is signed with a key that another had replaced",
            ),
        ),
        Case(
            "a head of it before its time",
            early.export(),
            early.second,
            (
                "Second place: the head of 9 rows is signed for 2026-11-02T08",
                "Export: the head of 9 rows is signed for",
            ),
        ),
        Case(
            "a root of it wrong",
            (wrong := replace_head(world, 3, root="ab" * 32)).export(),
            wrong.second,
            ("from 7 up to 9 are not those",),
        ),
        Case(
            "rolled back",
            World(world.rows[:7], (2, 3, 7), (3,)).export(),
            second,
            ("The second place knows of 9 rows and the export's heads of 7",),
        ),
        Case(
            "rolled back and gone on",
            rolled_back(world).export(),
            second,
            (
                "second place's head of 7 rows is not in the export",
                "head of 9 rows is not in the export",
                "from 3 up to 7",
            ),
        ),
        Case(
            "rolled back a little",
            World(world.rows, (2, 3, 8, 9), (3,)).export(),
            second,
            ("second place's head of 7 rows is not in the export", "head of 9 rows is not in the export"),
        ),
    ]


def rolled_back(world: World) -> World:
    """Begun again from the head of three rows, with other rows."""
    rows = [*world.rows[:5], row(ALICE, 4, 50), row(BOB, 3, 51), row(BOB, 4, 52), row(ALICE, 5, 53)]
    return World(rows, world.sizes, world.rotated_after)


def of_drops() -> list[Case]:
    rows = [*plain_rows()[:5], dropping(BOB, 3, [0, 1], [3, 3]), row(ALICE, 4, 6)]
    world = World(rows, (5, 7), bare=frozenset({0, 1, 3}))
    lines, second = world.export(), world.second
    one_more = World(rows, (5, 7), bare=frozenset({0, 1, 2, 3}))
    later = World(rows, (5, 7), bare=frozenset({0, 1, 3, 6}))
    itself = World([*rows[:5], dropping(BOB, 3, [0, 3], [4, 5]), rows[6]], (5, 7), bare=frozenset({0, 4}))
    ahead = World([*rows[:5], dropping(BOB, 3, [0, 3], [6, 6]), rows[6]], (5, 7), bare=frozenset({0, 6}))
    only_said = World([*rows[:5], row(BOB, 3, 5, detail={"dropped": [[0, 4]]}), rows[6]], (5, 7), bare=frozenset({1}))
    other = World([*rows[:5], row(BOB, 3, 5, kind="COMMAND", detail={"command": "x"}), rows[6]], (5, 7))
    odd = World([*rows[:5], row(BOB, 3, 5, kind="COMMAND", detail={"dropped": 5}), rows[6]], (5, 7))
    bare = World([*rows[:5], row(BOB, 3, 5, kind="COMMAND"), rows[6]], (5, 7))
    flat = edited(world, 3)
    flat[4] = compact({"index": 3, "hash": "00" * 32})
    gone = "and no record of `ledger drop` accounts for it"
    fits = World(
        [row(ALICE, 1, 0), row(ALICE, 2, 1), row(BOB, 1, 2), row(ALICE, 3, 3), dropping(BOB, 2, [0, 1])],
        (3, 5),
        bare=frozenset({0, 1}),
    )
    wide = World(
        [row(ALICE, 1, 0), row(BOB, 1, 1), row(ALICE, 3, 2), dropping(BOB, 2, [0, 0])], (3, 4), bare=frozenset({0})
    )
    since = World(
        [row(ALICE, 1, 0), row(ALICE, 2, 1), row(ALICE, 4, 2), dropping(BOB, 1, [0, 0])], (3, 4), bare=frozenset({0})
    )
    return [
        Case("a writer's first rows dropped", fits.export(), fits.second, dropped=[[0, 1]]),
        Case(
            "a gap larger than what was dropped",
            wide.export(),
            wide.second,
            (f"Row 2: the rows from 1 up to 3 of the writer {ALICE}",),
        ),
        Case(
            "a gap since what was dropped",
            since.export(),
            since.second,
            (f"Row 2: the rows from 3 up to 4 of the writer {ALICE}",),
        ),
        Case("dropped", lines, second, dropped=[[0, 1], [3, 3]]),
        Case("a text taken away under that pretext", one_more.export(), second, (f"text of row 2 is missing, {gone}",)),
        Case("a text taken away after it", later.export(), second, (f"text of row 6 is missing, {gone}",)),
        Case("a drop that names itself", itself.export(), itself.second, (f"text of row 4 is missing, {gone}",)),
        Case("a drop that names what comes", ahead.export(), ahead.second, (f"text of row 6 is missing, {gone}",)),
        Case("a row that only says it", only_said.export(), only_said.second, (f"text of row 1 is missing, {gone}",)),
        Case("another command", other.export(), other.second),
        Case("a command of nothing", bare.export(), bare.second),
        Case("a drop that names nothing", odd.export(), odd.second, ("Row 5 does not hold the text of a row",)),
        Case("a hash changed", flat, second, ("from 0 up to 5 are not those",)),
        Case(
            "no drop at all",
            World(rows[:5], (5,), bare=frozenset({0})).export(),
            World(rows[:5], (5,)).second,
            (f"text of row 0 is missing, {gone}",),
        ),
        Case(
            "gaps after what was dropped",
            edited(world, 4, sequence=3),
            second,
            (f"Row 5: the writer {BOB} has its row 3 twice", "from 0 up to 5 are not"),
        ),
    ]


def of_forged_drops() -> list[Case]:
    """Records that cannot be true: of rows that were not old enough, by the dates that were signed."""
    gone = "and no record of `ledger drop` accounts for it"
    month, hour = timedelta(days=31), timedelta(hours=1)
    kept = datetime(2026, 12, 1, tzinfo=UTC)

    def dropped(
        name: str, *drops: Row, last: int = 4, found: bool = True, dated: dict | None = None, **given: Any
    ) -> Case:
        texts = [row(ALICE, place + 1, place) for place in range(5)]
        bare = frozenset(range(last + 1))
        world = World([*texts, *drops], (2, 5, 5 + len(drops)), bare=bare, dated=dated or {})
        expected = tuple(f"text of row {place} is missing, {gone}" for place in sorted(bare)) if found else ()
        ranges = [] if found else [[0, last]]
        return Case(name, world.export(), world.second, expected, given=given, dropped=None if found else ranges)

    unsealed = World([row(ALICE, 1, 1), dropping(BOB, 1, [0, 0])], (1,), bare=frozenset({0}))
    part = plain(bare=frozenset({0, 1, 7, 8}), window=(2, 7))
    return [
        dropped("a drop of rows old enough", dropping(BOB, 1, [0, 4]), found=False),
        dropped("a drop in pieces", dropping(BOB, 1, [3, 4], [0, 1], [1, 2], [2, 1]), found=False),
        dropped("two drops", dropping(BOB, 1, [0, 1]), dropping(BOB, 2, [0, 4], [1, 2]), found=False),
        dropped("a drop of more than is gone", dropping(BOB, 1, [0, 4]), last=2, found=False),
        dropped("an old enough drop beside a forged one", dropping(BOB, 1, [0, 4]), forged_now(2), found=False),
        dropped("a drop of yesterday's rows", forged_now(1)),
        dropped("a drop of yesterday's rows, as those of years ago", forged_now(1, before="2023-11")),
        dropped("a drop that dates itself years ahead", dropping(BOB, 1, [0, 4]), dated={6: BEGUN + 8 * hour}),
        dropped("a drop a month too early", dropping(BOB, 1, [0, 4], at=DROPPED - hour)),
        dropped("a drop whose record is late", dropping(BOB, 1, [0, 4]), found=False, dated={6: DROPPED + month}),
        dropped("a drop whose record was sealed before", dropping(BOB, 1, [0, 4]), dated={6: DROPPED - hour}),
        dropped("a drop of another year", dropping(BOB, 1, [0, 4], before="2027-12")),
        dropped("rows kept for a month longer", dropping(BOB, 1, [0, 4]), months=37),
        dropped("rows kept for a month longer, and so they were", later_by(month), months=37, found=False),
        dropped("a drop without its month", dropping(BOB, 1, [0, 4], before=None)),
        dropped("a drop before no month", dropping(BOB, 1, [0, 4], before="2026-13")),
        dropped("a drop before a number", dropping(BOB, 1, [0, 4], before=202612)),
        dropped("rows sealed on the next day", dropping(BOB, 1, [0, 4]), dated={5: kept + 23 * hour}, found=False),
        dropped("rows sealed too late", dropping(BOB, 1, [0, 4]), dated={5: kept + 24 * hour}),
        dropped(
            "others sealed too late", dropping(BOB, 1, [0, 1], [2, 4]), last=1, dated={5: kept + month}, found=False
        ),
        dropped("the last of them sealed too late", dropping(BOB, 1, [0, 2]), last=1, dated={5: kept + month}),
        dropped(
            "a drop in many heads", dropping(BOB, 1, [0, 4]), dropping(BOB, 2, [0, 0]), dated={5: kept}, found=False
        ),
        Case(
            "a drop that no head covers",
            unsealed.export(),
            unsealed.second,
            (f"text of row 0 is missing, {gone}", "The last head of the export has 1 rows and the export 2"),
        ),
        Case("no drop in a part", part.export(), part.second, given={"partial": True}, dropped=None),
        *(
            Case(
                f"a drop of {ranges}",
                (
                    odd := World([row(ALICE, 1, 1), row(BOB, 1, 2, kind="COMMAND", detail={"dropped": ranges})], (2,))
                ).export(),
                odd.second,
                ("Row 1 does not hold the text of a row",),
            )
            for ranges in ([["0", 0]], [[0, 0.0]], [[0]], [[0, 0, 0]], [[None, None]], {"00": 1})
        ),
    ]


def forged_now(sequence: int, *, before: str = FIRST_KEPT) -> Row:
    return dropping(BOB, sequence, [0, 4], at=BEGUN + timedelta(hours=2), before=before)


def later_by(more: timedelta) -> Row:
    return dropping(BOB, 1, [0, 4], at=DROPPED + more)


def of_parts() -> list[Case]:
    world = plain(bare=frozenset({0, 1, 7, 8}), window=(2, 7))
    lines, second = world.export(), world.second
    inside = plain(bare=frozenset({0, 1, 4, 7, 8}), window=(2, 7))
    first_end = (
        plain(bare=frozenset({0, 1, 2, 7, 8}), window=(2, 7)),
        plain(bare=frozenset({0, 1, 6, 7, 8}), window=(2, 7)),
    )
    before, after = plain(bare=frozenset({0, 7, 8}), window=(2, 7)), plain(bare=frozenset({0, 1, 8}), window=(2, 7))
    part = {"partial": True}
    some = "The export has the texts of some rows only"
    return [
        Case("a part that was asked for", lines, second, given=part),
        Case("a part that was not", lines, second, (some,)),
        Case("the whole where a part was asked for", plain().export(), second, given=part),
        Case("nothing of it", plain(bare=frozenset(range(9)), window=(9, 9)).export(), second, given=part),
        Case("a part from the beginning", plain(bare=frozenset({8}), window=(0, 8)).export(), second, (some,)),
        Case("a part to the end", plain(bare=frozenset({0}), window=(1, 9)).export(), second, (some,)),
        Case("a text gone within", inside.export(), second, ("text of row 4 is missing",), given=part),
        Case("a text gone first", first_end[0].export(), second, ("text of row 2 is missing",), given=part),
        Case("a text gone last", first_end[1].export(), second, ("text of row 6 is missing",), given=part),
        Case("a text before it", before.export(), second, ("Row 1 has a text, and the export says",), given=part),
        Case("a text after it", after.export(), second, ("Row 7 has a text, and the export says",), given=part),
        Case(
            "a hash beside it changed",
            [*lines[:9], compact({"index": 8, "hash": "00" * 32}), *lines[10:]],
            second,
            ("from 7 up to 9 are not",),
            given=part,
        ),
        Case(
            "a gap in it",
            edited(world, 6, sequence=5),
            second,
            (f"Row 6: the rows from 3 up to 5 of the writer {BOB}", "from 3 up to 7"),
            given=part,
        ),
    ]


def of_keys() -> list[Case]:
    world, thrice = plain(), World(plain_rows(), (2, 3, 7, 9), (3, 7))
    lines, second = world.export(), world.second
    first, last, stranger = world.key.id, world.last_key.id, key_of(99).id
    not_it = f"The heads are not signed with the key {stranger}"
    middle = list(thrice.last_key.publics())[1]
    idle = World(plain_rows(), (9,), (9,))
    return [
        Case("the key known", lines, second, given={"pinned": first}),
        Case("the key it announced known", lines, second, given={"pinned": last}),
        Case("a key in between known", thrice.export(), thrice.second, given={"pinned": middle}),
        Case("another key known", lines, second, (not_it,), given={"pinned": stranger}),
        Case(
            "a key that has not signed known",
            idle.export(),
            idle.second,
            (f"The heads are not signed with the key {idle.last_key.id}",),
            given={"pinned": idle.last_key.id},
        ),
        Case("no head, and the key known", World([], ()).export(), second[:1], given={"pinned": first}),
        Case("no head, and another known", World([], ()).export(), second[:1], (not_it,), given={"pinned": stranger}),
        Case(
            "all of it another's",
            (other := plain(key=key_of(98))).export(),
            other.second,
            (f"The heads are not signed with the key {first}",),
            given={"pinned": first},
        ),
    ]


@dataclass
class Program:
    """The program itself: what it shows, and its exit code."""

    folder: Path

    def __post_init__(self) -> None:
        world, tampered = plain(), edited(plain(), 4, body="{}")
        self.write("good", ended(world.export()))
        self.write("bad", ended(tampered))
        self.write("empty", ended(World([], ()).export()))
        self.write("heads", ended(world.second))
        self.write("opening", ended(world.second[:1]))
        self.write("torn", [*ended(world.second), '{"head":"{\\"si'])
        (self.folder / "broken").write_bytes(
            "".join(ended(world.export())).replace("查", "\xff", 1).encode("latin-1", "replace")
        )
        (self.folder / "binary").write_bytes(b"\xff\xfe\x00")
        self.write("no number", [compact({"key": "ab" * 32, "public": "zz" * 32})])
        self.write("another's name", [compact({"key": "ab" * 32, "public": "ab" * 32})])
        self.key, self.last = world.key.id, world.last_key.id

    def write(self, name: str, lines: list[str]) -> None:
        (self.folder / name).write_text("".join(lines), encoding="utf-8", newline="\n")

    def run(self, module: Any) -> None:
        """Raise AssertionError where the program does anything else than it should."""
        span = "(2026-11-02T08:00:00.000000Z to 2026-11-02T08:08:00.000000Z)"
        texts = f"9 with a text, of those from 0 up to 9 {span}. The key is {self.last}."
        intact = f"Intact: 9 rows under 4 signed heads, {texts}"
        assert self.shown(module, "good") == (0, intact)
        assert self.shown(module, "good", heads="torn") == (0, intact)
        assert self.shown(module, "good", key=str(self.folder / "opening")) == (0, intact)
        assert self.shown(module, "good", key=self.key) == (0, intact)
        code, text = self.shown(module, "bad")
        assert (code, len(text.splitlines())) == (1, 3)
        assert text.splitlines()[2] == "9 of 9 rows have a text."
        assert text.splitlines()[0] == "Row 4 does not hold the text of a row."
        code, text = self.shown(module, "good", json=True)
        numbers = {"rows": 9, "texts": 9, "dropped": [], "heads": 4, "first": 0, "end": 9, "key": self.last}
        assert (code, json.loads(text)) == (0, {"intact": True, "findings": [], **numbers})
        code, text = self.shown(module, "bad", json=True)
        assert (code, json.loads(text)["intact"], len(json.loads(text)["findings"])) == (1, False, 2)
        code, text = self.shown(module, "empty", heads="opening")
        assert (code, text) == (
            0,
            f"Intact: 0 rows under 0 signed heads, 0 with a text, of those from 0 up to 0. The key is {self.key}.",
        )
        assert self.shown(module, "broken")[0] == 1
        stranger = key_of(99)
        self.write("another", ended([opening_line(stranger.opening)]))
        for another in (stranger.id, str(self.folder / "another")):
            code, text = self.shown(module, "good", key=another)
            strange = f"The heads are not signed with the key {stranger.id}, nor with one that it announced."
            assert (code, text.splitlines()) == (1, [strange, "9 of 9 rows have a text."])
        for wrong in ({"heads": "good"}, {"heads": "nowhere"}, {"key": "ab" * 31}, {"key": "\0"}):
            assert self.shown(module, "good", **wrong) == (2, None)
        for name in ("good", "binary", "no number", "another's name", "."):
            assert self.shown(module, "good", key=str(self.folder / name)) == (2, None)
        self.run_drops(module)

    def run_drops(self, module: Any) -> None:
        """What was dropped is said, and for how long rows are kept is the asker's to say."""
        texts = [row(ALICE, 1, 0), row(ALICE, 2, 1), row(ALICE, 3, 2), dropping(BOB, 1, [0, 0], [2, 2])]
        world = World(texts, (3, 4), bare=frozenset({0, 2}))
        self.write("dropped", ended(world.export()))
        self.write("of the dropped", ended(world.second))
        code, text = self.shown(module, "dropped", heads="of the dropped")
        told = [f"Rows {place} to {place} have no text: they were dropped as old." for place in (0, 2)]
        assert (code, text.splitlines()[1:]) == (0, told)
        assert text.startswith("Intact: 4 rows under 2 signed heads, 2 with a text, of those from 0 up to 4 (")
        _, text = self.shown(module, "dropped", heads="of the dropped", json=True)
        assert (json.loads(text)["dropped"], json.loads(text)["texts"]) == ([[0, 0], [2, 2]], 2)
        code, text = self.shown(module, "dropped", heads="of the dropped", key=key_of(99).id)
        assert (code, text.splitlines()[1:]) == (1, [*told, "2 of 4 rows have a text."])
        code, text = self.shown(module, "dropped", heads="of the dropped", months=37)
        assert (code, len(text.splitlines())) == (1, 3)

    def shown(
        self,
        module: Any,
        export: str,
        *,
        heads: str = "heads",
        key: str | None = None,
        json: bool = False,
        months: int = 36,
    ) -> Any:
        shown: list[str] = []
        paths = {"export": self.folder / export, "heads": self.folder / heads}
        given = Namespace(**paths, key=key, partial=False, json=json, months=months)
        told = StringIO()
        with redirect_stderr(told):
            code = module.run(given, shown.append)
        assert (len(shown), bool(told.getvalue().strip())) == ((0, True) if code == 2 else (1, False))
        return code, shown[0] if shown else None


Check = Callable[[Any], None]


def battery(folder: Path) -> list[Check]:
    """Every check."""
    return [Program(folder).run, *(case.run for case in cases())]
