"""Statistics that betray nobody: once a month a closed set of tables, each figure with its own noise (C40).

Every question is answered from that set: asking again, otherwise or more often tells nothing that is not in it.
Precedence: a group of fewer persons than the least is never shown, whatever the noise. What is shown besides is decided
by the noisy figure, so that it does not tell whether a group has one person more or less.

The noise is drawn by a keyed hash of the place that a figure has, never of what was counted: the same figure of the
same month always comes out alike, and one that has not changed does not show that it has not. From month to month it is
that of a running count in a binary tree (Chan, Shi, Song 2011): whatever happens once to one person is in so few of the
draws, as many as the number of months has binary digits, that years of releases hide it nearly as well as one.
"""

import hmac
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import sqrt
from statistics import NormalDist

from models.statistics import Counts, Dimension

LEAST = 10
"""Distinct persons of the smallest group that is ever shown."""
LEAST_OF_ALL = 5
MOST_OF_A_PERSON = 2
"""Policies or claims that count of one holder, and of one insured: what one person can change is bounded."""
NOISE = 40.0
"""The standard deviation of one draw."""
CLEAR = 3.0
"""A figure is shown from so many standard deviations above the least on."""
STEP = 5
"""Figures are rounded to its multiples."""
WITHIN = 1.96
"""Standard deviations within which 95 of 100 figures are."""
FIRST = date(2026, 1, 1)
"""The first month; the tree begins here."""
QUARTERS = 12
"""The latest quarters, the running one included; what is earlier or has no day is in no table by quarter."""

Table = tuple[Dimension, ...]
PUBLISHED: tuple[Table, ...] = (
    (),
    (Dimension.INSURER,),
    (Dimension.PRODUCT,),
    (Dimension.STATUS,),
    (Dimension.QUARTER,),
    (Dimension.PRODUCT, Dimension.STATUS),
    (Dimension.PRODUCT, Dimension.QUARTER),
    (Dimension.STATUS, Dimension.QUARTER),
)
"""Every table there is. One more would show each person once more: the noise is chosen for these."""


@dataclass(frozen=True, slots=True)
class Group:
    """What was counted of one cell of a table: never stored, never shown.

    `fewest`: distinct persons, of holders and insured whichever are fewer; `persons`: those whom the figure is about.
    """

    counts: Counts
    table: Table
    cell: tuple[str, ...]
    number: int
    persons: int
    fewest: int


@dataclass(frozen=True, slots=True)
class Figure:
    """What is shown of one cell."""

    counts: Counts
    table: Table
    cell: tuple[str, ...]
    number: int
    persons: int


@dataclass(frozen=True, slots=True)
class Protection:
    """What a month's release is protected by: the key of the noise, the month, the least group.

    `salts` by number of the month, this one's too; a month without a release has none.
    """

    key: bytes = field(repr=False)
    month: date
    least: int = LEAST
    salts: Mapping[int, bytes] = field(default_factory=dict, repr=False)

    @property
    def spread(self) -> float:
        """The standard deviation of every figure's noise in this month."""
        return NOISE * sqrt(sum(1 for _ in nodes(self.month)))

    def figures(self, groups: Iterable[Group]) -> Iterator[Figure]:
        """What is shown of some groups."""
        clear = self.least + CLEAR * self.spread
        for one in groups:
            persons = one.persons + self.noise(one, "persons")
            # The fewer of both decide as inexactly: of many persons by ten holders, one holder more would show.
            if one.fewest >= self.least and min(persons, one.fewest + self.noise(one, "fewest")) >= clear:
                number = one.number + self.noise(one, "number")
                yield Figure(one.counts, one.table, one.cell, _rounded(number), _rounded(persons))

    def noise(self, group: Group, measure: str) -> float:
        """What is added to one measure of a cell: as many draws as the month has nodes."""
        place = "\x1f".join((group.counts, *group.table, *group.cell, measure))
        return sum(
            _draw(self.key, f"{place}\x1f{first}\x1f{last}\x1f".encode() + self.salts.get(last, b""))
            for first, last in nodes(self.month)
        )


def nodes(month: date) -> Iterator[tuple[int, int]]:
    """The spans of months, from the first to this one, that together are all of them: as few as there can be."""
    last = number_of(month)
    while last:
        first = last & (last - 1)
        yield first, last
        last = first


def number_of(month: date) -> int:
    """A month's number; the first is 1."""
    return max(1, (month.year - FIRST.year) * 12 + month.month - FIRST.month + 1)


def _draw(key: bytes, place: bytes) -> float:
    drawn = int.from_bytes(hmac.digest(key, place, "sha256")[:8])
    return NormalDist(0.0, NOISE).inv_cdf((drawn + 0.5) / 2**64)


def _rounded(figure: float) -> int:
    return max(0, STEP * round(figure / STEP))


def error_of(spread: float) -> int:
    """Within what 95 of 100 figures are of what was counted, rounding included."""
    return round(WITHIN * spread + STEP / 2)


def table_of(grouped: Collection[Dimension], given: Collection[Dimension]) -> Table | None:
    """The table that a question is answered from; None where there is none of these dimensions."""
    asked = {*grouped, *given}
    return next((one for one in PUBLISHED if set(one) == asked), None)


def question_text(counts: Counts, table: Table, given: Mapping[Dimension, str]) -> str:
    """A question in one form, however it is asked: what it is answered from, and what of it."""
    values = (f"{one}={given[one]}" if one in given else one.value for one in table)
    return " ".join((counts.value, *values))


def picked(table: Table, cells: Iterable[Sequence[str]], given: Mapping[Dimension, str]) -> list[int]:
    """The places of the cells that have the given values."""
    wanted = [(place, given[one]) for place, one in enumerate(table) if one in given]
    return [at for at, cell in enumerate(cells) if all(cell[place] == value for place, value in wanted)]


def quarter_text(day: date) -> str:
    """A day's quarter: `2026Q4`."""
    return f"{day.year}Q{(day.month + 2) // 3}"


def quarters(month: date) -> tuple[str, ...]:
    """The quarters that a month's release tells of, the latest last."""
    last = month.year * 4 + (month.month - 1) // 3
    return tuple(f"{one // 4}Q{one % 4 + 1}" for one in range(last - QUARTERS + 1, last + 1))
