"""Signed heads of the ledger's tree, and the second place that they are written to beside the database.

A head says: so many leaves have this root, at this time, after that head. The second place is a file of lines, on
another disk if it is to survive this one:

| line | when |
|---|---|
| `{"key", "public"}` | first: the public key (hex) and its id |
| `{"head", "signature"}` | a head: the text `{"size","root","at","previous","key"}` and its signature; `previous` is \
the SHA-256 of the text of the head before, or 64 zeros |
| `{"rotation", "signature"}` | another key signs from here on: the text `{"at","key","next","public"}`, which `key` \
signed |
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from ledger.head_keys import HeadKey, is_signed, line_of, opening_line
from ledger.rows import time_text
from vault.files import sync_folder

NONE_BEFORE = "0" * 64
_LAST_BYTES = 32_768
"""So much of the second place's end is read: dozens of lines."""


class HeadsError(Exception):
    """Why the heads cannot go on, in one sentence that says what to do; `code` is the alarm's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Head:
    """A signed head, as the text that was signed says it."""

    text: str
    signature: bytes
    size: int
    root: bytes
    at: str
    previous: str
    key: str

    @classmethod
    def read(cls, line: str) -> "Head":
        """The head in a line. Raises ValueError for a line that holds none."""
        try:
            outer = json.loads(line)
            text, signature = outer["head"], bytes.fromhex(outer["signature"])
            inner = json.loads(text)
            root = bytes.fromhex(inner["root"])
            found = cls(text, signature, inner["size"], root, inner["at"], inner["previous"], inner["key"])
        except (KeyError, TypeError) as fault:
            message = "no head"
            raise ValueError(message) from fault
        if found.line != line:
            message = "not written as heads are"
            raise ValueError(message)
        return found

    @property
    def line(self) -> str:
        """As it is kept."""
        return line_of({"head": self.text, "signature": self.signature.hex()})

    @property
    def hash(self) -> str:
        """What the next head says of it."""
        return sha256(self.text.encode()).hexdigest()


def sign(key: HeadKey, size: int, root: bytes, previous: Head | None, *, now: datetime) -> Head:
    """The head of a tree. Its time is never before the previous head's, whatever the clock says."""
    at = max(time_text(now), previous.at if previous else "")
    before = previous.hash if previous else NONE_BEFORE
    text = line_of({"size": size, "root": root.hex(), "at": at, "previous": before, "key": key.id})
    return Head(text, key.sign(text), size, root, at, before, key.id)


class SecondPlace:
    """The file of heads; only whoever holds the sealer's lock writes to it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def last(self) -> tuple[Head | None, str | None]:
        """The last head, and the id of the key that signs the next one; None where there is none yet.

        Raises HeadsError for a file that cannot be read or is no file of heads.
        """
        try:
            lines, _ = self._last_lines()
        except FileNotFoundError:
            return None, None
        except OSError as fault:
            raise _unreadable(self._path, fault) from fault
        key = head = None
        try:
            for line in reversed(lines):
                said = json.loads(line)
                if "head" in said:
                    head = Head.read(line)
                    return head, key or head.key
                key = key or (json.loads(said["rotation"])["next"] if "rotation" in said else said["key"])
        except (ValueError, KeyError, TypeError) as fault:
            raise _damaged(self._path) from fault
        return None, key

    def add(self, lines: Iterable[str]) -> None:
        """Write lines that are on the disk when this returns. Raises HeadsError."""
        content = "".join(f"{line}\n" for line in lines).encode()
        if not content:
            return
        try:
            new = not self._path.exists()
            end = 0 if new else self._last_lines()[1]
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                # A line that a crash cut short would spoil the next one; the database has it whole. A file that is
                # append-only cannot be cut, and is not without need.
                if os.fstat(descriptor).st_size != end:
                    os.ftruncate(descriptor, end)
                while content:
                    content = content[os.write(descriptor, content) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if new:
                sync_folder(self._path.parent)
        except OSError as fault:
            raise _unreadable(self._path, fault) from fault

    def _last_lines(self) -> tuple[list[str], int]:
        """The finished lines at the end, and where they end. Raises OSError, HeadsError."""
        with self._path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            begin = stream.seek(max(0, size - _LAST_BYTES))
            content = stream.read()
        end = content.rfind(b"\n") + 1
        if begin and not end:
            raise _damaged(self._path)
        lines = content[:end].decode(errors="replace").split("\n")[:-1]
        return (lines[1:] if begin else lines), begin + end


def _damaged(path: Path) -> HeadsError:
    message = f"{path} does not end with lines of the ledger's heads: restore it from its copies, or move it aside."
    return HeadsError("LEDGER_HEADS_DAMAGED", message)


def _unreadable(path: Path, fault: OSError) -> HeadsError:
    message = (
        f"{path} cannot be read or written ({fault.strerror}): the ledger's heads need it, see NEEDFUL_LEDGER_HEADS."
    )
    return HeadsError("LEDGER_HEADS_UNWRITABLE", message)


def lines_to_add(
    key: HeadKey, written_by: str | None, heads: Iterable[Head], *, after: Head | None, final: bool
) -> list[str]:
    """What the second place lacks: heads that follow its last one, and the rotations that lead to their keys.

    `written_by` is the key that its next line is expected of; after the `final` heads come all rotations there are.
    Raises HeadsError for heads that do not follow.
    """
    lines, publics = [], key.publics()
    ids = list(publics)
    if written_by is None:
        lines.append(opening_line(key.opening))
        written_by = ids[0]
    if written_by not in ids:
        message = "The second place was signed with a key that ledger-key.json does not know: restore that file."
        raise HeadsError("LEDGER_KEY_UNKNOWN", message)
    place = ids.index(written_by)
    for head in heads:
        expected = after.hash if after else NONE_BEFORE
        if head.previous == expected and head.key not in ids:
            message = (
                f"The database's head of {head.size} rows is signed with a key that ledger-key.json does not know: if"
                " another host rotated the key, copy that file from there; if none did, find out who signed it."
            )
            raise HeadsError("LEDGER_KEY_UNKNOWN", message)
        known = head.key in ids[place:] and is_signed(head.text, head.signature, publics[head.key])
        if head.previous != expected or not known or (after and head.at < after.at):
            message = f"The database's head of {head.size} rows does not follow from the one before: who changed it?"
            raise HeadsError("LEDGER_HEAD_BROKEN", message)
        reached = ids.index(head.key)
        lines += key.rotations[place:reached]
        place, after = reached, head
        lines.append(head.line)
    return [*lines, *key.rotations[place:]] if final else lines
