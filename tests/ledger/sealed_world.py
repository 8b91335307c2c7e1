"""A small ledger made in memory: its export and its second place, whole or tampered with."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import tree
from ledger.head_keys import HeadKey, line_of, opening_line
from ledger.heads import Head, sign
from ledger.rows import leaf_text, time_text

BEGUN = datetime(2026, 11, 2, 8, tzinfo=UTC)
FIRST_KEPT, DROPPED = "2026-12", datetime(2029, 12, 1, tzinfo=UTC)
"""A month of which no row is old enough yet when those before it are dropped, 36 months later to the minute."""
ALICE, BOB = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"


def key_of(seed: int) -> HeadKey:
    """The same key each time."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return HeadKey(private.private_bytes_raw(), private.public_key().public_bytes_raw())


@dataclass
class Row:
    writer: str
    sequence: int
    at: datetime
    body: dict

    @property
    def text(self) -> str:
        return json.dumps(self.body, separators=(",", ":"), ensure_ascii=False)

    @property
    def leaf(self) -> bytes:
        return tree.leaf_hash(leaf_text(self.writer, self.sequence, self.text).encode())

    def line(self, index: int) -> dict:
        told = {"writer": self.writer, "sequence": self.sequence, "at": time_text(self.at), "body": self.text}
        return {"index": index, **told}


def row(writer: str, sequence: int, minute: int, **more) -> Row:
    at = BEGUN + timedelta(minutes=minute)
    body = {
        "v": 2,
        "at": time_text(at),
        "kind": "READ",
        "outcome": "DONE",
        "persons": [minute * 7],
        "who": "查",
        **more,
    }
    return Row(writer, sequence, at, body)


def dropping(
    writer: str, sequence: int, *ranges: list[int], at: datetime = DROPPED, before: object = FIRST_KEPT
) -> Row:
    minute = (at - BEGUN) // timedelta(minutes=1)
    detail = {"command": "ledger drop", "before": before, "dropped": list(ranges)}
    return row(writer, sequence, minute, kind="COMMAND", detail=detail)


@dataclass
class World:
    """Rows, the sizes at which a head was signed, and after which of them the key was rotated."""

    rows: list[Row]
    sizes: tuple[int, ...]
    rotated_after: tuple[int, ...] = ()
    key: HeadKey = field(default_factory=lambda: key_of(7))
    bare: frozenset[int] = frozenset()
    """Rows that the export has without their texts."""
    window: tuple[int, int] | None = None
    header: dict = field(default_factory=dict)
    dated: dict[int, datetime] = field(default_factory=dict)
    """When the heads of these sizes were signed, if not soon after their rows."""

    def __post_init__(self):
        self.heads: list[Head] = []
        self.second = [opening_line(self.key.opening)]
        key = self.key
        for place, size in enumerate(self.sizes):
            soon = max([BEGUN + timedelta(hours=1 + place), *(one.at for one in self.rows[:size])])
            self.heads.append(self.signed(key, size, at=self.dated.get(size, soon)))
            self.second.append(self.heads[-1].line)
            if size in self.rotated_after:
                key = rotated(key, BEGUN + timedelta(hours=1 + place), seed=key.private[0] + 1 + place)
                self.second.append(key.rotations[-1])
        self.last_key = key

    def root(self, size: int) -> bytes:
        nodes = tree.appended(0, [one.leaf for one in self.rows], {}.__getitem__)
        return tree.root(size, nodes.__getitem__)

    def signed(self, key: HeadKey, size: int, *, at: datetime) -> Head:
        return sign(key, size, self.root(size), self.heads[-1] if self.heads else None, now=at)

    def row_lines(self) -> list[str]:
        return [
            compact({"index": place, "hash": one.leaf.hex()} if place in self.bare else one.line(place))
            for place, one in enumerate(self.rows)
        ]

    def export(self) -> list[str]:
        first, end = self.window or (0, len(self.rows))
        header = {"export": 1, "size": len(self.rows), "first": first, "end": end, **self.header}
        return [compact(header), *self.row_lines(), *(head.line for head in self.heads)]


def rotated(key: HeadKey, now: datetime, *, seed: int) -> HeadKey:
    """As `HeadKey.rotated`, with the same new key each time."""
    new = key_of(seed)
    text = line_of({"at": time_text(now), "key": key.id, "next": new.id, "public": new.public.hex()})
    line = line_of({"rotation": text, "signature": key.sign(text).hex()})
    return HeadKey(new.private, key.opening, (*key.rotations, line))


def compact(content) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def ended(lines) -> list[str]:
    return [f"{line}\n" for line in lines]


def plain_rows() -> list[Row]:
    """Nine rows of two writers that take turns."""
    order = [(ALICE, 1), (BOB, 1), (ALICE, 2), (ALICE, 3), (BOB, 2), (ALICE, 4), (BOB, 3), (BOB, 4), (ALICE, 5)]
    return [row(writer, sequence, minute) for minute, (writer, sequence) in enumerate(order)]


def plain(**more) -> World:
    return World(plain_rows(), (2, 3, 7, 9), (3,), **more)
