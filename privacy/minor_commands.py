"""The command `minors scan|list|close`: minors whose data are held without a guardian's verifiable consent (C72)."""

import argparse
import os
from dataclasses import replace
from typing import Any
from uuid import UUID

from authz.commands import Call, Done, OperatorRefusedError, add_command, listed, told
from authz.reviews import OPERATOR
from models.minor_cases import MinorOutcome
from privacy.bundles import bundle_of
from privacy.minor_cases import MinorCase, cases, close
from privacy.minor_scan import Scanner, overdue, scan

_MOST_LISTED = 1_000


def accept_minors(parser: argparse.ArgumentParser) -> None:
    """Declare `minors`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    option = add_command(
        commands, "scan", _scan, "look through everybody's birth date; open and close cases", stepwise=True
    )
    option("--dry-run", action="store_true", help="only count")
    add_command(commands, "list", _list, "open cases, the first due before all; of nobody by name")
    option = add_command(commands, "close", _close, "close a case by hand")
    option("case", type=_id, metavar="ID")
    option("--outcome", type=MinorOutcome, choices=sorted(MinorOutcome), metavar="OUTCOME", required=True)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        message = "an id, as `minors list` shows it"
        raise argparse.ArgumentTypeError(message) from None


async def _scan(call: Call) -> Done:
    dry = call.arguments.dry_run
    found = await scan(Scanner(call.connection, call.keyring, bundle_of(os.environ), call.now, dry))
    if found.busy:
        message = "Another scan is at work. Try again when it is done."
        raise OperatorRefusedError(message)
    counted = {
        "people": found.people,
        "minors": found.minors,
        "without_consent": found.unconsented,
        "opened": found.opened,
        "closed": found.closed,
        "unreadable": found.unreadable,
        "overdue": await overdue(call.connection, now=call.now),
        "dry_run": dry,
    }
    # Who cannot be read is not who has nothing on record: see that the keyring is the right one.
    return replace(told(counted), wrong=found.unreadable > 0)


async def _list(call: Call) -> Done:
    found = await cases(call.connection.fetch, is_open=True, most=_MOST_LISTED)
    return listed([_said(call, one) for one in found])


async def _close(call: Call) -> Done:
    given = call.arguments
    found = await close(call.connection, given.case, given.outcome, by=OPERATOR, now=call.now)
    if found is None:
        message = "There is no such open case: take its id from `minors list`."
        raise OperatorRefusedError(message)
    return told(_said(call, found), persons=(found.person,), case=found.id)


def _said(call: Call, found: MinorCase) -> dict[str, Any]:
    return {
        "case": str(found.id),
        "opened": found.opened_at.isoformat(timespec="seconds"),
        "due": found.due_at.isoformat(timespec="seconds"),
        "overdue": found.overdue_at(call.now),
        "outcome": found.outcome and found.outcome.value,
    }
