"""A server of its own for those who publish: what they publish counts for everybody who asks it."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from uuid import uuid4

import httpx
import pytest

from authz.workbench import approvals
from authz.workbench.judging import Judged
from models.database import connect_once
from models.embedded import database
from models.installation import open_installation
from tests.conftest import Server, running_server

STAFF = {"sun.ning": "security_admin", "zhou.yi": "security_admin", "qian.lan": "privacy_officer"}
"""Beside those of the demo data: enough people for four eyes."""


@pytest.fixture(scope="package")
def governed(tmp_path_factory, prepared) -> Iterator[Server]:
    """A server whose rules are changed, with two more security admins and a privacy officer."""
    folder = tmp_path_factory.mktemp("governed")
    data_dir, log = folder / "data", folder / "server.log"
    prepared.demo(data_dir, 40)
    with ExitStack() as stack:
        url = stack.enter_context(running_server(data_dir, log))
        installation = open_installation({**os.environ, "NEEDFUL_DATA": str(data_dir)})
        found = stack.enter_context(database(installation))
        client = stack.enter_context(httpx.Client(timeout=60))
        server = Server(f"{url}/graphql", data_dir, folder / "none", log, installation, found, client)
        asyncio.run(_hire(found))
        yield server


async def _hire(found) -> None:
    owner = await connect_once(found.owner)
    try:
        rows = [(uuid4(), username, role) for username, role in STAFF.items()]
        await owner.executemany("INSERT INTO staff (id, username, role) VALUES ($1, $2, $3)", rows)
    finally:
        await owner.close()


@pytest.fixture(scope="module")
def loop():
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture
def checks_pass(monkeypatch):
    """What findings and cases say is tested elsewhere: here wide is what has the wide row."""

    def judged(content, parent, catalogue, now):
        added = set(content.rules) - set(parent.rules)
        wide = any((one.object, one.relation) == ("bank_account", "assigned") for one in added)
        return Judged(widens=wide)

    monkeypatch.setattr(approvals, "judge", judged)
