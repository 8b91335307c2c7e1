"""What changed from one notice to another, and by which of the policy's grounds it is major (C76, C77).

Whether a version is major is computed, never claimed: whatever its structured members say differently counts, and how
the clauses are worded does not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from models.organizations import OrganizationKind
from models.vocabulary import from_bits
from privacy.notice_contents import Content, Party, Told


class Ground(StrEnum):
    """Why a change is major: section 九 of the policy, 1 to 6."""

    PROCESSING = "PROCESSING"
    """The mode of the service; purposes, types and uses of data (1)."""
    CONTROL = "CONTROL"
    """Who controls the data (2)."""
    RECIPIENTS = "RECIPIENTS"
    """Whom data are shared with (3)."""
    RIGHTS = "RIGHTS"
    """The rights of the data subject, and how to use them (4)."""
    RESPONSIBLE = "RESPONSIBLE"
    """The department responsible, how to reach it, where to complain (5)."""
    IMPACT = "IMPACT"
    """An impact assessment shows a high risk (6)."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: where, what it was and is (None: nothing), and by which ground it is major (None: it is not)."""

    place: str
    before: str | None
    after: str | None
    ground: Ground | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences, in the order of a content's members."""

    changes: tuple[Change, ...]

    @property
    def major(self) -> bool:
        """Is one of them major?"""
        return any(one.ground for one in self.changes)

    @property
    def grounds(self) -> tuple[Ground, ...]:
        """The grounds there are, in order."""
        found = {one.ground for one in self.changes}
        return tuple(ground for ground in Ground if ground in found)


def compare(old: Content, new: Content, *, answered: Sequence[str] = ()) -> Comparison:
    """What differs; `answered`: titles of the high-risk assessments that led from one to the other.

    The name and the date of a version are no differences, nor is the order in which it lists things.
    """
    return Comparison((*_differences(old, new), *(Change("assessments", None, one, Ground.IMPACT) for one in answered)))


def _differences(old: Content, new: Content) -> Iterator[Change]:
    yield from _text("summary", old.summary, new.summary, None)
    yield from _text("mode", old.mode, new.mode, Ground.PROCESSING)
    yield from _text("controller", old.controller, new.controller, Ground.CONTROL)
    yield from _functions(old, new)
    rights = tuple({one.name: one.how for one in content.rights} for content in (old, new))
    yield from _by_name("rights", *rights, ground=Ground.RIGHTS)
    for name in Party.__slots__:
        before, after = getattr(old.responsible, name), getattr(new.responsible, name)
        yield from _text(f"responsible.{name}", before, after, Ground.RESPONSIBLE)
    clauses = tuple({one.number: f"{one.title}\n{one.text}" for one in content.clauses} for content in (old, new))
    yield from _by_name("clauses", *clauses, ground=None)


def _text(place: str, before: str | None, after: str | None, ground: Ground | None) -> Iterator[Change]:
    if before != after:
        yield Change(place, before, after, ground)


def _by_name(place: str, old: Mapping[str, str], new: Mapping[str, str], *, ground: Ground | None) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        yield from _text(f"{place}.{name}", old.get(name), new.get(name), ground)


def _functions(old: Content, new: Content) -> Iterator[Change]:
    before, after = ({one.function: one for one in content.functions} for content in (old, new))
    purposes, later = ({one.purpose for one in content.functions} for content in (old, new))
    for purpose in sorted(purposes ^ later):
        was, now = (purpose.value if purpose in told else None for told in (purposes, later))
        yield Change("purposes", was, now, Ground.PROCESSING)
    for function in dict.fromkeys((*before, *after)):
        place = f"functions.{function[0].value}.{function[1].value}"
        one, other = before.get(function), after.get(function)
        if one and other:
            yield from _text(f"{place}.categories", _categories(one), _categories(other), Ground.PROCESSING)
            yield from _text(f"{place}.use", one.use, other.use, Ground.PROCESSING)
        else:
            own = function[1] is OrganizationKind.BROKER
            yield Change(place, _told(one), _told(other), Ground.PROCESSING if own else Ground.RECIPIENTS)


def _categories(one: Told) -> str:
    return ", ".join(category.value for category in from_bits(one.categories))


def _told(one: Told | None) -> str | None:
    return f"{_categories(one)}: {one.use}" if one else None
