"""Tables of the scheduler: our own, which say what was done, and those of the queue, in a schema of their own.

The queue's library brings its tables as SQL, and what a later release of it changes as numbered files. Both are read
here without importing it, and which of the files a database has had stands beside its tables.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

QUEUE = "scheduler"
"""The schema of the queue's tables, in which the application role has no right at all."""

TABLES: tuple[str, ...] = (
    # `done`: the last moment that a job was due at and is done for.
    "CREATE TABLE scheduled_job (name text PRIMARY KEY, since timestamptz NOT NULL, done timestamptz)",
    (
        "CREATE TABLE job_turn (job text NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " due timestamptz NOT NULL, began_at timestamptz NOT NULL, ended_at timestamptz NOT NULL,"
        " fault text, counts jsonb NOT NULL)"
    ),
    "CREATE INDEX job_turn_job ON job_turn (job, id)",
    # Once, however often and by however many it was tried.
    "CREATE UNIQUE INDEX job_turn_done ON job_turn (job, due) WHERE fault IS NULL",
    # One row: when a scheduler last said that it lives.
    "CREATE TABLE scheduler_beat (one boolean PRIMARY KEY CHECK (one), at timestamptz NOT NULL)",
    "INSERT INTO scheduler_beat (one, at) VALUES (TRUE, now())",
)

_VERSION = f"{QUEUE}.version"


async def keep_queue(transaction: Any) -> None:  # noqa: ANN401 - Tortoise's client
    """Make the queue's tables, or bring them up to what the installed library asks for.

    Within the owner's transaction, after which unqualified names mean what they did before.
    """
    sql = _sql()
    changes = sorted((sql / "migrations").glob("*.sql"))
    _, found = await transaction.execute_query("SELECT to_regclass($1) IS NOT NULL AS there", [_VERSION])
    if found[0]["there"]:
        _, rows = await transaction.execute_query(f"SELECT newest FROM {_VERSION}", [])  # noqa: S608 - our own name
        scripts = [path.read_text(encoding="utf-8") for path in changes if path.stem > rows[0]["newest"]]
    else:
        scripts = [*_first(), (sql / "schema.sql").read_text(encoding="utf-8")]
    for script in scripts:
        await transaction.execute_script(f"SET LOCAL search_path TO {QUEUE}")
        await transaction.execute_script(script)
    await transaction.execute_script("SET LOCAL search_path TO DEFAULT")
    if scripts:
        await transaction.execute_query(f"UPDATE {_VERSION} SET newest = $1", [changes[-1].stem])  # noqa: S608 - as above


def _first() -> Iterator[str]:
    yield f"CREATE SCHEMA {QUEUE}"
    yield f"CREATE TABLE {_VERSION} (newest text NOT NULL)"
    yield f"INSERT INTO {_VERSION} VALUES ('')"  # noqa: S608 - as above


def _sql() -> Path:
    """Where the library keeps its SQL."""
    found = find_spec("procrastinate")
    if found is None or found.origin is None:
        message = "procrastinate is not installed: run scripts/install."
        raise RuntimeError(message)
    return Path(found.origin).parent / "sql"
