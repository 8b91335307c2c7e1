"""The commands `rules check|cases|diff|export|import`: what rules say, as files and in the database.

A folder is checked without a database, so a repository of rules can be checked wherever its changes are.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from authz import ruleset_store
from authz.commands import Call, Done, OperatorRefusedError, add_command
from authz.default_ruleset import default_content
from authz.law import law_now
from authz.rules import RulesetError
from authz.ruleset_store import Content
from authz.tokens import utc_now
from authz.workbench import drafts, editing
from authz.workbench.acts import LONGEST_REASON, Actor, Refused
from authz.workbench.acts import said as is_said
from authz.workbench.cases import Ran
from authz.workbench.checks import Checked, check, uses
from authz.workbench.difference import SHOWING, Cell, difference_in_time, matrix, widened, word_of
from authz.workbench.drafts import LONGEST_TITLE, Changes
from authz.workbench.editing import Edit
from authz.workbench.files import read_folder, read_placed, write_folder
from authz.workbench.findings import WATCHED, Finding, FindingKind, Severity, refuses, watched

MOST_TOLD = 1_000
"""Findings that are told one by one; all are counted."""


def accept_content(commands: Any) -> None:  # noqa: ANN401 - argparse's own
    """Declare the subcommands on what rules say."""
    option = add_command(commands, "check", _check, "findings and cases; 1 where something is an error")
    option(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="files, read without a database; else what is in force"
    )
    option("--unused", action="store_true", help="also what nobody was ever shown; of what is in force")
    commands.choices["check"].set_defaults(alone=_check_folder)
    option = add_command(commands, "cases", _cases, "run the cases; 1 where one fails")
    option(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="files, read without a database; else what is in force"
    )
    commands.choices["cases"].set_defaults(alone=_cases_of_folder)
    option = add_command(commands, "diff", _diff, "whose answers differ between two rulesets")
    option("--from", dest="since", type=_number, metavar="N", help="a ruleset; by default the one in force")
    option("--to", metavar="N|FOLDER", help="a ruleset or files; by default the one in force")
    option("--default", action="store_true", help="to the rules that this release comes with")
    option("--draft", type=draft_given, metavar="ID", help="to what a draft says")
    option("--exit-code", action="store_true", help="end with 1 where something differs")
    option = add_command(commands, "export", _export, "write a ruleset as files")
    option("folder", type=Path, metavar="DIR")
    option("--ruleset", type=_number, metavar="N", help="by default the one in force")
    option = add_command(commands, "import", _import, "make a draft of files, or bring one up to what they say")
    option("folder", type=Path, metavar="DIR")
    option("--title", help="what it does, in a few words")
    option("--reason", help="why")
    option("--draft", type=draft_given, metavar="ID", help="this draft, moved onto the ruleset in force")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:10]) < 1 << 31:
        raise argparse.ArgumentTypeError("a ruleset is a number, such as 1")
    return int(text)


def draft_given(text: str) -> UUID:
    """An argument that is the id of a draft. Raises ArgumentTypeError."""
    try:
        return UUID(text)
    except ValueError:
        raise argparse.ArgumentTypeError("the id of a draft, as `rules list` shows it") from None


# --- Check and cases ------------------------------------------------------------------------------------------


async def _check(call: Call) -> Done:
    _, content = await _published(call, None)
    used = await uses(call.connection.fetch) if call.arguments.unused else None
    law = await law_now(call.connection, call.arguments.law())
    return _checked(check(content, catalogue=call.arguments.catalogue(), now=call.now, used=used, law=law))


def _check_folder(arguments: argparse.Namespace) -> Done:
    return _checked(_of_folder(arguments))


async def _cases(call: Call) -> Done:
    _, content = await _published(call, None)
    return _ran(check(content, catalogue=call.arguments.catalogue(), now=call.now))


def _cases_of_folder(arguments: argparse.Namespace) -> Done:
    return _ran(_of_folder(arguments))


def _of_folder(arguments: argparse.Namespace) -> Checked:
    folder = read_placed(arguments.folder)
    if folder.content is None:
        return Checked(tuple(folder.findings))
    found = check(folder.content, catalogue=arguments.catalogue(), now=utc_now(), law=arguments.law())
    return Checked((*folder.findings, *folder.placed(found.findings)), found.ran, found.coverage)


def _checked(found: Checked) -> Done:
    counts = Counter(one.severity for one in found.findings)
    data = {
        "errors": counts[Severity.ERROR],
        "warnings": counts[Severity.WARNING],
        "notes": counts[Severity.NOTE],
        "findings": [said(one) for one in found.findings[:MOST_TOLD]],
        **_cases_said(found),
    }
    lines = [*_finding_lines(found.findings), *_coverage_lines(found)]
    lines.append(
        f"{data['errors']} errors, {data['warnings']} warnings, {data['notes']} notes;"
        f" {len(found.ran)} cases, {len(_failed(found.ran))} failed."
    )
    return Done(data, "\n".join(lines), wrong=found.refused)


def _ran(found: Checked) -> Done:
    failed = _failed(found.ran)
    # Without cases that could be run, what kept them from it is told.
    errors = [one for one in found.findings if one.severity is Severity.ERROR]
    data = {"findings": [said(one) for one in errors[:MOST_TOLD]], **_cases_said(found)}
    lines = [*_finding_lines(errors), *_coverage_lines(found), f"{len(found.ran)} cases, {len(failed)} failed."]
    return Done(data, "\n".join(lines), wrong=bool(errors))


def _failed(ran: Iterable[Ran]) -> list[Ran]:
    return [one for one in ran if not one.passed]


def said(one: Finding) -> dict[str, Any]:
    """A finding as JSON."""
    return {
        "kind": one.kind.value,
        "severity": one.severity.value,
        "place": one.place or None,
        "rule": one.rule.line if one.rule else None,
        "message": one.message,
        "others": [other.line for other in one.others],
    }


def _cases_said(found: Checked) -> dict[str, Any]:
    failed = [
        {"intent": one.group.intent, "case": list(one.case.words), "got": one.got.value if one.got else None}
        for one in _failed(found.ran)
    ]
    covered = found.coverage
    return {
        "cases": len(found.ran),
        "failed": failed,
        "unexercised": [rule.line for rule in covered.unexercised] if covered else None,
        "unnoticed": [rule.line for rule in covered.unnoticed] if covered else None,
    }


def _finding_lines(found: Sequence[Finding]) -> list[str]:
    lines = []
    for one in found[:MOST_TOLD]:
        where = "  ".join(part for part in (one.place, one.rule.line if one.rule else "") if part)
        lines.append("  ".join(part for part in (one.severity.value, one.kind.value, where, one.message) if part))
    if len(found) > MOST_TOLD:
        lines.append(f"Of {len(found)} findings the first {MOST_TOLD} are told.")
    return lines


def _coverage_lines(found: Checked) -> list[str]:
    if found.coverage is None:
        return []
    unexercised = set(found.coverage.unexercised)
    lines = [f"No case exercises  {rule.line}" for rule in found.coverage.unexercised]
    return lines + [f"No case misses  {rule.line}" for rule in found.coverage.unnoticed if rule not in unexercised]


# --- Difference -----------------------------------------------------------------------------------------------


async def _diff(call: Call) -> Done:
    given = call.arguments
    if sum(map(bool, (given.to, given.default, given.draft))) > 1:
        raise OperatorRefusedError("Give one of --to, --default and --draft.")
    _, before = await _published(call, given.since)
    after = await _other(call)
    done = _difference(call, before, after)
    return Done(done.data, done.text, wrong=given.exit_code and bool(done.data["differs"]))


async def _other(call: Call) -> Content:
    given = call.arguments
    if given.default:
        return default_content()
    if given.draft:
        draft = await drafts.find(call.connection, given.draft)
        if draft is None:
            raise OperatorRefusedError("There is no such draft: take its id from `rules list` or the console.")
        return await drafts.content_of(call.connection, draft)
    if given.to and not given.to.isdecimal():
        return usable(*read_folder(Path(given.to)))
    return (await _published(call, _to_number(given.to)))[1]


def _to_number(text: str | None) -> int | None:
    try:
        return _number(text) if text else None
    except argparse.ArgumentTypeError as fault:
        raise OperatorRefusedError(f"--to: {fault}.") from None


def _difference(call: Call, before: Content, after: Content) -> Done:
    catalogue = call.arguments.catalogue()
    changed = difference_in_time(before, after, catalogue=catalogue, now=call.now)
    occurring = [one for one in changed if one.occurs]
    rows, cells = Changes.between(before, after), matrix(occurring)
    data = {
        "differs": before != after and (before.digest, before.cases) != (after.digest, after.cases),
        "added": [*(rule.line for rule in rows.add), *(budget.line for budget in rows.add_budgets)],
        "removed": [*(rule.line for rule in rows.remove), *(budget.line for budget in rows.remove_budgets)],
        "casesDiffer": before.cases != after.cases,
        "answers": [cell_said(cell) for cell in cells],
        "widened": sorted(widened(changed)),
        "watched": sorted(watched(changed, before, after, catalogue)),
        "neverOccurring": len(changed) - len(occurring),
    }
    return Done(data, "\n".join(_difference_lines(data, cells, len(occurring))))


def cell_said(cell: Cell) -> dict[str, Any]:
    """A cell of the matrix as JSON."""
    return {
        "purpose": cell.purpose.value,
        "role": cell.role.value,
        "object": cell.object,
        "action": cell.action.value,
        "before": word_of(cell.before),
        "after": word_of(cell.after),
        "widens": cell.widens,
        "watched": cell.action in SHOWING and cell.object in WATCHED,
        "when": list(cell.when),
        "coordinates": list(cell.coordinates),
    }


def _difference_lines(data: dict[str, Any], cells: Iterable[Cell], occurring: int) -> list[str]:
    lines = [f"+ {line}" for line in data["added"]] + [f"- {line}" for line in data["removed"]]
    for cell in cells:
        change = f"{word_of(cell.before)} -> {word_of(cell.after)}"
        words = cell.purpose, cell.role, cell.object, cell.action, change, f"when {'; '.join(cell.when)}"
        lines.append(
            "  ".join(words) + (f" ({', '.join(cell.coordinates)})" if cell.object not in cell.coordinates else "")
        )
    lines.append(f"{len(data['added'])} rows added, {len(data['removed'])} removed; {occurring} answers change.")
    if data["neverOccurring"]:
        lines.append(f"{data['neverOccurring']} more would change in situations that no record can witness.")
    if data["casesDiffer"]:
        lines.append("The cases differ as well.")
    if data["widened"]:
        lines.append(f"Shown to more: {', '.join(data['widened'])}.")
    if data["watched"]:
        lines.append(f"The privacy officer has to approve: {', '.join(data['watched'])}.")
    return lines


# --- Files ----------------------------------------------------------------------------------------------------


async def _export(call: Call) -> Done:
    number, content = await _published(call, call.arguments.ruleset)
    folder: Path = call.arguments.folder
    written = write_folder(folder, content, call.arguments.catalogue())
    text = f"Ruleset {number} is in {folder}, in {len(written)} files."
    return Done({"ruleset": number, "folder": str(folder), "files": written}, text)


async def _import(call: Call) -> Done:
    given = call.arguments
    title = _sentence(given.title, "--title", LONGEST_TITLE, given.draft)
    reason = _sentence(given.reason, "--reason", LONGEST_REASON, given.draft)
    folder = read_placed(given.folder)
    content = usable(folder.content, folder.findings)
    number, before = await _published(call, None)
    if (before.digest, before.cases) == (content.digest, content.cases):
        raise OperatorRefusedError(f"The files say what ruleset {number} says: there is nothing to draft.")
    checked = check(content, catalogue=given.catalogue(), parent=before, now=call.now, covering=False)
    found = [*folder.findings, *folder.placed(checked.findings)]
    if refuses(found):
        raise OperatorRefusedError(_refusal(found))
    edit = Edit(title, reason, rebase=given.draft is not None, content=content)
    if given.draft is None:
        draft = done(await editing.begin(call.connection, edit, actor=Actor(), now=call.now))
    else:
        draft = done(await editing.edit(call.connection, given.draft, edit, actor=Actor(), now=call.now)).id
    differs = _difference(call, before, content)
    data = {"draft": str(draft), "parent": number, "findings": [said(one) for one in found[:MOST_TOLD]], **differs.data}
    lines = [f"Draft {draft} changes ruleset {number}.", *_finding_lines(found), differs.text]
    return Done(data, "\n".join(lines), {"draft": draft})


def done(found: Any) -> Any:  # noqa: ANN401 - what was done
    """What was done. Raises OperatorRefusedError where nothing was."""
    if isinstance(found, Refused):
        raise OperatorRefusedError(found.message)
    return found


def _sentence(text: str | None, option: str, longest: int, draft: UUID | None) -> str | None:
    """A title or a reason; a draft that there is keeps its own without."""
    if text is None and draft is not None:
        return None
    if text is None or not is_said(text, longest):
        raise OperatorRefusedError(f"{option} is one line of up to {longest} letters.")
    return text


def usable(content: Content | None, found: Sequence[Finding]) -> Content:
    """What was read of a folder. Raises OperatorRefusedError where that was not all: the rest may be what denies."""
    if content is None or any(map(_unread, found)):
        raise OperatorRefusedError(_refusal(found))
    return content


def _unread(one: Finding) -> bool:
    return one.kind is FindingKind.FILE and one.severity is not Severity.NOTE


def _refusal(found: Sequence[Finding]) -> str:
    wrong = [one for one in found if one.severity is Severity.ERROR or _unread(one)]
    return "\n".join(
        [*_finding_lines(wrong), "Mend what is told above; `rules check FOLDER` tells it without a draft."]
    )


async def _published(call: Call, number: int | None) -> tuple[int, Content]:
    """A ruleset and what it says; by default the one in force."""
    wanted = number or await ruleset_store.latest(call.connection)
    try:
        return wanted, await ruleset_store.published(call.connection, wanted)
    except RulesetError as fault:
        raise OperatorRefusedError(f"{str(fault).capitalize()}: take a number from `rules list`.") from None
