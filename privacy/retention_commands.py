"""The commands `retention`, `holds` and `orders`: how long data are kept and why, what is erased, and its proof."""

import argparse
import os
from dataclasses import asdict, replace
from datetime import datetime, time
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from authz.commands import Call, Done, OperatorRefusedError, add_command, day_given, listed, told
from authz.reviews import OPERATOR
from models.formats import FormatError
from models.global_ids import NodeType, from_global
from models.retention import AgreementKind
from models.vocabulary import Retention
from privacy import holds
from privacy.bundles import SCHEDULED, bundle_of
from privacy.orders import orders
from privacy.proofs import prove
from privacy.records import filed_under
from privacy.remainders import opened
from privacy.retention import Explained
from privacy.retention_facts import decide
from privacy.retention_words import in_words
from privacy.sweep import Sweeper, Swept, carry_out, overdue, sweep
from privacy.tombstones import Tombstones
from privacy.working_days import shanghai_day

_MOST_LISTED = 1_000
_NOON = time(12, tzinfo=ZoneInfo("Asia/Shanghai"))
_AGREE = """
INSERT INTO retention_agreement (id, person_id, policy_id, retention, kind, until, reference, recorded_at)
SELECT $1, p.id, $3, $4, $5, $6, $7, $8 FROM person p WHERE p.id = $2
AND ($3::uuid IS NULL OR EXISTS (SELECT FROM policy WHERE id = $3 AND p.id IN (holder_id, insured_id))) RETURNING id
"""


def accept_retention(parser: argparse.ArgumentParser) -> None:
    """Declare `retention`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_command(commands, "schedule", _schedule, "for how long each class is kept, and from when that counts")
    option = add_command(commands, "explain", _explain, "until when somebody's data are kept, and what decides it")
    option("--person", type=_person, metavar="ID", required=True)
    option = add_command(commands, "agree", _agree, "keep a class longer, as a contract with the person says")
    option("--person", type=_person, metavar="ID", required=True)
    option("--policy", type=_policy, metavar="ID")
    option("--class", dest="retention", type=_class, metavar="CLASS", required=True)
    option("--until", type=day_given, metavar="DAY", required=True)
    option("--reference", required=True, help="the contract: no names, no numbers of people")
    option = add_command(commands, "sweep", _sweep, "erase what is kept no longer", stepwise=True)
    option("--dry-run", action="store_true", help="only count")
    option("--at", type=day_given, metavar="DAY", help="as if it were that day; demo mode only")
    option = add_command(commands, "proof", _proof, "prove from the ledger that something was erased")
    option("proof", type=_id, metavar="ID", help="of the order, as whoever asked for it was told")
    option = add_command(commands, "open", _open, "what the law keeps of somebody, under an approved disclosure case")
    option("--person", type=_person, metavar="ID", required=True)
    option("--case", type=_record, metavar="ID", required=True)


def accept_holds(parser: argparse.ArgumentParser) -> None:
    """Declare `holds`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    option = add_command(commands, "place", _place, "erase nothing of somebody's while a proceeding runs")
    option("--person", type=_person, metavar="ID", required=True)
    option("--class", dest="classes", type=_class, action="append", metavar="CLASS", help="default: every class")
    option("--reference", required=True, help="the file of the proceeding: no names, no numbers of people")
    option("--until", type=day_given, metavar="DAY", help="its last day; without one it stands until it is lifted")
    option = add_command(commands, "list", _holds, "holds, the first placed before all")
    option("--lifted", action="store_true", help="also those that were lifted")
    add_command(commands, "lift", _lift, "let a hold go")("hold", type=_id, metavar="ID")


def accept_orders(parser: argparse.ArgumentParser) -> None:
    """Declare `orders`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_command(commands, "list", _orders, "orders to erase, open ones first; of nobody by name")
    option = add_command(commands, "run", _run, "carry the open orders out", stepwise=True)
    option("--dry-run", action="store_true", help="only count")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        message = "an id, as the commands that list show it"
        raise argparse.ArgumentTypeError(message) from None


def _row(text: str, node: NodeType) -> UUID:
    found = from_global(text)
    if found is not None and found[0] is node:
        return found[1]
    return _id(text)


def _person(text: str) -> UUID:
    return _row(text, NodeType.USER)


def _policy(text: str) -> UUID:
    return _row(text, NodeType.POLICY)


def _record(text: str) -> UUID:
    return _row(text, NodeType.RECORD)


def _class(text: str) -> Retention:
    if text.upper() not in {one.name for one in Retention}:
        message = f"one of: {', '.join(one.name for one in Retention)}"
        raise argparse.ArgumentTypeError(message)
    return Retention[text.upper()]


async def _schedule(_: Call) -> Done:
    bundle = bundle_of(os.environ)
    law = asdict(bundle.retention)
    days = {
        Retention.ACCOUNT: {"law_days": law["account_days"]},
        Retention.CONTRACT: {
            "law_days_up_to_a_year": law["short_contract_days"],
            "law_days_longer": law["long_contract_days"],
        },
        Retention.CLAIM: {"law_days": law["claim_days"]},
        Retention.DEVICE: {"law_days": law["device_days"]},
    }
    return listed([{"class": one.name, **asdict(bundle.schedule[one]), **days[one]} for one in SCHEDULED])


async def _explain(call: Call) -> Done:
    person = call.arguments.person
    found = await decide(call.connection, [person], bundle_of(os.environ), call.now)
    rows = [said(one) for one in found[person].explained.values()]
    remainder = found[person].remainder
    if remainder:
        rows.append(
            {"class": "RESTRICTED", "words": f"If the account goes, the law keeps who it was until {remainder}."}
        )
    return replace(listed(rows), persons=(person,) if rows else ())


def said(one: Explained) -> dict[str, Any]:
    """One class of one person, in words."""
    until = one.until.isoformat() if one.until else None
    return {
        "class": one.retention.name,
        "begins": one.begins and one.begins.isoformat(),
        "until": until,
        "winner": one.winner and one.winner.value,
        "law": one.law or None,
        "holds": [str(hold) for hold in one.holds] or None,
        "candidates": {each.criterion.value: each.until and each.until.isoformat() for each in one.candidates},
        "words": in_words(one),
    }


async def _agree(call: Call) -> Done:
    given = call.arguments
    if given.retention not in SCHEDULED or given.until <= shanghai_day(call.now):
        message = "A longer period is agreed for account, contract, claim or device, and until a day to come."
        raise OperatorRefusedError(message)
    row = uuid4()
    values = given.policy, int(given.retention), AgreementKind.SPECIAL.value, given.until, _filed(given.reference)
    if await call.connection.fetchval(_AGREE, row, given.person, *values, call.now) is None:
        message = "There is no such person, or that policy is not theirs."
        raise OperatorRefusedError(message)
    kept = {"agreement": str(row), "class": given.retention.name, "until": given.until.isoformat()}
    return told(kept, persons=(given.person,), agreement=row)


def _sweeper(call: Call, now: datetime) -> Sweeper:
    tombstones = Tombstones(call.installation.tombstones_path)
    return Sweeper(call.connection, call.keyring, bundle_of(os.environ), tombstones, now, call.arguments.dry_run)


async def _sweep(call: Call) -> Done:
    at = call.arguments.at
    if at is not None and not call.demo:
        message = "A sweep goes by the clock: only in demo mode can it be told another day."
        raise OperatorRefusedError(message)
    return await _swept(call, await sweep(_sweeper(call, datetime.combine(at, _NOON) if at else call.now)))


async def _run(call: Call) -> Done:
    return await _swept(call, await carry_out(_sweeper(call, call.now)))


async def _swept(call: Call, found: Swept) -> Done:
    if found.busy:
        message = "A sweep is at work already. Try again when it is done."
        raise OperatorRefusedError(message)
    counted = {
        **found.told(),
        "overdue": await overdue(call.connection, now=call.now),
        "dry_run": call.arguments.dry_run,
    }
    return replace(told(counted), wrong=found.unreadable > 0)


async def _proof(call: Call) -> Done:
    found = await prove(call.connection, call.arguments.proof)
    if not found:
        message = "The ledger has no erasure under this id (yet): the id of an order that is done proves it."
        raise OperatorRefusedError(message)
    return replace(listed(found), wrong=not all(one["proved"] for one in found))


async def _open(call: Call) -> Done:
    found = await opened(call.connection, call.keyring, call.arguments.person, call.arguments.case, now=call.now)
    if found is None:
        message = "Nothing is kept of that person, or no approved disclosure case that is open covers them."
        raise OperatorRefusedError(message)
    return told(found, persons=(call.arguments.person,), case=call.arguments.case)


def _filed(text: str) -> str:
    try:
        return filed_under(text, longest=holds.LONGEST)
    except FormatError as refused:
        raise OperatorRefusedError(str(refused)) from None


async def _place(call: Call) -> Done:
    given = call.arguments
    classes = frozenset(given.classes or Retention)
    reference = _filed(given.reference)
    hold = await holds.place(
        call.connection, given.person, classes, reference=reference, until=given.until, by=OPERATOR, now=call.now
    )
    if hold is None:
        message = "There is no such person: take the id from the request, or from `situations`."
        raise OperatorRefusedError(message)
    return told(_held(hold), persons=(given.person,), hold=hold.id)


async def _holds(call: Call) -> Done:
    found = await holds.all_holds(call.connection, lifted=call.arguments.lifted, most=_MOST_LISTED)
    return listed([_held(one) for one in found])


async def _lift(call: Call) -> Done:
    found = await holds.lift(call.connection, call.arguments.hold, by=OPERATOR, now=call.now)
    if found is None:
        message = "There is no such hold that stands: take its id from `holds list`."
        raise OperatorRefusedError(message)
    return told(_held(found), persons=(found.person,), hold=found.id)


def _held(one: holds.Hold) -> dict[str, Any]:
    return {
        "hold": str(one.id),
        "classes": ",".join(each.name for each in sorted(one.classes)),
        "reference": one.reference,
        "placed": one.placed_at.isoformat(timespec="seconds"),
        "until": one.until and one.until.isoformat(),
        "lifted": one.lifted_at and one.lifted_at.isoformat(timespec="seconds"),
    }


async def _orders(call: Call) -> Done:
    found = await orders(call.connection, is_open=None, most=_MOST_LISTED)
    today = shanghai_day(call.now)
    return listed(
        [
            {
                "order": str(one.id),
                "classes": ",".join(each.name for each in one.classes),
                "ground": one.ground,
                "due": one.due.isoformat(),
                "overdue": one.done_at is None and one.due < today,
                "done": one.done_at and one.done_at.isoformat(timespec="seconds"),
            }
            for one in found
        ]
    )
