"""Clocks that are wrong, turns that hang, and alarms of turns that end at once."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest

from authz.tokens import utc_now
from ledger.alarms import WrittenAlarms
from models.database import connect_once
from privacy import scheduler
from privacy.bundles import bundle_of
from privacy.due import last_due
from privacy.jobs import Job
from privacy.scheduler import LATE, LATE_SECONDS, Scheduler
from privacy.turns import ClocksDifferError, Working, take
from tests.scheduler.turning import JOBS


def working(house, *, ahead=timedelta()):
    def clock():
        return utc_now() + ahead

    return Working(bundle_of({}), house.installation, clock, WrittenAlarms(utc_now))


@pytest.mark.parametrize("ahead", [timedelta(days=400), timedelta(minutes=-10)])
def test_a_host_whose_clock_is_not_the_databases_does_nothing_that_is_due(house, ahead):
    """By a clock that is ahead, the sweep would erase what nobody may erase yet."""
    house.clean("once")
    given = working(house, ahead=ahead)
    with pytest.raises(ClocksDifferError):
        house.runner.run(take(given, house.connection, JOBS["once"], utc_now()))
    assert house.value("SELECT count(*) FROM turned") == 0
    assert house.value("SELECT done FROM scheduled_job WHERE name = 'once'") is None
    assert house.value("SELECT count(*) FROM job_turn") == 0
    house.runner.run(given.alarms.write(house.connection))
    assert house.ledger("ALARM")[0]["detail"] == {"job": "once"}


class Queue:
    """Says what is deferred to it."""

    def __init__(self):
        self.deferred = []

    async def list_jobs_async(self):
        return []

    async def defer_periodic_job(self, job, **_):
        self.deferred.append(job)


def scheduler_of(house, *jobs):
    queue = Queue()
    made = Scheduler(working(house), {}, jobs, SimpleNamespace(job_manager=queue))
    for job in jobs:
        made._tasks[job.name] = SimpleNamespace(configure=lambda name=job.name, **_: SimpleNamespace(job=name))
    return made, queue


def test_what_was_done_by_a_clock_that_was_ahead_is_done_again_when_it_is_due_and_twice_if_need_be(house):
    job = Job("once", "* * * * *", JOBS["once"].work)
    house.clean("once")
    made, queue = scheduler_of(house, job)
    moment = last_due(job, utc_now())
    house.fetch("UPDATE scheduled_job SET done = now() + interval '1 year'")
    house.runner.run(made._queue_due(house.connection))
    # Nothing is due before the next moment, and then it is.
    assert queue.deferred == []
    assert house.value("SELECT now() - done < interval '5 seconds' FROM scheduled_job")
    house.fetch("UPDATE scheduled_job SET done = now() - interval '2 minutes'")
    house.runner.run(made._queue_due(house.connection))
    assert queue.deferred == ["once"]
    # The moment has been done before, as the wrong clock had it.
    turn = "INSERT INTO job_turn (job, due, began_at, ended_at, counts) VALUES ('once', $1, now(), now(), '{}')"
    for minute in range(3):
        house.fetch(turn, moment + timedelta(minutes=minute))
    assert house.runner.run(take(made.working, house.connection, job, moment)) == {"rows": 1}
    assert house.value("SELECT done >= $1 FROM scheduled_job", moment)


def test_a_job_that_is_due_for_two_hours_and_not_done_is_an_alarm_until_it_is(house, monkeypatch):
    made, _ = scheduler_of(house)
    sounded = made.working.alarms
    told, clock = [], [0.0]
    monkeypatch.setattr(scheduler.asyncio, "get_running_loop", lambda: SimpleNamespace(time=lambda: clock[0]))
    monkeypatch.setattr(sounded, "sound", lambda code, **detail: told.append((code, detail)))
    for at, due in ((0, ["sweep", "quick"]), (5, ["sweep"]), (LATE_SECONDS - 1, ["sweep"])):
        clock[0] = at
        made._sound_late(due)
    assert told == []
    for at, times in ((LATE_SECONDS, 1), (LATE_SECONDS + 5, 1), (2 * LATE_SECONDS, 2)):
        clock[0] = at
        made._sound_late(["sweep"])
        assert told == [(LATE, {"job": "sweep"})] * times
    made._sound_late([])
    clock[0] = 9 * LATE_SECONDS
    made._sound_late(["sweep"])
    assert len(told) == 2


def test_alarms_that_are_written_on_two_connections_at_once_are_written_once_each(house):
    house.clean()
    alarms = WrittenAlarms(utc_now)
    for number in range(3):
        alarms.sound("SOME_ALARM", number=number)

    async def both():
        other = await connect_once(house.found.owner)
        try:
            writing = [asyncio.create_task(alarms.write(one)) for one in (house.connection, other)]
            await asyncio.sleep(0)
            alarms.sound("SOME_ALARM", number=3)
            await asyncio.gather(*writing)
            await alarms.write(other)
        finally:
            await other.close()

    house.runner.run(both())
    assert sorted(one["detail"]["number"] for one in house.ledger("ALARM")) == [0, 1, 2, 3]
