"""What does the ledger cost to keep and to ask? Rows written, sealed and indexed; proofs, histories and records.

`python -m bench.ledger --rows 1000000` fills the ledger of a data directory of its own through the statement that the
server's recorder uses, seals it with the server's sealer, and asks as the application's role does. Persons are drawn
unevenly: some are in many rows.
"""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from authz.compile import Snapshot, compile_ruleset
from authz.default_ruleset import default_content
from authz.subjects import Subject
from ledger import tree
from ledger.append import ADD
from ledger.head_keys import HeadKey
from ledger.heads import SecondPlace
from ledger.index import index_some
from ledger.proofs import leaf_of
from ledger.rows import Entry, Kind, Operation, Outcome, body_of
from ledger.sealer import Sealer, last_head
from ledger.searches import Fetch
from models.database import connect, connect_once
from models.embedded import Database, database
from models.installation import Installation, open_installation
from models.migrating import migrate
from models.person_references import BITS
from models.vocabulary import Category, Purpose, Role, to_bits
from privacy.bundles import BundleName, read_bundle
from resolvers.access_history import access_history
from resolvers.access_records import access_records
from resolvers.asides import Asked, Question
from schema.build import build_catalogue, build_schema
from vault.keyring import Keyring, load_or_create

GROUP = 100
"""Rows a commit: what a busy recorder's rows share."""
ROWS_PER_PERSON = 20
SKEW = 4.0
PAGE = 50
LIST = 20
"""Persons of a row about a list."""
DAYS = 60
HOTTEST = 20

_ACTS = (
    (Role.INSURER, Purpose.POLICY_SERVICE),
    (Role.INSURER, Purpose.CLAIM_HANDLING),
    (Role.CUSTOMER_SERVICE, Purpose.POLICY_SERVICE),
    (Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING),
    (Role.CUSTOMER, Purpose.ACCOUNT_SERVICE),
    (Role.MARKETER, Purpose.MARKETING),
    (Role.LOSS_ADJUSTER, Purpose.CLAIM_HANDLING),
)
_PERSONS = ("User.name", "User.idNumber", "User.phone", "User.email", "User.address")
_CLAIMS = ("Claim.diagnosis", "Claim.hospital", "Claim.amountClaimed", "Claim.bankCard")
_WARM = 50

Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class World:
    """Who stands in the ledger: people with their references, and partners."""

    draws: random.Random
    people: Sequence[UUID]
    references: dict[UUID, int]
    organizations: Sequence[UUID]

    @classmethod
    def of(cls, people: int, draws: random.Random) -> "World":
        """A world of so many people."""
        ids = [UUID(int=draws.getrandbits(128), version=4) for _ in range(people)]
        references = dict(zip(ids, (draws.getrandbits(BITS) for _ in ids), strict=True))
        return cls(draws, ids, references, [UUID(int=draws.getrandbits(128), version=4) for _ in range(12)])

    def person(self) -> UUID:
        """Somebody; the first far more often than the last."""
        return self.people[int(len(self.people) * self.draws.random() ** SKEW)]

    def uuid(self) -> UUID:
        """Any id."""
        return UUID(int=self.draws.getrandbits(128), version=4)

    def operation(self, at: datetime) -> Operation:
        """A read about one person or a page of them; now and then a refusal."""
        role, purpose = self.draws.choice(_ACTS)
        told = {
            "decision": self.uuid(),
            "at": at,
            "role": role,
            "purpose": purpose,
            "organization": self.draws.choice(self.organizations) if role == Role.INSURER else None,
            "account": self.organizations[0] if role == Role.CUSTOMER_SERVICE else None,
            "token": f"{self.draws.getrandbits(128):032x}",
            "operation_hash": f"{self.draws.getrandbits(256):064x}",
            "operation_name": "Look",
            "ruleset": 1,
            "digest": "d" * 64,
            "scope": {"categories": 131071},
        }
        if self.draws.random() < 0.05:
            return Operation(Kind.REFUSAL, outcome=Outcome.REFUSED, code="FIELD_DENIED", **told)
        count = LIST if self.draws.random() < 0.25 else 1
        persons = tuple({self.person() for _ in range(count)})
        records = tuple(f"p{self.uuid().hex}" for _ in persons)
        places = tuple(range(len(persons)))
        entries = [Entry(_PERSONS[:2], "REVEAL", None, 65, 0), Entry(_PERSONS[2:], "MASK", None, 65, 0)]
        if purpose == Purpose.CLAIM_HANDLING:
            entries.append(Entry(_CLAIMS, "DENY", "BASIS", 65, 0))
        return Operation(
            Kind.READ, persons=persons, records=records, groups=((places, places),), entries=entries, **told
        )


async def fill(found: Database, world: World, rows: int, now: datetime) -> dict[str, float]:
    """Write the rows as one writer; what that took."""
    begin = now - timedelta(days=DAYS)
    owner = await connect_once(found.owner)
    await owner.execute("SELECT ledger_partitions($1, $2)", begin.date(), 4)
    await owner.copy_records_to_table("person_reference", records=list(world.references.items()))
    await owner.close()
    writer, step, size, spent = world.uuid(), timedelta(days=DAYS) / rows, 0, 0.0
    connection = await connect_once(found.application)
    await connection.execute("SET synchronous_commit = on")
    for start in range(0, rows, GROUP):
        made = [world.operation(begin + step * place) for place in range(start, min(rows, start + GROUP))]
        begun = time.perf_counter()
        bodies = [body_of(one, world.references.__getitem__) for one in made]
        await connection.execute(ADD, writer, [one.at for one in made], bodies)
        spent += time.perf_counter() - begun
        size += sum(map(len, bodies))
    await connection.close()
    return {"rate": rows / spent, "bytes": size / rows}


async def seal(owner: asyncpg.Connection, installation: Installation) -> float:
    """Seal every row under signed heads, the second place written too; rows a second."""

    def refuse(code: str, **detail: object) -> None:
        message = f"the sealer sounds {code}: {detail}"
        raise RuntimeError(message)

    HeadKey.load_or_create(installation.ledger_key_path, demo=True)
    place = SecondPlace(installation.ledger_heads_path)
    sealer = Sealer(owner, installation.ledger_key_path, place, refuse, lambda: datetime.now(UTC))
    begun = time.perf_counter()
    rows = await sealer.seal()
    return rows / (time.perf_counter() - begun)


def proofs(pool: asyncpg.Pool, size: int, count: int, draws: random.Random) -> Iterator[Work]:
    """A row's place and its path to the head's root, as `/ledger/inclusion` gives them; each path is checked."""

    async def work() -> None:
        index = draws.randrange(size)
        head, leaf = await last_head(pool), await leaf_of(pool, index, size=size)
        if head is None or not tree.includes(leaf.hash, index, size, leaf.path, head.root):
            message = f"row {index} is not proven"
            raise RuntimeError(message)

    return (work for _ in range(count))


async def index(owner: asyncpg.Connection) -> float:
    """Index every leaf; rows a second."""
    begun, rows = time.perf_counter(), 0
    while some := await index_some(owner):
        rows += some
    return rows / (time.perf_counter() - begun)


async def timed(works: Iterable[Work]) -> dict[str, float]:
    """Milliseconds of each piece of work, the first few left out: median, 99th percentile, longest."""
    took = []
    for work in works:
        begun = time.perf_counter()
        await work()
        took.append((time.perf_counter() - begun) * 1_000)
    took = sorted(took[_WARM:])
    return {"count": len(took), "p50": statistics.median(took), "p99": took[int(len(took) * 0.99)], "max": took[-1]}


_EVERY = to_bits(set(Category))


@dataclass(frozen=True, slots=True)
class Desk:
    """Whoever asks, as the application's role."""

    fetch: Fetch
    keyring: Keyring
    snapshot: Snapshot
    world: World

    def question(self, subject: Subject, arguments: dict[str, object]) -> Question:
        """A field with these arguments, a page of fifty."""
        (purpose,) = subject.purposes
        given = {"first": PAGE, **arguments}
        reading = self.keyring, self.snapshot, datetime.now(UTC), read_bundle(BundleName.SEED)
        return Question(self.fetch, subject, purpose, (), *reading, given, Asked("", ()))


def histories(desk: Desk, people: Iterable[UUID]) -> Iterator[Work]:
    """The newest fifty accesses of each, as `User.accessHistory` answers; and of every tenth the fifty before."""

    def ask(person: UUID, *, on: bool) -> Work:
        async def work() -> None:
            subject = Subject(Role.CUSTOMER, (Purpose.ACCOUNT_SERVICE,), _EVERY, "bench", person=person)
            page = (await access_history(desk.question(subject, after), [person]))[person]
            after["after"] = page["pageInfo"]["endCursor"] if on else None

        after: dict[str, object] = {}
        return work

    for place, person in enumerate(people):
        work = ask(person, on=place % 10 == 0)
        yield work
        if place % 10 == 0:
            yield work


def searches(desk: Desk, count: int, now: datetime) -> Iterator[Work]:
    """Pages of `accessRecords` by all that auditors can filter by."""
    subject = Subject(Role.AUDITOR, (Purpose.ADMINISTRATION,), _EVERY, "bench")
    day = {"from": now - timedelta(days=30), "to": now - timedelta(days=29)}
    world = desk.world
    kinds: list[Callable[[], dict[str, object]]] = [
        dict,
        lambda: {"role": world.draws.choice(_ACTS)[0].value},
        lambda: {"purpose": world.draws.choice(_ACTS)[1].name},
        lambda: {"coordinate": world.draws.choice(_PERSONS + _CLAIMS)},
        lambda: {"person": str(world.references[world.draws.choice(world.people)])},
        lambda: {"person": str(world.references[world.people[0]]), "role": "marketer"},
        lambda: {"kind": "REFUSAL"},
        lambda: {**day, "role": world.draws.choice(_ACTS)[0].value},
        lambda: {**day, "coordinate": "Claim.diagnosis", "purpose": "CLAIM_HANDLING"},
    ]

    def ask(given: dict[str, object]) -> Work:
        return lambda: access_records(desk.question(subject, given))

    for place in range(count):
        yield ask(kinds[place % len(kinds)]())


async def measure(folder: Path, rows: int, asked: int) -> dict[str, Any]:
    """Fill, seal, index, ask."""
    installation = open_installation({"NEEDFUL_DATA": str(folder / "data")})
    now = datetime.now(UTC)
    world = World.of(max(50, rows // ROWS_PER_PERSON), random.Random(7))  # noqa: S311 - the same rows each time
    with database(installation) as found:
        await migrate(found)
        keyring = load_or_create(installation.keyring_path, demo=True)
        append = await fill(found, world, rows, now)
        owner = await connect_once(found.owner)
        try:
            sealed = await seal(owner, installation)
            indexed = await index(owner)
            await owner.execute("ANALYZE")
        finally:
            await owner.close()
        async with connect(found.application, shared=False) as pool:
            catalogue = build_catalogue(build_schema())
            snapshot = compile_ruleset(default_content().ruleset(1, catalogue), catalogue)
            desk = Desk(pool.fetch, keyring, snapshot, world)
            # Half of them are drawn as persons are met in rows, so that the hot are asked about too.
            people = [*world.people[:HOTTEST], *(world.person() for _ in range(asked // 2))]
            people += [world.draws.choice(world.people) for _ in range(asked - len(people))]
            world.draws.shuffle(people)
            hottest = await pool.fetchval(
                "SELECT sum(cardinality(indexes)) FROM ledger_access WHERE reference = $1",
                world.references[world.people[0]],
            )
            return {
                "rows": rows,
                "people": len(world.people),
                "hottest": int(hottest),
                "append": append,
                "sealed": sealed,
                "indexed": indexed,
                "proof": await timed(proofs(pool, rows, asked, world.draws)),
                "history": await timed(histories(desk, people)),
                "hottest history": await timed(histories(desk, world.people[:HOTTEST] * 10)),
                "records": await timed(searches(desk, asked, now)),
            }


def table(result: dict[str, Any]) -> str:
    """The result in words."""
    asked = "\n".join(
        f"| {name} | {result[key]['p50']:.1f} | {result[key]['p99']:.1f} | {result[key]['max']:.1f} |"
        for name, key in (
            ("proof that a row is in the head's tree", "proof"),
            ("history of one person, a page of 50", "history"),
            (f"the same of the {HOTTEST} persons in most rows", "hottest history"),
            ("accessRecords, a page of 50 by one filter or another", "records"),
        )
    )
    hottest = f"{result['people']} persons, the one in most of them in {result['hottest']}"
    return f"""{result["rows"]} rows of {result["append"]["bytes"]:.0f} bytes about {hottest}

| | rows/s |
|---|---|
| append, {GROUP} rows a commit, one writer | {result["append"]["rate"]:.0f} |
| seal, with signed heads and the second place | {result["sealed"]:.0f} |
| index | {result["indexed"]:.0f} |

| ms | p50 | p99 | max |
|---|---|---|---|
{asked}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--asked", type=int, default=2_000, help="histories and searches asked for")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(measure(Path(folder), arguments.rows, arguments.asked))
    print(json.dumps(result) if arguments.json else table(result))


if __name__ == "__main__":
    main()
