"""What is due is done once: by however many schedulers, whatever becomes of them meanwhile."""

import os
import signal
import time

from ledger import supervisor
from tests.scheduler.conftest import COMMAND
from tests.scheduler.turning import SECRET, STEPS

DONE = "SELECT count(*) FROM job_turn WHERE job = $1 AND fault IS NULL"
WORKER = "SELECT pid FROM stepped ORDER BY step DESC LIMIT 1"


def test_what_two_schedulers_find_due_is_done_once_and_what_was_missed_is_made_up_once(house, start):
    house.clean("once", "fails")
    both = [start("once", "fails") for _ in range(2)]
    house.wait(DONE, "once")
    house.wait("SELECT count(*) >= 2 FROM job_turn WHERE fault IS NOT NULL")
    # Five years' turns were missed. A job that fails is tried again, and keeps no other from its turn.
    assert house.value("SELECT count(*) FROM turned") == 1
    assert house.value(DONE, "once") == 1
    assert house.value(DONE, "fails") == 0
    due = house.value(
        "SELECT to_char(due AT TIME ZONE 'Asia/Shanghai', 'MM-DD HH24:MI') FROM job_turn WHERE job = 'once'"
    )
    assert due == "01-01 03:00"
    (row,) = [one for one in house.ledger("JOB") if one["detail"]["job"] == "once"]
    assert (row["outcome"], row["detail"]["counts"]) == ("DONE", {"rows": 1})
    assert house.ledger("ALARM")[0]["detail"]["job"] == "fails"
    house.fetch("INSERT INTO mended VALUES (now())")
    house.wait(DONE, "fails")
    assert [one.end() for one in both] == [0, 0]
    assert house.value("SELECT count(*) FROM turned") == 1
    said = "".join(one.log.read_text() for one in both)
    assert "alarm JOB_FAILED" in said
    assert "the job fails failed, and will be tried again: ValueError" in said
    assert SECRET not in said + str(house.ledger("JOB") + house.ledger("ALARM"))


def test_a_turn_whose_scheduler_is_stopped_killed_or_ended_in_the_middle_ends_once(house, start):
    house.clean("steps")
    # Both at once: one that began only now might find all done by the first, on a busy machine.
    both = [start("steps") for _ in range(2)]
    house.wait("SELECT count(*) >= 3 FROM stepped")
    house.wait("SELECT count(*) = 2 FROM scheduler.procrastinate_workers")
    first, second = sorted(both, key=lambda one: one.pid != house.value(WORKER))
    # One that is slow but lives is not doubled, however long it has said nothing.
    os.kill(first.pid, signal.SIGSTOP)
    time.sleep(1.2)
    assert house.value("SELECT array_agg(DISTINCT pid) FROM stepped") == [first.pid]
    os.kill(first.pid, signal.SIGCONT)
    # Of a dead one the lock is gone, and another goes on where it was.
    os.kill(first.pid, signal.SIGKILL)
    _, seconds = house.wait("SELECT count(*) FROM stepped WHERE pid = $1", second.pid)
    assert seconds < 5
    # Told to end, it ends with its step; what it had begun is the next one's at once.
    os.kill(second.pid, signal.SIGTERM)
    assert second.process.wait(5) == 0
    assert house.value(DONE, "steps") == 0
    assert house.value("SELECT status::text FROM scheduler.procrastinate_jobs") == "todo"
    third = start("steps")
    house.wait(DONE, "steps")
    assert third.end() == 0
    assert house.value("SELECT count(*) FROM stepped") == STEPS
    assert house.value("SELECT count(DISTINCT pid) FROM stepped") == 3
    assert house.value("SELECT count(*) FROM job_turn") == 1
    assert house.value("SELECT count(*) FROM scheduler.procrastinate_jobs") == 0


def test_a_database_that_ends_every_connection_is_survived(house, monkeypatch, caplog):
    house.clean("steps")
    monkeypatch.setattr(supervisor, "_PAUSE", 0.1)
    monkeypatch.setenv("TURNING", "steps")
    ours = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'needful scheduler'"
    with supervisor.beside("scheduler", COMMAND, house.settings) as begin:
        begin()
        house.wait("SELECT count(*) >= 3 FROM stepped")
        assert house.value(ours) >= 2
        house.wait(DONE, "steps")
    assert house.value("SELECT count(*) FROM stepped") == STEPS
    assert house.value("SELECT count(DISTINCT pid) FROM stepped") == 2
    assert "another takes its place" in caplog.text
