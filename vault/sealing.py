"""Sealing and opening: AES-256-GCM under a data key per (person, retention class), wrapped by the keyring.

Stored forms (they carry a version and only grow):

    sealed value   01 | key version (1 byte) | nonce (12) | ciphertext and tag
                   associated data: "table.column" | 00 | row id (16) | key version
    wrapped key    01 | keyring version (2 bytes, big endian) | nonce (12) | ciphertext and tag
                   associated data: "data_key" | 00 | person id (16) | retention class | keyring version
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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

Open = Callable[[bytes, bytes, bytes], bytes]


class SealedValueError(Exception):
    """A stored value or key fails its check: altered, moved to another row, or under a missing key."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """One data key, ready for use; making one costs microseconds, so they are kept (`KeyCache`)."""

    cipher: AESGCM = field(repr=False)
    wrapped: bytes = field(repr=False)


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


def open_column(
    blobs: Sequence[bytes | None],
    keys: Sequence[DataKey | None],
    rows: Sequence[bytes],
    *,
    label: bytes,
) -> list[str | None]:
    """Open one column of many rows, in order. Null stays null; what cannot be opened raises SealedValueError."""
    opened: list[str | None] = []
    try:
        for blob, key, row in zip(blobs, keys, rows, strict=True):
            if blob is None:
                opened.append(None)
                continue
            if key is None or blob[:2] != _HEADER:
                message = "a sealed value without its key, or of an unknown format"
                raise SealedValueError(message)
            opened.append(key.cipher.decrypt(blob[2:14], blob[14:], label + row + _VERSION_BYTE).decode())
    except InvalidTag as fault:
        message = "a sealed value fails its check"
        raise SealedValueError(message) from fault
    return opened


class KeyCache:
    """Unwrapped data keys by their wrapped form, bounded; the wrapped form is read anew with every row.

    A destroyed key is no longer read, so a key that stays here for a while opens nothing.
    """

    def __init__(self, keyring: Keyring, *, limit: int = 20_000) -> None:
        """Keep at most `limit` keys; the oldest go first."""
        self._keyring = keyring
        self._limit = limit
        self._keys: dict[tuple[bytes, bytes, int], DataKey] = {}

    def get(self, wrapped: bytes, *, person_id: UUID, retention: int) -> DataKey:
        """The data key for a wrapped form; raises SealedValueError as `unwrap` does."""
        place = (wrapped, person_id.bytes, retention)
        key = self._keys.get(place)
        if key is None:
            key = unwrap(self._keyring, wrapped, person_id=person_id, retention=retention)
            if len(self._keys) >= self._limit:
                self._keys.pop(next(iter(self._keys)))
            self._keys[place] = key
        return key

    def find(self, wrapped: bytes | None, *, person_id: UUID, retention: int) -> DataKey | None:
        """As `get`, but None where the key is destroyed, missing or fails its check."""
        try:
            return None if wrapped is None else self.get(wrapped, person_id=person_id, retention=retention)
        except SealedValueError:
            return None


def _key_label(person: bytes, retention: int, version: bytes) -> bytes:
    return b"data_key\0" + person + bytes((retention,)) + version
