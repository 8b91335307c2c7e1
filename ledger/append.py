"""Adding rows to the ledger inside somebody else's transaction: what is rolled back leaves neither row nor gap."""

from typing import Any
from uuid import UUID, uuid4

from ledger.references import references_of
from ledger.rows import Operation, body_of

ADD = "SELECT ledger_add($1, $2, $3)"
"""The next rows of a writer. Nobody else writes as the same one until the transaction ends."""


async def add(connection: Any, writer: UUID, operation: Operation) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Write one row as the next of `writer`, last thing in its transaction. Raises the database's error."""
    references = await references_of(connection, operation.people)
    await connection.execute(ADD, writer, [operation.at], [body_of(operation, references.__getitem__)])


async def add_alone(connection: Any, *operations: Operation) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Write rows as a writer of their own, in the connection's transaction: for a process that writes no others."""
    writer = uuid4()
    for operation in operations:
        await add(connection, writer, operation)
