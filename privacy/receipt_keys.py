"""The keys that sign consent receipts: a file of their own, so that no receipt is ever taken for an access token.

A receipt is looked at years later. So an earlier key's public half stays and verifies for good; its private half goes
when a new key takes its place.
"""

import json
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from vault.files import create_file, replace_file
from vault.keyring import KeyringError

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class ReceiptKeys:
    """The key that signs, and the public halves of those that signed before, the oldest first."""

    signing: OKPKey = field(repr=False)
    earlier: tuple[OKPKey, ...] = field(default=(), repr=False)
    demo: bool = False
    """Made in demo mode (C58)."""

    @classmethod
    def load_or_create(cls, path: Path, *, demo: bool = False) -> "ReceiptKeys":
        """Read the key file at `path`, or write a new one there (mode 0600). Raises KeyringError for a damaged one."""
        if not path.exists():
            made = cls(_new_key(), demo=demo)
            create_file(path, made.text)
        return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> "ReceiptKeys":
        """Read the key file at `path`. Raises KeyringError if it is unreadable, damaged or of a newer format."""
        try:
            stored = json.loads(path.read_text())
            if stored["format"] != _FORMAT:
                message = f"{path} is a key file of format {stored['format']}; this release reads {_FORMAT}"
                raise KeyringError(message)
            signing = OKPKey.import_key(stored["signing"])
            # One without a private half signs nothing.
            signing.as_dict(private=True)["d"]
            earlier = tuple(OKPKey.import_key(one) for one in stored["earlier"])
            return cls(signing, earlier, stored.get("demo") is True)
        except (OSError, ValueError, KeyError, TypeError, JoseError) as fault:
            message = f"{path} cannot be read as the keys of consent receipts: restore it from its backup"
            raise KeyringError(message) from fault

    def verifying(self) -> KeySet:
        """Every key there has been."""
        return KeySet([*self.earlier, self.signing])

    def public(self) -> dict[str, Any]:
        """The JWK Set (RFC 7517) of the public halves."""
        return {"keys": [one.as_dict(private=False) for one in (*self.earlier, self.signing)]}

    def secrets(self) -> Iterator[bytes]:
        """The private key there is."""
        yield urlsafe_b64decode(str(self.signing.as_dict(private=True)["d"]) + "=")

    def rotated(self) -> "ReceiptKeys":
        """With a new key that signs from now on."""
        before = OKPKey.import_key(self.signing.as_dict(private=False))
        return ReceiptKeys(_new_key(), (*self.earlier, before), self.demo)

    def save(self, path: Path) -> None:
        """Put these keys in place of the file's, all at once."""
        replace_file(path, self.text)

    @property
    def text(self) -> str:
        """What the file holds; it is secret."""
        return json.dumps(
            {
                "format": _FORMAT,
                **({"demo": True} if self.demo else {}),
                "signing": self.signing.as_dict(private=True),
                "earlier": [one.as_dict(private=False) for one in self.earlier],
            }
        )


def _new_key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", parameters={"kid": secrets.token_hex(8), "use": "sig", "alg": "EdDSA"})


class ReceiptKeyFile:
    """The key file as this process last read it; another process may rotate it at any time."""

    def __init__(self, path: Path, *, demo: bool = False) -> None:
        """Read it, or make a new one. Raises KeyringError."""
        self._path = path
        self._keys = ReceiptKeys.load_or_create(path, demo=demo)
        self._state = self._look()

    @property
    def keys(self) -> ReceiptKeys:
        """The keys as the file has them; those read before, where it cannot be read."""
        try:
            state = self._look()
            if state != self._state:
                self._keys, self._state = ReceiptKeys.load(self._path), state
        except (OSError, KeyringError):
            # What was signed with them verifies all the same.
            return self._keys
        return self._keys

    def _look(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_ino, found.st_mtime_ns
