"""A server of two workers whose keys are rotated, and what an operator does beside it."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from models.database import connect_once
from models.embedded import database
from models.installation import open_installation
from models.vocabulary import Retention
from tests.conftest import running_server
from tests.writing.conftest import Office
from vault.keyring import load
from vault.sealing import _unwrap

PEOPLE, SEED = 60, 11


class Kept(Office):
    """The server, and its data keys."""

    def data_keys(self) -> dict[Any, bytes]:
        """Every data key there is, unwrapped, by person or login and class."""
        rows = self.rows("SELECT person_id, retention, wrapped FROM data_key WHERE wrapped IS NOT NULL")
        logins = self.rows("SELECT id, $1::int, wrapped FROM login WHERE wrapped IS NOT NULL", Retention.ACCOUNT)
        return {(owner, one): _unwrap(self.keyring, wrapped, owner, one) for owner, one, wrapped in [*rows, *logins]}

    def wrapped_by(self, version: int) -> int:
        """How many data keys of people a version wraps."""
        statement = "SELECT count(*) FROM data_key WHERE get_byte(wrapped, 1) * 256 + get_byte(wrapped, 2) = $1"
        return self.rows(statement, version)[0][0]

    def beside(self, work: Any) -> Any:
        """What a coroutine function gives that is called with two connections of the owner's."""

        async def run() -> Any:
            first, second = await connect_once(self.database.owner), await connect_once(self.database.owner)
            try:
                return await work(first, second)
            finally:
                await first.close()
                await second.close()

        return asyncio.run(run())


@pytest.fixture(scope="package")
def kept(tmp_path_factory, prepared) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("keys")
    data_dir, plaintext, log = folder / "data", folder / "plain.jsonl", folder / "server.log"
    prepared.demo(data_dir, PEOPLE, seed=SEED, plaintext=plaintext)
    with ExitStack() as stack:
        url = stack.enter_context(running_server(data_dir, log, "--workers", "2"))
        installation = open_installation({**os.environ, "NEEDFUL_DATA": str(data_dir)})
        found = stack.enter_context(database(installation))
        client = stack.enter_context(httpx.Client(timeout=60))
        keyring = load(installation.keyring_path)
        yield Kept(f"{url}/graphql", data_dir, plaintext, log, installation, found, client, keyring=keyring)
