"""Why this answer: every rule that is about it with what of it does not hold, and the smallest change for more (C46).

Whoever may not know what holds of a person (its basis is told to few) is told what rules ask for, and no more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from authz.compile import Snapshot
from authz.rules import Rule, Ruleset, moment_text
from authz.vocabulary import ANY, Action, Effect, Reason, RuleEffect
from authz.workbench.missing import Missing, smallest_missing
from authz.workbench.readings import Act, Held, Pair, Reading, Token, compiled, fits, parts_of, situation_of, usual_act
from models.vocabulary import Purpose, Role


class Failed(StrEnum):
    """Why a rule that is about the field does not give it."""

    PURPOSE = "PURPOSE"
    """It is for another purpose."""
    RELATION = "RELATION"
    BASIS = "BASIS"
    NOTICE = "NOTICE"
    """No notice that the person agreed to tells of this use: no rule may speak (C75)."""
    TOGETHER = "TOGETHER"
    """Relation and basis both hold, but not by one record."""
    ACTION = "ACTION"
    """It is about something else than what is asked for."""
    UNMASKABLE = "UNMASKABLE"
    """It masks what has no masked form."""
    OVERRIDDEN = "OVERRIDDEN"
    """A rule that denies wins over it."""
    NOT_YET = "NOT_YET"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule of the role that is about the field, and what of it does not hold; nothing: it speaks here.

    Where what holds is not told, `told` is false, and relation and basis are not among what failed.
    """

    rule: Rule
    failed: tuple[Failed, ...]
    told: bool = True

    @property
    def holds(self) -> bool | None:
        """Does it speak here? None where that is not told."""
        return False if self.failed else True if self.told else None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One answer and why: for filters and writes the effect is REVEAL for allowed, or DENY.

    `pairs` is None where what holds is not told, and empty where no notice agreed to tells of the use. `by_rules` is
    what the rules alone would give: a token narrows it. `clauses`: of the rules that decided.
    """

    role: Role
    purpose: Purpose
    coordinate: str
    act: Act
    pairs: tuple[Pair, ...] | None
    effect: Effect | None
    reason: Reason | None
    by_rules: Effect | None
    candidates: tuple[Candidate, ...]
    missing: Missing | None
    clauses: tuple[str, ...]


_AGREED = "C75"
"""Rights are not cut without consent: what decides where no notice agreed to tells of a use."""


def explain(  # noqa: PLR0913 - what a decision depends on
    snapshot: Snapshot,
    role: Role,
    purpose: Purpose,
    coordinate: str,
    situation: int,
    *,
    act: Act | None = None,
    token: Token | None = None,
    idle: Mapping[Rule, Failed] | None = None,
) -> Explanation:
    """Why this answer in a situation; a write is asked as one, unless `act` says otherwise.

    `idle`: rules of the same ruleset that are not in force (`idle_rules`). Raises UnknownCoordinateError.
    """
    asked = act or usual_act(snapshot, coordinate)
    reading = Reading(snapshot, role, coordinate, asked)
    parts = parts_of(compiled(reading, purpose), situation, token)
    effect = reading.answer(purpose, parts, token)
    by_rules, deciding = min((reading.by_rules(purpose, held), place) for place, held in enumerate(parts))
    held = parts[deciding]
    # What else would be missing depends on what ties and opens, and a record of such a datum does not say.
    untold = not held and bool(reading.allowing(purpose))
    return Explanation(
        role=role,
        purpose=purpose,
        coordinate=coordinate,
        act=asked,
        pairs=tuple(sorted(held, key=_place)),
        effect=effect,
        reason=None if effect else reading.reason(purpose, parts, token),
        by_rules=by_rules,
        candidates=candidates(reading, purpose, held, idle=idle),
        missing=Missing(None, notice=True) if untold else smallest_missing(reading, purpose, parts, token),
        clauses=_clauses(_deciding(reading, purpose, held, by_rules)) if not untold else (_AGREED,),
    )


def explain_untold(  # noqa: PLR0913 - as above
    snapshot: Snapshot,
    role: Role,
    purpose: Purpose,
    coordinate: str,
    *,
    act: Act,
    effect: Effect | None,
    reason: Reason | None,
    token: Token | None = None,
    idle: Mapping[Rule, Failed] | None = None,
) -> Explanation:
    """Why an answer, for whoever may not know what holds: nothing here depends on that beyond effect and reason.

    So what it tells is the same for all situations that were answered alike. `effect` None: it is not known how it was
    answered. Raises UnknownCoordinateError.
    """
    reading = Reading(snapshot, role, coordinate, act)
    missing = None
    if reason in (Reason.STEP_UP, Reason.TOKEN_SCOPE):
        missing = Missing(Effect.REVEAL if reason is Reason.STEP_UP else None, token=(reason,))
    elif effect is Effect.DENY and reason in (Reason.PURPOSE, Reason.RELATION, Reason.BASIS):
        # No rule that denies speaks, and none allows: what another pair would give does not depend on those there are.
        missing = smallest_missing(reading, purpose, (frozenset(),), token)
    wanted = act.actions if effect else frozenset()
    if effect is Effect.REVEAL and act is Act.SHOW:
        wanted = frozenset({Action.REVEAL})
    deciding = (rule for rule in reading.allowing(purpose) if rule.action in wanted)
    return Explanation(
        role=role,
        purpose=purpose,
        coordinate=coordinate,
        act=act,
        pairs=None,
        effect=effect,
        reason=reason,
        by_rules=None,
        candidates=candidates(reading, purpose, None, idle=idle),
        missing=missing,
        clauses=_clauses(deciding),
    )


def idle_rules(whole: Ruleset, at: datetime) -> dict[Rule, Failed]:
    """The rules of a ruleset that are not in force at a moment: not yet, or no longer."""
    moment = moment_text(at)
    return {
        rule: Failed.NOT_YET if moment < rule.valid_from else Failed.EXPIRED
        for rule in whole.rules
        if rule.timed and not rule.holds_at(moment)
    }


def candidates(
    reading: Reading, purpose: Purpose, held: Held | None, *, idle: Mapping[Rule, Failed] | None = None
) -> tuple[Candidate, ...]:
    """Every rule of the role about the field, those that speak first, then the nearest misses; `held` None: untold."""
    not_in_force = {rule: failed for rule, failed in (idle or {}).items() if rule.role == reading.role}
    every = [*reading.every, *reading.others, *(rule for rule in not_in_force if reading.is_about(rule))]
    found = [
        Candidate(rule, _failed(reading, rule, purpose, held, not_in_force.get(rule)), told=held is not None)
        for rule in every
    ]
    return tuple(sorted(found, key=lambda one: (len(one.failed), one.rule.effect != RuleEffect.DENY, one.rule.line)))


def _failed(
    reading: Reading, rule: Rule, purpose: Purpose, held: Held | None, idle: Failed | None
) -> tuple[Failed, ...]:
    found = [] if idle is None else [idle]
    if rule.action not in reading.act.actions:
        found.append(Failed.ACTION)
    if rule.purpose != purpose:
        found.append(Failed.PURPOSE)
    if held is not None:
        found += _unfit(rule, held)
    allows = rule.effect == RuleEffect.ALLOW
    if allows and reading.act is Act.SHOW and rule.action == Action.MASK and not reading.maskable:
        found.append(Failed.UNMASKABLE)
    if allows and not found and held is not None and _overridden(reading, rule, purpose, held):
        found.append(Failed.OVERRIDDEN)
    return tuple(found)


def _unfit(rule: Rule, held: Held) -> list[Failed]:
    if not held:
        return [Failed.NOTICE]
    if any(fits(rule, pair) for pair in held):
        return []
    tied = any(rule.relation in (ANY, relation) for relation, _ in held)
    opened = any(rule.basis in (ANY, basis) for _, basis in held)
    if tied and opened:
        return [Failed.TOGETHER]
    return [*([] if tied else [Failed.RELATION]), *([] if opened else [Failed.BASIS])]


def _overridden(reading: Reading, rule: Rule, purpose: Purpose, held: Held) -> bool:
    denied = {one.action for one in reading.speaking(purpose, held) if one.effect == RuleEffect.DENY}
    return Action.MASK in denied if rule.action == Action.MASK else bool(denied)


def _deciding(reading: Reading, purpose: Purpose, held: Held, by_rules: Effect) -> Iterable[Rule]:
    """The rules that decide what the rules give: those that allow it, or those that deny it."""
    speaking = reading.speaking(purpose, held)
    if by_rules is Effect.DENY:
        return (rule for rule in speaking if rule.effect == RuleEffect.DENY)
    wanted = Action.REVEAL if by_rules is Effect.REVEAL and reading.act is Act.SHOW else None
    return (rule for rule in speaking if rule.effect == RuleEffect.ALLOW and wanted in (None, rule.action))


def _clauses(rules: Iterable[Rule]) -> tuple[str, ...]:
    return tuple(sorted({rule.clause for rule in rules}))


def _place(pair: Pair) -> int:
    return situation_of((pair,))
