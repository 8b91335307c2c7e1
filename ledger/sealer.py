"""Seals the ledger's rows: appends them to the tree, signs a head and writes it to the second place.

The rows' leaves, the tree's nodes and the head are one transaction. The second place follows after its commit: a head
that is there first could not be told from one whose database was rolled back. A crash in between leaves the database
ahead, and whoever seals next begins by adding what the second place lacks, if it follows from what stands there.
"""

from collections import ChainMap
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from secrets import randbelow
from typing import Any
from uuid import UUID

import asyncpg

from ledger import tree
from ledger.head_keys import HeadKey
from ledger.heads import Head, HeadsError, SecondPlace, lines_to_add, sign
from ledger.rows import leaf_text
from ledger.strays import Strays, register

Sound = Callable[..., None]
"""Raises an alarm: a code, and details that are never of a person."""

BATCH = 5_000
"""Rows that one transaction seals."""
RECHECKED = 200
"""Sealed rows that are looked at again in one go."""
_PAGE = 1_000
_LOCK = 0x6C656467
"""Any number that nothing else in the database takes as its advisory lock."""

_WRITERS = "SELECT id, last FROM ledger_writer"
_SEALED = """
SELECT w.id, coalesce((SELECT max(f.sequence) FROM ledger_leaf f WHERE f.writer = w.id), 0) AS sealed
FROM unnest($1::uuid[]) w (id)
"""
_ROWS = """
SELECT w.id AS writer, r.sequence, r.at, r.body
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) w (id, sealed, last), LATERAL (
    SELECT l.sequence, l.at, l.body FROM ledger l
    WHERE l.writer = w.id AND l.sequence > w.sealed AND l.sequence <= w.last
    ORDER BY l.sequence, l.at LIMIT $4
) r LIMIT $4
"""
_NODES = """
SELECT n.level, n.index, n.hash
FROM ledger_node n JOIN unnest($1::int[], $2::bigint[]) w (level, index) USING (level, index)
UNION ALL
SELECT 0, f.index, f.hash FROM ledger_leaf f JOIN unnest($1::int[], $2::bigint[]) w (level, index) USING (index)
WHERE w.level = 0
"""
_LAST_HEAD = "SELECT signed FROM ledger_head ORDER BY size DESC LIMIT 1"
_HEADS_AFTER = "SELECT signed FROM ledger_head WHERE size > $1 ORDER BY size LIMIT $2"
_AGAIN = """
SELECT f.index, f.writer, f.sequence, f.hash, l.body,
    l.body IS NULL AND to_regclass('ledger_' || to_char(f.at, 'YYYY_MM')) IS NULL AS dropped
FROM ledger_leaf f LEFT JOIN ledger l ON l.writer = f.writer AND l.sequence = f.sequence AND l.at = f.at
WHERE f.index >= $1 ORDER BY f.index LIMIT $2
"""


async def nodes_of(connection: Any, places: Iterable[tree.Place]) -> dict[tree.Place, bytes]:  # noqa: ANN401 - asyncpg
    """The kept hashes of complete subtrees; one that is not there is left out."""
    levels, indexes = zip(*places, strict=True) if places else ((), ())
    rows = await connection.fetch(_NODES, levels, indexes)
    return {(row["level"], row["index"]): row["hash"] for row in rows}


async def last_head(connection: Any) -> Head | None:  # noqa: ANN401 - asyncpg
    """The database's last head. Raises HeadsError for one that is none."""
    line = await connection.fetchval(_LAST_HEAD)
    return None if line is None else _read(line)


def _read(line: str) -> Head:
    try:
        return Head.read(line)
    except ValueError as fault:
        raise HeadsError("LEDGER_HEAD_BROKEN", "A head in the database is no head: find out who changed it.") from fault


@dataclass(frozen=True, slots=True)
class _Row:
    writer: UUID
    sequence: int
    at: datetime
    body: str


@dataclass(slots=True)
class Sealer:
    """Seals over one connection of the owner's; several may, on any host, and one at a time does."""

    connection: Any
    key_path: Path
    place: SecondPlace
    sound: Sound
    clock: Callable[[], datetime]
    _done: dict[UUID, int] = field(default_factory=dict)
    """How far each writer's rows are sealed, at least."""
    _next: int | None = None
    """The leaf to look at again next."""
    _bad: set[int] = field(default_factory=set)
    _strays: Strays = field(init=False)

    def __post_init__(self) -> None:
        self._strays = Strays(self.sound)

    async def seal(self) -> int:
        """Seal whatever is unsealed by now; how many rows. Raises HeadsError, KeyringError, the database's errors."""
        sealed = 0
        while some := await self.seal_some():
            sealed += some
            if some < BATCH:
                break
        return sealed

    async def seal_some(self) -> int:
        """Seal one batch; how many rows. Raises as `seal` does."""
        async with self.alone():
            key = HeadKey.load(self.key_path)
            key.show(self.key_path)
            await self.publish(key)
            sealed = await self._seal_batch(key)
            if sealed:
                await self.publish(key)
            return sealed

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """While the block lasts, nobody else seals or writes to the second place."""
        await self.connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        try:
            yield
        finally:
            # A connection that is lost has lost its locks too.
            if not self.connection.is_closed():
                await self.connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)

    async def publish(self, key: HeadKey) -> None:
        """Bring the second place up to the database. Raises HeadsError where it knows of more than the database has."""
        written, signer = self.place.last()
        if written is not None:
            await self._check_known(written)
        if signer is None and await last_head(self.connection) is not None:
            # Moved, or taken away. It is made again, but what stood there stood there.
            self.sound("LEDGER_HEADS_BEGUN_ANEW")
        while True:
            rows = await self.connection.fetch(_HEADS_AFTER, written.size if written else 0, _PAGE)
            heads = [_read(row["signed"]) for row in rows]
            final = len(heads) < _PAGE
            self.place.add(lines_to_add(key, signer, heads, after=written, final=final))
            if final:
                return
            written, signer = heads[-1], heads[-1].key

    async def _check_known(self, written: Head) -> None:
        found = await self.connection.fetchval("SELECT signed FROM ledger_head WHERE size = $1", written.size)
        if found != written.line:
            message = (
                f"The second place knows the ledger with {written.size} rows and this database does not: it was rolled"
                " back or restored. Keep that file for the auditor, and see docs/ledger.md."
            )
            raise HeadsError("LEDGER_ROLLED_BACK", message)

    async def _seal_batch(self, key: HeadKey) -> int:
        head = await last_head(self.connection)
        size = head.size if head else 0
        edge = await self._edge(head) if head else {}
        rows, done = await self._unsealed()
        if rows:
            leaves = [tree.leaf_hash(leaf_text(row.writer, row.sequence, row.body).encode()) for row in rows]
            made = tree.appended(size, leaves, edge.__getitem__)
            root = tree.root(size + len(rows), ChainMap(made, edge).__getitem__)
            new = sign(key, size + len(rows), root, head, now=self.clock())
            await self._keep(rows, made, new, first=size)
        self._done |= done
        return len(rows)

    async def _edge(self, head: Head) -> dict[tree.Place, bytes]:
        """The nodes that the tree goes on from. Raises HeadsError where they are not those of its last head."""
        places = tree.needed(lambda get: tree.root(head.size, get))
        found = await nodes_of(self.connection, places)
        if len(found) < len(places) or tree.root(head.size, found.__getitem__) != head.root:
            message = f"The tree is not the one that the head of {head.size} rows signs: find out who changed it."
            raise HeadsError("LEDGER_TREE_CHANGED", message)
        return found

    async def _unsealed(self) -> tuple[list[_Row], dict[UUID, int]]:
        """Rows to seal, each writer's in its order, and how far each writer is sealed with them."""
        lasts = {row["id"]: row["last"] for row in await self.connection.fetch(_WRITERS)}
        for writer in [one for one, done in self._done.items() if lasts.get(one, 0) < done]:
            lasts[writer] = await self._put_back(writer, said=lasts.get(writer, 0))
        behind = {writer: last for writer, last in lasts.items() if last > self._done.get(writer, 0)}
        if not behind:
            return [], {}
        sealed = {
            row["id"]: max(row["sealed"], self._done.get(row["id"], 0))
            for row in await self.connection.fetch(_SEALED, list(behind))
        }
        writers = [one for one, last in behind.items() if sealed[one] < last]
        ends = [behind[one] for one in writers]
        found = await self.connection.fetch(_ROWS, writers, [sealed[one] for one in writers], ends, BATCH)
        rows = self._in_order(found, sealed)
        if len(found) < BATCH:
            # Everything has been read: what is not there by now is nowhere.
            for writer in writers:
                self._note_gap(writer, sealed[writer] + 1, behind[writer])
                sealed[writer] = behind[writer]
        return rows, sealed

    async def _put_back(self, writer: UUID, *, said: int) -> int:
        """A writer was said to have come less far than it did: how far it says now that it is put right."""
        self.sound("LEDGER_WRITER_CHANGED", writer=str(writer), said=said, last=self._done.pop(writer))
        return await register(self.connection, writer)

    def _in_order(self, found: Iterable[Mapping[str, Any]], sealed: dict[UUID, int]) -> list[_Row]:
        """The rows without doubles; `sealed` is brought up to them."""
        rows = []
        for one in found:
            writer, sequence = one["writer"], one["sequence"]
            if sequence == sealed[writer]:
                self.sound("LEDGER_ROW_DOUBLED", writer=str(writer), sequence=sequence)
                continue
            self._note_gap(writer, sealed[writer] + 1, sequence - 1)
            sealed[writer] = sequence
            rows.append(_Row(writer, sequence, one["at"], one["body"]))
        return rows

    def _note_gap(self, writer: UUID, first: int, last: int) -> None:
        if first <= last:
            self.sound("LEDGER_ROWS_MISSING", writer=str(writer), first=first, last=last)

    async def _keep(self, rows: list[_Row], made: Mapping[tree.Place, bytes], head: Head, *, first: int) -> None:
        leaves = [
            (first + place, row.writer, row.sequence, row.at, made[0, first + place]) for place, row in enumerate(rows)
        ]
        nodes = [(level, index, digest) for (level, index), digest in made.items() if level]
        try:
            async with self.connection.transaction():
                await self.connection.copy_records_to_table("ledger_leaf", records=leaves)
                await self.connection.copy_records_to_table("ledger_node", records=nodes)
                await self.connection.execute(
                    "INSERT INTO ledger_head (size, at, root, signed) VALUES ($1, $2, $3, $4)",
                    head.size, datetime.fromisoformat(head.at), head.root, head.line,
                )  # fmt: skip
        except asyncpg.UniqueViolationError as fault:
            message = "The tree holds leaves that no head signs: find out who added them."
            raise HeadsError("LEDGER_TREE_CHANGED", message) from fault

    async def recheck(self, most: int = RECHECKED) -> None:
        """Look at some sealed rows again, all in turn: one that was changed or deleted since is an alarm.

        So are rows that the register of writers hides, and those of a writer that it does not know.
        """
        await self._strays.look(self.connection)
        if self._next is None:
            head = await last_head(self.connection)
            # Wherever it begins, a process that lives shortly does not look at the same rows each time.
            self._next = randbelow(head.size) if head else 0
        rows = await self.connection.fetch(_AGAIN, self._next, most)
        self._next = rows[-1]["index"] + 1 if len(rows) == most else 0
        for row in rows:
            text = None if row["body"] is None else leaf_text(row["writer"], row["sequence"], row["body"])
            intact = row["dropped"] if text is None else tree.leaf_hash(text.encode()) == row["hash"]
            if not intact and row["index"] not in self._bad:
                self._bad.add(row["index"])
                self.sound("LEDGER_ROW_GONE" if text is None else "LEDGER_ROW_CHANGED", index=row["index"])
