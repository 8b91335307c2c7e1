"""The command `rights list|show|check`: requests about people's own data, of nobody by name (C65, C80)."""

import argparse
import os
from typing import Any
from uuid import UUID

from authz.commands import Call, Done, OperatorRefusedError, add_command, listed, told
from privacy.bundles import bundle_of
from privacy.jobs import Turn
from privacy.rights_job import work
from privacy.rights_lists import Shown, Sought, day_within, request_shown, requests
from privacy.working_days import shanghai_day

_MOST_LISTED = 1_000
_MOVES = "SELECT was, due_on, provisional, changed_at FROM rights_due_change WHERE request_id = $1 ORDER BY id"


def accept_rights(parser: argparse.ArgumentParser) -> None:
    """Declare `rights`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    option = add_command(commands, "list", _list, "open requests, the first due before all; of nobody by name")
    option("--within", type=int, metavar="DAYS", choices=range(251), help="due within so many working days")
    option("--all", action="store_true", help="answered ones too")
    option = add_command(commands, "show", _show, "one request, and how its date moved")
    option("request", type=_id, metavar="ID")
    add_command(
        commands, "check", _check, "count due dates anew, and tell what is due, overdue, unassigned", stepwise=True
    )


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        message = "an id, as `rights list` shows it"
        raise argparse.ArgumentTypeError(message) from None


async def _list(call: Call) -> Done:
    within = call.arguments.within
    until = None if within is None else await day_within(call.connection, shanghai_day(call.now), within)
    sought = Sought(is_open=None if call.arguments.all else True, due_until=until)
    found = await requests(call.connection.fetch, sought, most=_MOST_LISTED)
    return listed([_said(call, one) for one in found])


async def _show(call: Call) -> Done:
    found = await request_shown(call.connection.fetch, call.arguments.request)
    if found is None:
        message = "There is no such request: take its id from `rights list --all`."
        raise OperatorRefusedError(message)
    moves = [
        {"was": row["was"] and str(row["was"]), "due": str(row["due_on"]), "provisional": row["provisional"]}
        for row in await call.connection.fetch(_MOVES, call.arguments.request)
    ]
    return told({**_said(call, found), "moves": moves}, request=found.standing.id)


async def _check(call: Call) -> Done:
    sounded: list[str] = []
    turn = Turn(
        call.connection,
        call.keyring,
        bundle_of(os.environ),
        call.installation,
        call.now,
        lambda code, **_: sounded.append(code),
    )
    return told({**await work(turn), "alarms": sounded})


def _said(call: Call, found: Shown) -> dict[str, Any]:
    one = found.standing
    return {
        "request": str(one.id),
        "kind": one.kind.name,
        "state": one.state.name,
        "opened": one.opened_at.isoformat(timespec="seconds"),
        "due": str(one.due_on),
        "provisional": one.provisional,
        "extended": one.extended_until and str(one.extended_until),
        "overdue": one.overdue_on(shanghai_day(call.now)),
        "ground": found.ground,
        "officer": found.officer,
    }
