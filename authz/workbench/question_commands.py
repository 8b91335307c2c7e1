"""The commands `rules explain|reach|who|decisions`: the four questions about rules, for operators (C46, C56)."""

import argparse
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from authz.commands import Call, Done, OperatorRefusedError, add_command
from authz.compile import Snapshot, compile_ruleset
from authz.rules import Rule, in_force
from authz.rulesets import load
from authz.vocabulary import Basis, Effect, Reason, Relation
from authz.workbench.decided import Explained, ExplainedDecision, explain_decision
from authz.workbench.decisions import RecentDecision, Wanted, recent
from authz.workbench.drafts import content_of, find
from authz.workbench.explain import Explanation, Failed, explain, idle_rules
from authz.workbench.reaching import Reached, reach, who
from authz.workbench.readings import Act, Pair, UnknownCoordinateError, situation_of
from authz.workbench.wording import answer_said, candidate_said, effect_said, missing_said, pair_said, rule_said
from ledger.searches import NEWEST, YEARS, Sought
from models.vocabulary import Purpose, Role

USUAL_PAGE, LARGEST_PAGE = 20, 1_000
_LARGEST_NUMBER = 2**31 - 1
_ORGANIZATION = "SELECT id FROM organization WHERE code = $1"
_CODES = "SELECT id, code FROM organization WHERE id = ANY($1::uuid[])"


def accept_questions(commands: Any) -> None:  # noqa: ANN401 - argparse's own
    """Declare the questions among the subcommands of `rules`, which set `snapshot` (`authz.rulesets.SnapshotOf`)."""
    option = add_command(commands, "explain", _explain, "why this answer: of a decision, or if somebody asked")
    option("role", nargs="?", type=Role, choices=list(Role), metavar="ROLE")
    option("purpose", nargs="?", type=Purpose, choices=list(Purpose), metavar="PURPOSE")
    option("coordinate", nargs="?", metavar="FIELD", help="a field such as User.idNumber, or a mutation")
    option("--decision", type=_uuid, metavar="ID", help="a decisionId, instead of role, purpose and field")
    option("--pair", action="append", default=[], type=_pair, metavar="RELATION/BASIS", help="what a record witnesses")
    option(
        "--act", dest="wanted", type=Act, choices=list(Act), help="by default a mutation is written, and a field shown"
    )
    _accept_rules(option)
    option = add_command(commands, "reach", _reach, "what a role can reach for a purpose")
    option("role", type=Role, choices=list(Role), metavar="ROLE")
    option("purpose", type=Purpose, choices=list(Purpose), metavar="PURPOSE")
    _accept_rules(option)
    option = add_command(commands, "who", _who, "who can reach a field")
    option("coordinate", metavar="FIELD", help="a field such as User.idNumber, or a mutation")
    _accept_rules(option)
    option = add_command(commands, "decisions", _decisions, "recent decisions, newest first")
    option("--role", type=Role, choices=list(Role), metavar="ROLE")
    option("--org", metavar="CODE", help="of an organization")
    option("--purpose", type=Purpose, choices=list(Purpose), metavar="PURPOSE")
    option("--coordinate", metavar="FIELD")
    option("--effect", choices=list(Effect.__members__), help="something was decided so")
    option("--reason", type=Reason, choices=list(Reason), metavar="REASON", help="something was denied for it")
    option("--ruleset", type=_number, metavar="N", help="decided under it")
    option("--from", dest="since", type=_moment, metavar="MOMENT", help="such as 2026-11-20T09:00:00+08:00")
    option("--to", dest="until", type=_moment, metavar="MOMENT", help="and before this one")
    option("--broken-glass", action="store_true", help="only where somebody broke the glass")
    option("--before", type=_leaf, default=NEWEST, metavar="INDEX", help="go on where the last page ended")
    option("--first", type=_page, default=USUAL_PAGE, metavar="N", help=f"at most {LARGEST_PAGE} (default 20)")


def _accept_rules(option: Any) -> None:  # noqa: ANN401 - argparse's own
    option("--ruleset", type=_number, metavar="N", help="under this one instead of the one in force")
    option("--draft", type=_uuid, metavar="ID", help="under what this draft says")


# Arguments.


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise argparse.ArgumentTypeError("an id such as a decisionId") from None


def _pair(text: str) -> Pair:
    relation, _, basis = text.partition("/")
    try:
        return Relation(relation), Basis(basis)
    except ValueError:
        words = f"a relation ({', '.join(Relation)}), a slash and a basis ({', '.join(Basis)})"
        raise argparse.ArgumentTypeError(words) from None


def _whole(text: str, largest: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < len(str(NEWEST)) and 0 < int(text) <= largest):
        message = f"a whole number from 1 to {largest}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _number(text: str) -> int:
    return _whole(text, _LARGEST_NUMBER)


def _page(text: str) -> int:
    return _whole(text, LARGEST_PAGE)


def _leaf(text: str) -> int:
    return _whole(text, NEWEST)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.year not in YEARS:
        raise argparse.ArgumentTypeError("a moment with its offset, such as 2026-11-20T09:00:00+08:00")
    return moment


# Rules.


async def _ruling(call: Call) -> tuple[Snapshot, dict[Rule, Failed]]:
    """The rules asked about, and those of the same ruleset that are not in force. Raises RulesetError."""
    given, now = call.arguments, await call.arguments.snapshot(call.connection)
    if given.draft is not None and given.ruleset is not None:
        raise OperatorRefusedError("Name a ruleset or a draft, not both.")
    if given.draft is None:
        whole = await load(call.connection, given.ruleset or now.ruleset.number, now.catalogue)
    else:
        draft = await find(call.connection, given.draft)
        if draft is None:
            raise OperatorRefusedError("There is no draft of that id.")
        whole = (await content_of(call.connection, draft)).ruleset(draft.parent, now.catalogue)
    then = in_force(whole, call.now)
    return compile_ruleset(then, now.catalogue, before=now), idle_rules(whole, call.now)


# The questions.


async def _explain(call: Call) -> Done:
    given = call.arguments
    if given.decision is not None:
        if given.role is not None or given.pair or given.wanted or given.ruleset or given.draft:
            raise OperatorRefusedError("A decision says itself what was asked: give --decision alone.")
        return await _explain_decision(call)
    if given.coordinate is None:
        raise OperatorRefusedError("Name a role, a purpose and a field, or a decision with --decision.")
    snapshot, idle = await _ruling(call)
    try:
        found = explain(
            snapshot,
            given.role,
            given.purpose,
            given.coordinate,
            situation_of(set(given.pair)),
            act=given.wanted,
            idle=idle,
        )
    except UnknownCoordinateError as refused:
        raise OperatorRefusedError(str(refused)) from None
    return Done(_explanation(found, snapshot.ruleset.number), "\n".join(_explanation_lines(found)))


async def _explain_decision(call: Call) -> Done:
    snapshot = await call.arguments.snapshot(call.connection)
    decision = call.arguments.decision
    found = await explain_decision(call.connection, decision, snapshot=snapshot, watches=True, own=lambda _: False)
    if found is None:
        raise OperatorRefusedError("There is no decision of that id, or its row is not sealed yet: try again shortly.")
    return Done(_decision(found), "\n".join(_decision_lines(found)), {"decision": decision})


async def _reach(call: Call) -> Done:
    snapshot, _ = await _ruling(call)
    return _reached(reach(snapshot, call.arguments.role, call.arguments.purpose))


async def _who(call: Call) -> Done:
    snapshot, _ = await _ruling(call)
    try:
        return _reached(who(snapshot, call.arguments.coordinate))
    except UnknownCoordinateError as refused:
        raise OperatorRefusedError(str(refused)) from None


async def _decisions(call: Call) -> Done:
    given = call.arguments
    if given.since and given.until and given.since >= given.until:
        raise OperatorRefusedError("--to must be later than --from.")
    organization = None
    if given.org is not None:
        organization = await call.connection.fetchval(_ORGANIZATION, given.org)
        if organization is None:
            raise OperatorRefusedError("There is no organization of that code.")
    sought = Sought(
        role=given.role,
        organization=organization,
        purpose=given.purpose,
        coordinates=() if given.coordinate is None else (given.coordinate,),
        effect=given.effect,
        ruleset=given.ruleset,
        since=given.since,
        until=given.until,
    )
    wanted = Wanted(sought, given.reason, given.broken_glass or None)
    found = await recent(call.connection.fetch, wanted, before=given.before, size=given.first)
    ids = list({one.said.organization for one in found.decisions if one.said.organization is not None})
    codes = dict(await call.connection.fetch(_CODES, ids))
    told = [_recent(one, codes) for one in found.decisions]
    lines = [line for one in told for line in _recent_lines(one)]
    if found.before is not None:
        lines.append(f"There may be more: --before {found.before}")
    return Done({"decisions": told, "before": found.before}, "\n".join(lines or ["No decision."]))


# What is told.


def _rule(rule: Rule) -> dict[str, str]:
    return {"rule": rule.line, "sentence": rule_said(rule)}


def _explanation(one: Explanation, ruleset: int | None) -> dict[str, Any]:
    missing = one.missing and {
        "gives": _effect(one.missing.gives),
        "pair": one.missing.pair and pair_said(*one.missing.pair),
        "purpose": one.missing.purpose,
        "token": list(one.missing.token),
        "rule": one.missing.rule and _rule(one.missing.rule),
        "sentence": missing_said(one.missing, one.act),
    }
    return {
        "role": one.role,
        "purpose": one.purpose,
        "coordinate": one.coordinate,
        "act": one.act,
        "ruleset": ruleset,
        "situation": None if one.pairs is None else [pair_said(*pair) for pair in one.pairs],
        "effect": _effect(one.effect),
        "reason": one.reason,
        "byRules": _effect(one.by_rules),
        "candidates": [
            {**_rule(each.rule), "holds": each.holds, "failed": list(each.failed)} for each in one.candidates
        ],
        "missing": missing,
        "clauses": list(one.clauses),
    }


def _explanation_lines(one: Explanation) -> Iterator[str]:
    yield answer_said(one)
    if one.pairs is not None:
        yield f"  what holds: {', '.join(pair_said(*pair) for pair in one.pairs)}"
    if one.clauses:
        yield f"  by clauses: {', '.join(one.clauses)}"
    for each in one.candidates:
        yield f"  {rule_said(each.rule)}: {candidate_said(each)}"
    if not one.candidates:
        yield "  no rule of this role is about it"
    if one.missing is not None:
        yield f"  {missing_said(one.missing, one.act)}"


def _decision(one: ExplainedDecision) -> dict[str, Any]:
    said = one.said
    return {
        "decisionId": str(said.decision),
        "at": one.at.isoformat(timespec="milliseconds"),
        "kind": said.kind,
        "outcome": said.outcome,
        "code": said.code,
        "role": said.role,
        "purpose": said.purpose,
        "ruleset": said.ruleset,
        "brokenGlass": said.broken_glass is not None,
        "rulesKnown": one.rules_known,
        "whole": one.whole,
        "entries": [_entry(each, said.ruleset) for each in one.entries],
    }


def _entry(one: Explained, ruleset: int | None) -> dict[str, Any]:
    return {
        "coordinate": one.coordinate,
        "effect": one.effect,
        "reason": one.reason,
        "agrees": one.agrees,
        "explanation": one.explanation and _explanation(one.explanation, ruleset),
    }


def _decision_lines(one: ExplainedDecision) -> Iterator[str]:
    said = one.said
    outcome = " ".join(word for word in (said.kind, said.outcome, said.code) if word)
    at = one.at.isoformat(timespec="seconds")
    yield f"{said.decision}  {at}  {said.role} for {said.purpose}, ruleset {said.ruleset}: {outcome}"
    if said.entries and not one.rules_known:
        yield "The rules of then are not at hand."
    for each in one.entries:
        reason = f" ({each.reason})" if each.reason else ""
        differs = "  NOT what the rules give" if each.agrees is False else ""
        yield f"{each.coordinate}: {each.effect}{reason}{differs}"
        if each.explanation is not None:
            yield from (f"  {line}" for line in _explanation_lines(each.explanation))
    if not one.whole:
        yield "There is more of it than is explained at once."


def _reached(found: list[Reached]) -> Done:
    told = [
        {
            "role": one.role,
            "purpose": one.purpose,
            "coordinate": one.coordinate,
            "act": one.act,
            "effect": one.best.name,
            "under": dict(_under(one)),
            "clauses": list(one.clauses),
            "rules": [_rule(rule) for rule in one.rules],
        }
        for one in found
    ]
    return Done(told, "\n".join(line for one in found for line in _reached_lines(one)) or "Nothing, and nobody.")


def _under(one: Reached) -> Iterator[tuple[str, list[str]]]:
    for effect in (Effect.REVEAL, Effect.MASK):
        pairs = [pair_said(*pair) for pair in one.under(effect)]
        if pairs:
            yield effect.name, pairs


def _reached_lines(one: Reached) -> Iterator[str]:
    yield f"{one.role} for {one.purpose}, {one.act} {one.coordinate}: {effect_said(one.best, one.act)}"
    for effect, pairs in _under(one):
        yield f"  {effect_said(Effect[effect], one.act)} under {', '.join(pairs)}"
    yield from (f"  {rule_said(rule)}" for rule in one.rules)


def _recent(one: RecentDecision, codes: Mapping[UUID, str]) -> dict[str, Any]:
    said = one.said
    return {
        "index": one.index,
        "decisionId": None if said.decision is None else str(said.decision),
        "at": one.at.isoformat(timespec="milliseconds"),
        "kind": said.kind,
        "outcome": said.outcome,
        "code": said.code,
        "role": said.role,
        "organization": None if said.organization is None else codes.get(said.organization),
        "purpose": said.purpose,
        "operationHash": said.operation_hash,
        "ruleset": said.ruleset,
        "brokenGlass": said.broken_glass is not None,
        "entries": [
            {
                "coordinates": list(each.coordinates),
                "effect": each.effect,
                "reason": each.reason,
                "persons": each.persons,
            }
            for each in one.entries
        ],
    }


def _recent_lines(told: Mapping[str, Any]) -> Iterator[str]:
    words = ("at", "decisionId", "role", "organization", "purpose", "kind", "outcome", "code")
    yield "  ".join(str(told[name]) for name in words if told[name])
    for one in told["entries"]:
        yield f"  {_words((one['effect'], one['reason']))}  {', '.join(one['coordinates'])}  of {one['persons']}"


def _words(words: Iterable[str | None]) -> str:
    return " ".join(word for word in words if word)


def _effect(effect: Effect | None) -> str | None:
    return None if effect is None else effect.name
