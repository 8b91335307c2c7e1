import asyncio
import json
import time
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
from tortoise.apps import Apps
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget
from tortoise.migrations.schema_editor import AsyncpgSchemaEditor
from tortoise.transactions import in_transaction

from models.database import CONNECTION, TORTOISE, connect, connect_once, pool
from models.embedded import database
from models.installation import InstallationError, open_installation
from models.ledger import PARTITIONED
from models.migrating import APPEND_ONLY, CHANGED_IN_PART, READ_ONLY, migrate

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
        "UPDATE ledger SET body = ''",
        "SELECT body FROM ledger",
        "SELECT * FROM ledger_rest",
        "INSERT INTO ledger VALUES (gen_random_uuid(), 1, now(), '{}')",
        "INSERT INTO ledger_rest VALUES (gen_random_uuid(), 1, now(), '')",
        "INSERT INTO ledger_writer (id, last) VALUES (gen_random_uuid(), 1)",
        "UPDATE ledger_writer SET last = 0",
        "DELETE FROM ledger_writer",
        "DELETE FROM person_reference",
        "UPDATE person_reference SET reference = 1",
        "UPDATE person_reference SET person_id = gen_random_uuid()",
        "INSERT INTO person_reference (person_id, reference) VALUES (gen_random_uuid(), 1)",
        "SELECT ledger_partitions('2000-01-01', 1)",
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
            " AND relname <> 'tortoise_migrations' AND relname <> ALL($1) AND NOT relispartition"
            " AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')"
            " AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))",
            [*READ_ONLY, *APPEND_ONLY, *CHANGED_IN_PART, "ledger", "person_reference"],
        )
        assert lacking == []


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_what_is_kept_as_history_the_application_role_adds_to_and_reads_and_never_changes_or_deletes(
    found, table
):
    rights = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
    async with connect(found.application) as application:
        held = {one for one in rights if await application.fetchval("SELECT has_table_privilege($1, $2)", table, one)}
        assert held == {"SELECT", "INSERT"}
        column = await application.fetchval(
            "SELECT column_name FROM information_schema.columns WHERE table_name = $1 LIMIT 1", table
        )
        for change in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}"):  # noqa: S608 - our own names
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await application.execute(change)


FIXED = {
    "broken_glass": {
        *("id", "account", "role", "purpose", "categories", "reason", "opened_by", "opened_at", "until"),
    },
    "campaign": {
        *("id", "recipient_id", "tags", "tag_digests", "opens_at", "closes_at", "opened_by", "opened_at"),
    },
    "ceasing": {"id", "announcement", "day", "proposed_at", "proposed_by"},
    "marketing_refusal": {"id", "person_id", "channel", "said_by", "refused_at"},
    "virtual_phone": {"id", "person_id", "organization_id", "number_sealed", "number_digest", "issued_at"},
    "consent": {
        *("id", "person_id", "guardian_id", "purpose", "recipient_id", "categories", "notice_version", "notice_hash"),
        *("granted_at", "expires_at", "audience_id"),
    },
    "export_link": {"id", "digest", "person_id", "requester_id", "request_id", "issued_at", "expires_at"},
    "disclosure_case": {
        *("id", "kind", "purpose", "recipient_id", "authority", "document", "categories", "expires_at", "exception"),
        *("document_kind", "filed", "justification", "basis", "undertaking", "manner", "items", "receiver_id"),
        *("opened_by_id", "opened_at", "secret_until", "secret_ground", "reminded_at", "secrecy_ended_at"),
    },
    "disclosure_choice": {
        *("id", "person_id", "manner", "items", "receiver_id", "categories", "chosen_by", "chosen_at"),
    },
    "guardian_link": {"id", "guardian_id", "child_id", "request_id", "verified_at", "verified_by"},
    "guardian_request": {"id", "guardian_id", "evidence_kind", "reference", "requested_at"},
    "incident": {
        *("id", "drill", "severity", "facts", "noticed_at", "sought", "opened_at", "opened_by", "report_due_at"),
        *("letters_due_at", "told_report_at", "told_letters_at"),
    },
    "incident_letter": {
        *("id", "person_id", "revealed", "masked", "changed", "first", "last", "written_at"),
    },
    "incident_person": {"id", "incident_id", "reference", "stand_in"},
    "impact_assessment": {"id", "title", "text", "risk", "assessed_by", "assessed_at"},
    "minor_case": {"id", "person_id", "opened_at", "due_at"},
    "rights_request": {
        *("id", "person_id", "requester_id", "kind", "opened_at", "deadline_days", "due_on", "provisional", "ground"),
        *("matter", "identity_checked_at", "statement_sealed"),
    },
    "legal_hold": {"id", "person_id", "classes", "reference", "placed_at", "placed_by", "until"},
    "retention_agreement": {
        *("id", "person_id", "policy_id", "retention", "kind", "until", "reference", "recorded_at", "recorded_by"),
    },
    "verification_case": {
        *("id", "person_id", "claim_id", "policy_id", "source_id", "source_name", "aspects", "opened_by"),
        *("consent_id", "opened_at"),
    },
    "statistics_budget": {"payer", "month"},
    "rule_draft": {"id", "restores", "author", "created_at"},
}
"""Of tables that are changed in part, what stays as it was said."""


@pytest.mark.parametrize("table", CHANGED_IN_PART)
async def test_what_was_asked_for_whom_and_until_when_the_application_role_never_changes_or_deletes(found, table):
    columns = "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped"
    async with connect(found.application) as application:
        fixed = {row[0] for row in await application.fetch(columns, table)} - set(CHANGED_IN_PART[table])
        assert fixed == FIXED[table]
        for column in fixed:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await application.execute(f"UPDATE {table} SET {column} = {column}")  # noqa: S608 - our own names
        for column in CHANGED_IN_PART[table]:
            await application.execute(f"UPDATE {table} SET {column} = {column}")  # noqa: S608 - our own names
        for change in (f"DELETE FROM {table}", f"TRUNCATE {table}"):  # noqa: S608 - our own names
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await application.execute(change)
        await application.fetch(f"SELECT FROM {table} FOR UPDATE")


@pytest.mark.parametrize("table", sorted(set(READ_ONLY) - {"ledger_sealed"}))
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


async def test_the_services_statements_are_planned_for_rows_in_memory_whatever_the_database_says_of_its_disk(found):
    name = found.owner.database
    async with connect(found.owner, shared=False) as owner:
        await owner.execute(f'ALTER DATABASE "{name}" SET random_page_cost = 4')
        try:
            async with connect(found.application) as application:
                assert await application.fetchval("SHOW random_page_cost") == "1.1"
        finally:
            await owner.execute(f'ALTER DATABASE "{name}" RESET random_page_cost')


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


ADD = "SELECT ledger_add($1, array_fill($2::timestamptz, ARRAY[cardinality($3::text[])]), $3)"
ROWS = "SELECT sequence, body FROM ledger WHERE writer = $1 ORDER BY sequence"


async def test_the_application_role_adds_rows_to_the_ledger_by_one_function_and_has_no_right_on_it(found):
    rights = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
    writer, now = uuid4(), datetime.now(UTC)
    async with connect(found.application) as application:
        held = {one for one in rights if await application.fetchval("SELECT has_table_privilege('ledger', $1)", one)}
        await application.execute(ADD, writer, now, ["a", "b"])
        await application.execute(ADD, writer, now, ["c"])
    assert held == set()
    async with connect(found.owner, shared=False) as owner:
        assert [tuple(row) for row in await owner.fetch(ROWS, writer)] == [(1, "a"), (2, "b"), (3, "c")]
        assert await owner.fetchval("SELECT last FROM ledger_writer WHERE id = $1", writer) == 3
        public = "SELECT has_function_privilege('public', oid, 'EXECUTE') FROM pg_proc WHERE proname ~ '^ledger_'"
        assert {row[0] for row in await owner.fetch(public)} == {False}


async def test_no_table_of_the_application_roles_own_stands_in_for_the_ledger(found):
    writer = uuid4()
    application = await connect_once(found.application)
    try:
        for table in ("ledger_writer (id uuid PRIMARY KEY, last bigint)",
                      "ledger (writer uuid, sequence bigint, at timestamptz, body text)"):  # fmt: skip
            await application.execute(f"CREATE TEMPORARY TABLE {table}")
        await application.execute("SET search_path = pg_temp, public")
        await application.execute("SELECT public.ledger_add($1, ARRAY[now()], '{a}')", writer)
    finally:
        await application.close()
    async with connect(found.owner, shared=False) as owner:
        assert [tuple(row) for row in await owner.fetch(ROWS, writer)] == [(1, "a")]


@pytest.mark.parametrize("moment", ["20000-01-01Z", "2200-01-01Z", "1999-12-31Z", "infinity"])
async def test_the_ledger_takes_no_moment_that_nobody_could_read(found, moment):
    async with connect(found.application) as application:
        with pytest.raises(asyncpg.CheckViolationError):
            await application.execute(f"SELECT ledger_add('{uuid4()}', '{{{moment}}}', '{{a}}')")


async def test_the_ledger_takes_no_text_that_is_too_long_to_seal(found):
    too_long, longest = 8 << 20, (8 << 20) - 1
    async with connect(found.application) as application, connect(found.owner, shared=False) as owner:
        with pytest.raises(asyncpg.DataError):
            await application.execute("SELECT ledger_add($1, ARRAY[now()], ARRAY[repeat('a', $2)])", uuid4(), too_long)
        await application.execute("SELECT ledger_add($1, ARRAY[now()], ARRAY[repeat('a', $2)])", uuid4(), longest)
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute("INSERT INTO ledger VALUES ($1, 1, now(), repeat('a', $2))", uuid4(), too_long)


async def test_a_month_whose_rows_were_ahead_of_it_does_without_a_partition_and_keeps_nothing_from_starting(found):
    writer = uuid4()
    ahead = "SELECT date_trunc('month', now()) + interval '13 months'"
    async with connect(found.owner, shared=False) as owner:
        at = await owner.fetchval(ahead)
        await owner.execute("SELECT ledger_add($1, ARRAY[$2::timestamptz], '{a}')", writer, at)
        await owner.execute("SELECT ledger_partitions(current_date, 15)")
        made = {table for table in PARTITIONED
                if await owner.fetchval("SELECT to_regclass($1)", f"{table}_{at:%Y_%m}")}  # fmt: skip
        assert made == set(PARTITIONED) - {"ledger"}
        after = await owner.fetchval(f"SELECT to_char(({ahead}) + interval '1 month', '\"ledger_\"YYYY_MM')")
        assert await owner.fetchval("SELECT to_regclass($1)", after)
        await owner.execute("SELECT ledger_add($1, ARRAY[$2::timestamptz], '{b}')", writer, at)
        assert [tuple(row) for row in await owner.fetch(ROWS, writer)] == [(1, "a"), (2, "b")]
    await migrate(found)


async def test_who_reads_the_ledger_all_the_while_holds_up_neither_a_start_nor_the_writers(found):
    month = "to_char(now() + interval '12 months', '\"ledger_\"YYYY_MM')"
    reader = await connect_once(found.owner)
    writer = await connect_once(found.application)
    try:
        await reader.execute(f"DO $$ BEGIN EXECUTE 'DROP TABLE ' || {month}; END $$")
        await reader.execute("BEGIN; SELECT FROM ledger LIMIT 1")
        starting = asyncio.create_task(migrate(found))
        waits = []
        while not starting.done():
            begun = time.monotonic()
            await writer.execute(ADD, uuid4(), datetime.now(UTC), ["a"], timeout=10)
            waits.append(time.monotonic() - begun)
            await asyncio.sleep(0.01)
        await starting
        assert max(waits) < 2
        await reader.execute("COMMIT")
        assert await reader.fetchval(f"SELECT to_regclass({month})") is None
        await migrate(found)
        assert await reader.fetchval(f"SELECT to_regclass({month})")
    finally:
        await reader.close()
        await writer.close()


@pytest.fixture
def earlier(found):
    """The database as the version before the ledger of today left it; whoever migrates it has it as it was."""
    asyncio.run(_take_back(found, "0005_writes"))
    return found


async def _take_back(served, to):
    async with connect(served.owner, shared=False) as owner:
        await owner.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        executor = MigrationExecutor(get_connection(CONNECTION), TORTOISE["apps"])
        await executor.recorder.ensure_schema(AsyncpgSchemaEditor(executor.connection, atomic=False))
        await executor.migrate([MigrationTarget("models", to)])


async def test_rows_of_the_earlier_ledger_keep_their_order_and_say_the_same_whatever_months_they_are_of(earlier):
    moments = (
        "2025-11-30 23:59:59.5",
        "2026-09-30 23:59:59",
        "2026-10-01 00:00",
        "2026-09-15 12:00",
        "2025-11-01 00:00",
    )
    insert = (
        "INSERT INTO ledger (decision_id, at, role, token_id, purpose, operation_hash, operation_name, ruleset,"
        " ruleset_digest, entries) VALUES (gen_random_uuid(), $1, 'insurer', 'token', 'claim_handling', 'ab', $2, 3,"
        """ 'cd', '[["Claim.diagnosis", "REVEAL", 2]]') RETURNING decision_id::text"""
    )
    given = [datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in moments]
    async with connect(earlier.owner, shared=False) as owner:
        decisions = [await owner.fetchval(insert, at, f"Look{place}") for place, at in enumerate(given)]
    await migrate(earlier)
    async with connect(earlier.owner, shared=False) as owner:
        rows = await owner.fetch("SELECT *, tableoid::regclass::text AS place FROM ledger ORDER BY sequence")
        assert await owner.fetchval("SELECT last FROM ledger_writer") == len(given)
        assert await owner.fetchval("SELECT to_regclass(to_char(now(), '\"ledger_\"YYYY_MM'))")
    assert [(row["sequence"], row["at"], row["place"]) for row in rows] == [
        (place, at, f"ledger_{at:%Y_%m}") for place, at in enumerate(given, 1)
    ]
    said = [json.loads(row["body"]) for row in rows]
    assert [(one["decision"], one["operation"], datetime.fromisoformat(one["at"])) for one in said] == [
        (decision, {"hash": "ab", "name": f"Look{place}"}, at)
        for place, (decision, at) in enumerate(zip(decisions, given, strict=True))
    ]
    assert {(one["kind"], one["token"], one["ruleset"], one["digest"]) for one in said} == {
        ("EARLIER", "token", 3, "cd")
    }
    assert all(one["cells"] == [["Claim.diagnosis", "REVEAL", 2]] for one in said)


async def test_c21_a_relay_number_that_is_known_by_no_digest_ends_with_the_upgrade(found):
    await _take_back(found, "0007_rulesets")
    person, numbers = uuid4(), (uuid4(), uuid4())
    insert = "INSERT INTO virtual_phone (id, person_id, number_sealed, issued_at, ended_at) VALUES ($1, $2, '', $3, $4)"
    then = datetime(2026, 1, 1, tzinfo=UTC)
    async with connect(found.owner, shared=False) as owner:
        await owner.execute("INSERT INTO person (id, source) VALUES ($1, 'registered')", person)
        for number, ended in zip(numbers, (None, then), strict=True):
            await owner.execute(insert, number, person, then, ended)
    await migrate(found)
    async with connect(found.owner, shared=False) as owner:
        rows = await owner.fetch("SELECT id, ended_at > issued_at FROM virtual_phone ORDER BY ended_at DESC")
    assert [tuple(row) for row in rows] == [(numbers[0], True), (numbers[1], False)]


async def test_the_ledger_has_a_partition_for_each_month_of_the_year_to_come(found):
    async with connect(found.owner, shared=False) as owner:
        months = await owner.fetch(
            "SELECT to_char(now() + make_interval(months => n), 'YYYY_MM') AS month FROM generate_series(0, 12) n"
        )
        for table in PARTITIONED:
            for row in months:
                name = f"{table}_{row['month']}"
                assert await owner.fetchval("SELECT relispartition FROM pg_class WHERE relname = $1", name), name


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


async def test_what_refers_to_a_guardians_request_is_found_by_it(found):
    indexed = (
        "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]"
        " WHERE indrelid = 'guardian_link'::regclass"
    )
    async with connect(found.owner, shared=False) as owner:
        assert "request_id" in {row[0] for row in await owner.fetch(indexed)}
