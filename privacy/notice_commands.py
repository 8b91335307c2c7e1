"""The command `notices …`: versions of the privacy policy and impact assessments, for the operator (C76, C77, C82).

Ids of assessments are the database's own here. A file is JSON as docs/notices.md has it; `-` reads standard input.
"""

import argparse
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from authz.commands import Call, Done, OperatorRefusedError, add_command, day_given, listed, told
from privacy.assessments import Assessment, Risk, answered_between, assess, assessments
from privacy.comparison import Comparison, compare
from privacy.notice_contents import Content, NoticeError, parse_content
from privacy.notices import Version, content_of, versions
from privacy.publication import Candidate, Refused, check, dated, publish

OPERATOR = "operator"


def accept_notices(parser: argparse.ArgumentParser) -> None:
    """Declare `notices`' subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_command(commands, "list", _list, "every published version")
    add_command(commands, "show", _show, "what one version says, as JSON")("version", metavar="VERSION")
    option = add_command(commands, "compare", _compare, "what changed from one version to another")
    option("old", metavar="VERSION")
    option("new", metavar="VERSION")
    option = add_command(commands, "check", _check, "what publishing a file would come to; publishes nothing")
    _accept_candidate(option)
    option = add_command(commands, "publish", _publish, "publish the next version, for tomorrow at the earliest")
    _accept_candidate(option)
    option("--reason", required=True, metavar="TEXT")
    option = add_command(commands, "assess", _assess, "record an impact assessment")
    option("title", metavar="TITLE")
    option("file", type=Path, metavar="FILE", help="its text in UTF-8; - reads standard input")
    option("--risk", type=Risk, choices=list(Risk), required=True)
    option = add_command(commands, "assessments", _assessments, "impact assessments, the last first")
    option("--open", action="store_const", const=True, help="only those that ask for a notice")


def _accept_candidate(option: Any) -> None:  # noqa: ANN401 - argparse's own
    option("file", type=Path, metavar="FILE", help="the content as JSON; - reads standard input")
    option("--effective-on", type=day_given, metavar="DATE", help="in place of the date in the file")
    option("--answers", type=UUID, action="append", default=[], metavar="ID", help="an assessment that it tells of")


async def _list(call: Call) -> Done:
    return listed([_version(one) for one in await versions(call.connection)])


def _version(one: Version) -> dict[str, Any]:
    return {
        "version": one.version,
        "effective_on": one.effective_on.isoformat(),
        "major": one.major,
        "hash": one.digest,
    }


async def _show(call: Call) -> Done:
    content = await content_of(call.connection, (await _named(call, call.arguments.version)).number)
    return Done(content.json, json.dumps(content.json, ensure_ascii=False, indent=1))


async def _compare(call: Call) -> Done:
    pair = [await _named(call, one) for one in (call.arguments.old, call.arguments.new)]
    contents = [await content_of(call.connection, one.number) for one in pair]
    answered = await answered_between(call.connection, *(one.number for one in pair))
    return _compared(compare(*contents, answered=answered), {})


async def _named(call: Call, version: str) -> Version:
    found = next((one for one in await versions(call.connection) if one.version == version), None)
    if found is None:
        message = f"There is no version {version}: see `notices list`."
        raise OperatorRefusedError(message)
    return found


async def _check(call: Call) -> Done:
    given = call.arguments
    return _candidate(await check(call.connection, _content(call), answers=given.answers, now=call.now))


async def _publish(call: Call) -> Done:
    given = call.arguments
    found = await publish(
        call.connection, _content(call), reason=given.reason, answers=given.answers, by=OPERATOR, now=call.now
    )
    return _candidate(found)


def _content(call: Call) -> Content:
    on: date | None = call.arguments.effective_on
    try:
        found = dated(parse_content(_read(call.arguments.file)).json, on)
    except NoticeError as refused:
        raise OperatorRefusedError(str(refused)) from None
    content: Content = _or_raise(found)
    return content


def _read(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read ({type(error).__name__}): give a file in UTF-8."
        raise OperatorRefusedError(message) from None


def _candidate(found: Candidate | Refused) -> Done:
    made: Candidate = _or_raise(found)
    content = made.content
    told_of = {
        "version": content.version,
        "effective_on": content.effective_on.isoformat(),
        "hash": content.digest,
    }
    return _compared(made.comparison, told_of, notice=made.number)


def _compared(found: Comparison, first: dict[str, Any], **ids: object) -> Done:
    changes = [
        {"place": one.place, "before": one.before, "after": one.after, "ground": one.ground and one.ground.value}
        for one in found.changes
    ]
    data = {**first, "major": found.major, "grounds": [one.value for one in found.grounds], "changes": changes}
    head = "  ".join(f"{name}: {value}" for name, value in {**first, "major": found.major}.items())
    lines = [f"{one['ground'] or 'wording only'}: {one['place']}" for one in changes]
    return Done(data, "\n".join([head, *lines]), ids)


async def _assess(call: Call) -> Done:
    given = call.arguments
    found = await assess(
        call.connection, title=given.title, text=_read(given.file), risk=given.risk, by=OPERATOR, now=call.now
    )
    made: Assessment = _or_raise(found)
    return told(_assessment(made), assessment=made.id)


async def _assessments(call: Call) -> Done:
    return listed([_assessment(one) for one in await assessments(call.connection, open_only=call.arguments.open)])


def _assessment(one: Assessment) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "title": one.title,
        "risk": one.risk.value,
        "assessed_at": one.assessed_at.isoformat(timespec="seconds"),
        "by": one.assessed_by,
        "answered_by": one.answered_by,
        "asks_for_notice": one.asks_for_notice,
    }


def _or_raise(found: Any) -> Any:  # noqa: ANN401 - whatever it is, if it is no refusal
    if isinstance(found, Refused):
        raise OperatorRefusedError(found.message)
    return found
