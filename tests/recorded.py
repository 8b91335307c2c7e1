"""Rows of the ledger as a test reads them: as the owner of the tables, by what their bodies say."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

from models.database import connect_once

ROW = "SELECT body FROM ledger WHERE body::jsonb ->> 'decision' = $1::text"
NAMED = "SELECT body FROM ledger WHERE body::jsonb -> 'operation' ->> 'name' LIKE $1 ORDER BY at, sequence"
ALL = "SELECT body FROM ledger ORDER BY at, sequence"


def said(rows) -> list[dict]:
    """The bodies, read."""
    return [json.loads(row["body"]) for row in rows]


def came_of(body) -> tuple[str, str, str | None]:
    """Of a write: its root field, the outcome and the code."""
    (name,), effect, *_ = body["entries"][0]
    assert body["kind"] in ("WRITE", "LOGIN")
    assert effect == "WRITE"
    return name, body["outcome"], body.get("code")


def as_owner(server, work):
    """Run something as the owner of the tables."""

    async def run():
        connection = await connect_once(server.database.owner)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


@contextmanager
def unwritable(server) -> Iterator[None]:
    """For as long as the block lasts, the application can add no row to the ledger."""
    role = server.database.application.user
    as_owner(server, lambda owner: owner.execute(f'REVOKE EXECUTE ON FUNCTION ledger_add FROM "{role}"'))
    try:
        yield
    finally:
        as_owner(server, lambda owner: owner.execute(f'GRANT EXECUTE ON FUNCTION ledger_add TO "{role}"'))
