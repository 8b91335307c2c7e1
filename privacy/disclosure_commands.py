"""The command `disclosures list|show|report|remind`: disclosure cases, and what left under each (C25, C33, C45)."""

import argparse
import os
from typing import Any
from uuid import UUID

from authz.commands import Call, Done, OperatorRefusedError, add_command, listed, told
from models.disclosures import LawfulException, items_of
from models.vocabulary import from_bits
from privacy.bundles import bundle_of
from privacy.disclosure_job import remind
from privacy.disclosure_report import left_under
from privacy.disclosures import Case, cases
from privacy.jobs import Turn

_MOST_LISTED = 1_000
_WORDS = (
    "authority",
    "receiver",
    "document_kind",
    "document",
    "filed",
    "justification",
    "basis",
    "undertaking",
    "manner",
)
_MOMENTS = ("opened_at", "approved_at", "rejected_at", "closed_at", "expires_at", "secret_until")


def accept_disclosures(parser: argparse.ArgumentParser) -> None:
    """Declare `disclosures`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_command(commands, "list", _list, "all cases, the last opened first; of nobody by name")
    for name, work, summary in (
        ("show", _show, "one case: what it rests on, how far it goes, who decided"),
        ("report", _report, "what left under one case, by person's reference: coordinates, answers, first and last"),
    ):
        add_command(commands, name, work, summary)("case", type=_id, metavar="CASE")
    add_command(commands, "remind", _remind, "cases that wait, end soon, or may be told to their persons now")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        message = "an id, as `disclosures list` shows it"
        raise argparse.ArgumentTypeError(message) from None


async def _list(call: Call) -> Done:
    return listed([_short(call, one) for one in await cases(call.connection.fetch, most=_MOST_LISTED)])


async def _show(call: Call) -> Done:
    one = await _found(call)
    row = one.row
    shown = {
        **_short(call, one),
        **{name: row[name] for name in _WORDS},
        **{name: _moment(row[name]) for name in _MOMENTS},
        "clause": row["exception"] and LawfulException(row["exception"]).clause,
        "categories": [category.value for category in from_bits(row["categories"])],
        "items": [item.value for item in items_of(row["items"] or 0)],
        "note": row["review_note"],
        **{name: row[name] and str(row[name]) for name in ("opened_by", "approved_by", "rejected_by", "closed_by")},
    }
    return told(shown, case=one.id)


async def _report(call: Call) -> Done:
    one = await _found(call)
    left = (await left_under(call.connection.fetch, [one.id]))[one.id]
    persons = {str(who): sorted(names) for who, names in sorted(left.persons.items(), key=lambda each: str(each[0]))}
    shown = {
        "case": str(one.id),
        "persons": persons,
        "answers": left.answers,
        "first": _moment(left.first),
        "last": _moment(left.last),
    }
    return told(shown, case=one.id)


async def _remind(call: Call) -> Done:
    def silent(_: str, **__: object) -> None:
        """Whoever types the command reads the numbers."""

    found = await remind(
        Turn(call.connection, call.keyring, bundle_of(os.environ), call.installation, call.now, silent)
    )
    return told(dict(found))


async def _found(call: Call) -> Case:
    found = await cases(call.connection.fetch, call.arguments.case, most=1)
    if not found:
        message = "There is no such case: take its id from `disclosures list`."
        raise OperatorRefusedError(message)
    return found[0]


def _short(call: Call, one: Case) -> dict[str, Any]:
    row = one.row
    return {
        "case": str(one.id),
        "kind": row["kind"],
        "state": one.state(call.now).value,
        "exception": row["exception"],
        "persons": one.persons,
        "frozen": one.frozen,
        "assigned": row["assigned"] or [],
        "expires": _moment(row["expires_at"]),
    }


def _moment(moment: Any) -> str | None:  # noqa: ANN401 - a datetime or none
    return moment and str(moment.isoformat(timespec="seconds"))
