"""The impact of a draft: on past operations (`authz.workbench.impact`) and on those that are registered, planned anew.

Where time is short, fewer rows are looked at and fewer operations planned, and the report says how many were not.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from authz import ruleset_store
from authz.catalogue import Catalogue
from authz.compile import Snapshot
from authz.rules import RulesetError
from authz.ruleset_store import Content
from authz.rulesets import load
from authz.workbench import drafts
from authz.workbench.impact import MOST_DAYS, USUAL_DAYS, Hurry, Impact, Plan, Plans, at_leisure, sealed_impact
from authz.workbench.impact_changes import Change, Moved, Planned
from authz.workbench.impact_moments import Pair, Sides, at_all_moments
from authz.workbench.impact_words import Language
from models.global_ids import NodeType, from_global
from models.vocabulary import Role
from resolvers.access_previews import planner_of
from resolvers.access_records import audits
from resolvers.aside_turns import HEAVY, turn
from resolvers.asides import Fetching, Question, RootAside
from resolvers.client_operations import ClientOperation, every_operation
from resolvers.field_access import FieldAccess, Planner, Previewed
from resolvers.problems import RequestRefusedError, bad_id, bad_input
from resolvers.times import in_shanghai

MOST_ROWS = 50_000
"""Rows that the API looks at for one question; the command looks at all."""
QUESTION_SECONDS = 8.0
PROPOSAL_SECONDS = 30.0
"""After so long nothing more is planned, and after half of it no more rows are read. Less than their turns take."""
_PLACE = "Query.ruleImpact"
_READERS = (Role.SECURITY_ADMIN, Role.AUDITOR, Role.PRIVACY_OFFICER)
_ESTIMATE = 100


async def sides_of(
    connection: Any,  # noqa: ANN401 - asyncpg's connection, or what reads as one
    content: Content,
    catalogue: Catalogue,
    *,
    now: datetime,
    held: Snapshot | None = None,
) -> Sides:
    """The latest ruleset and a content, compiled; what `held` has of them is taken over.

    Raises RulesetError, and the database's error.
    """
    number = await ruleset_store.latest(connection)
    whole = await load(connection, number, catalogue)
    # Compiling a large ruleset takes a while: not on the loop of a worker that serves.
    planned = content.ruleset(number, catalogue)
    return await asyncio.to_thread(at_all_moments, whole, planned, catalogue, now=now, held=held)


def in_a_hurry(seconds: float | None, *, timer: Callable[[], float] = time.monotonic) -> Hurry:
    """From so many seconds after now on; never without any."""
    if seconds is None:
        return at_leisure
    until = timer() + seconds
    return lambda: timer() >= until


def _hurries(seconds: float | None) -> tuple[Hurry, Hurry]:
    """For reading rows, and for planning."""
    return in_a_hurry(seconds and seconds / 2), in_a_hurry(seconds)


def planned_by(planner: Planner, operations: Sequence[ClientOperation], *, hurry: Hurry = at_leisure) -> Plan:
    """Plans those of the operations whose role and purpose are decided otherwise by the other rules.

    Each is read once and planned once for all rules that answer it alike.
    """

    async def plan(sides: Sides) -> Plans:
        before: list[Planned] = []
        after: list[Planned] = []
        left_out = 0
        for one in operations:
            touching = list(_touching(sides, one))
            if touching and hurry():
                left_out += 1
                continue
            known: dict[_Keys, Planned] = {}
            for pair in touching:
                for snapshot, found in zip(pair, (before, after), strict=True):
                    keys = _keys(snapshot, one)
                    if keys not in known:
                        known[keys] = await _planned(planner, one, snapshot)
                    found.append(known[keys])
        return Plans(len(operations), before, after, left_out)

    return plan


_Keys = tuple[str, str]


def _keys(snapshot: Snapshot, operation: ClientOperation) -> _Keys:
    """Rules of the same keys answer an operation alike."""
    place = operation.role, operation.purpose
    return snapshot.slices[place].key, snapshot.writes[place].key


def _touching(sides: Sides, operation: ClientOperation) -> Iterator[Pair]:
    """The moments at which an operation may come to something else, each way once."""
    told = set()
    for pair in sides.pairs:
        before, after = (_keys(snapshot, operation) for snapshot in pair)
        if before != after and (before, after) not in told:
            told.add((before, after))
            yield pair


async def _planned(planner: Planner, operation: ClientOperation, snapshot: Snapshot) -> Planned:
    """One operation; what the schema does not know any more is refused under both."""
    known = operation.team, operation.name, operation.hash, operation.role.value, operation.purpose.value
    fields: dict[tuple[str, str], tuple[str, ...]] = {}
    try:
        for name in planner.check(operation.document):
            previewed = Previewed(operation.document, operation.role, operation.purpose, name or None)
            for one in await planner.preview(previewed, snapshot):
                fields[one.coordinate, one.pattern] = _effect(one)
    except RequestRefusedError as refusal:
        return Planned(*known, {}, refusal.code.name)
    return Planned(*known, fields)


def _effect(one: FieldAccess) -> tuple[str, ...]:
    return one.effect.value, *(one.situations or ())


async def rule_impact(question: Question) -> Any:  # noqa: ANN401 - plain values
    """What a draft would change. None for who does not watch over rules."""
    if not audits(question, *_READERS):
        return None
    given = question.arguments
    days, language = given.get("days", USUAL_DAYS), given.get("language", Language.ENGLISH.value)
    if not 1 <= days <= MOST_DAYS:
        raise bad_input("days", f"Days are a number from 1 to {MOST_DAYS}.")
    if language not in list(Language):
        raise bad_input("language", f"A language is one of: {', '.join(Language)}.")
    reading = Fetching(question.fetch)
    draft = await drafts.find(reading, _draft_id(given["draft"]))
    if draft is None:
        return None
    question.notes.ask(_PLACE, {"draft": str(draft.id), "days": days})
    async with turn():
        hurries = _hurries(QUESTION_SECONDS)
        try:
            content = await drafts.content_of(reading, draft)
            catalogue = question.snapshot.catalogue
            sides = await sides_of(reading, content, catalogue, now=question.now, held=question.snapshot)
        except RulesetError as fault:
            message = f"These rules are none that can be compiled: {fault}."
            raise bad_input("draft", message) from None
        plan = planned_by(planner_of(question), await every_operation(reading), hurry=hurries[1])
        found = await sealed_impact(
            question.fetch, sides, days=days, now=question.now, plan=plan, most=MOST_ROWS, hurry=hurries[0]
        )
    return said(found, Language(language))


async def report_of(  # noqa: PLR0913 - what a report is made from
    connection: Any,  # noqa: ANN401 - asyncpg's connection or proxy
    draft_id: UUID,
    planner: Planner,
    catalogue: Catalogue,
    *,
    now: datetime,
    held: Snapshot | None = None,
    seconds: float | None = None,
) -> str | None:
    """The text of the report that a draft is proposed with; None where its rules cannot even be compiled.

    After `seconds` it leaves out what is left, and says so.

    Nobody changes the draft before the connection's transaction ends. Raises the database's error.
    """
    hurries = _hurries(seconds)
    draft = await drafts.find(connection, draft_id, locked=True)
    if draft is None:
        return None
    try:
        content = await drafts.content_of(connection, draft)
        sides = await sides_of(connection, content, catalogue, now=now, held=held)
    except RulesetError:
        return None
    plan = planned_by(planner, await every_operation(connection), hurry=hurries[1])
    made = await sealed_impact(
        connection.fetch, sides, days=USUAL_DAYS, now=now, plan=plan, most=MOST_ROWS, hurry=hurries[0]
    )
    return made.text


RULE_IMPACT = RootAside(_PLACE, rule_impact, _ESTIMATE, HEAVY)


def said(impact: Impact, language: Language) -> dict[str, Any]:
    """By the schema's names."""
    return {
        "since": in_shanghai(impact.since),
        "until": in_shanghai(impact.until),
        "ruleset": impact.ruleset,
        "operations": impact.operations,
        "registered": impact.registered,
        "sentences": impact.sentences(language),
        "changes": [_change(one) for one in impact.changes],
        "moved": [_moved(one) for one in impact.moved],
        "leftOut": {
            "stale": impact.stale,
            "decisions": impact.taken,
            "brokenGlass": impact.glass,
            "unreadable": impact.unreadable,
            "unsealed": impact.pending,
            "limitedTo": impact.limited,
        },
        "text": impact.text,
    }


def _change(one: Change) -> dict[str, Any]:
    return {
        "role": one.role,
        "organization": one.organization,
        "purpose": one.purpose.upper(),
        "coordinate": one.coordinate,
        "before": one.before,
        "after": one.after,
        "certain": one.certain,
        "operations": one.operations,
        "persons": one.persons,
    }


def _moved(one: Moved) -> dict[str, Any]:
    return {
        "team": one.team or None,
        "name": one.name,
        "hash": one.hash,
        "role": one.role,
        "purpose": one.purpose.upper(),
        "coordinate": one.coordinate,
        "pathPattern": one.pattern,
        "before": one.before,
        "after": one.after,
        "breaks": one.breaks,
    }


def _draft_id(text: str) -> UUID:
    """A draft's id, as the workbench gives it. Raises BAD_ID."""
    found = from_global(text)
    if found is not None and found[0] == NodeType.RECORD:
        return found[1]
    try:
        return UUID(text)
    except ValueError:
        raise bad_id("draft") from None
