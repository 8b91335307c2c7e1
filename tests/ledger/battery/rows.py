"""What must be said of an export's rows and lines."""

import json
from typing import Any

from ledger.heads import sign
from tests.ledger.battery.case import Case
from tests.ledger.battery.changed import edited
from tests.ledger.sealed_world import ALICE, BEGUN, World, compact, plain, plain_rows, row

CHANGED = "are not those that were sealed"


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
