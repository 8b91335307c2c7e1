"""From drawn rows to records: sealed under the right person's key, with data keys and blind entries."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from uuid import UUID

from models.demo.rows import TABLES, Batch, Row, Table
from models.vocabulary import BlindColumn, Retention
from vault.blind import blind
from vault.keyring import Keyring
from vault.sealing import DataKey, column_label, new_data_key, seal

Record = tuple[object, ...]

_NONCE = 12
_POOL = 1 << 16
_BLIND_COLUMNS = (
    ("person", "phone_sealed", BlindColumn.PHONE),
    ("person", "id_number_sealed", BlindColumn.ID_NUMBER),
    ("person", "bank_card_sealed", BlindColumn.BANK_CARD),
    ("account", "username_sealed", BlindColumn.USERNAME),
)


@dataclass(frozen=True, slots=True)
class Part:
    """The records of one table in one batch, sealed as they are read."""

    table: str
    columns: tuple[str, ...]
    records: Iterator[Record] = field(repr=False)
    count: int


class RandomPool:
    """The system's randomness, fetched in bulk: a call a nonce would cost more than the sealing."""

    def __init__(self) -> None:
        """Start empty."""
        self._stream = BytesIO()

    def __call__(self, count: int) -> bytes:
        """That many fresh random bytes, never handed out twice."""
        drawn = self._stream.read(count)
        if len(drawn) < count:
            self._stream = BytesIO(os.urandom(_POOL))
            drawn = self._stream.read(count)
        return drawn


class Sealer:
    """Seals one batch at a time. Data keys live as long as their batch: no later batch needs them."""

    def __init__(self, keyring: Keyring) -> None:
        """Seal for this keyring."""
        self._keyring = keyring
        self._random = RandomPool()
        self._numbers: set[bytes] = set()
        """Digests of the relay numbers so far."""

    def parts(self, batch: Batch) -> Iterator[Part]:
        """The parts of a batch, in the order in which foreign keys allow them; each must be used before the next."""
        made: list[Record] = []
        keys: dict[Retention, dict[UUID, DataKey]] = {retention: {} for retention in Retention}
        for table in TABLES:
            rows, retention, columns = batch.rows[table.name], table.retention, table.columns
            if retention is None:
                records: Iterator[Record] = ((row_id, *plain) for row_id, _, plain, _ in rows)
            else:
                self._add_keys(keys[retention], rows, retention=retention)
                records = self._seal(table, rows, keys=keys[retention])
            if table.name == "virtual_phone":
                columns = (*columns, "number_digest")
                records = self._with_digests(records, rows)
            yield Part(table.name, columns, records, len(rows))
        for retention, found in keys.items():
            made += [(person, retention.value, key.wrapped) for person, key in found.items()]
        yield Part("data_key", ("person_id", "retention", "wrapped"), iter(made), len(made))
        entries = self._blind_records(batch)
        yield Part("blind_index", ("column", "digest", "person_id"), iter(entries), len(entries))

    def _with_digests(self, records: Iterator[Record], rows: list[Row]) -> Iterator[Record]:
        """Records of relay numbers with the digest of each number; a number drawn twice is known by the first."""
        for record, (_, _, _, (number,)) in zip(records, rows, strict=True):
            digest = blind(self._keyring, "relay", number or "")
            new = digest not in self._numbers
            self._numbers.add(digest)
            yield (*record, digest if new else None)

    def _add_keys(self, keys: dict[UUID, DataKey], rows: list[Row], *, retention: Retention) -> None:
        for _, owner, _, _ in rows:
            if owner not in keys:
                keys[owner] = new_data_key(self._keyring, owner, retention=retention.value, random=self._random)

    def _seal(self, table: Table, rows: list[Row], *, keys: dict[UUID, DataKey]) -> Iterator[Record]:
        labels = [column_label(table.name, column.name) for column in table.sealed]
        random = self._random
        for row_id, owner, plain, texts in rows:
            key, raw = keys[owner], row_id.bytes
            cells = [
                None if text is None else seal(key, text, label=label, row=raw, nonce=random(_NONCE))
                for text, label in zip(texts, labels, strict=True)
            ]
            yield (row_id, *plain, *cells)

    def _blind_records(self, batch: Batch) -> list[Record]:
        records: list[Record] = []
        for table, position, column in _BLIND_POSITIONS:
            name = column.name.lower()
            records += [
                (column.value, blind(self._keyring, name, text), owner)
                for _, owner, _, texts in batch.rows[table]
                if (text := texts[position]) is not None
            ]
        records += [
            (BlindColumn.TAG.value, blind(self._keyring, "tag", tag), owner)
            for _, owner, _, texts in batch.rows["person"]
            for tag in json.loads(texts[_TAGS] or "[]")
        ]
        with_account = {owner for _, owner, _, _ in batch.rows["account"]}
        phones = [record for record in records if record[0] == BlindColumn.PHONE and record[2] in with_account]
        records += [(BlindColumn.LOGIN_PHONE.value, digest, owner) for _, digest, owner in phones]
        return records


def _position(table_name: str, column_name: str) -> int:
    table = next(table for table in TABLES if table.name == table_name)
    return [column.name for column in table.sealed].index(column_name)


_TAGS = _position("person", "tags_sealed")
_BLIND_POSITIONS = tuple((table, _position(table, name), column) for table, name, column in _BLIND_COLUMNS)
