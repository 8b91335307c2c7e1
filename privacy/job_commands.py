"""The command `jobs list|run|history`: what is done by the timetable, when it was, and what came of it."""

import argparse
import logging
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from authz.commands import Call, Done, OperatorRefusedError, add_command, listed, told
from authz.tokens import utc_now
from ledger.alarms import WrittenAlarms
from models.faults import NO_ANSWER, place
from privacy import timetable
from privacy.bundles import bundle_of
from privacy.due import next_due
from privacy.jobs import Job
from privacy.turns import LOCKS, BusyError, Working, take

_log = logging.getLogger("needful.jobs")

_MOST, _USUAL = 1_000, 20

_LAST = """
SELECT DISTINCT ON (job) job, due, began_at, ended_at, fault, counts FROM job_turn ORDER BY job, id DESC
"""
_HISTORY = """
SELECT job, due, began_at, ended_at, fault, counts FROM job_turn
WHERE $1::text IS NULL OR job = $1 ORDER BY id DESC LIMIT $2
"""
_WORKING = """
SELECT n FROM unnest($1::text[]) AS t (n) WHERE EXISTS (
    SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = $2::bigint::oid AND l.granted
    AND l.objid = (hashtext(n)::bigint & 4294967295)::oid
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
"""


def accept_jobs(parser: argparse.ArgumentParser) -> None:
    """Declare `jobs`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_command(commands, "list", _list, "every job: when it is due, and its last turn")
    option = add_command(commands, "run", _run, "take a job's turn now, whenever it is due", stepwise=True)
    option("job", choices=sorted(_jobs()), metavar="NAME")
    option = add_command(commands, "history", _history, "turns, the last first")
    option("job", nargs="?", choices=sorted(_jobs()), metavar="NAME")
    option("--most", type=int, choices=range(1, _MOST + 1), default=_USUAL, metavar="N", help="turns shown")


def _jobs() -> Mapping[str, Job]:
    return {one.name: one for one in timetable.JOBS}


async def _list(call: Call) -> Done:
    jobs = _jobs()
    last = {row["job"]: row for row in await call.connection.fetch(_LAST)}
    working = {row["n"] for row in await call.connection.fetch(_WORKING, sorted(jobs), LOCKS)}
    return listed(
        [
            {
                "job": one.name,
                "cron": one.cron,
                "next": _moment(next_due(one, call.now)),
                "working": one.name in working,
                "last": _said(last[one.name]) if one.name in last else None,
            }
            for one in jobs.values()
        ]
    )


async def _history(call: Call) -> Done:
    rows = await call.connection.fetch(_HISTORY, call.arguments.job, call.arguments.most)
    return listed([{"job": row["job"], **_said(row)} for row in rows])


async def _run(call: Call) -> Done:
    job = _jobs()[call.arguments.job]
    working = Working(bundle_of(os.environ), call.installation, utc_now, WrittenAlarms(utc_now))
    try:
        counts = await take(working, call.connection, job, call.now)
    except BusyError:
        message = "Somebody is at work on this job. Look at `jobs list`, and try again when it is done."
        raise OperatorRefusedError(message) from None
    except NO_ANSWER:
        raise
    except Exception as fault:  # noqa: BLE001 - whatever a job fails of
        _log.error("the job %s failed: %s", job.name, place(fault))
        message = "The job failed, and will be tried again when it is due: the log says where."
        raise OperatorRefusedError(message) from None
    return told({"job": job.name, "counts": dict(counts or {})})


def _said(row: Any) -> dict[str, Any]:  # noqa: ANN401 - asyncpg's record
    return {
        "due": _moment(row["due"]),
        "began": _moment(row["began_at"]),
        "seconds": round((row["ended_at"] - row["began_at"]).total_seconds(), 3),
        "outcome": "FAILED" if row["fault"] else "DONE",
        "fault": row["fault"],
        "counts": orjson.loads(row["counts"]),
    }


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
