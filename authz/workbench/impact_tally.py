"""Counting an impact, row by row: each distinct question is decided once, under both rulesets, for all moments."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import cached_property
from typing import Any

import orjson

from authz.catalogue import Catalogue
from authz.compile import Slice
from authz.narrowing import Narrowing, Only, both, compares
from authz.possible import unheard
from authz.replay import AS_RECORDED, decide_again, narrowing_said
from authz.situations import UNCOVERED
from authz.vocabulary import Effect, RuleEffect
from authz.workbench.impact_changes import REFUSED, Change
from authz.workbench.impact_moments import Sides
from ledger.rows import FOUND, WRITE, Kind, Outcome
from models.vocabulary import Purpose, Role

KINDS = (Kind.READ.value, Kind.WRITE.value)
_LOW = (1 << 64) - 1
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, OverflowError)
"""What a text stumbles over that is no row: whoever may add rows may add any text."""


@dataclass(slots=True)
class _Counted:
    operations: int = 0
    persons: set[int] = field(default_factory=set)


_Found = tuple[str, str, str, bool]
"""Coordinate, before, after, and is it certain?"""


class Tally:
    """Counts what changes, row by row, at whichever moment it does."""

    def __init__(self, sides: Sides) -> None:
        """Nothing has been looked at."""
        self._sides = sides
        self._askers: dict[Any, _Asker] = {}
        self._counted: defaultdict[Any, _Counted] = defaultdict(_Counted)
        self.purposes: Counter[str] = Counter()
        self.taken = self.glass = self.unreadable = 0

    def add(self, text: str) -> None:
        """Look at the text of one row; whatever it says, it does not stop the others."""
        try:
            self._add(orjson.loads(text))
        except _UNREADABLE:
            self.unreadable += 1

    @property
    def distinct(self) -> int:
        """How many questions have been decided."""
        return sum(len(one.known) for one in self._askers.values())

    def _add(self, body: dict[str, Any]) -> None:
        entries = body.get("entries")
        if body["kind"] not in KINDS or not entries:
            return
        if "breakGlass" in body:
            self.glass += 1
            return
        asker = self._asker(body)
        self.purposes[body["purpose"]] += 1
        seen: set[_Found] = set()
        # Of a write that was refused anyway nothing can be taken away.
        failed = body["outcome"] == Outcome.REFUSED
        for coordinates, effect, reason, situation, group in entries:
            if reason in AS_RECORDED:
                self.taken += len(coordinates)
                continue
            if failed and effect == WRITE:
                continue
            place = (*coordinates, effect if effect in (FOUND, WRITE) else "", situation)
            found = asker.known.get(place)
            if found is None:
                found = asker.known[place] = asker.changes(coordinates, effect, int(situation))
            if found:
                self._count(body, found, group, seen)

    def _asker(self, body: dict[str, Any]) -> "_Asker":
        scope = body.get("scope") or {}
        role, purpose = body["role"], body["purpose"]
        place = role, purpose, scope.get("categories"), scope.get("only"), scope.get("most"), scope.get("stepUp")
        asker = self._askers.get(place)
        if asker is None:
            # A write of accounts and sessions narrows nothing.
            asked = Role(role), Purpose(purpose), scope.get("categories", 0), narrowing_said(scope)
            asker = self._askers[place] = _Asker(self._sides, *asked)
        return asker

    def _count(self, body: dict[str, Any], found: Iterable[_Found], group: int, seen: set[_Found]) -> None:
        persons = body.get("persons", ())
        named = [persons[place] for place in body["groups"][group][0]]
        references = {one for one in named if type(one) is int}
        for one in found:
            counted = self._counted[body["role"], body.get("organization"), body["purpose"], one]
            counted.persons |= references
            if one not in seen:
                seen.add(one)
                counted.operations += 1

    def changes(self, codes: Mapping[str, str]) -> tuple[Change, ...]:
        """What was found, the most operations first; `codes` are organizations' codes by id."""
        found = [
            Change(
                role=role,
                organization=codes.get(organization, organization) if organization else None,
                purpose=purpose,
                coordinate=coordinate,
                before=before,
                after=after,
                certain=certain,
                operations=counted.operations,
                persons=len(counted.persons),
            )
            for (role, organization, purpose, change), counted in self._counted.items()
            for coordinate, before, after, certain in (change,)
        ]
        return tuple(sorted(found, key=lambda one: (-one.operations, one.role, one.organization or "", astuple(one))))


class _Asker:
    """Whoever asks as one role for one purpose with a token that narrows so, at all moments."""

    def __init__(self, sides: Sides, role: Role, purpose: Purpose, categories: int, narrowing: Narrowing) -> None:
        self.known: dict[tuple[Any, ...], tuple[_Found, ...]] = {}
        # Slices of one key answer alike: most moments change nothing for most.
        moments: dict[tuple[str, ...], _Moment] = {}
        now = sides.before.slice(role, purpose)
        for pair in sides.pairs:
            reads = [snapshot.slice(role, purpose) for snapshot in pair]
            writes = [snapshot.writing(role, purpose) for snapshot in pair]
            keys = tuple(one.key for one in (*reads, *writes))
            moments.setdefault(keys, _Moment(now, reads, writes, sides.before.catalogue, categories, narrowing))
        self._moments = tuple(moments.values())

    def changes(self, coordinates: Sequence[str], effect: str, situation: int) -> tuple[_Found, ...]:
        """What of these coordinates comes to something else at any moment. Raises DecisionFaultError."""
        found = {one: None for moment in self._moments for one in moment.changes(coordinates, effect, situation)}
        return tuple(one for one in found if one[-1] or (*one[:-1], True) not in found)


class _Moment:
    """The same at one moment; `now`: the rules that a row's situation was told for."""

    def __init__(  # noqa: PLR0913 - what a decision depends on
        self,
        now: Slice,
        reads: Sequence[Slice],
        writes: Sequence[Slice],
        catalogue: Catalogue,
        categories: int,
        narrowing: Narrowing,
    ) -> None:
        self._now = now
        self._before, self._after = reads
        self._writes = writes
        self._catalogue = catalogue
        self._categories, self._narrowing = categories, narrowing

    def changes(self, coordinates: Sequence[str], effect: str, situation: int) -> Iterator[_Found]:
        """What of these coordinates comes to something else. Raises DecisionFaultError."""
        for name in coordinates:
            if effect == WRITE:
                yield from self._write(name)
            elif name in self._catalogue:
                yield from self._lookup(name) if effect == FOUND else self._read(name, situation)

    def _read(self, name: str, situation: int) -> Iterator[_Found]:
        before, after = self._decided(self._before, name, situation), self._decided(self._after, name, situation)
        most = max((self._decided(self._after, name, one) for one in self._more(name, situation)), default=after)
        certain = most <= after
        after = after if after is not before else most
        if after is not before:
            yield name, before.name, after.name, certain

    def _more(self, name: str, situation: int) -> Iterator[int]:
        """The situations that a row may really be of, where it does not hold all that the new rules can tell."""
        if self._before.key == self._after.key or not self._after.could_show(name):
            return
        if situation & _LOW == UNCOVERED:
            # Whatever ties and opens: no rule speaks of it.
            return
        computed = situation or self._now.could_show(name) or self._now.denies_somewhere(name)
        for bit in self._unheard if computed else self._unknown:
            yield situation | bit | (bit << 64 if situation > _LOW else 0)

    @cached_property
    def _unheard(self) -> list[int]:
        return unheard(self._after, of=self._now)

    @cached_property
    def _unknown(self) -> list[int]:
        return unheard(self._after, of=None)

    def _decided(self, compiled: Slice, name: str, situation: int) -> Effect:
        if self._narrowing.only is not Only.ALL:
            # Whether two situations are compared is for the rules to say, and was for those of the row.
            compared = compares(compiled, self._narrowing)
            if compared and situation <= _LOW:
                situation = both(situation, situation)
            elif not compared:
                situation &= _LOW
        decided = decide_again(compiled, self._catalogue[name], self._categories, self._narrowing, situation=situation)
        return Effect[decided[0]]

    def _lookup(self, name: str) -> Iterator[_Found]:
        if self._before.may_filter(name, 0) and not self._after.may_filter(name, 0):
            yield name, FOUND, REFUSED, True

    def _write(self, name: str) -> Iterator[_Found]:
        """A row does not hold the situation of a write: it is refused for certain where none allows it any more."""
        if name in self._catalogue.writes:
            before, after = (_allows(compiled, name) for compiled in self._writes)
            if before and not after:
                yield name, WRITE, REFUSED, True


def _allows(compiled: Slice, name: str) -> bool:
    return any(rule.effect == RuleEffect.ALLOW for rule in compiled.rules_on(name))
