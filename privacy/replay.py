"""The replay: erasures that a database does not know, since it was restored from a backup, are done again (C66).

The database holds a mark: how far into the file of tombstones it has applied all of them. What stands behind it is
applied before anybody is served. What it has applied already does no harm done once more.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from models.vocabulary import Retention
from privacy.erasure import apply
from privacy.jobs import Job, Turn
from privacy.tombstones import BEGINNING, Mark, Tombstone, Tombstones, TombstonesLostError
from vault.keyring import Keyring
from vault.sealing import SealedValueError

LOST = "TOMBSTONES_LOST"
_STEP = 100
"""Tombstones after which the mark is moved: so many are looked at again by whoever goes on after a crash."""
_LOCK = 0x6E737465
"""Any number that nothing else in the database takes as its advisory lock."""

_TAKE = "SELECT pg_advisory_lock($1)"
_GIVE = "SELECT pg_advisory_unlock($1)"
_MARK = "SELECT size, digest, stones FROM tombstone_mark"
_SET = """
INSERT INTO tombstone_mark (one, size, digest, stones, marked_at) VALUES (true, $1, $2, $3, clock_timestamp())
ON CONFLICT (one) DO UPDATE SET size = $1, digest = $2, stones = $3, marked_at = excluded.marked_at
"""
_TABLE = "CREATE TEMPORARY TABLE standing (person uuid NOT NULL, retention smallint NOT NULL, at timestamptz NOT NULL)"
_DROP = "DROP TABLE IF EXISTS standing"
# In order, so that a person's classes go into one tombstone.
_UNLISTED = """
SELECT k.person_id, k.retention, k.erased_at, r.until FROM data_key k
LEFT JOIN restricted_record r ON r.person_id = k.person_id
WHERE k.wrapped IS NULL AND NOT EXISTS (SELECT FROM standing s WHERE s.person = k.person_id
AND s.retention = k.retention AND (k.erased_at IS NULL OR s.at >= k.erased_at))
ORDER BY k.person_id, k.retention
"""
# Whoever came back after an erasure has a new key, of which the tombstone says nothing.
_UNAPPLIED = """
SELECT count(DISTINCT k.person_id) FROM data_key k WHERE k.wrapped IS NOT NULL
AND EXISTS (SELECT FROM standing s WHERE s.person = k.person_id AND s.retention = k.retention
AND (k.erased_at IS NULL OR s.at > k.erased_at))
"""


@dataclass(frozen=True, slots=True)
class Compared:
    """What the file and the database do not agree on."""

    unlisted: tuple[Tombstone, ...]
    """Erased in the database, and not in the file: as tombstones for it."""
    unapplied: int
    """How many people the file says are erased, and the database has keys of."""


async def mark_of(connection: Any) -> Mark:  # noqa: ANN401 - asyncpg's
    """How far the database knows the tombstones."""
    row = await connection.fetchrow(_MARK)
    return Mark(*row) if row else BEGINNING


async def replay(connection: Any, keyring: Keyring, tombstones: Tombstones) -> int:  # noqa: ANN401 - asyncpg's
    """Apply, as the owner and outside a transaction, what the database does not know; how many tombstones changed it.

    It commits step by step. Raises TombstonesLostError if the file lacks what the database knows, TombstonesError, and
    the database's error.
    """
    async with _alone(connection):
        changed, reached = 0, None
        for stone, reached in tombstones.after(await mark_of(connection)):
            changed += await _applied(connection, keyring, stone)
            if not reached.stones % _STEP:
                await _set(connection, reached)
        if reached is not None:
            await _set(connection, reached)
        return changed


async def _applied(connection: Any, keyring: Keyring, stone: Tombstone) -> bool:  # noqa: ANN401 - as above
    try:
        return await apply(connection, keyring, stone)
    except SealedValueError:
        # What cannot be opened cannot be kept apart either; it is no reason to keep what has been erased.
        return await apply(connection, keyring, replace(stone, keep_until=None))


async def compare(connection: Any, tombstones: Tombstones, *, now: datetime) -> Compared:  # noqa: ANN401 - as above
    """Compare the whole file with the database's keys. Raises TombstonesError."""
    async with connection.transaction():
        await connection.execute(_DROP)
        await connection.execute(_TABLE)
        pairs = ((stone.person, int(one), stone.at) for stone in tombstones.read() for one in stone.classes)
        await connection.copy_records_to_table("standing", records=pairs)
        await connection.execute("ANALYZE standing")
        unlisted = await connection.fetch(_UNLISTED)
        unapplied = await connection.fetchval(_UNAPPLIED)
        await connection.execute(_DROP)
    return Compared(tuple(_stones(unlisted, now=now)), unapplied)


def _stones(rows: Any, *, now: datetime) -> Iterator[Tombstone]:  # noqa: ANN401 - asyncpg's rows
    for person, group in groupby(rows, lambda row: row["person_id"]):
        found = list(group)
        at = max((row["erased_at"] for row in found if row["erased_at"]), default=now)
        yield Tombstone(person, frozenset(Retention(row["retention"]) for row in found), at, found[0]["until"])


async def complete(connection: Any, keyring: Keyring, tombstones: Tombstones, *, now: datetime) -> int:  # noqa: ANN401
    """Add to the file who is erased in the database only: whoever erased them was killed; how many tombstones.

    Raises as `replay` does.
    """
    await replay(connection, keyring, tombstones)
    unlisted = (await compare(connection, tombstones, now=now)).unlisted
    tombstones.add(unlisted)
    await replay(connection, keyring, tombstones)
    return len(unlisted)


async def rebuild(connection: Any, keyring: Keyring, tombstones: Tombstones, *, now: datetime) -> int:  # noqa: ANN401
    """After a loss: make of what the file has left, and of what is erased in the database, a whole one.

    How many tombstones were added. What only the lost part named, and this database does not know either, is lost.
    """
    async with _alone(connection):
        await _set(connection, BEGINNING)
    return await complete(connection, keyring, tombstones, now=now)


async def _set(connection: Any, mark: Mark) -> None:  # noqa: ANN401 - as above
    await connection.execute(_SET, mark.size, mark.digest, mark.stones)


@asynccontextmanager
async def _alone(connection: Any) -> AsyncIterator[None]:  # noqa: ANN401 - as above
    # One after the other: a mark never goes back.
    await connection.execute(_TAKE, _LOCK)
    try:
        yield
    finally:
        await connection.execute(_GIVE, _LOCK)


async def _replay_turn(turn: Turn) -> Mapping[str, int]:
    try:
        return {"replayed": await replay(turn.connection, turn.keyring, _tombstones(turn))}
    except TombstonesLostError:
        turn.sound(LOST)
        return {}


async def _complete_turn(turn: Turn) -> Mapping[str, int]:
    try:
        return {"added": await complete(turn.connection, turn.keyring, _tombstones(turn), now=turn.now)}
    except TombstonesLostError:
        # The other job has said so.
        return {}


def _tombstones(turn: Turn) -> Tombstones:
    return Tombstones(turn.installation.tombstones_path)


REPLAY = Job("tombstones", "*/5 * * * *", _replay_turn)
COMPLETE = Job("tombstones-complete", "40 4 * * *", _complete_turn)
