"""Sealing and opening: AES-256-GCM under a data key per (person, retention class), wrapped by the keyring.

Stored forms (they carry a version and only grow):

    sealed value   01 | key version (1 byte) | nonce (12) | ciphertext and tag
                   associated data: "table.column" | 00 | row id (16) | key version
    wrapped key    01 | keyring version (2 bytes, big endian) | nonce (12) | ciphertext and tag
                   associated data: "data_key" | 00 | person id (16) | retention class | keyring version
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault.keyring import KEY_BYTES, Keyring

VALUE_FORMAT = 1
KEY_FORMAT = 1
KEY_VERSION = 1
_NONCE = 12
_HEADER = bytes((VALUE_FORMAT, KEY_VERSION))
_VERSION_BYTE = bytes((KEY_VERSION,))

ShownAs = Callable[[str], Any]
"""How a value's text is shown: converted, or masked."""


class SealedValueError(Exception):
    """A stored value or key fails its check: altered, moved to another row, or under a missing key."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """One data key, ready for use; making one costs microseconds, so they are kept (`KeyCache`)."""

    cipher: AESGCM = field(repr=False)
    wrapped: bytes = field(repr=False)


Kept = dict[bytes, tuple[DataKey, bytes, Any]]
"""By sealed value: under which key and in which row it stood, and how it was shown."""
_Held = tuple[DataKey, UUID, int]
"""A data key, and of which person and retention class it is."""
_NOTHING: Kept = {}
TURN_SECONDS = 30
"""How long a value may be kept as it was shown; and how long, at least, a key that nothing needs."""
_LONGEST_KEPT = 256
"""Bytes of the longest sealed value that is kept: texts of whole pages would fill the memory."""


def column_label(table: str, column: str) -> bytes:
    """The part of the associated data that is the same for a whole column."""
    return f"{table}.{column}".encode() + b"\0"


def new_data_key(
    keyring: Keyring, person_id: UUID, *, retention: int, random: Callable[[int], bytes] = os.urandom
) -> DataKey:
    """Make and wrap the data key of one person and retention class."""
    key = random(KEY_BYTES)
    return DataKey(cipher=AESGCM(key), wrapped=_wrap(keyring, key, person_id, retention, random(_NONCE)))


def unwrap(keyring: Keyring, wrapped: bytes, *, person_id: UUID, retention: int) -> DataKey:
    """Open a wrapped data key. Raises SealedValueError if it was altered or belongs to someone else."""
    key = _unwrap(keyring, wrapped, person_id, retention)
    return DataKey(cipher=AESGCM(key), wrapped=wrapped)


def rewrap(
    keyring: Keyring,
    wrapped: bytes,
    *,
    person_id: UUID,
    retention: int,
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """The same data key, wrapped by the keyring's current key. Raises SealedValueError as `unwrap` does."""
    key = _unwrap(keyring, wrapped, person_id, retention)
    return _wrap(keyring, key, person_id, retention, random(_NONCE))


def wrapped_by(version: int) -> bytes:
    """How every data key begins that this version of the keyring's keys has wrapped."""
    return bytes((KEY_FORMAT,)) + version.to_bytes(2, "big")


def _wrap(keyring: Keyring, key: bytes, person_id: UUID, retention: int, nonce: bytes) -> bytes:
    version, wrapping = keyring.wrapping.newest()
    beginning = wrapped_by(version)
    label = _key_label(person_id.bytes, retention, beginning[1:])
    return beginning + nonce + AESGCM(wrapping).encrypt(nonce, key, label)


def _unwrap(keyring: Keyring, wrapped: bytes, person_id: UUID, retention: int) -> bytes:
    if wrapped[:1] != bytes((KEY_FORMAT,)):
        message = "a data key of an unknown format"
        raise SealedValueError(message)
    version = wrapped[1:3]
    wrapping = keyring.wrapping.get(int.from_bytes(version, "big"))
    if wrapping is None:
        message = "a data key wrapped by a key that the keyring lacks"
        raise SealedValueError(message)
    label = _key_label(person_id.bytes, retention, version)
    try:
        return AESGCM(wrapping).decrypt(wrapped[3:15], wrapped[15:], label)
    except InvalidTag as fault:
        message = "a data key fails its check"
        raise SealedValueError(message) from fault


def seal(key: DataKey, value: str, *, label: bytes, row: bytes, nonce: bytes | None = None) -> bytes:
    """Seal one value for the cell (`label`, `row`); the nonce is random unless a caller draws many at once."""
    nonce = nonce or os.urandom(_NONCE)
    return _HEADER + nonce + key.cipher.encrypt(nonce, value.encode(), label + row + _VERSION_BYTE)


def open_column(  # noqa: PLR0913 - what a column is sealed under, and how it is shown
    blobs: Sequence[bytes | None],
    keys: Sequence[DataKey | None],
    rows: Sequence[bytes],
    *,
    label: bytes,
    shown_as: ShownAs | None = None,
    kept: Kept | None = None,
) -> list[Any]:
    """Open one column of many rows, in order. Null stays null; what cannot be opened raises SealedValueError.

    `shown_as` turns each text into what is shown. `kept` holds what was shown in that way lately: a value is taken
    from there only if it is the same sealed value of the same row under the same data key, read again just now.
    """
    opened: list[Any] = []
    lately = kept.get if kept is not None else _NOTHING.get
    try:
        for blob, key, row in zip(blobs, keys, rows, strict=True):
            if blob is None:
                opened.append(None)
                continue
            found = lately(blob)
            if found is not None and found[0] is key and found[1] == row:
                opened.append(found[2])
                continue
            if key is None or blob[:2] != _HEADER:
                message = "a sealed value without its key, or of an unknown format"
                raise SealedValueError(message)
            text = key.cipher.decrypt(blob[2:14], blob[14:], label + row + _VERSION_BYTE).decode()
            value = text if shown_as is None else shown_as(text)
            opened.append(value)
            if kept is not None and len(blob) <= _LONGEST_KEPT:
                kept[blob] = key, row, value
    except InvalidTag as fault:
        message = "a sealed value fails its check"
        raise SealedValueError(message) from fault
    return opened


class KeyCache:
    """Unwrapped data keys by their wrapped form, bounded, and for a few seconds values as they were shown, if at all.

    The wrapped form is read anew with every row. A destroyed key is no longer read, so a key or a value that stays
    here for a while opens and shows nothing; `turn`, called every so often, sees that it does not stay for long.
    """

    def __init__(self, keyring: Keyring, *, limit: int = 10_000, most_kept: int = 0) -> None:
        """Keep at most twice `limit` keys, and at most `most_kept` values and those of one column."""
        self._keyring = keyring
        self._limit = limit
        self._most_kept = most_kept
        self._keys: dict[bytes, _Held] = {}
        self._earlier: dict[bytes, _Held] = {}
        self._kept: dict[tuple[bytes, ShownAs | None], Kept] = {}
        self._count = 0

    def turn(self) -> None:
        """Forget every kept value, and the keys that nothing has needed since the last turn."""
        self._forget_values()
        self._earlier, self._keys = self._keys, {}

    async def keep_turning(self, *, every: float = TURN_SECONDS) -> None:
        """Turn, for as long as the task lives."""
        while True:
            await asyncio.sleep(every)
            self.turn()

    def open_column(
        self,
        blobs: Sequence[bytes | None],
        keys: Sequence[DataKey | None],
        rows: Sequence[bytes],
        *,
        label: bytes,
        shown_as: ShownAs | None = None,
    ) -> list[Any]:
        """As `open_column`, with what is kept of this column, shown in this way."""
        if not self._most_kept:
            return open_column(blobs, keys, rows, label=label, shown_as=shown_as)
        kept = self._kept.setdefault((label, shown_as), {})
        before = len(kept)
        opened = open_column(blobs, keys, rows, label=label, shown_as=shown_as, kept=kept)
        self._count += len(kept) - before
        if self._count > self._most_kept:
            self._forget_values()
        return opened

    def get(self, wrapped: bytes, *, person_id: UUID, retention: int) -> DataKey:
        """The data key for a wrapped form; raises SealedValueError as `unwrap` does."""
        held = self._keys.get(wrapped)
        if held is None or held[1] != person_id or held[2] != retention:
            held = self._learn(wrapped, person_id, retention)
        return held[0]

    def find(self, wrapped: bytes | None, *, person_id: UUID, retention: int) -> DataKey | None:
        """As `get`, but None where the key is destroyed, missing or fails its check."""
        try:
            return None if wrapped is None else self.get(wrapped, person_id=person_id, retention=retention)
        except SealedValueError:
            return None

    def column(
        self, wrapped: Sequence[bytes | None], people: Sequence[UUID], *, retention: int
    ) -> list[DataKey | None]:
        """As `find`, for each of many rows."""
        known = self._keys.get
        found: list[DataKey | None] = []
        for blob, person in zip(wrapped, people, strict=True):
            held = None if blob is None else known(blob)
            if held is not None and held[1] == person and held[2] == retention:
                found.append(held[0])
            else:
                found.append(self.find(blob, person_id=person, retention=retention))
        return found

    def _learn(self, wrapped: bytes, person_id: UUID, retention: int) -> _Held:
        held = self._earlier.pop(wrapped, None)
        if held is None or held[1] != person_id or held[2] != retention:
            held = unwrap(self._keyring, wrapped, person_id=person_id, retention=retention), person_id, retention
        if len(self._keys) >= self._limit:
            self._earlier, self._keys = self._keys, {}
        self._keys[wrapped] = held
        return held

    def _forget_values(self) -> None:
        self._kept, self._count = {}, 0


def _key_label(person: bytes, retention: int, version: bytes) -> bytes:
    return b"data_key\0" + person + bytes((retention,)) + version
