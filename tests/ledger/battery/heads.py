"""What must be said of signed heads."""

import json
from datetime import timedelta

from ledger.head_keys import line_of
from ledger.heads import sign
from tests.ledger.battery.case import Case
from tests.ledger.battery.changed import flipped, head_of, replace_head
from tests.ledger.sealed_world import BEGUN, World, key_of, plain


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


def upper_signature(line: str) -> str:
    before, _, signature = line.rpartition('"signature":')
    return before + '"signature":' + signature.upper()
