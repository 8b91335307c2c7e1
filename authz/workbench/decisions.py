"""Which recent decisions: operations and what was decided in them, newest first, without persons, records and texts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from ledger.bodies import Said, SaidEntry
from ledger.searches import Fetch, Row, Sought, find_rows

LOOKED_THROUGH = 2_000
"""Rows that one page looks through for what the index does not tell: then it ends, and says where to go on."""
_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decisions: whatever is given holds; `reason` and effect of the same entry, on a coordinate sought for."""

    sought: Sought
    reason: str | None = None
    broken_glass: bool | None = None


@dataclass(frozen=True, slots=True)
class DecidedAlike:
    """Coordinates that were decided alike, and for how many persons."""

    coordinates: tuple[str, ...]
    effect: str
    reason: str | None
    persons: int


@dataclass(frozen=True, slots=True)
class RecentDecision:
    """One operation and what was decided in it; `index` is its leaf's."""

    index: int
    at: datetime
    said: Said
    entries: tuple[DecidedAlike, ...]

    @property
    def decision(self) -> UUID | None:
        """By what it may be asked about."""
        return self.said.decision


@dataclass(frozen=True, slots=True)
class Recent:
    """A page: it may hold fewer than asked for though there are more. `before`: where to go on; None: nowhere."""

    decisions: list[RecentDecision]
    before: int | None


async def recent(fetch: Fetch, wanted: Wanted, *, before: int, size: int) -> Recent:
    """The decisions below the leaf `before`, newest first. Raises the database's error."""
    sought = replace(wanted.sought, decided=True)
    read_all = wanted.reason is None and wanted.broken_glass is None and not (sought.effect and sought.coordinates)
    found: list[RecentDecision] = []
    looked = 0
    while True:
        at_once = size - len(found) if read_all else _AT_ONCE
        rows, more = await find_rows(fetch, sought, before=before, size=at_once)
        for row in rows:
            before = row.index
            if _fits(row.said, wanted):
                found.append(_decision(row))
            if len(found) == size:
                return Recent(found, before if more or row is not rows[-1] else None)
        looked += len(rows)
        if not more:
            return Recent(found, None)
        if looked >= LOOKED_THROUGH:
            return Recent(found, before)


def _fits(said: Said, wanted: Wanted) -> bool:
    if wanted.broken_glass is not None and (said.broken_glass is not None) != wanted.broken_glass:
        return False
    sought = wanted.sought
    if wanted.reason is None and sought.effect is None:
        return True
    return any(
        wanted.reason in (None, one.reason)
        and sought.effect in (None, one.effect)
        and (not sought.coordinates or not set(sought.coordinates).isdisjoint(one.coordinates))
        for one in said.entries
    )


def _decision(row: Row) -> RecentDecision:
    return RecentDecision(row.index, row.at, row.said, tuple(_alike(row.said.entries)))


def _alike(entries: tuple[SaidEntry, ...]) -> Iterator[DecidedAlike]:
    """What differs only in what held is one entry."""
    counts: dict[tuple[tuple[str, ...], str, str | None], int] = {}
    for one in entries:
        place = one.coordinates, one.effect, one.reason
        counts[place] = counts.get(place, 0) + one.cells
    for (coordinates, effect, reason), persons in counts.items():
        yield DecidedAlike(coordinates, effect, reason, persons)
