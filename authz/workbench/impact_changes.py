"""What changes by other rules: for whom something comes to something else, and in which registered operations."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass

from authz.vocabulary import Effect

REFUSED = "REFUSED"
"""What comes of a look-up or a write that is not allowed any more: the operation as a whole."""
RUN = "RUN"
"""What a registered operation does that is not refused."""


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One coordinate that comes to something else for one consumer: a role, and of a partner its code.

    `before` and `after` are effects; FOUND or WRITE becomes REFUSED. `persons`: distinct references. Where it is
    not `certain`, `after` is the most that it may come to, in at most so many operations.
    """

    role: str
    organization: str | None
    purpose: str
    coordinate: str
    before: str
    after: str
    certain: bool
    operations: int
    persons: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A registered operation as rules would answer it: effects by coordinate and path pattern.

    An effect is REVEAL, MASK, DENY, or DEPENDS and the situations. `refused`: the code where it is refused as a whole.
    """

    team: str
    name: str
    hash: str
    role: str
    purpose: str
    fields: Mapping[tuple[str, str], tuple[str, ...]]
    refused: str | None = None

    @property
    def whose(self) -> tuple[str, str, str, str, str]:
        """Which operation it is."""
        return self.team, self.name, self.hash, self.role, self.purpose


@dataclass(frozen=True, slots=True, order=True)
class Moved:
    """One field of a registered operation that comes to something else; an operation refused has no coordinate."""

    team: str
    name: str
    hash: str
    role: str
    purpose: str
    coordinate: str | None
    pattern: str | None
    before: str
    after: str

    @property
    def breaks(self) -> bool:
        """Is something gone that was shown, at least in some situation?"""
        return self.after == REFUSED or (self.after == Effect.DENY.name and self.before != self.after)

    @property
    def opens(self) -> bool:
        """Is something shown that was not?"""
        return self.before == REFUSED or (self.before == Effect.DENY.name and self.before != self.after)


def moved(before: Iterable[Planned], after: Iterable[Planned]) -> tuple[Moved, ...]:
    """What of registered operations, planned under both rules in the same order, comes to something else, each once."""
    return tuple(sorted(set(_moved(before, after)), key=lambda one: [text or "" for text in astuple(one)]))


def stale(before: Iterable[Planned], after: Iterable[Planned]) -> int:
    """How many of these operations are refused whenever they are asked."""
    refused: dict[tuple[str, ...], bool] = {}
    for one, other in zip(before, after, strict=True):
        refused[one.whose] = refused.get(one.whose, True) and one.refused is not None and one.refused == other.refused
    return sum(refused.values())


def _moved(before: Iterable[Planned], after: Iterable[Planned]) -> Iterator[Moved]:
    for one, other in zip(before, after, strict=True):
        whose = one.whose
        if one.refused != other.refused:
            yield Moved(*whose, None, None, *(REFUSED if each.refused else RUN for each in (one, other)))
        if one.refused or other.refused:
            continue
        for place, effect in one.fields.items():
            then = other.fields[place]
            if then != effect:
                yield Moved(*whose, *place, effect[0], then[0])
