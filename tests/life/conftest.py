"""A server of its own: it is backed up, stopped, restored from the backup and started again."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from authz.commands import Call, Done
from cli import _parser
from models.database import connect_once
from models.embedded import Database, database
from models.installation import Installation, open_installation
from tests.conftest import running_server
from tests.writing.conftest import PEOPLE, SEED, Office
from vault.keyring import load


@dataclass
class Place:
    """A data directory with the demo data, and its database, which runs whether anybody is served or not."""

    folder: Path
    installation: Installation
    database: Database
    plaintext: Path

    @property
    def log(self) -> Path:
        """Of the server that the person lives with."""
        return self.folder / "server.log"

    @property
    def backup(self) -> Path:
        """Made before the person is erased."""
        return self.folder / "backup"

    def office(self, url: str, client: httpx.Client) -> Office:
        """What is asked of a server that runs."""
        given = (f"{url}/graphql", self.installation.root, self.plaintext, self.log, self.installation, self.database)
        return Office(*given, client, keyring=load(self.installation.keyring_path))

    def server(self, log: Path) -> running_server:
        """A server on the data directory."""
        return running_server(self.installation.root, log)

    def operate(self, *arguments: str, now: datetime) -> Done:
        """A command of the operator's at another time."""
        given, keyring = _parser().parse_args(arguments), load(self.installation.keyring_path)

        async def run() -> Done:
            owner = await connect_once(self.database.owner)
            try:
                done: Done = await given.act(Call(owner, given, keyring, now, self.installation))
                return done
            finally:
                await owner.close()

        return asyncio.run(run())


@pytest.fixture(scope="module")
def place(tmp_path_factory, prepared) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("life")
    data_dir, plaintext = folder / "data", folder / "plain.jsonl"
    prepared.demo(data_dir, PEOPLE, seed=SEED, plaintext=plaintext)
    with ExitStack() as stack:
        installation = open_installation({**os.environ, "NEEDFUL_DATA": str(data_dir)})
        yield Place(folder, installation, stack.enter_context(database(installation, lasting=True)), plaintext)
