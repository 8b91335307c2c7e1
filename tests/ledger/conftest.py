"""An empty database with a ledger, and an event loop to ask it on; a server whose ledger holds made-up rows too."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from models.database import connect_once
from models.embedded import database
from models.installation import open_installation
from models.migrating import migrate
from tests.conftest import PEOPLE, SEED, Server, running_server


@dataclass
class Ledger:
    """The owner's connection to a ledger, and how to use it; `trying` takes everything back."""

    runner: asyncio.Runner
    connection: Any

    def run(self, work):
        return self.runner.run(work)

    def trying(self, work):
        """Run `work(connection)` and take back what it did."""

        async def tried():
            transaction = self.connection.transaction()
            await transaction.start()
            try:
                return await work(self.connection)
            finally:
                await transaction.rollback()

        return self.runner.run(tried())


@pytest.fixture(scope="package")
def ledger(tmp_path_factory, prepared):
    data_dir = tmp_path_factory.mktemp("ledger") / "data"
    prepared.empty(data_dir)
    with database(open_installation({"NEEDFUL_DATA": str(data_dir)})) as found, asyncio.Runner() as runner:
        runner.run(migrate(found))
        connection = runner.run(connect_once(found.owner))
        try:
            yield Ledger(runner, connection)
        finally:
            runner.run(connection.close())


@pytest.fixture(scope="package")
def invented(tmp_path_factory, prepared) -> Iterator[Server]:
    """A server of its own: among the rows of the suite's, no decision may stand that nobody made."""
    folder = tmp_path_factory.mktemp("invented")
    data_dir, plaintext, log = folder / "data", folder / "plain.jsonl", folder / "server.log"
    prepared.demo(data_dir, PEOPLE, seed=SEED, plaintext=plaintext)
    with ExitStack() as stack:
        url = stack.enter_context(running_server(data_dir, log))
        installation = open_installation({**os.environ, "NEEDFUL_DATA": str(data_dir)})
        found = stack.enter_context(database(installation))
        client = stack.enter_context(httpx.Client(timeout=60))
        yield Server(f"{url}/graphql", data_dir, plaintext, log, installation, found, client)
