"""Readiness: whether a worker may be given requests, with reasons, in bounded time, without secrets."""

import asyncio
import itertools
import json
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from models.database import connect, connect_once
from resolvers.operating import readiness
from resolvers.operating.operating import _own_checks
from resolvers.operating.readiness import Check, Readiness, told
from resolvers.operating.watching import _STATE, LEDGER, SEALER_LAG, SILENT, Sealing, Watch
from tests.operations.conftest import until

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECRET = "postgresql://owner:secret@10.0.0.1/db"


def answered(*checks, clock=lambda: NOON):
    response = asyncio.run(Readiness(checks, clock).answer())
    return response.status_code, json.loads(response.body)


def test_a_worker_that_misses_nothing_is_ready():
    assert answered(told("database", lambda: None)) == (200, {"status": "ready", "warnings": []})


def test_reasons_and_warnings_say_what_why_and_since_when():
    checks = told("ledger", lambda: "Full."), told("sealer", lambda: "Late.", warning=True), told("x", lambda: None)
    status, body = answered(*checks)
    since = "2026-11-23T12:00:00.000000Z"
    assert (status, body) == (
        503,
        {
            "status": "unavailable",
            "reasons": [{"check": "ledger", "why": "Full.", "since": since}],
            "warnings": [{"check": "sealer", "why": "Late.", "since": since}],
        },
    )


def test_a_warning_alone_keeps_nobody_away():
    status, body = answered(told("sealer", lambda: "Late.", warning=True))
    assert (status, body["status"], len(body["warnings"])) == (200, "ready", 1)


def test_since_is_when_it_was_first_seen_and_is_forgotten_once_it_is_over():
    moments = [NOON, NOON + timedelta(minutes=5), NOON + timedelta(minutes=9)]
    wrong = ["Full.", "Full.", None, "Full."]

    async def run():
        clock, given = iter(moments), iter(wrong)
        ready = Readiness([told("ledger", lambda: next(given))], lambda: next(clock))
        return [json.loads((await ready.answer()).body) for _ in range(4)]

    first, second, over, again = asyncio.run(run())
    assert first["reasons"] == second["reasons"] or first["reasons"][0]["since"] == second["reasons"][0]["since"]
    assert over == {"status": "ready", "warnings": []}
    assert again["reasons"][0]["since"] != first["reasons"][0]["since"]


def test_what_hangs_or_breaks_is_a_reason_in_bounded_time_without_a_secret(monkeypatch):
    monkeypatch.setattr(readiness, "SECONDS", 0.1)

    async def hang():
        await asyncio.sleep(60)

    async def broken():
        raise OSError(SECRET)

    begun = time.monotonic()
    status, body = answered(Check("database", hang), Check("other", broken))
    assert time.monotonic() - begun < 2
    assert status == 503
    assert [one["check"] for one in body["reasons"]] == ["database", "other"]
    assert SECRET not in str(body)


def test_however_many_ask_each_thing_is_looked_at_once_at_a_time():
    looked = 0

    async def look():
        nonlocal looked
        looked += 1
        await asyncio.sleep(0.05)

    async def run():
        ready = Readiness([Check("database", look)], lambda: NOON)
        await asyncio.gather(*(ready.answer() for _ in range(50)))

    asyncio.run(run())
    assert looked == 1


def test_a_server_with_everything_is_ready_and_one_that_cannot_read_its_keys_says_so(operated):
    ask = lambda: operated.client.get(f"{operated.address}/readyz")  # noqa: E731 - asked again and again
    until(lambda: ask().status_code == 200)
    path = operated.installation.token_keys_path
    kept = path.read_text()
    path.write_text("{")
    try:
        refused = until(lambda: (found := ask()).status_code == 503 and found)
        (reason,) = refused.json()["reasons"]
        assert (reason["check"], refused.json()["status"]) == ("token keys", "unavailable")
        assert str(operated.data_dir) not in refused.text
    finally:
        path.write_text(kept)
    until(lambda: ask().json()["status"] == "ready" and ask().json()["status"] == "ready")


# What the checks look at


def state(server, *statements):
    """What the watch reads once these statements have run, all of which is undone."""

    async def run():
        owner = await connect_once(server.database.owner)
        try:
            transaction = owner.transaction()
            await transaction.start()
            for statement in statements:
                await owner.execute(statement)
            found = dict(await owner.fetchrow(_STATE))
            await transaction.rollback()
            return found
        finally:
            await owner.close()

    return asyncio.run(run())


def test_the_watch_counts_unsealed_rows_and_misses_next_months_partition(operated):
    before = state(operated)
    assert before["next_month"] is True
    more = state(operated, "INSERT INTO ledger_writer (id, last) VALUES (gen_random_uuid(), 7)")
    assert more["written"] == before["written"] + 7
    drop = "DO $$ BEGIN EXECUTE 'DROP TABLE ledger_' || to_char(now() + interval '1 month', 'YYYY_MM'); END $$"
    assert state(operated, drop)["next_month"] is False


def test_sealing_lags_by_the_age_of_the_oldest_row_that_is_not_sealed():
    sealing = Sealing()

    def learn(now, written, sealed, indexed=0):
        sealing.learn(written=written, sealed=sealed, indexed=indexed, next_month=True, now=now)
        return sealing.unsealed, sealing.unindexed, sealing.seconds(now)

    assert learn(0, 10, 10, 8) == (0, 2, 0.0)
    assert learn(1000, 12, 10, 10) == (2, 0, 0.0)
    assert learn(1005, 20, 10, 10) == (10, 0, 5.0)
    assert learn(1010, 30, 12, 12) == (18, 0, 5.0)
    assert learn(1015, 30, 30, 30) == (0, 0, 0.0)


def test_what_is_not_sealed_grows_older_while_nobody_can_look_and_so_does_not_knowing():
    sealing = Sealing()
    assert sealing.seconds(100) == 0.0
    assert sealing.seconds(170) == 70.0  # it never could
    sealing.learn(written=12, sealed=10, indexed=10, next_month=True, now=200)
    assert [sealing.seconds(now) for now in (200, 205, 270)] == [0.0, 5.0, 70.0]
    sealing.learn(written=12, sealed=12, indexed=12, next_month=True, now=271)
    assert [sealing.seconds(now) for now in (271, 276, 340)] == [0.0, 0.0, 69.0]


def test_a_database_that_hangs_is_a_lag_that_sounds(monkeypatch):
    """Even where it holds up whoever has given up asking it."""
    watch, double, heard = watching()
    monkeypatch.setattr("resolvers.operating.watching._TICK_SECONDS", 0.001)
    passed = itertools.count(step=1)
    watch.clock = lambda: float(next(passed))
    double.free = asyncio.Event()

    async def run():
        keeping = asyncio.create_task(watch.keep())
        async with asyncio.timeout(5):
            while not heard:  # noqa: ASYNC110 - another task looks
                await asyncio.sleep(0.001)
        keeping.cancel()
        double.free.set()
        await asyncio.gather(keeping, return_exceptions=True)

    asyncio.run(run())
    assert heard == [SEALER_LAG]


class Double:
    """A pool and a recorder of which a test says how they are."""

    queued, lag_seconds, writable = 0, 0.0, True
    free = None

    def __init__(self):
        self._queue = type("Queue", (), {"_getters": ()})()

    async def fetchrow(self, _):
        """Hangs, and does not let go of whoever gives up."""
        waiting = asyncio.create_task(self.free.wait())
        while not waiting.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(waiting)
        raise OSError

    def flush(self):
        pass

    def get_size(self):
        return 4

    get_idle_size = get_size

    def set(self, **_):
        pass

    def try_row(self, code):
        self.tried = code


def watching():
    heard, double = [], Double()
    watch = Watch(double, double, double, double, None, lambda code, **_: heard.append(code), most_lag=60)
    return watch, double, heard


def test_a_sealer_that_lags_sounds_once_until_it_has_caught_up():
    watch, _, heard = watching()
    now = 0.0
    watch.clock = lambda: now

    def look(at, sealed):
        nonlocal now
        now = at
        watch.sealing.learn(written=9 + sealed, sealed=sealed, indexed=0, next_month=True, now=at)
        watch.look()
        return len(heard), watch.lags

    assert look(0.0, 0) == (0, False)
    assert look(59.0, 0) == (0, False)
    assert look(61.0, 0) == (1, True)
    assert look(90.0, 0) == (1, True)
    assert look(100.0, 18) == (1, False)
    assert look(161.0, 18) == (2, True)
    assert set(heard) == {SEALER_LAG}


def test_a_ledger_that_cannot_be_written_sounds_and_is_tried_until_it_can():
    watch, double, heard = watching()
    watch.look()
    double.writable = False
    assert not watch.unwritable  # one slow commit is no reason to send everybody away
    watch.look()
    assert (heard, watch.unwritable, double.tried) == ([LEDGER], True, LEDGER)
    double.writable = True
    watch.look()
    assert (heard, watch.unwritable) == ([LEDGER], False)


def test_a_pool_of_which_all_connections_are_taken_is_a_warning_and_sends_nobody_away(server):
    """Whether the database answers is known from a connection that no request takes."""

    async def run():
        watch, _, _ = watching()
        async with connect(server.database.application, min_size=1, max_size=1) as watch.pool:
            ready = Readiness(_own_checks(watch), lambda: NOON)
            before = await ready.answer()
            async with watch.pool.acquire():
                waiting = asyncio.create_task(watch.pool.fetchval("SELECT 1"))
                await asyncio.sleep(0.01)
                taken = await ready.answer()
            assert await waiting == 1
            return before, taken, await ready.answer()

    before, taken, after = asyncio.run(run())
    assert [one.status_code for one in (before, taken, after)] == [200, 200, 200]
    (warning,) = json.loads(taken.body)["warnings"]
    assert (warning["check"], warning["why"]) == (
        "pool",
        "All database connections are in use, and 1 wait for one.",
    )
    assert json.loads(before.body) == json.loads(after.body) == {"status": "ready", "warnings": []}


@pytest.mark.parametrize("next_month", [True, False])
def test_a_missing_partition_is_told_with_what_to_do(next_month):
    watch, _, _ = watching()
    watch.sealing.next_month = next_month
    why = watch.partition_missing()
    assert (why is None) is next_month
    assert next_month or "run migrate" in why


def test_a_scheduler_that_says_nothing_for_too_long_sounds_once_and_again_only_after_it_has_spoken():
    heard, double = [], Double()
    watch = Watch(double, double, double, double, None, lambda code, **_: heard.append(code), most_lag=60)
    for silence in (600.0, 601.0, 900.0, 3.0, 700.0):
        watch.silence = silence
        watch._judge(SILENT, wrong=watch.silent, seconds=int(silence))
    assert heard == ["SCHEDULER_SILENT", "SCHEDULER_SILENT"]
