"""Random histories of grants, withdrawals, expiries, notices and recipients, judged by product and naive replay.

Each history is written into a real database, in a transaction that is rolled back, and asked about by everybody who
may ask: every cell's effect and reason is compared with what `tests.privacy.naive` says. `now()` stands still.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from app import build_service
from authz.callers import Wanted, find_caller
from authz.compile import Snapshot, compile_ruleset
from authz.default_ruleset import default_content
from authz.law import Law, law_now
from authz.subjects import Subject
from authz.vocabulary import Basis
from ledger.rows import Operation
from models.database import connect_once
from models.global_ids import NodeType, to_global
from models.vocabulary import Category, Purpose, Role, to_bits
from privacy.bundles import BundleName, read_bundle
from resolvers.operations import Request
from resolvers.serving.settings import Settings
from schema.build import build_catalogue, build_schema
from tests.privacy import naive
from tests.privacy.drawing import OF_CLAIM, Drawing
from tests.privacy.happening import Happening, Place
from tests.privacy.naive import Asker, Terms
from vault.blind import audience_id

USER_FIELDS = {
    "name": "name", "idNumber": "government_id", "gender": "demographic", "phone": "phone", "virtualPhone": "relay",
    "email": "email", "address": "address", "bankCard": "bank_account", "occupation": "occupation",
    "healthDeclaration": "health", "nickname": "profile", "username": "account", "tags": "tag",
}  # fmt: skip
CLAIM_FIELDS = {
    "incidentDescription": "incident", "diagnosis": "health", "expenses": "expense", "amountPaid": "financial",
}  # fmt: skip
_PLENTY = 10**6

_PEOPLE = """
SELECT c.id AS claim, c.holder_id, c.insured_id FROM claim c JOIN policy p ON p.id = c.policy_id
WHERE c.status NOT IN ('DRAFT', 'WITHDRAWN') AND p.status = 'IN_FORCE'
ORDER BY (c.holder_id = c.insured_id), c.id
"""
_POLICIES = """
SELECT o.code, p.status, p.starts_on IS NOT NULL AS begun FROM policy p JOIN organization o ON o.id = p.insurer_id
WHERE p.holder_id = $1 OR p.insured_id = $1
"""
_CLAIMS = "SELECT id FROM claim WHERE holder_id = ANY($1) OR insured_id = ANY($1)"
_CASES = f"SELECT id FROM verification_case WHERE person_id = ANY($1) OR claim_id IN ({_CLAIMS})"  # noqa: S608 - our own text
_CLEAN = (
    f"DELETE FROM assignment WHERE verification_case_id IN ({_CASES})",  # noqa: S608 - as above
    "DELETE FROM assignment WHERE rights_request_id IN (SELECT id FROM rights_request WHERE person_id = ANY($1))",
    f"DELETE FROM assignment WHERE claim_id IN ({_CLAIMS})",  # noqa: S608 - as above
    "DELETE FROM verification_case WHERE person_id = ANY($1)",
    "DELETE FROM rights_request WHERE person_id = ANY($1)",
    "DELETE FROM consent WHERE person_id = ANY($1)",
    "DELETE FROM notice_agreement",
    "DELETE FROM impact_assessment",
    "DELETE FROM notice_function",
    "DELETE FROM notice",
)


@dataclass(frozen=True)
class Difference:
    """One cell that the product decides otherwise than the replay."""

    asker: Asker
    cell: tuple[str, str]
    product: naive.Decision | None
    replayed: naive.Decision | None


@dataclass
class _OnePool:
    """A pool of one connection, which stays in its transaction."""

    connection: Any

    @asynccontextmanager
    async def acquire(self, *, timeout: float | None = None) -> Any:  # noqa: ARG002, ASYNC109 - as a pool
        yield self.connection


@dataclass
class _Rules:
    """The rules in force, whichever they are."""

    current: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        assert self.current is not None
        return self.current


@dataclass
class _Recorder:
    """Keeps the latest ledger row, in place of a ledger."""

    rows: list[Operation]

    async def record(self, row: Operation) -> None:
        self.rows[:] = [row]


class Courtroom:
    """A service over one open transaction, and the people of a demo data set whom histories are made up about."""

    def __init__(self, runner: asyncio.Runner, server: Any) -> None:
        self._runner, self.server = runner, server
        self._schema = build_schema()
        catalogue = build_catalogue(self._schema)
        content = default_content()
        budgets = [replace(one, per_hour=_PLENTY, per_day=_PLENTY) for one in content.budgets]
        self._ruleset = replace(content, budgets=tuple(budgets)).ruleset(1, catalogue)
        self._catalogue = catalogue
        self._compiled: dict[Any, Snapshot] = {}
        self._last: Snapshot | None = None
        self._rules = _Rules()
        self._recorder = _Recorder([])
        self.decisions = 0
        self.effects: Counter[str] = Counter()

    def open(self) -> None:
        self._runner.run(self._open())

    async def _open(self) -> None:
        self._connection = await connect_once(self.server.database.owner)
        self._transaction = self._connection.transaction()
        await self._transaction.start()
        self._now: datetime = await self._connection.fetchval("SELECT now()")
        own = partial(connect_once, self.server.database.application)
        settings = Settings(audience_ceiling=_PLENTY)
        service = build_service(
            self.server.installation,
            _OnePool(self._connection),
            settings,
            connect=own,
            rulesets=self._rules,  # type: ignore[arg-type]
        )
        self._own = service.recorder
        self._service = replace(service, recorder=self._recorder)  # type: ignore[arg-type]
        await self._choose_people()
        await self._find_askers()

    def close(self) -> None:
        self._runner.run(self._close())

    async def _close(self) -> None:
        await self._transaction.rollback()
        await self._connection.close()
        await self._own.close()

    async def _choose_people(self) -> None:
        first = (await self._connection.fetch(_PEOPLE))[0]
        others = [first["insured_id"], first["holder_id"]]
        more = await self._connection.fetch(
            "SELECT DISTINCT holder_id FROM policy WHERE status = 'LAPSED' AND holder_id <> ALL($1) ORDER BY 1 LIMIT 1",
            others,
        )
        self._ids: list[UUID] = list(dict.fromkeys([*others, *(one[0] for one in more)]))
        for statement in _CLEAN:
            await self._connection.execute(statement, *([self._ids] if "$1" in statement else []))
        self._claim: UUID = first["claim"]
        people = []
        for person in self._ids:
            rows = await self._connection.fetch(_POLICIES, person)
            policies = tuple(naive.Policy(*row) for row in rows)
            parties = self._ids.index(first["holder_id"]), self._ids.index(first["insured_id"])
            people.append(naive.Known(policies, parties if person == first["insured_id"] else None))
        self.people = tuple(people)

    async def _find_askers(self) -> None:
        insurer = self.people[0].policies[0].insurer
        named = (
            ("risk_analyst", "verification", ("risk01", "risk02"), naive.BROKER),
            ("marketer", "marketing", ("marketer01",), naive.BROKER),
            ("customer_service", "policy_service", ("service01",), naive.BROKER),
            ("privacy_officer", "rights_request", ("privacy01",), naive.BROKER),
            ("affiliate", "verification", ("AF01", "AF02"), "AFFILIATE"),
            ("affiliate", "marketing", ("AF01",), "AFFILIATE"),
            ("service_provider", "verification", ("SP01",), "SERVICE_PROVIDER"),
            ("health_provider", "marketing", ("HP01",), "HEALTH_PROVIDER"),
            ("insurer", "marketing", (insurer,), "INSURER"),
            ("insurer", "policy_service", (insurer,), "INSURER"),
        )
        self.askers = [Asker(role, purpose, name, kind) for role, purpose, names, kind in named for name in names]
        self.subjects: dict[Asker, Subject] = {}
        for one in self.askers:
            partner = one.kind != naive.BROKER
            wanted = Wanted(
                Role(one.role), [Purpose(one.purpose)], to_bits(set(Category)),
                one.name if partner else None, None if partner else one.name,
            )  # fmt: skip
            self.subjects[one] = await find_caller(self._connection, wanted, keyring=self._service.keyring)
        codes = await self._connection.fetch("SELECT code, id FROM organization")
        self._organizations = {row["code"]: row["id"] for row in codes}

    # One history.

    def drawn(self, random: Random, bundle: str) -> list[naive.Event]:
        """A history of these people, by a source of chance."""
        return list(Drawing(random, self.people, self.askers, bundle).events())

    def lost(self, random: Random) -> frozenset[tuple[str, str]]:
        """Now and then, bases that are lawful no more."""
        bases = ((one.purpose, basis) for one in self.askers for basis in ("consent", "contract_open", "request"))
        return frozenset(one for one in sorted(set(bases)) if random.randrange(24) == 0)

    def judge(
        self, history: list[naive.Event], bundle: str, *, lost: frozenset[tuple[str, str]] = frozenset()
    ) -> list[Difference]:
        """Where product and replay differ about a history under a bundle; `lost`: bases taken out of it, by purpose."""
        terms, law = naive.terms_of(bundle), read_bundle(BundleName(bundle)).law
        assert law.bases is not None
        left = {one: bases - {basis for purpose, basis in lost if purpose == one} for one, bases in terms.bases.items()}
        bases = {
            one: found - {Basis(basis) for purpose, basis in lost if purpose == one} for one, found in law.bases.items()
        }
        return self._runner.run(self._judged(history, replace(terms, bases=left), replace(law, bases=bases)))

    def told(
        self, history: list[naive.Event], bundle: str, asker: Asker, document: str
    ) -> tuple[dict[str, Any], Operation]:
        """What an operation is answered after a history, and its ledger row."""
        return self._runner.run(self._told(history, read_bundle(BundleName(bundle)).law, asker, document))

    def global_id(self, person: int) -> str:
        """The id of one of the people."""
        return to_global(NodeType.USER, self._ids[person])

    @asynccontextmanager
    async def _after(self, history: list[naive.Event], law: Law) -> AsyncIterator[None]:
        savepoint = self._connection.transaction()
        await savepoint.start()
        try:
            place = Place(self._ids, self._claim, self._organizations, self._service.keyring)
            await Happening(place, self._connection, self._now).write(history)
            self._rules.current = self._snapshot(await law_now(self._connection, law))
            yield
        finally:
            await savepoint.rollback()

    async def _judged(self, history: list[naive.Event], terms: Terms, law: Law) -> list[Difference]:
        async with self._after(history, law):
            replayed = naive.replay(history, terms, self.people)
            found = []
            for asker in self.askers:
                expected, given = _expected(replayed, asker), await self._asked(asker)
                self.decisions += len(expected)
                self.effects.update(one[0] for one in expected.values())
                found += [
                    Difference(asker, cell, given.get(cell), expected.get(cell))
                    for cell in expected.keys() | given.keys()
                    if given.get(cell) != expected.get(cell)
                ]
            return found

    async def _told(
        self, history: list[naive.Event], law: Law, asker: Asker, document: str
    ) -> tuple[dict[str, Any], Operation]:
        async with self._after(history, law):
            body = await self._answered(asker, document)
            return body, self._recorder.rows[-1]

    def _snapshot(self, law: Law) -> Snapshot:
        key = repr(law)
        if key not in self._compiled:
            if len(self._compiled) > 64:
                self._compiled.clear()
            self._compiled[key] = compile_ruleset(self._ruleset, self._catalogue, before=self._last, law=law)
        self._last = self._compiled[key]
        return self._last

    async def _asked(self, asker: Asker) -> dict[tuple[str, str], naive.Decision]:
        """Effect and reason of every cell that is answered."""
        fields = " ".join(USER_FIELDS)
        parts = [f'p{at}: user(id: "{self._id(asker, person)}") {{ {fields} }}' for at, person in enumerate(self._ids)]
        if asker.role in OF_CLAIM:
            claim = to_global(NodeType.CLAIM, self._claim)
            parts.append(f'claim(id: "{claim}") {{ {" ".join(CLAIM_FIELDS)} }}')
        body = await self._answered(asker, f"{{ {' '.join(parts)} }}")
        reasons = {one["extensions"]["pathPattern"]: one["extensions"]["reason"] for one in body.get("errors", ())}
        found = {}
        for one in body["extensions"]["authorization"]["fields"]:
            where, _, field = one["pathPattern"].partition(".")
            found[where, field] = one["effect"], reasons.get(one["pathPattern"])
        return found

    async def _answered(self, asker: Asker, document: str) -> dict[str, Any]:
        request = Request(document, None, None)
        answer = await self._service.answer(request, self.subjects[asker], Purpose(asker.purpose))
        return dict(answer.body)

    def _id(self, asker: Asker, person: UUID) -> str:
        if asker.purpose != "marketing":
            return to_global(NodeType.USER, person)
        recipient = self._organizations.get(asker.recipient or "")
        return to_global(NodeType.AUDIENCE_USER, audience_id(self._service.keyring, recipient, person))


def _expected(replayed: naive.Replay, asker: Asker) -> dict[tuple[str, str], naive.Decision]:
    found = {}
    for person, known in enumerate(replayed.people):
        if replayed.exists(asker, person):
            for name, category in USER_FIELDS.items():
                found[f"p{person}", name] = replayed.decide(asker, person, category)
        if known.claim and asker.role in OF_CLAIM and replayed.claim_exists(asker, person):
            for name, category in CLAIM_FIELDS.items():
                found["claim", name] = replayed.decide(asker, person, category, of_claim=True)
    return found


@contextmanager
def courtroom(server: Any) -> Iterator[Courtroom]:
    """A room over a server's installation and database; nothing of what happens in it stays."""
    with asyncio.Runner() as runner:
        room = Courtroom(runner, server)
        room.open()
        try:
            yield room
        finally:
            room.close()
