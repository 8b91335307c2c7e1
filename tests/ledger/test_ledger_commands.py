"""What an operator does with the ledger: look, export, verify, rotate the key, drop what is old; each leaves a row."""

import asyncio
import json
import stat
from datetime import UTC, datetime

import pytest

from authz.commands import OperatorRefusedError
from cli import _parser
from ledger import process
from ledger.append import add_alone
from ledger.process import Work
from ledger.retention import RetentionError, check_age, least_months, month_of
from ledger.rows import Kind
from models.installation import InstallationError, open_installation
from tests.ledger.sealing import emptied, opened, operation

OLD = datetime(2020, 3, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def place(tmp_path_factory, prepared):
    with opened(prepared, tmp_path_factory.mktemp("commands") / "data") as (installation, found):
        yield installation, found


@pytest.fixture
def ledger(place):
    installation, found = place
    for path in (installation.ledger_key_path, installation.ledger_heads_path):
        path.unlink(missing_ok=True)
    return emptied(found, installation.root)


@pytest.fixture
def command(place, capsys):
    """Runs a command, and gives its code and what it printed as JSON."""

    def run(*arguments):
        given = _parser().parse_args(["ledger", *map(str, arguments), "--json"])
        code = given.run(given, place[0])
        return code, json.loads(capsys.readouterr().out)

    return run


def commands(ledger) -> list[dict]:
    bodies = ledger.run(lambda connection, _: connection.fetch("SELECT body FROM ledger WHERE body LIKE '%COMMAND%'"))
    return [json.loads(row["body"])["detail"] for row in bodies]


def test_an_export_is_sealed_first_and_verifies(ledger, command, tmp_path):
    ledger.write(3, 2)
    file = tmp_path / "export.jsonl"
    code, told = command("export", file)
    assert (code, told) == (0, {"rows": 6, "first": 0, "end": 6, "heads": 1, "file": str(file)})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    code, told = command("verify", file, "--heads", ledger.heads)
    assert (code, told["intact"], told["rows"]) == (0, True, 6)
    assert commands(ledger) == [{"command": "ledger export"}]
    file.write_text(file.read_text().replace('"sequence":2', '"sequence":3', 1))
    assert command("verify", file, "--heads", ledger.heads)[0] == 1


def test_an_export_does_not_overwrite_and_leaves_no_half(ledger, command, tmp_path):
    ledger.write(1)
    (tmp_path / "there").write_text("mine")
    for file in (tmp_path / "there", tmp_path / "nowhere" / "file"):
        with pytest.raises(OperatorRefusedError, match="must be a new file"):
            command("export", file)
    assert (tmp_path / "there").read_text() == "mine"
    with pytest.raises(OperatorRefusedError, match="later than"):
        command("export", tmp_path / "file", "--from", "2026-11", "--to", "2026-10")
    with pytest.raises(OperatorRefusedError, match="no month"):
        command("export", tmp_path / "file", "--from", "2026-13")
    assert not (tmp_path / "file").exists()


def test_an_export_of_some_months_has_the_texts_of_those_and_proves_the_rest(ledger, command, tmp_path):
    for month in (1, 2, 3, 4):
        ledger.write(2, at=datetime(2026, month, 15, tzinfo=UTC))
        ledger.seal()
    code, told = command("export", tmp_path / "part", "--from", "2026-02", "--to", "2026-03")
    assert (code, told["rows"], told["first"], told["end"]) == (0, 9, 2, 6)
    assert command("verify", tmp_path / "part", "--heads", ledger.heads, "--partial")[0] == 0
    assert command("verify", tmp_path / "part", "--heads", ledger.heads)[0] == 1


def test_a_rotated_key_is_announced_by_the_old_one(ledger, command, tmp_path):
    ledger.write(2)
    ledger.seal()
    code, told = command("rotate-key")
    assert (code, ledger.head_lines()[-1].keys()) == (0, {"rotation", "signature"})
    ledger.write(1)
    command("export", tmp_path / "export")
    assert json.loads(ledger.head_lines()[-1]["head"])["key"] == told["new"]
    for key in (told["old"], told["new"]):
        assert command("verify", tmp_path / "export", "--heads", ledger.heads, "--key", key)[0] == 0
    assert {"command": "ledger rotate-key", **told} in commands(ledger)
    assert stat.S_IMODE(ledger.key.stat().st_mode) == 0o600


def test_dropped_months_keep_their_hashes_and_the_ledger_verifies(ledger, command, tmp_path):
    ledger.execute("SELECT ledger_partitions('2020-03-01', 1)")
    ledger.write(3, 2, at=OLD)
    ledger.seal(at=OLD)
    ledger.write(2)
    code, told = command("drop", "--before", "2021-01")
    assert (code, told["hashes"]) == (0, 5)
    assert told["partitions"] == ["ledger_2020_03", "ledger_record_2020_03", "ledger_access_2020_03"]
    assert ledger.value("SELECT count(*) FROM ledger WHERE at < '2021-01-01'") == 0
    assert {"command": "ledger drop", "before": "2021-01", "dropped": [[0, 4]]} in commands(ledger)
    assert ledger.findings() == []
    ledger.run(lambda _, sealer: sealer.recheck(100))
    assert ledger.sounded == []
    bare = [line for line in ledger.exported() if '"hash"' in line]
    assert len(bare) == 5
    ledger.execute("DELETE FROM ledger WHERE body LIKE '%Look%'")
    assert len([one for one in ledger.findings() if "no record of `ledger drop`" in one]) == 2


def test_rows_without_a_month_of_their_own_are_dropped_as_well(ledger, command):
    then = datetime(2001, 1, 1, tzinfo=UTC)
    ledger.write(2, at=then)
    ledger.seal(at=then)
    assert command("drop", "--before", "2010-01")[1]["hashes"] == 2
    assert ledger.value("SELECT count(*) FROM ledger_rest") == 0
    assert ledger.findings() == []


def test_what_is_not_old_enough_or_not_sealed_is_not_dropped(ledger, command):
    ledger.write(1, at=OLD)
    with pytest.raises(OperatorRefusedError, match="kept for 36 months"):
        command("drop", "--before", f"{datetime.now(UTC).year - 2}-01")
    # A row of a writer that nobody knows is never sealed.
    ledger.execute("INSERT INTO ledger VALUES (gen_random_uuid(), 1, '2020-03-01', '{}')")
    with pytest.raises(OperatorRefusedError, match=r"1 row\(s\) before 2021-01 are not sealed"):
        command("drop", "--before", "2021-01")
    assert ledger.value("SELECT count(*) FROM ledger WHERE at < '2021-01-01'") == 2


def test_what_was_sealed_late_is_dropped_late_since_nobody_could_tell_it_from_a_forgery(ledger, command):
    for sealed in (datetime(2020, 4, 1, 23, 59, tzinfo=UTC), datetime(2020, 5, 2, tzinfo=UTC)):
        ledger.write(1, at=OLD)
        ledger.seal(at=sealed)
    with pytest.raises(OperatorRefusedError, match="were sealed on 2020-05-02 only"):
        command("drop", "--before", "2020-04")
    with pytest.raises(OperatorRefusedError, match="were sealed on 2020-05-02 only"):
        command("drop", "--before", "2020-05")
    assert ledger.value("SELECT count(*) FROM ledger WHERE at < '2021-01-01'") == 2
    assert command("drop", "--before", "2020-06")[1]["hashes"] == 2
    assert ledger.findings() == []


@pytest.mark.parametrize("before", ["2026-12", "2023-01"])
def test_a_record_of_a_drop_that_was_none_hides_no_deletion(ledger, command, tmp_path, before):
    ledger.write(3)
    ledger.seal()
    detail = {"command": "ledger drop", "before": before, "dropped": [[0, 2]]}
    forged = operation(kind=Kind.COMMAND, detail=detail, at=datetime(2029, 12, 5, tzinfo=UTC))
    ledger.run(lambda connection, _: add_alone(connection, forged))
    ledger.execute("DELETE FROM ledger WHERE body LIKE '%Look%' AND at < '2029-01-01'")
    command("export", tmp_path / "export")
    code, told = command("verify", tmp_path / "export", "--heads", ledger.heads)
    assert (code, told["texts"], told["dropped"]) == (1, 2, [])
    assert len([one for one in told["findings"] if "no record of `ledger drop`" in one]) == 3


def test_what_was_dropped_as_old_is_told_by_every_verification(ledger, command, tmp_path):
    ledger.write(3, at=OLD)
    ledger.seal(at=OLD)
    command("drop", "--before", "2021-01")
    command("export", tmp_path / "export")
    verify = "verify", tmp_path / "export", "--heads", ledger.heads
    code, told = command(*verify)
    assert (code, told["intact"], told["rows"], told["texts"], told["dropped"]) == (0, True, 5, 2, [[0, 2]])
    assert command(*verify, "--months", "1200")[0] == 1


@pytest.mark.parametrize(
    "before, least, allowed",
    [
        ("2023-11", 36, True),
        ("2023-12", 36, False),
        ("2026-10", 1, True),
        ("2026-11", 1, False),
        ("2023-11", 37, False),
    ],
)
def test_a_month_is_old_enough_once_it_ended_so_many_months_ago(before, least, allowed):
    now = datetime(2026, 11, 1, tzinfo=UTC)
    if allowed:
        check_age(month_of(before), now=now, least=least)
    else:
        with pytest.raises(RetentionError):
            check_age(month_of(before), now=now, least=least)


def test_how_long_rows_are_kept_is_a_setting():
    assert (least_months({}), least_months({"NEEDFUL_LEDGER_MONTHS": "60"})) == (36, 60)
    for wrong in ("0", "1", "35", "-1", "x", "1201", "²"):
        with pytest.raises(RetentionError, match="a number of months from 36"):
            least_months({"NEEDFUL_LEDGER_MONTHS": wrong})


def test_the_second_place_is_a_file_in_a_folder_that_exists(tmp_path):
    environ = {"NEEDFUL_DATA": str(tmp_path / "data")}
    assert open_installation(environ).ledger_heads_path == tmp_path / "data" / "ledger-heads.jsonl"
    named = {**environ, "NEEDFUL_LEDGER_HEADS": str(tmp_path / "heads")}
    assert open_installation(named).ledger_heads_path == tmp_path / "heads"
    for wrong in (tmp_path, tmp_path / "nowhere" / "heads"):
        with pytest.raises(InstallationError, match="NEEDFUL_LEDGER_HEADS"):
            open_installation({**environ, "NEEDFUL_LEDGER_HEADS": str(wrong)})


def test_the_status_tells_what_is_sealed_and_what_stands_in_the_way(ledger, command):
    ledger.write(3)
    told = command("status")[1]
    assert (told["size"], told["unsealed"], told["gaps"], told["trouble"]) == (0, 3, [], None)
    assert told["lagSeconds"] > 0
    ledger.execute("DELETE FROM ledger WHERE sequence = 2")
    ledger.seal()
    told = command("status")[1]
    assert (told["size"], told["unsealed"], told["secondPlace"], told["lagSeconds"]) == (2, 0, 2, 0.0)
    assert [gap["missing"] for gap in told["gaps"]] == [1]


def test_the_process_records_alarms_and_says_why_it_does_not_go_on(ledger):
    async def work(connection, sealer):
        process_ = Work(connection, ledger.key, ledger.heads)
        await process_.once()
        await process_.once()
        ledger.heads.unlink()
        await process_.once()

    ledger.write(2)
    ledger.seal()
    ledger.execute(r"""UPDATE ledger_head SET signed = replace(signed, 'size\":2', 'size\":3')""")
    ledger.run(work)
    codes = ledger.run(lambda connection, _: connection.fetch("SELECT body FROM ledger WHERE body LIKE '%ALARM%'"))
    found = [json.loads(row["body"])["code"] for row in codes]
    assert found[0] == "LEDGER_ROLLED_BACK"
    assert found.count("LEDGER_ROLLED_BACK") == 1
    assert ledger.value("SELECT trouble FROM ledger_sealer") == "LEDGER_HEAD_BROKEN"


def test_the_process_makes_the_months_to_come_once_a_day(ledger, monkeypatch):
    monkeypatch.setattr(process, "_MONTHS_AHEAD", 30)

    async def work(connection, _):
        process_ = Work(connection, ledger.key, ledger.heads)
        before = await months(connection)
        await process_.once()
        assert await months(connection) == before
        process_._partitions_at = 0.0
        await process_.once()
        return before, await months(connection)

    async def months(connection):
        return await connection.fetchval("SELECT count(*) FROM pg_inherits WHERE inhparent = 'ledger'::regclass")

    ledger.seal()
    before, after = ledger.run(work)
    assert after >= before + 16


def test_the_index_takes_a_tenth_of_the_time_until_it_is_far_behind(ledger):
    calls = []

    async def index_some(connection):
        calls.append(1)
        await asyncio.sleep(0.05)
        return 1

    async def work(connection, _):
        process_ = Work(connection, ledger.key, ledger.heads, index_some)
        await process_.once()
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.5
        while loop.time() < until:
            await process_._index(until)
            await asyncio.sleep(0.01)
        return len(calls)

    ledger.write(1)
    ledger.seal()
    assert 1 <= ledger.run(work) <= 2
    calls.clear()
    ledger.execute("UPDATE ledger_leaf SET at = at - interval '1 hour'")
    assert ledger.run(work) >= 4


def test_a_command_that_is_refused_leaves_its_row_as_well(ledger, command, tmp_path):
    ledger.write(1)
    (tmp_path / "there").touch()
    with pytest.raises(OperatorRefusedError):
        command("export", tmp_path / "there")
    *_, row = ledger.run(
        lambda connection, _: connection.fetch("SELECT body FROM ledger WHERE body LIKE '%COMMAND%' ORDER BY at")
    )
    said = json.loads(row["body"])
    assert (said["outcome"], said["code"], said["detail"]) == ("REFUSED", "REFUSED", {"command": "ledger export"})
