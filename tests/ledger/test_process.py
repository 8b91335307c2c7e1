"""The process that seals goes on whatever goes wrong, says so in codes, and is started again whatever stops it."""

import asyncio
import json
import logging
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime

import asyncpg
import pytest

from ledger import alarms, process, supervisor
from ledger.alarms import WrittenAlarms
from ledger.append import add_alone
from ledger.head_keys import HeadKey
from ledger.heads import HeadsError, SecondPlace
from ledger.process import Work
from ledger.sealer import Sealer
from tests.conftest import ROOT
from tests.ledger.sealing import operation

SECRET = "13800138000"
PARTS = {
    "seal": ("_sealer", "seal"),
    "recheck": ("_sealer", "recheck"),
    "partitions": (None, "_keep_partitions"),
    "index": (None, "_index"),
    "alarms": ("_alarms", "write"),
}
FAULTS = (ValueError(SECRET), asyncpg.DataError(SECRET), asyncpg.InsufficientPrivilegeError(SECRET), OSError(5, SECRET))
GONE = (
    TimeoutError(),
    asyncpg.ConnectionDoesNotExistError(),
    asyncpg.AdminShutdownError(),
    asyncpg.QueryCanceledError(),
    asyncpg.CannotConnectNowError(),
)


def work_on(connection, folder) -> Work:
    HeadKey.load_or_create(folder / "key", demo=True)
    return Work(connection, folder / "key", folder / "heads")


async def alarmed(connection) -> list[str]:
    rows = await connection.fetch("SELECT body FROM ledger WHERE body LIKE '%ALARM%' ORDER BY at")
    return [json.loads(row["body"])["code"] for row in rows]


class Failing:
    """A part of the work that fails a few times, then stands for itself."""

    def __init__(self, real, fault, times):
        self.real, self.fault, self.left = real, fault, times
        self.called = lambda: None

    async def __call__(self, *arguments):
        self.left -= 1
        self.called()
        if self.left >= 0:
            raise self.fault
        return await self.real(*arguments)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: type(one).__name__)
def test_what_nobody_foresaw_is_a_trouble_and_an_alarm_and_the_sealer_goes_on(
    ledger, tmp_path, monkeypatch, caplog, part, fault
):
    monkeypatch.setattr(process, "INTERVAL", 0.01)
    owner, name = PARTS[part]

    async def tried(connection):
        work = work_on(connection, tmp_path)
        place = work if owner is None else getattr(work, owner)
        failing = Failing(getattr(place, name), fault, times=3)
        monkeypatch.setattr(type(place), name, lambda _, *arguments: failing(*arguments))
        ended = asyncio.Event()
        told = []

        def note():
            told.append(work._said and work._said[0])
            if failing.left == -2:
                ended.set()

        failing.called = note
        async with asyncio.timeout(20):
            await work.until(ended)
        return told, await connection.fetchval("SELECT trouble FROM ledger_sealer"), await alarmed(connection)

    with caplog.at_level(logging.ERROR):
        told, trouble, codes = ledger.trying(tried)
    assert "LEDGER_SEALER_FAULT" in told
    assert trouble is None
    assert codes == ["LEDGER_SEALER_FAULT"]
    (line,) = [one for one in caplog.records if one.name == "needful.sealer"]
    assert type(fault).__name__ in line.getMessage()
    assert line.fields == {"part": part, "code": "LEDGER_SEALER_FAULT"}
    assert SECRET not in caplog.text


@pytest.mark.parametrize("gone", GONE, ids=lambda one: type(one).__name__)
def test_a_database_that_has_gone_is_left_to_the_next_process_without_an_alarm(ledger, tmp_path, caplog, gone):
    async def tried(connection):
        work = work_on(connection, tmp_path)
        work._index_some = Failing(None, gone, times=1)
        await add_alone(connection, operation())
        async with asyncio.timeout(20):
            await work.until(asyncio.Event())

    with pytest.raises(type(gone)):
        ledger.trying(tried)
    assert "alarm" not in caplog.text


def test_alarms_that_could_not_be_written_are_written_once_later(ledger, monkeypatch):
    real = alarms.add_alone

    async def torn(connection, *rows):
        await real(connection, *rows[:1])
        raise ZeroDivisionError

    async def tried(connection):
        written = WrittenAlarms(lambda: datetime.now(UTC))
        written.sound("ONE")
        written.sound("TWO")
        with monkeypatch.context() as patch:
            patch.setattr(alarms, "add_alone", torn)
            with pytest.raises(ZeroDivisionError):
                await written.write(connection)
        before = await alarmed(connection)
        await written.write(connection)
        await written.write(connection)
        return before, await alarmed(connection)

    assert ledger.trying(tried) == ([], ["ONE", "TWO"])


TELLING = f"""
import sys
from datetime import UTC, datetime
from ledger import process
from ledger.alarms import WrittenAlarms

async def run(settings, ended):
    WrittenAlarms(lambda: datetime.now(UTC)).sound("LEDGER_ROW_GONE", index=7)
    raise ValueError("{SECRET}")

print([name for name in ("httpx", "tortoise", "starlette", "strawberry", "casbin") if name in sys.modules])
process.run = run
sys.exit(process.main())
"""


def test_the_process_logs_as_the_server_does_with_details_and_without_an_exceptions_text(monkeypatch):
    monkeypatch.setenv("NEEDFUL_LOG", "json")
    command = [sys.executable, "-c", TELLING]
    done = subprocess.run(command, cwd=ROOT, input="{}\n", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    alarm, end = [json.loads(line) for line in done.stderr.splitlines()]
    assert (alarm["logger"], alarm["code"], alarm["index"]) == ("needful.alarms", "LEDGER_ROW_GONE", 7)
    assert (end["logger"], end["level"]) == ("needful.sealer", "ERROR")
    assert end["message"].startswith("the sealer ends: ValueError")
    assert SECRET not in done.stderr
    # It is there at once: nothing of the server's is imported.
    assert done.stdout == "[]\n"


def test_a_process_that_cannot_be_started_is_tried_again(monkeypatch, caplog):
    monkeypatch.setattr(supervisor, "_PAUSE", 0.01)
    command = (sys.executable, "-c", "import sys; sys.stdin.read()")
    real, refused = subprocess.Popen, []

    def start(*arguments, **given):
        if len(refused) < 2:
            refused.append(1)
            raise BlockingIOError(11, SECRET)
        return real(*arguments, **given)

    monkeypatch.setattr(supervisor.subprocess, "Popen", start)
    beside = supervisor.Supervisor("sealer", command, "{}")
    beside.start()
    try:
        until = time.monotonic() + 20
        while beside._process is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert beside._thread.is_alive()
    finally:
        beside.stop()
    assert beside._process.wait(5) == 0
    assert caplog.text.count("could not be started") == 2
    assert "BlockingIOError" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("shared", [True, False], ids=["one second place", "a second place each"])
def test_a_host_whose_key_another_has_rotated_signs_nothing(ledger, tmp_path, shared):
    def sealer_on(connection, host):
        place = SecondPlace(tmp_path / ("heads" if shared else f"heads-{host}"))
        return Sealer(connection, tmp_path / f"key-{host}", place, lambda *_, **__: None, lambda: datetime.now(UTC))

    async def tried(connection):
        one, other = sealer_on(connection, 1), sealer_on(connection, 2)
        HeadKey.load_or_create(one.key_path, demo=True)
        shutil.copy(one.key_path, other.key_path)
        for sealer in (one, other, one):
            await add_alone(connection, operation())
            await sealer.seal()
        HeadKey.load(one.key_path).rotated(datetime.now(UTC)).save(one.key_path)
        await add_alone(connection, operation())
        await one.seal()
        await add_alone(connection, operation())
        with pytest.raises(HeadsError, match=r"a key that ledger-key\.json does not know") as why:
            await other.seal()
        assert why.value.code == "LEDGER_KEY_UNKNOWN"
        assert await connection.fetchval("SELECT max(size) FROM ledger_head") == 4
        shutil.copy(one.key_path, other.key_path)
        assert await other.seal() == 1

    ledger.trying(tried)
