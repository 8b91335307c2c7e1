"""What rules say of one coordinate, as sets of pairs: enough to tell every situation apart without asking one by one.

Nothing is decided here. A matcher that fits pairs one at a time leaves of any number of rules no more than these few
sets; a test holds them to Casbin's answers (authz/model.conf, `authz.compile.Slice`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from authz.catalogue import Catalogue
from authz.rules import Rule
from authz.situations import NOTHING, fitting
from authz.vocabulary import MASKABLE, Action, Effect, RuleEffect
from models.vocabulary import Category

Objects = Mapping[str, tuple[str, ...]]
"""By what a rule may be about (a category, a coordinate, a write), the names that it is about."""
Answer = Effect | bool


@dataclass(slots=True)
class Behaviour:
    """Of one coordinate: by effect and action the pairs that some rule fits."""

    maskable: bool
    allowed: dict[Action, int] = field(default_factory=lambda: dict.fromkeys(Action, 0))
    denied: dict[Action, int] = field(default_factory=lambda: dict.fromkeys(Action, 0))

    def add(self, rule: Rule) -> None:
        """Let one more rule be said."""
        said = self.allowed if rule.effect == RuleEffect.ALLOW else self.denied
        said[rule.action] |= fitting(rule.relation, rule.basis)

    def sets(self, action: Action) -> tuple[int, ...]:
        """The sets of pairs that answers to an action depend on."""
        actions = (action,) if action in (Action.FILTER, Action.WRITE) else (Action.REVEAL, Action.MASK)
        return tuple(said[one] for said in (self.allowed, self.denied) for one in actions)

    def answer(self, action: Action, situation: int) -> Answer:
        """What of the cell is shown, where `action` is to reveal; else whether the action is allowed."""
        situation = situation or NOTHING
        if action in (Action.FILTER, Action.WRITE):
            return bool(situation & self.allowed[action]) and not situation & self.denied[action]
        if situation & self.denied[Action.MASK]:
            return Effect.DENY
        if situation & self.allowed[Action.REVEAL] and not situation & self.denied[Action.REVEAL]:
            return Effect.REVEAL
        masked = self.allowed[Action.REVEAL] | self.allowed[Action.MASK]
        return Effect.MASK if self.maskable and situation & masked else Effect.DENY


def objects_of(catalogue: Catalogue) -> Objects:
    """What a rule may be about, over one catalogue."""
    found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for one in catalogue.values():
        found[one.category.value] += (one.name,)
        found[one.name] = (one.name,)
    return {**dict.fromkeys(Category, ()), **found, **{name: (name,) for name in catalogue.writes | catalogue.counts}}


def maskable(name: str, catalogue: Catalogue) -> bool:
    """Has a coordinate a masked form? A write has none."""
    return name in catalogue and catalogue[name].category in MASKABLE


def behaviour(rules: Iterable[Rule], name: str, catalogue: Catalogue) -> Behaviour:
    """What rules, all of them on one coordinate, say of it."""
    said = Behaviour(maskable(name, catalogue))
    for rule in rules:
        said.add(rule)
    return said


def by_name(rules: Iterable[Rule], objects: Objects) -> dict[str, list[Rule]]:
    """Rules by the coordinates and writes that they are about."""
    found: defaultdict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        for name in objects.get(rule.object, ()):
            found[name].append(rule)
    return found


def bits_of(situation: int) -> Iterator[int]:
    """Each pair of a situation as a bit of its own, the least first."""
    while situation:
        bit = situation & -situation
        yield bit
        situation ^= bit
