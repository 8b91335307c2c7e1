"""A turn of a job: never two of one job at once, recorded once it is done, and done once for each moment it is due.

Whoever works holds an advisory lock of the very connection that it works on. So of a process that has died the lock is
gone with it, and of one that is slow but lives it is not, whatever anybody takes it for. What is done is written in
one transaction: up to which moment the job is done, the turn, and its row in the ledger.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson

from ledger.alarms import WrittenAlarms
from ledger.append import add_alone
from ledger.rows import Kind, Operation, Outcome
from models.installation import Installation
from privacy.bundles import Bundle
from privacy.due import last_due
from privacy.jobs import Job, Turn
from vault.keyring import load

KEPT = 1_000
"""Turns of one job that are remembered beside the ledger."""
FAILED = "JOB_FAILED"
LOCKS = 0x6A6F6273
"""The first half of the advisory locks of jobs; the second is a hash of the name."""

_LOCK = "SELECT pg_try_advisory_lock($1, hashtext($2))"
_UNLOCK = "SELECT pg_advisory_unlock($1, hashtext($2))"
_KNOW = "INSERT INTO scheduled_job (name, since) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_DONE = "SELECT done FROM scheduled_job WHERE name = $1"
_DO = "UPDATE scheduled_job SET done = $2 WHERE name = $1"
# Where a clock was ahead and was put back, a moment comes twice.
_TURN = """
INSERT INTO job_turn (job, due, began_at, ended_at, fault, counts) VALUES ($1, $2, $3, $4, $5, $6::jsonb)
ON CONFLICT (job, due) WHERE fault IS NULL
DO UPDATE SET began_at = excluded.began_at, ended_at = excluded.ended_at, counts = excluded.counts
"""
_CLOCK = "SELECT clock_timestamp()"
_FORGET = """
DELETE FROM job_turn
WHERE job = $1 AND id <= (SELECT id FROM job_turn WHERE job = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)
"""
_HEARD = "SELECT set_config(name, '20', FALSE) FROM unnest($1::text[]) AS t (name)"
_KEEPALIVES = ("tcp_keepalives_idle", "tcp_keepalives_interval")


APART = timedelta(minutes=5)
"""By more than this the clocks of a host and of its database do not differ, or one of them is wrong."""


class BusyError(Exception):
    """Somebody else is at work on the job."""


class ClocksDifferError(Exception):
    """This host's clock is not the database's: by a wrong one data would be erased before their time."""


@dataclass(frozen=True, slots=True)
class Working:
    """What every turn is done with; the keyring is read anew for each."""

    bundle: Bundle
    installation: Installation
    clock: Callable[[], datetime]
    alarms: WrittenAlarms


async def take(working: Working, connection: Any, job: Job, due: datetime) -> Mapping[str, int] | None:  # noqa: ANN401 - asyncpg
    """Do what is due at a moment, and whatever came due since; None where it is done already.

    `connection`: the owner's, outside a transaction. Raises BusyError, ClocksDifferError, and whatever the job raises:
    that is recorded as long as the database answers.
    """
    # Where the other machine has gone without a word, the server finds out within minutes, not hours.
    await connection.execute(_HEARD, [*_KEEPALIVES])
    if not await connection.fetchval(_LOCK, LOCKS, job.name):
        raise BusyError
    try:
        return await _alone(working, connection, job, due)
    finally:
        if not connection.is_closed():
            await connection.execute(_UNLOCK, LOCKS, job.name)


async def _alone(working: Working, connection: Any, job: Job, due: datetime) -> Mapping[str, int] | None:  # noqa: ANN401
    began = working.clock()
    done = await connection.fetchval(_DONE, job.name)
    if done is not None and done >= due:
        return None
    due = max(due, last_due(job, began))
    if abs(await connection.fetchval(_CLOCK) - began) > APART:
        # Without a record, which would bear the wrong moment.
        working.alarms.sound(FAILED, job=job.name)
        raise ClocksDifferError
    try:
        keyring = load(working.installation.keyring_path)
        sound = working.alarms.sound
        turn = Turn(connection, keyring, working.bundle, working.installation, began, sound)
        counts = {name: int(count) for name, count in (await job.work(turn)).items()}
    except Exception as fault:
        if not connection.is_closed():
            working.alarms.sound(FAILED, job=job.name)
            await _record(working, connection, job, due, began, fault=type(fault).__name__)
        raise
    await _record(working, connection, job, due, began, counts=counts)
    return counts


async def _record(  # noqa: PLR0913 - what a turn was
    working: Working,
    connection: Any,  # noqa: ANN401 - asyncpg's
    job: Job,
    due: datetime,
    began: datetime,
    *,
    counts: Mapping[str, int] | None = None,
    fault: str | None = None,
) -> None:
    now, counted = working.clock(), dict(counts or {})
    outcome, code = (Outcome.REFUSED, FAILED) if fault else (Outcome.DONE, None)
    detail = {"job": job.name, "due": due.isoformat(), **({"counts": counted} if counted else {})}
    async with connection.transaction():
        await connection.execute(_KNOW, job.name, began)
        if fault is None:
            await connection.execute(_DO, job.name, due)
        await connection.execute(_TURN, job.name, due, began, now, fault, orjson.dumps(counted).decode())
        await connection.execute(_FORGET, job.name, KEPT)
        await add_alone(connection, Operation(Kind.JOB, uuid4(), now, outcome, code, detail=detail))
    await working.alarms.write(connection)
