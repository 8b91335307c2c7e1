"""What stands on a person's record, opened where a decision needs it, and sealed; and words that hold no datum."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from models.formats import FormatError, free_text
from models.never_collected import never_collected
from models.vocabulary import Retention
from vault.keyring import Keyring
from vault.sealing import DataKey, SealedValueError, column_label, new_data_key, open_column, seal, unwrap

_KEY = "SELECT wrapped FROM data_key WHERE person_id = $1 AND retention = $2"
_NEW_KEY = "INSERT INTO data_key (person_id, retention, wrapped) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
_NUMBER = re.compile(r"(?:\d[ .\-]?){9}")
"""Numbers of phones, cards and documents have nine digits or more; those of files and judgments do not."""
_EXPECTED = "Give 1 to {} characters on one line: no names, no contact and no number of a person."


async def account_key(connection: Any, keyring: Keyring, person: UUID) -> DataKey | None:  # noqa: ANN401 - asyncpg
    """A person's account key, made at its first use; None where it is destroyed. Raises SealedValueError."""
    row = await connection.fetchrow(_KEY, person, int(Retention.ACCOUNT))
    if row is None:
        made = new_data_key(keyring, person, retention=Retention.ACCOUNT)
        await connection.execute(_NEW_KEY, person, int(Retention.ACCOUNT), made.wrapped)
        row = await connection.fetchrow(_KEY, person, int(Retention.ACCOUNT))
    return row[0] and unwrap(keyring, row[0], person_id=person, retention=Retention.ACCOUNT)


def open_value(  # noqa: PLR0913 - what a sealed cell is bound to
    keyring: Keyring, wrapped: bytes | None, blob: bytes | None, *, person: UUID, row: UUID, label: bytes
) -> str | None:
    """One value under an account key; None where there is none (any more). Raises SealedValueError for one unopened."""
    if wrapped is None or blob is None:
        return None
    key = unwrap(keyring, wrapped, person_id=person, retention=Retention.ACCOUNT)
    (value,) = open_column([blob], [key], [row.bytes], label=label)
    return None if value is None else str(value)


async def on_record(connection: Any, keyring: Keyring, person: UUID, *columns: str) -> dict[str, str | None]:  # noqa: ANN401
    """Items of a person by column without its `_sealed`: `name`, `birth_date`; none is shown to anybody.

    Raises SealedValueError where one is there and cannot be opened.
    """
    names = ", ".join(f"p.{column}_sealed" for column in columns)
    statement = (
        f"SELECT k.wrapped, {names} FROM person p LEFT JOIN data_key k ON k.person_id = p.id AND k.retention = $2"  # noqa: S608 - our own names
        " WHERE p.id = $1"
    )
    row = await connection.fetchrow(statement, person, int(Retention.ACCOUNT))
    if row is None:
        return dict.fromkeys(columns)
    labels = {column: column_label("person", f"{column}_sealed") for column in columns}
    return {
        column: open_value(keyring, row[0], row[place], person=person, row=person, label=labels[column])
        for place, column in enumerate(columns, start=1)
    }


async def put_on_record(
    connection: Any,  # noqa: ANN401 - asyncpg's connection or proxy
    keyring: Keyring,
    person: UUID,
    items: Mapping[str, str],
) -> None:
    """Seal items of a person, by column as above. Raises SealedValueError where their key is destroyed."""
    key = await account_key(connection, keyring, person)
    if key is None:
        message = "a data key that is destroyed"
        raise SealedValueError(message)
    sealed = {
        f"{column}_sealed": seal(key, value, label=column_label("person", f"{column}_sealed"), row=person.bytes)
        for column, value in items.items()
    }
    sets = ", ".join(f"{name} = ${place}" for place, name in enumerate(sealed, start=2))
    statement = f"UPDATE person SET version = version + 1, {sets} WHERE id = $1"  # noqa: S608 - our own names
    await connection.execute(statement, person, *sealed.values())


def filed_under(text: str, *, longest: int) -> str:
    """Words that name a file or an institution and no person, fit to be shown beside a case. Raises FormatError."""
    expected = _EXPECTED.format(longest)
    plain = unicodedata.normalize("NFKC", free_text(text, longest=longest, expected=expected))
    if never_collected(plain) or _NUMBER.search(plain) or "@" in plain or "\n" in plain:
        raise FormatError(expected)
    return plain
