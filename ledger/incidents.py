"""Whom a breach befell: everybody of whom something left, or was changed, by the rows that an incident is known by."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ledger.bodies import Said, Who, read_body
from ledger.rows import FOUND, WRITE
from ledger.searches import NEWEST, Fetch, Sought

AT_ONCE = 500
"""Rows read by one statement."""
_IN_ONE_GO = 25
"""Rows read through before others get their turn."""
MOST_ROWS = 200_000


class TooManyRowsError(Exception):
    """An incident that more rows belong to than are read through at once."""


@dataclass(slots=True)
class Affected:
    """One person or stand-in: what left of them in clear and masked, what was changed, and in how many rows."""

    who: Who
    first: datetime
    last: datetime
    times: int = 0
    revealed: set[str] = field(default_factory=set)
    masked: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)

    @property
    def place(self) -> tuple[int, int, str]:
        """Where it stands among others: persons by their references, then stand-ins."""
        return (0, self.who, "") if isinstance(self.who, int) else (1, 0, self.who)


@dataclass(slots=True)
class Extent:
    """All that an incident befell, and how many rows tell of it."""

    people: list[Affected]
    rows: int


async def extent_of(
    fetch: Fetch, incident: Sought, *, most: int = MOST_ROWS, first: int = 0, before: int = NEWEST
) -> Extent:
    """Read every row that belongs to an incident, from one leaf on and before another. Raises TooManyRowsError."""
    found: dict[Who, Affected] = {}
    read = rows = 0
    after = first - 1
    while some := await _rows_between(fetch, incident, after, before):
        read += len(some)
        if read > most:
            raise TooManyRowsError
        for place, one in enumerate(some):
            if place % _IN_ONE_GO == 0:
                await asyncio.sleep(0)
            rows += _count(found, read_body(one["body"]), one["at"], frozenset(incident.coordinates))
        after = some[-1]["index"]
    return Extent(sorted(found.values(), key=lambda one: one.place), rows)


async def leaf_beyond(fetch: Fetch, incident: Sought, *, first: int, before: int, rows: int) -> int:
    """The leaf up to which, from `first` on, so many rows of an incident stand; `before` where there are no more."""
    values: list[Any] = [first - 1, before, rows]
    conditions = " AND ".join(["r.index > $1 AND r.index < $2", *incident.conditions(values)])
    found = await fetch(
        f"SELECT r.index FROM ledger_record r WHERE {conditions} ORDER BY r.index OFFSET $3 LIMIT 1",  # noqa: S608 - names
        *values,
    )
    leaf: int = found[0]["index"] if found else before
    return leaf


async def _rows_between(fetch: Fetch, incident: Sought, after: int, before: int) -> Any:  # noqa: ANN401 - asyncpg's
    values: list[Any] = [after, before, AT_ONCE]
    conditions = " AND ".join(["r.index > $1 AND r.index < $2", *incident.conditions(values)])
    found = f"SELECT r.index, r.at FROM ledger_record r WHERE {conditions} ORDER BY r.index LIMIT $3"  # noqa: S608 - names
    text = f"SELECT r.index, s.at, s.body FROM ({found}) r JOIN ledger_sealed s USING (index, at) ORDER BY r.index"  # noqa: S608 - names
    return await fetch(text, *values)


def _count(found: dict[Who, Affected], said: Said, at: datetime, only: frozenset[str]) -> bool:
    """Count what one row tells; did anything leave by it? Of `only` these coordinates, where some are named."""
    if not said.left:
        return False
    touched: dict[Who, Affected] = {}
    for entry in said.entries:
        names = only.intersection(entry.coordinates) if only else set(entry.coordinates)
        if not names or entry.effect not in _KINDS:
            continue
        for who, _ in entry.of:
            one = touched[who] = found.setdefault(who, Affected(who, at, at))
            getattr(one, _KINDS[entry.effect]).update(names)
    for one in touched.values():
        one.times += 1
        one.first, one.last = min(one.first, at), max(one.last, at)
    return bool(touched)


_KINDS = {"REVEAL": "revealed", FOUND: "revealed", "MASK": "masked", WRITE: "changed"}
