"""Rotation under load: every data key is wrapped by another key, and nobody who reads or writes notices (C48, C66)."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import httpx
import pytest

from models.wrapping_versions import WRAPPED
from privacy import rotation
from privacy.rotation import KeysRefusedError, know, retire, rotate, versions
from tests.conftest import GRAPHQL, ROOT
from tests.writing.applying import insured
from vault.keyring import Keyring, add_version, load, make_current
from vault.sealing import new_data_key

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SLOWLY = """
import asyncio, os
from datetime import UTC, datetime
from models.database import connect_once
from models.embedded import database
from models.installation import open_installation
from privacy import rotation
from vault.keyring import load

installation = open_installation(os.environ)
portion, rotation.PORTION = rotation._portion, 5

async def slowly(*given):
    await asyncio.sleep(0.01)
    return await portion(*given)

rotation._portion = slowly

async def main():
    with database(installation) as found:
        owner = await connect_once(found.owner)
        path = installation.keyring_path
        await rotation.rotate(owner, load(path), path, now=datetime.now(UTC))

asyncio.run(main())
"""
READ = (
    "{ claims(first: 50) { edges { node { id diagnosis reporterName policy { insured { name phone idNumber } } } } } }"
)
WRITE = (
    "mutation($input: DraftApplicationInput!) { draftApplication(input: $input)"
    " { __typename ... on Policy { id insured { id } } } }"
)


class Load:
    """Clients that read and write for as long as the block lasts, each answer held against what it must be."""

    def __init__(self, kept) -> None:
        self.kept, self.reads, self.writes, self.wrong = kept, 0, 0, []
        self._over = threading.Event()
        handler = kept.token("claims_handler", purposes=["claim_handling"])
        self._reading = {"Authorization": f"Bearer {handler}", "Accept": GRAPHQL, "Connection": "close"}
        customer = kept.customer()
        token = kept.token("customer", user=customer.username, purposes=["account_service"])
        self._writing = {"Authorization": f"Bearer {token}", "Accept": GRAPHQL, "Connection": "close"}
        with httpx.Client() as client:
            self._first = self._read(client)
        self._threads = [threading.Thread(target=self._run, args=(work,)) for work in (self._check, self._write)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, work):
        with httpx.Client(timeout=30) as client:
            while not self._over.is_set():
                try:
                    work(client)
                except Exception as fault:  # noqa: BLE001 - whatever it is, it is what the test is about
                    self.wrong.append(repr(fault))

    def _read(self, client):
        body = client.post(self.kept.url, json={"query": READ}, headers=self._reading).json()
        assert len(body["data"]["claims"]["edges"]) > 10, body
        return body["data"], [one["message"] for one in body.get("errors", ())]

    def _check(self, client):
        answer = self._read(client)
        if answer != self._first:
            self.wrong.append(answer)
        self.reads += 1

    def _write(self, client):
        given = {"productCode": "INS01-ACC", "insured": {"details": insured()}}
        body = {"query": WRITE, "variables": {"input": given}}
        answer = client.post(self.kept.url, json=body, headers=self._writing).json()
        if answer["data"]["draftApplication"]["__typename"] != "Policy" or answer.get("errors"):
            self.wrong.append(answer)
        self.writes += 1


def killed_midway(kept, version):
    """A rotation in a process of its own that is killed once some keys are wrapped anew."""
    before = kept.wrapped_by(version)
    environment = {**os.environ, "NEEDFUL_DATA": str(kept.data_dir)}
    process = subprocess.Popen([sys.executable, "-c", SLOWLY], cwd=ROOT, env=environment)
    deadline = time.monotonic() + 60
    while kept.wrapped_by(version) < before + 20:
        assert process.poll() is None, "it was over before it could be killed"
        assert time.monotonic() < deadline
    process.kill()
    process.wait()


def path_of(kept):
    return kept.installation.keyring_path


def test_killed_twice_and_resumed_every_key_is_rotated_while_others_read_and_write_without_one_failure(kept):
    kept.operate("staff", "add", f"s{uuid4().hex[:8]}", "--role", "auditor")
    before, old = kept.data_keys(), kept.keyring.wrapping.current
    assert len(before) > 150
    with Load(kept) as load:
        for _ in range(2):
            killed_midway(kept, old + 1)
            assert kept.wrapped_by(old) > 0
        done = kept.operate("keys", "rotate")
        reads, writes = load.reads, load.writes
        while load.reads < reads + 3 or load.writes < writes + 3:
            time.sleep(0.01)
    assert load.wrong == []
    assert min(load.reads, load.writes) > 5
    assert (done["version"], done["added"], done["unreadable"]) == (old + 1, False, 0)
    assert kept.wrapped_by(old) == 0
    after = kept.data_keys()
    assert {place: after[place] for place in before} == before
    assert len(after) > len(before)
    used = {one["version"]: one["data_keys"] for one in kept.operate("keys", "status")}
    assert used == {old: 0, old + 1: len(after)}


@pytest.mark.parametrize("step", ["add_version", "make_current", "_rewrap_all", "between"])
def test_stopped_at_any_step_the_next_rotation_goes_on_with_the_same_key(kept, monkeypatch, step):
    old, before = kept.keyring.wrapping.current, kept.data_keys()
    found = getattr(rotation, "_portion" if step == "between" else step)
    calls = []

    def stop(*given):
        calls.append(given)
        if step != "between" or len(calls) > 1:
            raise KeyboardInterrupt
        return found(*given)

    monkeypatch.setattr(rotation, "_portion" if step == "between" else step, stop)
    with pytest.raises(KeyboardInterrupt):
        kept.operate("keys", "rotate")
    monkeypatch.undo()
    done = kept.operate("keys", "rotate")
    assert done["version"] == max(kept.keyring.wrapping.versions) == old + 1
    assert done["added"] is (step == "add_version")
    assert (kept.wrapped_by(old + 1), kept.wrapped_by(old)) == (len(before) - logins(kept), 0)
    assert kept.data_keys() == before


def logins(kept):
    return kept.rows("SELECT count(*) FROM login WHERE wrapped IS NOT NULL")[0][0]


def test_a_version_that_is_only_added_wraps_nothing_until_the_next_rotation(kept):
    old = kept.keyring.wrapping.current
    added = kept.operate("keys", "rotate", "--add-only")
    assert (added["version"], added["added"], added["rewrapped"]) == (old + 1, True, 0)
    assert kept.operate("keys", "rotate", "--add-only")["added"] is False
    assert (kept.keyring.wrapping.current, kept.wrapped_by(old + 1)) == (old, 0)
    assert kept.operate("keys", "rotate")["version"] == kept.keyring.wrapping.current == old + 1
    assert kept.wrapped_by(old) == 0


class Between:
    """A connection that does something before the keys that it read are written."""

    def __init__(self, connection, work) -> None:
        self._connection, self._work = connection, work

    def __getattr__(self, name):
        return getattr(self._connection, name)

    async def execute(self, statement, *values):
        if "n.wrapped FROM unnest" in statement and self._work is not None:
            work, self._work = self._work, None
            await work()
        return await self._connection.execute(statement, *values)


def test_a_key_that_is_destroyed_while_it_is_wrapped_anew_stays_destroyed(kept):
    person = kept.customer().person
    tasks = []

    async def work(connection, other):
        async def destroy():
            statement = "UPDATE data_key SET wrapped = NULL WHERE person_id = $1"
            tasks.append(asyncio.create_task(other.execute(statement, person)))
            await asyncio.sleep(0.2)

        await rotate(Between(connection, destroy), kept.keyring, path_of(kept), now=NOW)
        await asyncio.gather(*tasks)

    kept.beside(work)
    assert len(tasks) == 1
    assert [row[0] for row in kept.rows("SELECT wrapped FROM data_key WHERE person_id = $1", person)] == [None]


def test_a_rotation_waits_for_nobody_who_holds_a_key_and_still_leaves_none_behind(kept):
    person, old = kept.customer().person, kept.keyring.wrapping.current

    async def work(connection, other):
        async with other.transaction():
            await other.execute("UPDATE data_key SET wrapped = wrapped WHERE person_id = $1", person)
            rotating = asyncio.create_task(rotate(connection, kept.keyring, path_of(kept), now=NOW))
            done, _ = await asyncio.wait([rotating], timeout=0.5)
            assert not done
            statement = "SELECT count(*) FROM data_key WHERE get_byte(wrapped, 1) * 256 + get_byte(wrapped, 2) = $1"
            assert await other.fetchval(statement, old) == 1
        await rotating

    kept.beside(work)
    assert kept.wrapped_by(old) == 0


def test_of_two_rotations_at_once_one_is_refused(kept):
    old = kept.keyring.wrapping.current

    async def work(first, second):
        rotating = (rotate(one, kept.keyring, path_of(kept), now=NOW) for one in (first, second))
        return await asyncio.gather(*rotating, return_exceptions=True)

    found = kept.beside(work)
    assert sorted(type(one).__name__ for one in found) == ["KeysRefusedError", "Rotated"]
    assert kept.keyring.wrapping.current == old + 1


def test_what_cannot_be_opened_is_left_as_it_is_and_reported(kept):
    person = kept.customer().person
    (damaged,) = kept.rows(
        "SELECT set_byte(wrapped, 20, 255 - get_byte(wrapped, 20)) FROM data_key WHERE person_id = $1", person
    )
    kept.execute("UPDATE data_key SET wrapped = $2 WHERE person_id = $1", person, damaged[0])
    done = kept.run_operator("keys", "rotate")
    assert (done.data["unreadable"], done.wrong) == (1, True)
    assert kept.rows("SELECT wrapped FROM data_key WHERE person_id = $1", person) == [damaged]
    assert kept.operate("keys", "rotate")["version"] == done.data["version"] + 1
    kept.execute("UPDATE data_key SET wrapped = NULL WHERE person_id = $1", person)


def test_a_version_is_retired_once_nothing_is_wrapped_by_it_and_everybody_goes_on(kept):
    old = kept.keyring.wrapping.current
    for version, why in ((old, "or is about to"), (999, "has no version 999")):
        with pytest.raises(KeysRefusedError, match=why):
            kept.operate("keys", "retire", "--version", str(version))
    make_current(path_of(kept), add_version(path_of(kept)))
    with pytest.raises(KeysRefusedError, match=r"data key\(s\) are wrapped by version"):
        kept.operate("keys", "retire", "--version", str(old))
    kept.operate("keys", "rotate")
    with Load(kept) as load:
        assert kept.operate("keys", "retire", "--version", str(old)) == {"retired": old}
        while min(load.reads, load.writes) < 3:
            time.sleep(0.01)
    assert load.wrong == []
    assert old not in load_again(kept).wrapping.versions
    (told,) = [one for one in kept.operate("keys", "status") if one["version"] == old]
    assert (told["in_keyring"], told["data_keys"], told["retired"] is None) == (False, 0, False)


def load_again(kept) -> Keyring:
    return load(path_of(kept))


def test_whoever_held_on_to_a_retired_version_writes_nothing_that_would_be_lost(kept):
    held = load_again(kept)
    stale = Keyring(**{name: getattr(held, name) for name in Keyring.__slots__})
    object.__setattr__(stale, "wrapping", type(held.wrapping)(held.wrapping.current, held.wrapping.stored()))
    kept.operate("keys", "rotate")
    kept.operate("keys", "retire", "--version", str(stale.wrapping.current))
    person = kept.customer().person
    wrapped = new_data_key(stale, person, retention=3).wrapped
    with pytest.raises(asyncpg.CheckViolationError, match="wrapped by a retired key"):
        kept.execute("INSERT INTO data_key (person_id, retention, wrapped) VALUES ($1, 3, $2)", person, wrapped)
    for column in ("wrapped", "pending_wrapped"):
        with pytest.raises(asyncpg.CheckViolationError):
            kept.execute(f"UPDATE login SET {column} = $1", wrapped)  # noqa: S608 - our own names


@pytest.mark.parametrize("commits", [True, False])
def test_a_key_that_somebody_is_about_to_write_keeps_its_version_from_being_retired(kept, commits):
    old = kept.keyring.wrapping.current
    person = kept.customer().person
    wrapped = new_data_key(kept.keyring, person, retention=3).wrapped
    kept.operate("keys", "rotate")

    async def work(connection, other):
        writing = other.transaction()
        await writing.start()
        await other.execute("INSERT INTO data_key (person_id, retention, wrapped) VALUES ($1, 3, $2)", person, wrapped)
        retiring = asyncio.create_task(retire(connection, kept.keyring, path_of(kept), old, now=NOW))
        await asyncio.sleep(0.2)
        assert not retiring.done()
        await (writing.commit() if commits else writing.rollback())
        await asyncio.gather(retiring, return_exceptions=True)
        return retiring.exception(), await versions(connection, kept.keyring)

    refusal, found = kept.beside(work)
    (one,) = [one for one in found if one.number == old]
    assert (one.in_file, one.keys, one.retired_at is None) == (commits, int(commits), commits)
    assert isinstance(refusal, KeysRefusedError) is commits


def test_a_keyring_without_a_version_that_the_database_uses_is_refused_before_anybody_is_served(kept, tmp_path):
    older = tmp_path / "keyring.json"
    older.write_text(path_of(kept).read_text())
    kept.operate("keys", "rotate")

    async def work(connection, _):
        await know(connection, kept.keyring, now=NOW)
        await know(connection, load(older), now=NOW)

    with pytest.raises(KeysRefusedError, match=r"lacks version .* restore keyring\.json"):
        kept.beside(work)


def test_every_column_of_wrapped_keys_is_rotated(kept):
    columns = kept.rows(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name LIKE '%wrapped'"
    )
    assert {tuple(row) for row in columns} == {(one.table, one.column) for one in WRAPPED}
