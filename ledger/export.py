"""Exports of the ledger: lines that `ledger verify` checks, written one after another, however many there are.

| line | what |
|---|---|
| `{"export", "size", "first", "end"}` | first: version 1, how many rows are sealed, and of which there are texts |
| `{"index", "writer", "sequence", "at", "body"}` | a row |
| `{"index", "hash"}` | a row without its text: of a month that was dropped, or not asked for |
| `{"head", "signature"}` | every head, after all rows |

All of it is one snapshot of the database. Each line is JSON, UTF-8, without spaces.
"""

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from ledger.rows import time_text

_PAGE = 2_000
_SIZE = "SELECT coalesce(max(size), 0) FROM ledger_head"
_FIRST = "SELECT min(index) FROM ledger_leaf WHERE at >= $1"
_END = "SELECT max(index) + 1 FROM ledger_leaf WHERE at < $1"
_ROWS = """
SELECT f.index, f.hash, l.writer, l.sequence, l.at, l.body
FROM ledger_leaf f LEFT JOIN ledger l ON l.writer = f.writer AND l.sequence = f.sequence AND l.at = f.at
WHERE f.index >= $1 AND f.index < $2 ORDER BY f.index
"""
_HASHES = "SELECT index, hash FROM ledger_leaf WHERE index >= $1 AND index < $2 ORDER BY index"
_HEADS = "SELECT size, signed FROM ledger_head WHERE size > $1 ORDER BY size LIMIT $2"


@dataclass(frozen=True, slots=True)
class Exported:
    """How much an export holds: rows, those with their texts from `first` up to `end`, and heads."""

    size: int
    first: int
    end: int
    heads: int


async def export(
    connection: Any,  # noqa: ANN401 - asyncpg's own
    path: Path,
    *,
    since: date | None = None,
    until: date | None = None,
) -> Exported:
    """Write an export to a new file (mode 0600); `since` and `until` are first days of months, the latter excluded.

    Raises FileExistsError and other OSErrors; what was begun is removed.
    """
    with _new_file(path) as descriptor, os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            size: int = await connection.fetchval(_SIZE)
            first, end = await _window(connection, since, until, size)
            stream.write(_line({"export": 1, "size": size, "first": first, "end": end}))
            async for page in _rows(connection, size, range(first, end)):
                stream.writelines(page)
            heads = 0
            async for page in _heads(connection):
                stream.writelines(page)
                heads += len(page)
        stream.flush()
        os.fsync(stream.fileno())
    return Exported(size, first, end, heads)


@contextmanager
def _new_file(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    except BaseException:
        path.unlink(missing_ok=True)
        raise


async def _window(connection: Any, since: date | None, until: date | None, size: int) -> tuple[int, int]:  # noqa: ANN401
    """From the first row of the months to the last one: rows between them may be of the months beside."""
    first = None if since is None else await connection.fetchval(_FIRST, _midnight(since))
    end = None if until is None else await connection.fetchval(_END, _midnight(until))
    from_index = 0 if since is None else size if first is None else first
    to_index = size if until is None else end or 0
    return from_index, max(from_index, to_index)


def _midnight(day: date) -> datetime:
    return datetime.fromisoformat(f"{day.isoformat()}T00:00:00+00:00")


async def _rows(connection: Any, size: int, window: range) -> AsyncIterator[list[str]]:  # noqa: ANN401
    edges = sorted({0, window.start, window.stop, size})
    for begin, end in pairwise(edges):
        statement = _ROWS if begin in window else _HASHES
        for page in range(begin, end, _PAGE):
            rows = await connection.fetch(statement, page, min(page + _PAGE, end))
            yield [_line(_told(row)) for row in rows]


def _told(row: Any) -> dict[str, Any]:  # noqa: ANN401 - asyncpg's row
    if row.get("body") is None:
        return {"index": row["index"], "hash": row["hash"].hex()}
    return {
        "index": row["index"],
        "writer": str(row["writer"]),
        "sequence": row["sequence"],
        "at": time_text(row["at"]),
        "body": row["body"],
    }


async def _heads(connection: Any) -> AsyncIterator[list[str]]:  # noqa: ANN401
    size = 0
    while rows := await connection.fetch(_HEADS, size, _PAGE):
        yield [row["signed"] + "\n" for row in rows]
        size = rows[-1]["size"]


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False) + "\n"
