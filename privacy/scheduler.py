"""The process that does what is due: it queues each job's turns and takes them, until its standard input ends.

Several may run, on as many hosts: the queue gives a turn to one of them, and what a dead one had begun to another. What
makes a turn happen once is not the queue but `privacy.turns`: the lock of the connection that works, and the row that
says up to when a job is done. The queue is procrastinate's, in a schema of its own. Two things of it are not used: its
cron lines, which are read in UTC and forget what was due more than ten minutes ago (ours are read in Shanghai, and what
was missed is made up once); and a heartbeat as the sign that a process is dead, which the lock is.
"""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job as Queued
from procrastinate.tasks import Task
from procrastinate.worker import Worker

from ledger.alarms import WrittenAlarms
from ledger.attached import attached
from models.faults import place
from models.scheduling import QUEUE
from privacy import timetable
from privacy.bundles import bundle_of
from privacy.due import last_due
from privacy.jobs import Job
from privacy.scheduling import installation_of
from privacy.turns import LOCKS, BusyError, Working, take

POLL_SECONDS = 5.0
"""From one look at what is due, and at what is queued, to the next."""
STALE_SECONDS = 30.0
"""After so long without a beat, what a process had begun may be another's, if its lock is gone."""
AT_ONCE = 3
"""Turns of different jobs that one process takes at once."""
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 30, 3_600
"""A turn that failed is tried again after the first, then after twice as long each time, up to the last."""
BUSY_SECONDS = 10
_STOP_SECONDS = 8.0
"""A step that takes longer is undone, once the process is told to end."""
_STEP_SECONDS = 0.02
_ANSWER_SECONDS = 60.0
_APPLICATION = "needful scheduler"
LATE_SECONDS = 7_200.0
"""What has been due for so long while this process lives, and is not done, is an alarm; and again after as long."""
LATE = "JOB_LATE"

_KNOW = (
    "INSERT INTO scheduled_job (name, since) SELECT name, now() FROM unnest($1::text[]) n (name) ON CONFLICT DO NOTHING"
)
_STATE = "SELECT name, coalesce(done, since) AS done, clock_timestamp() AS now FROM scheduled_job"
# It was done by a clock that was ahead, and would not be done again until that moment comes.
_PUT_BACK = """
UPDATE scheduled_job SET done = now(), since = least(since, now())
WHERE coalesce(done, since) > now() + interval '1 hour' RETURNING name
"""
_BEAT = "UPDATE scheduler_beat SET at = now()"
_ALONE = "SELECT pg_advisory_xact_lock($1, 0)"
_FREE = "SELECT pg_try_advisory_xact_lock($1, hashtext($2))"

_log = logging.getLogger("needful.scheduler")


def _now() -> datetime:
    return datetime.now(UTC)


class _Again(BaseRetryStrategy):
    """When a turn is tried again: always, and ever later; at once where the process was told to end."""

    def get_retry_decision(self, *, exception: BaseException, job: Queued) -> RetryDecision:
        if isinstance(exception, asyncio.CancelledError):
            seconds = 0
        elif isinstance(exception, BusyError):
            seconds = BUSY_SECONDS
        else:
            seconds = min(FIRST_RETRY_SECONDS << min(job.attempts, 16), LAST_RETRY_SECONDS)
        return RetryDecision(retry_at=_now() + timedelta(seconds=seconds))


class _Stepwise(asyncpg.Connection):
    """A connection that begins no further step once the process is told to end."""

    ended: asyncio.Event | None = None

    def transaction(self, **options: Any) -> Any:  # noqa: ANN401 - asyncpg's
        """As asyncpg's. Who is told to end hears of it at the next thing they wait for, which is the step's begin."""
        task = asyncio.current_task()
        if self.ended and self.ended.is_set() and task and not self.is_in_transaction():
            task.cancel()
        return super().transaction(**options)


@dataclass(slots=True)
class Scheduler:
    """One process's scheduler over a queue."""

    working: Working
    database: dict[str, Any]
    jobs: Sequence[Job]
    app: App
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Is this process to end?"""
    _turns: "dict[asyncio.Task[Any], Any]" = field(default_factory=dict)
    """Those under way, with the connection that each works on."""
    _tasks: "dict[str, Task[..., Any, ...]]" = field(default_factory=dict)

    _late: dict[str, float] = field(default_factory=dict)
    """When each job that is due is late, by the loop's clock."""

    async def run(self, ended: asyncio.Event) -> None:
        """Work until told to end, then end each turn with its step. Raises the database's errors, and the queue's."""
        for job in self.jobs:
            declared = self.app.task(name=job.name, queue=QUEUE, retry=_Again())(partial(_turn, self, job))
            self._tasks[job.name] = declared
        worker = Worker(
            self.app,
            queues=[QUEUE],
            name=None,
            concurrency=AT_ONCE,
            fetch_job_polling_interval=POLL_SECONDS,
            shutdown_graceful_timeout=_STOP_SECONDS,
            listen_notify=False,
            delete_jobs="always",
            install_signal_handlers=False,
            stalled_worker_timeout=STALE_SECONDS,
        )
        async with self._connected(_ANSWER_SECONDS) as connection:
            await connection.execute(_KNOW, [job.name for job in self.jobs])
            working = asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]
            keeping = asyncio.create_task(self._keep(connection, worker))
            stopping = asyncio.create_task(ended.wait())
            try:
                await asyncio.wait([working, keeping, stopping], return_when=asyncio.FIRST_COMPLETED)
                self._ended.set()
                worker.stop()  # type: ignore[no-untyped-call]
                await self._end_turns()
                await working
                if keeping.done():
                    keeping.result()
            finally:
                for one in (working, keeping, stopping):
                    one.cancel()
                    with suppress(BaseException):
                        await one
        if not ended.is_set():
            message = "the queue's worker has ended by itself"
            raise RuntimeError(message)

    @asynccontextmanager
    async def _connected(self, seconds: float | None = None) -> AsyncIterator[Any]:
        """A connection of the owner's; `seconds`: a database that takes longer for a statement has gone."""
        connection = await asyncpg.connect(
            **self.database,
            command_timeout=seconds,
            connection_class=_Stepwise,
            server_settings={"application_name": _APPLICATION, "timezone": "UTC", "synchronous_commit": "on"},
        )
        try:
            yield connection
        finally:
            # Without waiting: whatever it was doing is undone.
            connection.terminate()

    async def _keep(self, connection: Any, worker: Worker) -> None:  # noqa: ANN401 - asyncpg's
        while True:
            await connection.execute(_BEAT)
            if worker.worker_id is not None:
                await self.app.job_manager.update_heartbeat(worker.worker_id)
            await self._take_over(connection)
            await self._queue_due(connection)
            await self.working.alarms.write(connection)
            await asyncio.sleep(POLL_SECONDS)

    async def _queue_due(self, connection: Any) -> None:  # noqa: ANN401 - as above
        # By the database's clock, which is the same for every host.
        for row in await connection.fetch(_PUT_BACK):
            _log.warning("the job %s was done at a moment that is yet to come: the clock was ahead", row["name"])
        found = {row["name"]: row for row in await connection.fetch(_STATE)}
        due = [(job, last_due(job, found[job.name]["now"])) for job in self.jobs]
        due = [(job, at) for job, at in due if at > found[job.name]["done"]]
        self._sound_late([job.name for job, _ in due])
        queued = {one.task_name for one in await self.app.job_manager.list_jobs_async()} if due else set()
        for job, at in due:
            if job.name not in queued:
                moment = int(at.timestamp())
                given = self._tasks[job.name].configure(lock=job.name, task_kwargs={"timestamp": moment})
                await self.app.job_manager.defer_periodic_job(given.job, periodic_id="", defer_timestamp=moment)

    def _sound_late(self, due: Sequence[str]) -> None:
        """Whether a turn hangs, or fails whenever it is tried: somebody has to look."""
        now = asyncio.get_running_loop().time()
        self._late = {name: self._late.get(name, now + LATE_SECONDS) for name in due}
        for name, at in self._late.items():
            if now >= at:
                self.working.alarms.sound(LATE, job=name)
                self._late[name] = now + LATE_SECONDS

    async def _take_over(self, connection: Any) -> None:  # noqa: ANN401 - as above
        """Give back to the queue what a process had begun that is dead: it says nothing, and its lock is gone."""
        manager = self.app.job_manager
        async with connection.transaction():
            # Two that do this at once would give the same turn back twice.
            await connection.execute(_ALONE, LOCKS)
            for one in await manager.get_stalled_jobs(seconds_since_heartbeat=STALE_SECONDS):
                if await connection.fetchval(_FREE, LOCKS, one.task_name):
                    _log.warning("the job %s goes on here: whoever had begun it is gone", one.task_name)
                    with suppress(ConnectorException):  # it has been done in this very moment
                        await manager.retry_job(one)

    async def _end_turns(self) -> None:
        """End what is under way between two steps; what takes too long is ended by the worker."""
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                while self._turns:
                    for turn, connection in list(self._turns.items()):
                        if not connection.is_in_transaction():
                            turn.cancel()
                    await asyncio.sleep(_STEP_SECONDS)
        except TimeoutError:
            return

    async def take(self, job: Job, due: datetime) -> None:
        """Take one turn, on a connection of its own. Raises what the job raises."""
        own = asyncio.current_task()
        async with self._connected() as connection:
            connection.ended = self._ended
            if own is not None:
                self._turns[own] = connection
            try:
                await take(self.working, connection, job, due)
            except BusyError:
                raise
            except Exception as fault:
                _log.error("the job %s failed, and will be tried again: %s", job.name, place(fault))
                raise
            finally:
                self._turns.pop(own, None)  # type: ignore[arg-type]


async def _turn(scheduler: Scheduler, job: Job, *, timestamp: int) -> None:
    await scheduler.take(job, datetime.fromtimestamp(timestamp, UTC))


async def run(settings: dict[str, Any], ended: asyncio.Event) -> None:
    """Work with these settings until told to end. Raises OSError, the database's errors and the queue's."""
    # What these say holds the text of exceptions; what matters of it is said here.
    for library in ("procrastinate", "psycopg"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    hook = _hook(settings.get("alarms"))
    installation = installation_of(settings["installation"])
    working = Working(bundle_of(os.environ), installation, _now, WrittenAlarms(_now, hook))
    database = settings["database"]
    queue = {
        "host": database["host"],
        "port": database["port"],
        "user": database["user"],
        "password": database["password"],
        "dbname": database["database"],
        "sslmode": database["ssl"],
        "application_name": _APPLICATION,
        "options": f"-c search_path={QUEUE} -c timezone=UTC",
    }
    app = App(connector=PsycopgConnector(kwargs=queue, min_size=1, max_size=AT_ONCE))
    try:
        async with app.open_async():
            await Scheduler(working, database, timetable.JOBS, app).run(ended)
    finally:
        if hook is not None:
            await asyncio.to_thread(hook.close)


def _hook(url: str | None) -> Any:  # noqa: ANN401 - a `Hook`
    if url is None:
        return None
    from ledger.alarm_hook import Hook  # noqa: PLC0415 - few have one, and it takes long to import

    return Hook(url)


def main() -> int:
    """Read the settings, then work until the input ends or SIGTERM comes; 0 if it did."""
    return attached(run, name="scheduler", stops=True)


if __name__ == "__main__":
    sys.exit(main())
