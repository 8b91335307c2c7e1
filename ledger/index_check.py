"""Is the index what the ledger says? Everything is made again beside it and compared; nothing is changed."""

from dataclasses import dataclass
from typing import Any

from ledger.index import BATCH, RECORD, read_leaves, record_of

_TABLES = (
    "CREATE TEMP TABLE expected_record (LIKE ledger_record)",
    "CREATE TEMP TABLE expected_access (reference bigint, index bigint, shown boolean)",
)
_LEAVES = """
SELECT f.index, f.at, l.body
FROM (SELECT * FROM ledger_leaf WHERE index >= $1 AND index < $2 ORDER BY index LIMIT $3) f
LEFT JOIN ledger l ON l.writer = f.writer AND l.sequence = f.sequence AND l.at = f.at
ORDER BY f.index
"""
_COLUMNS = ", ".join(f'"{name}"' for name in RECORD)
_RECORDS = f"SELECT {_COLUMNS} FROM"
_ACCESSES = "SELECT reference, index, shown FROM"
_FOUND_ACCESSES = """
(SELECT a.reference, i.index, a.shown IS NULL OR i.index = ANY(a.shown) AS shown
 FROM ledger_access a CROSS JOIN unnest(a.indexes) i(index)) found
"""
# What is shown must be among what is named, and the first the first: by these an access is found.
_BROKEN = """
SELECT first AS index FROM ledger_access WHERE first IS DISTINCT FROM indexes[1] OR NOT coalesce(shown, '{}') <@ indexes
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """How many rows were compared, how many places differ, and the first leaf that one of them speaks of."""

    rows: int
    places: int
    first: int | None


async def compare(connection: Any) -> Difference:  # noqa: ANN401 - asyncpg's proxy
    """Compare the index with the rows as far as it says to go. As the owner. Raises the database's error."""
    async with connection.transaction():
        for table in _TABLES:
            await connection.execute(table)
        # Nothing is indexed as long as somebody compares.
        until = await connection.fetchval("SELECT next FROM ledger_indexed FOR SHARE")
        rows = await _expect(connection, until)
        differing = " UNION ALL ".join(
            (
                f"SELECT index FROM ({_either(_RECORDS, 'ledger_record', 'expected_record')}) r",  # noqa: S608 - as above
                f"SELECT index FROM ({_either(_ACCESSES, _FOUND_ACCESSES, 'expected_access')}) a",  # noqa: S608 - as above
                _BROKEN,
            )
        )
        places, first = await connection.fetchrow(f"SELECT count(*), min(index) FROM ({differing}) d")  # noqa: S608 - as above
        await connection.execute("DROP TABLE expected_record, expected_access")
    return Difference(rows, places, first)


async def _expect(connection: Any, until: int) -> int:  # noqa: ANN401 - asyncpg's proxy
    start = total = 0
    while leaves := await connection.fetch(_LEAVES, start, until, BATCH):
        rows = list(read_leaves(leaves))
        records = [record_of(*one) for one in rows]
        accesses = [(who, index, who in said.concerned) for index, _, said in rows for who in said.references]
        await connection.copy_records_to_table("expected_record", records=records, columns=RECORD)
        await connection.copy_records_to_table("expected_access", records=accesses)
        start, total = leaves[-1]["index"] + 1, total + len(rows)
    return total


def _either(select: str, one: str, other: str) -> str:
    """What one has and the other has not, either way round, each as often as it differs."""
    return f"({select} {one} EXCEPT ALL {select} {other}) UNION ALL ({select} {other} EXCEPT ALL {select} {one})"
