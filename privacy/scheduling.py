"""The scheduler beside a server: what starts it, and what it is told."""

import argparse
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from ledger.supervisor import beside, connecting, switched_on
from models.embedded import Database
from models.installation import Installation

COMMAND = (sys.executable, "-m", "privacy.scheduler")
SETTING = "NEEDFUL_SCHEDULER"


def scheduler_beside(
    installation: Installation, found: Database, environ: Mapping[str, str]
) -> AbstractContextManager[Callable[[], None]]:
    """Gives what starts the scheduler; when the block ends, what it does ends with its step.

    With `NEEDFUL_SCHEDULER=0` another host has one. Raises InstallationError for any other value than 0 and 1.
    """
    if not switched_on(environ, SETTING, "another host runs the scheduler"):
        return nullcontext(lambda: None)
    return beside("scheduler", COMMAND, settings_of(installation, found, environ.get("NEEDFUL_ALARM_URL") or None))


def accept_scheduler(parser: argparse.ArgumentParser) -> None:
    """Declare `scheduler`'s subcommand."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    commands.add_parser("run", help="until told to stop; servers then need NEEDFUL_SCHEDULER=0")


def scheduler_alone(installation: Installation, found: Database, environ: Mapping[str, str]) -> None:
    """Keep a scheduler going until whoever runs this is interrupted, and end it then."""
    with scheduler_beside(installation, found, {**environ, SETTING: "1"}) as start:
        start()
        print("The scheduler runs.", flush=True)  # noqa: T201 - for whoever typed the command
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


def settings_of(installation: Installation, found: Database, alarms: str | None) -> dict[str, Any]:
    """What the process is told, as JSON: on its standard input, where nobody else can look."""
    told = {one.name: _told(getattr(installation, one.name)) for one in fields(installation)}
    return {"database": connecting(found.owner), "installation": told, "alarms": alarms}


def _told(value: object) -> object:
    return {"path": str(value)} if isinstance(value, Path) else value


def installation_of(told: Mapping[str, Any]) -> Installation:
    """The installation that the process was told of."""
    given: dict[str, Any] = {name: Path(one["path"]) if isinstance(one, dict) else one for name, one in told.items()}
    return Installation(**given)
