"""Rows that somebody slipped in past `ledger_add`, or hid by its register, are found, told of and sealed all the same.

That takes the owner's rights, or a restored backup of one table: the application's role has none on either.
"""

import asyncio
import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from cli import _parser
from ledger import strays
from ledger.append import add
from ledger.index import index_some
from ledger.process import Work
from models.database import connect_once
from tests.ledger.sealing import emptied, opened, operation

WRITE = "INSERT INTO ledger (writer, sequence, at, body) VALUES ($1, $2, $3, $4)"
FOREIGN, CHANGED, DOUBLED = "LEDGER_ROWS_FOREIGN", "LEDGER_WRITER_CHANGED", "LEDGER_ROW_DOUBLED"
BODY = json.dumps({"v": 2, "at": "2026-11-23T00:00:00.000000Z", "kind": "READ", "outcome": "DONE"})


@pytest.fixture(scope="module")
def place(tmp_path_factory, prepared):
    with opened(prepared, tmp_path_factory.mktemp("strays") / "data") as (installation, found):
        yield installation, found


@pytest.fixture
def ledger(place, monkeypatch):
    monkeypatch.setattr(strays, "WRITERS", 3)
    monkeypatch.setattr(strays, "ROWS", 4)
    installation, found = place
    for path in (installation.ledger_key_path, installation.ledger_heads_path):
        path.unlink(missing_ok=True)
    return emptied(found, installation.root)


def tampered(ledger, *statements):
    """Run statements as somebody who may do anything but read the signing key."""

    async def run():
        connection = await connect_once(ledger.found.owner)
        try:
            for statement, *arguments in statements:
                await connection.execute(statement, *arguments)
        finally:
            await connection.close()

    asyncio.run(run())


def settle(ledger):
    """Seal and look until all has been looked at."""

    async def work(_, sealer):
        for _ in range(12):
            await sealer.seal()
            await sealer.recheck()
        await sealer.seal()

    ledger.run(work)


def sealed(ledger) -> int:
    return ledger.value("SELECT count(*) FROM ledger_sealed")


def codes(ledger) -> list[str]:
    return [code for code, _ in ledger.sounded]


def row(writer, sequence):
    return WRITE, writer, sequence, datetime(2026, 11, 23, tzinfo=UTC), BODY


def test_nothing_is_said_of_what_honest_writers_wrote(ledger):
    ledger.write(9, 1, 4, 2, 1, 1)
    settle(ledger)
    assert (sealed(ledger), ledger.sounded) == (18, [])


@pytest.mark.parametrize("writer", [UUID(int=0), UUID(int=(1 << 128) - 1), uuid4()])
def test_rows_of_a_writer_that_nobody_knows_are_an_alarm_and_are_sealed(ledger, writer):
    ledger.write(3, 1, 1, 1)
    ledger.seal()
    tampered(ledger, row(writer, 1), row(writer, 2))
    settle(ledger)
    assert ledger.sounded == [(FOREIGN, {"writer": str(writer), "last": 2})]
    assert sealed(ledger) == 8
    assert ledger.findings() == []
    tampered(ledger, row(writer, 3))
    settle(ledger)
    assert ledger.sounded[1:] == [(CHANGED, {"writer": str(writer), "said": 2, "last": 3})]
    assert sealed(ledger) == 9


def test_a_writer_that_was_put_back_before_its_rows_were_sealed_hides_none(ledger):
    ledger.write(5, 2)
    tampered(ledger, ("UPDATE ledger_writer SET last = 1 WHERE last = 5",))
    settle(ledger)
    assert [(code, detail["said"], detail["last"]) for code, detail in ledger.sounded] == [(CHANGED, 1, 5)]
    assert sealed(ledger) == 7
    assert ledger.findings() == []


@pytest.mark.parametrize(
    "change", ["UPDATE ledger_writer SET last = 2", "UPDATE ledger_writer SET id = gen_random_uuid(), last = 0"]
)
def test_a_writer_that_is_put_back_is_put_right_before_it_writes_over_what_is_sealed(ledger, change):
    writer = uuid4()

    async def work(connection, sealer):
        async def write(count):
            for _ in range(count):
                await add(connection, writer, operation())

        await write(5)
        await sealer.seal()
        await asyncio.to_thread(tampered, ledger, (change,))
        await sealer.seal()
        await write(2)
        await sealer.seal()

    ledger.run(work)
    assert (codes(ledger), sealed(ledger)) == ([CHANGED], 7)
    assert ledger.findings() == []


def test_a_writer_that_was_put_forward_and_back_is_not_held_up(ledger):
    writer = uuid4()

    async def work(connection, sealer):
        await add(connection, writer, operation())
        for last in (1_000, 1):
            await asyncio.to_thread(tampered, ledger, (f"UPDATE ledger_writer SET last = {last}",))  # noqa: S608
            await sealer.seal()
        await add(connection, writer, operation())
        await sealer.seal()

    ledger.run(work)
    assert codes(ledger) == ["LEDGER_ROWS_MISSING", CHANGED]
    assert sealed(ledger) == 2
    assert ledger.findings() == []


def test_a_row_in_a_place_that_is_taken_or_passed_is_an_alarm_once(ledger):
    ledger.write(9, 1)
    ledger.seal()
    writer = ledger.value("SELECT writer FROM ledger WHERE sequence = 9")
    tampered(ledger, row(writer, 4), row(writer, 0), row(writer, -7), row(UUID(int=9), 0))
    settle(ledger)
    told = {(code, detail["writer"], detail.get("sequence")) for code, detail in ledger.sounded}
    one, other = str(writer), str(UUID(int=9))
    assert {(DOUBLED, one, 4), (FOREIGN, one, 0), (FOREIGN, one, -7), (FOREIGN, other, 0)} <= told
    assert len(ledger.sounded) == 5
    assert sealed(ledger) == 10
    assert ledger.findings() == []


def test_somebody_who_holds_a_writers_lock_does_not_hold_the_sealer(ledger):
    writer = uuid4()

    async def work(_, sealer):
        other = await connect_once(ledger.found.owner)
        try:
            transaction = other.transaction()
            await transaction.start()
            await other.execute("INSERT INTO ledger_writer (id, last) VALUES ($1, 0)", writer)
            async with asyncio.timeout(10):
                for _ in range(3):
                    await sealer.recheck()
                    await sealer.seal()
            await transaction.rollback()
        finally:
            await other.close()

    ledger.write(1)
    tampered(ledger, row(writer, 1))
    ledger.run(work)
    assert (set(codes(ledger)), sealed(ledger)) == ({FOREIGN}, 1)
    settle(ledger)
    assert sealed(ledger) == 2


def test_the_status_tells_of_them_and_of_the_alarms(ledger, place, capsys):
    def status():
        given = _parser().parse_args(["ledger", "status", "--json"])
        assert given.run(given, place[0]) == 0
        return json.loads(capsys.readouterr().out)

    async def work(connection, _):
        process = Work(connection, ledger.key, ledger.heads)
        for _ in range(5):
            await process.once()
        while await index_some(connection):
            pass

    ledger.write(1)
    assert (status()["hidden"], status()["alarms"]) == ([], {})
    tampered(ledger, row(UUID(int=5), 1))
    assert status()["hidden"] == [{"writer": str(UUID(int=5)), "registered": None, "newest": 1}]
    ledger.run(work)
    told = status()
    assert (told["hidden"], told["unsealed"]) == ([], 0)
    assert told["alarms"][FOREIGN]["number"] == 1
