"""A server of two workers that logs JSON, has a floor of service and a hook for alarms; and what it is asked."""

import asyncio
import json
import os
import re
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from models.database import connect_once
from models.embedded import database
from models.installation import open_installation
from resolvers.operating.metrics_token import metrics_token
from resolvers.operating.telling import WITHIN_SECONDS
from tests.conftest import TLS, Server, running_server
from tests.recorded import ALL, said

PEOPLE = 60
SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
_TOLD = 10 * WITHIN_SECONDS
"""By then a worker has told of what it answered, on a busy machine too."""
FLOOR = {"NEEDFUL_SERVICE_LEVEL": "99% under 250ms over 3s"}


class Hooked:
    """An operator's hook: what was posted to it. `refuse` of the next posts are answered 503."""

    def __init__(self) -> None:
        self.bodies, self.refuse = [], 0
        hooked = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hooked.refuse, refused = max(0, hooked.refuse - 1), hooked.refuse
                if not refused:
                    hooked.bodies.append(json.loads(body))
                self.send_response(503 if refused else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/alarms?key=hook-secret"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclass
class Operated(Server):
    """The server, and what an operator sees of it."""

    hook: Hooked = None
    process: running_server = None

    @property
    def address(self):
        return self.url.removesuffix("/graphql")

    def samples(self):
        """The metrics, once everything answered so far is told: by name and labels."""
        time.sleep(_TOLD)
        token = metrics_token(self.installation.metrics_token_path)
        text = httpx.get(f"{self.address}/metrics", headers={"Authorization": f"Bearer {token}"}, verify=TLS).text
        found = (SAMPLE.fullmatch(line) for line in text.splitlines() if not line.startswith("#"))
        return {(one[1], *sorted(re.findall(r'(\w+)="(.*?)"', one[2] or ""))): float(one[3]) for one in found}

    def counted(self, name, **labels):
        return self.samples().get((name, *sorted(labels.items())), 0.0)

    def rows(self, kind):
        """The ledger's rows of a kind."""

        async def fetch():
            owner = await connect_once(self.database.owner)
            try:
                return await owner.fetch(ALL)
            finally:
                await owner.close()

        return [row for row in said(asyncio.run(fetch())) if row["kind"] == kind]

    def logged(self, logger=None):
        """The lines of the log, once everything is told, that are JSON objects of one logger, or of all."""
        time.sleep(_TOLD)
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if "logger" in line and logger in (None, line["logger"])]


def until(what, *, seconds=8.0):
    """What is true at last; waits for it."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="package")
def hook():
    hooked = Hooked()
    yield hooked
    hooked.close()


@pytest.fixture(scope="package")
def operated(tmp_path_factory, prepared, hook):
    folder = tmp_path_factory.mktemp("operated")
    data_dir, plaintext, log = folder / "data", folder / "plain.jsonl", folder / "server.log"
    prepared.demo(data_dir, PEOPLE, plaintext=plaintext)
    environment = {"NEEDFUL_LOG": "json", "NEEDFUL_ALARM_URL": hook.url, "NEEDFUL_RATE_TOKEN": "50/hour", **FLOOR}
    running = running_server(data_dir, log, "--workers", "2", environment=environment)
    with ExitStack() as stack:
        url = stack.enter_context(running)
        installation = open_installation({**os.environ, "NEEDFUL_DATA": str(data_dir)})
        found = stack.enter_context(database(installation))
        client = stack.enter_context(httpx.Client(timeout=60))
        known = (f"{url}/graphql", Path(data_dir), plaintext, log, installation, found, client)
        yield Operated(*known, hook=hook, process=running)


@pytest.fixture(scope="package")
def operated_handler(operated):
    return operated.token("claims_handler", purposes=["claim_handling"])
