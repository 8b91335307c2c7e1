"""The command `ledger replay`: every recorded decision, decided again under its own ruleset and compared."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from authz.commands import Call, Done, OperatorRefusedError, add_command, day_given
from authz.replay import AS_RECORDED, Decision, Replayers
from authz.rulesets import SnapshotOf
from ledger.rows import Kind

BATCH = 500
"""Rows that are held at once."""
MOST_TOLD = 10_000
"""Differences that are told one by one; all are counted."""

_ROWS = """
SELECT writer, sequence, body FROM ledger
WHERE at >= coalesce($1::date::timestamp AT TIME ZONE 'Asia/Shanghai', '-infinity')
  AND at < coalesce(($2::date + 1)::timestamp AT TIME ZONE 'Asia/Shanghai', 'infinity')
"""
_LEAF = "SELECT index FROM ledger_leaf WHERE writer = $1 AND sequence = $2"
_KINDS = (Kind.READ.value, Kind.WRITE.value)
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, OverflowError)
"""What a text stumbles over that is no row: whoever may add rows may add any text."""
_Found = tuple[str, Decision, Decision]
"""Coordinate, as recorded, as decided again."""


def accept_replay(commands: Any, *, snapshot: SnapshotOf) -> None:  # noqa: ANN401 - argparse's own
    """Declare `ledger replay`; `snapshot` gives the rules in force, and what they speak of."""
    option = add_command(commands, "replay", _replay, "decide every recorded decision again, and compare")
    option("--from", dest="since", metavar="DATE", type=day_given, help="the first day in Shanghai; by default all")
    option("--to", dest="until", metavar="DATE", type=day_given, help="the last day")
    # Only here: no other subcommand needs the schema.
    commands.choices["replay"].set_defaults(snapshot=snapshot)


@dataclass(slots=True)
class _Tally:
    """What has been found so far."""

    rows: int = 0
    decisions: int = 0
    taken: int = 0
    """Decisions for reasons that a row does not hold: taken as recorded."""
    others: int = 0
    """Rows that were decided under rules that are not in the database."""
    differences: int = 0
    told: list[dict[str, Any]] = field(default_factory=list)


async def _replay(call: Call) -> Done:
    given = call.arguments
    if given.since and given.until and given.since > given.until:
        raise OperatorRefusedError("--from must not be later than --to.")
    catalogue = (await given.snapshot(call.connection)).catalogue
    replayers, tally = Replayers(call.connection, catalogue), _Tally()
    async with call.connection.transaction():
        cursor = await call.connection.cursor(_ROWS, given.since, given.until)
        while some := await cursor.fetch(BATCH):
            for writer, sequence, text in some:
                found = await _differences(replayers, text, tally)
                if found:
                    await _tell(call.connection, tally, (writer, sequence), found)
    told = {
        "rows": tally.rows,
        "decisions": tally.decisions,
        "asRecorded": tally.taken,
        "otherRules": tally.others,
        "differences": tally.differences,
        "different": tally.told,
    }
    return Done(told, "\n".join(_lines(tally)), wrong=tally.differences > 0)


async def _differences(replayers: Replayers, text: str, tally: _Tally) -> list[_Found]:
    """What of a row is decided otherwise now. A text that cannot be read is a difference of its own."""
    try:
        body = orjson.loads(text)
        if not _decides(body):
            return []
        replayer = await replayers.of(body)
        if replayer is None:
            tally.others += 1
            return []
        found = list(replayer.replay(body))
    except _UNREADABLE:
        return [("", ("UNREADABLE", None), ("UNREADABLE", None))]
    tally.rows += 1
    tally.decisions += len(found)
    tally.taken += sum(one.recorded[1] in AS_RECORDED for one in found)
    return [(one.coordinate, one.recorded, one.recomputed) for one in found if not one.equal]


def _decides(body: Mapping[str, Any]) -> bool:
    return body["kind"] in _KINDS and bool(body.get("entries")) and "digest" in body


async def _tell(connection: Any, tally: _Tally, place: tuple[UUID, int], found: list[_Found]) -> None:  # noqa: ANN401
    tally.differences += len(found)
    room = MOST_TOLD - len(tally.told)
    if room <= 0:
        return
    index = await connection.fetchval(_LEAF, *place)
    row = f"{place[0]}:{place[1]}" if index is None else index
    tally.told += [
        {"row": row, "coordinate": name, "recorded": _word(recorded), "recomputed": _word(again)}
        for name, recorded, again in found[:room]
    ]


def _word(decision: Decision) -> str:
    return " ".join(str(part) for part in decision if part is not None)


def _lines(tally: _Tally) -> Iterator[str]:
    yield (
        f"{tally.rows} rows with {tally.decisions} decisions, {tally.taken} of them taken as recorded;"
        f" {tally.others} rows were decided under rules that are not in the database; {tally.differences} differences"
        + (f", of which {len(tally.told)} are told." if len(tally.told) < tally.differences else ".")
    )
    for one in tally.told:
        yield f"{one['row']}  {one['coordinate']}  recorded: {one['recorded']}  now: {one['recomputed']}"
