"""How long does the impact of a draft take? Rows of the ledger decided anew under two rulesets, on one core.

`python -m bench.impact --rows 100000` fills the ledger of a data directory of its own with rows such as a busy month
leaves, of some dozens of askers and situations and many persons, and times the owner's impact and, sealed and indexed,
the application's.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from authz.default_ruleset import default_content
from authz.rules import Rule
from authz.ruleset_store import Content
from authz.situations import pair_bit
from authz.vocabulary import Action, Basis, Relation
from authz.workbench.impact import Impact, Plans, impact, sealed_impact
from bench.ledger import index, seal
from ledger.append import ADD
from ledger.rows import Entry, Kind, Operation, body_of
from models.database import connect_once
from models.embedded import Database, database
from models.installation import open_installation
from models.person_references import BITS
from models.vocabulary import Category, Purpose, Role, to_bits
from privacy.bring_up import bring_up
from resolvers.impacts import sides_of
from schema.build import build_catalogue, build_schema

DAYS = 30
GROUP = 1_000
PEOPLE = 20_000
INSURERS = 12
_EVERY = to_bits(set(Category))

_OPEN, _CLOSED = (pair_bit(Relation.UNDERWRITER, basis) for basis in (Basis.CONTRACT_OPEN, Basis.NONE))
_MINE = pair_bit(Relation.ASSIGNED, Basis.CONTRACT_OPEN)
_ACTS: tuple[tuple[Role, Purpose, tuple[int, ...]], ...] = (
    (Role.INSURER, Purpose.CLAIM_HANDLING, (_OPEN, _CLOSED, _OPEN | _CLOSED)),
    (Role.INSURER, Purpose.POLICY_SERVICE, (_OPEN, _CLOSED)),
    (Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING, (_MINE, 1, 0)),
    (Role.CUSTOMER_SERVICE, Purpose.POLICY_SERVICE, (2, 0)),
    (Role.CUSTOMER, Purpose.ACCOUNT_SERVICE, (pair_bit(Relation.SELF, Basis.NONE),)),
)
_PERSON = (("User.name",), ("User.idNumber", "User.bankCard"), ("User.phone", "User.email", "User.address"))
_CLAIM = (("Claim.diagnosis",), ("Claim.hospital", "Claim.amountClaimed"))


class Draws:
    """Operations that look like those of a brokerage; the same each time."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same rows each time
        self.people = [self._uuid() for _ in range(PEOPLE)]
        self.references = {person: self._random.getrandbits(BITS) for person in self.people}
        self.insurers = [self._uuid() for _ in range(INSURERS)]

    def _uuid(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    def operation(self, at: datetime) -> Operation:
        """A read about one person, or in every fourth case a page of twenty."""
        draw = self._random
        role, purpose, situations = draw.choice(_ACTS)
        count = 20 if draw.random() < 0.25 else 1
        persons = tuple(draw.sample(self.people, count))
        held = draw.sample(situations, draw.randint(1, min(len(situations), count)))
        groups = [tuple(range(place, count, len(held))) for place in range(len(held))]
        coordinates = (*_PERSON, *_CLAIM) if purpose == Purpose.CLAIM_HANDLING else _PERSON
        entries = [
            Entry(names, "MASK", None, situation, place)
            for place, situation in enumerate(held)
            for names in draw.sample(coordinates, draw.randint(1, len(coordinates)))
        ]
        return Operation(
            kind=Kind.READ,
            decision=self._uuid(),
            at=at,
            role=role,
            organization=draw.choice(self.insurers) if role == Role.INSURER else None,
            account=None if role == Role.INSURER else draw.choice(self.insurers),
            token=f"{draw.getrandbits(128):032x}",
            purpose=purpose,
            operation_hash=f"{draw.getrandbits(256):064x}",
            operation_name="Look",
            ruleset=1,
            digest="d" * 64,
            scope={"categories": _EVERY},
            persons=persons,
            records=tuple(f"c{self._uuid().hex}" for _ in persons),
            groups=tuple((places, places) for places in groups),
            entries=entries,
        )


def changed() -> Content:
    """The default rules, with an insurer shown all of an ID number after a claim is closed, and less of a name."""
    given = default_content()
    rules = map(_changed, given.rules)
    return replace(given, rules=tuple(one for one in rules if one is not None))


def _changed(rule: Rule) -> Rule | None:
    insurer = rule.role == Role.INSURER and rule.purpose == Purpose.CLAIM_HANDLING
    if insurer and rule.object == Category.GOVERNMENT_ID and rule.action == Action.MASK:
        return replace(rule, action=Action.REVEAL)
    if rule.role == Role.CUSTOMER_SERVICE and rule.object == Category.NAME and rule.action == Action.REVEAL:
        return None
    return rule


async def fill(found: Database, rows: int, now: datetime) -> float:
    """Write the rows as one writer; bytes a row."""
    draws, begin = Draws(7), now - timedelta(days=DAYS)
    owner = await connect_once(found.owner)
    await owner.execute("SELECT ledger_partitions($1, $2)", begin.date(), 3)
    await owner.close()
    connection = await connect_once(found.application)
    writer, step, size = UUID(int=7), timedelta(days=DAYS) / (rows + 1), 0
    for start in range(0, rows, GROUP):
        made = [draws.operation(begin + step * (place + 1)) for place in range(start, min(rows, start + GROUP))]
        bodies = [body_of(one, draws.references.__getitem__) for one in made]
        await connection.execute(ADD, writer, [one.at for one in made], bodies)
        size += sum(map(len, bodies))
    await connection.close()
    return size / rows


@asynccontextmanager
async def held() -> AsyncIterator[list[float]]:
    """For how long, in seconds, others on the loop had to wait for their turn while the block ran."""
    longest = [0.0]

    async def wait() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0)
            longest.append(time.perf_counter() - begun)

    task = asyncio.create_task(wait())
    try:
        yield longest
    finally:
        task.cancel()


async def measure(folder: Path, rows: int) -> dict[str, Any]:
    """Fill, and ask twice: as the owner, and as the application once all is sealed."""
    installation = open_installation({"NEEDFUL_DATA": str(folder / "data")})
    now = datetime.now(UTC)
    catalogue = build_catalogue(build_schema())

    async def no_plans(_: object) -> Plans:
        return Plans(0, (), ())

    with database(installation) as found:
        await bring_up(found, now=now)
        size = await fill(found, rows, now)
        owner = await connect_once(found.owner)
        application = await connect_once(found.application)
        try:
            asked = {"days": DAYS, "now": now, "plan": no_plans}
            sides = await sides_of(owner, changed(), catalogue, now=now)
            begun, cpu = time.perf_counter(), time.process_time()
            made: Impact = await impact(owner, sides, **asked)
            times = [time.perf_counter() - begun, time.process_time() - cpu]
            await seal(owner, installation)
            await index(owner)
            await owner.execute("ANALYZE")
            sides = await sides_of(owner, changed(), catalogue, now=now)
            begun = time.perf_counter()
            async with held() as longest:
                sealed = await sealed_impact(application.fetch, sides, **asked, most=rows)
            sealed_seconds = time.perf_counter() - begun
        finally:
            await owner.close()
            await application.close()
    assert sealed.changes == made.changes, "the application is told something else than the owner"
    return {
        "rows": made.operations,
        "bytes": size,
        "seconds": times[0],
        "cpu": times[1],
        "sealed": sealed_seconds,
        "held": max(longest),
        "changes": len(made.changes),
        "sentences": made.sentences(),
    }


def table(result: dict[str, Any]) -> str:
    """The result in words."""
    return "\n".join(
        [
            f"{result['rows']} recorded operations of {result['bytes']:.0f} bytes decided anew under two rulesets:",
            f"as the owner {result['seconds']:.1f} s ({result['cpu']:.1f} s of it this process);",
            f"as the application over sealed rows {result['sealed']:.1f} s;",
            f"nobody else on its loop waited longer than {result['held'] * 1000:.0f} ms:",
            *(f"  {sentence}" for sentence in result["sentences"]),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(measure(Path(folder), arguments.rows))
    print(json.dumps(result) if arguments.json else table(result))


if __name__ == "__main__":
    main()
