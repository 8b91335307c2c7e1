"""A ruleset compiled: per (role, purpose) its own enforcer and, per coordinate, a table situation -> effect.

The tables fill as situations occur and live exactly as long as their snapshot, so no answer outlives its rules.
"""

import itertools
import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from authz.catalogue import Catalogue, Coordinate
from authz.enforce import Enforcer
from authz.rules import Rule, Ruleset, RulesetError
from authz.situations import NOTHING, has_relation, holds, pair_bit
from authz.vocabulary import ANY, MASKABLE, Action, Basis, Effect, Reason, Relation, RuleEffect
from models.vocabulary import Category, Purpose, Role

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

    def __init__(
        self,
        role: Role,
        purpose: Purpose,
        *,
        ruleset: Ruleset,
        catalogue: Catalogue,
        actions: Collection[Action] = READING,
    ) -> None:
        """Build the slice's own small enforcer."""
        self.role = role
        self.purpose = purpose
        self._catalogue = catalogue
        self._of_role = tuple(rule for rule in ruleset.rules if rule.role == role and rule.action in actions)
        self.rules = tuple(rule for rule in self._of_role if rule.purpose == purpose)
        self._enforcer = Enforcer(self.rules, catalogue=catalogue)
        self._tables: dict[str, EffectTable] = {}
        self._reasons: dict[tuple[str, int], Reason] = {}

    @property
    def relations(self) -> frozenset[Relation]:
        """The relations that some rule names: only these need computing."""
        return frozenset(Relation(rule.relation) for rule in self.rules if rule.relation not in (ANY, Relation.NONE))

    @property
    def bases(self) -> frozenset[Basis]:
        """The bases that some rule names."""
        return frozenset(Basis(rule.basis) for rule in self.rules if rule.basis not in (ANY, Basis.NONE))

    def tells_untied(self, basis: Basis) -> bool:
        """Could some rule tell a record that opens `basis` without tying the subject from one that does neither?"""
        return any(
            rule.relation == Relation.NONE or (rule.relation == ANY and rule.basis in (basis, Basis.NONE))
            for rule in self.rules
        )

    @property
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

    def may_write(self, coordinate: str, situation: int) -> bool:
        """May the caller run this write, or change this datum with one?"""
        return self._allows(coordinate, situation, Action.WRITE)

    def why_not_write(self, coordinate: str, situation: int) -> Reason:
        """Why a write is refused: the first reason that applies."""
        rules = tuple(self._rules_on(self.rules, coordinate, RuleEffect.ALLOW))
        if any(holds(situation, one.relation, one.basis) for one in self._denying(coordinate)):
            return Reason.RULE_DENIES
        if not any(self._rules_on(self._of_role, coordinate, RuleEffect.ALLOW)):
            return Reason.ROLE
        if not rules:
            return Reason.PURPOSE
        return Reason.BASIS if self.ties(coordinate, situation) else Reason.RELATION

    def ties(self, coordinate: str, situation: int) -> bool:
        """Does some pair of the situation have a relation under which this may be written, whatever its basis?"""
        return any(
            has_relation(situation, one.relation) for one in self._rules_on(self.rules, coordinate, RuleEffect.ALLOW)
        )

    def could_show(self, coordinate: str) -> bool:
        """Is there a rule that shows this coordinate in some situation? If not, its column is never read."""
        return any(self._showing(self.rules, coordinate))

    @cached_property
    def shows(self) -> frozenset[Category]:
        """The categories of which some rule shows something, in some situation."""
        if not self.rules:
            return frozenset()
        return frozenset(one.category for one in self._catalogue.values() if self.could_show(one.name))

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
        if not any(self._showing(self._of_role, coordinate)):
            return Reason.ROLE
        showing = tuple(self._showing(self.rules, coordinate))
        if not showing:
            return Reason.PURPOSE
        related = any(has_relation(situation, rule.relation) for rule in showing)
        return Reason.BASIS if related and self._may_know_basis(situation) else Reason.RELATION

    def _may_know_basis(self, situation: int) -> bool:
        return self.role == Role.PRIVACY_OFFICER or any(has_relation(situation, relation) for relation in _TOLD)

    def _allows(self, coordinate: str, situation: int, action: Action) -> bool:
        return self._enforcer.allows(
            self.role.value, self.purpose.value, situation=situation, coordinate=coordinate, action=action
        )

    def _showing(self, rules: tuple[Rule, ...], coordinate: str) -> Iterator[Rule]:
        return self._rules_on(rules, coordinate, RuleEffect.ALLOW)

    def _denying(self, coordinate: str) -> Iterator[Rule]:
        return self._rules_on(self.rules, coordinate, RuleEffect.DENY)

    def _rules_on(self, rules: tuple[Rule, ...], coordinate: str, effect: RuleEffect) -> Iterator[Rule]:
        for rule in rules:
            if (
                rule.effect == effect
                and rule.action != Action.FILTER
                and self._catalogue.covers(coordinate, rule.object)
            ):
                yield rule


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One ruleset, checked and compiled. An operation holds one snapshot from start to end."""

    ruleset: Ruleset
    catalogue: Catalogue
    slices: dict[tuple[Role, Purpose], Slice]
    writes: dict[tuple[Role, Purpose], Slice]

    def slice(self, role: Role, purpose: Purpose) -> Slice:
        """The slice of a (role, purpose) for reading; one without rules denies everything."""
        return self.slices[role, purpose]

    def writing(self, role: Role, purpose: Purpose) -> Slice:
        """The same for writing."""
        return self.writes[role, purpose]


def compile_ruleset(ruleset: Ruleset, catalogue: Catalogue) -> Snapshot:
    """Compile and check a ruleset aside; the caller swaps it in by one reference. Raises RulesetError."""
    slices, writes = (
        {
            (role, purpose): Slice(role, purpose, ruleset=ruleset, catalogue=catalogue, actions=actions)
            for role in Role
            for purpose in Purpose
        }
        for actions in (READING, WRITING)
    )
    snapshot = Snapshot(ruleset=ruleset, catalogue=catalogue, slices=slices, writes=writes)
    for compiled in slices.values():
        _check_birth_date_apart_from_masked_id(compiled)
    return snapshot


def _check_birth_date_apart_from_masked_id(compiled: Slice) -> None:
    """A masked ID beside birth date and gender gives the ID away; only oneself and one's guardian see both."""
    for situation in _situations_of_up_to_two_pairs(compiled):
        if any(has_relation(situation, relation) for relation in _TOLD):
            continue
        shown = {
            category: _best(compiled, category, situation)
            for category in (Category.GOVERNMENT_ID, Category.DEMOGRAPHIC)
        }
        if shown == {Category.GOVERNMENT_ID: Effect.MASK, Category.DEMOGRAPHIC: Effect.REVEAL}:
            message = f"{compiled.role} for {compiled.purpose} would see birth date or gender beside a masked ID number"
            raise RulesetError(message)


def _best(compiled: Slice, category: Category, situation: int) -> Effect:
    effects = (
        compiled.decide(name, situation)
        for name, coordinate in compiled._catalogue.items()  # noqa: SLF001 - same file
        if coordinate.category == category
    )
    return max(effects, default=Effect.DENY)


def _situations_of_up_to_two_pairs(compiled: Slice) -> Iterator[int]:
    bits = [
        pair_bit(relation, basis)
        for relation in (Relation.NONE, *sorted(compiled.relations))
        for basis in (Basis.NONE, *sorted(compiled.bases))
    ]
    for count in (1, 2):
        for chosen in itertools.combinations(bits, count):
            yield sum(chosen)
