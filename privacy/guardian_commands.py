"""The command `guardians list|verify|refuse|revoke`: who is whose guardian, decided by a privacy officer (C71, C73)."""

import argparse
import json
import os
import sys
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from authz.commands import Call, Done, OperatorRefusedError, add_command, listed, told
from authz.reviews import OPERATOR
from authz.workbench.tokens import accept_token, person
from models.formats import FormatError
from models.guardian_links import LinkState
from models.vocabulary import Role
from privacy import guardians
from privacy.bundles import bundle_of
from privacy.guardian_lists import Link, links
from privacy.guardians import Desk, Document, Found, LinkRefusal
from privacy.records import filed_under
from privacy.relay_numbers import span_of
from privacy.relays import Relays

_MOST_LISTED = 100
_LONGEST_NOTE = 200
_LONGEST_DOCUMENT = 10_000
_FIELDS = ("guardianName", "guardianIdNumber", "childName", "childIdNumber")
_BIRTHS = ("guardianBirthDate", "childBirthDate")


def accept_guardians(parser: argparse.ArgumentParser) -> None:
    """Declare `guardians`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    option = add_command(commands, "list", _list, "links and requests, the latest first; of nobody by name")
    option("--state", type=LinkState, choices=sorted(LinkState), metavar="STATE")
    option = add_command(commands, "verify", _verify, "make the link that a request asks for; takes your own token")
    option("link", type=_id, metavar="ID")
    option(
        "--document",
        required=True,
        metavar="FILE",
        help=f"JSON, or - to read it: {', '.join(_FIELDS)}; and {' or '.join(_BIRTHS)} where a number tells none",
    )
    option("--note", help="no names, no numbers of people")
    accept_token(option)
    option = add_command(commands, "refuse", _refuse, "refuse what a request asks for; takes your own token")
    option("link", type=_id, metavar="ID")
    option("--note", help="no names, no numbers of people")
    accept_token(option)
    add_command(commands, "revoke", _revoke, "end a link, or take a request back")("link", type=_id, metavar="ID")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        message = "an id, as `guardians list` shows it"
        raise argparse.ArgumentTypeError(message) from None


async def _list(call: Call) -> Done:
    found = await links(call.connection.fetch, person=None, state=call.arguments.state, most=_MOST_LISTED)
    return listed([_said(one) for one in found])


def _said(one: Link) -> dict[str, Any]:
    return {
        "link": str(one.id),
        "state": one.state.value,
        "evidence": one.kind and one.kind.value,
        "reference": one.reference,
        "requested": one.requested_at and one.requested_at.isoformat(timespec="seconds"),
        "verified": one.verified_at and one.verified_at.isoformat(timespec="seconds"),
        "ended": one.ended_at and one.ended_at.isoformat(timespec="seconds"),
    }


async def _verify(call: Call) -> Done:
    by, document, note = await _officer(call), _document(call.arguments.document), _note(call)
    found = await guardians.verify(_desk(call), call.arguments.link, document, by=by, note=note)
    if found is LinkRefusal.DOCUMENT_DIFFERS:
        # No exception: it would take the count of such documents back.
        row = {"link": str(call.arguments.link), "problem": found.value}
        return Done(row, found.message, {"link": call.arguments.link}, wrong=True)
    return _told(found)


async def _refuse(call: Call) -> Done:
    by, note = await _officer(call), _note(call)
    return _told(await guardians.refuse(_desk(call), call.arguments.link, by=by, note=note))


async def _revoke(call: Call) -> Done:
    return _told(await guardians.revoke(_desk(call), call.arguments.link, by=OPERATOR, person=None))


async def _officer(call: Call) -> str:
    """Whose token the command was given: a privacy officer's. Raises OperatorRefusedError."""
    actor = await person(call)
    if actor.role is not Role.PRIVACY_OFFICER:
        message = "Links are verified and refused by privacy officers: log in as one and take that token."
        raise OperatorRefusedError(message)
    return actor.by


def _desk(call: Call) -> Desk:
    relays = Relays(call.keyring, span_of(os.environ, demo=call.demo))
    return Desk(call.connection, call.keyring, call.now, bundle_of(os.environ).age_of_majority, relays)


def _note(call: Call) -> str | None:
    if call.arguments.note is None:
        return None
    try:
        return filed_under(call.arguments.note, longest=_LONGEST_NOTE)
    except FormatError as expected:
        raise OperatorRefusedError(str(expected)) from None


def _document(file: str) -> Document:
    """What the document says. Raises OperatorRefusedError, which says nothing of it."""
    try:
        text = sys.stdin.read(_LONGEST_DOCUMENT) if file == "-" else Path(file).read_text(encoding="utf-8")
        told = json.loads(text)
        values = [told[name] for name in _FIELDS]
        births = [day and date.fromisoformat(day).isoformat() for day in map(told.get, _BIRTHS)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        values, births = [], []
    if not values or not all(isinstance(value, str) for value in values):
        message = f"The document is a JSON object of texts: {', '.join(_FIELDS)}; {' and '.join(_BIRTHS)} are dates."
        raise OperatorRefusedError(message)
    return Document(*values, *births)


def _told(found: Found) -> Done:
    if isinstance(found, LinkRefusal):
        raise OperatorRefusedError(found.message)
    row = {"link": str(found.id), "state": found.state.value}
    return told(row, persons=found.people, link=found.id)
