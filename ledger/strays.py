"""Rows that the register of writers does not tell of: found, told of, and sealed with the others all the same.

The application's role adds rows, and changes `ledger_writer` as it does. So whoever has it can add rows under an id
that is nobody's, or say of a writer that it came less far than it did, so that rows are not sealed or stand where
others stood. Writers and rows are looked at in their order, some each time, in the end all of them, over and over.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import randbits
from typing import Any
from uuid import UUID

import asyncpg

WRITERS = 50
"""Writers that are looked at in one go."""
ROWS = 200
"""Rows that are looked for in the tree in one go."""
_FIRST = UUID(int=0)
_ID_BITS = 128
_LOWEST = -(1 << 63)
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_MOST_TOLD = 1_000
_ALL = 1_000_000_000

_WALK = """
WITH RECURSIVE walk (id, nth) AS (
    (SELECT writer, 1 FROM ledger WHERE writer >= $1 ORDER BY writer LIMIT 1)
    UNION ALL
    SELECT (SELECT l.writer FROM ledger l WHERE l.writer > walk.id ORDER BY l.writer LIMIT 1), nth + 1
    FROM walk WHERE id IS NOT NULL AND nth < $2
)
SELECT walk.id, w.last AS registered, (SELECT max(l.sequence) FROM ledger l WHERE l.writer = walk.id) AS newest
FROM walk LEFT JOIN ledger_writer w USING (id) WHERE id IS NOT NULL ORDER BY nth
"""
# The newest rows are not sealed yet; a row that is no later than a sealed one of its writer never will be.
_UNSEALABLE = """
SELECT l.writer, l.sequence, l.at, CASE WHEN f.index IS NULL THEN l.sequence <= coalesce(
    (SELECT max(s.sequence) FROM ledger_leaf s WHERE s.writer = l.writer), 0) ELSE FALSE END AS stray,
    EXISTS (SELECT FROM ledger_leaf s WHERE s.writer = l.writer AND s.sequence = l.sequence) AS taken
FROM (
    SELECT writer, sequence, at FROM ledger WHERE (writer, sequence, at) > ($1, $2, $3)
    ORDER BY writer, sequence, at LIMIT $4
) l LEFT JOIN ledger_leaf f ON f.writer = l.writer AND f.sequence = l.sequence AND f.at = l.at
ORDER BY l.writer, l.sequence, l.at
"""
_REGISTER = """
INSERT INTO ledger_writer (id, last) SELECT $1, greatest(0,
    (SELECT max(sequence) FROM ledger WHERE writer = $1), (SELECT max(sequence) FROM ledger_leaf WHERE writer = $1))
ON CONFLICT (id) DO UPDATE SET last = greatest(ledger_writer.last, excluded.last)
"""
_REGISTERED = "SELECT coalesce((SELECT last FROM ledger_writer WHERE id = $1), 0)"

_log = logging.getLogger("needful.sealer")


async def unregistered(connection: Any, first: UUID = _FIRST, most: int = _ALL) -> tuple[list[Any], UUID | None]:  # noqa: ANN401 - asyncpg's
    """Of `most` writers from `first` on those with more rows than the register says; where to go on, if anywhere.

    Each has its `id`, `registered` (None for one that the register does not know) and `newest` sequence.
    """
    rows = await connection.fetch(_WALK, first, most)
    found = [row for row in rows if row["registered"] is None or row["registered"] < row["newest"]]
    return found, rows[-1]["id"] if len(rows) == most else None


async def register(connection: Any, writer: UUID) -> int:  # noqa: ANN401 - asyncpg's
    """Have the register say how far a writer's rows go, so that they are sealed; how far it says by now."""
    try:
        async with connection.transaction():
            # Whoever holds the writer's lock must not hold the sealer.
            await connection.execute("SET LOCAL lock_timeout = '100ms'")
            await connection.execute(_REGISTER, writer)
    except asyncpg.LockNotAvailableError:
        _log.warning("the writer %s could not be registered: the next look tries again", writer)
    found: int = await connection.fetchval(_REGISTERED, writer)
    return found


def _anywhere() -> UUID:
    # Wherever it begins, a process that lives shortly does not look at the same ones each time.
    return UUID(int=randbits(_ID_BITS))


@dataclass(slots=True)
class Strays:
    """Looks at some writers and some rows each time."""

    sound: Callable[..., None]
    _writer: UUID = field(default_factory=_anywhere)
    _row: tuple[UUID, int, datetime] = field(default_factory=lambda: (_anywhere(), _LOWEST, _EARLIEST))
    _told: set[tuple[UUID, int, datetime]] = field(default_factory=set)

    async def look(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg's
        """Sound what is wrong with the next of them. Raises the database's errors."""
        await self._look_at_writers(connection)
        await self._look_at_rows(connection)

    async def _look_at_writers(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg's
        found, after = await unregistered(connection, self._writer, WRITERS)
        for one in found:
            if one["registered"] is None:
                self.sound("LEDGER_ROWS_FOREIGN", writer=str(one["id"]), last=one["newest"])
            else:
                self.sound("LEDGER_WRITER_CHANGED", writer=str(one["id"]), said=one["registered"], last=one["newest"])
            await register(connection, one["id"])
        self._writer = after or _FIRST

    async def _look_at_rows(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg's
        rows = await connection.fetch(_UNSEALABLE, *self._row, ROWS)
        for row in rows:
            place = row["writer"], row["sequence"], row["at"]
            if row["stray"] and place not in self._told and len(self._told) < _MOST_TOLD:
                self._told.add(place)
                code = "LEDGER_ROW_DOUBLED" if row["taken"] else "LEDGER_ROWS_FOREIGN"
                self.sound(code, writer=str(row["writer"]), sequence=row["sequence"])
        last = rows[-1] if len(rows) == ROWS else None
        self._row = (last["writer"], last["sequence"], last["at"]) if last else (_FIRST, _LOWEST, _EARLIEST)
