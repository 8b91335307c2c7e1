"""One real server for the suite: real PostgreSQL, real process, demo data; and a client that speaks to it over HTTP."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from hypothesis import settings

from authz.callers import Wanted, find_caller
from authz.command_rows import recorded
from authz.commands import Call, Done
from authz.token_keys import TokenKeys
from authz.tokens import mint, utc_now
from cli import _parser
from models.database import connect_once
from models.embedded import Database, database
from models.installation import Installation, open_installation
from models.vocabulary import Category, Purpose, Role, to_bits
from tests.prepared import Prepared
from tests.scheduling import ByFolder
from tests.warm import ROOT, Warm, prepare
from vault.keyring import load

PEOPLE, SEED = 300, 7
START_SECONDS = 60
PRODUCTION = {"NEEDFUL_DEMO": "0", "NEEDFUL_REGION": "cn-north-1", "NEEDFUL_PUBLIC_URL": "https://needful.example"}
"""The least that a server outside demo mode needs; in a new data directory it starts in a few seconds."""
GRAPHQL = "application/graphql-response+json"
TLS = httpx.create_ssl_context()
"""For clients of which a test makes many: each without it reads every certificate of the machine."""
GENEROUS = {
    "NEEDFUL_RATE_ANONYMOUS": "1000000/minute",
    "NEEDFUL_RATE_TOKEN": "1000000/minute",
    "NEEDFUL_LEDGER_MILLISECONDS": "5000",
    "NEEDFUL_SCHEDULER": "0",
    "NEEDFUL_SCHEDULER_SILENCE": "1440",
}
"""The suite asks all its questions from one address, of more processes at once than the machine has processors.

What is done by a timetable, no test expects in the middle of its own.
"""


# How fast a machine is that does other things too is nothing that a test is about.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    config.add_cleanup(prepare().wait)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Several processes share the tests folder by folder."""
    return ByFolder(config, log) if config.getvalue("dist") == "loadfile" else None


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
        connection = await connect_once(self.database.application)
        try:
            subject = await find_caller(connection, wanted, keyring=load(self.installation.keyring_path))
        finally:
            await connection.close()
        keys = TokenKeys.load_or_create(self.installation.token_keys_path)
        return mint(keys, subject, now=utc_now())

    def operate(self, *arguments: str) -> Any:
        """What a command of the operator gives."""
        return self.run_operator(*arguments).data

    def run_operator(self, *arguments: str) -> Done:
        """Run a command of the operator in this process: starting another takes seconds."""
        given, keyring = _parser().parse_args(arguments), load(self.installation.keyring_path)

        async def run() -> Done:
            owner = await connect_once(self.database.owner)
            try:
                call = Call(owner, given, keyring, utc_now(), self.installation)
                done: Done = await recorded(owner, given, partial(given.act, call), clock=utc_now)
                return done
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


def run_cli(
    *arguments: str, data_dir: Path, check: bool = True, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """One command of the command line, in a process of its own."""
    with TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        whole = {**os.environ, "NEEDFUL_DATA": str(data_dir), **(environment or {})}
        process = Warm(arguments, environment=whole, output=output, errors=errors)
        code = process.wait(300)
        done = subprocess.CompletedProcess(arguments, code, output.read_text(), errors.read_text())
    if check and code:
        raise RuntimeError(f"{' '.join(arguments)} ended with {code}: {done.stderr}")
    return done


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Prepared:
    """Data directories to begin with, for all processes of a run."""
    base = tmp_path_factory.getbasetemp()
    return Prepared((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "prepared", run_cli)


@pytest.fixture(scope="session")
def server(tmp_path_factory, prepared) -> Iterator[Server]:
    """The suite's server."""
    with demo_server(tmp_path_factory.mktemp("needful"), prepared) as running:
        yield running


@contextmanager
def demo_server(folder: Path, prepared: Prepared, *, environment: dict[str, str] | None = None) -> Iterator[Server]:
    """A server with its own data directory, and the demo data in the clear beside it."""
    data_dir, plaintext, log = folder / "data", folder / "plain.jsonl", folder / "server.log"
    prepared.demo(data_dir, PEOPLE, seed=SEED, plaintext=plaintext)
    with ExitStack() as stack:
        url = stack.enter_context(running_server(data_dir, log, environment=environment))
        installation = open_installation({**os.environ, "NEEDFUL_DATA": str(data_dir)})
        found = stack.enter_context(database(installation))
        client = stack.enter_context(httpx.Client(timeout=60))
        yield Server(f"{url}/graphql", data_dir, plaintext, log, installation, found, client)


@contextmanager
def all_running(*servers: "running_server") -> Iterator[list[str]]:
    """Servers that start at once; their addresses."""
    with ExitStack() as stack:
        for one in servers:
            one.begin()
            stack.push(one.__exit__)
        yield [one.ready() for one in servers]


@pytest.fixture(scope="session")
def handler(server) -> str:
    """A claims handler's token, with every category."""
    return server.token("claims_handler", purposes=["claim_handling"])


class running_server:  # noqa: N801 - used as a context manager
    """A server process for a data directory; its address, once it is ready."""

    def __init__(
        self,
        data_dir: Path,
        log: Path,
        *arguments: str,
        environment: dict[str, str] | None = None,
        from_scratch: bool = False,
    ) -> None:
        self._environment = {**os.environ, **GENEROUS, "NEEDFUL_DATA": str(data_dir), **(environment or {})}
        self._log = log
        self._arguments = arguments
        self._from_scratch = from_scratch

    def __enter__(self) -> str:
        self.begin()
        return self.ready()

    def begin(self) -> None:
        """Start it; several may start at once."""
        self._log.write_text("")
        self.process = self._started(["serve", "--port", "0", "--json", *self._arguments])

    def ready(self) -> str:
        """Its address, as soon as it has one."""
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

    def _started(self, arguments: list[str]) -> subprocess.Popen[bytes] | Warm:
        if not self._from_scratch:
            return Warm(arguments, environment=self._environment, output=self._log)
        with self._log.open("w") as log:
            command = [sys.executable, "cli.py", *arguments]
            return subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=log, stderr=subprocess.STDOUT)

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
