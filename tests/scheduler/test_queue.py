"""The queue's tables: kept as the installed library asks for, and nobody's but the owner's; and the command `jobs`."""

import argparse
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from authz.commands import Call, OperatorRefusedError
from models import scheduling
from models.database import connect_once
from models.migrating import migrate
from privacy import job_commands, timetable
from privacy.turns import LOCKS
from tests.scheduler.turning import JOBS, SECRET
from vault.keyring import load

NEWEST = "SELECT newest FROM scheduler.version"


def test_the_application_role_has_no_right_in_the_queue_and_only_reads_what_was_done(house):
    async def asked():
        application = await connect_once(house.found.application)
        try:
            for text in ("TABLE scheduler.procrastinate_jobs", "SELECT scheduler.procrastinate_register_worker_v1()"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await application.execute(text)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await application.execute("UPDATE scheduled_job SET done = now()")
            return await application.fetchval("SELECT count(*) FROM scheduler_beat")
        finally:
            await application.close()

    assert house.runner.run(asked()) == 1


def test_an_update_of_the_library_brings_the_changes_that_a_database_has_not_had(house, tmp_path, monkeypatch):
    kept = house.value(NEWEST)
    later = tmp_path / "migrations"
    later.mkdir()
    (later / f"{kept}.sql").write_text("CREATE TABLE had_before ()")
    (later / "99.00.00_01_pre_later.sql").write_text("CREATE TABLE later (n int)")
    (later / "99.00.00_50_post_later.sql").write_text("ALTER TABLE later ADD COLUMN m int")
    (tmp_path / "schema.sql").write_text("CREATE TABLE anew ()")
    with monkeypatch.context() as patch:
        patch.setattr(scheduling, "_sql", lambda: tmp_path)
        for _ in range(2):
            house.runner.run(migrate(house.found))
    assert house.value(NEWEST) == "99.00.00_50_post_later"
    made = "SELECT to_regclass('scheduler.' || $1) IS NOT NULL"
    assert [house.value(made, name) for name in ("later", "had_before", "anew")] == [True, False, False]
    assert (
        house.value("SELECT count(*) FROM pg_attribute WHERE attrelid = 'scheduler.later'::regclass AND attnum > 0")
        == 2
    )
    house.fetch("UPDATE scheduler.version SET newest = $1", kept)
    house.fetch("DROP TABLE scheduler.later")


def test_a_turn_by_hand_counts_as_one_and_waits_for_nobody(house, monkeypatch):
    house.clean("once", "fails")
    monkeypatch.setattr(timetable, "JOBS", tuple(JOBS.values()))
    now = datetime.now(UTC)
    call = Call(
        house.connection,
        argparse.Namespace(job="once", most=5),
        load(house.installation.keyring_path),
        now,
        house.installation,
    )
    done = house.runner.run(job_commands._run(call))
    assert done.data == {"job": "once", "counts": {"rows": 1}}
    (turn,) = house.runner.run(job_commands._history(call)).data
    assert (turn["outcome"], turn["counts"], turn["fault"]) == ("DONE", {"rows": 1}, None)
    # The one that was due has had its turn by this.
    assert house.value("SELECT done FROM scheduled_job WHERE name = 'once'") >= now

    async def beside():
        other = await connect_once(house.found.owner)
        try:
            await other.execute("SELECT pg_advisory_lock($1, hashtext('once'))", LOCKS)
            listed = (await job_commands._list(call)).data
            with pytest.raises(OperatorRefusedError, match="at work"):
                await job_commands._run(call)
            return {one["job"]: one["working"] for one in listed}
        finally:
            await other.close()

    assert house.runner.run(beside()) == {"once": True, "steps": False, "fails": False}
    failing = replace(call, arguments=argparse.Namespace(job="fails"))
    with pytest.raises(OperatorRefusedError, match="the log says where") as refused:
        house.runner.run(job_commands._run(failing))
    assert SECRET not in str(refused.value)
    (last,) = [one["last"] for one in house.runner.run(job_commands._list(call)).data if one["job"] == "fails"]
    assert (last["outcome"], last["fault"]) == ("FAILED", "ValueError")
