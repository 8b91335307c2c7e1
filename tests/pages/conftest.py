"""The consent centre as its README serves it, before a server of its own: a notice is published there, people agree."""

import asyncio
import itertools
import json
import secrets
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from models.database import connect_once
from models.global_ids import from_global
from privacy.bundles import BUNDLE, BundleName
from privacy.notice_contents import read_content
from privacy.publication import Refused, publish
from resolvers.registered import house_documents
from tests.conftest import GRAPHQL, ROOT, Server, demo_server
from tests.console.conftest import as_owner
from tests.frontend_example import FOLDER, build, surroundings
from tests.plain import lines

HOSTILE = "<script>window.taken=1</script><img src=x onerror='window.taken=2'>{{7*7}}"
PASSWORD = "nine horses eat apples"
FIRST = ROOT / "privacy" / "data" / "notices" / "2020-10-26.json"
LATER = "2.0"
"""The version that is published while the tests run; it took effect yesterday."""
USE = "与广告合作方共同研究间接标签"
AUDIENCE = """
query($after: String) { users(first: 10, after: $after) { edges { node { id } } pageInfo { hasNextPage endCursor } } }
"""
_EARLIER = 6
"""Each test that wants somebody who signed up before the later notice takes one."""
_SIGN_UP = next(found for found, text in house_documents().items() if "register(" in text)
_numbers = itertools.count(int.from_bytes(secrets.token_bytes(3)))


@dataclass(frozen=True, repr=False)
class Person:
    """Somebody who has just signed up."""

    username: str
    token: str


@dataclass
class Centre:
    """The page, the server behind it, and people who signed up before the later notice: each for one test."""

    address: str
    server: Server
    insurer: str = field(repr=False)
    """An insurer's token for marketing."""
    earlier: list[Person]

    def ask(self, document: str, token: str, *, purpose: str = "account_service", **variables: Any) -> Any:
        """The data of an answer."""
        body = self.server.post(document, variables, token=token, purpose=purpose).json()
        assert body.get("data"), body
        return body["data"]

    def audience(self) -> set[str]:
        """Everybody whom the insurer may reach for marketing, page by page."""
        found, after = set(), None
        while True:
            users = self.ask(AUDIENCE, self.insurer, purpose="marketing", after=after)["users"]
            found |= {edge["node"]["id"] for edge in users["edges"]}
            if not users["pageInfo"]["hasNextPage"]:
                return found
            after = users["pageInfo"]["endCursor"]

    def sign_up(self) -> Person:
        """A new person, whose data are collected under the newest notice."""
        return sign_up(self.server)

    def guardian(self) -> Person:
        """A new person with a verified link to the youngest child there is."""
        made = self.sign_up()
        found = self.ask("{ viewer { user { id } } }", made.token)["viewer"]["user"]["id"]
        born = {one["id"]: one["birthDate"] for one in lines(self.server.plaintext)["User"] if one["birthDate"]}
        child = max(born, key=lambda one: born[one])
        statement = "INSERT INTO guardian_link (id, guardian_id, child_id, verified_at) VALUES ($1, $2, $3, now())"
        as_owner(self.server, statement, uuid4(), from_global(found)[1], from_global(child)[1])
        return made


def sign_up(server: Server) -> Person:
    number = next(_numbers) % 10**8
    username = f"visitor{number}"
    given = {"phone": f"177{number:08d}", "username": username, "password": PASSWORD}
    body = {"documentId": f"sha256:{_SIGN_UP}", "variables": {"input": given}}
    found = server.client.post(server.url, json=body, headers={"Accept": GRAPHQL}).json()["data"]["register"]
    assert found["__typename"] == "SessionTokens", found
    return Person(username, found["accessToken"])


@pytest.fixture(scope="session")
def centre(tmp_path_factory, prepared) -> Iterator[Centre]:
    """Under the law that wants sensitive data agreed to by themselves; the later notice tells of one thing more."""
    folder = tmp_path_factory.mktemp("consent-centre")
    with ThreadPoolExecutor(1) as aside:
        built = aside.submit(build)
        with demo_server(folder, prepared, environment={BUNDLE: BundleName.PIPL}) as server:
            earlier = [sign_up(server) for _ in range(_EARLIER)]
            asyncio.run(_publish(server))
            insurer = server.token("insurer", org="INS01", purposes=["marketing"])
            built.result()
            with _served(server.url) as address:
                yield Centre(address, server, insurer, earlier)


async def _publish(server: Server) -> None:
    """One function more than the first notice tells of, and words that would like to be more than text."""
    now, content = datetime.now(UTC) - timedelta(days=3), json.loads(FIRST.read_text())
    content |= {"version": LATER, "effectiveOn": (now + timedelta(days=2)).date().isoformat(), "summary": HOSTILE}
    content["functions"].append({"purpose": "research", "recipient": "AD_PARTNER", "categories": ["tag"], "use": USE})
    content["clauses"][0]["text"] = HOSTILE
    owner = await connect_once(server.database.owner)
    try:
        async with owner.transaction():
            done = await publish(owner, read_content(content), reason="A new partner.", by="tests", now=now)
    finally:
        await owner.close()
    assert not isinstance(done, Refused), done


@contextmanager
def _served(api: str) -> Iterator[str]:
    """The page's server, as `npm run consent-centre` starts it after building."""
    command = json.loads((FOLDER / "package.json").read_text())["scripts"]["consent-centre"]
    built, _, serve = command.partition(" && ")
    assert built == "npm run --silent build"
    environment = surroundings(NEEDFUL_URL=api, PORT="0")
    with subprocess.Popen(serve.split(), cwd=FOLDER, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
