"""The sealer seals every row once, whatever happens meanwhile, and does not go on from a ledger that was changed."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from ledger import sealer as sealing
from ledger.append import add_alone
from ledger.head_keys import HeadKey
from ledger.heads import HeadsError, SecondPlace
from ledger.sealer import Sealer, last_head
from models.database import connect_once
from models.faults import NO_ANSWER
from tests.ledger.sealing import emptied, opened, operation


@pytest.fixture(scope="module")
def found(tmp_path_factory, prepared):
    with opened(prepared, tmp_path_factory.mktemp("sealer") / "data") as (_, found):
        yield found


@pytest.fixture
def ledger(found, tmp_path):
    return emptied(found, tmp_path)


def sealed_rows(ledger) -> list[tuple]:
    def fetch(connection, _):
        return connection.fetch("SELECT index, writer, sequence FROM ledger_sealed ORDER BY index")

    return [tuple(row) for row in ledger.run(fetch)]


def test_every_row_is_sealed_once_in_its_writers_order(ledger, monkeypatch):
    monkeypatch.setattr(sealing, "BATCH", 7)
    ledger.write(10, 3, 1)
    assert ledger.seal() == 14
    ledger.write(2)
    assert (ledger.seal(), ledger.seal()) == (2, 0)
    rows = sealed_rows(ledger)
    assert [index for index, _, _ in rows] == list(range(16))
    for writer in {writer for _, writer, _ in rows}:
        mine = [sequence for _, one, sequence in rows if one == writer]
        assert mine == list(range(1, len(mine) + 1))
    assert ledger.findings() == []
    assert ledger.sounded == []


def test_nothing_to_seal_is_no_new_head(ledger):
    ledger.seal()
    ledger.write(1)
    ledger.seal()
    ledger.seal()
    assert [*map(list, ledger.head_lines())] == [["key", "public"], ["head", "signature"]]


def test_two_sealers_at_once_seal_every_row_once(ledger):
    async def race(connection, sealer):
        async with ledger.connected() as other, ledger.connected() as writer:
            rival, writing = ledger.sealer(other), asyncio.create_task(write(writer))
            while not writing.done():
                await asyncio.gather(sealer.seal(), rival.seal())
            await writing
            return await asyncio.gather(sealer.seal(), rival.seal())

    async def write(connection):
        for _ in range(40):
            await sealing_rows(connection)

    async def sealing_rows(connection):
        await add_alone(connection, operation(), operation())

    ledger.run(race)
    assert ledger.value("SELECT count(*) FROM ledger_sealed") == 80
    assert ledger.findings() == []
    assert ledger.sounded == []


def test_a_crash_between_database_and_second_place_is_made_good_by_the_next_sealer(ledger):
    ledger.write(2)
    ledger.seal()

    class Broken(SecondPlace):
        def add(self, lines):
            if list(lines):
                raise KeyboardInterrupt

    async def crashed(connection, sealer):
        sealer.place = Broken(ledger.heads)
        with pytest.raises(KeyboardInterrupt):
            await sealer.seal()
        return (await last_head(connection)).size

    ledger.write(3)
    assert ledger.run(crashed) == 5
    assert len(ledger.head_lines()) == 2
    assert ledger.seal() == 0
    assert len(ledger.head_lines()) == 3
    assert ledger.findings() == []


def test_a_line_that_a_crash_cut_short_is_written_again(ledger):
    for _ in range(2):
        ledger.write(2)
        ledger.seal()
    whole = ledger.heads.read_bytes()
    for cut in (1, 100, len(whole.splitlines()[-1])):
        ledger.heads.write_bytes(whole[:-cut])
        ledger.seal()
        assert ledger.heads.read_bytes() == whole


def test_a_database_that_was_rolled_back_is_not_sealed_on(ledger):
    for _ in range(3):
        ledger.write(2)
        ledger.seal()
    written = ledger.heads.read_bytes()
    ledger.execute("DELETE FROM ledger_head WHERE size > 4")
    ledger.execute("DELETE FROM ledger_leaf WHERE index > 3")
    ledger.write(5)
    with pytest.raises(HeadsError, match="rolled back or restored") as why:
        ledger.seal()
    assert why.value.code == "LEDGER_ROLLED_BACK"
    assert ledger.value("SELECT count(*) FROM ledger_leaf") == 4
    assert ledger.heads.read_bytes() == written


@pytest.mark.parametrize(
    "statement, code",
    [
        ("UPDATE ledger_leaf SET hash = sha256('x') WHERE index = 4", "LEDGER_TREE_CHANGED"),
        ("UPDATE ledger_node SET hash = sha256('x') WHERE level = 2", "LEDGER_TREE_CHANGED"),
        ("DELETE FROM ledger_node", "LEDGER_TREE_CHANGED"),
        ("INSERT INTO ledger_leaf SELECT 5, gen_random_uuid(), 1, now(), sha256('x')", "LEDGER_TREE_CHANGED"),
        ("UPDATE ledger_head SET signed = replace(signed, '5', '6')", "LEDGER_ROLLED_BACK"),
        ("UPDATE ledger_head SET signed = 'x'", "LEDGER_ROLLED_BACK"),
        ("INSERT INTO ledger_head SELECT 9, now(), root, 'x' FROM ledger_head", "LEDGER_HEAD_BROKEN"),
        ("INSERT INTO ledger_head SELECT 9, now(), root, signed FROM ledger_head", "LEDGER_HEAD_BROKEN"),
    ],
)
def test_a_tree_or_head_that_was_changed_is_not_sealed_on(ledger, statement, code):
    ledger.write(5)
    ledger.seal()
    ledger.execute(statement)
    ledger.write(1)
    with pytest.raises(HeadsError) as why:
        ledger.seal()
    assert why.value.code == code


def test_rows_that_are_missing_are_an_alarm_and_no_stop(ledger):
    ledger.write(6, 1)
    writer = ledger.value("SELECT writer FROM ledger WHERE sequence = 6")
    ledger.execute("DELETE FROM ledger WHERE sequence IN (2, 3, 6)")
    assert ledger.seal() == 4
    missing = {"writer": str(writer)}
    alarms = [("LEDGER_ROWS_MISSING", {**missing, "first": first, "last": last}) for first, last in ((2, 3), (6, 6))]
    assert ledger.sounded == alarms
    assert [one for one in ledger.findings() if "are missing" in one]


def test_a_row_in_anothers_place_is_an_alarm_and_no_stop(ledger):
    ledger.write(3)
    ledger.execute("INSERT INTO ledger SELECT writer, 2, at + interval '1 second', body FROM ledger WHERE sequence = 1")
    assert ledger.seal() == 3
    assert [code for code, _ in ledger.sounded] == ["LEDGER_ROW_DOUBLED"]
    assert ledger.findings() == []


def test_a_row_that_was_changed_or_deleted_since_is_an_alarm_once(ledger):
    ledger.write(9)
    ledger.seal()
    ledger.execute("UPDATE ledger SET body = replace(body, 'Look', 'Lock') WHERE sequence = 4")
    ledger.execute("DELETE FROM ledger WHERE sequence = 8")

    async def look(_, sealer):
        for _ in range(12):
            await sealer.recheck(2)

    ledger.run(look)
    assert sorted(ledger.sounded) == [("LEDGER_ROW_CHANGED", {"index": 3}), ("LEDGER_ROW_GONE", {"index": 7})]


def test_a_second_place_that_cannot_be_written_holds_the_sealer_until_it_can(ledger):
    ledger.write(2)
    ledger.heads.mkdir()
    with pytest.raises(HeadsError) as why:
        ledger.seal()
    assert why.value.code == "LEDGER_HEADS_UNWRITABLE"
    assert ledger.value("SELECT count(*) FROM ledger_leaf") == 0
    ledger.heads.rmdir()
    assert ledger.seal() == 2


def test_a_second_place_that_is_gone_is_made_again_with_an_alarm(ledger):
    for _ in range(3):
        ledger.write(1)
        ledger.seal()
    before = ledger.heads.read_text()
    ledger.heads.unlink()
    ledger.seal()
    assert ledger.heads.read_text() == before
    assert ledger.sounded == [("LEDGER_HEADS_BEGUN_ANEW", {})]


@pytest.mark.parametrize(
    "content", ["nonsense\n", "{}\n", "[]\n", '{"head":"{}","signature":""}\n', "x" * 40_000 + "y\n" * 0]
)
def test_a_second_place_that_is_none_is_left_as_it_is(ledger, content):
    ledger.write(1)
    ledger.heads.write_text(content)
    with pytest.raises(HeadsError) as why:
        ledger.seal()
    assert why.value.code == "LEDGER_HEADS_DAMAGED"
    assert ledger.heads.read_text() == content


def test_heads_are_signed_with_the_new_key_once_the_old_one_has_announced_it(ledger):
    ledger.write(1)
    ledger.seal()
    for _ in range(3):
        HeadKey.load(ledger.key).rotated(datetime.now(UTC)).save(ledger.key)
        ledger.write(1)
        ledger.seal()
    kinds = [next(iter(line)) for line in ledger.head_lines()]
    assert kinds == ["key", "head", "rotation", "head", "rotation", "head", "rotation", "head"]
    assert len({json.loads(line["head"])["key"] for line in ledger.head_lines() if "head" in line}) == 4
    assert ledger.findings() == []
    assert ledger.findings(pinned=HeadKey.load(ledger.key).id) == []


def test_a_key_that_nobody_announced_does_not_sign(ledger):
    ledger.write(1)
    ledger.seal()
    ledger.key.unlink()
    ledger.write(1)
    with pytest.raises(HeadsError) as why:
        ledger.seal()
    assert why.value.code == "LEDGER_KEY_UNKNOWN"


def test_a_heads_time_is_never_before_the_one_before(ledger):
    clock = iter([datetime(year, 1, 1, tzinfo=UTC) for year in (2030, 2020, 2031)])

    async def seal(_, sealer):
        sealer.clock = lambda: next(clock)
        await sealer.seal()

    for _ in range(3):
        ledger.write(1)
        ledger.run(seal)
    times = [json.loads(line["head"])["at"][:4] for line in ledger.head_lines()[1:]]
    assert times == ["2030", "2030", "2031"]


def test_a_hanging_or_ended_database_leaves_nothing_half_done(ledger):
    ledger.write(4)
    HeadKey.load_or_create(ledger.key)

    async def cut(connection, sealer):
        async with ledger.connected() as killer:
            real = connection.copy_records_to_table

            async def copied(table, **named):
                await real(table, **named)
                await killer.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())

            sealer.connection = Cut(connection, copied)
            with pytest.raises(NO_ANSWER):
                await sealer.seal()

    ledger.run(cut)
    assert ledger.value("SELECT count(*) FROM ledger_leaf") == 0
    assert ledger.seal() == 4
    assert ledger.findings() == []


class Cut:
    """A connection that is ended in the middle of a transaction."""

    def __init__(self, connection, copied):
        self._connection, self.copy_records_to_table = connection, copied

    def __getattr__(self, name):
        return getattr(self._connection, name)


def test_sealing_is_the_owners_alone(ledger):
    async def attempt():
        connection = await connect_once(ledger.found.application)
        try:
            sealer: Sealer = ledger.sealer(connection)
            await sealer.seal()
        finally:
            await connection.close()

    ledger.write(1)
    with pytest.raises(NO_ANSWER, match="permission denied"):
        asyncio.run(attempt())
