"""C66: a backup that is restored brings nobody back whose data have been erased since it was made."""

import asyncio
import os
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from authz.commands import Call
from cli import _parser
from models.cluster import DATABASE
from models.database import connect_once
from models.embedded import Database, database
from models.global_ids import NodeType, from_global, to_global
from models.installation import Installation, open_installation
from models.programs import packaged_programs
from models.vocabulary import Retention
from privacy import replay as replaying
from privacy.bring_up import bring_back
from privacy.bundles import bundle_of
from privacy.erasure import apply
from privacy.jobs import Turn
from privacy.replay import LOST, compare, complete, mark_of, rebuild, replay
from privacy.timetable import JOBS
from privacy.tombstones import Tombstone, Tombstones, TombstonesError, TombstonesLostError
from tests.conftest import GRAPHQL, run_cli, running_server
from tests.keys.conftest import PEOPLE, SEED
from tests.plain import by_id
from vault.keyring import load
from vault.sealing import SealedValueError

EVERYTHING = frozenset({Retention.ACCOUNT, Retention.CONTRACT, Retention.CLAIM, Retention.DEVICE})
AT = datetime(2026, 11, 20, 2, tzinfo=UTC)
ONE = "query($id: ID!) { claim(id: $id) { id diagnosis reporterName policy { insured { id name phone idNumber } } } }"
READ = "{ claims(first: 100) { edges { node { id diagnosis policy { insured { id name phone } } } } } }"


def tool(name: str, found: Database, *arguments: str) -> None:
    """A program of PostgreSQL's, as an operator would run it, on the embedded server."""
    who = found.owner
    environment = {**os.environ, "PGHOST": who.host, "PGUSER": who.user, "PGPASSWORD": who.password}
    subprocess.run([packaged_programs() / name, *arguments], env=environment, check=True, capture_output=True)


def restore(found: Database, backup: Path) -> None:
    """Put a backup in place of all that the database holds."""
    tool(
        "psql",
        found,
        "--quiet",
        "--command",
        "DROP SCHEMA public, scheduler CASCADE",
        "--command",
        "CREATE SCHEMA public",
        DATABASE,
    )
    tool("pg_restore", found, "--exit-on-error", "--dbname", DATABASE, str(backup))


@dataclass
class World:
    """A database that was backed up before two people were erased, and then restored."""

    installation: Installation
    plaintext: Path
    erased: UUID
    interrupted: UUID
    """Of whom only the tombstone was written before all went down."""
    bystander: UUID
    digests: list[bytes]
    claims: dict[UUID, UUID]
    """By each of the three, a claim that a handler sees."""


def with_owner(found: Database, work):
    async def run():
        owner = await connect_once(found.owner)
        try:
            return await work(owner)
        finally:
            await owner.close()

    return asyncio.run(run())


def alive(owner, person):
    return owner.fetchval("SELECT count(*) FROM data_key WHERE person_id = $1 AND wrapped IS NOT NULL", person)


@pytest.fixture(scope="module")
def world(tmp_path_factory, prepared):
    folder = tmp_path_factory.mktemp("restored")
    data_dir, plaintext, backup = folder / "data", folder / "plain.jsonl", folder / "backup"
    prepared.demo(data_dir, PEOPLE, seed=SEED, plaintext=plaintext)
    installation = open_installation({"NEEDFUL_DATA": str(data_dir)})
    keyring, stones = load(installation.keyring_path), Tombstones(installation.tombstones_path)
    with database(installation) as found:
        tool("pg_dump", found, "--format", "custom", "--file", str(backup), DATABASE)

        async def erase(owner):
            query = (
                "SELECT p.insured_id, min(c.id::text)::uuid FROM claim c JOIN policy p ON p.id = c.policy_id"
                " WHERE c.status <> 'DRAFT' GROUP BY 1 ORDER BY 1 LIMIT 3"
            )
            claims = dict(map(tuple, await owner.fetch(query)))
            people = list(claims)
            for person in people:
                assert await alive(owner, person) > 1
            digests = [
                row[0] for row in await owner.fetch("SELECT digest FROM blind_index WHERE person_id = $1", people[0])
            ]
            first, second = (Tombstone(person, EVERYTHING, AT) for person in people[:2])
            stones.add([first])
            assert await apply(owner, keyring, first)
            assert await replay(owner, keyring, stones) == 0
            assert (await mark_of(owner)).stones == 1
            stones.add([second])
            return World(installation, plaintext, *people, digests, claims)

        made = with_owner(found, erase)
        restore(found, backup)

        async def look(owner):
            assert await alive(owner, made.erased) > 1, "the backup holds whom it names"
            assert (await mark_of(owner)).stones == 0

        with_owner(found, look)
    return made


@dataclass
class Shown:
    """Claims by whom they insure, as far as that is shown; and what was asked by id, by person."""

    listed: dict[UUID, list]
    asked: dict[UUID, dict]


@pytest.fixture(scope="module")
def shown(world, tmp_path_factory):
    """What a claims handler is shown by a server that starts on the restored database."""
    token = run_cli(
        "token", "--role", "claims_handler", "--purpose", "claim_handling", data_dir=world.installation.root
    ).stdout.split()[-1]
    with running_server(world.installation.root, tmp_path_factory.mktemp("log") / "server.log") as url:
        headers = {"Authorization": f"Bearer {token}", "Accept": GRAPHQL}
        body = httpx.post(f"{url}/graphql", json={"query": READ}, headers=headers, timeout=60).json()
        asked = {
            person: httpx.post(
                f"{url}/graphql",
                json={"query": ONE, "variables": {"id": to_global(NodeType.CLAIM, claim)}},
                headers=headers,
                timeout=60,
            ).json()
            for person, claim in world.claims.items()
        }
    found = {}
    for edge in body["data"]["claims"]["edges"]:
        insured = edge["node"]["policy"]["insured"]
        if insured is not None:
            found.setdefault(from_global(insured["id"])[1], []).append((insured, edge["node"]))
    return Shown(found, asked)


def test_c66_nothing_opens_of_who_was_erased_after_the_backup_once_it_is_restored(world, shown):
    # Somebody like them is shown, asked for in the same way: what is not shown is not there.
    claim = shown.asked[world.bystander]["data"]["claim"]
    assert claim["policy"]["insured"]["name"], claim
    for person in (world.erased, world.interrupted):
        claim = shown.asked[person]["data"]["claim"]
        insured = claim["policy"]["insured"]
        assert (claim["diagnosis"], claim["reporterName"]) == (None, None)
        assert [insured[name] for name in ("name", "phone", "idNumber")] == [None] * 3
        for insured, claim in shown.listed.get(person, ()):
            assert (insured["name"], insured["phone"], claim["diagnosis"]) == (None, None, None)


def test_c66_everybody_elses_data_are_there_as_the_backup_had_them(world, shown):
    claims = by_id(world.plaintext, "Claim")
    assert world.bystander in shown.listed
    compared = 0
    for person in shown.listed.keys() - {world.erased, world.interrupted}:
        for insured, claim in shown.listed[person]:
            plain = claims[claim["id"]]
            assert insured["name"]
            if claim["diagnosis"] is not None:
                assert claim["diagnosis"] == plain["diagnosis"]
                compared += 1
    assert compared > 3


@pytest.fixture
def found(world, shown):
    """The database, once the server has gone."""
    assert shown
    with database(world.installation) as served:
        yield served


def test_c66_no_key_and_no_index_entry_of_the_erased_is_left(world, found):
    async def look(owner):
        for person in (world.erased, world.interrupted):
            assert await alive(owner, person) == 0
            assert await owner.fetchval("SELECT count(*) FROM blind_index WHERE person_id = $1", person) == 0
        assert await owner.fetchval("SELECT count(*) FROM blind_index WHERE digest = ANY($1)", world.digests) == 0
        assert await alive(owner, world.bystander) > 0
        assert (await mark_of(owner)).stones == 2

    with_owner(found, look)


def turn_of(world, owner, sounded):
    installation = world.installation
    keyring = load(installation.keyring_path)
    return Turn(owner, keyring, bundle_of({}), installation, AT, lambda code, **_: sounded.append(code))


def test_c66_who_was_erased_in_the_database_only_is_added_to_the_file_once(world, found):
    """A party whom an application names no more, for one, is erased without an order."""
    path = world.installation.tombstones_path

    async def work(owner):
        person = await owner.fetchval(
            "SELECT person_id FROM data_key WHERE wrapped IS NOT NULL AND person_id <> $1 LIMIT 1", world.bystander
        )
        await owner.execute("UPDATE data_key SET wrapped = NULL WHERE person_id = $1", person)
        (job,) = [job for job in JOBS if job.name == "tombstones-complete"]
        sounded = []
        assert await job.work(turn_of(world, owner, sounded)) == {"added": 1}
        assert await job.work(turn_of(world, owner, sounded)) == {"added": 0}
        *_, last = Tombstones(path).read()
        assert (last.person, sounded) == (person, [])

    with_owner(found, work)


def test_c66_a_lost_file_is_an_alarm_stops_a_start_and_is_made_anew_from_what_is_erased(world, found, tmp_path):
    path = world.installation.tombstones_path
    before, real = path.read_bytes(), replace(world.installation, demo=False)
    people = {(stone.person, stone.classes) for stone in Tombstones(path).read()}
    (job,) = [job for job in JOBS if job.name == "tombstones"]

    async def look(owner):
        sounded = []
        assert await job.work(turn_of(world, owner, sounded)) == {}
        assert sounded == [LOST]
        for lost in (replay, partial(complete, now=AT)):
            with pytest.raises(TombstonesLostError):
                await lost(owner, load(real.keyring_path), Tombstones(path))

    async def anew(owner):
        keyring = load(real.keyring_path)
        await rebuild(owner, keyring, Tombstones(path), now=AT)
        assert (await mark_of(owner)).stones == sum(1 for _ in Tombstones(path).read())
        compared = await compare(owner, Tombstones(path), now=AT)
        assert (compared.unlisted, compared.unapplied) == ((), 0)

    for content in (before.splitlines(keepends=True)[0], None):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with_owner(found, look)
        with pytest.raises(TombstonesLostError, match=r"restore it from its copy.*docs/keys\.md"):
            asyncio.run(bring_back(real, found, now=AT))
        asyncio.run(bring_back(world.installation, found, now=AT))
    with_owner(found, anew)
    assert {stone.person for stone in Tombstones(path).read()} == {person for person, _ in people}
    asyncio.run(bring_back(real, found, now=AT))


def test_c66_a_damaged_file_stops_a_start_in_any_mode(world, found):
    path = world.installation.tombstones_path
    before = path.read_bytes()
    path.write_bytes(before + b"{}\n")
    with pytest.raises(TombstonesError, match="is damaged"):
        asyncio.run(bring_back(world.installation, found, now=AT))
    path.write_bytes(before)
    asyncio.run(bring_back(world.installation, found, now=AT))


def test_c66_stopped_in_the_middle_of_a_replay_the_next_one_goes_on(world, found, monkeypatch):
    path, real = world.installation.tombstones_path, replaying.apply
    stones = [Tombstone(uuid4(), EVERYTHING, AT) for _ in range(250)]
    Tombstones(path).add(stones)
    begun = []

    async def apply_some(connection, keyring, stone):
        begun.append(stone)
        if len(begun) == 160:
            raise KeyboardInterrupt
        return await real(connection, keyring, stone)

    async def work(owner):
        await replay(owner, load(world.installation.keyring_path), Tombstones(path))

    monkeypatch.setattr(replaying, "apply", apply_some)
    with pytest.raises(KeyboardInterrupt):
        with_owner(found, work)
    with_owner(found, work)
    assert set(begun) == set(stones)
    assert 250 < len(begun) <= 250 + 2 * 100
    assert with_owner(found, mark_of).stones == sum(1 for _ in Tombstones(path).read())


def test_c66_a_remainder_that_cannot_be_opened_keeps_nobody_from_being_erased(world, found, monkeypatch):
    stone = Tombstone(world.bystander, EVERYTHING, AT, date(2031, 11, 20))
    asked = []

    async def closed(connection, keyring, stone):
        del connection, keyring
        asked.append(stone)
        if stone.keep_until:
            raise SealedValueError
        return True

    async def work(owner):
        Tombstones(world.installation.tombstones_path).add([stone])
        return await replay(
            owner, load(world.installation.keyring_path), Tombstones(world.installation.tombstones_path)
        )

    monkeypatch.setattr(replaying, "apply", closed)
    assert with_owner(found, work) == 1
    assert asked == [stone, replace(stone, keep_until=None)]


def test_c66_an_operator_sees_what_the_file_and_the_database_do_not_agree_on(world, found):
    Tombstones(world.installation.tombstones_path).add([Tombstone(world.bystander, EVERYTHING, AT)])

    def run(name):
        given = _parser().parse_args(["tombstones", name])

        async def work(owner):
            return await given.act(Call(owner, given, load(world.installation.keyring_path), AT, world.installation))

        return with_owner(found, work)

    assert (run("status").data["unknown"], run("status").wrong) == (1, True)
    assert (run("check").data["in_the_file_and_not_erased"], run("check").wrong) == (1, True)
    assert run("replay").data == {"erased": 1}
    assert (run("status").wrong, run("check").wrong, run("rebuild").data) == (False, False, {"added": 0})
