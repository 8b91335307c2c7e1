"""A server that is killed while clients write to it, started again, and the clients that never give up."""

import asyncio
import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx
import psutil

from models.embedded import database
from models.installation import open_installation
from tests.conftest import run_cli, running_server
from tests.writing.conftest import Office
from tests.writing.dealings import Call
from vault.keyring import load

CLIENTS = 8
ENOUGH = 10
"""Acknowledgements between two kills: the load is on again."""
PATIENCE_SECONDS = 60


class Crash(StrEnum):
    """What dies by SIGKILL, all at once."""

    MACHINE = "the server and every process of its database"
    SERVER = "the server, whose database is told by the kernel and stops in its own way"
    SERVER_ALONE = "the server, while its database lives on and goes on with what it was last told"


@dataclass
class Load:
    """Calls, each sent by one of a few clients, again and again with its key, until it is acknowledged."""

    url: str
    calls: list[Call]
    acknowledged: dict[int, Any] = field(default_factory=dict)
    """By a call's place: its payload."""
    started: int = 0
    stopping: bool = False
    sent_again: int = 0

    async def run(self) -> None:
        """Send until told to stop; what was begun is brought to its end."""
        await asyncio.gather(*(self._client() for _ in range(CLIENTS)))

    async def _client(self) -> None:
        async with httpx.AsyncClient(timeout=10) as client:
            while not self.stopping and self.started < len(self.calls):
                place = self.started
                self.started += 1
                self.acknowledged[place] = await self._insist(client, self.calls[place])

    async def _insist(self, client: httpx.AsyncClient, call: Call) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                response = await client.post(self.url, **call.sent())
            except httpx.TransportError:
                response = None
            if response is not None and response.status_code == 200:
                (payload,) = response.json()["data"].values()
                return payload
            assert response is None or response.status_code == 503, response.text
            assert time.monotonic() < deadline, "nobody answers"
            self.sent_again += 1
            await asyncio.sleep(0.02)


@dataclass
class Crashing:
    """A server at one address, killed and started again; its database its own, or held by this process."""

    office: Office
    folder: Path
    port: int
    stack: ExitStack = field(default_factory=ExitStack)
    server: running_server | None = None

    def start(self) -> None:
        """Start the server, on whatever the last one left."""
        self.server = running_server(self.office.data_dir, self.folder / "server.log", "--port", str(self.port))
        self.server.__enter__()

    def stop(self) -> None:
        """End it in an orderly way."""
        if self.server is not None:
            self.server.__exit__()
            self.server = None

    def keep_database(self) -> None:
        """From now on the database lives in this process, and outlives every server."""
        self.stop()
        self.stack.enter_context(database(self.office.installation, lasting=True))
        self.start()

    def crash(self, kind: Crash) -> None:
        """Kill what the kind names, and start the server again."""
        assert self.server is not None
        process = psutil.Process(self.server.process.pid)
        dying = [*process.children(recursive=True), process] if kind is Crash.MACHINE else [process]
        for one in dying:
            one.send_signal(signal.SIGKILL)
        self.server.process.wait()
        self.start()

    async def ordeal(self, load: Load, kinds: list[Crash]) -> None:
        """Kill once for each kind, while the load is on."""
        running = asyncio.create_task(load.run())
        draws = random.Random(len(kinds))  # noqa: S311 - moments to kill at
        try:
            for kind in kinds:
                if kind is Crash.SERVER_ALONE and not self._is_kept:
                    self.keep_database()
                before = len(load.acknowledged)
                deadline = time.monotonic() + PATIENCE_SECONDS
                while len(load.acknowledged) < before + ENOUGH:
                    assert not running.done(), "the load has ended"
                    assert time.monotonic() < deadline, "nothing is acknowledged any more"
                    await asyncio.sleep(0.005)
                await asyncio.sleep(draws.uniform(0, 0.1))
                self.crash(kind)
        finally:
            load.stopping = True
            await running

    @property
    def _is_kept(self) -> bool:
        assert self.server is not None
        return not psutil.Process(self.server.process.pid).children()


@contextmanager
def a_crashing_server(folder: Path, *, people: int, seed: int) -> Iterator[Crashing]:
    """A server with data of its own, to be killed."""
    data_dir, plaintext = folder / "data", folder / "plain.jsonl"
    run_cli("demo", "--people", str(people), "--seed", str(seed), "--plaintext", str(plaintext), data_dir=data_dir)
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    installation = open_installation({**os.environ, "NEEDFUL_DATA": str(data_dir)})
    url = f"http://127.0.0.1:{port}/graphql"
    with httpx.Client(timeout=60) as client:
        parts = (url, data_dir, plaintext, folder / "server.log", installation)
        office = Office(*parts, None, client, keyring=load(installation.keyring_path))
        crashing = Crashing(office, folder, port)
        with crashing.stack:
            try:
                crashing.start()
                with database(installation) as found:
                    office.database = found
                yield crashing
            finally:
                crashing.stop()
