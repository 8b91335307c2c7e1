"""A dump of the database in the hands of somebody who has the keyring too: what stands in it, and what opens.

Only the vault's own primitives are used here, and no list of tables: whatever looks like a key is tried as one, of
whomever its row names, and whatever looks sealed is tried with every key that there is.
"""

import base64
import json
import os
import re
import subprocess
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from models.cluster import DATABASE
from models.embedded import Database
from models.programs import packaged_programs
from models.vocabulary import Retention
from vault.keyring import Keyring, generate
from vault.sealing import DataKey, SealedValueError, column_label, new_data_key, open_column, seal, unwrap

Row = Mapping[str, str | None]
Cell = tuple[str, str, UUID]
"""Table, column and row."""
_PARTITION = re.compile(r"_(rest|\d{4}_\d\d)$")
"""What the months of the ledger's tables are called besides."""
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}
_MADE = new_data_key(generate(), uuid4(), retention=Retention.ACCOUNT)
_KEY, _KEY_LENGTH = _MADE.wrapped[:1], len(_MADE.wrapped)
_SEALED = seal(_MADE, "", label=b"", row=b"")
_HEADER, _SHORTEST = _SEALED[:2], len(_SEALED)


def tool(name: str, found: Database, *arguments: str) -> bytes:
    """What a program of PostgreSQL's prints, run as an operator would on the embedded server."""
    who = found.owner
    environment = {**os.environ, "PGHOST": who.host, "PGUSER": who.user, "PGPASSWORD": who.password}
    command = [packaged_programs() / name, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True).stdout


def back_up(found: Database, file: Path) -> Path:
    """Make a backup, as docs/keys.md says."""
    tool("pg_dump", found, "--format", "custom", "--file", str(file), DATABASE)
    return file


def restore(found: Database, backup: Path) -> None:
    """Put a backup in place of all that the database holds, as docs/keys.md says."""
    for statement in ("DROP SCHEMA public CASCADE", "DROP SCHEMA IF EXISTS scheduler CASCADE", "CREATE SCHEMA public"):
        tool("psql", found, "--quiet", "--command", statement, DATABASE)
    tool("pg_restore", found, "--exit-on-error", "--dbname", DATABASE, str(backup))


def written(value: str) -> tuple[str, ...]:
    """The ways in which a text could stand somewhere without being sealed."""
    raw = value.encode()
    # Of Base64 what does not depend on what stands around it, wherever in a group of three bytes the text begins.
    coded = (
        base64.b64encode(bytes(place) + raw).decode()[-(-place * 8 // 6) : (place + len(raw)) * 8 // 6]
        for place in range(3)
    )
    return tuple({value, json.dumps(value)[1:-1], raw.hex(), *coded})


@dataclass(frozen=True, slots=True)
class Key:
    """A data key that opened, and whose it is: a person's, or a log-in's."""

    owner: UUID
    retention: Retention
    key: DataKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a cell says, and the key that told it."""

    text: str = field(repr=False)
    by: Key


@dataclass(frozen=True)
class Dump:
    """Every row of every table, as text."""

    tables: Mapping[str, Sequence[Row]]

    @classmethod
    def of(cls, found: Database, backup: Path) -> "Dump":
        """Read a backup."""
        lines = iter(tool("pg_restore", found, "--data-only", "--file", "-", str(backup)).decode().split("\n"))
        tables: dict[str, list[Row]] = {}
        for line in lines:
            if not line.startswith("COPY "):
                continue
            place, _, columns = line.removeprefix("COPY ").removesuffix(") FROM stdin;").partition(" (")
            name = _PARTITION.sub("", place.removeprefix("public."))
            names = [column.strip('"') for column in columns.split(", ")]
            rows = tables.setdefault(name, [])
            while (row := next(lines)) != "\\.":
                rows.append(dict(zip(names, map(_plain, row.split("\t")), strict=True)))
        return cls(tables)

    def rows(self, table: str, **wanted: str) -> list[Row]:
        """Rows of a table that say this."""
        return [row for row in self.tables[table] if wanted.items() <= row.items()]

    def clear(self, values: Mapping[str, str]) -> set[str]:
        """Which of some values stand in it for anybody to read."""
        text = "\n".join(cell for rows in self.tables.values() for row in rows for cell in row.values() if cell)
        return {what for what, value in values.items() if any(one in text for one in written(value))}

    def keys(self, keyring: Keyring) -> list[Key]:
        """Every data key that the keyring opens, wherever it stands: tried as anybody's whom its row names."""
        found = []
        for _, _, row, blob in self._blobs():
            if blob[:1] != _KEY or len(blob) != _KEY_LENGTH:
                continue
            for owner in _uuids(row):
                for retention in Retention:
                    try:
                        key = unwrap(keyring, blob, person_id=owner, retention=retention)
                    except SealedValueError:
                        continue
                    found.append(Key(owner, retention, key))
        return found

    def cells(self) -> dict[Cell, tuple[Row, bytes]]:
        """Everything that looks sealed."""
        return {
            (table, column, next(_uuids(row))): (row, blob)
            for table, column, row, blob in self._blobs()
            if blob[:2] == _HEADER and len(blob) >= _SHORTEST and any(_uuids(row))
        }

    def opened(self, keys: Sequence[Key], *, only: Container[Cell] | None = None) -> dict[Cell, Opened]:
        """What of it, or of some cells, keys open: those of whom a row names are tried first, and then all others."""
        by_owner: dict[UUID, list[Key]] = {}
        for one in keys:
            by_owner.setdefault(one.owner, []).append(one)
        found = {}
        for cell, (row, blob) in self.cells().items():
            if only is not None and cell not in only:
                continue
            named = [key for owner in _uuids(row) for key in by_owner.get(owner, ())]
            for one in (*named, *keys):
                text = _open(cell, blob, one)
                if text is not None:
                    found[cell] = Opened(text, one)
                    break
        return found

    def _blobs(self) -> Iterator[tuple[str, str, Row, bytes]]:
        for table, rows in self.tables.items():
            for row in rows:
                for column, value in row.items():
                    if value is not None and value.startswith("\\x"):
                        yield table, column, row, bytes.fromhex(value[2:])


def _open(cell: Cell, blob: bytes, one: Key) -> str | None:
    table, column, row = cell
    try:
        return open_column([blob], [one.key], [row.bytes], label=column_label(table, column))[0]
    except (SealedValueError, UnicodeDecodeError):
        return None


def _uuids(row: Row) -> Iterator[UUID]:
    for value in row.values():
        if value is not None and len(value) == 36 and value.count("-") == 4:
            yield UUID(value)


def _plain(cell: str) -> str | None:
    """A cell as COPY writes it."""
    if cell == "\\N":
        return None
    if "\\" not in cell:
        return cell
    first, *others = cell.split("\\\\")
    pieces = [_unescaped(one) for one in (first, *others)]
    return "\\".join(pieces)


def _unescaped(text: str) -> str:
    first, *others = text.split("\\")
    return first + "".join(_ESCAPED[one[0]] + one[1:] for one in others)
