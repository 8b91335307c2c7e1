"""Consents given before notices were kept: they stay as they are, and a receipt of one claims no more than is known."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from tortoise.connection import get_connection
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget
from tortoise.migrations.schema_editor import AsyncpgSchemaEditor

from models.database import CONNECTION, TORTOISE, connect
from models.embedded import database
from models.installation import open_installation
from models.migrating import migrate
from models.notices import FIRST
from privacy.notices import keep_default_notice
from privacy.receipt_keys import ReceiptKeyFile
from privacy.receipts import STATEMENT, Receipts

NOW = datetime(2026, 11, 1, tzinfo=UTC)
INSERT = (
    "INSERT INTO consent (id, person_id, purpose, categories, notice_version, notice_hash, granted_at, withdrawn_at)"
    " VALUES ($1, $2, 'marketing', 1, 'of then', $3, $4, $5)"
)


async def given_before(served):
    """A database as the version before notices left it, with two consents: one runs, one was taken back."""
    person, running, ended = uuid4(), uuid4(), uuid4()
    async with connect(served.owner, shared=False) as owner:
        await owner.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        executor = MigrationExecutor(get_connection(CONNECTION), TORTOISE["apps"])
        await executor.recorder.ensure_schema(AsyncpgSchemaEditor(executor.connection, atomic=False))
        await executor.migrate([MigrationTarget("models", "0007_rulesets")])
        await owner.execute("INSERT INTO person (id, source) VALUES ($1, 'application')", person)
        await owner.execute(INSERT, running, person, FIRST.digest, NOW, None)
        await owner.execute(INSERT, ended, person, "ab" * 32, NOW, NOW)
    await migrate(served)
    async with connect(served.owner, shared=False) as owner, owner.acquire() as connection:
        await keep_default_notice(connection, now=NOW)
        rows = await connection.fetch(STATEMENT, [running, ended], [person])
    return {row["id"]: row for row in rows}, running, ended


def test_c68_a_receipt_of_an_earlier_consent_names_no_notice_controller_or_doer_that_nobody_knows(tmp_path, prepared):
    prepared.empty(tmp_path / "data")
    installation = open_installation({"NEEDFUL_DATA": str(tmp_path / "data")})
    with database(installation) as served:
        rows, running, ended = asyncio.run(given_before(served))
    receipts = Receipts(ReceiptKeyFile(tmp_path / "keys"), "https://needful.test")
    unknown = receipts.of(rows[ended]).document
    assert unknown["piiControllers"] == []
    assert unknown["notice"] == {"version": "of then", "hash": "ab" * 32, "field": None, "published": False}
    assert [(one["eventType"], one["by"]) for one in unknown["events"]] == [("given", "SELF"), ("withdrawn", None)]
    known = receipts.of(rows[running]).document
    assert known["piiControllers"][0]["piiController"]
    assert known["notice"]["published"]
