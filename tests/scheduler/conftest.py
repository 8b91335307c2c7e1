"""A database of the scheduler's own, and schedulers over it that a test may stop, kill and start again."""

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from models.database import connect_once
from models.embedded import Database, database
from models.installation import Installation, open_installation
from privacy.scheduling import settings_of
from tests.conftest import ROOT
from tests.scheduler import turning
from vault.keyring import load_or_create

COMMAND = (sys.executable, "-m", "tests.scheduler.turning")


@dataclass
class House:
    """A database and the installation it belongs to."""

    installation: Installation
    found: Database
    folder: Path
    runner: asyncio.Runner
    connection: Any
    since: Any = None

    def fetch(self, text, *values):
        return self.runner.run(self.connection.fetch(text, *values))

    def value(self, text, *values):
        return self.runner.run(self.connection.fetchval(text, *values))

    def wait(self, text, *values, seconds=20.0):
        """Until a statement gives something true; what it gives, and after how long."""
        begun = time.monotonic()
        while not (found := self.value(text, *values)):
            assert time.monotonic() - begun < seconds, text
            time.sleep(0.02)
        return found, time.monotonic() - begun

    def clean(self, *jobs):
        """Nothing has been done since, and these have been due since years, without anybody who looked."""
        self.since = self.value("SELECT clock_timestamp()")
        self.fetch("TRUNCATE turned, stepped, mended, job_turn, scheduled_job")
        self.fetch("TRUNCATE scheduler.procrastinate_jobs, scheduler.procrastinate_periodic_defers CASCADE")
        self.fetch(
            "INSERT INTO scheduled_job SELECT name, now() - interval '5 years' FROM unnest($1::text[]) n (name)", jobs
        )

    @property
    def settings(self):
        return settings_of(self.installation, self.found, None)

    def ledger(self, kind):
        rows = self.fetch("SELECT body::text FROM ledger WHERE at > $1 ORDER BY at", self.since)
        said = [json.loads(row["body"]) for row in rows]
        return [one for one in said if one["kind"] == kind]


@pytest.fixture(scope="package")
def house(tmp_path_factory, prepared):
    folder = tmp_path_factory.mktemp("scheduler")
    prepared.empty(folder / "data")
    installation = open_installation({"NEEDFUL_DATA": str(folder / "data")})
    load_or_create(installation.keyring_path, demo=True)
    with database(installation) as found, asyncio.Runner() as runner:
        connection = runner.run(connect_once(found.owner))
        for statement in turning.TABLES.split(";"):
            runner.run(connection.execute(statement))
        try:
            yield House(installation, found, folder, runner, connection)
        finally:
            runner.run(connection.close())


class Started:
    """A scheduler's process."""

    def __init__(self, house, *jobs):
        self.log = house.folder / f"log-{time.monotonic_ns()}"
        environment = {**os.environ, "TURNING": " ".join(jobs)}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                COMMAND, cwd=ROOT, stdin=subprocess.PIPE, stderr=log, env=environment, text=True
            )
        self.process.stdin.write(json.dumps(house.settings) + "\n")
        self.process.stdin.flush()

    @property
    def pid(self):
        return self.process.pid

    def end(self):
        """Let it end as with its server; its exit code."""
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        return self.process.wait(20)


@pytest.fixture
def start(house):
    """Starts schedulers, and ends those that are left."""
    with ExitStack() as left:

        def started(*jobs):
            one = Started(house, *jobs)
            left.callback(one.end)
            return one

        yield started
