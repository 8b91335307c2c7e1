"""The command `access …`: the review of what roles and partners are granted, and the decisions on it (C56)."""

import argparse
from typing import Any

from authz.commands import Call, Done, OperatorRefusedError, add_command, listed, told
from authz.compile import Snapshot
from authz.grants import Grant, codes, holder_named, name_of
from authz.reviews import (
    MOST_DAYS,
    USUAL_UNUSED_DAYS,
    Decided,
    Reviewed,
    Reviewer,
    ReviewRefusal,
    lapse,
    recertify,
    restore,
    review,
)
from authz.rulesets import SnapshotOf
from models.vocabulary import Category, Purpose


def accept_access(parser: argparse.ArgumentParser, *, snapshot: SnapshotOf) -> None:
    """Declare `access`'s subcommands; `snapshot` gives the rules in force."""
    parser.set_defaults(snapshot=snapshot)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    option = add_command(commands, "review", _review, "what is granted to whom, and when it was last used")
    option("--unused-days", type=_days, default=USUAL_UNUSED_DAYS, metavar="N", help="unused after so many days")
    for name, act, summary in (
        ("recertify", _recertify, "keep a grant for some days, used or not"),
        ("lapse", _lapse, "end a grant: within a second its holder is shown nothing by it"),
        ("restore", _restore, "give back a grant that has lapsed"),
    ):
        option = add_command(commands, name, act, summary)
        option("holder", metavar="HOLDER", help="a role, or the code of a partner")
        option("purpose", type=Purpose, choices=list(Purpose), metavar="PURPOSE")
        option("category", type=Category, choices=list(Category), metavar="CATEGORY")
        if name == "recertify":
            option("--days", type=_days, required=True, metavar="N")


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST_DAYS:
        message = f"days are a number from 1 to {MOST_DAYS}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


async def _review(call: Call) -> Done:
    snapshot: Snapshot = await call.arguments.snapshot(call.connection)
    found = await review(call.connection.fetch, snapshot, now=call.now, unused_days=call.arguments.unused_days)
    names = await codes(call.connection.fetch)
    return listed([_said(one, names) for one in found])


def _said(one: Reviewed, names: dict[str, str]) -> dict[str, Any]:
    last = one.review
    return {
        "holder": name_of(one.grant.holder, names),
        "purpose": one.grant.purpose.value,
        "category": one.grant.category.value,
        "state": one.state.value,
        "since": one.since.isoformat(timespec="seconds"),
        "last_used": one.last_used.isoformat(timespec="seconds") if one.last_used else None,
        "idle_days": one.idle.days,
        "until": last.until.isoformat(timespec="seconds") if last and last.until else None,
        "reviewed": last.at.isoformat(timespec="seconds") if last else None,
        "decision": last.decision.value if last else None,
        "by": last.by if last else None,
    }


async def _recertify(call: Call) -> Done:
    grant, reviewer = await _named(call)
    decided = await recertify(call.connection, grant, days=call.arguments.days, reviewer=reviewer, now=call.now)
    return _told(call, decided)


async def _lapse(call: Call) -> Done:
    grant, reviewer = await _named(call)
    return _told(call, await lapse(call.connection, grant, reviewer=reviewer, now=call.now))


async def _restore(call: Call) -> Done:
    grant, reviewer = await _named(call)
    return _told(call, await restore(call.connection, grant, reviewer=reviewer, now=call.now))


async def _named(call: Call) -> tuple[Grant, Reviewer]:
    given = call.arguments
    holder = holder_named(given.holder, await codes(call.connection.fetch))
    if holder is None:
        raise OperatorRefusedError(ReviewRefusal.GRANT_UNKNOWN.message)
    return Grant(holder, given.purpose, given.category), Reviewer(await given.snapshot(call.connection))


def _told(call: Call, decided: Decided | ReviewRefusal) -> Done:
    if isinstance(decided, ReviewRefusal):
        raise OperatorRefusedError(decided.message)
    given = call.arguments
    until = decided.until.isoformat(timespec="seconds") if decided.until else None
    return told(
        {
            "holder": given.holder,
            "purpose": given.purpose.value,
            "category": given.category.value,
            "decision": decided.decision.value,
            "until": until,
        }
    )
