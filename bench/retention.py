"""Does a sweep that is killed erase exactly what is due, once? `python -m bench.retention [RECORDS [KILLS [SEED]]]`.

People, policies, claims and devices with days around the limits are written in bulk; a naive reference, which shares no
code with the sweep, says what is due by a fixed day. The sweep runs in a process of its own that is killed at random
points. Then keys, sealed columns, tombstones and the ledger are compared, everybody's. Exit 1 where anything differs.
"""

import asyncio
import json
import subprocess
import sys
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from models.database import connect_once
from models.embedded import Database, database
from models.installation import Installation, open_installation
from models.vocabulary import Retention
from privacy.bring_up import bring_up
from privacy.bundles import BundleName, read_bundle
from privacy.sweep import Sweeper, sweep
from privacy.tombstones import Tombstones
from vault.keyring import load_or_create
from vault.sealing import column_label, new_data_key, seal

RECORDS, KILLS, SEED = 1_000_000, 5, 1
DAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
_BUNDLE = Path(__file__).parent.parent / "privacy" / "data" / "bundles" / "seed.toml"
_ENDED = ("LAPSED", "SURRENDERED", "EXPIRED", "TERMINATED")
_OPEN = ("SUBMITTED", "UNDERWRITING", "AWAITING_PAYMENT", "GRACE")
_LIMITS = (0, 1, 89, 90, 91, 182, 183, 184, 212, 1826, 1827, 1828, 3652, 3653, 3654, 5000)
_NAME = column_label("person", "name_sealed")
_INSURER, _PRODUCT = UUID(int=7), UUID(int=8)
Rows = list[tuple[Any, ...]]


@dataclass(slots=True)
class World:
    """The rows, by table, as they are written and as the reference reads them."""

    person: Rows = field(default_factory=list)
    account: Rows = field(default_factory=list)
    policy: Rows = field(default_factory=list)
    claim: Rows = field(default_factory=list)
    device: Rows = field(default_factory=list)
    data_key: Rows = field(default_factory=list)
    legal_hold: Rows = field(default_factory=list)
    erasure_order: Rows = field(default_factory=list)
    retention_agreement: Rows = field(default_factory=list)

    @property
    def records(self) -> int:
        """How many there are that something is kept of."""
        return len(self.person) + len(self.policy) + len(self.claim) + len(self.device)


_COLUMNS = {
    "person": "id source name_sealed",
    "account": "id person_id username_sealed opened_at",
    "policy": "id policy_number product_id insurer_id status holder_id insured_id currency starts_on ends_on changed_on"
    " premium_sealed",
    "claim": "id claim_number policy_id insurer_id holder_id insured_id status reported_at closed_at changed_on"
    " diagnosis_sealed",
    "device": "id person_id model_sealed changed_on",
    "data_key": "person_id retention wrapped",
    "legal_hold": "id person_id classes reference placed_at placed_by until",
    "erasure_order": "id person_id classes ground ordered_at due_on",
    "retention_agreement": "id person_id retention kind until reference recorded_at",
}


def draw(records: int, chance: Random, keyring: Any) -> World:  # noqa: ANN401, C901, PLR0915 - one row after another
    """So many records or a few more, with days around the limits."""
    world = World()

    def new() -> UUID:
        return UUID(int=chance.getrandbits(128), version=4)

    def day() -> date:
        return DAY - timedelta(days=chance.choice(_LIMITS) + chance.randint(-1, 1))

    people: list[UUID] = []
    while world.records < records:
        person = new()
        key = new_data_key(keyring, person, retention=1)
        name = seal(key, "某人", label=_NAME, row=person.bytes)
        world.person.append((person, "registered", name))
        world.data_key.append((person, 1, key.wrapped))
        people.append(person)
        classes: set[tuple[UUID, int]] = set()
        if chance.random() < 0.6:
            world.account.append((new(), person, b"sealed", NOW))
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            insured = person if chance.random() < 0.7 else chance.choice(people)
            status = chance.choice(("DRAFT", "DECLINED", "IN_FORCE", *_OPEN[:1], *_ENDED))
            ends = day()
            years = chance.choice((1, 1, 5))
            starts = ends.replace(year=ends.year - years, day=min(ends.day, 28)) if chance.random() < 0.9 else None
            if status in ("DRAFT", "DECLINED", *_OPEN):
                starts = None
            policy = new()
            until = ends if starts and chance.random() < 0.95 else None
            number = f"P{len(world.policy):012d}"
            cells = number, _PRODUCT, _INSURER, status, person, insured, "CNY", starts, until, day(), b"sealed"
            world.policy.append((policy, *cells))
            classes.add((person, 2))
            for _ in range(chance.choice((0, 0, 1, 2))):
                state = chance.choice(("DRAFT", "WITHDRAWN", "CLOSED", "CLOSED", "REJECTED", "REVIEWING"))
                shut = state in ("CLOSED", "REJECTED") or (state == "WITHDRAWN" and chance.random() < 0.5)
                closed = datetime.combine(day(), datetime.min.time(), UTC) + timedelta(hours=chance.choice((3, 20)))
                cells = f"C{len(world.claim):012d}", policy, _INSURER, person, insured, state, NOW
                world.claim.append((new(), *cells, closed if shut else None, day(), b"sealed"))
                classes.add((insured, 3))
        for _ in range(chance.choice((0, 1, 1, 2))):
            world.device.append((new(), person, b"sealed", day()))
            classes.add((person, 4))
        world.data_key += [(who, one, b"wrapped") for who, one in sorted(classes)]
        if chance.random() < 0.1:
            some = sorted(chance.sample((1, 2, 3, 4), chance.randint(1, 4)))
            world.erasure_order.append((new(), person, some, "CANCELLED", NOW - timedelta(days=3), DAY))
        if chance.random() < 0.05:
            some = sorted(chance.sample((1, 2, 3, 4), chance.randint(1, 4)))
            until = chance.choice((None, DAY - timedelta(days=1), DAY))
            world.legal_hold.append((new(), person, some, "file 1", NOW, "operator", until))
        if chance.random() < 0.05:
            until = DAY + timedelta(days=chance.randint(-2, 2))
            kind = chance.choice(("CONSENTED", "SPECIAL"))
            one = chance.choice((1, 2, 3, 4))
            reference = "contract 1" if kind == "SPECIAL" else None
            world.retention_agreement.append((new(), person, one, kind, until, reference, NOW))
    seen = set()
    keys, world.data_key = world.data_key, []
    for row in keys:
        if row[:2] not in seen:
            seen.add(row[:2])
            world.data_key.append(row)
    return world


def expect(world: World) -> dict[UUID, set[int]]:  # noqa: C901, PLR0912, PLR0915 - naive on purpose: one loop a rule
    """What is due, record by record, from the rows alone."""
    terms = tomllib.loads(_BUNDLE.read_text())
    law, plan = terms["retention"], terms["schedule"]
    forever = date.max
    ordered, kept = defaultdict(set), defaultdict(list)
    for _, person, classes, *_ in world.erasure_order:
        ordered[person] |= set(classes)
    stop = (NOW - timedelta(days=3)).date() - timedelta(days=1)

    def plus(day: date, days: int) -> date:
        return forever if day == forever else day + timedelta(days=days)

    def cut(person: UUID, one: int, day: date) -> date:
        return min(day, stop) if one in ordered[person] else day

    named = defaultdict(list)
    for _, _, _, _, status, holder, insured, _, starts, until, changed, _ in world.policy:
        if status == "DRAFT":
            end = changed + timedelta(days=plan["contract"]["draft_days"])
        elif status == "DECLINED":
            end = changed
        elif status == "IN_FORCE":
            end = until or forever
        elif status in _ENDED:
            end = min(until, changed) if until else changed
        else:
            end = forever
        kept[holder, 2].append(cut(holder, 2, plus(end, plan["contract"]["function_days"])))
        kept[holder, 2].append(cut(holder, 2, plus(end, plan["contract"]["quality_days"])))
        if starts and status not in ("DRAFT", "DECLINED", *_OPEN[:-1]):
            a_year = starts.replace(year=starts.year + 1)
            short = until is not None and until <= a_year
            kept[holder, 2].append(plus(end, law["short_contract_days" if short else "long_contract_days"]))
        named[holder].append(end)
        named[insured].append(end)
    for _, _, _, _, holder, insured, state, _, closed, changed, _ in world.claim:
        if closed:
            end = (closed + timedelta(hours=8)).date()
        elif state == "DRAFT":
            end = changed + timedelta(days=plan["claim"]["draft_days"])
        elif state == "WITHDRAWN":
            end = changed
        else:
            end = forever
        kept[insured, 3].append(cut(insured, 3, plus(end, plan["claim"]["function_days"])))
        kept[insured, 3].append(cut(insured, 3, plus(end, plan["claim"]["quality_days"])))
        if closed or state not in ("DRAFT", "WITHDRAWN"):
            kept[insured, 3].append(plus(end, law["claim_days"]))
        named[holder].append(end)
        named[insured].append(end)
    for _, person, _, changed in world.device:
        kept[person, 4].append(cut(person, 4, plus(changed, plan["device"]["function_days"])))
        kept[person, 4].append(cut(person, 4, plus(changed, plan["device"]["quality_days"])))
        kept[person, 4].append(plus(changed, law["device_days"]))
    for _, person, _, _ in world.account:
        kept[person, 1].append(cut(person, 1, forever))
    for person, some in named.items():
        kept[person, 1] += some
    for _, person, one, kind, until, _, _ in world.retention_agreement:
        if kept.get((person, one)) and not (kind == "CONSENTED" and one in ordered[person]):
            kept[person, one].append(until)
    held = {
        (person, one)
        for _, person, classes, _, _, _, until in world.legal_hold
        if until is None or until >= DAY
        for one in classes
    }
    due: dict[UUID, set[int]] = defaultdict(set)
    for (person, one), untils in kept.items():
        if untils and max(untils) < DAY and (person, one) not in held:
            due[person].add(one)
    return due


async def store(connection: Any, world: World) -> None:  # noqa: ANN401 - asyncpg's
    """Write the rows."""
    await connection.execute(
        "INSERT INTO organization (id, code, name, kind) VALUES ($1, 'I', 'I', 'INSURER')", _INSURER
    )
    await connection.execute(
        "INSERT INTO product (id, code, name, insurer_id) VALUES ($1, 'P', 'P', $2)", _PRODUCT, _INSURER
    )
    for table, columns in _COLUMNS.items():
        await connection.copy_records_to_table(table, records=getattr(world, table), columns=columns.split())
    await connection.execute("ANALYZE")


def run_and_kill(installation: Installation, stones: int, kills: int, chance: Random) -> int:
    """Sweep in a process that is killed so many times, as the tombstones grow; how often it was."""
    points = sorted(chance.sample(range(1, max(stones, kills + 2)), kills))
    done = 0
    while True:
        process = subprocess.Popen([sys.executable, "-m", "bench.retention", "--sweep", str(installation.root)])
        while process.poll() is None:
            if done < kills and _lines(installation.tombstones_path) >= points[done]:
                time.sleep(chance.random() / 50)
                if process.poll() is None:
                    process.kill()
                    process.wait()
                    done += 1
                break
            time.sleep(0.001)
        if process.wait() == 0:
            return done
        if process.returncode > 0:
            message = "the sweep ended by itself"
            raise RuntimeError(message)


def _lines(path: Path) -> int:
    # A line has nearly always the same length; to count them would take too long.
    return path.stat().st_size // 190 if path.exists() else 0


async def compare(connection: Any, world: World, due: dict[UUID, set[int]], tombstones: Path) -> Iterator[str]:  # noqa: ANN401
    """Say everything that is not as it should be."""
    wrong: list[str] = []

    def check(what: str, found: Any, expected: Any) -> None:  # noqa: ANN401 - anything
        if found != expected:
            if isinstance(found, Counter):
                found, expected = set(found.items()), set(expected.items())
            differing = f"{len(found ^ expected)} differ" if isinstance(found, set) else (found, expected)
            wrong.append(f"{what}: {differing}")

    gone = {(person, one) for person, classes in due.items() for one in classes}
    rows = await connection.fetch("SELECT person_id, retention, wrapped IS NULL AS gone FROM data_key")
    check("keys", {(row[0], row[1]) for row in rows if row["gone"]}, gone)
    for table, column, place, one in (
        ("policy", "premium", 5, 2),
        ("claim", "diagnosis", 5, 3),
        ("account", "username", 1, 1),
    ):
        left = {row[0] for row in await connection.fetch(f"SELECT id FROM {table} WHERE {column}_sealed IS NOT NULL")}
        mine = {row[0] for row in getattr(world, table) if (row[place], one) not in gone}
        check(table, left, mine)
    for table, place, one in (("person", 0, 1), ("device", 1, 4)):
        column = "name_sealed" if table == "person" else "model_sealed"
        left = {row[0] for row in await connection.fetch(f"SELECT id FROM {table} WHERE {column} IS NOT NULL")}
        check(table, left, {row[0] for row in getattr(world, table) if (row[place], one) not in gone})
    said = Counter(
        (UUID(stone["person"]), one)
        for stone in map(json.loads, tombstones.read_text().splitlines())  # noqa: ASYNC240 - nothing else runs
        for one in stone["classes"]
    )
    check("tombstones", said, Counter(gone))
    bodies = [
        json.loads(row[0]) for row in await connection.fetch("SELECT body FROM ledger WHERE body LIKE '%\"ERASURE\"%'")
    ]
    check("proofs", len(bodies), sum(1 for classes in due.values() if classes))
    check("proofs, each of another", len({body["persons"][0] for body in bodies}), len(bodies))
    names = {row["reference"]: row["person_id"] for row in await connection.fetch("SELECT * FROM person_reference")}
    alive = {row[0] for row in await connection.fetch("SELECT person_id FROM data_key WHERE wrapped IS NOT NULL")}
    check("references of nobody any more", set(names.values()) - alive, set())
    proved = {names[body["persons"][0]]: body for body in bodies if body["persons"][0] in names}
    check(
        "what is proved",
        {(person, Retention[one].value) for person, body in proved.items() for one in body["detail"]["erased"]},
        {(person, one) for person, one in gone if person in proved},
    )
    classes = Counter(one for body in bodies for one in body["detail"]["erased"])
    check("classes proved", classes, Counter(Retention(one).name for _, one in gone))
    return iter(wrong)


async def sweep_again(root: Path) -> dict[str, int]:
    """One sweep by the fixed day, on the database of a data directory."""
    installation = open_installation({"NEEDFUL_DATA": str(root)})
    with database(installation) as found:
        keyring = load_or_create(installation.keyring_path)
        connection = await connect_once(found.owner)
        while True:
            bundle, tombstones = read_bundle(BundleName.SEED), Tombstones(installation.tombstones_path)
            swept = await sweep(Sweeper(connection, keyring, bundle, tombstones, NOW))
            if not swept.busy:
                await connection.close()
                return swept.told()
            # The one that was killed has not let go of its lock yet.
            await asyncio.sleep(0.05)


def judge(
    installation: Installation, found: Database, *, records: int, kills: int, seed: int
) -> tuple[list[str], dict[str, Any]]:
    """What differs, and figures."""
    chance = Random(seed)  # noqa: S311 - reproducible
    keyring = load_or_create(installation.keyring_path)
    world = draw(records, chance, keyring)
    due = expect(world)
    stones = sum(1 for classes in due.values() if classes)

    async def on_database(work: Any) -> Any:  # noqa: ANN401 - a coroutine function
        connection = await connect_once(found.owner)
        try:
            return await work(connection)
        finally:
            await connection.close()

    asyncio.run(on_database(lambda connection: store(connection, world)))
    started = time.perf_counter()
    killed = run_and_kill(installation, stones, kills, chance)
    seconds = time.perf_counter() - started
    differs = list(asyncio.run(on_database(lambda one: compare(one, world, due, installation.tombstones_path))))
    again = asyncio.run(sweep_again(installation.root))
    differs += [f"a second sweep: {again}"] if any(name.startswith("ERASED") for name in again) else []
    differs += list(asyncio.run(on_database(lambda one: compare(one, world, due, installation.tombstones_path))))
    kept = Counter(one for person, one, _ in world.data_key) - Counter(one for some in due.values() for one in some)
    figures = {
        "records": world.records,
        "people": len(world.person),
        "people_with_something_due": stones,
        "classes_erased": sum(map(len, due.values())),
        "classes_kept": sum(kept.values()),
        "killed": killed,
        "seconds": round(seconds, 1),
    }
    return differs, figures


def main(records: int = RECORDS, kills: int = KILLS, seed: int = SEED) -> int:
    """Run once, print figures. Gives the exit code."""
    with TemporaryDirectory() as folder:
        installation = open_installation({"NEEDFUL_DATA": folder + "/data"})
        with database(installation, lasting=True) as found:
            asyncio.run(bring_up(found, now=NOW))
            differs, figures = judge(installation, found, records=records, kills=kills, seed=seed)
    print(json.dumps(figures), *differs, sep="\n")
    return int(bool(differs) or figures["killed"] < kills)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--sweep"]:
        asyncio.run(sweep_again(Path(sys.argv[2])))
    else:
        sys.exit(main(*map(int, sys.argv[1:])))
