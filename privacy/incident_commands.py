"""The command `incidents …`: what happened, whom it befell, the authority's report and the letters (C62, C63)."""

import argparse
import os
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from authz.catalogue import Catalogue
from authz.commands import Call, Done, OperatorRefusedError, add_command, listed, told
from authz.reviews import OPERATOR
from authz.workbench.tokens import accept_token, person
from ledger.alarms import WrittenAlarms
from ledger.searches import Sought
from models.formats import FormatError
from models.incidents import Severity
from models.vocabulary import Purpose, Role
from privacy import incidents
from privacy.bundles import bundle_of
from privacy.incident_extent import counts, people
from privacy.incident_job import look_after
from privacy.incident_report import as_markdown, report
from privacy.incidents import LONGEST_TEXT, Found, Incident, IncidentRefusal, Opening, Told
from privacy.jobs import Turn
from privacy.letter_words import chinese, english
from privacy.letters import categories_of, summary, to_relay
from privacy.notices import content_of, newest
from privacy.records import filed_under

_MOST = 100_000
_ORGANIZATION = "SELECT id FROM organization WHERE code = $1"
_TEXTS = (
    ("impact", "what it may do to those affected"),
    ("measures", "what was and will be done against it"),
    ("advice", "what those affected can do"),
)


def accept_incidents(parser: argparse.ArgumentParser, *, catalogue: Any) -> None:  # noqa: ANN401 - gives a Catalogue
    """Declare `incidents`'s subcommands; `catalogue` gives the schema's sensitive fields."""
    parser.set_defaults(catalogue=catalogue)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    option = add_command(commands, "open", _open, "open an incident by what is known of it")
    option("--facts", required=True, help="what happened: no names, no numbers of people")
    option("--severity", type=Severity, choices=list(Severity), required=True, metavar="SEVERITY")
    option("--noticed", type=_moment, required=True, metavar="MOMENT")
    option(
        "--from", type=_moment, dest="since", required=True, metavar="MOMENT", help="with an offset, like the others"
    )
    option("--to", type=_moment, dest="until", metavar="MOMENT", help="still going on, where it is left out")
    option("--org", metavar="CODE", help="of the partner whose operations these are")
    option("--account", type=_id, metavar="ID")
    option("--token", metavar="ID", help="the token's id, as records of the ledger give it")
    option("--client", metavar="ID")
    option("--role", type=Role, choices=list(Role), metavar="ROLE")
    option("--purpose", type=Purpose, choices=list(Purpose), metavar="PURPOSE")
    option("--decision", type=_id, metavar="ID")
    option("--coordinate", action="append", default=[], metavar="TYPE.FIELD", help="any of these fields")
    for name, summary_ in _TEXTS:
        option(f"--{name}", help=summary_)
    option("--drill", action="store_true", help="the same, but nobody is shown a letter")
    option = add_command(commands, "list", _list, "incidents, open ones first")
    option("--open", action="store_true", dest="open_only", help="only open ones")
    option = add_command(commands, "show", _show, "one incident, and whom it befell by reference")
    option("incident", type=_id, metavar="ID")
    option = add_command(commands, "describe", _describe, "say more, until those affected have been told")
    option("incident", type=_id, metavar="ID")
    for name, summary_ in _TEXTS:
        option(f"--{name}", help=summary_)
    option = add_command(commands, "report", _report, "the authority's report; with --reference: it has been handed in")
    option("incident", type=_id, metavar="ID")
    option("--reference", help="under which the authority has it")
    option = add_command(
        commands, "letters", _letters, "how many there are, and those for the post; --send writes them"
    )
    option("incident", type=_id, metavar="ID")
    option("--send", action="store_true")
    option("--withhold", metavar="REASON", help="decide that nobody is told; takes a privacy officer's own token")
    accept_token(option)
    option = add_command(commands, "close", _close, "close what is reported and told of")
    option("incident", type=_id, metavar="ID")
    add_command(commands, "tell", _tell, "read on and sound what is due, as the job does", stepwise=True)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        message = "an id"
        raise argparse.ArgumentTypeError(message) from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - refused below
    if moment.tzinfo is None:
        message = "a moment with its offset, such as 2026-11-22T09:00:00+08:00"
        raise argparse.ArgumentTypeError(message)
    return moment


async def _open(call: Call) -> Done:
    given = call.arguments
    organization = None
    if given.org is not None:
        organization = await call.connection.fetchval(_ORGANIZATION, given.org)
        if organization is None:
            message = "There is no organization of that code."
            raise OperatorRefusedError(message)
    if given.until is not None and given.until <= given.since:
        message = "--to must be later than --from."
        raise OperatorRefusedError(message)
    sought = Sought(
        role=given.role and given.role.value,
        organization=organization,
        account=given.account,
        token=given.token,
        client=given.client,
        purpose=given.purpose and given.purpose.value,
        decision=given.decision,
        coordinates=tuple(given.coordinate),
        since=given.since,
        until=given.until,
    )
    opening = Opening(given.severity, _words(given.facts), given.noticed, sought, _told_of(call), given.drill)
    terms = bundle_of(os.environ).incidents
    found = await incidents.open_incident(call.connection, opening, terms=terms, by=OPERATOR, now=call.now)
    return await _one(call, found)


async def _list(call: Call) -> Done:
    found = await incidents.incidents(call.connection, is_open=True if call.arguments.open_only else None)
    return listed([_row(one, call.now) for one in found])


async def _show(call: Call) -> Done:
    found = _there(await incidents.find(call.connection, call.arguments.incident))
    catalogue = _catalogue(call)
    affected = [_person(one, catalogue) for one in await people(call.connection, found.id, most=_MOST)]
    row = {**await _counted(call, found), "affected": affected}
    lines = [f"{name}: {value}" for name, value in row.items() if name != "affected" and value is not None]
    lines += ["  ".join(f"{name}: {value}" for name, value in one.items() if value) for one in affected]
    return Done(row, "\n".join(lines), {"incident": found.id})


async def _describe(call: Call) -> Done:
    return await _one(call, await incidents.describe(call.connection, call.arguments.incident, _told_of(call)))


async def _report(call: Call) -> Done:
    named, reference = call.arguments.incident, call.arguments.reference
    if reference is not None:
        _there(await incidents.reported(call.connection, named, _words(reference), by=OPERATOR, now=call.now))
    found = _there(await incidents.find(call.connection, named))
    counted = await counts(call.connection, found.id, read_to=found.read_to, catalogue=_catalogue(call))
    data = report(found, counted, content=await _content(call))
    return Done(data, as_markdown(data), {"incident": found.id})


async def _letters(call: Call) -> Done:
    given = call.arguments
    if given.withhold is not None:
        actor = await person(call)
        if actor.role is not Role.PRIVACY_OFFICER:
            message = "That nobody is told is a privacy officer's to decide: log in as one and take that token."
            raise OperatorRefusedError(message)
        terms, reason = bundle_of(os.environ).incidents, _words(given.withhold)
        return await _one(
            call,
            await incidents.withhold(call.connection, given.incident, reason, terms=terms, by=actor.by, now=call.now),
        )
    if given.send:
        _there(await incidents.send_letters(call.connection, given.incident, by=OPERATOR, now=call.now))
    found = _there(await incidents.find(call.connection, given.incident))
    counted, responsible = await summary(call.connection, found.id), (await _content(call)).responsible
    relay = [
        {
            "letter": str(one.id),
            "person": one.person and str(one.person),
            "stand_in": one.stand_in,
            "zh": chinese(one.said, responsible),
            "en": english(one.said, responsible),
        }
        for one in await to_relay(call.connection, found.id, _catalogue(call), most=_MOST)
    ]
    row = {"incident": str(found.id), "drill": found.drill, **counted}
    text = "  ".join(f"{name}: {value}" for name, value in row.items())
    told_of = tuple(UUID(one["person"]) for one in relay if one["person"])
    lines = [f"{one['letter']}  {one['person'] or one['stand_in']}" for one in relay]
    return Done({**row, "relay": relay}, "\n".join([text, *lines]), {"incident": found.id}, told_of)


async def _close(call: Call) -> Done:
    return await _one(call, await incidents.close(call.connection, call.arguments.incident, by=OPERATOR, now=call.now))


async def _tell(call: Call) -> Done:
    alarms = WrittenAlarms(lambda: call.now)
    turn = Turn(call.connection, call.keyring, bundle_of(os.environ), call.installation, call.now, alarms.sound)
    counted = await look_after(turn)
    await alarms.write(call.connection)
    return told(counted)


async def _one(call: Call, found: Found) -> Done:
    incident = _there(found)
    return replace(told(await _counted(call, incident)), ids={"incident": incident.id})


async def _counted(call: Call, found: Incident) -> dict[str, Any]:
    counted = await counts(call.connection, found.id, read_to=found.read_to, catalogue=_catalogue(call))
    numbers = {"persons": counted.total, "stand_ins": counted.stand_ins, "unknown": counted.unknown}
    shown = {"categories": {one.value: number for one, number in counted.revealed.items()}}
    return {**_row(found, call.now), **numbers, **shown, "rows": found.rows_known, "pending": counted.pending}


def _row(found: Incident, now: datetime) -> dict[str, Any]:
    return {
        "incident": str(found.id),
        "drill": found.drill,
        "severity": found.severity.value,
        "facts": found.facts,
        "noticed": _text(found.noticed_at),
        "report_due": _text(found.report_due_at),
        "reported": _text(found.reported_at),
        "report_late": found.reported_at is None and found.report_due_at < now,
        "letters_due": _text(found.letters_due_at),
        "letters": _text(found.letters_at),
        "withheld": _text(found.withheld_at),
        "closed": _text(found.closed_at),
    }


def _person(one: Any, catalogue: Catalogue) -> dict[str, Any]:  # noqa: ANN401 - asyncpg's row
    shown = {kind: [each.value for each in categories_of(one[kind], catalogue)] for kind in ("revealed", "masked")}
    named = {"reference": one["reference"] and str(one["reference"]), "stand_in": one["stand_in"]}
    return {**named, **shown, "changed": one["changed"], "times": one["times"]}


def _catalogue(call: Call) -> Catalogue:
    found: Catalogue = call.arguments.catalogue()
    return found


async def _content(call: Call) -> Any:  # noqa: ANN401 - a Content
    return await content_of(call.connection, (await newest(call.connection, now=call.now)).number)


def _there(found: Found) -> Incident:
    if isinstance(found, IncidentRefusal):
        raise OperatorRefusedError(found.message)
    return found


def _told_of(call: Call) -> Told:
    return Told(**{name: _words(text) for name, _ in _TEXTS if (text := getattr(call.arguments, name)) is not None})


def _words(text: str) -> str:
    try:
        return filed_under(text, longest=LONGEST_TEXT)
    except FormatError as expected:
        raise OperatorRefusedError(str(expected)) from None


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
