"""Appending to the ledger: one row an operation, committed before the bytes leave (C59)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from models.vocabulary import Purpose, Role

_SQL = """
INSERT INTO ledger (decision_id, role, organization_id, subject_id, token_id, purpose, operation_hash, operation_name,
                    ruleset, ruleset_digest, entries)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb)
"""

Entry = tuple[str, str, str, str | None, int]
"""Coordinate, path pattern, effect, reason and count. Never a value."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What the ledger keeps of one operation."""

    decision_id: UUID
    role: Role
    organization: UUID | None
    account: UUID | None
    token_id: str
    purpose: Purpose
    operation_hash: str
    operation_name: str | None
    ruleset: int
    ruleset_digest: str
    entries: Sequence[Entry]


async def append(connection: Any, operation: Operation) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Write the row and wait until it is committed. Raises the database's error if it cannot be."""
    await connection.execute(
        _SQL,
        operation.decision_id,
        operation.role.value,
        operation.organization,
        operation.account,
        operation.token_id,
        operation.purpose.value,
        operation.operation_hash,
        operation.operation_name,
        operation.ruleset,
        operation.ruleset_digest,
        orjson.dumps(operation.entries).decode(),
    )
