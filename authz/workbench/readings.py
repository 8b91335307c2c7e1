"""Rules read one by one, without Casbin: what they give in a situation, and the first reason why not more.

Precedence, as authz/model.conf and authz/narrowing.py have it: what some deny rule speaks to is denied, whatever allows
it; a deny of the masked value denies the revealed one too; what may be revealed may be masked; the token narrows last.
That this reading and the compiled one never differ is proven by tests/workbench/test_engines_agree.py.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from authz.compile import Slice, Snapshot
from authz.narrowing import STEP_UP, Narrowing, compares
from authz.rules import Rule
from authz.situations import pair_bit, pairs
from authz.vocabulary import ANY, MASKABLE, Action, Basis, Effect, Reason, Relation, RuleEffect
from models.vocabulary import Category, Purpose, Role

_TOLD = frozenset({Relation.SELF, Relation.GUARDIAN_OF})
_PART = 64

Pair = tuple[Relation, Basis]
Held = frozenset[Pair]
"""The pairs that records witness; none at all where that is not known, and where no rule may speak (`UNCOVERED`)."""


class UnknownCoordinateError(Exception):
    """No rule can be about it: it is public, and always shown, or there is none of that name."""


class Act(StrEnum):
    """What is asked for: to be shown a value, to look rows up by it, or to write."""

    SHOW = "show"
    FILTER = "filter"
    WRITE = "write"

    @property
    def actions(self) -> frozenset[Action]:
        """The actions of rules that decide on it."""
        return _ACTIONS[self]


_ACTIONS = {
    Act.SHOW: frozenset({Action.REVEAL, Action.MASK}),
    Act.FILTER: frozenset({Action.FILTER}),
    Act.WRITE: frozenset({Action.WRITE}),
}


@dataclass(frozen=True, slots=True)
class Token:
    """How the caller's token narrows: `categories` is a stored set."""

    categories: int
    narrowing: Narrowing


class Reading:
    """What the rules of one role say about one field, purpose by purpose."""

    def __init__(self, snapshot: Snapshot, role: Role, coordinate: str, act: Act) -> None:
        """Raises UnknownCoordinateError."""
        self.snapshot = snapshot
        self.role = role
        self.coordinate = coordinate
        self.act = act
        self.category = category_of(snapshot, coordinate)
        about = [rule for rule in snapshot.ruleset.rules if rule.role == role and self.is_about(rule)]
        self.others = [rule for rule in about if rule.action not in act.actions]
        self.rules: defaultdict[Purpose, list[Rule]] = defaultdict(list)
        for rule in about:
            if rule.action in act.actions:
                self.rules[rule.purpose].append(rule)

    @property
    def every(self) -> list[Rule]:
        """Its rules for every purpose."""
        return [rule for rules in self.rules.values() for rule in rules]

    def is_about(self, rule: Rule) -> bool:
        """Is the rule about this field, or the category it is of?"""
        return rule.object == self.coordinate or (self.category is not None and rule.object == self.category.value)

    @property
    def maskable(self) -> bool:
        """Has it a masked form?"""
        return self.category in MASKABLE

    def speaking(self, purpose: Purpose, held: Held) -> list[Rule]:
        """The rules that speak for a purpose where these pairs hold."""
        return [rule for rule in self.rules[purpose] if any(fits(rule, pair) for pair in held)]

    def allowing(self, purpose: Purpose) -> list[Rule]:
        """The rules that allow something of it for a purpose, in some situation."""
        return [rule for rule in self.rules[purpose] if rule.effect == RuleEffect.ALLOW]

    def by_rules(self, purpose: Purpose, held: Held) -> Effect:
        """What the rules alone give."""
        speaking = self.speaking(purpose, held)
        allowed = {rule.action for rule in speaking if rule.effect == RuleEffect.ALLOW}
        denied = {rule.action for rule in speaking if rule.effect == RuleEffect.DENY}
        if not allowed:
            return Effect.DENY
        if not denied and (self.act is not Act.SHOW or Action.REVEAL in allowed):
            return Effect.REVEAL
        masked = self.act is Act.SHOW and self.maskable and Action.MASK not in denied
        return Effect.MASK if masked else Effect.DENY

    def most(self, token: Token | None) -> Effect:
        """The most that a token lets through, a second factor aside. What is written no token's categories narrow."""
        if token is None or self.category is None or self.act is Act.WRITE:
            return Effect.REVEAL
        most = token.narrowing.most if token.categories & self.category.bit else Effect.DENY
        if self.act is Act.FILTER or not self.maskable:
            # A look-up by the full value confirms it; and what has no masked form is not shown at all.
            return Effect.REVEAL if most is Effect.REVEAL else Effect.DENY
        return most

    def waits(self, token: Token | None) -> bool:
        """Is it revealed only after a second factor?"""
        asked = token is not None and token.narrowing.step_up and self.act is Act.SHOW
        return asked and self.category in STEP_UP

    def answer(self, purpose: Purpose, parts: tuple[Held, ...], token: Token | None) -> Effect:
        """What is answered; `parts`: what the records left to the token witness and, if it matters, what all do."""
        by_rules = min(self.by_rules(purpose, held) for held in parts)
        if self.waits(token) and by_rules is Effect.REVEAL:
            return Effect.DENY
        return min(by_rules, self.most(token))

    def reason(self, purpose: Purpose, parts: tuple[Held, ...], token: Token | None) -> Reason:
        """Why nothing is given: the first reason that applies, as clients are told it."""
        if self.most(token) is Effect.DENY:
            return Reason.TOKEN_SCOPE
        for held in parts:
            if self.by_rules(purpose, held) is Effect.DENY:
                return self._by_rules_because(purpose, held)
        return Reason.STEP_UP

    def _by_rules_because(self, purpose: Purpose, held: Held) -> Reason:
        if any(rule.effect == RuleEffect.DENY for rule in self.speaking(purpose, held)):
            return Reason.RULE_DENIES
        if not any(self.allowing(one) for one in Purpose):
            return Reason.ROLE
        for_it = self.allowing(purpose)
        if not for_it:
            return Reason.PURPOSE
        if not held:
            # What no notice tells of is told like a basis: it says what a person agreed to.
            return Reason.BASIS if knows_basis(self.role, held) else Reason.RELATION
        relations = {relation for relation, _ in held}
        tied = any(rule.relation == ANY or rule.relation in relations for rule in for_it)
        return Reason.BASIS if tied and (self.act is not Act.SHOW or knows_basis(self.role, held)) else Reason.RELATION


def knows_basis(role: Role, held: Iterable[Pair]) -> bool:
    """May the caller know which basis a person has? Only about oneself or one's ward, and the privacy officer."""
    return role == Role.PRIVACY_OFFICER or any(relation in _TOLD for relation, _ in held)


def usual_act(snapshot: Snapshot, coordinate: str) -> Act:
    """What is asked for where nothing is said: root fields that write are written, others count, the rest is shown."""
    if coordinate in snapshot.catalogue.counts:
        return Act.FILTER
    return Act.WRITE if coordinate in snapshot.catalogue.writes else Act.SHOW


def category_of(snapshot: Snapshot, coordinate: str) -> Category | None:
    """The category of a field; None for a write or a count. Raises UnknownCoordinateError."""
    found = snapshot.catalogue.get(coordinate)
    if found is None and not snapshot.catalogue.knows(coordinate):
        message = f"{coordinate[:80]!r} is no field that rules decide on: it is public and always shown, or unknown."
        raise UnknownCoordinateError(message)
    return None if found is None else found.category


def situation_of(held: Iterable[Pair]) -> int:
    """Pairs as one number."""
    return sum(pair_bit(relation, basis) for relation, basis in held)


def fits(rule: Rule, pair: Pair) -> bool:
    """Does one pair fit both words of a rule? `any` fits whatever is there, none included."""
    relation, basis = pair
    return rule.relation in (ANY, relation) and rule.basis in (ANY, basis)


def parts_of(asked: Slice, situation: int, token: Token | None) -> tuple[Held, ...]:
    """The situations in a number: one, or with a token narrowed to policies two (`authz.narrowing.both`)."""
    if token is None or not compares(asked, token.narrowing):
        return (frozenset(pairs(situation)),)
    return frozenset(pairs(situation & (1 << _PART) - 1)), frozenset(pairs(situation >> _PART))


def compiled(reading: Reading, purpose: Purpose) -> Slice:
    """The compiled slice that answers what a reading is about."""
    of = reading.snapshot.writing if reading.act is Act.WRITE else reading.snapshot.slice
    return of(reading.role, purpose)
