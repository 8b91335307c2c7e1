"""Rows as writes make and change them: their sealed columns sealed, their version counted."""

import secrets
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from models.lifecycles import LIFECYCLES, Event
from models.vocabulary import BlindColumn, Retention
from resolvers.disclosure import open_texts
from resolvers.nouns import Noun, SealedColumn
from resolvers.payloads import Write, Written
from resolvers.problems import unavailable
from resolvers.writing.targets import Target
from vault.blind import blind
from vault.sealing import DataKey, column_label, new_data_key, seal

_KEY = "SELECT wrapped FROM data_key WHERE person_id = $1 AND retention = $2"
# Nobody destroys the key while something is sealed under it (privacy.erasure.lock).
_HELD_KEY = f"{_KEY} FOR SHARE"
_RENEW = "UPDATE data_key SET wrapped = $3 WHERE person_id = $1 AND retention = $2 AND wrapped IS NULL"
_NEW_KEY = "INSERT INTO data_key (person_id, retention, wrapped) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
_FORGET_BLIND = 'DELETE FROM blind_index WHERE person_id = $1 AND "column" = $2'
_KEEP_BLIND = 'INSERT INTO blind_index ("column", digest, person_id) VALUES ($1, $2, $3)'
_BLIND_NAMES = {
    BlindColumn.PHONE: "phone",
    BlindColumn.LOGIN_PHONE: "phone",
    BlindColumn.ID_NUMBER: "id_number",
    BlindColumn.BANK_CARD: "bank_card",
}


async def data_key(write: Write, person: UUID, retention: Retention) -> DataKey:
    """The key of one person and retention class, made at its first use, and anew for who comes back after its time.

    Raises UNAVAILABLE for an account's that is destroyed: who had it is nobody any more.
    """
    row = await write.connection.fetchrow(_HELD_KEY, person, int(retention))
    renewed = row is not None and row[0] is None and retention is not Retention.ACCOUNT
    if row is None or renewed:
        made = new_data_key(write.accounts.keyring, person, retention=int(retention))
        await write.connection.execute(_RENEW if renewed else _NEW_KEY, person, int(retention), made.wrapped)
        row = await write.connection.fetchrow(_HELD_KEY, person, int(retention))
    key = write.keys.find(row[0], person_id=person, retention=retention)
    if key is None:
        raise unavailable()
    return key


async def sealed(
    write: Write, noun: Noun, row: UUID, *, owner: UUID, values: Mapping[str, str | None]
) -> dict[str, bytes | None]:
    """Values by schema field (`bankCard`) as sealed columns of one row (`bank_card_sealed`); `owner`: whose key."""
    if not values:
        return {}
    if noun.retention is None:
        message = f"{noun.name} holds no sealed values"
        raise TypeError(message)
    key = await data_key(write, owner, noun.retention)
    found: dict[str, bytes | None] = {}
    for field, value in values.items():
        column = sealed_column(noun, field)
        label = column_label(noun.table, column)
        found[column] = None if value is None else seal(key, value, label=label, row=row.bytes)
    return found


def sealed_column(noun: Noun, field: str) -> str:
    """The sealed column behind a schema field."""
    stored = noun.fields[field]
    if not isinstance(stored, SealedColumn):
        message = f"{noun.name}.{field} is not sealed"
        raise TypeError(message)
    return stored.column


async def opened(write: Write, noun: Noun, row: Any, *, owner: UUID, fields: tuple[str, ...]) -> dict[str, str | None]:  # noqa: ANN401 - asyncpg's row
    """Values that a gate itself needs, by schema field; shown to nobody. What cannot be opened reads as null."""
    if noun.retention is None:
        message = f"{noun.name} holds no sealed values"
        raise TypeError(message)
    wrapped = await write.connection.fetchval(_KEY, owner, int(noun.retention))
    key = write.keys.find(wrapped, person_id=owner, retention=noun.retention)
    found = {}
    for field in fields:
        column = sealed_column(noun, field)
        label = column_label(noun.table, column)
        found[field] = open_texts([row[column]], [key], [row["id"].bytes], label=label)[0]
    return found


async def free_number(write: Write, table: str, letter: str, *, digits: int) -> str:
    """A number for a new policy or claim that tells nothing, and that nobody can guess from another one."""
    while True:
        number = f"{letter}{secrets.randbelow(10**digits):0{digits}d}"
        taken = f"SELECT EXISTS (SELECT FROM {table} WHERE {table}_number = $1)"
        if not await write.connection.fetchval(taken, number):
            return number


async def insert(write: Write, table: str, values: Mapping[str, Any]) -> None:
    """Add one row; columns are our own names."""
    columns = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
    await write.connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", *values.values())


async def change(write: Write, found: Target, values: Mapping[str, Any], event: Event | None = None) -> Written:
    """Change a target's columns, count its version, and take it where the event leads."""
    changed = dict(values)
    if event is not None:
        changed["status"] = LIFECYCLES[found.noun.name].after(event, found.row["status"])
    sets = "".join(f', "{name}" = ${place}' for place, name in enumerate(changed, start=2))
    statement = f"UPDATE {found.noun.table} SET version = version + 1{sets} WHERE id = $1"
    await write.connection.execute(statement, found.id, *changed.values())
    return Written(found.noun.name, found.id)


async def index_blindly(write: Write, person: UUID, column: BlindColumn, value: str | None) -> None:
    """Let a person be found by a new value, and by no earlier one. Raises asyncpg's UniqueViolationError."""
    await write.connection.execute(_FORGET_BLIND, person, int(column))
    if value is not None:
        digest = blind(write.accounts.keyring, _BLIND_NAMES[column], value)
        await write.connection.execute(_KEEP_BLIND, int(column), digest, person)
