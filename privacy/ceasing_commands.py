"""The command `ceasing show|propose|confirm|take-back`: operations cease, when two officers say so (C30)."""

import argparse
from pathlib import Path
from typing import Any
from uuid import UUID

from authz.commands import Call, Done, OperatorRefusedError, add_command, day_given, told
from authz.workbench.tokens import accept_token, person
from privacy import ceasing
from privacy.ceasing import Ceasing, CeasingRefusal, Found


def accept_ceasing(parser: argparse.ArgumentParser) -> None:
    """Declare `ceasing`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_command(commands, "show", _show, "what stands")
    option = add_command(commands, "propose", _propose, "propose to cease operations; takes your own token")
    option("--announcement", required=True, metavar="FILE", help="the text that everybody is shown, in UTF-8")
    option("--day", required=True, type=day_given, metavar="DAY", help="from which day on, such as 2027-01-31")
    accept_token(option)
    for name, act, summary in (
        ("confirm", _confirm, "confirm what another proposed: it is final from its day on; takes your own token"),
        ("take-back", _take_back, "go on as before, as long as the day has not come; takes your own token"),
    ):
        option = add_command(commands, name, act, summary)
        option("ceasing", type=_id, metavar="ID")
        accept_token(option)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        message = "an id, as `ceasing show` shows it"
        raise argparse.ArgumentTypeError(message) from None


async def _show(call: Call) -> Done:
    found = await ceasing.standing(call.connection)
    return told(_said(call, found)) if found else told({"ceasing": None, "state": "OPERATING"})


async def _propose(call: Call) -> Done:
    text = _text(call.arguments.announcement)
    by = (await person(call)).by
    return _told(call, await ceasing.propose(call.connection, text, call.arguments.day, by=by, now=call.now))


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        message = "The announcement cannot be read: name a file of text in UTF-8."
        raise OperatorRefusedError(message) from None


async def _confirm(call: Call) -> Done:
    by = (await person(call)).by
    return _told(call, await ceasing.confirm(call.connection, call.arguments.ceasing, by=by, now=call.now))


async def _take_back(call: Call) -> Done:
    by = (await person(call)).by
    found = await ceasing.take_back(call.connection, call.arguments.ceasing, by=by, now=call.now)
    if isinstance(found, Ceasing):
        return told({"ceasing": str(found.id), "state": "TAKEN_BACK"}, ceasing=found.id)
    return _told(call, found)


def _told(call: Call, found: Found) -> Done:
    if isinstance(found, CeasingRefusal):
        raise OperatorRefusedError(found.message)
    return told(_said(call, found), ceasing=found.id)


def _said(call: Call, found: Ceasing) -> dict[str, Any]:
    state = "CEASED" if found.ceased(call.now) else "CONFIRMED" if found.ceases_at else "PROPOSED"
    return {
        "ceasing": str(found.id),
        "state": state,
        "day": found.day.isoformat(),
        "ceases": found.ceases_at and found.ceases_at.isoformat(timespec="seconds"),
        "announcement": found.announcement,
    }
