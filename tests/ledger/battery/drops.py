"""What must be said of rows that were dropped as old, and of records of a drop that cannot be true."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.ledger.battery.case import Case
from tests.ledger.battery.changed import edited
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
    plain,
    plain_rows,
    row,
)


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
