"""What is asked for, made from the sealed rows: one record a row, and of each person the records that name them.

All of it can be made again from the ledger, and compared with it. As the owner of the tables: nobody else writes here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger.bodies import Said, read_body
from ledger.rows import FOUND
from ledger.uses import note_uses

BATCH = 2_000
"""Rows indexed in one transaction."""
NOBODY = UUID(int=0)
"""The decision of a row that names none."""

RECORD = (
    *("index", "at", "kind", "outcome", "code", "decision", "role", "organization", "account", "token", "client"),
    *(
        "purpose",
        "operation_hash",
        "operation_name",
        "ruleset",
        "coordinates",
        "revealed",
        "masked",
        "denied",
        "misses",
    ),
)
ACCESS = ("reference", "at", "first", "indexes", "shown")

# Only one indexes at a time; who comes second has nothing to do.
_NEXT = "SELECT next FROM ledger_indexed FOR UPDATE SKIP LOCKED"
_MOVE = "UPDATE ledger_indexed SET next = $1"
_LEAVES = """
SELECT f.index, f.at, l.body
FROM (SELECT * FROM ledger_leaf WHERE index >= $1 ORDER BY index LIMIT $2) f
LEFT JOIN ledger l ON l.writer = f.writer AND l.sequence = f.sequence AND l.at = f.at
ORDER BY f.index
"""


@dataclass(slots=True)
class Access:
    """The rows of one month that name one person, some at a time: leaf indexes, ascending."""

    reference: int
    at: datetime
    indexes: list[int] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)

    def row(self) -> tuple[Any, ...]:
        """As `ledger_access` has it."""
        every = self.shown == self.indexes
        return self.reference, self.at, self.indexes[0], self.indexes, None if every else self.shown


Read = tuple[int, datetime, Said]
"""A leaf: its index, the time of its row, and what the row says."""


async def index_some(connection: Any, *, most: int = BATCH) -> int:  # noqa: ANN401 - asyncpg's proxy
    """Index the next sealed rows and give how many; 0 when all are, or somebody else is at it.

    All in one transaction: after a crash it begins again where it had begun. Raises the database's error.
    """
    async with connection.transaction():
        start = await connection.fetchval(_NEXT)
        return 0 if start is None else await _index_from(connection, start, most=most)


async def rebuild(connection: Any) -> int:  # noqa: ANN401 - asyncpg's proxy
    """Make all records and accesses anew and give how many rows were read.

    One transaction, so that whoever asks meanwhile is answered from what was there. Raises the database's error.
    """
    async with connection.transaction():
        await connection.execute("SELECT FROM ledger_indexed FOR UPDATE")
        await connection.execute("DELETE FROM ledger_record")
        await connection.execute("DELETE FROM ledger_access")
        start = total = 0
        while read := await _index_from(connection, start, most=BATCH):
            total += read
            start = await connection.fetchval("SELECT next FROM ledger_indexed")
    return total


async def _index_from(connection: Any, start: int, *, most: int) -> int:  # noqa: ANN401 - asyncpg's proxy
    leaves = await connection.fetch(_LEAVES, start, most)
    if leaves:
        rows = list(read_leaves(leaves))
        records, accesses = [record_of(*one) for one in rows], [one.row() for one in accesses_of(rows)]
        await connection.copy_records_to_table("ledger_record", records=records, columns=RECORD)
        await connection.copy_records_to_table("ledger_access", records=accesses, columns=ACCESS)
        await note_uses(connection, rows)
        await connection.execute(_MOVE, leaves[-1]["index"] + 1)
    return len(leaves)


def read_leaves(leaves: Sequence[Any]) -> Iterator[Read]:
    """The rows of some leaves; those whose month was dropped are left out."""
    return ((one["index"], one["at"], read_body(one["body"])) for one in leaves if one["body"] is not None)


def record_of(index: int, at: datetime, said: Said) -> tuple[Any, ...]:
    """A row as `ledger_record` has it."""
    return (
        *(index, at, said.kind, said.outcome, said.code, said.decision or NOBODY, said.role, said.organization),
        *(said.account, said.token, said.client, said.purpose, said.operation_hash, said.operation_name),
        *(said.ruleset, said.coordinates),
        *(said.count("REVEAL", FOUND), said.count("MASK"), said.count("DENY"), said.misses),
    )


def accesses_of(rows: Iterable[Read]) -> list[Access]:
    """The accesses of some rows in their order: one a person and month, since a month goes as a whole.

    Where months interleave there are more, so that those of one person never overlap.
    """
    found: dict[int, list[Access]] = {}
    for index, at, said in rows:
        concerned = said.concerned
        for reference in said.references:
            runs = found.setdefault(reference, [])
            if not runs or (runs[-1].at.year, runs[-1].at.month) != (at.year, at.month):
                runs.append(Access(reference, at))
            runs[-1].indexes.append(index)
            if reference in concerned:
                runs[-1].shown.append(index)
    return [one for runs in found.values() for one in runs]
