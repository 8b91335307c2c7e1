"""The command `rules impact`: what a draft, or rules in a folder, would change of the last days' operations."""

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from authz.commands import Call, Done, OperatorRefusedError, add_command
from authz.ruleset_store import Content
from authz.workbench import drafts
from authz.workbench.content_commands import usable
from authz.workbench.drafts import Draft
from authz.workbench.files import read_folder
from authz.workbench.impact import MOST_DAYS, USUAL_DAYS, Impact, impact
from authz.workbench.impact_words import Language
from models.rulesets import DraftState
from resolvers.client_operations import every_operation
from resolvers.field_access import Planning
from resolvers.impacts import planned_by, report_of, sides_of


def accept_impact(commands: Any, *, planning: Planning) -> None:  # noqa: ANN401 - argparse's own
    """Declare `rules impact`; `planning` gives what plans the registered operations."""
    act = partial(_impact, planning=planning)
    option = add_command(commands, "impact", act, "what other rules would change: for whom, in which operations")
    option("folder", nargs="?", type=Path, metavar="FOLDER", help="of files, as `rules export` writes it")
    option("--draft", type=_draft_id, metavar="ID", help="a draft; by default the only one that is open")
    option("--days", type=_days, default=USUAL_DAYS, metavar="N", help=f"of the ledger; {USUAL_DAYS} by default")
    option("--language", type=Language, choices=list(Language), default=Language.ENGLISH)


def _days(text: str) -> int:
    days = int(text) if text.isdecimal() and len(text) <= len(str(MOST_DAYS)) else 0
    if not 1 <= days <= MOST_DAYS:
        message = f"days are a number from 1 to {MOST_DAYS}"
        raise argparse.ArgumentTypeError(message)
    return days


def _draft_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        message = "a draft's id, as `rules list` shows it"
        raise argparse.ArgumentTypeError(message) from None


async def _impact(call: Call, *, planning: Planning) -> Done:
    given = call.arguments
    content = await _content(call)
    planner, catalogue = planning()
    sides = await sides_of(call.connection, content, catalogue, now=call.now)
    plan = planned_by(planner, await every_operation(call.connection))
    found = await impact(call.connection, sides, days=given.days, now=call.now, plan=plan)
    told = {**orjson.loads(found.text), "sentences": found.sentences(given.language)}
    return Done(told, "\n".join(_lines(found, given.language)))


async def proposed_with(call: Call, draft: UUID, *, planning: Planning) -> str | None:
    """The text of the report that a draft is proposed with."""
    planner, catalogue = planning()
    return await report_of(call.connection, draft, planner, catalogue, now=call.now)


async def _content(call: Call) -> Content:
    """The rules that are asked about. Raises OperatorRefusedError or RulesetError."""
    folder, draft = call.arguments.folder, call.arguments.draft
    if folder is not None and draft is not None:
        raise OperatorRefusedError("Name a folder or a draft, not both.")
    if folder is None:
        return await drafts.content_of(call.connection, await _draft(call, draft))
    return usable(*read_folder(folder))


async def _draft(call: Call, named: UUID | None) -> Draft:
    if named is not None:
        found = await drafts.find(call.connection, named)
        if found is None:
            raise OperatorRefusedError("There is no draft of that id.")
        return found
    waiting = await drafts.some(call.connection, DraftState.OPEN, DraftState.PROPOSED, most=2)
    if len(waiting) != 1:
        raise OperatorRefusedError("Name a draft (--draft ID) or a folder of rules: there is not just one draft.")
    return waiting[0]


def _lines(found: Impact, language: Language) -> Iterator[str]:
    """The sentences; then whatever changes, one line each."""
    yield from found.sentences(language)
    for one in found.changes:
        who = f"{one.role} {one.organization}" if one.organization else one.role
        may = "" if one.certain else "at most "
        counted = f"{may}{one.operations} operations, {one.persons} persons"
        yield f"{one.purpose}  {who}  {one.coordinate}  {one.before} -> {one.after}  {counted}"
    for moved in found.moved:
        whose = f"{moved.team or 'anybody'}: {moved.name} ({moved.role}, {moved.purpose})"
        place = f"{moved.coordinate} at {moved.pattern}" if moved.coordinate else "the operation"
        yield f"{whose}  {place}  {moved.before} -> {moved.after}"
