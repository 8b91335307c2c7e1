import asyncio

import asyncpg
import pytest
from tortoise.apps import Apps
from tortoise.context import TortoiseContext
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.transactions import in_transaction

from models.database import APPEND_ONLY, READ_ONLY, TORTOISE, connect, migrate, pool
from models.embedded import database
from models.installation import InstallationError, open_installation

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
def found(tmp_path_factory, prepared):
    data_dir = tmp_path_factory.mktemp("found") / "data"
    prepared.empty(data_dir)
    installation = open_installation({"NEEDFUL_DATA": str(data_dir)})
    with database(installation) as served:
        asyncio.run(migrate(served))
        yield served


async def test_migrations_say_what_the_models_say():
    async with TortoiseContext() as context:
        await context.init(config=TORTOISE)
        assert isinstance(context.apps, Apps)
        changes = await MigrationAutodetector(context.apps, TORTOISE["apps"]).changes()
    assert [operation.describe() for writer in changes for operation in writer.operations] == []


async def test_migrating_twice_and_at_once_changes_nothing(found):
    async def tables():
        async with connect(found.owner, shared=False) as owner:
            return await owner.fetch("SELECT * FROM pg_class WHERE relkind = 'r' AND relacl IS NOT NULL")

    before = {row["relname"] for row in await tables()}
    await asyncio.gather(migrate(found), migrate(found), migrate(found))
    assert {row["relname"] for row in await tables()} == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET ruleset = 0",
        "DELETE FROM ledger",
        "TRUNCATE ledger",
        "DROP TABLE ledger",
        "ALTER TABLE ledger DISABLE TRIGGER ALL",
        "SELECT * FROM tortoise_migrations",
        "CREATE TABLE mine ()",
        "CREATE ROLE helper",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY ledger TO PROGRAM 'cat'",
        "SET ROLE needful_owner",
    ],
)
async def test_the_application_role_may_not(found, statement):
    async with connect(found.application) as application:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute(statement)


async def test_the_application_role_reads_and_writes_every_other_table(found):
    async with connect(found.application) as application:
        lacking = await application.fetch(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " AND relname <> 'tortoise_migrations' AND relname <> ALL($1)"
            " AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')"
            " AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))",
            [*READ_ONLY, *APPEND_ONLY],
        )
        assert lacking == []


@pytest.mark.parametrize("table", ["ledger", "correction", "correction_recipient"])
async def test_what_is_kept_as_history_the_application_role_adds_to_and_reads_and_never_changes_or_deletes(
    found, table
):
    rights = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
    async with connect(found.application) as application:
        held = {one for one in rights if await application.fetchval("SELECT has_table_privilege($1, $2)", table, one)}
        assert held == {"SELECT", "INSERT"}
        for change in (f"DELETE FROM {table}", f"UPDATE {table} SET id = id"):  # noqa: S608 - our own names
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await application.execute(change)


@pytest.mark.parametrize("table", READ_ONLY)
async def test_who_is_let_in_and_how_far_is_not_the_application_roles_to_change(found, table):
    async with connect(found.application) as application:
        await application.fetch(f"TABLE {table}")
        key = await application.fetchval(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum = 1", table
        )
        for change in ("DELETE FROM {0}", "INSERT INTO {0} DEFAULT VALUES", "UPDATE {0} SET {1} = {1}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await application.execute(change.format(table, key))


async def test_compiled_statements_run_on_the_pool_that_tortoise_uses(found):
    async with connect(found.application) as application:
        assert pool() is application
        async with in_transaction(), in_transaction():
            assert pool() is application


async def test_requests_started_elsewhere_find_the_connection(found):
    async def serve(ready, stop):
        async with connect(found.application):
            ready.set()
            await stop.wait()

    ready, stop = asyncio.Event(), asyncio.Event()
    server = asyncio.create_task(serve(ready, stop))
    await ready.wait()
    assert await pool().fetchval("SELECT 1") == 1
    stop.set()
    await server


async def test_the_ledger_dates_each_row_by_the_moment_it_is_written(found):
    async with connect(found.owner, shared=False) as owner:
        default = await owner.fetchval(
            "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute"
            " ON attrelid = adrelid AND attnum = adnum"
            " WHERE adrelid = 'ledger'::regclass AND attname = 'at'"
        )
    assert default == "CURRENT_TIMESTAMP"


async def test_a_database_of_a_newer_needful_is_refused(found):
    insert = "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('models', '9999_future', now())"
    async with connect(found.owner, shared=False) as owner:
        await owner.execute(insert)
    try:
        with pytest.raises(InstallationError, match="newer Needful"):
            await migrate(found)
    finally:
        async with connect(found.owner, shared=False) as owner:
            await owner.execute("DELETE FROM tortoise_migrations WHERE name = '9999_future'")


async def test_an_application_role_that_could_do_more_is_refused(found):
    async with connect(found.owner, shared=False) as owner:
        await owner.execute("ALTER ROLE needful_app CREATEROLE")
    try:
        with pytest.raises(InstallationError, match="may do more"):
            await migrate(found)
    finally:
        async with connect(found.owner, shared=False) as owner:
            await owner.execute("ALTER ROLE needful_app NOCREATEROLE")


async def test_a_case_names_a_consent_of_its_own_person_and_a_claim_its_policys_parties(found):
    async with connect(found.owner, shared=False) as owner:
        pairs = await owner.fetch(
            "SELECT conrelid::regclass::text, confrelid::regclass::text, array_length(conkey, 1) FROM pg_constraint"
            " WHERE contype = 'f' AND array_length(conkey, 1) > 1"
        )
        assert {tuple(pair) for pair in pairs} == {
            ("claim", "policy", 4),
            ("beneficiary", "policy", 2),
            ("verification_case", "consent", 2),
        }
