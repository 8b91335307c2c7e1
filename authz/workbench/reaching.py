"""What a role can reach for a purpose, and who can reach a field: in which situations, by the rules alone (C46, C56).

Of a field it is enough to know four sets of pairs: under which it is revealed, masked, and denied to be either. A
situation is answered by them as a whole, so nothing here is tried out; tests compare it with asking one by one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from authz.compile import Snapshot
from authz.rules import Rule
from authz.situations import NOTHING
from authz.vocabulary import ANY, MASKABLE, Action, Basis, Effect, Relation, RuleEffect
from authz.workbench.readings import Act, Held, Pair, category_of, fits, situation_of
from models.vocabulary import Purpose, Role

EVERY_PAIR = tuple(product(Relation, Basis))


@dataclass(frozen=True, slots=True)
class Reached:
    """What one role is given of one field for one purpose: in which situations, and by which rules.

    The sets are situations: a bit a pair. For filters and writes `revealed` and `revealed_not` say allowed and denied.
    """

    role: Role
    purpose: Purpose
    coordinate: str
    act: Act
    revealed: int
    masked: int
    """Masked at least, where it has a masked form."""
    revealed_not: int
    """Denied to be revealed by some rule, whatever allows it."""
    masked_not: int
    rules: tuple[Rule, ...]

    def effect(self, situation: int) -> Effect:
        """What is given in a situation."""
        held = situation or NOTHING
        if held & self.revealed and not held & self.revealed_not:
            return Effect.REVEAL
        return Effect.MASK if held & self.masked and not held & self.masked_not else Effect.DENY

    @property
    def best(self) -> Effect:
        """The most that is given in any situation: further pairs could only take away from what one alone gives."""
        if self.revealed & ~self.revealed_not:
            return Effect.REVEAL
        return Effect.MASK if self.masked & ~self.masked_not else Effect.DENY

    def under(self, effect: Effect) -> tuple[tuple[str, str], ...]:
        """The pairs that each alone give exactly this, in as few words as rules have: `any` for all there are."""
        return in_words(pair for pair in EVERY_PAIR if self.effect(situation_of((pair,))) is effect)

    @property
    def clauses(self) -> tuple[str, ...]:
        """Of the rules that allow it."""
        return tuple(sorted({rule.clause for rule in self.rules if rule.effect == RuleEffect.ALLOW}))


def reach(snapshot: Snapshot, role: Role, purpose: Purpose) -> list[Reached]:
    """What a role can reach for a purpose: each field that is shown, looked up by or written in some situation."""
    by_object: defaultdict[str, list[Rule]] = defaultdict(list)
    for rule in snapshot.ruleset.rules:
        if (rule.role, rule.purpose) == (role, purpose):
            by_object[rule.object].append(rule)
    found = []
    for name in (*snapshot.catalogue, *sorted(snapshot.catalogue.writes | snapshot.catalogue.counts)):
        rules = list(_about(by_object, snapshot, name))
        found += [_reached(snapshot, role, purpose, name, act, rules) for act in Act]
    return [one for one in found if one.best]


def who(snapshot: Snapshot, coordinate: str) -> list[Reached]:
    """Who can reach a field: each role and purpose that is given something of it. Raises UnknownCoordinateError."""
    category = category_of(snapshot, coordinate)
    about = {coordinate} if category is None else {coordinate, category.value}
    rules: defaultdict[tuple[Role, Purpose], list[Rule]] = defaultdict(list)
    for rule in snapshot.ruleset.rules:
        if rule.object in about:
            rules[rule.role, rule.purpose].append(rule)
    found = [
        _reached(snapshot, role, purpose, coordinate, act, rules[role, purpose])
        for role, purpose in product(Role, Purpose)
        if (role, purpose) in rules
        for act in Act
    ]
    return [one for one in found if one.best]


def _about(by_object: defaultdict[str, list[Rule]], snapshot: Snapshot, coordinate: str) -> Iterator[Rule]:
    category = category_of(snapshot, coordinate)
    for name in (coordinate,) if category is None else (coordinate, category.value):
        yield from by_object.get(name, ())


def _reached(  # noqa: PLR0913 - what it says
    snapshot: Snapshot, role: Role, purpose: Purpose, coordinate: str, act: Act, rules: Iterable[Rule]
) -> Reached:
    deciding = tuple(rule for rule in rules if rule.action in act.actions)
    sets = {(effect, full): 0 for effect in RuleEffect for full in (True, False)}
    for rule in deciding:
        # For filters and writes there is nothing between all and nothing.
        sets[rule.effect, act is not Act.SHOW or rule.action == Action.REVEAL] |= _pairs_of(rule)
    allowed, denied = sets[RuleEffect.ALLOW, True], sets[RuleEffect.DENY, True]
    masked_not = sets[RuleEffect.DENY, False]
    maskable = act is Act.SHOW and category_of(snapshot, coordinate) in MASKABLE
    return Reached(
        role=role,
        purpose=purpose,
        coordinate=coordinate,
        act=act,
        revealed=allowed,
        masked=(allowed | sets[RuleEffect.ALLOW, False]) if maskable else 0,
        revealed_not=denied | masked_not,
        masked_not=masked_not,
        rules=deciding,
    )


def _pairs_of(rule: Rule) -> int:
    found = _FITTING.get((rule.relation, rule.basis))
    if found is None:
        found = situation_of(pair for pair in EVERY_PAIR if fits(rule, pair))
        _FITTING[rule.relation, rule.basis] = found
    return found


_FITTING: dict[tuple[str, str], int] = {}
"""By the two words of a rule, of which there are few."""


def in_words(pairs: Iterable[Pair]) -> tuple[tuple[str, str], ...]:
    """A set of pairs as rules would say it: `any` stands for every relation, or every basis."""
    wanted = set(pairs)
    if wanted == set(EVERY_PAIR):
        return ((ANY, ANY),)
    bases = [basis for basis in Basis if all((relation, basis) in wanted for relation in Relation)]
    relations = [relation for relation in Relation if all((relation, basis) in wanted for basis in Basis)]
    said = [(ANY, basis.value) for basis in bases] + [(relation.value, ANY) for relation in relations]
    return (
        *said,
        *(
            (relation.value, basis.value)
            for relation, basis in EVERY_PAIR
            if (relation, basis) in wanted and relation not in relations and basis not in bases
        ),
    )


def pairs_in(words: Iterable[tuple[str, str]]) -> Held:
    """The pairs that such words stand for."""
    said = list(words)
    return frozenset(
        (relation, basis)
        for relation, basis in EVERY_PAIR
        if any(first in (ANY, relation) and second in (ANY, basis) for first, second in said)
    )
