"""The keyring: every long-lived secret key, in one file outside the database."""

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vault.files import create_file, replace_file

FORMAT = 1
KEY_BYTES = 32
LAST_VERSION = 0xFFFF
"""A wrapped key names its version in two bytes."""
BLIND_KEYS = ("phone", "id_number", "bank_card", "username")
DERIVED_BLIND_KEYS = ("relay", "tag", "statistics")
"""Of keyed hashes that came later: each derived from the phones' key, the same on every worker (RFC 5869)."""


class KeyringError(Exception):
    """The keyring cannot be read; the message says what to do and holds no key."""


_State = tuple[int, int, int] | None
"""What tells one state of a file from another."""


class WrappingKeys:
    """The key-encryption keys by version, as the keyring's file has them: another process may add and retire some.

    Whoever meets a version that is not known here looks into the file again; and so does whoever wraps a new data key,
    so that from the moment that a version is current there, every process wraps by it.
    """

    def __init__(self, current: int, keys: Mapping[int, bytes], path: Path | None = None, state: _State = None) -> None:
        """These keys, `current` for new data keys; of the file at `path`, if they are of one, as it looked then."""
        self._current = current
        self._keys = keys
        self._path = path
        self._state = state
        self.readable = True
        """Could the file be read when it was last looked into? If not, what was read before stays in use."""

    def __eq__(self, other: object) -> bool:
        """Are they the same keys?"""
        if not isinstance(other, WrappingKeys):
            return NotImplemented
        return (self._current, self._keys) == (other._current, other._keys)

    __hash__ = None  # type: ignore[assignment] # they change

    @property
    def current(self) -> int:
        """The version that wraps new data keys."""
        return self.newest()[0]

    def newest(self) -> tuple[int, bytes]:
        """The version that wraps new data keys, and its key."""
        self.refresh()
        return self._current, self._keys[self._current]

    @property
    def versions(self) -> tuple[int, ...]:
        """Every version, the oldest first."""
        self.refresh()
        return tuple(sorted(self._keys))

    def get(self, version: int) -> bytes | None:
        """The key of a version, if there is one."""
        if version not in self._keys:
            self.refresh()
        return self._keys.get(version)

    def refresh(self) -> None:
        """Read the file again if it is another than before."""
        if self._path is None:
            return
        try:
            state = _look(self._path)
            if state != self._state:
                found = self._read(self._path)
                self._current, self._keys, self._state = found.current, found.stored(), state
        except (OSError, KeyringError):
            self.readable = False
        else:
            self.readable = True

    def _read(self, path: Path) -> "WrappingKeys":
        """What the file has now. Raises KeyringError if it is another's, by which nothing must be wrapped."""
        found = load(path).wrapping
        if any(found.stored().get(version, key) != key for version, key in self._keys.items()):
            message = f"{path} has another key of the same version: restore it as it was last."
            raise KeyringError(message)
        return found

    def stored(self) -> Mapping[int, bytes]:
        """All of them, as they were last read."""
        return self._keys


@dataclass(frozen=True, slots=True)
class Keyring:
    """Key-encryption keys by version, and one key per keyed hash."""

    wrapping: WrappingKeys = field(repr=False)
    blind: Mapping[str, bytes] = field(repr=False)
    audience: bytes = field(repr=False)
    cursor: bytes = field(repr=False)
    login: bytes = field(repr=False)
    """Seals what a log-in has to remember meanwhile."""
    demo: bool = False
    """Made in demo mode: it guards nothing real, and must not (C58)."""

    def secrets(self) -> Iterator[bytes]:
        """Every key there is."""
        yield from self.wrapping.stored().values()
        yield from self.blind.values()
        yield self.audience
        yield self.cursor
        yield self.login


def generate(*, demo: bool = False) -> Keyring:
    """A new keyring of random keys."""
    return Keyring(
        demo=demo,
        wrapping=WrappingKeys(1, {1: secrets.token_bytes(KEY_BYTES)}),
        blind=_with_derived({name: secrets.token_bytes(KEY_BYTES) for name in BLIND_KEYS}),
        audience=secrets.token_bytes(KEY_BYTES),
        cursor=secrets.token_bytes(KEY_BYTES),
        login=secrets.token_bytes(KEY_BYTES),
    )


def load_or_create(path: Path, *, demo: bool = False) -> Keyring:
    """Read the keyring at `path`, or write a new one there (mode 0600) if there is none, marked if it is for `demo`."""
    if not path.exists():
        create_file(path, _to_json(generate(demo=demo)))
    return load(path)


def load(path: Path) -> Keyring:
    """Read the keyring at `path`. Raises KeyringError if it is unreadable, damaged or of a newer format."""
    try:
        # In this order: what is written in between is read at the next look.
        state = _look(path)
        stored = json.loads(path.read_text())
        if stored["format"] != FORMAT:
            message = f"{path} is a keyring of format {stored['format']}; this release reads {FORMAT}"
            raise KeyringError(message)
        cursor = _key(stored["cursor"])
        return Keyring(
            wrapping=_wrapping(stored, path, state),
            blind=_with_derived({name: _key(stored["blind"][name]) for name in BLIND_KEYS}),
            audience=_key(stored["audience"]),
            cursor=cursor,
            login=_key(stored["login"]) if "login" in stored else _derived(cursor, b"needful log-in"),
            demo=stored.get("demo") is True,
        )
    except (OSError, ValueError, KeyError, TypeError) as fault:
        message = f"{path} cannot be read as a keyring: restore it from its backup; without it sealed data stay closed"
        raise KeyringError(message) from fault


def add_version(path: Path) -> int:
    """Add a key-encryption key to the file at `path`; it wraps nothing until `make_current`. Raises KeyringError."""
    keyring = load(path)
    keys, current = keyring.wrapping.stored(), keyring.wrapping.current
    version = max(keys) + 1
    if version > LAST_VERSION:
        message = f"{path} has no room for another version."
        raise KeyringError(message)
    _save(path, keyring, current, {**keys, version: secrets.token_bytes(KEY_BYTES)})
    return version


def make_current(path: Path, version: int) -> None:
    """Wrap new data keys by another version of the file at `path`, from now on everywhere. Raises KeyringError."""
    keyring = load(path)
    _save(path, keyring, version, keyring.wrapping.stored())


def remove_version(path: Path, version: int) -> None:
    """Remove a key-encryption key, and not the current one: what it wraps stays closed. Raises KeyringError."""
    keyring = load(path)
    current = keyring.wrapping.current
    kept = {one: key for one, key in keyring.wrapping.stored().items() if one != version}
    _save(path, keyring, current, kept)


def _save(path: Path, keyring: Keyring, current: int, keys: Mapping[int, bytes]) -> None:
    if current not in keys:
        message = f"{path} would be without its current version {current}: nothing has been changed."
        raise KeyringError(message)
    replace_file(path, _to_json(replace(keyring, wrapping=WrappingKeys(current, keys))))


def _look(path: Path) -> _State:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _wrapping(stored: Mapping[str, Any], path: Path, state: _State) -> WrappingKeys:
    keys = {int(version): _key(text) for version, text in stored["wrapping"].items()}
    if stored["current"] not in keys:
        message = "the current version is missing"
        raise ValueError(message)
    return WrappingKeys(stored["current"], keys, path, state)


def _key(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        message = "a key has the wrong length"
        raise ValueError(message)
    return key


def _derived(key: bytes, purpose: bytes) -> bytes:
    """The key that a keyring written before there was one has, the same on every worker (RFC 5869)."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose).derive(key)


def _with_derived(blind: Mapping[str, bytes]) -> Mapping[str, bytes]:
    return {**blind, **{name: _derived(blind["phone"], f"needful {name}".encode()) for name in DERIVED_BLIND_KEYS}}


def _to_json(keyring: Keyring) -> str:
    def text(key: bytes) -> str:
        return base64.b64encode(key).decode()

    return json.dumps(
        {
            "format": FORMAT,
            **({"demo": True} if keyring.demo else {}),
            "current": keyring.wrapping.current,
            "wrapping": {str(version): text(key) for version, key in keyring.wrapping.stored().items()},
            "blind": {name: text(keyring.blind[name]) for name in BLIND_KEYS},
            "audience": text(keyring.audience),
            "cursor": text(keyring.cursor),
            "login": text(keyring.login),
        },
        indent=1,
    )
