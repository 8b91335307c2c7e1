"""The keyring: every long-lived secret key, in one file outside the database."""

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vault.files import create_file

FORMAT = 1
KEY_BYTES = 32
BLIND_KEYS = ("phone", "id_number", "bank_card", "username")
DERIVED_BLIND_KEYS = ("relay", "tag")
"""Of keyed hashes that came later: each derived from the phones' key, the same on every worker (RFC 5869)."""


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
    login: bytes = field(repr=False)
    """Seals what a log-in has to remember meanwhile."""
    demo: bool = False
    """Made in demo mode: it guards nothing real, and must not (C58)."""

    def secrets(self) -> Iterator[bytes]:
        """Every key there is."""
        yield from self.wrapping.values()
        yield from self.blind.values()
        yield self.audience
        yield self.cursor
        yield self.login


def generate(*, demo: bool = False) -> Keyring:
    """A new keyring of random keys."""
    return Keyring(
        demo=demo,
        current=1,
        wrapping={1: secrets.token_bytes(KEY_BYTES)},
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
        stored = json.loads(path.read_text())
        if stored["format"] != FORMAT:
            message = f"{path} is a keyring of format {stored['format']}; this release reads {FORMAT}"
            raise KeyringError(message)
        cursor = _key(stored["cursor"])
        return Keyring(
            current=stored["current"],
            wrapping={int(version): _key(text) for version, text in stored["wrapping"].items()},
            blind=_with_derived({name: _key(stored["blind"][name]) for name in BLIND_KEYS}),
            audience=_key(stored["audience"]),
            cursor=cursor,
            login=_key(stored["login"]) if "login" in stored else _derived(cursor, b"needful log-in"),
            demo=stored.get("demo") is True,
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
            "current": keyring.current,
            "wrapping": {str(version): text(key) for version, key in keyring.wrapping.items()},
            "blind": {name: text(keyring.blind[name]) for name in BLIND_KEYS},
            "audience": text(keyring.audience),
            "cursor": text(keyring.cursor),
            "login": text(keyring.login),
        },
        indent=1,
    )
