"""What must be said of heads that were copied to a second place."""

import json
from datetime import timedelta

from ledger.head_keys import line_of, opening_line
from ledger.heads import sign
from tests.ledger.battery.case import Case
from tests.ledger.battery.changed import flipped, replace_head
from tests.ledger.sealed_world import ALICE, BEGUN, BOB, World, compact, key_of, plain, row


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
