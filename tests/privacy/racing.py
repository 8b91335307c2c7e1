"""Reads that race withdrawals: what each read showed of whom, when it began, and when withdrawals were acknowledged.

All times are this process's monotonic clock, taken before a request is sent and after its answer is read. So a read
that began after an acknowledgement began after it for the server too, whichever of its workers it reaches.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from ledger.bodies import SHOWN, read_body
from models.global_ids import NodeType, to_global
from tests.conftest import GRAPHQL, TLS
from tests.privacy.consenting import HASH, Consenting, Person
from vault.blind import audience_id

KINDS = ("LIST", "NODE", "PAGE")
"""Persons listed for verification; one of them by their id; a page of an audience, from a cursor kept from before."""
AT_ONCE = 8
_LIST = "{ users(first: 100) { edges { node { id name phone } } } }"
_NODE = "query($id: ID!) { node(id: $id) { ... on User { id name phone } } }"
_PAGE = "query($after: String) { users(first: 2, after: $after) { edges { cursor node { id name } } } }"
_GRANT = "mutation($input: GrantConsentInput!) { grantConsent(input: $input) { ... on Consent { id } } }"
_WITHDRAW = "mutation($input: WithdrawConsentInput!) { withdrawConsent(input: $input) { ... on Consent { status } } }"
_BODIES = "SELECT body FROM ledger WHERE (body::jsonb ->> 'decision') = ANY($1::text[])"
_REFERENCES = "SELECT person_id, reference FROM person_reference WHERE person_id = ANY($1::uuid[])"


@dataclass(frozen=True)
class Read:
    """One read: its kind, when it began, whom it showed (by the ids of the kind), and the decision's id."""

    kind: str
    began: float
    shown: frozenset[str]
    decision: str


@dataclass
class Racer:
    """Somebody whose consents are taken back; by kind of read, the id that it would show and when that has to end."""

    who: Person
    token: str
    verification: str
    marketing: str
    ids: dict[str, str]
    after: str | None = None
    """The cursor before their place in the audience."""
    ended: dict[str, float] = field(default_factory=dict)


@dataclass
class Race:
    """Racers, readers and what came of it."""

    found: Consenting
    url: str
    code: str
    random: Random
    tokens: dict[str, str]
    """The readers', by purpose."""
    racers: list[Racer] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)

    async def run(self, *, people: int, reads: int) -> None:
        """Give consents, and take them back one by one while so many reads are made."""
        async with httpx.AsyncClient(timeout=60, verify=TLS) as client:
            for _ in range(people):
                self.racers.append(await self._enter(client))
            await self._take_places(client)
            left = iter(range(reads))
            readers = [self._read_on(client, left) for _ in range(AT_ONCE)]
            await asyncio.gather(self._withdraw_all(client, reads), *readers)

    async def _enter(self, client: httpx.AsyncClient) -> Racer:
        who = await asyncio.to_thread(self.found.somebody)
        token, ids = self.found.of(who), []
        for purpose, categories in (("VERIFICATION", ["NAME", "PHONE"]), ("MARKETING", ["NAME", "TAG"])):
            given = {"purpose": purpose, "categories": categories, "recipient": self.code, "noticeHash": HASH}
            data = await self._ask(client, _GRANT, token, "account_service", input=given)
            ids.append(data["data"]["grantConsent"]["id"])
        (recipient,) = await asyncio.to_thread(
            self.found.rows, "SELECT id FROM organization WHERE code = $1", self.code
        )
        known = to_global(NodeType.AUDIENCE_USER, audience_id(self.found.keyring, recipient["id"], who.person))
        return Racer(who, token, *ids, {"LIST": who.id, "NODE": who.id, "PAGE": known})

    async def _take_places(self, client: httpx.AsyncClient) -> None:
        """Page through the audience once, and keep for each racer the cursor before their place."""
        places = {one.ids["PAGE"]: one for one in self.racers}
        cursors: list[str | None] = [None]
        while True:
            edges = (await self._page(client, cursors[-1]))["data"]["users"]["edges"]
            for edge in edges:
                if edge["node"]["id"] in places:
                    places[edge["node"]["id"]].after = cursors[-1]
                cursors.append(edge["cursor"])
            if not edges:
                return

    async def _read_on(self, client: httpx.AsyncClient, left: Any) -> None:
        for _ in left:
            self.reads.append(await self._read(client, self.random.choice(KINDS), self.random.choice(self.racers)))

    async def _read(self, client: httpx.AsyncClient, kind: str, racer: Racer) -> Read:
        began = time.monotonic()
        if kind == "PAGE":
            answer = await self._page(client, racer.after)
        elif kind == "LIST":
            answer = await self._ask(client, _LIST, self._token("verification"), "verification")
        else:
            answer = await self._ask(client, _NODE, self._token("verification"), "verification", id=racer.ids[kind])
        data = answer["data"]
        nodes = [data["node"]] if kind == "NODE" else [edge["node"] for edge in data["users"]["edges"]]
        shown = frozenset(node["id"] for node in nodes if node and node["name"] is not None)
        return Read(kind, began, shown, answer["extensions"]["authorization"]["decisionId"])

    async def _withdraw_all(self, client: httpx.AsyncClient, reads: int) -> None:
        """One consent after another, spread over the reads; the first after some and the last before some."""
        consents = [(one, kind) for one in self.racers for kind in ("verification", "marketing")]
        self.random.shuffle(consents)
        for place, (racer, kind) in enumerate(consents, start=1):
            await self._read_so_many(reads * place / (len(consents) + 2))
            answer = await self._ask(
                client, _WITHDRAW, racer.token, "account_service", input={"id": getattr(racer, kind)}
            )
            acknowledged = time.monotonic()
            assert answer["data"]["withdrawConsent"] == {"status": "WITHDRAWN"}, answer
            racer.ended |= dict.fromkeys(("PAGE",) if kind == "marketing" else ("LIST", "NODE"), acknowledged)
            # Whatever the readers are at, somebody looks at once.
            self.reads += await asyncio.gather(*(self._read(client, one, racer) for one in KINDS))

    async def _read_so_many(self, reads: float) -> None:
        while len(self.reads) < reads:  # noqa: ASYNC110 - some readers are always about to be answered
            await asyncio.sleep(0.001)

    async def _page(self, client: httpx.AsyncClient, after: str | None) -> Any:
        return await self._ask(client, _PAGE, self._token("marketing"), "marketing", after=after)

    def _token(self, purpose: str) -> str:
        return self.tokens[purpose]

    async def _ask(self, client: httpx.AsyncClient, document: str, token: str, purpose: str, **variables: Any) -> Any:
        headers = {"Accept": GRAPHQL, "Authorization": f"Bearer {token}", "X-Purpose": purpose}
        sent = {"query": document, "variables": variables}
        response = await client.post(f"{self.url}/graphql", json=sent, headers=headers)
        assert response.status_code == 200, response.text
        return response.json()

    # What came of it.

    def late(self) -> list[tuple[str, str, float]]:
        """Reads that began after an acknowledgement and showed that person: kind, decision, seconds after it."""
        return [
            (read.kind, read.decision, read.began - racer.ended[read.kind])
            for read in self.reads
            for racer in self.racers
            if racer.ids[read.kind] in read.shown and read.began > racer.ended[read.kind]
        ]

    def late_by_ledger(self) -> list[tuple[str, str]]:
        """The same, recomputed from what the ledger says was shown of whom; of answers it knows the decision alone."""
        people = [one.who.person for one in self.racers]
        references = {row["person_id"]: row["reference"] for row in self.found.rows(_REFERENCES, people)}
        rows = self.found.rows(_BODIES, [read.decision for read in self.reads])
        shown: dict[str, set[Any]] = {}
        for row in rows:
            said = read_body(row["body"])
            whom = {who for entry in said.entries if entry.effect in SHOWN for who, _ in entry.of}
            shown.setdefault(str(said.decision), set()).update(whom)
        assert set(shown) == {read.decision for read in self.reads}, "every read has its row"
        return [
            (read.kind, read.decision)
            for read in self.reads
            for racer in self.racers
            if references[racer.who.person] in shown[read.decision] and read.began > racer.ended[read.kind]
        ]

    def counts(self) -> dict[str, Counter[str]]:
        """By kind, how many reads showed a racer, and how many began after somebody's consent was taken back."""
        shown, after = Counter[str](), Counter[str]()
        for read in self.reads:
            shown[read.kind] += any(racer.ids[read.kind] in read.shown for racer in self.racers)
            after[read.kind] += any(read.began > racer.ended[read.kind] for racer in self.racers)
        return {"shown": shown, "after": after}
