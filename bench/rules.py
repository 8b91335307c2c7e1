"""What do 30,000 rules cost? Decisions per cell beside 30 rules, a publication, and how long others wait meanwhile.

`python -m bench.rules` makes its own data directory. What decides is measured in real operations within one process:
the same question under few rules and under many, by turns, in processor time. Rules differ in what they say, not in
what this question is answered.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from app import build_service, spare_the_collector
from authz import ruleset_store
from authz.callers import Wanted, find_caller
from authz.catalogue import Catalogue
from authz.compile import compile_ruleset
from authz.default_ruleset import default_content
from authz.rules import Rule
from authz.ruleset_store import Content
from authz.rulesets import Rulesets
from authz.subjects import Subject
from authz.tokens import utc_now
from authz.vocabulary import Action, Basis, Relation, RuleEffect
from ledger.rows import Kind, Operation
from models.database import connect, connect_once
from models.demo.load import load_demo
from models.embedded import database
from models.installation import Installation, open_installation
from models.rulesets import RulesetKind
from models.vocabulary import Category, Purpose, Role, to_bits
from privacy.bring_up import bring_up
from resolvers.operations import Request, Service
from resolvers.serving.settings import Settings
from schema.build import build_catalogue, build_schema
from vault.keyring import load_or_create

FEW, MANY = 30, 30_000
AIM = 1.10
"""The cost of a cell under many rules over that under few, at most."""
PLACE = Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING
QUESTION = """{ claims(first: 100) { edges { node {
  diagnosis bankCard amountClaimed policy { premium policyholder { name phone idNumber email } }
} } } }"""
_ASKED_AT_ONCE = 5
_TOLD_APART = (Basis.CONTRACT_OPEN, Basis.NONE)
_TICK_SECONDS = 0.001


def few_rules(count: int = FEW) -> Content:
    """Rules that answer the question, and as many others as make up the number."""
    given = default_content()
    asked = [rule for rule in given.rules if (rule.role, rule.purpose) == PLACE]
    others = [rule for rule in given.rules if rule not in asked]
    return replace(given, rules=tuple((asked + others)[:count]))


def many_rules(given: Content, catalogue: Catalogue, count: int = MANY) -> Content:
    """The same and so many more, of every role and purpose and in the asked one's slice, none about these answers."""
    rules = dict.fromkeys(given.rules)
    for rule in itertools.islice(_unrelated(catalogue), count):
        if len(rules) == count:
            break
        rules[rule] = None
    return replace(given, rules=tuple(rules))


def _unrelated(catalogue: Catalogue) -> Iterator[Rule]:
    pairs = itertools.product(Relation, Basis)
    for name, (relation, basis), role, purpose in itertools.product(catalogue, tuple(pairs), Role, Purpose):
        # What its slice tells apart stays as it is: other relations and bases would be other statements.
        if (role, purpose) != PLACE or (relation is Relation.ASSIGNED and basis in _TOLD_APART):
            yield Rule(RuleEffect.ALLOW, role, purpose, relation.value, basis.value, Action.FILTER, name, "C24")


def one_changed(given: Content) -> Content:
    """The same but for one row."""
    *others, last = given.rules
    return replace(given, rules=(*others, replace(last, clause="C55")))


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to a service, under one ruleset after another."""

    service: Service
    subject: Subject

    def under(self, content: Content, number: int) -> "Asked":
        """The same under these rules, which never change."""
        rulesets = Rulesets(build_catalogue(self.service.schema), utc_now, passed=lambda: 0.0)
        rulesets.use(content.ruleset(number, build_catalogue(self.service.schema)))
        return replace(self, service=replace(self.service, rulesets=rulesets, plans=type(self.service.plans)()))

    async def seconds(self, times: int) -> tuple[float, int]:
        """Processor seconds of so many answers, and the cells that were decided."""
        cells, begun = 0, time.process_time()
        for _ in range(times):
            answer = await self.service.answer(Request(QUESTION), self.subject, PLACE[1])
            cells += sum(one["count"] for one in answer.body["extensions"]["authorization"]["fields"])
        return time.process_time() - begun, cells


async def time_decisions(few: Asked, many: Asked, *, rounds: int) -> dict[str, float]:
    """Microseconds of processor time a cell under few and many rules, and the median of each round's ratio."""
    found: list[tuple[float, float]] = []
    for place in range(rounds + 1):
        pair = []
        for one in (few, many) if place % 2 else (many, few):
            seconds, cells = await one.seconds(_ASKED_AT_ONCE)
            pair.append(1e6 * seconds / cells)
        found.append((pair[0], pair[1]) if place % 2 else (pair[1], pair[0]))
    # In the first round plans are made and tables filled.
    found = found[1:]
    medians = [statistics.median(one[side] for one in found) for side in (0, 1)]
    return {"few": medians[0], "many": medians[1], "ratio": statistics.median(many / few for few, many in found)}


@asynccontextmanager
async def pauses() -> AsyncIterator[list[float]]:
    """How much later than asked for a task went on while the block ran, in seconds, the longest last."""
    late: list[float] = [0.0]

    async def tick() -> None:
        while True:
            since = time.perf_counter()
            await asyncio.sleep(_TICK_SECONDS)
            late.append(max(late[-1], time.perf_counter() - since - _TICK_SECONDS))

    task = asyncio.create_task(tick())
    await asyncio.sleep(0.05)
    late[:] = [0.0]
    try:
        yield late
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def publish(connection: Any, content: Content, *, parent: int | None = None) -> int:  # noqa: ANN401 - asyncpg's
    """Publish the next ruleset; its number. Raises StaleError where that is not the one after `parent`."""
    async with connection.transaction():
        parent = await ruleset_store.latest(connection) if parent is None else parent
        row = Operation(Kind.RULES, uuid4(), utc_now(), ruleset=parent + 1, digest=content.digest)
        return await ruleset_store.publish(
            connection,
            content,
            parent=parent,
            kind=RulesetKind.PUBLISHED,
            author="operator",
            reason="A measurement.",
            now=utc_now(),
            row=row,
        )


async def time_publication(connection: Any, catalogue: Catalogue, content: Content) -> dict[str, dict[str, float]]:  # noqa: ANN401
    """Milliseconds to publish and to take over a ruleset that is all new, and one that differs by a row."""
    found, rulesets = {}, Rulesets(catalogue, utc_now)
    for name, one in (("all new", content), ("one row changed", one_changed(content))):
        begun = time.perf_counter()
        number = await publish(connection, one)
        published = time.perf_counter()
        async with pauses() as late:
            await rulesets.learn(connection)
        found[name] = {
            "publish": 1000 * (published - begun),
            "take over": 1000 * (time.perf_counter() - published),
            "longest pause": 1000 * late[-1],
        }
        if rulesets.number != number:
            message = "it has not been taken over"
            raise RuntimeError(message)
    return found


def megabytes(content: Content, catalogue: Catalogue) -> float:
    """What a worker holds of a ruleset, read from its texts and compiled."""
    texts = ruleset_store.slice_texts(content).values()
    tracemalloc.start()
    held = [compile_ruleset(Content(*ruleset_store.parts(texts)).ruleset(1, catalogue), catalogue)]
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    held.clear()
    return used / 1e6


async def measure(folder: Path, *, people: int, rules: int, rounds: int) -> dict[str, Any]:
    """Everything, in a database of its own."""
    installation = open_installation({"NEEDFUL_DATA": str(folder / "data")})
    with database(installation) as found:
        await bring_up(found, now=utc_now())
        keyring = load_or_create(installation.keyring_path, demo=True)
        owner = await connect_once(found.owner)
        try:
            await load_demo(owner, keyring=keyring, people=people, seed=1, progress=_nothing)
        finally:
            await owner.close()
        catalogue = build_catalogue(build_schema())
        few = few_rules()
        many = many_rules(few, catalogue, rules)
        async with connect(found.application, max_size=4, shared=False) as pool:
            spare_the_collector()
            async with pool.acquire() as connection:
                publication = await time_publication(connection, catalogue, many)
            asked = await _asked(installation, pool, partial(connect_once, found.application))
            decisions = await time_decisions(asked.under(few, 1), asked.under(many, 2), rounds=rounds)
            await asked.service.recorder.close()
    return {
        "rules": len(many.rules),
        "decisions": decisions,
        "publication": publication,
        "megabytes": megabytes(many, catalogue),
    }


async def _asked(installation: Installation, pool: Any, own: Callable[[], Any]) -> Asked:  # noqa: ANN401
    service = build_service(installation, pool, Settings(ledger_milliseconds=10_000), connect=own)
    wanted = Wanted(PLACE[0], (PLACE[1],), to_bits(set(Category)))
    return Asked(service, await find_caller(pool, wanted, keyring=service.keyring))


def _nothing(_: int) -> None:
    """Nobody watches."""


def table(result: dict[str, Any]) -> str:
    """The result in words."""
    decisions, publication = result["decisions"], result["publication"]
    rows = "\n".join(
        f"| {name} | {' | '.join(f'{one[name]:.0f}' for one in publication.values())} |"
        for name in ("publish", "take over", "longest pause")
    )
    return f"""A cell costs {decisions["few"]:.2f} µs under {FEW} rules and {decisions["many"]:.2f} under \
{result["rules"]}: {decisions["ratio"]:.2f} times as much.

| ms, {result["rules"]} rules | {" | ".join(publication)} |
|---|---|---|
{rows}

A worker holds it in {result["megabytes"]:.0f} MB."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--rules", type=int, default=MANY)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    given = {"people": arguments.people, "rules": arguments.rules, "rounds": arguments.rounds}
    with tempfile.TemporaryDirectory(prefix="needful-bench-") as folder:
        result = asyncio.run(measure(Path(folder), **given))
    print(json.dumps(result) if arguments.json else table(result))
    return int(result["decisions"]["ratio"] > AIM)


if __name__ == "__main__":
    raise SystemExit(main())
