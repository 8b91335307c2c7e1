"""Tags of people: what the brokerage's profiling job has found, as indirect as C20 has it; campaigns meet them by it.

They stand sealed on a person's record under the account key, and as digests in the blind index: both change in one
transaction a person. A file of them is refused as a whole before anything is written.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from models.global_ids import NodeType, from_global
from models.vocabulary import BlindColumn, Retention
from privacy.records import on_record, put_on_record
from vault.blind import blind
from vault.keyring import Keyring
from vault.sealing import SealedValueError

MOST_TAGS = 20
LONGEST_TAG = 40
MOST_LINES = 100_000
"""One row of the ledger names them all, and has room for no more than some times as many."""

_MEMBERS = {"user", "tags"}
_KNOWN = "SELECT id FROM person WHERE id = ANY($1)"
# The key too: who erases a person waits for this, and forgets what it has written.
_HELD = """
SELECT k.wrapped FROM person p JOIN data_key k ON k.person_id = p.id AND k.retention = $2 WHERE p.id = $1
FOR NO KEY UPDATE
"""
_DIGESTS = 'SELECT digest FROM blind_index WHERE person_id = $1 AND "column" = $2'
_CLEAR = "UPDATE person SET version = version + 1, tags_sealed = NULL WHERE id = $1"
_FORGET = 'DELETE FROM blind_index WHERE person_id = $1 AND "column" = $2'
_KEEP = 'INSERT INTO blind_index ("column", digest, person_id) SELECT $2, unnest($3::bytea[]), $1'


class LineRefusal(StrEnum):
    """Why a line is refused, and what to give; never what it says."""

    SHAPE = 'Give JSON on each line: {"user": "ID", "tags": ["…"]}, and nothing else.'
    TAGS_INVALID = f"Give at most {MOST_TAGS} tags, each of 1 to {LONGEST_TAG} printable characters."
    USER_UNKNOWN = "There is no such user. Give an id as the API returns it to the brokerage's staff."
    TOO_MANY = f"A file has at most {MOST_LINES} lines: split it."
    USER_AGAIN = "An earlier line is about the same user. Give each user once."


class Outcome(StrEnum):
    """What came of one person."""

    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    ERASED = "erased"
    """Their key is destroyed: skipped."""
    UNREADABLE = "unreadable"
    """Their key cannot be opened: left as it was."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """The first line that is refused, counted from 1."""

    line: int
    refusal: LineRefusal


@dataclass(frozen=True, slots=True)
class Tagged:
    """What one line says."""

    line: int
    person: UUID
    tags: tuple[str, ...] = field(repr=False)


def tidy(tags: Sequence[str]) -> tuple[str, ...] | None:
    """Tags as they are kept and looked up: NFKC, no blanks around, each once; None where they are not to be taken."""
    if len(tags) > MOST_TAGS:
        return None
    found = tuple(dict.fromkeys(unicodedata.normalize("NFKC", tag).strip() for tag in tags))
    return found if all(0 < len(tag) <= LONGEST_TAG and tag.isprintable() for tag in found) else None


async def read_lines(
    connection: Any,  # noqa: ANN401 - asyncpg's connection, here and below
    lines: Iterable[bytes],
) -> Sequence[Tagged] | Flaw:
    """All lines of a file, each about another person who exists; or the first that is refused."""
    found: dict[UUID, Tagged] = {}
    for number, line in enumerate(lines, start=1):
        one = _line(number, line) if number <= MOST_LINES else LineRefusal.TOO_MANY
        if isinstance(one, LineRefusal):
            return Flaw(number, one)
        if one.person in found:
            return Flaw(number, LineRefusal.USER_AGAIN)
        found[one.person] = one
    known = {row[0] for row in await connection.fetch(_KNOWN, list(found))}
    unknown = next((one for one in found.values() if one.person not in known), None)
    return list(found.values()) if unknown is None else Flaw(unknown.line, LineRefusal.USER_UNKNOWN)


def _line(number: int, line: bytes) -> Tagged | LineRefusal:
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return LineRefusal.SHAPE
    if not isinstance(said, Mapping) or set(said) != _MEMBERS:
        return LineRefusal.SHAPE
    user, given = said["user"], said["tags"]
    if not isinstance(user, str) or not isinstance(given, list) or not all(isinstance(tag, str) for tag in given):
        return LineRefusal.SHAPE
    tags = tidy(given)
    if tags is None:
        return LineRefusal.TAGS_INVALID
    row = from_global(user)
    if row is None or row[0] is not NodeType.USER:
        return LineRefusal.USER_UNKNOWN
    return Tagged(number, row[1], tags)


async def replace_tags(
    connection: Any,  # noqa: ANN401
    keyring: Keyring,
    wanted: Tagged,
    *,
    dry_run: bool,
) -> Outcome:
    """Replace a person's tags, in a transaction of its own; `dry_run`: only say what would come of it."""
    person, digests = wanted.person, sorted({blind(keyring, "tag", tag) for tag in wanted.tags})
    try:
        async with connection.transaction():
            held = await connection.fetchrow(_HELD, person, int(Retention.ACCOUNT))
            if held is not None and held["wrapped"] is None:
                return Outcome.ERASED
            if await _stand(connection, keyring, wanted, digests):
                return Outcome.UNCHANGED
            if not dry_run:
                await _write(connection, keyring, wanted, digests)
            return Outcome.REPLACED
    except SealedValueError:
        return Outcome.UNREADABLE


async def _stand(connection: Any, keyring: Keyring, wanted: Tagged, digests: list[bytes]) -> bool:  # noqa: ANN401
    """Are they on record and in the index already? Then a client's `version` stays good."""
    text = (await on_record(connection, keyring, wanted.person, "tags"))["tags"]
    indexed = await connection.fetch(_DIGESTS, wanted.person, int(BlindColumn.TAG))
    return orjson.loads(text or "[]") == list(wanted.tags) and sorted(row[0] for row in indexed) == digests


async def _write(connection: Any, keyring: Keyring, wanted: Tagged, digests: list[bytes]) -> None:  # noqa: ANN401
    person, column = wanted.person, int(BlindColumn.TAG)
    if wanted.tags:
        await put_on_record(connection, keyring, person, {"tags": orjson.dumps(wanted.tags).decode()})
    else:
        await connection.execute(_CLEAR, person)
    await connection.execute(_FORGET, person, column)
    await connection.execute(_KEEP, person, column, digests)
