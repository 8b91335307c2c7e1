"""How the application and its migrations reach the database: Tortoise and compiled SQL on one pool."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException

from models.embedded import Credentials
from models.installation import InstallationError

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

_STATEMENT_TIMEOUT = "15s"
"""No operation within the limits takes as long; one that does is a fault and must not hold a connection."""

_LOCK_TIMEOUT = "5s"
"""Nobody waits longer for another's row or idempotency key: they are told to come back."""

_log = logging.getLogger("needful.database")

# At DEBUG this logger writes every statement with its values: never, however logging is configured.
logging.getLogger("tortoise.db_client").setLevel(logging.WARNING)


async def _keep_session(_: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Clear nothing when a connection returns to the pool.

    Nothing here sets session state, and the default would cost every operation a round trip.
    """


PLANNING: Mapping[str, str] = {
    "jit": "off",
    # Planning one of these statements takes longer than running it; their limits are in their text.
    "plan_cache_mode": "force_generic_plan",
    # What is read fits the memory or a solid disk: a row by index costs little more than one in order.
    "random_page_cost": "1.1",
}
"""How PostgreSQL plans the service's statements, whatever its own settings are."""


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
        "reset": _keep_session,
        # A plan's statement may be long and is worth keeping for good; so is an idle connection.
        "statement_cache_size": 1000,
        "max_cacheable_statement_size": 0,
        "max_cached_statement_lifetime": 0,
        "max_inactive_connection_lifetime": 0,
        "max_queries": 1_000_000,
        "server_settings": {
            "application_name": "needful",
            **PLANNING,
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
