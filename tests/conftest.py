"""One real server for the suite: real PostgreSQL, real process, demo data; and a client that speaks to it over HTTP."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from authz.callers import Wanted, find_caller
from authz.commands import Call
from authz.token_keys import TokenKeys
from authz.tokens import mint, utc_now
from cli import _parser
from models.database import connect, connect_once
from models.embedded import Database, database
from models.installation import Installation, open_installation
from models.vocabulary import Category, Purpose, Role, to_bits
from vault.keyring import load

ROOT = Path(__file__).parent.parent
PEOPLE, SEED = 300, 7
START_SECONDS = 60
PRODUCTION = {"NEEDFUL_DEMO": "0", "NEEDFUL_REGION": "cn-north-1", "NEEDFUL_PUBLIC_URL": "https://needful.example"}
"""The least that a server outside demo mode needs; in a new data directory it starts in a few seconds."""
GRAPHQL = "application/graphql-response+json"
GENEROUS = {"NEEDFUL_RATE_ANONYMOUS": "1000000/minute", "NEEDFUL_RATE_TOKEN": "1000000/minute"}
"""The suite asks all its questions from one address."""


@dataclass
class Server:
    """A running server and what a test may ask of it."""

    url: str
    data_dir: Path
    plaintext: Path
    log: Path
    installation: Installation
    database: Database
    client: httpx.Client
    tokens: dict[Any, str] = field(default_factory=dict)

    def token(self, role, *, org=None, user=None, purposes, categories=None) -> str:
        """A token, minted in this process from the server's own key file."""
        place = (role, org, user, tuple(purposes), None if categories is None else tuple(categories))
        if place not in self.tokens:
            self.tokens[place] = asyncio.run(self._mint(*place))
        return self.tokens[place]

    async def _mint(self, role, org, user, purposes, categories) -> str:
        wanted = Wanted(
            role=Role(role),
            purposes=tuple(Purpose(purpose) for purpose in purposes),
            categories=to_bits(set(Category) if categories is None else {Category(name) for name in categories}),
            organization=org,
            username=user,
        )
        async with connect(self.database.application, shared=False) as pool, pool.acquire() as connection:
            subject = await find_caller(connection, wanted, keyring=load(self.installation.keyring_path))
        keys = TokenKeys.load_or_create(self.installation.token_keys_path)
        return mint(keys, subject, now=utc_now())

    def operate(self, *arguments: str) -> Any:
        """What a command of the operator gives, run in this process: starting another takes seconds."""
        given, keyring = _parser().parse_args(arguments), load(self.installation.keyring_path)

        async def run() -> Any:
            owner = await connect_once(self.database.owner)
            try:
                return (await given.act(Call(owner, given, keyring, utc_now(), demo=True))).data
            finally:
                await owner.close()

        return asyncio.run(run())

    def post(self, document, variables=None, operation_name=None, *, token=None, purpose=None, headers=None):
        """POST a document as the specification's own media type has it."""
        body = {"query": document}
        if variables is not None:
            body["variables"] = variables
        if operation_name is not None:
            body["operationName"] = operation_name
        sent = {"Accept": GRAPHQL, **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if purpose:
            sent["X-Purpose"] = purpose
        return self.client.post(self.url, json=body, headers=sent)


def run_cli(*arguments: str, data_dir: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """One command of the command line, in a process of its own."""
    environment = {**os.environ, "NEEDFUL_DATA": str(data_dir)}
    return subprocess.run(
        [sys.executable, "cli.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=check,
        timeout=300,
    )


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """The suite's server, with its own data directory and the demo data in the clear beside it."""
    folder = tmp_path_factory.mktemp("needful")
    data_dir, plaintext, log = folder / "data", folder / "plain.jsonl", folder / "server.log"
    run_cli("demo", "--people", str(PEOPLE), "--seed", str(SEED), "--plaintext", str(plaintext), data_dir=data_dir)
    with ExitStack() as stack:
        url = stack.enter_context(running_server(data_dir, log))
        installation = open_installation({**os.environ, "NEEDFUL_DATA": str(data_dir)})
        found = stack.enter_context(database(installation))
        client = stack.enter_context(httpx.Client(timeout=60))
        yield Server(f"{url}/graphql", data_dir, plaintext, log, installation, found, client)


@pytest.fixture(scope="session")
def handler(server) -> str:
    """A claims handler's token, with every category."""
    return server.token("claims_handler", purposes=["claim_handling"])


class running_server:  # noqa: N801 - used as a context manager
    """A server process for a data directory; its address, once it is ready."""

    def __init__(self, data_dir: Path, log: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self._environment = {**os.environ, **GENEROUS, "NEEDFUL_DATA": str(data_dir), **(environment or {})}
        self._log = log
        self._arguments = arguments

    def __enter__(self) -> str:
        stream = self._log.open("w")
        self.process = subprocess.Popen(
            [sys.executable, "cli.py", "serve", "--port", "0", "--json", *self._arguments],
            cwd=ROOT,
            env=self._environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            text=True,
        )
        stream.close()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for line in self._log.read_text().splitlines():
                if line.startswith('{"address"'):
                    return json.loads(line)["address"]
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.process.kill()
        raise RuntimeError(f"the server did not start: {self._log.read_text()}")

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
