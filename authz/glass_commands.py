"""The command `glass open|end|review|list`: more than the rules show, for somebody, for some minutes (C55)."""

import argparse
import os
from typing import Any
from uuid import UUID

from authz import glass
from authz.commands import Call, Done, OperatorRefusedError, add_command, listed, told
from authz.glass import GLASS_MINUTES, MOST_MINUTES, Glass, Wanted
from authz.rulesets import SnapshotOf
from authz.workbench.acts import Actor, Refused
from authz.workbench.tokens import accept_token, person
from models.installation import InstallationError
from models.rulesets import Verdict
from models.vocabulary import Category, Purpose

_MOST_LISTED = 50


def accept_glass(parser: argparse.ArgumentParser, *, snapshot: SnapshotOf) -> None:
    """Declare `glass`'s subcommands; `snapshot` gives the rules in force."""
    parser.set_defaults(snapshot=snapshot)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    option = add_command(commands, "open", _open, "show somebody else more for some minutes; takes your own token")
    option("username", metavar="USERNAME", help="whose work name it is")
    option("--purpose", type=Purpose, choices=sorted(Purpose), metavar="PURPOSE", required=True)
    option("--category", type=Category, choices=sorted(Category), metavar="CATEGORY", required=True, action="append")
    option("--minutes", type=int, metavar="N", required=True)
    option("--reason", required=True, help="why; no names of customers")
    accept_token(option)
    add_command(commands, "end", _end, "end it before its time")("glass", type=_id, metavar="ID")
    option = add_command(commands, "review", _review, "say whether it was right; takes your own token")
    option("glass", type=_id, metavar="ID")
    option("--verdict", type=Verdict, choices=sorted(Verdict), metavar="VERDICT", required=True)
    option("--note", default="", help="what you have to say")
    accept_token(option)
    add_command(commands, "list", _list, "for whom the glass was broken, the latest first")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        message = "an id, as `glass list` shows it"
        raise argparse.ArgumentTypeError(message) from None


def most_minutes(text: str) -> int:
    """The setting of that name. Raises InstallationError."""
    if text.isascii() and text.isdecimal() and len(text) < 4 and 1 <= int(text) <= MOST_MINUTES:  # noqa: PLR2004 - digits
        return int(text)
    raise InstallationError(f"{GLASS_MINUTES} must be a number from 1 to {MOST_MINUTES}.")


async def _open(call: Call) -> Done:
    given = call.arguments
    wanted = Wanted(given.username, given.purpose, frozenset(given.category), given.reason, given.minutes)
    found = await glass.break_glass(
        call.connection,
        wanted,
        snapshot=await given.snapshot(call.connection),
        most=most_minutes(os.environ.get(GLASS_MINUTES, str(MOST_MINUTES))),
        actor=await person(call),
        now=call.now,
    )
    return _told(call, found)


async def _end(call: Call) -> Done:
    return _told(call, await glass.end(call.connection, call.arguments.glass, actor=Actor(), now=call.now))


async def _review(call: Call) -> Done:
    given = call.arguments
    found = await glass.review(
        call.connection, given.glass, verdict=given.verdict, note=given.note, actor=await person(call), now=call.now
    )
    return _told(call, found)


async def _list(call: Call) -> Done:
    return listed([_said(call, one) for one in await glass.some(call.connection, most=_MOST_LISTED)])


def _told(call: Call, found: Glass | Refused) -> Done:
    if isinstance(found, Refused):
        raise OperatorRefusedError(found.message)
    return told(_said(call, found), glass=found.id, account=found.account)


def _said(call: Call, found: Glass) -> dict[str, Any]:
    over = found.over_at(call.now)
    return {
        "glass": str(found.id),
        "account": str(found.account),
        "role": found.role.value,
        "purpose": found.purpose.value,
        "categories": [one.value for one in found.categories],
        "reason": found.reason,
        "until": found.until.isoformat(timespec="seconds"),
        "ended": over and over.isoformat(timespec="seconds"),
        "opened_by": found.opened_by,
        "reviewed_by": found.reviewed_by,
        "verdict": found.verdict and found.verdict.value,
    }
