"""Questions about decisions that were made: which there were lately, and why one of them (C46, C59).

For auditors and the security team, who are told no persons. Whoever made an operation may ask why it was answered so.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from authz.vocabulary import Effect, Reason
from authz.workbench.decided import Explained, ExplainedDecision, explain_decision
from authz.workbench.decisions import DecidedAlike, RecentDecision, Wanted, recent
from ledger.bodies import Said
from ledger.searches import NEWEST
from models.vocabulary import Role
from resolvers.access_names import organizations_of, purpose_name
from resolvers.access_records import audits, said_of, sought_of
from resolvers.aside_pages import BY_INDEX, read_page
from resolvers.asides import Fetching, Question, RootAside
from resolvers.problems import bad_input
from resolvers.rule_questions import explanation_told
from resolvers.times import in_shanghai

_WATCHING = (Role.AUDITOR, Role.SECURITY_ADMIN)
_WHY, _RECENT = "Query.explainDecision", "Query.recentDecisions"
_LARGEST = 50
_WEIGHT = 5_000


async def decision_explained(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Why a decision. None for one that there is not, or not yet in the index, and for who neither made it nor may ask.

    Raises BAD_USER_INPUT.
    """
    text = question.arguments["decision"]
    try:
        decision = UUID(text)
    except ValueError:
        raise bad_input("decision", "'decision' is a decision's id, as `decisionId` gives it.") from None
    question.notes.ask(_WHY, {"decision": decision})
    found = await explain_decision(
        Fetching(question.fetch),
        decision,
        snapshot=question.snapshot,
        watches=audits(question, *_WATCHING),
        own=partial(_own, question),
    )
    # Thousands of rules may be told of.
    return found and await asyncio.to_thread(_decision, found)


EXPLAIN_DECISION = RootAside(_WHY, decision_explained, _LARGEST, _WEIGHT)


def _own(question: Question, said: Said) -> bool:
    """Did the caller make it: with the account, or as a partner with the organization's client?

    A token that is less than its subject knows only what it made itself: others may have been shown more.
    """
    subject = question.subject
    if subject.identity is None or said.role != subject.role.value:
        return False
    if question.narrowed and said.token != subject.token_id:
        return False
    if subject.account is not None:
        return said.account == subject.account
    return said.account is None and (said.organization, said.client) == (subject.organization, subject.client)


async def recent_decisions(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Decisions, newest first. For auditors and the security team; None for anybody else."""
    if not audits(question, *_WATCHING):
        return None
    page = read_page(question, _RECENT, order=BY_INDEX, largest=_LARGEST)
    wanted = await _wanted(question)
    question.notes.ask(_RECENT, _said(wanted))
    before = page.after[0] if page.after else NEWEST
    found = await recent(question.fetch, wanted, before=before, size=page.size) if page.size else None
    rows = found.decisions if found else []
    organizations = await organizations_of(question.fetch, (row.said.organization for row in rows))
    connection = page.connection(
        rows, lambda row: (row.index,), lambda row: _recent(row, organizations), more=bool(found and found.before)
    )
    if found and found.before:
        # A page may end, even without a row, where enough was looked through.
        connection["pageInfo"]["endCursor"] = page.cursors.close((found.before,))
    return connection


RECENT_DECISIONS = RootAside(_RECENT, recent_decisions, _LARGEST, _WEIGHT)


async def _wanted(question: Question) -> Wanted:
    given = question.arguments
    read = {name: given[name] for name in _FILTERS if name in given}
    effect, ruleset = given.get("effect"), given.get("ruleset")
    if effect is not None and effect not in Effect.__members__:
        raise bad_input("effect", f"'effect' is one of: {', '.join(Effect.__members__)}.")
    if ruleset is not None and ruleset < 1:
        raise bad_input("ruleset", "Rulesets are numbered from 1.")
    sought = await sought_of(question.fetch, read, effect=effect, ruleset=ruleset)
    return Wanted(sought, given.get("reason"), given.get("breakGlass"))


_FILTERS = ("role", "organization", "purpose", "coordinate", "from", "to")


def _said(wanted: Wanted) -> dict[str, Any]:
    said = said_of(wanted.sought)
    return {**said, "reason": wanted.reason, "breakGlass": wanted.broken_glass}


# What is told.


def _decision(one: ExplainedDecision) -> dict[str, Any]:
    said = one.said
    return {
        "decisionId": str(said.decision),
        "at": in_shanghai(one.at),
        "kind": said.kind,
        "outcome": said.outcome or None,
        "code": said.code,
        "role": said.role,
        "purpose": purpose_name(said.purpose),
        "ruleset": said.ruleset,
        "brokenGlass": said.broken_glass is not None,
        "rulesKnown": one.rules_known,
        "whole": one.whole,
        "entries": [_explained(each, said.ruleset or 0) for each in one.entries],
    }


def _explained(one: Explained, ruleset: int) -> dict[str, Any]:
    return {
        "coordinate": one.coordinate,
        "effect": one.effect,
        "reason": _reason(one.reason),
        "agrees": one.agrees,
        "explanation": one.explanation and explanation_told(one.explanation, ruleset),
    }


def _recent(one: RecentDecision, organizations: Mapping[UUID | None, dict[str, Any]]) -> dict[str, Any]:
    said = one.said
    return {
        "decisionId": said.decision and str(said.decision),
        "at": in_shanghai(one.at),
        "kind": said.kind,
        "outcome": said.outcome or None,
        "code": said.code,
        "role": said.role,
        "organization": organizations.get(said.organization),
        "purpose": purpose_name(said.purpose),
        "operationHash": said.operation_hash,
        "ruleset": said.ruleset,
        "brokenGlass": said.broken_glass is not None,
        "entries": [_alike(each) for each in one.entries],
    }


def _alike(one: DecidedAlike) -> dict[str, Any]:
    return {
        "coordinates": list(one.coordinates),
        "effect": one.effect,
        "reason": _reason(one.reason),
        "persons": one.persons,
    }


def _reason(recorded: str | None) -> str | None:
    """A recorded reason; None for a word that is none."""
    return recorded if recorded in Reason.__members__ else None
