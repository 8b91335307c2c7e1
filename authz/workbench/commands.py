"""The command `rules …`: each group of subcommands is declared in a file of its own."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from authz.catalogue import Catalogue
from authz.law import Law
from authz.rulesets import SnapshotOf
from authz.workbench.content_commands import accept_content
from authz.workbench.governance_commands import Report, accept_governance
from authz.workbench.question_commands import accept_questions


def accept_rules(  # noqa: PLR0913 - what its subcommands need
    parser: argparse.ArgumentParser,
    *,
    snapshot: SnapshotOf,
    catalogue: Callable[[], Catalogue],
    law: Callable[[], Law],
    report: Report,
    more: Sequence[Callable[[Any], object]] = (),
) -> None:
    """Declare its subcommands; `snapshot` gives the rules in force, `catalogue` the schema's, which takes a while.

    `law` is what configuration says of it, notices aside, which the database has. `report` makes what a draft is
    proposed with; `more` declares those of rooms above this one.
    """
    parser.set_defaults(snapshot=snapshot, catalogue=catalogue, law=law, alone=None, folder=None)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    accept_content(commands)
    accept_governance(commands, report=report)
    accept_questions(commands)
    for accept in more:
        accept(commands)


def reads_files_alone(arguments: argparse.Namespace) -> bool:
    """Is nothing asked but about a folder? Such a subcommand sets `alone`, which takes the arguments."""
    return arguments.alone is not None and arguments.folder is not None
