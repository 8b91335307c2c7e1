"""Rows for the ledger, sealed as far as its index looks: leaves in an order, with their hashes."""

import json
from uuid import uuid4

from ledger.index import index_some

WRITE = "INSERT INTO ledger (writer, sequence, at, body) VALUES ($1, $2, $3, $4)"
SEAL = """
INSERT INTO ledger_leaf (index, writer, sequence, at, hash)
SELECT (SELECT coalesce(max(index) + 1, 0) FROM ledger_leaf)
        + row_number() OVER (ORDER BY l.at, l.writer, l.sequence) - 1, l.writer, l.sequence, l.at,
    sha256('\\x00'::bytea || convert_to(l.writer || ':' || l.sequence || ':' || l.body, 'UTF8'))
FROM ledger l WHERE NOT EXISTS (SELECT FROM ledger_leaf f WHERE f.writer = l.writer AND f.sequence = l.sequence)
"""


async def write(connection, *rows):
    """Add texts with their times, as one writer's."""
    writer = uuid4()
    await connection.execute("INSERT INTO ledger_writer (id, last) VALUES ($1, $2)", writer, len(rows))
    for sequence, (at, body) in enumerate(rows, start=1):
        text = body if isinstance(body, str) else json.dumps(body)
        await connection.execute(WRITE, writer, sequence, at, text)


async def seal(connection):
    """Give every row its leaf."""
    await connection.execute(SEAL)


async def index(connection, most=2_000):
    """Index all that is sealed."""
    while await index_some(connection, most=most):
        pass
