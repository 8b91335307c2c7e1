"""The scheduler's own process, with jobs that tests can watch, and less patience.

Run as the scheduler itself: `python -m tests.scheduler.turning`.
"""

import asyncio
import os
import sys

from privacy import scheduler, timetable
from privacy.jobs import Job

SECRET = "13800138000"
STEPS = 40
ONCE_A_YEAR = "0 3 1 1 *"
TABLES = """
CREATE TABLE turned (job text, pid int);
CREATE TABLE stepped (step int PRIMARY KEY, pid int);
CREATE TABLE mended (at timestamptz)
"""


async def once(turn):
    await turn.connection.execute("INSERT INTO turned VALUES ('once', $1)", os.getpid())
    await asyncio.sleep(0.3)
    return {"rows": 1}


async def steps(turn):
    """Many steps, each a transaction that is open for a while; it goes on where another left off."""
    done = 0
    while (step := await turn.connection.fetchval("SELECT coalesce(max(step), 0) + 1 FROM stepped")) <= STEPS:
        async with turn.connection.transaction():
            await turn.connection.execute("INSERT INTO stepped VALUES ($1, $2)", step, os.getpid())
            await asyncio.sleep(0.05)
        done += 1
    return {"steps": done}


async def fails(turn):
    if not await turn.connection.fetchval("SELECT EXISTS (SELECT FROM mended)"):
        raise ValueError(SECRET)
    return {}


JOBS = {one.__name__: Job(one.__name__, ONCE_A_YEAR, one) for one in (once, steps, fails)}

if __name__ == "__main__":
    timetable.JOBS = tuple(JOBS[name] for name in os.environ["TURNING"].split())
    scheduler.POLL_SECONDS, scheduler.STALE_SECONDS = 0.1, 0.6
    scheduler.FIRST_RETRY_SECONDS, scheduler.BUSY_SECONDS = 1, 0.3
    sys.exit(scheduler.main())
