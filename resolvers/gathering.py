"""What an operation decided, as its ledger row says it: alike cells together, each person once, witnesses named."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from authz.compile import DecisionFaultError, EffectTable
from authz.narrowing import NarrowedTable
from authz.vocabulary import DataSubject, Effect, Reason
from ledger.rows import FOUND, Entry, Group, Named, Person, stand_in
from resolvers.disclosure import CEILINGS, Tally, reason_of
from resolvers.rows import Record, Rows

_STAND_INS = {
    DataSubject.BENEFICIARY: "beneficiary",
    DataSubject.REPORTER: "reporter",
    DataSubject.PAYEE: "payee",
}
_LOW = (1 << 64) - 1
"""The situation that a token's own records witness, of two (`authz.narrowing.both`)."""

_Alike = tuple[Effect, Reason | None, int, int]
"""What cells share that stand in one entry: effect, reason, situation and the place of the group."""


@dataclass(slots=True)
class Gathered:
    """The persons, records, groups and entries of one operation."""

    persons: list[Named] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    looked_up: list[Entry] = field(default_factory=list)
    _entries: dict[_Alike, dict[str, None]] = field(default_factory=dict)
    _persons: dict[Named, int] = field(default_factory=dict)
    _records: dict[str, int] = field(default_factory=dict)
    _people: dict[Any, list[int]] = field(default_factory=dict)
    _witnesses: dict[Any, list[int | None] | None] = field(default_factory=dict)
    _groups: dict[Any, int] = field(default_factory=dict)

    @property
    def entries(self) -> list[Entry]:
        """What was decided alike."""
        decided = [
            Entry(tuple(coordinates), effect.name, reason and reason.value, situation, group)
            for (effect, reason, situation, group), coordinates in self._entries.items()
        ]
        return decided + self.looked_up

    def add(self, tallies: Iterable[Tally]) -> None:
        """Add what was decided about cells."""
        for tally in tallies:
            for situation in tally.counts:
                if situation in CEILINGS:
                    self._add_beyond(tally, situation)
                    continue
                effect = tally.effects[situation]
                reason = None if effect else reason_of(tally, situation)
                if tally.unopened and effect:
                    self._add_some_unopened(tally, situation, effect)
                else:
                    self._put(tally, situation, effect, reason, self._group(tally, situation, witnessed=bool(effect)))

    def _add_beyond(self, tally: Tally, ceiling: int) -> None:
        """Rows beyond a ceiling, by the situation that each has all the same."""
        coordinate = tally.cell.coordinate
        found: dict[int, list[int]] = {}
        own = tally.rows.situations(coordinate)
        for row, (its, situation) in enumerate(zip(tally.situations, own, strict=True)):
            if its == ceiling:
                found.setdefault(situation, []).append(row)
        for situation, rows in found.items():
            group = self._made(self._some(tally, rows, witnessed=False))
            self._put(tally, situation, Effect.DENY, Reason.LIMIT, group)

    def found(self, coordinates: Sequence[str], persons: Sequence[Person]) -> None:
        """Add those who were found by the full value of these coordinates."""
        self.looked_up.append(Entry(tuple(coordinates), FOUND, None, 0, self.group(persons, None)))

    def tell(self, told: Mapping[str, Iterable[Named]]) -> None:
        """Add of whom something was told beside the plan, by coordinate."""
        for coordinate, persons in told.items():
            self._entries[Effect.REVEAL, None, 0, self.group(list(persons), None)] = {coordinate: None}

    def _add_some_unopened(self, tally: Tally, situation: int, effect: Effect) -> None:
        rows = [row for row, its in enumerate(tally.situations) if its == situation]
        unopened = frozenset(tally.unopened)
        shown = [row for row in rows if row not in unopened]
        if shown:
            self._put(tally, situation, effect, None, self._made(self._some(tally, shown, witnessed=True)))
        closed = [row for row in rows if row in unopened]
        if closed:
            group = self._made(self._some(tally, closed, witnessed=False))
            self._put(tally, situation, Effect.DENY, Reason.UNAVAILABLE, group)

    def _put(self, tally: Tally, situation: int, effect: Effect, reason: Reason | None, group: int) -> None:
        alike = self._entries.setdefault((effect, reason, situation, group), {})
        alike[tally.cell.coordinate.name] = None

    def person(self, person: Person) -> int:
        """The place of a person."""
        return _places(self.persons, self._persons, (person,))[0]

    def record(self, name: str) -> int:
        """The place of a record: a letter and an id."""
        return _places(self.records, self._records, (name,))[0]

    def group(self, persons: Sequence[Named], record: str | None) -> int:
        """The place of a group of persons, all by the same record."""
        places = _places(self.persons, self._persons, persons)
        at = None if record is None else self.record(record)
        return self._made((places, None if at is None else [at] * len(places)))

    def _made(self, group: Group) -> int:
        self.groups.append(group)
        return len(self.groups) - 1

    def _group(self, tally: Tally, situation: int, *, witnessed: bool) -> int:
        """The place of the group of a tally's rows with one situation; cells of the same rows share it."""
        witnesses = self._witnesses_of(tally) if witnessed else None
        # A ceiling leaves out rows of one cell and not of another.
        own = None if CEILINGS.isdisjoint(tally.counts) else id(tally)
        place = (*_rows(tally), situation, id(witnesses), own)
        found = self._groups.get(place)
        if found is None:
            if len(tally.counts) == 1:
                group: Group = (self._people_of(tally), witnesses)
            else:
                rows = [row for row, its in enumerate(tally.situations) if its == situation]
                group = self._some(tally, rows, witnessed=witnessed)
            found = self._groups[place] = self._made(group)
        return found

    def _some(self, tally: Tally, rows: Sequence[int], *, witnessed: bool) -> Group:
        people = self._people_of(tally)
        witnesses = self._witnesses_of(tally) if witnessed else None
        return [people[row] for row in rows], witnesses and [witnesses[row] for row in rows]

    def _people_of(self, tally: Tally) -> list[int]:
        """The place of each row's person."""
        rows, of = tally.rows, tally.cell.coordinate.of
        place = id(rows), of
        found = self._people.get(place)
        if found is None:
            found = self._people[place] = _places(self.persons, self._persons, persons_of(rows, of))
        return found

    def _witnesses_of(self, tally: Tally) -> list[int | None] | None:
        """The place of the record that witnessed each row, None where none was needed; None if none was for any."""
        place = _rows(tally)
        if place not in self._witnesses:
            self._witnesses[place] = self._named(tally, None)
        if self._witnesses[place] is _CHOSEN:
            # Several records witness together what none does alone: which one counts is for the cell's effects to say.
            place = (*place, tally.cell.coordinate.name)
            if place not in self._witnesses:
                self._witnesses[place] = self._named(tally, tally.cell.effects)
        return self._witnesses[place]

    def _named(self, tally: Tally, effects: EffectTable | NarrowedTable | None) -> list[int | None] | None:
        coordinate = tally.cell.coordinate
        found: list[int | None] = []
        for records, situation in zip(
            tally.rows.witnesses(coordinate),
            tally.rows.situations(coordinate),
            strict=True,
        ):
            if not records:
                found.append(None)
                continue
            one = records[0] if len(records) == 1 else _whole(records, situation)
            if one is None:
                if effects is None:
                    return _CHOSEN
                one = _deciding(records, effects, situation)
            found.append(self.record(one[1] + one[2].hex()))
        return found if any(place is not None for place in found) else None


_CHOSEN: list[int | None] = []
"""Stands for witnesses that are not the same for every cell."""


def _rows(tally: Tally) -> tuple[Any, ...]:
    """What tells the rows of a tally, and who and what is behind them, from others'."""
    coordinate = tally.cell.coordinate
    columns = tally.rows.read.situations.get(coordinate.of)
    return id(tally.rows), coordinate.of, 0 if columns is None else columns.bit_of(coordinate)


def persons_of(rows: Rows, of: DataSubject) -> Sequence[Person]:
    """Whom each row's data are about; somebody who is no verified person by their stand-in."""
    people = rows.people(of)
    if None not in people:
        return people  # type: ignore[return-value]
    what = _STAND_INS.get(of, "row")
    ids = rows.column(rows.read.id_index)
    return [stand_in(what, row) if person is None else person for person, row in zip(people, ids, strict=True)]


def _places(listed: list[Any], known: dict[Any, int], wanted: Iterable[Any]) -> list[int]:
    """The place of each in a list that has everything once; what is new is added."""
    found = []
    new = len(listed)
    for one in wanted:
        place = known.setdefault(one, new)
        if place == new:
            listed.append(one)
            new += 1
        found.append(place)
    return found


def _whole(records: Sequence[Record], situation: int) -> Record | None:
    """The record that witnesses the whole situation, whatever is made of it."""
    for one in records:
        if one[0] == situation & _LOW:
            return one
    return None


def _deciding(records: Sequence[Record], effects: EffectTable | NarrowedTable, situation: int) -> Record:
    """The first record that alone would have the same effect; or else, as where none can be decided, the first."""
    with suppress(DecisionFaultError):
        effect = effects[situation]
        for one in records:
            # A token's own records may decide less than all of them: these stay as they are.
            if effects[situation & ~_LOW | one[0]] is effect:
                return one
    return records[0]
