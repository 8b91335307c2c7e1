"""The key that signs the ledger's heads: a file outside the database, rotated so that everybody can follow.

A key is called by its id, the SHA-256 of its 32 public bytes (Ed25519, RFC 8032) in hex. A new key is announced in a
line that the old one signs; the file keeps these lines, so that whoever knows the first key can tell every later one.
The same lines stand beside it in a file of their own, which is all that whoever signs nothing reads.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.rows import time_text
from vault.files import create_file, replace_file
from vault.keyring import KeyringError

_FORMAT = 1


def key_id(public: bytes) -> str:
    """What a public key of 32 bytes is called."""
    return sha256(public).hexdigest()


def opening_line(public: bytes) -> str:
    """The first line of the second place: the key that all others follow from."""
    return line_of({"key": key_id(public), "public": public.hex()})


def public_path(path: Path) -> Path:
    """Where the public halves of the key file at `path` stand: lines as the second place has them, without heads."""
    return path.with_name(f"{path.stem}-public.jsonl")


def line_of(content: Mapping[str, object]) -> str:
    """A line of the second place, or the text of a head: one way to write it, so that a byte more is another text."""
    return json.dumps(content, separators=(",", ":"))


def is_signed(text: str, signature: bytes, public: bytes) -> bool:
    """Has this key signed this text?"""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class HeadKey:
    """The key that signs, and how it followed from the first one: a line for each time it was rotated."""

    private: bytes = field(repr=False)
    opening: bytes
    """The first public key."""
    rotations: tuple[str, ...] = ()
    demo: bool = False
    """Made in demo mode (C58)."""

    @classmethod
    def load_or_create(cls, path: Path, *, demo: bool = False) -> "HeadKey":
        """Read the key file at `path`, or write a new one there (mode 0600). Raises KeyringError for a damaged one."""
        if not path.exists():
            private = Ed25519PrivateKey.generate()
            made = cls(private.private_bytes_raw(), private.public_key().public_bytes_raw(), demo=demo)
            create_file(path, made._to_json())
        found = cls.load(path)
        found.show(path)
        return found

    @classmethod
    def load(cls, path: Path) -> "HeadKey":
        """Read the key file at `path`. Raises KeyringError if it is unreadable, damaged or of a newer format."""
        try:
            stored = json.loads(path.read_text())
            if stored["format"] != _FORMAT:
                message = f"{path} is a key file of format {stored['format']}; this release reads {_FORMAT}"
                raise KeyringError(message)
            private, opening = bytes.fromhex(stored["private"]), bytes.fromhex(stored["opening"])
            found = cls(private, opening, tuple(stored["rotations"]), stored.get("demo") is True)
            # The rotations lead to the key.
            found.publics()[found.id]
        except (OSError, ValueError, KeyError, TypeError) as fault:
            message = f"{path} cannot be read as the key of the ledger's heads: restore it from its backup"
            raise KeyringError(message) from fault
        return found

    @property
    def public(self) -> bytes:
        """Its public half."""
        return Ed25519PrivateKey.from_private_bytes(self.private).public_key().public_bytes_raw()

    @property
    def id(self) -> str:
        """What it is called."""
        return key_id(self.public)

    def publics(self) -> dict[str, bytes]:
        """Every public key there has been, by id, the present one last."""
        return _publics(self.opening, self.rotations)

    def sign(self, text: str) -> bytes:
        """The signature of a text."""
        return Ed25519PrivateKey.from_private_bytes(self.private).sign(text.encode())

    def rotated(self, now: datetime) -> "HeadKey":
        """A new key that this one has announced; this one's private half is gone with the file that held it."""
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        text = line_of({"at": time_text(now), "key": self.id, "next": key_id(public), "public": public.hex()})
        line = line_of({"rotation": text, "signature": self.sign(text).hex()})
        return HeadKey(private.private_bytes_raw(), self.opening, (*self.rotations, line), self.demo)

    def save(self, path: Path) -> None:
        """Put this key in place of the file's, all at once."""
        # First: a key that signs is never one that nobody can look up.
        self.show(path)
        replace_file(path, self._to_json())

    def show(self, path: Path) -> None:
        """Have the public halves stand beside the key file at `path`. Raises KeyringError."""
        beside, lines = public_path(path), "".join(f"{one}\n" for one in (opening_line(self.opening), *self.rotations))
        try:
            if not beside.exists() or beside.read_text() != lines:
                replace_file(beside, lines)
        except (OSError, ValueError) as fault:
            message = f"{beside} cannot be written: it shows the public keys of the ledger's heads"
            raise KeyringError(message) from fault

    def _to_json(self) -> str:
        stored: dict[str, Any] = {"format": _FORMAT, **({"demo": True} if self.demo else {})}
        stored |= {"private": self.private.hex(), "opening": self.opening.hex(), "rotations": list(self.rotations)}
        return json.dumps(stored, indent=1)


@dataclass(slots=True)
class PublicKeys:
    """The public halves of the key file at `path`, read without it: for processes that sign nothing."""

    path: Path
    _known: Mapping[str, bytes] = field(default_factory=dict)

    def __getitem__(self, key: str) -> bytes:
        """The 32 bytes of the key with this id. Raises KeyError for an unknown one, KeyringError for a damaged file."""
        if key not in self._known:
            self._known = self._read()
        return self._known[key]

    def _read(self) -> dict[str, bytes]:
        beside = public_path(self.path)
        try:
            first, *rotations = beside.read_text().splitlines()
            return _publics(bytes.fromhex(json.loads(first)["public"]), rotations)
        except (OSError, ValueError, KeyError, TypeError) as fault:
            message = f"{beside} cannot be read as the public keys of the ledger's heads: the next start writes it"
            raise KeyringError(message) from fault


def _publics(opening: bytes, rotations: Iterable[str]) -> dict[str, bytes]:
    rotated = [bytes.fromhex(json.loads(json.loads(line)["rotation"])["public"]) for line in rotations]
    return {key_id(public): public for public in (opening, *rotated)}
