"""The keyring: every long-lived secret key, in one file outside the database."""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FORMAT = 1
KEY_BYTES = 32
BLIND_KEYS = ("phone", "id_number", "bank_card", "username")


class KeyringError(Exception):
    """The keyring cannot be read; the message says what to do and holds no key."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """Key-encryption keys by version, and one key per keyed hash. `current` wraps new data keys."""

    current: int
    wrapping: Mapping[int, bytes] = field(repr=False)
    blind: Mapping[str, bytes] = field(repr=False)
    audience: bytes = field(repr=False)
    cursor: bytes = field(repr=False)


def generate() -> Keyring:
    """A new keyring of random keys."""
    return Keyring(
        current=1,
        wrapping={1: secrets.token_bytes(KEY_BYTES)},
        blind={name: secrets.token_bytes(KEY_BYTES) for name in BLIND_KEYS},
        audience=secrets.token_bytes(KEY_BYTES),
        cursor=secrets.token_bytes(KEY_BYTES),
    )


def load_or_create(path: Path) -> Keyring:
    """Read the keyring at `path`, or write a new one there (mode 0600) if there is none."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return load(path)
    keyring = generate()
    with os.fdopen(descriptor, "w") as stream:
        stream.write(_to_json(keyring))
        stream.flush()
        os.fsync(stream.fileno())
    return keyring


def load(path: Path) -> Keyring:
    """Read the keyring at `path`. Raises KeyringError if it is unreadable, damaged or of a newer format."""
    try:
        stored = json.loads(path.read_text())
        if stored["format"] != FORMAT:
            message = f"{path} is a keyring of format {stored['format']}; this release reads {FORMAT}"
            raise KeyringError(message)
        return Keyring(
            current=stored["current"],
            wrapping={int(version): _key(text) for version, text in stored["wrapping"].items()},
            blind={name: _key(stored["blind"][name]) for name in BLIND_KEYS},
            audience=_key(stored["audience"]),
            cursor=_key(stored["cursor"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as fault:
        message = f"{path} cannot be read as a keyring: restore it from its backup; without it sealed data stay closed"
        raise KeyringError(message) from fault


def _key(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        message = "a key has the wrong length"
        raise ValueError(message)
    return key


def _to_json(keyring: Keyring) -> str:
    def text(key: bytes) -> str:
        return base64.b64encode(key).decode()

    return json.dumps(
        {
            "format": FORMAT,
            "current": keyring.current,
            "wrapping": {str(version): text(key) for version, key in keyring.wrapping.items()},
            "blind": {name: text(key) for name, key in keyring.blind.items()},
            "audience": text(keyring.audience),
            "cursor": text(keyring.cursor),
        },
        indent=1,
    )
