"""The reference's decisions, asked of Casbin cell by cell: `docs/decisions/001-situations.md`, line by line.

A cell is one coordinate of one record. `pairs` gives its situation and `decide` its effect, asking Casbin
twice at most, with the reason why it is not more. Nothing is compiled and no answer is remembered.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import casbin

from tests.reference.callers import Subject
from tests.reference.rules import MODEL, TEXT, rules, sensitive
from tests.reference.witnesses import Pair, pairs
from tests.reference.world import Row


def covers(coordinate: str, thing: str) -> bool:
    """Does a rule's object, a coordinate or a category, cover this coordinate?"""
    return thing in (coordinate, sensitive()[coordinate].category)


def holds(situation: str, relation: str, basis: str) -> bool:
    """Has a situation, written `self+none consent+none …`, a pair that a rule's relation and basis match?"""
    return any(
        relation in ("any", pair[0]) and basis in ("any", pair[1])
        for pair in (tuple(text.split("+")) for text in situation.split())
    )


def acts(asked: str, action: str, eft: str) -> bool:
    """Equal; or reveal-allow when asked for mask; or mask-deny when asked for reveal."""
    return (
        asked == action
        or (asked, action, eft) == ("mask", "reveal", "allow")
        or (asked, action, eft) == ("reveal", "mask", "deny")
    )


@lru_cache
def _enforcer(role: str, purpose: str) -> casbin.Enforcer | None:
    """An enforcer over one role's and purpose's rules; None without any, since an empty one may allow."""
    mine = [rule for rule in rules() if (rule.role, rule.purpose) == (role, purpose)]
    if not mine:
        return None
    model = casbin.Model()
    model.load_model_from_text(MODEL)
    enforcer = casbin.Enforcer(model)
    for function in (holds, covers, acts):
        enforcer.add_function(function.__name__, function)
    for rule in mine:
        enforcer.add_policy(*vars(rule).values())
    return enforcer


def allowed(subject: Subject, situation: Iterable[Pair], coordinate: str, action: str) -> bool:
    """Casbin's answer about one cell."""
    written = " ".join(sorted("+".join(pair) for pair in situation))
    asked = (subject.role, subject.purpose, written, coordinate, action)
    enforcer = _enforcer(subject.role, subject.purpose)
    return enforcer is not None and bool(enforcer.enforce(*asked))


@dataclass(frozen=True)
class Decision:
    """The effect on one cell, with the reason if it is DENY."""

    effect: str
    reason: str | None = None


def decide(subject: Subject, coordinate: str, record: Row) -> Decision:
    """Reveal, mask or deny one coordinate of one record (a device's record is its user)."""
    field = sensitive()[coordinate]
    if field.category not in subject.caller.categories:
        return Decision("DENY", "TOKEN_SCOPE")
    situation = pairs(subject, field.of, record, field.category)
    if allowed(subject, situation, coordinate, "reveal"):
        return Decision("REVEAL")
    if field.category in TEXT and allowed(subject, situation, coordinate, "mask"):
        return Decision("MASK")
    return Decision("DENY", _reason(subject, situation, coordinate))


def _reason(subject: Subject, situation: frozenset[Pair], coordinate: str) -> str:
    written = " ".join("+".join(pair) for pair in situation)
    about = [rule for rule in rules() if covers(coordinate, rule.object) and rule.role == subject.role]
    here = [rule for rule in about if rule.purpose == subject.purpose]
    if any(rule.eft == "deny" and holds(written, rule.relation, rule.basis) for rule in here):
        return "RULE_DENIES"
    showing = [rule for rule in about if rule.eft == "allow" and rule.action in ("reveal", "mask")]
    if not showing:
        return "ROLE"
    relations = {rule.relation for rule in showing if rule.purpose == subject.purpose}
    if not relations:
        return "PURPOSE"
    if not any(holds(written, relation, "any") for relation in relations):
        return "RELATION"
    told = subject.role == "privacy_officer" or any(pair[0] in ("self", "guardian_of") for pair in situation)
    return "BASIS" if told else "RELATION"


def may_filter(subject: Subject, coordinate: str) -> bool:
    """May the caller look rows up by this coordinate?"""
    if sensitive()[coordinate].category not in subject.caller.categories:
        return False
    return allowed(subject, {("none", "none")}, coordinate, "filter")
