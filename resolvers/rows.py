"""Rows as a statement gave them, by column, and where in the answer each of them stands."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_
from struct import Struct
from typing import Any
from uuid import UUID

from authz.catalogue import Coordinate
from authz.narrowing import both
from authz.situations import UNCOVERED
from authz.vocabulary import DataSubject
from authz.witnesses import combine
from resolvers.plan import Read, SituationColumns, WholeColumns
from vault.sealing import DataKey, KeyCache

Path = tuple[str | int, ...]
Occurrences = Callable[[], Iterator[tuple[int, Path]]]
"""Every place of the answer where a row of a level stands, in the order of the answer: (row, path)."""


Record = tuple[int, str, bytes]
"""One record that witnesses: its pair bits, its letter (`ledger.rows.RECORDS`) and its id."""

_unpack = Struct(">q16s").iter_unpack


class Rows:
    """The rows of one level. `weights` says how often each stands in the answer; None: once."""

    def __init__(
        self, read: Read, records: Sequence[Sequence[Any]], *, keys: KeyCache, weights: list[int] | None
    ) -> None:
        """Turn records into columns."""
        self.read = read
        self.count = len(records)
        self.columns: tuple[tuple[Any, ...], ...] = tuple(zip(*records, strict=True))
        self.weights = weights
        self.keys = keys
        self._judged: dict[tuple[DataSubject | None, int], tuple[Sequence[int], Mapping[int, int]]] = {}
        self._records: dict[tuple[DataSubject, int], list[list[Record]]] = {}
        self._data_keys: list[DataKey | None] | None = None
        self._bytes: dict[int, list[bytes]] = {}

    def column(self, index: int) -> tuple[Any, ...]:
        """One column; empty without rows."""
        return self.columns[index] if self.count else ()

    def situations(self, coordinate: Coordinate) -> Sequence[int]:
        """The situation of each row for a coordinate: for its data subject and category."""
        return self.judged(coordinate)[0]

    def judged(self, coordinate: Coordinate) -> tuple[Sequence[int], Mapping[int, int]]:
        """As `situations`, and how often each of them stands in the answer."""
        places = self.read.places
        place = places.get(coordinate.name)
        if place is None:
            place = places[coordinate.name] = self._place(coordinate)
        found = self._judged.get(place)
        if found is None:
            situations = self._situations(place)
            found = self._judged[place] = situations, self.counted(situations)
        return found

    def _place(self, coordinate: Coordinate) -> tuple[DataSubject | None, int]:
        """What rows have one situation for: a data subject, and where that tells them apart categories or items."""
        columns = self.read.situations.get(coordinate.of)
        if columns is None or columns.nothing:
            return None, 0
        return coordinate.of, columns.bit_of(coordinate)

    def _situations(self, place: tuple[DataSubject | None, int]) -> Sequence[int]:
        of, bit = place
        if of is None:
            return (0,) * self.count
        columns = self.read.situations[of]
        found = self._told_of(columns, self._combined(columns, of, bit), bit)
        if columns.whole is not None:
            whole = self._told_of(columns, self._whole(columns.whole, bit), bit)
            found = list(map(both, found, whole))
        return found

    def counted(self, situations: Sequence[int]) -> Mapping[int, int]:
        """How often each of the rows' situations stands in the answer."""
        if self.weights is None:
            return Counter(situations)
        counts: dict[int, int] = {}
        for situation, weight in zip(situations, self.weights, strict=True):
            counts[situation] = counts.get(situation, 0) + weight
        return counts

    def _told_of(self, columns: SituationColumns, situations: Sequence[int], category_bit: int) -> Sequence[int]:
        """The situations, UNCOVERED where no notice tells of this that the data subject agreed to (C75)."""
        if columns.covered is None:
            return situations
        return [
            situation if covered & category_bit else UNCOVERED
            for situation, covered in zip(situations, self.column(columns.covered), strict=True)
        ]

    def _combined(self, columns: SituationColumns, of: DataSubject, category_bit: int) -> Sequence[int]:
        numbers = [self.column(index) for index in columns.bits]
        if not numbers and not columns.records and not columns.masks:
            return (0,) * self.count
        if not columns.records and not columns.masks:
            return numbers[0] if len(numbers) == 1 else [reduce(or_, bits) for bits in zip(*numbers, strict=True)]
        found = [
            records[0][0] if len(records) == 1 else reduce(or_, (bits for bits, _, _ in records), 0)
            for records in self._recorded(columns, of, category_bit)
        ]
        for number in numbers:
            found = list(map(or_, found, number))
        return found

    def _recorded(self, columns: SituationColumns, of: DataSubject, category_bit: int) -> "Sequence[list[Record]]":
        """The records that each row's situation was computed from, with the pair bits that each contributes."""
        place = (of, category_bit)
        found = self._records.get(place)
        if found is None:
            found = self._records[place] = [[] for _ in range(self.count)]
            for letter, index in columns.records:
                for records, packed in zip(found, self.column(index), strict=True):
                    if packed is not None:
                        records += [(bits, letter, record) for bits, record in _unpack(packed)]
            for mask, index in columns.masks:
                for records, packed in zip(found, self.column(index), strict=True):
                    if packed is not None:
                        records.extend(
                            (combine(0, ((mask, opened),), category_bit=category_bit), mask.records.letter, record)
                            for opened, record in _unpack(packed)
                        )
        return found

    def _whole(self, columns: WholeColumns, category_bit: int) -> Sequence[int]:
        bits = (0,) * self.count if columns.bits is None else self.column(columns.bits)
        if not columns.masks:
            return bits
        masks = [(mask, self.column(index)) for mask, index in columns.masks]
        return [
            combine(own, tuple((mask, values[row]) for mask, values in masks), category_bit=category_bit)
            for row, own in enumerate(bits)
        ]

    def witnesses(self, coordinate: Coordinate) -> "Sequence[Sequence[Record]]":
        """The records that witness each row's situation for a coordinate; none where none is needed."""
        of = coordinate.of
        columns = self.read.situations.get(of)
        if columns is None or columns.nothing:
            return ((),) * self.count
        if columns.witness is None:
            return self._recorded(columns, of, columns.bit_of(coordinate) if columns.masks else 0)
        letter = columns.witness.letter
        own = [
            [(bits, letter, record.bytes)] if bits else []
            for bits, record in zip(self.column(columns.witness.bits), self.column(columns.witness.id), strict=True)
        ]
        if not columns.records and not columns.masks:
            return own
        others = self._recorded(columns, of, columns.bit_of(coordinate) if columns.masks else 0)
        return [[*one, *other] for one, other in zip(own, others, strict=True)]

    def people(self, of: DataSubject) -> Sequence[UUID | None]:
        """Whom each row's data are about; None for somebody who is nobody's verified person."""
        index = self.read.people.get(of)
        return (None,) * self.count if index is None else self.column(index)

    def data_keys(self) -> list[DataKey | None]:
        """The data key of each row; None where it is destroyed, missing or fails its check."""
        if self._data_keys is None:
            wrapped, owner, retention = self.read.wrapped_index, self.read.owner_index, self.read.noun.retention
            if wrapped is None or owner is None or retention is None:
                return [None] * self.count
            self._data_keys = self.keys.column(self.column(wrapped), self.column(owner), retention=retention)
        return self._data_keys

    def id_bytes(self, index: int) -> list[bytes]:
        """The bytes of an id column; where an outer join found nothing, none."""
        found = self._bytes.get(index)
        if found is None:
            found = self._bytes[index] = [b"" if row is None else row.bytes for row in self.column(index)]
        return found


def at_root(path: Path) -> Occurrences:
    """The one row of a root field."""

    def occurrences() -> Iterator[tuple[int, Path]]:
        yield 0, path

    return occurrences


def listed_at_root(count: int, head: Path, tail: Path) -> Occurrences:
    """Rows in a list of a root field."""

    def occurrences() -> Iterator[tuple[int, Path]]:
        for row in range(count):
            yield row, (*head, row, *tail)

    return occurrences


def linked(parents: Occurrences, keys: Sequence[Any], found: dict[Any, int], *, key: str) -> Occurrences:
    """Rows behind a link of other rows."""

    def occurrences() -> Iterator[tuple[int, Path]]:
        for parent, path in parents():
            row = found.get(keys[parent])
            if row is not None:
                yield row, (*path, key)

    return occurrences


def listed(
    parents: Occurrences, keys: Sequence[Any], groups: dict[Any, list[int]], head: Path, tail: Path
) -> Occurrences:
    """Rows in lists below other rows."""

    def occurrences() -> Iterator[tuple[int, Path]]:
        for parent, path in parents():
            for place, row in enumerate(groups.get(keys[parent], ())):
                yield row, (*path, *head, place, *tail)

    return occurrences
