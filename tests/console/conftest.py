"""A server of its own for the console, since rulesets are published there, and a browser to work at it with."""

import asyncio
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from models.database import connect_once
from models.embedded import database
from models.installation import open_installation
from tests.browsers import chromium
from tests.conftest import ROOT, TLS, Server, running_server

AXE = ROOT / "tests" / "console" / "node_modules" / "axe-core" / "axe.min.js"
WIDTH, HEIGHT = 1200, 900


@dataclass
class Workbench:
    """The console of a running server, and whoever works at it."""

    url: str
    server: Server

    def token(self, role: str, *, user: str | None = None, purposes: tuple[str, ...] = ("administration",)) -> str:
        """A token; made in another thread, because the browser's event loop runs in this one."""
        with ThreadPoolExecutor(1) as aside:
            return aside.submit(self.server.token, role, user=user, purposes=list(purposes)).result()

    def operate(self, *arguments: str) -> Any:
        """A command of the operator."""
        with ThreadPoolExecutor(1) as aside:
            return aside.submit(self.server.operate, *arguments).result()

    def execute(self, statement: str, *values: Any) -> None:
        """A statement of the owner of the tables."""
        as_owner(self.server, statement, *values)

    def ask(self, document: str, token: str, *, purpose: str = "administration", variables: Any = None) -> Any:
        """What the API answers."""
        sent = {"Authorization": f"Bearer {token}", "X-Purpose": purpose}
        body = {"query": document, "variables": variables}
        return self.server.client.post(f"{self.url}/graphql", json=body, headers=sent).json()


class Visitor:
    """A browser without a screen: cookies, forms, and the headers that a browser sends of itself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx.Client(base_url=url, verify=TLS)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers=headers)

    def csrf(self, path: str = "/console/login") -> str:
        found = re.search('name="csrf" value="([^"]+)"', self.get(path).text)
        assert found
        return found[1]

    def post(self, path, data, *, origin=None, site="same-origin"):
        headers = {"Origin": origin or self.url, "Sec-Fetch-Site": site}
        return self.client.post(path, data=data, headers={name: one for name, one in headers.items() if one != "none"})

    def log_in(self, token: str) -> None:
        response = self.post("/console/login/token", {"csrf": self.csrf(), "token": token})
        assert (response.status_code, response.headers["location"]) == (303, "/console"), response.text


class Desk:
    """One profile of the browser, and what its pages complain of."""

    def __init__(self, workbench: Workbench, context: Any) -> None:
        self.workbench, self.context = workbench, context
        self.complaints: list[str] = []
        context.set_default_timeout(8000)
        self.page = context.new_page()
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, path: str) -> Any:
        """Open a page of the console."""
        return self.page.goto(self.workbench.url + path)

    def log_in(self, token: str) -> None:
        """Log in with a token, as demo mode allows."""
        self.give(token)
        assert urlsplit(self.page.url).path != "/console/login/token", self.page.inner_text("main")

    def give(self, token: str) -> None:
        """Give a token to the page to log in at."""
        self.open("/console/login")
        self.page.locator("details summary").click()
        self.page.locator("textarea[name=token]").fill(token)
        self.page.locator("form[action='/console/login/token'] button").click()

    def cookies(self) -> dict[str, str]:
        """The cookies of this profile."""
        return {one["name"]: one["value"] for one in self.context.cookies()}

    def close(self) -> None:
        """The end of this profile."""
        self.context.close()


@pytest.fixture(scope="package")
def workbench(tmp_path_factory, prepared) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("console")
    data_dir, log = folder / "data", folder / "server.log"
    prepared.demo(data_dir, 150)
    with ExitStack() as stack:
        url = stack.enter_context(running_server(data_dir, log))
        installation = open_installation({**os.environ, "NEEDFUL_DATA": str(data_dir)})
        found = stack.enter_context(database(installation))
        client = stack.enter_context(httpx.Client(timeout=60, verify=TLS))
        server = Server(f"{url}/graphql", data_dir, folder / "none", log, installation, found, client)
        yield Workbench(url, server)


@pytest.fixture
def visitor(workbench) -> Iterator[Visitor]:
    """A browser without a screen."""
    found = Visitor(workbench.url)
    yield found
    found.client.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, closed before other tests begin: it brings an event loop of its own."""
    with chromium() as opened:
        yield opened


@pytest.fixture
def desks(workbench, browser) -> Iterator[Any]:
    """Opens desks, and closes them at the end."""
    opened: list[Desk] = []

    def desk(token: str | None = None, **more: Any) -> Desk:
        opened.append(Desk(workbench, browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, **more)))
        if token:
            opened[-1].log_in(token)
        return opened[-1]

    yield desk
    for one in opened:
        one.close()


def staff_of(role: str, server: Server) -> list[str]:
    """Work names of a role in the demo data."""
    rows = as_owner(server, "SELECT username FROM staff WHERE role = $1 ORDER BY username", role)
    return [row["username"] for row in rows]


def as_owner(server: Server, statement: str, *values: Any) -> list[Any]:
    """What a statement of the owner of the tables gives; in another thread, as above."""

    async def work() -> list[Any]:
        connection = await connect_once(server.database.owner)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as aside:
        return aside.submit(asyncio.run, work()).result()
