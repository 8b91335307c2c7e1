"""Questions about rules, answered beside the plan: why an answer, what a role can reach, who can reach a field (C46).

Rules hold no personal data, so whoever builds on them may ask as well as those who watch over them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from authz.compile import Snapshot
from authz.rules import RulesetError
from authz.vocabulary import Basis, Effect, Relation
from authz.workbench.explain import Candidate, Explanation, explain
from authz.workbench.missing import Missing
from authz.workbench.reaching import Reached, reach, who
from authz.workbench.readings import Act, UnknownCoordinateError, category_of, situation_of
from authz.workbench.wording import answer_said, candidate_said, missing_said, pair_said
from models.vocabulary import Purpose, Role
from resolvers.asides import Asked, Question, RootAside
from resolvers.problems import RequestRefusedError, bad_input
from resolvers.rule_rows import rule_told
from resolvers.rulings import Ruling, ruling_of

_ASKING = frozenset({Role.SECURITY_ADMIN, Role.AUDITOR, Role.DEVELOPER})
_EXPLAIN, _REACH, _WHO = "Query.explain", "Query.reach", "Query.whoCanReach"
_ESTIMATE = 100
"""How many rows each of these lists counts for."""
_WEIGHT = 2_000
_ANOTHER = 8_000
"""What a question counts for besides where it names a ruleset."""
_LARGEST_NUMBER = 2**31 - 1

_Pairs = tuple[tuple[Relation, Basis], ...]


async def explained(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Why somebody would be answered so. None for who does not ask about rules."""
    if not _asks(question):
        return None
    given = question.arguments
    role, purpose, coordinate = _role(given), Purpose[given["purpose"]], given["coordinate"]
    act = Act[given["act"]] if "act" in given else None
    held = read_pairs(given.get("pairs", ()))
    ruling = await _ruling(question)
    snapshot = ruling.snapshot
    told = partial(_why, ruling, role, purpose, coordinate, held, act)
    try:
        found, said = await asyncio.to_thread(told)
    except UnknownCoordinateError as refused:
        raise bad_input("coordinate", str(refused)) from None
    asked = {"role": role, "purpose": purpose, "coordinate": coordinate, "act": found.act}
    asked["pairs"] = [pair_said(*pair) for pair in held]
    question.notes.ask(_EXPLAIN, {**asked, "ruleset": snapshot.ruleset.number})
    return said


def _why(  # noqa: PLR0913 - what it depends on
    ruling: Ruling, role: Role, purpose: Purpose, coordinate: str, held: _Pairs, act: Act | None
) -> tuple[Explanation, dict[str, Any]]:
    snapshot = ruling.snapshot
    found = explain(snapshot, role, purpose, coordinate, situation_of(held), act=act, idle=ruling.idle)
    return found, explanation_told(found, snapshot.ruleset.number)


def _of_another(_: Asked, given: Mapping[str, Any]) -> int:
    """A ruleset that is named may have to be read and assembled first."""
    return _ANOTHER if given.get("ruleset") is not None else 0


EXPLAIN = RootAside(_EXPLAIN, explained, _ESTIMATE, _WEIGHT, _of_another)


async def reached(question: Question) -> Any:  # noqa: ANN401 - plain values
    """What a role can reach for a purpose. None for who does not ask about rules."""
    if not _asks(question):
        return None
    role, purpose = _role(question.arguments), Purpose[question.arguments["purpose"]]
    snapshot = await _rules(question)
    question.notes.ask(_REACH, {"role": role, "purpose": purpose, "ruleset": snapshot.ruleset.number})
    return await asyncio.to_thread(lambda: [_reached(one, snapshot) for one in reach(snapshot, role, purpose)])


REACH = RootAside(_REACH, reached, _ESTIMATE, _WEIGHT, _of_another)


async def able(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Who can reach a field. None for who does not ask about rules."""
    if not _asks(question):
        return None
    coordinate = question.arguments["coordinate"]
    snapshot = await _rules(question)
    try:
        found = await asyncio.to_thread(lambda: [_reached(one, snapshot) for one in who(snapshot, coordinate)])
    except UnknownCoordinateError as refused:
        raise bad_input("coordinate", str(refused)) from None
    question.notes.ask(_WHO, {"coordinate": coordinate, "ruleset": snapshot.ruleset.number})
    return found


WHO_CAN_REACH = RootAside(_WHO, able, _ESTIMATE, _WEIGHT, _of_another)


def _asks(question: Question) -> bool:
    return question.subject.role in _ASKING and question.purpose == Purpose.ADMINISTRATION


async def _rules(question: Question) -> Snapshot:
    """The rules asked about, as they are at this moment. Raises BAD_USER_INPUT for a ruleset that there is not."""
    if "ruleset" not in question.arguments:
        return question.snapshot
    return (await _ruling(question)).snapshot


async def _ruling(question: Question) -> Ruling:
    """The same, and those of that ruleset that are not in force."""
    number = question.arguments.get("ruleset", question.snapshot.ruleset.number)
    missing = bad_input("ruleset", "There is no ruleset of that number.")
    if not 0 < number <= _LARGEST_NUMBER:
        raise missing
    try:
        return await ruling_of(question, number)
    except RulesetError as refused:
        raise missing from refused


# Arguments.


def _role(given: Mapping[str, Any]) -> Role:
    try:
        return Role(given["role"])
    except ValueError:
        raise bad_input("role", f"'role' is one of: {', '.join(Role)}.") from None


def read_pairs(given: Sequence[Mapping[str, str]]) -> _Pairs:
    """The pairs of an argument, each once; none at all is none/none. Raises BAD_USER_INPUT."""
    found = dict.fromkeys((_word(Relation, one, "relation"), _word(Basis, one, "basis")) for one in given)
    return tuple(found) or ((Relation.NONE, Basis.NONE),)


def _word(words: Any, given: Mapping[str, str], name: str) -> Any:  # noqa: ANN401 - an enum and its value
    try:
        return words(given[name])
    except ValueError:
        raise _bad_word(name, words) from None


def _bad_word(name: str, words: Any) -> RequestRefusedError:  # noqa: ANN401 - an enum
    return bad_input(f"pairs.{name}", f"{name!r} is one of: {', '.join(words)}.")


# What is told.


def explanation_told(one: Explanation, ruleset: int) -> dict[str, Any]:
    """An explanation, as the schema has it."""
    return {
        "role": one.role.value,
        "purpose": one.purpose.name,
        "coordinate": one.coordinate,
        "act": one.act.name,
        "ruleset": ruleset,
        "situation": None if one.pairs is None else [pair_said(*pair) for pair in one.pairs],
        "effect": _effect(one.effect),
        "reason": one.reason and one.reason.name,
        "byRules": _effect(one.by_rules),
        "candidates": [_candidate(each) for each in one.candidates],
        "missing": one.missing and _missing(one.missing, one.act),
        "clauses": list(one.clauses),
        "sentence": answer_said(one),
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        "rule": rule_told(one.rule),
        "holds": one.holds,
        "failed": [each.name for each in one.failed],
        "sentence": candidate_said(one),
    }


def _missing(one: Missing, act: Act) -> dict[str, Any]:
    return {
        "gives": _effect(one.gives),
        "pair": one.pair and pair_said(*one.pair),
        "purpose": one.purpose and one.purpose.name,
        "token": [each.name for each in one.token],
        "rule": one.rule and rule_told(one.rule),
        "notice": one.notice,
        "sentence": missing_said(one, act),
    }


def _effect(effect: Effect | None) -> str | None:
    return None if effect is None else effect.name


def _reached(one: Reached, snapshot: Snapshot) -> dict[str, Any]:
    category = category_of(snapshot, one.coordinate)
    effects = [effect for effect in (Effect.REVEAL, Effect.MASK) if one.under(effect)]
    return {
        "role": one.role.value,
        "purpose": one.purpose.name,
        "coordinate": one.coordinate,
        "category": category and category.name,
        "act": one.act.name,
        "effect": one.best.name,
        "under": [
            {"effect": effect.name, "pairs": [pair_said(*pair) for pair in one.under(effect)]} for effect in effects
        ],
        "clauses": list(one.clauses),
        "rules": [rule_told(rule) for rule in one.rules],
    }
