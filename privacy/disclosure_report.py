"""What left under disclosure cases, from the ledger: of whom, which coordinates, how often, when (C25, C33, C45)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger.bodies import SHOWN, Who, read_body, record_of
from models.vocabulary import Purpose

Fetch = Callable[..., Any]

MOST_ROWS = 20_000
"""Rows of the ledger that are looked through, the newest first."""
_BATCH = 1_000
_LETTER = "d"

_INDEXES = """
SELECT index FROM ledger_record WHERE purpose = $1 AND revealed + masked > 0 ORDER BY index DESC LIMIT $2
"""
_TEXTS = "SELECT at, body FROM ledger_sealed WHERE index = ANY($1::bigint[])"


@dataclass(slots=True)
class Left:
    """What left under one case; `persons`: by reference or stand-in, the coordinates that were shown of each."""

    persons: dict[Who, set[str]] = field(default_factory=dict)
    answers: int = 0
    first: datetime | None = None
    last: datetime | None = None

    @property
    def coordinates(self) -> list[str]:
        """Everything that was shown of anybody."""
        return sorted({name for names in self.persons.values() for name in names})


async def left_under(fetch: Fetch, cases: Collection[UUID]) -> dict[UUID, Left]:
    """What left under each of these cases, as far as it is sealed. Raises the database's error."""
    found = {case: Left() for case in cases}
    indexes = [row["index"] for row in await fetch(_INDEXES, Purpose.REGULATORY_DISCLOSURE.value, MOST_ROWS)]
    for start in range(0, len(indexes), _BATCH):
        for row in await fetch(_TEXTS, indexes[start : start + _BATCH]):
            _note(row["body"], row["at"], found)
    return found


def _note(body: str, at: datetime, found: dict[UUID, Left]) -> None:
    said = read_body(body)
    if not said.left:
        return
    counted = set()
    for entry in said.entries:
        for who, named in entry.of if entry.effect in SHOWN else ():
            record = record_of(named)
            if record is not None and record[0] == _LETTER and record[1] in found:
                found[record[1]].persons.setdefault(who, set()).update(entry.coordinates)
                counted.add(record[1])
    for case in counted:
        one = found[case]
        one.answers += 1
        one.first = at if one.first is None else min(at, one.first)
        one.last = at if one.last is None else max(at, one.last)
