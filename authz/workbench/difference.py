"""What a change of rules changes: every role, purpose, coordinate and situation that is answered otherwise (C24, C55).

Pairs that the same rules fit are alike, so one of them stands for all. Told are: each pair alone, exactly; two at once
where together they change as neither does alone; and one situation of each further change that only more can bring.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from authz.catalogue import Catalogue
from authz.compile import Slice, Snapshot
from authz.rules import Rule, moment_text
from authz.ruleset_store import Content
from authz.situations import pairs
from authz.vocabulary import Action, Basis, Effect, Relation, RuleEffect
from authz.workbench.behaviours import (
    Answer,
    Behaviour,
    Objects,
    behaviour,
    bits_of,
    by_name,
    maskable,
    objects_of,
)
from authz.workbench.reachable import EVERY_PAIR, reachable
from models.vocabulary import Category, Purpose, Role

Pair = tuple[Relation, Basis]
SHOWING = (Action.REVEAL, Action.FILTER)
MOST_MOMENTS = 64
"""Moments of one role and purpose at which rules are compared; with more, the most is taken that could be widened."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One answer before and after: of `reveal` an Effect, of `filter` and `write` whether it is allowed.

    `alike`: of a single pair, all the pairs that change alike, itself among them. `occurs`: can records witness it?
    """

    role: Role
    purpose: Purpose
    pairs: tuple[Pair, ...]
    coordinate: str
    action: Action
    before: Answer
    after: Answer
    category: Category | None
    """None of a root field that writes."""
    alike: tuple[Pair, ...] = ()
    occurs: bool = True
    since: str = ""
    """The moment from which on, as rules have it; empty: at once."""

    @property
    def widens(self) -> bool:
        """Is more allowed than before?"""
        return self.after > self.before


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the matrix: what of one category, or by one write, changes for a role and purpose."""

    purpose: Purpose
    role: Role
    object: str
    """A category, or a root field that writes."""
    action: Action
    before: Answer
    after: Answer
    when: tuple[str, ...]
    """The situations, in words."""
    coordinates: tuple[str, ...]

    @property
    def widens(self) -> bool:
        """Is more allowed than before?"""
        return self.after > self.before


def difference(before: Snapshot, after: Snapshot) -> list[Changed]:
    """Every answer that changes, in order of role, purpose and coordinate; slices of one key are passed over.

    Of what the snapshots hold in force. Where rules begin or end later, `difference_in_time` tells that as well.
    """
    return list(_differences(before, after))


def difference_in_time(before: Content, after: Content, *, catalogue: Catalogue, now: datetime) -> list[Changed]:
    """Every answer that changes, at once or at any later moment at which some rule begins or ends."""
    return list(_in_time(before, after, catalogue, moment_text(now)))


def _in_time(before: Content, after: Content, catalogue: Catalogue, now: str) -> Iterator[Changed]:
    objects, rows = objects_of(catalogue), [_by_slice(content.rules) for content in (before, after)]
    for place in sorted(rows[0].keys() | rows[1].keys()):
        role, purpose, reads = place
        some = [one.get(place, []) for one in rows]
        if {_when_said(rule) for rule in some[0]} == {_when_said(rule) for rule in some[1]}:
            continue
        told = set()
        for moment, held in _held(some[0], some[1], now):
            actions = SHOWING if reads else (Action.WRITE,)
            for one in changes(role, purpose, held, objects, catalogue=catalogue, actions=actions):
                if one not in told:
                    told.add(one)
                    yield replace(one, since=moment if moment > now else "")


def _by_slice(rules: Iterable[Rule]) -> dict[tuple[Role, Purpose, bool], list[Rule]]:
    found: defaultdict[tuple[Role, Purpose, bool], list[Rule]] = defaultdict(list)
    for rule in rules:
        found[rule.role, rule.purpose, rule.action != Action.WRITE].append(rule)
    return found


def _when_said(rule: Rule) -> tuple[str, ...]:
    return *rule.sentence, rule.valid_from, rule.valid_until


def _held(before: list[Rule], after: list[Rule], now: str) -> Iterator[tuple[str, tuple[list[Rule], list[Rule]]]]:
    """The moments from now on at which other rules hold than just before, and the rules that do then."""
    bounds = {bound for rule in (*before, *after) if rule.timed for bound in (rule.valid_from, rule.valid_until)}
    moments = sorted({now, *(bound for bound in bounds if bound > now)})
    if len(moments) > MOST_MOMENTS:
        # Rather too much than too little: what was allowed for good before, and whatever may be allowed later.
        least = [rule for rule in before if not rule.timed or rule.effect == RuleEffect.DENY]
        most = [rule for rule in after if not rule.timed or rule.effect == RuleEffect.ALLOW]
        yield now, (least, most)
        return
    for moment in moments:
        yield moment, ([rule for rule in before if rule.holds_at(moment)], [r for r in after if r.holds_at(moment)])


def _differences(before: Snapshot, after: Snapshot) -> Iterator[Changed]:
    objects = objects_of(after.catalogue)
    for place in after.slices:
        for slices, others, actions in (
            (before.slices, after.slices, SHOWING),
            (before.writes, after.writes, (Action.WRITE,)),
        ):
            one, other = slices[place], others[place]
            if one.key != other.key:
                yield from _of_slices(one, other, objects, after.catalogue, actions)


def _of_slices(
    one: Slice, other: Slice, objects: Objects, catalogue: Catalogue, actions: Iterable[Action]
) -> Iterator[Changed]:
    yield from changes(one.role, one.purpose, (one.rules, other.rules), objects, catalogue=catalogue, actions=actions)


def changes(  # noqa: PLR0913 - what a change depends on
    role: Role,
    purpose: Purpose,
    rules: tuple[Iterable[Rule], Iterable[Rule]],
    objects: Objects,
    *,
    catalogue: Catalogue,
    actions: Iterable[Action],
) -> Iterator[Changed]:
    """What changes for one role and purpose between its rules before and after."""
    before, after = by_name(rules[0], objects), by_name(rules[1], objects)
    known: dict[object, list[_Change]] = {}
    for name in sorted(before.keys() | after.keys()):
        said = [frozenset(map(_pattern, some.get(name, ()))) for some in (before, after)]
        if said[0] == said[1]:
            continue
        category = catalogue[name].category if name in catalogue else None
        for action in actions:
            likely = reachable(role, purpose, name, action=action, catalogue=catalogue)
            key = *said, action, likely, maskable(name, catalogue)
            if key not in known:
                behaviours = (behaviour(some.get(name, ()), name, catalogue) for some in (before, after))
                known[key] = list(_changes(*behaviours, action=action, likely=likely))
            for one in known[key]:
                yield Changed(
                    role,
                    purpose,
                    _pairs(one.situation),
                    name,
                    action,
                    one.before,
                    one.after,
                    category,
                    _pairs(one.alike) if one.alike else (),
                    occurs=not one.situation & ~likely,
                )


@lru_cache(maxsize=4096)
def _pairs(situation: int) -> tuple[Pair, ...]:
    return tuple(pairs(situation))


def _pattern(rule: Rule) -> tuple[str, ...]:
    return rule.effect, rule.action, rule.relation, rule.basis


@dataclass(frozen=True, slots=True)
class _Change:
    situation: int
    before: Answer
    after: Answer
    alike: int = 0


def _changes(before: Behaviour, after: Behaviour, *, action: Action, likely: int) -> Iterator[_Change]:
    """One action's changes; of pairs that are alike one that is `likely` stands for the others."""
    sets = [one for said in (before, after) for one in said.sets(action)]
    alike = _classes(sets)
    stand_ins = [next(bits_of(some & likely or some)) for some in alike]
    told: set[tuple[Answer, Answer]] = set()
    alone = {}
    for bit, some in zip(stand_ins, alike, strict=True):
        was, is_ = alone[bit] = before.answer(action, bit), after.answer(action, bit)
        if was != is_:
            told.add((was, is_))
            yield _Change(bit, was, is_, some)
    for one, other in itertools.combinations(stand_ins, 2):
        found = before.answer(action, one | other), after.answer(action, one | other)
        if found[0] != found[1] and found not in (alone[one], alone[other]):
            told.add(found)
            yield _Change(one | other, *found)
    if action != Action.REVEAL:
        # What is allowed or not needs no third pair: one that is allowed, and one that denies it.
        return
    for situation in _situations(stand_ins, sets):
        found = before.answer(action, situation), after.answer(action, situation)
        if found[0] != found[1] and found not in told:
            told.add(found)
            yield _Change(situation, *found)


def _classes(sets: Iterable[int]) -> list[int]:
    """Sets of pairs that no rule, before or after, tells apart."""
    found = [EVERY_PAIR]
    for said in dict.fromkeys(sets):
        found = [part for some in found for part in (some & said, some & ~said) if part]
    return sorted(found, key=lambda some: some & -some)


def _situations(bits: Iterable[int], sets: list[int]) -> Iterator[int]:
    """The least situation of each way in which kinds of rules can be met at once; the fewest pairs first."""
    met = {bit: sum(1 << place for place, said in enumerate(sets) if bit & said) for bit in bits}
    seen = {0: 0}
    level = [0]
    while level:
        following = []
        for before, bit in itertools.product(level, met):
            now = before | met[bit]
            if now not in seen:
                seen[now] = seen[before] | bit
                following.append(now)
                yield seen[now]
        level = following


def widened(changed: Iterable[Changed]) -> frozenset[Category]:
    """The categories shown to more than before, or by which rows may be looked up: that confirms a value."""
    return frozenset(
        one.category for one in changed if one.widens and one.category is not None and one.action in SHOWING
    )


def matrix(changed: Iterable[Changed]) -> list[Cell]:
    """The same as a matrix: by purpose, role and category, what changes in which situations."""
    found: defaultdict[tuple[Purpose, Role, str, Action, Answer, Answer], list[Changed]] = defaultdict(list)
    for one in changed:
        obj = one.category.value if one.category else one.coordinate
        found[one.purpose, one.role, obj, one.action, one.before, one.after].append(one)
    return [
        Cell(
            *place,
            when=tuple(dict.fromkeys(_when(one) for one in some)),
            coordinates=tuple(dict.fromkeys(one.coordinate for one in some)),
        )
        for place, some in sorted(found.items(), key=lambda entry: tuple(map(str, entry[0])))
    ]


def _when(one: Changed) -> str:
    told = described(one.alike or one.pairs, joined=not one.alike)
    return f"{told} from {one.since} on" if one.since else told


def word_of(answer: Answer) -> str:
    """An answer as a word: `reveal`, `mask`, `deny`, `allow`."""
    if isinstance(answer, Effect):
        return answer.name.lower()
    return "allow" if answer else "deny"


def described(given: Iterable[Pair], *, joined: bool = False) -> str:
    """Pairs in words, those of one relation or basis together; `joined`: all of them at once."""
    listed = list(given)
    if joined:
        return " and ".join(f"{relation} {basis}" for relation, basis in listed)
    bases: defaultdict[Relation, list[Basis]] = defaultdict(list)
    for relation, basis in listed:
        bases[relation].append(basis)
    relations: defaultdict[tuple[Basis, ...], list[Relation]] = defaultdict(list)
    for relation, some in bases.items():
        relations[tuple(some)].append(relation)
    return ", or ".join(f"{_words(several, Relation)} {_words(some, Basis)}" for some, several in relations.items())


def _words(some: Iterable[Relation] | Iterable[Basis], every: type[Relation] | type[Basis]) -> str:
    words = [one.value for one in some]
    if len(words) == len(every):
        return "any"
    if len(words) > len(every) // 2:
        return f"any but {'/'.join(one.value for one in every if one.value not in words)}"
    return "/".join(words)
