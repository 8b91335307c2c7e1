"""Where rules of one role and purpose meet: which says no more than others do, and which denies what another allows."""

import itertools
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from authz.apart import APART, shows_birth_date_beside_masked_id
from authz.catalogue import Catalogue
from authz.rules import Rule
from authz.situations import fitting
from authz.vocabulary import ANY, Action, RuleEffect
from authz.workbench.behaviours import Objects, behaviour, by_name, maskable
from authz.workbench.reachable import EVERY_PAIR

_ALLOW, _DENY = RuleEffect.ALLOW, RuleEffect.DENY
_Kind = tuple[RuleEffect, Action]
# Masking is part of revealing (authz/model.conf, `authz.enforce.acts`).
_SAYS_AS_MUCH: Final = {
    (_ALLOW, Action.MASK): ((_ALLOW, Action.MASK), (_ALLOW, Action.REVEAL)),
    (_DENY, Action.REVEAL): ((_DENY, Action.REVEAL), (_DENY, Action.MASK)),
}
_DENIES: Final = {
    Action.REVEAL: (Action.REVEAL,),
    Action.MASK: (Action.REVEAL, Action.MASK),
    Action.FILTER: (Action.FILTER,),
    Action.WRITE: (Action.WRITE,),
}
"""By the action that is denied, the actions of which it denies what is allowed."""
_FOREVER = "~"
"""Later than any moment as rules have it."""
MOST = 10
"""Rules that are named beside one."""


class _Spans:
    """Rules that say the same for different times, by when they begin."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._begins: list[str] = []
        self._lasting: list[tuple[Rule, Rule | None]] = []
        """Of those that begin no later: the one that lasts longest, and the next."""

    def add(self, rule: Rule) -> None:
        self._rules.append(rule)

    def sort(self) -> None:
        self._rules.sort(key=lambda rule: rule.valid_from)
        self._begins = [rule.valid_from for rule in self._rules]
        first, second = self._rules[0], None
        for rule in self._rules:
            if rule is not first and _end(rule) > _end(first):
                first, second = rule, first
            elif rule is not first and (second is None or _end(rule) > _end(second)):
                second = rule
            self._lasting.append((first, second))

    def during(self, rule: Rule) -> Rule | None:
        """Another that holds whenever this rule does."""
        return self._lasting_to(bisect_right(self._begins, rule.valid_from), _end(rule), rule)

    def meeting(self, rule: Rule) -> Rule | None:
        """One that holds at some moment at which this rule does."""
        begun = bisect_left(self._begins, _end(rule))
        found = self._lasting[begun - 1][0] if begun else None
        return found if found is not None and _end(found) > rule.valid_from else None

    def _lasting_to(self, count: int, end: str, rule: Rule) -> Rule | None:
        if not count:
            return None
        for one in self._lasting[count - 1]:
            if one is not None and one is not rule and _end(one) >= end and not _twins(one, rule):
                return one
        return None


def _end(rule: Rule) -> str:
    return rule.valid_until or _FOREVER


def _twins(one: Rule, other: Rule) -> bool:
    """Do both say the same for the same time? A rule that stands twice is a finding of its own."""
    return (one.sentence, one.valid_from, one.valid_until) == (other.sentence, other.valid_from, other.valid_until)


class _Said:
    """Of one coordinate: the pairs of each kind of rule, ever fitted, always fitted, and always by a single rule."""

    def __init__(self) -> None:
        self.ever: defaultdict[_Kind, int] = defaultdict(int)
        self.always: defaultdict[_Kind, int] = defaultdict(int)
        self.twice: defaultdict[_Kind, int] = defaultdict(int)

    def add(self, rule: Rule) -> None:
        kind, fits = (rule.effect, rule.action), fitting(rule.relation, rule.basis)
        self.ever[kind] |= fits
        if not rule.timed:
            self.twice[kind] |= self.always[kind] & fits
            self.always[kind] |= fits

    def without(self, rule: Rule) -> dict[_Kind, int]:
        """What is always said, but by this rule."""
        kind = rule.effect, rule.action
        if rule.timed:
            return self.always
        only = fitting(rule.relation, rule.basis) & ~self.twice[kind]
        return defaultdict(int, {**self.always, kind: self.always[kind] & ~only})


class Meetings:
    """The rules of one role and purpose, made ready to be asked about each of them."""

    def __init__(self, rules: Iterable[Rule], objects: Objects, catalogue: Catalogue) -> None:
        """`objects`: what each rule may be about; all of the rules' are among them."""
        self.objects = objects
        self._catalogue = catalogue
        self.rules = tuple(rules)
        self._spans: defaultdict[tuple[RuleEffect, Action, str, str, str], _Spans] = defaultdict(_Spans)
        self._said: defaultdict[str, _Said] = defaultdict(_Said)
        for rule in self.rules:
            self._spans[(rule.effect, rule.action, rule.relation, rule.basis, rule.object)].add(rule)
            for name in objects[rule.object]:
                self._said[name].add(rule)
        self._about: defaultdict[tuple[_Kind, str], list[tuple[int, _Spans]]] = defaultdict(list)
        for (effect, action, relation, basis, obj), spans in self._spans.items():
            spans.sort()
            self._about[(effect, action), obj].append((fitting(relation, basis), spans))

    def covering(self, rule: Rule) -> Rule | None:
        """One rule that says at least as much, wherever and whenever this one says anything."""
        kind = rule.effect, rule.action
        for other, relation, basis, obj in itertools.product(
            _SAYS_AS_MUCH.get(kind, (kind,)),
            dict.fromkeys((rule.relation, ANY)),
            dict.fromkeys((rule.basis, ANY)),
            dict.fromkeys((rule.object, self._category(rule.object))),
        ):
            spans = self._spans.get((*other, relation, basis, obj))
            found = spans.during(rule) if spans else None
            if found is not None:
                return found
        return None

    def needless(self, rule: Rule) -> bool:
        """Would no answer change without it, at any time?

        Said of what all other rules say together. A rule that matters for no time between others' beginnings and ends
        may go unnoticed; none that matters is ever called needless.
        """
        names = self.objects[rule.object]
        return not any(self._matters(rule, name, self._said[name]) for name in names)

    def _matters(self, rule: Rule, name: str, said: _Said) -> bool:
        others = said.without(rule)
        kind = rule.effect, rule.action
        fits = fitting(rule.relation, rule.basis) & ~others[kind]
        if rule.action in (Action.FILTER, Action.WRITE):
            denied = others[_DENY, rule.action]
            if rule.effect == _ALLOW:
                return bool(fits & ~denied)
            return bool(fits and said.ever[_ALLOW, rule.action] & ~denied)
        return self._shows_otherwise(kind, fits, others, said.ever, can_mask=maskable(name, self._catalogue))

    def _shows_otherwise(
        self, kind: _Kind, fits: int, others: dict[_Kind, int], ever: dict[_Kind, int], *, can_mask: bool
    ) -> bool:
        hidden, unrevealed = others[_DENY, Action.MASK], others[_DENY, Action.REVEAL]
        reveals, masks = ever[_ALLOW, Action.REVEAL], ever[_ALLOW, Action.MASK]
        if kind == (_ALLOW, Action.REVEAL):
            masked_anyway = others[_ALLOW, Action.MASK] if can_mask else EVERY_PAIR
            return bool(fits & ~hidden & ~(unrevealed & masked_anyway))
        if kind == (_ALLOW, Action.MASK):
            return can_mask and bool(fits & ~hidden & ~others[_ALLOW, Action.REVEAL])
        # A deny matters where it meets, in one record or beside another, something that would else be shown.
        if kind == (_DENY, Action.REVEAL) or not can_mask:
            left = reveals & ~hidden & ~unrevealed
            return bool(fits & ~hidden & ~unrevealed and left)
        return bool(fits and (reveals | masks) & ~hidden)

    def beside(self, rule: Rule) -> tuple[Rule, ...]:
        """Some other rules that fit pairs and coordinates of this one."""
        found = (
            spans.during(rule) or spans.meeting(rule)
            for spans in self._fitting_with(rule, itertools.product(RuleEffect, Action))
        )
        return tuple(one for one in itertools.islice(found, MOST) if one is not None and one is not rule)

    def denied(self, rule: Rule) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
        """Of what a deny denies: some rules that allow it for a pair of its own, and some that do so for others."""
        kinds = tuple((_ALLOW, action) for action in _DENIES[rule.action])
        found = (spans.meeting(rule) for spans in self._fitting_with(rule, kinds))
        at_once = tuple(itertools.islice((one for one in found if one is not None), MOST))
        if at_once or not any(self._said[name].ever[kind] for name in self.objects[rule.object] for kind in kinds):
            return at_once, ()
        anywhere = (spans.meeting(rule) for spans in self._fitting_with(rule, kinds, anywhere=True))
        return (), tuple(itertools.islice((one for one in anywhere if one is not None), MOST))

    def _fitting_with(self, rule: Rule, kinds: Iterable[_Kind], *, anywhere: bool = False) -> Iterator[_Spans]:
        fits = EVERY_PAIR if anywhere else fitting(rule.relation, rule.basis)
        objects = dict.fromkeys((rule.object, self._category(rule.object), *self.objects[rule.object]))
        for place in itertools.product(kinds, objects):
            for some, spans in self._about.get(place, ()):
                if some & fits:
                    yield spans

    def _category(self, obj: str) -> str:
        return self._catalogue[obj].category.value if obj in self._catalogue else obj


MOST_MOMENTS = 64
"""Beginnings and ends, among rules on birth dates and ID numbers of one role and purpose, that are looked at."""


class TooManyMomentsError(Exception):
    """More beginnings and ends than are looked at."""


def birth_date_beside_masked_id(met: Meetings, catalogue: Catalogue) -> bool:
    """Is there a situation, of whatever pairs, in which a birth date shows beside a masked ID number? (DESIGN.md)

    At any moment, also a past one. Raises TooManyMomentsError.
    """
    names = {one.name: one.category for one in catalogue.values() if one.category in APART}
    about = {*names, *APART}
    rules = [rule for rule in met.rules if rule.action != Action.WRITE and rule.object in about]
    moments = {"", *(bound for rule in rules if rule.timed for bound in (rule.valid_from, rule.valid_until))}
    if len(moments) > MOST_MOMENTS:
        raise TooManyMomentsError
    for moment in moments:
        held = by_name((rule for rule in rules if rule.holds_at(moment)), met.objects)
        births, numbers = (
            [behaviour(held.get(name, ()), name, catalogue) for name, category in names.items() if category == one]
            for one in APART
        )
        if shows_birth_date_beside_masked_id(births, numbers):
            return True
    return False
