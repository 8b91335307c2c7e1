"""A ruleset compiled: per (role, purpose) and coordinate its own enforcer and a table situation -> effect.

The tables fill as situations occur and live exactly as long as their rules: a later snapshot takes over a slice only if
not a row of it changed, so no answer outlives its rules.
"""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter

from authz.apart import check_birth_date_apart_from_masked_id
from authz.catalogue import Catalogue, Coordinate
from authz.enforce import Enforcer
from authz.law import EVERYTHING, NO_TERMS, Law, Terms
from authz.rules import Rule, Ruleset
from authz.situations import NOTHING, UNCOVERED, has_relation, holds, pair_bit
from authz.vocabulary import ANY, MASKABLE, Action, Basis, Effect, Reason, Relation, RuleEffect
from models.vocabulary import Category, Purpose, Role, to_bits

_log = logging.getLogger("needful.authz")
_SHOWING = (Action.REVEAL, Action.MASK)
READING = (*_SHOWING, Action.FILTER)
WRITING = (Action.WRITE,)
_TOLD = (Relation.SELF, Relation.GUARDIAN_OF)


class EffectTable(dict[int, Effect]):
    """The effect of one coordinate by situation; a new situation is put to Casbin once."""

    def __init__(self, compiled: "Slice", coordinate: str) -> None:
        """Start empty."""
        super().__init__()
        self._slice = compiled
        self._coordinate = coordinate

    def reason(self, situation: int) -> Reason:
        """Why a denied cell is not shown."""
        return self._slice.reason(self._coordinate, situation)

    def __missing__(self, situation: int) -> Effect:
        """Ask Casbin; raises DecisionFaultError when it cannot answer, and then remembers nothing."""
        effect = self._slice.decide(self._coordinate, situation)
        self[situation] = effect
        return effect


class DecisionFaultError(Exception):
    """Casbin could not answer: the cell is DENY, reason UNAVAILABLE."""


class Slice:
    """The rules of one (role, purpose) on some actions, ready to answer.

    Reading and writing have slices apart: a situation is computed as far as some rule of its slice can tell.
    """

    def __init__(  # noqa: PLR0913 - what a slice is made of
        self,
        role: Role,
        purpose: Purpose,
        *,
        rules: tuple[Rule, ...],
        of_role: frozenset[str],
        catalogue: Catalogue,
        terms: Terms = NO_TERMS,
    ) -> None:
        """`of_role`: the objects that the role is allowed anything of, for whatever purpose."""
        self.role = role
        self.purpose = purpose
        self.rules = rules
        self.of_role = of_role
        self.terms = terms
        self.closed = False
        """Is it denied because nobody can tell which rules are in force?"""
        self._catalogue = catalogue
        self._enforcers: dict[str, Enforcer] = {}
        self._tables: dict[str, EffectTable] = {}
        self._reasons: dict[tuple[str, int], Reason] = {}

    @cached_property
    def key(self) -> str:
        """Slices of one key answer alike, whatever ruleset they are of."""
        return _key(self.role, self.purpose, self.rules, self.of_role, self.terms)

    @property
    def seen(self) -> dict[str, tuple[int, ...]]:
        """The situations that have occurred, by coordinate: what there is to ask a slice that takes its place."""
        return {name: tuple(table) for name, table in self._tables.items()}

    @cached_property
    def relations(self) -> frozenset[Relation]:
        """The relations that some rule names: only these need computing."""
        return frozenset(map(Relation, {rule.relation for rule in self.rules} - {ANY, Relation.NONE}))

    @cached_property
    def bases(self) -> frozenset[Basis]:
        """The bases that some rule names, and that are lawful for the purpose."""
        return frozenset(map(Basis, {rule.basis for rule in self.rules} - {ANY, Basis.NONE})) & self.terms.bases

    @cached_property
    def _pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset((rule.relation, rule.basis) for rule in self.rules)

    def tells_untied(self, basis: Basis) -> bool:
        """Could some rule tell a record that opens `basis` without tying the subject from one that does neither?"""
        return any(
            relation == Relation.NONE or (relation == ANY and opened in (basis, Basis.NONE))
            for relation, opened in self._pairs
        )

    @cached_property
    def loosens(self) -> bool:
        """Could fewer witnesses show more? If something is denied, or allowed to those whom nothing ties or opens."""
        return any(
            rule.effect == RuleEffect.DENY
            or (holds(NOTHING, rule.relation, rule.basis) and (rule.relation, rule.basis) != (ANY, ANY))
            for rule in self.rules
            if rule.action in _SHOWING
        )

    def coordinate(self, name: str) -> Coordinate | None:
        """The sensitive coordinate of a name; None for public and unknown ones."""
        return self._catalogue.get(name)

    def table(self, coordinate: str) -> EffectTable:
        """The effects of a coordinate by situation."""
        table = self._tables.get(coordinate)
        if table is None:
            table = self._tables[coordinate] = EffectTable(self, coordinate)
        return table

    def decide(self, coordinate: str, situation: int) -> Effect:
        """REVEAL if Casbin allows it, else MASK if it allows that and the category has a masked form, else DENY."""
        try:
            if self._allows(coordinate, situation, Action.REVEAL):
                return Effect.REVEAL
            maskable = self._catalogue[coordinate].category in MASKABLE
            if maskable and self._allows(coordinate, situation, Action.MASK):
                return Effect.MASK
        except Exception as fault:
            _log.exception("a decision could not be made: %s for %s on %s", self.role, self.purpose, coordinate)
            raise DecisionFaultError from fault
        return Effect.DENY

    def may_filter(self, coordinate: str, situation: int) -> bool:
        """May the caller look up rows by this coordinate?"""
        return self._allows(coordinate, situation, Action.FILTER)

    def reveals_to_audience(self, coordinate: str) -> bool:
        """Is a recipient shown this coordinate of those whose consent covers it? (C20, C21)"""
        return self.decide(coordinate, pair_bit(Relation.AUDIENCE, Basis.CONSENT)) is Effect.REVEAL

    def may_write(self, coordinate: str, situation: int) -> bool:
        """May the caller run this write, or change this datum with one?"""
        return self._allows(coordinate, situation, Action.WRITE)

    def why_not_write(self, coordinate: str, situation: int) -> Reason:
        """Why a write is refused: the first reason that applies."""
        rules = tuple(self._allowing(coordinate))
        if any(holds(situation, one.relation, one.basis) for one in self._denying(coordinate)):
            return Reason.RULE_DENIES
        if not self._role_has(coordinate):
            return Reason.ROLE
        if not rules:
            return Reason.PURPOSE
        return Reason.BASIS if self.ties(coordinate, situation) else Reason.RELATION

    def ties(self, coordinate: str, situation: int) -> bool:
        """Does some pair of the situation have a relation under which this may be written, whatever its basis?"""
        return any(has_relation(situation, one.relation) for one in self._allowing(coordinate))

    def could_show(self, coordinate: str) -> bool:
        """Is there a rule that shows this coordinate in some situation? If not, its column is never read."""
        return any(self._allowing(coordinate))

    @cached_property
    def shows(self) -> frozenset[Category]:
        """The categories of which some rule shows something, in some situation."""
        if not self.rules:
            return frozenset()
        return frozenset(one.category for one in self._catalogue.values() if self.could_show(one.name))

    def told(self, category: Category) -> frozenset[bool]:
        """Do notices tell of this use of a category? True: some does, or none is needed; False: some does not."""
        versions = self.terms.versions
        return frozenset(bool(told & category.bit) for _, told in versions) if versions else frozenset({True})

    def names_of(self, category: Category) -> tuple[str, ...]:
        """The coordinates of a category."""
        return tuple(one.name for one in self._catalogue.values() if one.category == category)

    def rules_on(self, coordinate: str) -> tuple[Rule, ...]:
        """The rules of this slice that are about a coordinate, filters included."""
        found = [rule for obj in self._objects_of(coordinate) for rule in self._by_object.get(obj, ())]
        return tuple(sorted(found, key=attrgetter("line")))

    def _objects_of(self, coordinate: str) -> tuple[str, ...]:
        """What a rule on this coordinate is about: itself, or its category."""
        found = self._catalogue.get(coordinate)
        return (coordinate,) if found is None else (coordinate, found.category.value)

    @cached_property
    def _by_object(self) -> dict[str, list[Rule]]:
        found: defaultdict[str, list[Rule]] = defaultdict(list)
        for rule in self.rules:
            found[rule.object].append(rule)
        return dict(found)

    def denies_somewhere(self, coordinate: str) -> bool:
        """Is there a deny rule on this coordinate?"""
        return any(self._denying(coordinate))

    def reason(self, coordinate: str, situation: int) -> Reason:
        """Why a denied cell is not shown: the first reason that applies."""
        found = self._reasons.get((coordinate, situation))
        if found is None:
            found = self._reasons[coordinate, situation] = self._reason(coordinate, situation)
        return found

    def _reason(self, coordinate: str, situation: int) -> Reason:
        if any(holds(situation, rule.relation, rule.basis) for rule in self._denying(coordinate)):
            return Reason.RULE_DENIES
        if not self._role_has(coordinate):
            return Reason.ROLE
        showing = tuple(self._allowing(coordinate))
        if not showing:
            return Reason.PURPOSE
        if situation == UNCOVERED:
            return Reason.BASIS if self.role == Role.PRIVACY_OFFICER else Reason.RELATION
        related = any(has_relation(situation, rule.relation) for rule in showing)
        return Reason.BASIS if related and self._may_know_basis(situation) else Reason.RELATION

    def _may_know_basis(self, situation: int) -> bool:
        return self.role == Role.PRIVACY_OFFICER or any(has_relation(situation, relation) for relation in _TOLD)

    def _role_has(self, coordinate: str) -> bool:
        return not self.of_role.isdisjoint(self._objects_of(coordinate))

    def _allows(self, coordinate: str, situation: int, action: Action) -> bool:
        enforcer = self._enforcers.get(coordinate)
        if enforcer is None:
            enforcer = self._enforcers[coordinate] = Enforcer(self.rules_on(coordinate), catalogue=self._catalogue)
        return enforcer.allows(
            self.role.value, self.purpose.value, situation=situation, coordinate=coordinate, action=action
        )

    def _allowing(self, coordinate: str) -> Iterator[Rule]:
        return self._having(coordinate, RuleEffect.ALLOW)

    def _denying(self, coordinate: str) -> Iterator[Rule]:
        return self._having(coordinate, RuleEffect.DENY)

    def _having(self, coordinate: str, effect: RuleEffect) -> Iterator[Rule]:
        for obj in self._objects_of(coordinate):
            for rule in self._by_object.get(obj, ()):
                if rule.effect == effect and rule.action != Action.FILTER:
                    yield rule


class ClosedSlice(Slice):
    """Denies everything, since nobody can tell which rules are in force: reason UNAVAILABLE."""

    def __init__(self, role: Role, purpose: Purpose, *, catalogue: Catalogue) -> None:
        """Without a rule, and unlike the slice of a role that has none."""
        super().__init__(role, purpose, rules=(), of_role=frozenset(), catalogue=catalogue)
        self.closed = True
        self.key = f"closed,{role},{purpose}"

    def why_not_write(self, coordinate: str, situation: int) -> Reason:  # noqa: ARG002 - as every slice
        """UNAVAILABLE."""
        return Reason.UNAVAILABLE

    def reason(self, coordinate: str, situation: int) -> Reason:  # noqa: ARG002 - as every slice
        """UNAVAILABLE."""
        return Reason.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One ruleset, checked and compiled. An operation holds one snapshot from start to end."""

    ruleset: Ruleset
    catalogue: Catalogue
    slices: dict[tuple[Role, Purpose], Slice]
    writes: dict[tuple[Role, Purpose], Slice]
    law: Law = EVERYTHING
    is_closed: bool = False
    """Does it deny everything, since nobody can tell which rules are in force?"""

    def slice(self, role: Role, purpose: Purpose) -> Slice:
        """The slice of a (role, purpose) for reading; one without rules denies everything."""
        return self.slices[role, purpose]

    def writing(self, role: Role, purpose: Purpose) -> Slice:
        """The same for writing."""
        return self.writes[role, purpose]

    def closed(self) -> "Snapshot":
        """The same ruleset where nobody can tell whether it still is in force: it denies everything."""
        slices: _Slices = {place: ClosedSlice(*place, catalogue=self.catalogue) for place in self.slices}
        return replace(self, slices=slices, writes=slices, is_closed=True)


def compile_ruleset(
    ruleset: Ruleset, catalogue: Catalogue, *, before: Snapshot | None = None, law: Law | None = None
) -> Snapshot:
    """Compile and check a ruleset aside; the caller swaps it in by one reference. Raises RulesetError.

    Slices of `before`, a snapshot over the same catalogue, are taken over with their tables where no row changed; so is
    its law, where none is given.
    """
    snapshot = assemble(ruleset, catalogue, before=before, law=law)
    for _ in checking(snapshot, before=before):
        pass
    return snapshot


def assemble(
    ruleset: Ruleset, catalogue: Catalogue, *, before: Snapshot | None = None, law: Law | None = None
) -> Snapshot:
    """The slices of a ruleset, `checking` yet to come. Casbin is not asked: this may be done in another thread.

    Enough for whoever asks what a ruleset would answer that may never be in force.
    """
    if before is not None and before.catalogue is not catalogue:
        law, before = law or before.law, None
    law = law or (before.law if before else EVERYTHING)
    slices = _slices(ruleset, catalogue, READING, before.slices if before else {}, law)
    writes = _slices(ruleset, catalogue, WRITING, before.writes if before else {}, law)
    return Snapshot(ruleset=ruleset, catalogue=catalogue, slices=slices, writes=writes, law=law)


def checking(snapshot: Snapshot, *, before: Snapshot | None = None) -> Iterator[None]:
    """Check what is new of a snapshot, in steps of one slice. Raises RulesetError."""
    for compiled in _new(snapshot, before):
        check_birth_date_apart_from_masked_id(compiled, snapshot.catalogue)
        yield


def warming(snapshot: Snapshot, *, before: Snapshot) -> Iterator[None]:
    """Decide what has been asked of the slices that new ones replace, in steps of one decision.

    Raises DecisionFaultError.
    """
    for compiled in _new(snapshot, before):
        for name, situations in before.slices[compiled.role, compiled.purpose].seen.items():
            if compiled.could_show(name):
                table = compiled.table(name)
                for situation in situations:
                    table[situation]
                    yield


def _new(snapshot: Snapshot, before: Snapshot | None) -> Iterator[Slice]:
    for place, compiled in snapshot.slices.items():
        if before is None or compiled is not before.slices[place]:
            yield compiled


_Slices = dict[tuple[Role, Purpose], Slice]


def slice_of(  # noqa: PLR0913 - what a slice is taken from
    ruleset: Ruleset,
    role: Role,
    purpose: Purpose,
    *,
    catalogue: Catalogue,
    actions: Collection[Action] = READING,
    law: Law = EVERYTHING,
) -> Slice:
    """One slice of a ruleset, unchecked: for whoever asks what it would answer."""
    rules = tuple(
        rule for rule in ruleset.rules if rule.role == role and rule.purpose == purpose and rule.action in actions
    )
    of_role = _allowed(rule for rule in ruleset.rules if rule.role == role and rule.action in actions)
    terms = law.terms(role, purpose, _needed(rules, catalogue))
    return Slice(role, purpose, rules=rules, of_role=of_role, catalogue=catalogue, terms=terms)


def checked_slice(
    ruleset: Ruleset, role: Role, purpose: Purpose, *, catalogue: Catalogue, law: Law = EVERYTHING
) -> Slice:
    """One slice for reading, checked as a snapshot's are. Raises RulesetError."""
    found = slice_of(ruleset, role, purpose, catalogue=catalogue, law=law)
    check_birth_date_apart_from_masked_id(found, catalogue)
    return found


def _slices(ruleset: Ruleset, catalogue: Catalogue, actions: Collection[Action], before: _Slices, law: Law) -> _Slices:
    rules: defaultdict[tuple[Role, Purpose], list[Rule]] = defaultdict(list)
    for rule in ruleset.rules:
        if rule.action in actions:
            rules[rule.role, rule.purpose].append(rule)
    slices: _Slices = {}
    for role in Role:
        of_role = _allowed(rule for purpose in Purpose for rule in rules[role, purpose])
        for purpose in Purpose:
            own, earlier = tuple(rules[role, purpose]), before.get((role, purpose))
            terms = law.terms(role, purpose, _needed(own, catalogue))
            # A closed slice is as empty as one of a role without rules, and answers otherwise.
            if (
                earlier is None
                or earlier.closed
                or (earlier.rules, earlier.of_role, earlier.terms) != (own, of_role, terms)
            ):
                earlier = Slice(role, purpose, rules=own, of_role=of_role, catalogue=catalogue, terms=terms)
            slices[role, purpose] = earlier
    return slices


def _allowed(rules: Iterable[Rule]) -> frozenset[str]:
    return frozenset(rule.object for rule in rules if rule.effect == RuleEffect.ALLOW and rule.action != Action.FILTER)


def _needed(rules: Iterable[Rule], catalogue: Catalogue) -> int:
    """The categories, as a stored set, of which some of these rules could show something or look people up by it."""
    objects = {rule.object for rule in rules if rule.effect == RuleEffect.ALLOW and rule.action in READING}
    objects -= catalogue.counts
    named = {catalogue[one].category if one in catalogue else Category(one) for one in objects}
    return to_bits(named)


def _key(role: Role, purpose: Purpose, rules: Iterable[Rule], of_role: Iterable[str], terms: Terms) -> str:
    lines = (f"{role},{purpose}", terms.line, *(rule.line for rule in rules), *sorted(of_role))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
