"""The command `ledger partners`: how partners behave, on the owner's connection (C41)."""

from dataclasses import asdict
from functools import partial
from typing import Any

from authz.commands import Call, Done, OperatorRefusedError, add_command, day_given
from authz.reach import persons_within_reach
from ledger.behaviour import Behaviour, Flagged, behaviour, period


def accept_partners(commands: Any) -> None:  # noqa: ANN401 - argparse's own
    """Declare it among the subcommands of `ledger`."""
    option = add_command(commands, "partners", _partners, "how partners behave, and what is out of the ordinary")
    option("--organization", metavar="CODE", help="one partner; by default all")
    option(
        "--from", dest="since", metavar="DATE", type=day_given, help="the first day in Shanghai; by default six before"
    )
    option("--to", dest="until", metavar="DATE", type=day_given, help="the last day; by default today")


async def _partners(call: Call) -> Done:
    given = call.arguments
    try:
        since, until = period(given.since, given.until, now=call.now)
    except ValueError as refused:
        raise OperatorRefusedError(str(refused)) from None
    reach = partial(persons_within_reach, call.connection.fetch)
    found = await behaviour(call.connection.fetch, given.organization, since=since, until=until, reach=reach)
    if given.organization and not found:
        message = f"There is no partner of the code {given.organization}: see `partner list`."
        raise OperatorRefusedError(message)
    return Done([_said(one) for one in found], "\n".join(line for one in found for line in _lines(one)))


def _said(found: Behaviour) -> dict[str, Any]:
    """A report as JSON has it."""
    return {
        **{name: value for name, value in asdict(found).items() if name != "id"},
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "anomalies": [
            {
                **asdict(one),
                "since": one.since.isoformat(),
                "until": one.until.isoformat(),
                "decisions": [str(decision) for decision in one.decisions],
            }
            for one in found.anomalies
        ],
    }


def _lines(found: Behaviour) -> list[str]:
    purposes = ", ".join(f"{purpose} {count}" for purpose, count in found.purposes.items()) or "nothing"
    refused = sum(found.refusals.values())
    did = f"operations: {found.operations} ({purposes})  persons: {found.persons}  misses: {found.misses}"
    return [f"{found.organization}  {did}  refused: {refused}", *map(_flagged, found.anomalies)]


def _flagged(one: Flagged) -> str:
    decisions = " ".join(map(str, one.decisions))
    figures = f"{one.figure:g}, more than {one.threshold:g}"
    return f"  {one.rule} from {one.since:%Y-%m-%d %H:%M}: {figures}; decisions: {decisions}"
