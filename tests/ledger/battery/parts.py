"""What must be said of a part of an export, and of a key that whoever asks knows."""

from tests.ledger.battery.case import Case
from tests.ledger.battery.changed import edited
from tests.ledger.sealed_world import BOB, World, compact, key_of, plain, plain_rows


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
