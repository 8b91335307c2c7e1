"""How the application and its migrations reach the database: Tortoise and compiled SQL on one pool."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from secrets import token_bytes
from typing import Any, cast

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException, OperationalError
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.schema_editor import AsyncpgSchemaEditor
from tortoise.transactions import in_transaction

from models.embedded import Credentials, Database
from models.installation import InstallationError
from models.ledger import SEALED
from models.scheduling import keep_queue
from models.scram import scram_verifier

CONNECTION = "default"

MODULES = (
    "models.accounts",
    "models.assignments",
    "models.audiences",
    "models.beneficiaries",
    "models.cases",
    "models.claims",
    "models.consents",
    "models.corrections",
    "models.demo_loads",
    "models.devices",
    "models.disclosure_leases",
    "models.guardian_links",
    "models.health_services",
    "models.idempotency",
    "models.keys",
    "models.logins",
    "models.organizations",
    "models.partners",
    "models.people",
    "models.permissions",
    "models.person_references",
    "models.policies",
    "models.products",
    "models.registered_operations",
    "models.revocations",
    "models.virtual_phones",
)

APPEND_ONLY = (
    "correction",
    "correction_handover",
    "correction_recipient",
    "disclosure_person",
    "duty_done",
    "erasure_order",
    "grant_review",
    "notice",
    "notice_agreement",
    "notice_function",
    "rule_review",
    "ruleset",
    "ruleset_text",
    "statistics_figure",
    "statistics_question",
    "statistics_release",
    "verification_result",
)
"""Tables whose rows the application role can add and read, and neither change nor delete (C56, C59, C64, C75)."""

CHANGED_IN_PART = {
    "campaign": ("ended_at", "ended_by"),
    "statistics_budget": ("asked",),
    "ceasing": ("confirmed_at", "confirmed_by", "ceases_at", "taken_back_at", "taken_back_by"),
    "marketing_refusal": ("allowed_at", "allowed_by"),
    "virtual_phone": ("ended_at",),
    "broken_glass": (
        "ended_at",
        "ended_by",
        "reviewed_by",
        "reviewed_at",
        "verdict",
        "note",
        "announced_at",
        "reminded_at",
    ),
    "impact_assessment": ("notice", "reminded_at"),
    "incident": (
        "impact",
        "measures",
        "advice",
        "read_to",
        "rows_known",
        "reported_at",
        "reported_by",
        "report_reference",
        "letters_at",
        "letters_by",
        "withheld_at",
        "withheld_by",
        "withheld_reason",
        "closed_at",
        "closed_by",
    ),
    "incident_letter": ("acknowledged_at", "acknowledged_by"),
    "incident_person": ("revealed", "masked", "changed", "first", "last", "times"),
    "consent": ("withdrawn_at", "withdrawn_by_id"),
    "verification_case": ("closed_at",),
    "export_link": ("fetched_at",),
    "disclosure_case": (
        "approved_by_id",
        "approved_at",
        "rejected_by_id",
        "rejected_at",
        "review_note",
        "closed_by_id",
        "closed_at",
    ),
    "disclosure_choice": ("withdrawn_at", "withdrawn_by"),
    "guardian_link": ("revoked_at", "revoked_by"),
    "guardian_request": ("state", "decided_at", "decided_by", "note", "child_digest", "stated_sealed", "differing"),
    "minor_case": ("closed_at", "outcome", "closed_by"),
    "legal_hold": ("lifted_at", "lifted_by"),
    "rights_request": (
        "state",
        "closed_at",
        "extended_until",
        "extension_reason",
        "answer_sealed",
        "decided_at",
        "decided_by",
    ),
    "retention_agreement": ("ended_at",),
    "rule_draft": (
        "parent",
        "editors",
        "title",
        "reason",
        "state",
        "changes",
        "cases",
        "revision",
        "digest",
        "impact",
        "widens",
        "updated_at",
        "proposed_at",
        "proposed_by",
    ),
}
"""Tables whose rows the application role never deletes, by the columns that it may change: who asked for what, for whom
and until when stays as it was said (C46, C55, C68, C77)."""

READ_ONLY = (
    "agreement",
    "calendar_day",
    "calendar_year",
    "duty",
    "duty_staff",
    "job_turn",
    "ledger_sealed",
    "ledger_writer",
    "partner_client",
    "partner_key",
    "product",
    "product_item",
    "registered_operation",
    "restricted_record",
    "retention_sweep",
    "role_mapping",
    "scheduled_job",
    "scheduler_beat",
    "tombstone_mark",
    "wrapping_version",
    *SEALED,
)
"""Tables that the application role can only read: who is let in, and how far, is the owner's to say (C31, C38)."""

_STATEMENT_TIMEOUT = "15s"
"""No operation within the limits takes as long; one that does is a fault and must not hold a connection."""

_LOCK_TIMEOUT = "5s"
"""Nobody waits longer for another's row or idempotency key: they are told to come back."""

_MONTHS_AHEAD = 13
_ATTEMPTS = 5
_PAUSE = 0.1
_NO_PARTITIONS = """
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN
        SELECT oid FROM pg_class
        WHERE relispartition AND relkind = 'r' AND relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', part, '{role}');
    END LOOP;
END $$
"""
"""A partition is reached through its table, whose rights count then; by itself it has none to give."""

_MIGRATIONS_TABLE = "tortoise_migrations"
_MIGRATION_LOCK = 0x6E656564
"""Any number that nothing else in the database takes as its advisory lock."""

_log = logging.getLogger("needful.database")

# At DEBUG this logger writes every statement with its values: never, however logging is configured.
logging.getLogger("tortoise.db_client").setLevel(logging.WARNING)


async def keep_session(_: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Clear nothing when a connection returns to the pool.

    Nothing here sets session state, and the default would cost every operation a round trip.
    """


# `dict[str, Any]` is what Tortoise reads.
def tortoise_config(credentials: Credentials, *, min_size: int, max_size: int) -> dict[str, Any]:
    """Tortoise's settings for one role; sizes are the pool's, in connections."""
    client = {
        "host": credentials.host,
        "port": credentials.port,
        "user": credentials.user,
        "password": credentials.password or None,
        "database": credentials.database,
        "ssl": credentials.sslmode,
        "minsize": min_size,
        "maxsize": max_size,
        "reset": keep_session,
        # A plan's statement may be long and is worth keeping for good; so is an idle connection.
        "statement_cache_size": 1000,
        "max_cacheable_statement_size": 0,
        "max_cached_statement_lifetime": 0,
        "max_inactive_connection_lifetime": 0,
        "max_queries": 1_000_000,
        "server_settings": {
            "application_name": "needful",
            "jit": "off",
            # Planning one of these statements takes longer than running it; their limits are in their text.
            "plan_cache_mode": "force_generic_plan",
            "timezone": "UTC",
            "statement_timeout": _STATEMENT_TIMEOUT,
            "lock_timeout": _LOCK_TIMEOUT,
            # A ledger row counts from its commit, whatever the database's own setting.
            "synchronous_commit": "on",
        },
    }
    return {
        "connections": {CONNECTION: {"engine": "tortoise.backends.asyncpg", "credentials": client}},
        "apps": {
            "models": {
                "models": list(MODULES),
                "default_connection": CONNECTION,
                "migrations": "models.migrations",
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }


TORTOISE = tortoise_config(Credentials("/nowhere", 5432, "nobody", "", "nothing"), min_size=0, max_size=1)
"""For `tortoise makemigrations`, which compares models with migrations and opens no database."""


@asynccontextmanager
async def connect(
    credentials: Credentials, *, min_size: int = 1, max_size: int = 10, shared: bool = True
) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    """Open Tortoise for one role and give the pool it uses, for as long as the block lasts.

    `shared`: tasks that were not started within the block, such as requests, find it too; one at a time.
    Raises InstallationError where the database cannot be opened.
    """
    config = tortoise_config(credentials, min_size=min_size, max_size=max_size)
    async with TortoiseContext() as context:
        await context.init(config=config, _enable_global_fallback=shared)
        await _open(context, credentials)
        yield pool()


async def connect_once(credentials: Credentials) -> "asyncpg.Connection[asyncpg.Record]":
    """One connection beside the pool, for whoever must not wait for it or is another role. Raises asyncpg's errors."""
    return await asyncpg.connect(
        host=credentials.host,
        port=credentials.port,
        user=credentials.user,
        password=credentials.password or None,
        database=credentials.database,
        ssl=cast("Any", credentials.sslmode),
        server_settings={"application_name": "needful", "timezone": "UTC", "synchronous_commit": "on"},
    )


async def _open(context: TortoiseContext, credentials: Credentials) -> None:
    try:
        await context.db().create_connection(with_db=True)
    except (OSError, BaseORMException, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        message = (
            f"The database {credentials.database} at {credentials.host}:{credentials.port} cannot be opened"
            f" as {credentials.user} ({type(error).__name__}): check DATABASE_URL and that the server runs."
        )
        raise InstallationError(message) from None


def pool() -> "asyncpg.Pool[asyncpg.Record]":
    """The very pool that Tortoise uses, for compiled SQL. What it runs is never part of a transaction."""
    client = get_connection(CONNECTION)
    # Tortoise has no public name for either.
    while isinstance(client, TransactionWrapper):
        client = client._parent  # noqa: SLF001
    found = client._pool if isinstance(client, AsyncpgDBClient) else None  # noqa: SLF001
    if found is None:
        message = "the database is not connected"
        raise RuntimeError(message)
    return found


async def migrate(database: Database) -> None:
    """Bring the tables and the application role's rights up to date: all of it or, on a fault, nothing.

    The ledger's next months follow, unless somebody reads it all the while: the sealer makes what is missing then.
    Raises InstallationError where the database is a newer Needful's, or its owner may not do this.
    """
    async with connect(database.owner, max_size=1, shared=False) as owner:
        async with in_transaction(CONNECTION) as transaction:
            # Another server's migrations may take their time.
            await transaction.execute_script("SET LOCAL lock_timeout = 0")
            await transaction.execute_query("SELECT pg_advisory_xact_lock($1)", [_MIGRATION_LOCK])
            await _apply_migrations(transaction)
            await keep_queue(transaction)
            await _admit(transaction, database.application)
        await _make_partitions(owner)


async def _make_partitions(owner: "asyncpg.Pool[asyncpg.Record]") -> None:
    for _ in range(_ATTEMPTS):
        try:
            async with owner.acquire() as connection, connection.transaction():
                # A new partition waits for every reader, and whoever writes a row waits behind it.
                await connection.execute("SET LOCAL lock_timeout = '100ms'")
                await connection.execute("SELECT ledger_partitions(current_date, $1)", _MONTHS_AHEAD)
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(_PAUSE)
        else:
            return
    _log.warning("the ledger's next months have no partitions yet: somebody has read it all the while")


async def _apply_migrations(transaction: BaseDBAsyncClient) -> None:
    # The record table comes first: where it is missing, Tortoise asks it all the same and ignores the error,
    # which in a transaction nothing can ignore.
    executor = MigrationExecutor(transaction, TORTOISE["apps"])
    await executor.recorder.ensure_schema(AsyncpgSchemaEditor(transaction, atomic=False))
    await executor.loader.build_graph()
    unknown = executor.loader.applied_migrations - executor.loader.graph.nodes.keys()
    if unknown:
        newest = max(key.name for key in unknown)
        message = f"The database was migrated by a newer Needful ({newest}): update Needful to use it."
        raise InstallationError(message)
    await executor.migrate()


async def _admit(transaction: BaseDBAsyncClient, application: Credentials) -> None:
    try:
        await _keep_role(transaction, application)
        for statement in _grants(_quoted(application.user)):
            await transaction.execute_script(statement)
    except OperationalError as error:
        if not isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError):
            raise
        message = "The owner that DATABASE_URL names must own the database and have CREATEROLE."
        raise InstallationError(message) from None


async def _keep_role(transaction: BaseDBAsyncClient, application: Credentials) -> None:
    """Make the role or renew its password; refuse one that could do more than it is granted here."""
    _, found = await transaction.execute_query(
        "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
        " OR EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid) AS too_mighty"
        " FROM pg_roles WHERE rolname = $1",
        [application.user],
    )
    if found and found[0]["too_mighty"]:
        message = f"The role {application.user} may do more than Needful allows its application: drop it first."
        raise InstallationError(message)
    verb = "ALTER" if found else "CREATE"
    verifier = scram_verifier(application.password, salt=token_bytes(16))
    await transaction.execute_script(f"{verb} ROLE {_quoted(application.user)} LOGIN PASSWORD '{verifier}'")


def _grants(role: str) -> Iterator[str]:
    """Give every statement that sets what `role` may do, from nothing upwards."""
    yield "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}"
    yield f"GRANT USAGE ON SCHEMA public TO {role}"
    yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
    yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"
    yield f"REVOKE ALL ON {_MIGRATIONS_TABLE} FROM {role}"
    for table in APPEND_ONLY:
        yield f"REVOKE UPDATE, DELETE ON {table} FROM {role}"
    for table, columns in CHANGED_IN_PART.items():
        yield f"REVOKE UPDATE, DELETE ON {table} FROM {role}"
        yield f"GRANT UPDATE ({', '.join(columns)}) ON {table} TO {role}"
    for table in READ_ONLY:
        yield f"REVOKE INSERT, UPDATE, DELETE ON {table} FROM {role}"
    yield f"REVOKE ALL ON ledger FROM {role}"
    yield "REVOKE ALL ON FUNCTION ledger_add, ledger_partitions FROM PUBLIC"
    yield f"GRANT EXECUTE ON FUNCTION ledger_add TO {role}"
    # Which number a person gets is the database's to say.
    yield f"REVOKE INSERT, UPDATE, DELETE ON person_reference FROM {role}"
    yield f"GRANT INSERT (person_id) ON person_reference TO {role}"
    yield _NO_PARTITIONS.format(role=role.replace("'", "''"))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
