"""What a decision may come to before any row is read: the effects that its rules have, by situation.

A situation is made of pairs that the rules of a slice name, or of none. An allow is never lost by one more pair and a
deny never by one less: single pairs have every effect there is; where something is denied a second one counts too, and
where a relation is known to hold it is one more.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from authz.compile import Slice
from authz.rules import Rule
from authz.situations import NOTHING, UNCOVERED, has_relation, holds, pair_bit
from authz.vocabulary import ANY, Action, Basis, Effect, Relation, RuleEffect

Decide = Callable[[int], Effect]
"""The effect of one coordinate by situation."""

OTHERWISE = "otherwise"
"""In the place of a pair: whatever ties and opens, or nothing."""


NOT_TOLD = "no notice agreed to tells of it"
"""In the place of a pair: then no rule speaks, whatever ties and opens (C75)."""
_AGREED = "C75"


@dataclass(frozen=True, slots=True)
class Case:
    """A pair that rules on a coordinate name, in words such as `assigned + contract_open`, and what it comes to alone.

    `clause` is that of a rule which decides so; None where no rule does.
    """

    words: str
    situation: int
    effect: Effect
    clause: str | None

    @property
    def line(self) -> str:
        """As it is told: `assigned + contract_open: REVEAL`."""
        return f"{self.words}: {self.effect.name}"


def situations(compiled: Slice, coordinate: str, *, always: Relation | None = None) -> Iterator[int]:
    """Situations that together have every effect the coordinate can have.

    `always`: a relation that is known to hold; it counts only where some rule of the slice names it.
    """
    told = _told(compiled, coordinate)
    if False in told:
        yield UNCOVERED
    if True not in told:
        return
    relations = sorted(compiled.relations | {Relation.NONE})
    bits = [pair_bit(relation, basis) for relation in relations for basis in sorted(compiled.bases | {Basis.NONE})]
    known = always is not None and always in compiled.relations
    most = 1 + compiled.denies_somewhere(coordinate) + known
    for count in range(1, most + 1):
        for chosen in itertools.combinations(bits, count):
            if not known or has_relation(sum(chosen), str(always)):
                yield sum(chosen)


def effects(compiled: Slice, coordinate: str, decide: Decide, *, always: Relation | None = None) -> frozenset[Effect]:
    """Every effect that the coordinate can have. Raises what `decide` raises."""
    return frozenset(decide(one) for one in situations(compiled, coordinate, always=always))


def cases(compiled: Slice, coordinate: str, decide: Decide, *, always: Relation | None = None) -> list[Case]:
    """The pairs that rules name on a coordinate, the most shown first, and what holds otherwise, last.

    Pairs that come to the same as what holds otherwise are left out, unless a rule denies them: where several hold at
    once, that one counts. Raises what `decide` raises.
    """
    told = _told(compiled, coordinate)
    uncovered = [Case(NOT_TOLD, UNCOVERED, decide(UNCOVERED), _AGREED)] if False in told else []
    if True not in told:
        return uncovered
    rules = [rule for rule in compiled.rules_on(coordinate) if rule.action != Action.FILTER]
    named = {(rule.relation, rule.basis) for rule in rules}
    denied = {(rule.relation, rule.basis) for rule in rules if rule.effect == RuleEffect.DENY}
    rest = NOTHING
    if always is not None and always in compiled.relations:
        rest = pair_bit(always, Basis.NONE)
    otherwise = Case(OTHERWISE, rest, decide(rest), clause_of(compiled, coordinate, rest, decide(rest)))
    found = []
    for relation, basis in sorted(named - {(ANY, ANY)}):
        # What holds with any relation holds with none, and where one is known with that.
        tied = (always or Relation.NONE) if relation == ANY else Relation(relation)
        situation = pair_bit(tied, Basis.NONE if basis == ANY else Basis(basis))
        effect = decide(situation)
        tells = effect is not otherwise.effect or (relation, basis) in denied
        if tells and _may_be(situation, compiled, always):
            words = " + ".join(word for word in (relation, basis) if word != ANY)
            found.append(Case(words, situation, effect, clause_of(compiled, coordinate, situation, effect)))
    return [*sorted(found, key=lambda one: (-one.effect, one.words)), *uncovered, otherwise]


def clause_of(compiled: Slice, coordinate: str, situation: int, effect: Effect) -> str | None:
    """The clause of a rule by which a situation comes to an effect; None where it is denied since no rule allows it."""
    wanted = RuleEffect.ALLOW if effect else RuleEffect.DENY
    holding = [
        rule
        for rule in compiled.rules_on(coordinate)
        if rule.effect == wanted
        and rule.action != Action.FILTER
        and (effect is not Effect.REVEAL or rule.action != Action.MASK)
        and holds(situation, rule.relation, rule.basis)
    ]
    return min(holding, key=_broadest).clause if holding else None


def unheard(compiled: Slice, *, of: Slice | None) -> list[int]:
    """The pairs that rules of a slice can tell and that a situation computed for `of` does not hold, as bits.

    Without `of` no situation was computed, and every pair is among them.
    """
    relations = sorted(compiled.relations | {Relation.NONE})
    bases = sorted(compiled.bases | {Basis.NONE})
    heard = (of.relations | {Relation.NONE}, of.bases | {Basis.NONE}) if of else (frozenset(), frozenset())
    return [
        pair_bit(relation, basis)
        for relation in relations
        for basis in bases
        if relation not in heard[0] or basis not in heard[1]
    ]


def _told(compiled: Slice, coordinate: str) -> frozenset[bool]:
    """Do notices tell of showing this (`Slice.told`)? Of what no rule shows it makes no odds, nor of a write."""
    known = compiled.coordinate(coordinate)
    return compiled.told(known.category) if known and compiled.could_show(coordinate) else frozenset({True})


def _broadest(rule: Rule) -> tuple[bool, str]:
    """Rules that name a pair come before those for any: they are the ones that somebody meant."""
    return (rule.relation, rule.basis) == (ANY, ANY), rule.line


def _may_be(situation: int, compiled: Slice, always: Relation | None) -> bool:
    return always is None or always not in compiled.relations or has_relation(situation, always)
