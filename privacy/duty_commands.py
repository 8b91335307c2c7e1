"""The command `duties …`: the register of the operator's duties, and that one of them was done (C61, C62)."""

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from authz.commands import Call, Done, OperatorRefusedError, add_command, day_given, listed, told
from authz.reviews import OPERATOR
from ledger.alarms import WrittenAlarms
from models.formats import FormatError
from models.vocabulary import STAFF_ROLES, Role
from privacy.bundles import bundle_of
from privacy.duties import (
    DutyRefusal,
    DutyState,
    Fact,
    Standing,
    add,
    months_later,
    record,
    register,
    resume,
    retire,
    see_staff,
    today_of,
)
from privacy.duty_catalogue import LONGEST_LEAD, LONGEST_MONTHS, LONGEST_TITLE, Duty, DutyKind
from privacy.duty_job import tell
from privacy.jobs import Turn
from privacy.records import filed_under

LONGEST_EVIDENCE = 200
_CODE = re.compile("[a-z][a-z0-9-]{1,39}")
_CLAUSE = re.compile(r"C\d\d")


def accept_duties(parser: argparse.ArgumentParser) -> None:
    """Declare `duties`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_command(commands, "list", _list, "every duty, the first due before all")
    add_command(commands, "overdue", _overdue, "what is overdue; exits with 1 where something is")
    option = add_command(commands, "record", _record, "record that a duty was done")
    option("code", type=_code, metavar="DUTY")
    option("--on", type=day_given, dest="day", metavar="DAY", help="today, where it is left out")
    option("--staff", metavar="NAME", help="the work name, for a duty of each member of staff")
    option("--evidence", required=True, help="where it is filed: no names, no numbers of people")
    option = add_command(commands, "staff", _staff, "a duty of each member of staff, one by one")
    option("code", type=_code, metavar="DUTY", nargs="?", default="training")
    option = add_command(commands, "plan", _plan, "what falls due, by date")
    option("--until", type=day_given, metavar="DAY", help="a year from now, where it is left out")
    option = add_command(commands, "explain", _explain, "why a duty is due when it is")
    option("code", type=_code, metavar="DUTY")
    option = add_command(commands, "add", _add, "add a duty of your own")
    option("code", type=_code, metavar="DUTY")
    option("--title", required=True)
    option("--clause", type=_clause)
    option("--every-months", type=_number(1, LONGEST_MONTHS), required=True, metavar="N")
    option("--lead-days", type=_number(0, LONGEST_LEAD), required=True, metavar="N", help="told of so many days ahead")
    option("--who", type=Role, choices=sorted(STAFF_ROLES), required=True, metavar="ROLE")
    for name, act, summary in (
        ("retire", _retire, "let a duty be due no more"),
        ("resume", _resume, "let a retired duty be due again"),
    ):
        add_command(commands, name, act, summary)("code", type=_code, metavar="DUTY")
    add_command(commands, "tell", _tell, "sound what is due and overdue, as the daily job does", stepwise=True)


def _code(text: str) -> str:
    if not _CODE.fullmatch(text):
        message = "a duty's code, as `duties list` shows it: small letters, digits and -"
        raise argparse.ArgumentTypeError(message)
    return text


def _clause(text: str) -> str:
    if not _CLAUSE.fullmatch(text):
        message = "a clause such as C61"
        raise argparse.ArgumentTypeError(message)
    return text


def _number(least: int, most: int) -> Any:  # noqa: ANN401 - an argparse type
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and least <= int(text[:9]) <= most):
            message = f"a number from {least} to {most}"
            raise argparse.ArgumentTypeError(message)
        return int(text)

    return read


async def _list(call: Call) -> Done:
    return listed(_rows(call, await register(call.connection, now=call.now)))


async def _overdue(call: Call) -> Done:
    found = [one for one in await register(call.connection, now=call.now) if one.state is DutyState.OVERDUE]
    return replace(listed(_rows(call, found)), wrong=bool(found))


async def _plan(call: Call) -> Done:
    last = call.arguments.until or months_later(today_of(call.now), 12)
    found = await register(call.connection, now=call.now)
    return listed(_rows(call, [one for one in found if one.due_on is not None and one.due_on <= last]))


async def _staff(call: Call) -> Done:
    found = await _named(call)
    if found.duty.kind is not DutyKind.STAFF:
        raise OperatorRefusedError(DutyRefusal.DUTY_MEMBER.message)
    today = today_of(call.now)
    return listed(
        [
            {
                "staff": one.work_name,
                "last": one.last_on and one.last_on.isoformat(),
                "due": one.due_on.isoformat(),
                "days": (one.due_on - today).days,
                "overdue": one.due_on < today,
            }
            for one in sorted(found.members, key=lambda one: (one.due_on, one.work_name))
        ]
    )


async def _explain(call: Call) -> Done:
    found = await _named(call)
    duty = found.duty
    (row,) = _rows(call, [found])
    rest = {"every_months": duty.every_months, "lead_days": duty.lead_days, "since": duty.since.isoformat()}
    return told({**row, **rest, "kind": duty.kind.value, "why": why(found)})


def why(found: Standing) -> str:
    """Why a duty is due when it is, in a sentence."""
    duty = found.duty
    if found.state is DutyState.RETIRED:
        return f"Retired on {duty.retired_on}: it is due no more."
    if duty.kind is DutyKind.OFFICER:
        return "A privacy officer works here." if found.due_on is None else "Nobody works here as privacy officer."
    if duty.kind is DutyKind.STAFF:
        every = f"For each member of staff {duty.every_months} months after their last time"
        return f"{every}; who is new has {duty.lead_days} days."
    begun = f"{duty.lead_days} days after it began on {duty.since}: it has not been done yet."
    again = f"{duty.every_months} months after it was last done on {found.last_on}."
    rest = f" {found.waiting} grants wait for a decision, and lapse without one." if found.waiting else ""
    return (again if found.last_on else begun) + rest


async def _record(call: Call) -> Done:
    given = call.arguments
    try:
        evidence = filed_under(given.evidence, longest=LONGEST_EVIDENCE)
    except FormatError as expected:
        raise OperatorRefusedError(str(expected)) from None
    await see_staff(call.connection, now=call.now)
    fact = Fact(given.code, given.day or today_of(call.now), evidence, OPERATOR, given.staff)
    found = await record(call.connection, fact, now=call.now)
    if isinstance(found, DutyRefusal):
        raise OperatorRefusedError(found.message)
    return told(_rows(call, [found])[0])


async def _add(call: Call) -> Done:
    given = call.arguments
    try:
        title = filed_under(given.title, longest=LONGEST_TITLE)
    except FormatError as expected:
        raise OperatorRefusedError(str(expected)) from None
    words = (given.every_months, given.lead_days, given.who, DutyKind.RECORDED, today_of(call.now))
    if not await add(call.connection, Duty(given.code, title, given.clause, *words)):
        message = "There is, or was, a duty of that code: choose another, or resume that one."
        raise OperatorRefusedError(message)
    return told(_rows(call, [await _named(call)])[0])


async def _retire(call: Call) -> Done:
    if not await retire(call.connection, call.arguments.code, now=call.now):
        raise OperatorRefusedError(DutyRefusal.DUTY_UNKNOWN.message)
    return told({"duty": call.arguments.code, "state": DutyState.RETIRED.value})


async def _resume(call: Call) -> Done:
    if not await resume(call.connection, call.arguments.code):
        message = "There is no retired duty of that code: `duties list` shows which are."
        raise OperatorRefusedError(message)
    return told(_rows(call, [await _named(call)])[0])


async def _tell(call: Call) -> Done:
    alarms = WrittenAlarms(lambda: call.now)
    turn = Turn(call.connection, call.keyring, bundle_of(os.environ), call.installation, call.now, alarms.sound)
    counted = await tell(turn)
    await alarms.write(call.connection)
    return told(counted)


async def _named(call: Call) -> Standing:
    found = {one.duty.code: one for one in await register(call.connection, now=call.now)}.get(call.arguments.code)
    if found is None:
        raise OperatorRefusedError(DutyRefusal.DUTY_UNKNOWN.message)
    return found


def _rows(call: Call, found: Sequence[Standing]) -> list[dict[str, Any]]:
    today = today_of(call.now)
    return [
        {
            "duty": one.duty.code,
            "clause": one.duty.clause,
            "state": one.state.value,
            "due": one.due_on and one.due_on.isoformat(),
            "days": None if one.due_on is None else one.days(today),
            "last": one.last_on and one.last_on.isoformat(),
            "waiting": one.waiting or None,
            "who": one.duty.who.value,
            "title": one.duty.title,
        }
        for one in found
    ]
