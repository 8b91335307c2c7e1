"""Loading demo data: drawn, sealed and copied into the database in one transaction, in place of earlier demo data."""

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TextIO

import asyncpg

from models.demo.bulk import in_bulk
from models.demo.plaintext import PlainLines
from models.demo.population import population
from models.demo.rows import TABLES, Batch
from models.demo.sealer import Sealer
from vault.blind import audience_id
from vault.keyring import Keyring

_LOCK = 0x6E656564_64656D6F
"""The advisory lock under which demo data are replaced ("needdemo")."""

FILLED = (*(table.name for table in TABLES), "data_key", "blind_index", "demo_load")
EMPTIED = (
    *FILLED,
    "audience_use",
    "campaign",
    "ceasing",
    "correction",
    "correction_handover",
    "correction_recipient",
    "disclosure_choice",
    "duty_done",
    "duty_staff",
    "erasure_order",
    "export_link",
    "guardian_request",
    "idempotency_key",
    "incident",
    "incident_letter",
    "incident_person",
    "legal_hold",
    "login",
    "marketing_refusal",
    "minor_case",
    "notice_agreement",
    "partner_client",
    "partner_key",
    "permission",
    "refresh_token",
    "restricted_record",
    "retention_agreement",
    "rights_due_change",
    "session",
    "staff_identity",
    "statistics_budget",
    "statistics_figure",
    "statistics_question",
    "statistics_release",
    "verification_result",
)

_RUNNING = "SELECT id FROM session WHERE ended_at IS NULL AND expires_at > now()"
_REVOKE = """
INSERT INTO revocation (kind, key, expires_at)
SELECT 'SESSION', one::text, clock_timestamp() + interval '15 minutes' FROM unnest($1::uuid[]) one
"""
"""For longer than a session's access tokens live."""

_PLANNED = (
    *(f"{table.name} (id, {', '.join(column.name for column in table.plain)})" for table in TABLES),
    "data_key (person_id, retention)",
    "blind_index",
)
"""What the query planner gets to know: of sealed columns there is nothing to know."""


class DemoRefused(Exception):  # noqa: N818 - a refusal, not an error of the program
    """Why this database cannot take demo data, in one sentence."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was loaded, and how fast."""

    people: int
    rows: Mapping[str, int]
    seconds: float

    @property
    def people_per_second(self) -> float:
        """People drawn, sealed and stored a second, indexes included."""
        return self.people / self.seconds


async def load_demo(  # noqa: PLR0913 - one call, six plain parameters
    connection: asyncpg.Connection,
    *,
    keyring: Keyring,
    people: int,
    seed: int,
    plaintext: TextIO | None = None,
    progress: Callable[[int], None],
) -> LoadReport:
    """Replace earlier demo data by this population; the connection is the owner's. All sessions end.

    Raises DemoRefused, and changes nothing, if the database holds any other data.
    """
    started = time.monotonic()
    lines = PlainLines(plaintext) if plaintext else None
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await _refuse_other_data(connection)
        running = [row["id"] for row in await connection.fetch(_RUNNING)]
        await connection.execute(f"TRUNCATE {', '.join(EMPTIED)} RESTART IDENTITY")
        async with in_bulk(connection, FILLED):
            with _without_collector():
                batches = _told(population(people, seed, audience=partial(audience_id, keyring)), progress, lines=lines)
                rows = await _store(connection, batches, sealer=Sealer(keyring))
            await _note_load(connection, people=people, seed=seed)
        await connection.execute(f"ANALYZE {', '.join(_PLANNED)}")
        # Last of all: workers look back a minute only, and to load may take longer.
        await connection.execute(_REVOKE, running)
    return LoadReport(people=people, rows=rows, seconds=time.monotonic() - started)


@contextmanager
def _without_collector() -> Iterator[None]:
    # Rows hold no cycles, and the collector would look through all of them again and again.
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _told(batches: Iterable[Batch], progress: Callable[[int], None], *, lines: PlainLines | None) -> Iterator[Batch]:
    """The batches, each written as plain lines and told of once it has been stored."""
    done = 0
    for batch in batches:
        yield batch
        if lines:
            lines.write(batch)
        done += batch.people
        progress(done)


async def _store(connection: asyncpg.Connection, batches: Iterable[Batch], *, sealer: Sealer) -> dict[str, int]:
    rows: Counter[str] = Counter()
    for batch in batches:
        for part in sealer.parts(batch):
            if part.count:
                await connection.copy_records_to_table(part.table, columns=part.columns, records=part.records)
                rows[part.table] += part.count
    return dict(rows)


async def _note_load(connection: asyncpg.Connection, *, people: int, seed: int) -> None:
    await connection.execute(
        "INSERT INTO demo_load (id, people, seed, loaded_at) VALUES (1, $1, $2, $3)",
        people,
        seed,
        datetime.now(UTC),
    )


async def _refuse_other_data(connection: asyncpg.Connection) -> None:
    loaded = await connection.fetchval("SELECT people FROM demo_load")
    if loaded is None:
        for table in EMPTIED:
            if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table})"):  # noqa: S608 - our own names
                message = f"The database holds data that are not demo data (table {table}), so none are loaded."
                raise DemoRefused(message)
        return
    if await connection.fetchval("SELECT EXISTS (SELECT FROM person WHERE source <> 'demo')"):
        message = "The database holds people who are not demo data, so it keeps what it has: take a new NEEDFUL_DATA."
        raise DemoRefused(message)
    if await connection.fetchval("SELECT count(*) FROM person") > loaded:
        message = "The database holds more people than were loaded as demo data, so it keeps what it has."
        raise DemoRefused(message)
