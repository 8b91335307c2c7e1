"""Publications under load: rulesets whose number can be told from any answer, clients that ask, and what came of it.

Under an even ruleset a claims handler is revealed every name, under an odd one every name is masked: an answer that
mixes versions shows both.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from authz import ruleset_store
from authz.default_ruleset import default_content
from authz.replay import Replayers
from authz.rules import Budget, Rule
from authz.ruleset_store import Content
from authz.rulesets import Everywhere, wait_everywhere
from authz.vocabulary import ANY, Action, RuleEffect
from bench.rules import publish
from models.database import connect_once
from models.embedded import database
from models.installation import open_installation
from models.vocabulary import Purpose, Role
from schema.build import build_catalogue, build_schema
from tests.conftest import GRAPHQL, TLS, Server, running_server
from tests.recorded import ALL, said

NAMES = "{ claims(first: 5) { edges { node { policy { policyholder { name } insured { name } } } } } }"
PLACE = Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING
WORKERS = 4
CATALOGUE = build_catalogue(build_schema())
_FAULTS = (httpx.TransportError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


def told_apart(number: int) -> Content:
    """The default rules, but that every name is revealed to a claims handler, or none: by the number."""
    given = default_content()
    effect = RuleEffect.DENY if number % 2 else RuleEffect.ALLOW
    rule = Rule(effect, *PLACE, ANY, ANY, Action.REVEAL, "User.name", "C55")
    plenty = Budget(*PLACE, 999_999_999, 999_999_999, "C55")
    budgets = tuple(plenty if (one.role, one.purpose) == PLACE else one for one in given.budgets)
    return replace(given, rules=(*given.rules, rule), budgets=budgets)


@dataclass(frozen=True, slots=True)
class Published:
    """One publication: when it was committed, and when it returned, in seconds; and who had confirmed it by then."""

    number: int
    committed: float
    returned: float
    everywhere: Everywhere


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: which ruleset it names, which effects it has, and which had returned when it was asked for."""

    sent: float
    received: float
    """Both in seconds of the wall's clock."""
    status: int
    least: int
    ruleset: int | None = None
    effects: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    decision: str = ""

    def within(self, begin: float, end: float) -> bool:
        """Was it asked for and given between two moments?"""
        return begin <= self.sent and self.received < end


@dataclass
class Publishing:
    """A server of several workers, and what has been published to it and asked of it."""

    server: Server
    process: psutil.Process
    token: str
    publications: list[Published] = field(default_factory=list)
    answers: list[Answered] = field(default_factory=list)
    by_number: set[int] = field(default_factory=set)
    """Rulesets whose number can be told from an answer."""
    returned: int = 0
    stopping: bool = False

    @property
    def address(self) -> str:
        return self.server.url.removesuffix("/graphql")

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def workers(self) -> list[psutil.Process]:
        """The serving processes."""
        return [one for one in self.process.children() if any("spawn_main" in part for part in one.cmdline())]

    def postgres(self) -> psutil.Process:
        """The database's first process."""
        return next(one for one in self.process.children() if one.name() == "postgres")

    @asynccontextmanager
    async def connected(self):
        connection = await connect_once(self.server.database.application)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def connected_as_owner(self):
        connection = await connect_once(self.server.database.owner)
        try:
            yield connection
        finally:
            await connection.close()

    async def publish(self, connection: Any, content: Content | None = None) -> Published:
        """Publish and wait for every worker, as whoever publishes does."""
        parent = await ruleset_store.latest(connection)
        number = await publish(connection, content or told_apart(parent + 1), parent=parent)
        if content is None:
            self.by_number.add(number)
        committed = time.monotonic()
        everywhere = await wait_everywhere(connection, number)
        self.returned = max(self.returned, number)
        found = Published(number, committed, time.monotonic(), everywhere)
        self.publications.append(found)
        return found

    async def publish_for(self, seconds: float, *, times: int) -> None:
        """Publish so often in so many seconds, as two who get in each other's way."""
        begun = time.monotonic()
        moments = iter([begun + place * seconds / times for place in range(times)])

        async def one() -> None:
            async with self.connected() as connection:
                for moment in moments:
                    await asyncio.sleep(max(0.0, moment - time.monotonic()))
                    while not await self._published(connection):
                        pass

        await asyncio.gather(one(), one())

    async def _published(self, connection: Any) -> bool:
        try:
            await self.publish(connection)
        except ruleset_store.StaleError:
            return False
        return True

    async def ask(self, client: httpx.AsyncClient, **headers: str) -> Answered:
        """Ask once; whatever cannot be had is an answer of status 0."""
        least, sent = self.returned, time.time()
        try:
            response = await client.post(
                self.server.url,
                json={"query": NAMES},
                headers={"Authorization": f"Bearer {self.token}", "Accept": GRAPHQL, **headers},
            )
        except httpx.TransportError:
            return Answered(sent, time.time(), 0, least)
        received = time.time()
        authorization = response.json().get("extensions", {}).get("authorization")
        if authorization is None:
            return Answered(sent, received, response.status_code, least)
        effects = frozenset(one["effect"] for one in authorization["fields"])
        reasons = frozenset(one["extensions"]["reason"] for one in response.json().get("errors", ()))
        decision = authorization["decisionId"]
        known = authorization["ruleset"], effects, reasons, decision
        return Answered(sent, received, response.status_code, least, *known)

    async def load(self, *, clients: int = 6) -> None:
        """Ask, until told to stop, over connections that are given up now and then: every worker gets its share."""
        self.stopping = False
        await asyncio.gather(*(self._client() for _ in range(clients)))

    async def _client(self) -> None:
        while not self.stopping:
            async with httpx.AsyncClient(timeout=30, verify=TLS) as client:
                last = 0
                for _ in range(20):
                    if not self.stopping:
                        answer = await self.ask(client)
                        self.answers.append(answer)
                        # One connection is one worker's.
                        assert (answer.ruleset or last) >= last, "a worker has gone back to an earlier ruleset"
                        last = answer.ruleset or last

    async def beside_load(self, work: Any) -> None:
        """Do something while clients ask."""
        asking = asyncio.create_task(self.load())
        try:
            await work
        finally:
            self.stopping = True
            await asking

    async def over_new_connections(self, times: int = 24) -> list[Answered]:
        """Answers over as many connections, made anew: of every worker, as good as certain."""

        async def once() -> Answered:
            async with httpx.AsyncClient(timeout=30, verify=TLS) as client:
                return await self.ask(client)

        found = [answer for _ in range(times // 8) for answer in await asyncio.gather(*(once() for _ in range(8)))]
        self.answers += found
        return found

    def mixed(self, one: Answered) -> bool:
        """Does an answer show what the ruleset that it names does not?"""
        shown = {"MASK"} if one.ruleset % 2 else {"REVEAL"}
        return one.ruleset in self.by_number and not one.effects - {"DENY"} <= shown

    async def check(self) -> dict[str, int]:
        """Compare what was answered with the ledger, and each row with the ruleset that it names."""
        answers = [one for one in self.answers if one.status == 200]
        assert [one for one in answers if self.mixed(one)] == []
        complete = {one.number: one for one in self.publications if one.everywhere.complete}
        late = [one for one in answers if one.ruleset < one.least and one.least in complete]
        assert late == [], "asked for after a publication had returned, answered by an earlier one"
        asked = {one.decision: one for one in answers}
        decisions = differences = 0
        async with self.connected_as_owner() as connection:
            replayers = Replayers(connection, CATALOGUE)
            for body in said(await connection.fetch(ALL)):
                if body["kind"] != "READ" or not body.get("entries"):
                    continue
                replayer = await replayers.of(body)
                assert replayer is not None, "a row of a ruleset that nobody knows"
                found = list(replayer.replay(body))
                decisions += len(found)
                differences += sum(not one.equal for one in found)
                answer = asked.pop(body["decision"], None)
                assert answer is None or answer.ruleset == body["ruleset"]
        assert (differences, asked) == (0, {}), "rows that say otherwise, and answers without a row"
        named = {one.ruleset for one in answers} & {one.number for one in self.publications}
        return {"answers": len(answers), "by them": len(named), "decisions": decisions}


def percentiles(publications: list[Published]) -> str:
    """Of the seconds from a publication's commit until every worker had confirmed it, in milliseconds."""
    took = sorted(1000 * (one.returned - one.committed) for one in publications)
    parts = ", ".join(f"p{part} {took[min(len(took) - 1, len(took) * part // 100)]:.0f}" for part in (50, 90, 99))
    return f"{len(took)} publications live everywhere within {parts}, at most {took[-1]:.0f} ms"


@contextmanager
def a_server_to_publish_to(folder: Path, prepared: Any) -> Iterator[Publishing]:
    """A server of four workers with data of its own."""
    data_dir, plaintext, log = folder / "data", folder / "plain.jsonl", folder / "server.log"
    prepared.demo(data_dir, 60, plaintext=plaintext)
    running = running_server(data_dir, log, "--workers", str(WORKERS))
    with ExitStack() as stack:
        url = stack.enter_context(running)
        installation = open_installation({**os.environ, "NEEDFUL_DATA": str(data_dir)})
        found = stack.enter_context(database(installation))
        client = stack.enter_context(httpx.Client(timeout=30))
        server = Server(f"{url}/graphql", data_dir, plaintext, log, installation, found, client)
        token = server.token(PLACE[0], purposes=[PLACE[1]])
        yield Publishing(server, psutil.Process(running.process.pid), token)
