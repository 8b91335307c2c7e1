"""Rotation: every data key wrapped anew by another key-encryption key, while everybody goes on reading and writing.

The new key stands in the keyring's file before it wraps anything, and whoever meets a version that they do not know
looks into the file (`vault.keyring.WrappingKeys`): so nobody ever meets one that they lack. A data key itself stays the
same, and so does all that it seals. An old key goes once nothing is wrapped by it, and with it what backups of before
hold (C66).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from authz.commands import OperatorRefusedError
from models.wrapping_versions import VERSION_OF, WRAPPED, WrappedColumn
from vault.keyring import Keyring, add_version, load, make_current, remove_version
from vault.sealing import SealedValueError, rewrap, unwrap, wrapped_by

PORTION = 500
"""Data keys of one transaction: few milliseconds in which whoever wants to change one of them waits."""
_PAUSE = 0.05
_WAIT_SECONDS = 2
_LOCK = 0x6E6B6579
"""Any number that nothing else in the database takes as its advisory lock."""

_TAKE = "SELECT pg_try_advisory_lock($1)"
_GIVE = "SELECT pg_advisory_unlock($1)"
_KNOW = """
INSERT INTO wrapping_version (version, known_since) SELECT v, $2 FROM unnest($1::int[]) AS n (v) ON CONFLICT DO NOTHING
"""
_KNOWN = "SELECT version, known_since, rewrapped_at, retired_at FROM wrapping_version ORDER BY version"
_DONE = "UPDATE wrapping_version SET rewrapped_at = $2 WHERE version = $1 AND rewrapped_at IS NULL"
_IS_DONE = "SELECT EXISTS (SELECT FROM wrapping_version WHERE version = $1 AND rewrapped_at IS NOT NULL)"
_RETIRE = "UPDATE wrapping_version SET retired_at = $2 WHERE version = $1 AND retired_at IS NULL"
_KEEP = "UPDATE wrapping_version SET retired_at = NULL WHERE version = $1"
# Whoever holds one of them for longer is passed over for now: to wait would be to stand in each other's way for ever.
_NEXT = """
SELECT t.id, t.{0.owner} AS owner, {0.retention} AS retention, t.{0.column} AS wrapped FROM {0.table} t
WHERE ($1::{1} IS NULL OR t.id > $1) AND substr(t.{0.column}, 1, 3) <> $2 ORDER BY t.id LIMIT $3
FOR UPDATE SKIP LOCKED
"""
_REPLACE = """
UPDATE {0.table} t SET {0.column} = n.wrapped FROM unnest($1::{1}[], $2::bytea[]) AS n (id, wrapped) WHERE t.id = n.id
"""
_LEFT = "SELECT count(*) FROM {0.table} WHERE substr({0.column}, 1, 3) <> $1"
_USED = f"""
SELECT {VERSION_OF.format("{0.column}")} AS version, count(*) FROM {{0.table}}
WHERE {{0.column}} IS NOT NULL GROUP BY 1
"""  # noqa: S608 - our own names


_NEWEST = "SELECT person_id, retention, wrapped FROM data_key WHERE wrapped IS NOT NULL ORDER BY id DESC LIMIT 20"


class KeysRefusedError(OperatorRefusedError):
    """Why no key was added, or taken away."""


@dataclass(frozen=True, slots=True)
class Version:
    """A key-encryption key: how many data keys it wraps, and what became of it."""

    number: int
    in_file: bool
    current: bool
    keys: int
    known_since: datetime | None
    rewrapped_at: datetime | None
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation has done."""

    version: int
    added: bool
    """Was there a new key to add, or one to go on with?"""
    rewrapped: int
    unreadable: int
    """Data keys that fail their check or whose key the keyring lacks; they stay as they are."""


async def know(connection: Any, keyring: Keyring, *, now: datetime) -> None:  # noqa: ANN401 - asyncpg's
    """Write down which versions wrap this database's keys, and check that the keyring has them.

    Raises KeysRefusedError for a keyring without one that has not been retired, and for another database's.
    """
    known = {row["version"]: row["retired_at"] for row in await connection.fetch(_KNOWN)}
    there = keyring.wrapping.versions
    lacking = sorted(version for version, retired_at in known.items() if retired_at is None and version not in there)
    if lacking:
        message = (
            f"The keyring lacks version {lacking[0]} of the key-encryption key, which this database uses: restore"
            " keyring.json as it was last; if that version was retired, this is a backup of before, and stays closed."
        )
        raise KeysRefusedError(message)
    newest = await connection.fetch(_NEWEST)
    if newest and not any(_opens(keyring, row) for row in newest):
        message = (
            "The keyring opens nothing of this database: it is another's, or was made anew. Restore keyring.json as it"
            " was last, or see which data directory NEEDFUL_DATA names."
        )
        raise KeysRefusedError(message)
    if set(there) - set(known):
        await connection.execute(_KNOW, there, now)


def _opens(keyring: Keyring, row: Any) -> bool:  # noqa: ANN401 - asyncpg's
    try:
        unwrap(keyring, row["wrapped"], person_id=row["person_id"], retention=row["retention"])
    except SealedValueError:
        return False
    return True


async def versions(connection: Any, keyring: Keyring) -> list[Version]:  # noqa: ANN401 - asyncpg's
    """Every version that the file or the database knows, the oldest first."""
    known = {row["version"]: row for row in await connection.fetch(_KNOWN)}
    there, current, used = keyring.wrapping.versions, keyring.wrapping.current, await _used(connection)
    found = []
    for number in sorted({*known, *there, *used}):
        row = known.get(number)
        times = (row["known_since"], row["rewrapped_at"], row["retired_at"]) if row else (None, None, None)
        found.append(Version(number, number in there, number == current, used.get(number, 0), *times))
    return found


async def rotate(
    connection: Any,  # noqa: ANN401 - asyncpg's, outside a transaction
    keyring: Keyring,
    path: Path,
    *,
    now: datetime,
    add_only: bool = False,
) -> Rotated:
    """Wrap every data key by a new key-encryption key; go on with a rotation that was not finished.

    `add_only`: the new one is put into the file at `path`, and wraps nothing until the next call. Raises
    KeysRefusedError, KeyringError, and the database's error: what is done by then stays done.
    """
    async with _alone(connection):
        added = await _begin(connection, path, now=now, add_only=add_only)
        version = max(keyring.wrapping.versions)
        if add_only:
            return Rotated(version, added, 0, 0)
        rewrapped = unreadable = 0
        for column in WRAPPED:
            done, closed = await _rewrap_all(connection, keyring, column)
            rewrapped, unreadable = rewrapped + done, unreadable + closed
        await connection.execute(_DONE, version, now)
        return Rotated(version, added, rewrapped, unreadable)


async def _begin(connection: Any, path: Path, *, now: datetime, add_only: bool) -> bool:  # noqa: ANN401 - as above
    """Add a version, unless one is there to go on with, and make it current; was one added?"""
    keyring = load(path)
    await know(connection, keyring, now=now)
    newest, current = max(keyring.wrapping.versions), keyring.wrapping.current
    waiting = newest != current
    unfinished = not await connection.fetchval(_IS_DONE, current) and set(await _used(connection)) - {current}
    added = not waiting and (add_only or not unfinished)
    if added:
        newest = add_version(path)
        await connection.execute(_KNOW, [newest], now)
    if not add_only:
        make_current(path, newest)
    return added


async def retire(
    connection: Any,  # noqa: ANN401 - asyncpg's, outside a transaction
    keyring: Keyring,
    path: Path,
    version: int,
    *,
    now: datetime,
) -> None:
    """Take away a key-encryption key by which nothing is wrapped any more. Raises KeysRefusedError, KeyringError."""
    async with _alone(connection):
        if version not in load(path).wrapping.versions:
            message = f"The keyring has no version {version}: see `keys status`."
            raise KeysRefusedError(message)
        if version >= keyring.wrapping.current:
            message = f"Version {version} wraps new data keys, or is about to: `keys rotate` first."
            raise KeysRefusedError(message)
        await know(connection, keyring, now=now)
        await _refuse_used(connection, version)
        # From here on nobody writes what it wraps; whoever already has is waited for, and counted.
        await connection.execute(_RETIRE, version, now)
        try:
            await _await_writers(connection)
            await _refuse_used(connection, version)
        except BaseException:
            await connection.execute(_KEEP, version)
            raise
        remove_version(path, version)


async def _await_writers(connection: Any) -> None:  # noqa: ANN401 - as above
    try:
        for table in sorted({column.table for column in WRAPPED}):
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{_WAIT_SECONDS}s'")
                await connection.execute(f"LOCK TABLE {table} IN SHARE MODE")
    except asyncpg.LockNotAvailableError:
        message = "Somebody has been writing data keys for longer than others can wait: try again."
        raise KeysRefusedError(message) from None


async def _refuse_used(connection: Any, version: int) -> None:  # noqa: ANN401 - as above
    count = (await _used(connection)).get(version, 0)
    if count:
        message = f"{count} data key(s) are wrapped by version {version}: `keys rotate` first."
        raise KeysRefusedError(message)


async def _used(connection: Any) -> dict[int, int]:  # noqa: ANN401 - as above
    """How many data keys each version wraps."""
    used: dict[int, int] = {}
    for column in WRAPPED:
        for version, count in await connection.fetch(_USED.format(column)):
            used[version] = used.get(version, 0) + count
    return used


async def _rewrap_all(connection: Any, keyring: Keyring, column: WrappedColumn) -> tuple[int, int]:  # noqa: ANN401
    """Wrap anew all of one column's; how many it was, and how many cannot be."""
    beginning = wrapped_by(keyring.wrapping.current)
    rewrapped = 0
    while True:
        unreadable, after = 0, None
        while True:
            async with connection.transaction():
                after, done, closed = await _portion(connection, keyring, column, after, beginning)
            rewrapped, unreadable = rewrapped + done, unreadable + closed
            if after is None:
                break
        if await connection.fetchval(_LEFT.format(column), beginning) <= unreadable:
            return rewrapped, unreadable
        # Others hold some, or have just added them.
        await asyncio.sleep(_PAUSE)


async def _portion(
    connection: Any,  # noqa: ANN401 - as above
    keyring: Keyring,
    column: WrappedColumn,
    after: object,
    beginning: bytes,
) -> tuple[object, int, int]:
    """Wrap anew some behind an id: the last one's, None at the end; how many were, and how many cannot be."""
    of_id = "bigint" if column.table == "data_key" else "uuid"
    rows = await connection.fetch(_NEXT.format(column, of_id), after, beginning, PORTION)
    ids, wrapped = [], []
    for row in rows:
        try:
            wrapped.append(rewrap(keyring, row["wrapped"], person_id=row["owner"], retention=row["retention"]))
        except SealedValueError:
            continue
        ids.append(row["id"])
    await connection.execute(_REPLACE.format(column, of_id), ids, wrapped)
    return rows[-1]["id"] if rows else None, len(ids), len(rows) - len(ids)


@asynccontextmanager
async def _alone(connection: Any) -> AsyncIterator[None]:  # noqa: ANN401 - as above
    if not await connection.fetchval(_TAKE, _LOCK):
        message = "Another rotation is at work. Try again when it is done."
        raise KeysRefusedError(message)
    try:
        yield
    finally:
        await connection.execute(_GIVE, _LOCK)
