"""Loading in bulk: indexes and foreign keys stand aside while rows come in, and are made again from what they were."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

# What an index or constraint is made from, with the order of making: indexes, unique constraints, foreign keys.
_SET_ASIDE = """
SELECT format('DROP INDEX %s', i.indexrelid::regclass) AS drop, pg_get_indexdef(i.indexrelid) AS make, 1 AS step
FROM pg_index i
WHERE i.indrelid = ANY($1::text[]::regclass[])
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid)
UNION ALL
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)),
       CASE contype WHEN 'u' THEN 2 ELSE 3 END
FROM pg_constraint
WHERE conrelid = ANY($1::text[]::regclass[]) AND contype IN ('u', 'f')
ORDER BY step
"""


@asynccontextmanager
async def in_bulk(connection: asyncpg.Connection, tables: Sequence[str]) -> AsyncIterator[None]:
    """Within a transaction of the owner's: no index but the primary keys, and no foreign key, until the block ends.

    Checking a million rows against a foreign key at once costs a fraction of checking each as it comes.
    """
    found = await connection.fetch(_SET_ASIDE, list(tables))
    for entry in reversed(found):
        await connection.execute(entry["drop"])
    yield
    for entry in found:
        await connection.execute(entry["make"])
