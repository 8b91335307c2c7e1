"""A ledger of a test's own, on a real database: rows, a sealer, its second place and what it sounded."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from ledger.append import add_alone
from ledger.export import export
from ledger.head_keys import HeadKey
from ledger.heads import SecondPlace
from ledger.rows import Kind, Operation
from ledger.sealer import Sealer
from ledger.verify import verify
from models.database import connect_once
from models.embedded import Database, database
from models.installation import Installation, open_installation
from tests.prepared import Prepared

TABLES = ("ledger", "ledger_writer", "ledger_leaf", "ledger_node", "ledger_head", "ledger_record", "ledger_access")


@dataclass
class Ledger:
    """A ledger that holds nothing yet, in a folder of its own."""

    found: Database
    folder: Path
    sounded: list[tuple] = field(default_factory=list)

    @property
    def key(self) -> Path:
        return self.folder / "ledger-key.json"

    @property
    def heads(self) -> Path:
        return self.folder / "ledger-heads.jsonl"

    def sealer(self, connection, *, sound=None) -> Sealer:
        HeadKey.load_or_create(self.key, demo=True)
        told = sound or (lambda code, **detail: self.sounded.append((code, detail)))
        return Sealer(connection, self.key, SecondPlace(self.heads), told, lambda: datetime.now(UTC))

    @asynccontextmanager
    async def connected(self):
        connection = await connect_once(self.found.owner)
        try:
            yield connection
        finally:
            await connection.close()

    def run(self, work):
        """Run something with a connection of the owner's and a sealer on it."""

        async def ran():
            async with self.connected() as connection:
                return await work(connection, self.sealer(connection))

        return asyncio.run(ran())

    def write(self, *counts: int, at: datetime | None = None) -> None:
        """Rows of as many writers, each so many."""

        async def wrote(connection, _):
            for count in counts:
                await add_alone(connection, *(operation(at) for _ in range(count)))

        self.run(wrote)

    def seal(self, *, at: datetime | None = None) -> int:
        def sealed(_, sealer):
            sealer.clock = lambda: at or datetime.now(UTC)
            return sealer.seal()

        return self.run(sealed)

    def execute(self, statement, *arguments):
        return self.run(lambda connection, _: connection.execute(statement, *arguments))

    def value(self, statement, *arguments):
        return self.run(lambda connection, _: connection.fetchval(statement, *arguments))

    def exported(self, name: str = "export.jsonl", **months) -> list[str]:
        path = self.folder / name
        path.unlink(missing_ok=True)
        self.run(lambda connection, _: export(connection, path, **months))
        return path.read_text().splitlines(keepends=True)

    def findings(self, **given) -> list[str]:
        with self.heads.open() as heads:
            return verify(self.exported(), heads, **given).findings

    def head_lines(self) -> list[dict]:
        return [json.loads(line) for line in self.heads.read_text().splitlines()]


def operation(at: datetime | None = None, **more) -> Operation:
    given = {"kind": Kind.READ, "operation_hash": "ab" * 32, "operation_name": "Look", **more}
    return Operation(decision=uuid4(), at=at or datetime.now(UTC), **given)


@contextmanager
def opened(prepared: Prepared, data_dir: Path) -> Iterator[tuple[Installation, Database]]:
    prepared.empty(data_dir)
    installation = open_installation({"NEEDFUL_DATA": str(data_dir)})
    with database(installation, lasting=True) as found:
        yield installation, found


def emptied(found: Database, folder: Path) -> Ledger:
    """The same database once more, with nothing in its ledger."""
    ledger = Ledger(found, folder)
    ledger.execute("; ".join([*(f"DELETE FROM {table}" for table in TABLES), "UPDATE ledger_indexed SET next = 0"]))  # noqa: S608 - own names
    return ledger
