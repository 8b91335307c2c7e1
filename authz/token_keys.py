"""The keys that sign access tokens: a file outside the database, rotated without a moment in which none is good.

A new key is published (JWKS) before it signs, and an old one verifies until the last token it signed has expired, so
that neither workers nor partners ever meet a key they do not know.
"""

import json
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from vault.files import create_file, replace_file
from vault.keyring import KeyringError

_FORMAT = 2
_FIRST_FORMAT = 1
PUBLISHED_BEFORE = timedelta(seconds=10)
"""How long a new key is published before it signs: many times what a worker needs to notice it."""
KEPT_AFTER = timedelta(hours=1, minutes=2)
"""How long an old key verifies once it no longer signs: the longest token's life, and clocks that differ."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """One key: when it starts to sign and, once a newer one signs, when it stops to verify (epoch seconds)."""

    key: OKPKey = field(repr=False)
    signs_from: int
    verifies_until: int | None = None


class TokenKeys:
    """The keys as the file has them."""

    def __init__(self, keys: tuple[TokenKey, ...], *, demo: bool = False) -> None:
        """Use these keys, at least one of which signs already; `demo`: they were made in demo mode (C58)."""
        self._keys = keys
        self.demo = demo

    @classmethod
    def load_or_create(cls, path: Path, *, demo: bool = False) -> "TokenKeys":
        """Read the key file at `path`, or write a new one there (mode 0600), marked if it is for `demo`.

        Raises KeyringError for a damaged one.
        """
        if not path.exists():
            created = cls((TokenKey(_new_key(), signs_from=0),), demo=demo)
            create_file(path, created._to_json())
        return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> "TokenKeys":
        """Read the key file at `path`. Raises KeyringError if it is unreadable, damaged or of a newer format."""
        try:
            stored = json.loads(path.read_text())
            if stored["format"] == _FIRST_FORMAT:
                return cls(tuple(TokenKey(_imported(one), signs_from=0) for one in stored["keys"]))
            if stored["format"] != _FORMAT:
                message = f"{path} is a key file of format {stored['format']}; this release reads {_FORMAT}"
                raise KeyringError(message)
            keys = (TokenKey(_imported(one["key"]), one["signs_from"], one["verifies_until"]) for one in stored["keys"])
            return cls(tuple(keys), demo=stored.get("demo") is True)
        except (OSError, ValueError, KeyError, TypeError, JoseError) as fault:
            message = f"{path} cannot be read as a key file: restore it, or remove it to sign with a new key"
            raise KeyringError(message) from fault

    def signing(self, now: datetime) -> OKPKey:
        """The key to sign with: the newest that has begun to."""
        begun = [one for one in self._keys if one.signs_from <= now.timestamp()]
        return max(begun, key=lambda one: one.signs_from).key

    def verifying(self, now: datetime) -> KeySet:
        """The keys that verify, those that do not sign yet included."""
        return KeySet([one.key for one in self._keys if not _over(one, now)])

    def secrets(self) -> Iterator[bytes]:
        """Every private key there is."""
        for one in self._keys:
            yield urlsafe_b64decode(str(one.key.as_dict(private=True)["d"]) + "=")

    def public(self, now: datetime) -> dict[str, Any]:
        """The JWK Set (RFC 7517) of the verifying keys' public halves."""
        return {"keys": [one.key.as_dict(private=False) for one in self._keys if not _over(one, now)]}

    def rotated(self, now: datetime, *, at_once: bool = False) -> "TokenKeys":
        """With a new key that signs shortly; `at_once` (a key was lost): now, and every token signed before is dead."""
        if at_once:
            return TokenKeys((TokenKey(_new_key(), signs_from=0),), demo=self.demo)
        begins = now + PUBLISHED_BEFORE
        until = int((begins + KEPT_AFTER).timestamp())
        kept = [one for one in self._keys if not _over(one, now)]
        kept = [replace(one, verifies_until=until) if one.verifies_until is None else one for one in kept]
        return TokenKeys((*kept, TokenKey(_new_key(), signs_from=int(begins.timestamp()))), demo=self.demo)

    def save(self, path: Path) -> None:
        """Put these keys in place of the file's, all at once."""
        replace_file(path, self._to_json())

    def _to_json(self) -> str:
        keys = [
            {
                "key": one.key.as_dict(private=True),
                "signs_from": one.signs_from,
                "verifies_until": one.verifies_until,
            }
            for one in self._keys
        ]
        return json.dumps({"format": _FORMAT, **({"demo": True} if self.demo else {}), "keys": keys})


def _over(key: TokenKey, now: datetime) -> bool:
    return key.verifies_until is not None and key.verifies_until <= now.timestamp()


def _new_key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", parameters={"kid": secrets.token_hex(8), "use": "sig", "alg": "EdDSA"})


def _imported(stored: dict[str, Any]) -> OKPKey:
    return OKPKey.import_key(stored)


class KeyFile:
    """The key file as this process last read it; another process may rotate it at any time."""

    def __init__(self, path: Path, *, demo: bool = False) -> None:
        """Read it, or make a new one. Raises KeyringError."""
        self._path = path
        self.keys = TokenKeys.load_or_create(path, demo=demo)
        self._state = self._look()

    def changed(self) -> bool:
        """Read the file again if it is another than before; was it? Raises KeyringError, and keeps what it had."""
        state = self._look()
        if state == self._state:
            return False
        self.keys = TokenKeys.load(self._path)
        self._state = state
        return True

    def _look(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_ino, found.st_mtime_ns
