"""When an impact is looked at: now, and at each later moment from which other rules hold where something is changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from authz.catalogue import Catalogue
from authz.compile import Snapshot, assemble, compile_ruleset
from authz.rules import Rule, Ruleset, digest_of, in_force, moment_text
from authz.vocabulary import Action, RuleEffect

MOST_MOMENTS = 32
"""Later moments looked at one by one; of more, the worst case is told."""

Pair = tuple[Snapshot, Snapshot]
"""The rules that would be in force at a moment without a change, and with it."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The rules in force now and those that would be; `later`: the same at the `moments` to come.

    `worst`: so many moments are too many. Then `later` holds what could show the most, and what the least.
    """

    before: Snapshot
    after: Snapshot
    later: tuple[Pair, ...] = ()
    moments: tuple[str, ...] = ()
    worst: int = 0

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Both sides at each moment, now first."""
        return (self.before, self.after), *self.later


def at_all_moments(
    whole: Ruleset, planned: Ruleset, catalogue: Catalogue, *, now: datetime, held: Snapshot | None = None
) -> Sides:
    """A ruleset and another that would come, at all moments; what `held` has of them is taken over.

    Takes a while for large rulesets. Raises RulesetError for what could not be in force now.
    """
    before = compile_ruleset(in_force(whole, now), catalogue, before=held)
    after = compile_ruleset(in_force(planned, now), catalogue, before=before)
    changed = {_place(rule) for rule in set(whole.rules) ^ set(planned.rules)}
    moments = _moments((*whole.rules, *planned.rules), changed, moment_text(now))
    if len(moments) <= MOST_MOMENTS:
        later = tuple(_at(whole, planned, catalogue, datetime.fromisoformat(one), (before, after)) for one in moments)
        return Sides(before, after, later, moments)
    worst = _worst(whole, planned, catalogue, (before, after), changed, moment_text(now))
    return Sides(before, after, worst, worst=len(moments))


def _place(rule: Rule) -> tuple[object, ...]:
    return rule.role, rule.purpose, rule.action == Action.WRITE


def _moments(rules: Iterable[Rule], changed: set[tuple[object, ...]], now: str) -> tuple[str, ...]:
    """Rules that stay count too: where one ends that denies, a change begins to show."""
    timed = [rule for rule in rules if rule.timed and _place(rule) in changed]
    return tuple(sorted({bound for rule in timed for bound in (rule.valid_from, rule.valid_until) if bound > now}))


def _at(whole: Ruleset, planned: Ruleset, catalogue: Catalogue, at: datetime, known: Pair) -> Pair:
    return _assembled(in_force(whole, at), in_force(planned, at), catalogue, known)


def _assembled(before: Ruleset, after: Ruleset, catalogue: Catalogue, known: Pair) -> Pair:
    return assemble(before, catalogue, before=known[0]), assemble(after, catalogue, before=known[1])


def _worst(  # noqa: PLR0913 - what the worst is made from
    whole: Ruleset, planned: Ruleset, catalogue: Catalogue, known: Pair, changed: set[tuple[object, ...]], now: str
) -> tuple[Pair, ...]:
    """Rather too much than too little: from the least that may be allowed to the most, and the other way round."""

    def some(ruleset: Ruleset, effect: RuleEffect) -> Ruleset:
        rules = tuple(rule for rule in ruleset.rules if _may_hold(rule, effect, changed, now))
        return Ruleset(ruleset.number, rules, ruleset.budgets, digest_of(rules, ruleset.budgets.values()))

    return tuple(
        _assembled(some(whole, before), some(planned, after), catalogue, known)
        for before, after in ((RuleEffect.DENY, RuleEffect.ALLOW), (RuleEffect.ALLOW, RuleEffect.DENY))
    )


def _may_hold(rule: Rule, effect: RuleEffect, changed: set[tuple[object, ...]], now: str) -> bool:
    """Of what holds for a time only: what holds now, or where something is changed, what of one effect yet may."""
    if not rule.timed:
        return True
    if _place(rule) not in changed:
        return rule.holds_at(now)
    return rule.effect == effect and (not rule.valid_until or rule.valid_until > now)
