"""The seeded source from which every demo value is drawn."""

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar
from uuid import UUID

from asyncpg.pgproto import pgproto

from models.demo.timeline import CHINA

T = TypeVar("T")

_UUID_KEEP = (1 << 128) - 1 - (0xF000 << 64) - (0xC000 << 48)
_UUID_VERSION_4 = (0x4000 << 64) | (0x8000 << 48)
# Days are Chinese days; moments are told in UTC, which costs half to make and to send.
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=CHINA).astimezone(UTC)
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Weighted(Generic[T]):
    """Options with the upper bounds of their shares of [0, 1)."""

    options: tuple[T, ...]
    bounds: tuple[float, ...]


def weighted(weights: Mapping[T, float]) -> Weighted[T]:
    """Options to draw from in proportion to their weights."""
    total = sum(weights.values())
    bounds = [bound / total for bound in accumulate(weights.values())]
    return Weighted(options=tuple(weights), bounds=tuple(bounds[:-1]))


class Draws(Random):
    """A seeded random source with the draws that demo data need; equal seeds give equal draws."""

    def uuid(self) -> UUID:
        """A random (version 4) UUID."""
        # The database driver's own kind is a UUID too, and several times faster to make and to send.
        return pgproto.UUID((self.getrandbits(128) & _UUID_KEEP | _UUID_VERSION_4).to_bytes(16))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random() < probability

    def pick(self, options: Weighted[T]) -> T:
        """One option, by weight."""
        return options.options[bisect(options.bounds, self.random())]

    def one(self, options: Sequence[T]) -> T:
        """One option, all alike."""
        return options[int(self.random() * len(options))]

    def number(self, first: int, last: int) -> int:
        """A whole number, both ends included."""
        return first + int(self.random() * (last - first + 1))

    def digits(self, count: int) -> str:
        """That many decimal digits, at most 15."""
        return f"{int(self.random() * 10**count):0{count}d}"

    def day(self, first: date, last: date) -> date:
        """A day, both ends included; `first` where the ends are the wrong way round."""
        start = first.toordinal()
        return date.fromordinal(start + int(self.random() * max(last.toordinal() - start + 1, 1)))

    def moment(self, first: date, last: date) -> datetime:
        """A second between the begin of `first` and the end of `last`, Chinese time."""
        start = first.toordinal()
        days = max(last.toordinal() - start + 1, 1)
        return _EPOCH + timedelta(start - _EPOCH_DAY, int(self.random() * days * _DAY))
