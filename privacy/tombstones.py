"""Tombstones: whose data have been erased, in a file beside the database, so that no backup brings them back (C66).

Each line of the file is one tombstone, on the disk before the database commits the erasure. It names a person by their
random id alone, and holds nothing else of them:

    {"format":1,"person":"…","classes":[1,2],"at":"2026-11-20T02:00:00+00:00","keep_until":null,"sum":"…"}

`classes`: the retention classes; `keep_until`: a day, where a restricted remainder is kept that long; `sum`: the first
16 hex digits of the SHA-256 of the line without it. Lines are only ever added. A line without an end is one that a
crash cut short: whoever was writing it has not committed anything, so it counts for nothing.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from models.installation import InstallationError
from models.vocabulary import Retention
from vault.files import sync_folder

FORMAT = 1
_SUM_DIGITS = 16
_LAST_BYTES = 65_536
"""So much of the end is looked through for what is to be added: what a process that was killed had added before."""


class TombstonesError(InstallationError):
    """The file of tombstones cannot be used, in one sentence that says what to do."""


class TombstonesLostError(TombstonesError):
    """The file lacks tombstones that it once had."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One erasure: whose, of what, when, and until when a restricted remainder of it is kept, if one is."""

    person: UUID
    classes: frozenset[Retention]
    at: datetime
    keep_until: date | None = None

    @property
    def line(self) -> str:
        """As it is kept, its end included."""
        inner = {
            "format": FORMAT,
            "person": str(self.person),
            "classes": sorted(self.classes),
            "at": self.at.astimezone(UTC).isoformat(),
            "keep_until": self.keep_until and self.keep_until.isoformat(),
        }
        return _text({**inner, "sum": _sum(inner)}) + "\n"

    @classmethod
    def of(cls, line: str) -> "Tombstone":
        """The tombstone in a line, its end excluded. Raises ValueError for anything else."""
        message = "no tombstone"
        try:
            inner = json.loads(line)
            told = inner.pop("sum")
            keep_until = inner["keep_until"]
            found = cls(
                UUID(inner["person"]),
                frozenset(map(Retention, inner["classes"])),
                datetime.fromisoformat(inner["at"]),
                keep_until and date.fromisoformat(keep_until),
            )
            right = inner["format"] == FORMAT and told == _sum(inner)
        except (KeyError, TypeError, AttributeError, ValueError) as fault:
            raise ValueError(message) from fault
        if not right:
            raise ValueError(message)
        return found


@dataclass(frozen=True, slots=True)
class Mark:
    """How far into the file something is: so many bytes, which have this SHA-256, and tombstones."""

    size: int = 0
    digest: bytes = field(default=sha256().digest())
    stones: int = 0


BEGINNING = Mark()


class Tombstones:
    """The file, which any number of processes may add to at once."""

    def __init__(self, path: Path) -> None:
        """Use the file at `path`; the first tombstone makes it."""
        self.path = path

    def add(self, stones: Sequence[Tombstone]) -> None:
        """Add tombstones; they are on the disk when this returns, and only then may the database commit the erasure.

        One that was just added is not added again, so that a job that was killed may repeat itself; one that stands
        there twice says no more than once. Raises TombstonesError.
        """
        if not stones:
            return
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                # Given up with the descriptor, however this ends.
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._add(descriptor, [stone.line for stone in stones])
            finally:
                os.close(descriptor)
        except OSError as fault:
            raise _unusable(self.path, fault) from fault

    def _add(self, descriptor: int, lines: Iterable[str]) -> None:
        size = os.fstat(descriptor).st_size
        begin = max(0, size - _LAST_BYTES)
        last = os.pread(descriptor, size - begin, begin)
        end = last.rfind(b"\n") + 1
        if begin and not end:
            raise _damaged(self.path)
        if begin + end < size:
            os.ftruncate(descriptor, begin + end)
        there = set(last[:end].split(b"\n"))
        content = b"".join(line.encode() for line in dict.fromkeys(lines) if line.rstrip("\n").encode() not in there)
        while content:
            content = content[os.write(descriptor, content) :]
        # What stands there already may be another's who was killed before this.
        os.fsync(descriptor)
        if not begin + end:
            sync_folder(self.path.parent)

    def read(self) -> Iterator[Tombstone]:
        """Every tombstone, the oldest first. Raises TombstonesError for a damaged file."""
        return (stone for stone, _ in self.after(BEGINNING))

    def after(self, mark: Mark) -> Iterator[tuple[Tombstone, Mark]]:
        """Tombstones that stand behind a mark, each with the mark behind itself.

        Raises TombstonesLostError if it is not the marked file any more, and TombstonesError if it is damaged.
        """
        try:
            with self.path.open("rb") as stream:
                digest = sha256()
                for start in range(0, mark.size, _LAST_BYTES):
                    digest.update(stream.read(min(_LAST_BYTES, mark.size - start)))
                if digest.digest() != mark.digest:
                    raise _lost(self.path)
                size, stones = mark.size, mark.stones
                for line in stream:
                    if not line.endswith(b"\n"):
                        return
                    digest.update(line)
                    size, stones = size + len(line), stones + 1
                    yield self._stone(line), Mark(size, digest.digest(), stones)
        except FileNotFoundError:
            if mark.size:
                raise _lost(self.path) from None
        except OSError as fault:
            raise _unusable(self.path, fault) from fault

    def _stone(self, line: bytes) -> Tombstone:
        try:
            return Tombstone.of(line[:-1].decode())
        except ValueError:
            raise _damaged(self.path) from None


def _text(inner: dict[str, Any]) -> str:
    return json.dumps(inner, separators=(",", ":"))


def _sum(inner: dict[str, Any]) -> str:
    return sha256(_text(inner).encode()).hexdigest()[:_SUM_DIGITS]


def _unusable(path: Path, fault: OSError) -> TombstonesError:
    message = (
        f"{path} cannot be read or written ({fault.strerror}): nothing is erased without it, see NEEDFUL_TOMBSTONES."
    )
    return TombstonesError(message)


def _damaged(path: Path) -> TombstonesError:
    message = f"{path} is damaged: restore it from its copy, or see docs/keys.md if there is none."
    return TombstonesError(message)


def _lost(path: Path) -> TombstonesLostError:
    message = (
        f"{path} lacks tombstones that the database knows of: restore it from its copy, or see docs/keys.md if there is"
        " none; a backup restored now would bring back whom it named."
    )
    return TombstonesLostError(message)
