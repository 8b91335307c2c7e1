"""The command `tags set`: what the profiling job has found of people takes the place of what it found before (C20)."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from authz.commands import Call, Done, OperatorRefusedError, add_command
from privacy.tags import Flaw, Outcome, Tagged, read_lines, replace_tags


def accept_tags(parser: argparse.ArgumentParser) -> None:
    """Declare `tags`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    option = add_command(commands, "set", _set, "replace people's tags; an empty list removes them", stepwise=True)
    option("file", metavar="FILE", help='or - to read it: on each line {"user": "ID", "tags": ["…"]}')
    option("--dry-run", action="store_true", help="say what it would do, and do nothing")


async def _set(call: Call) -> Done:
    dry_run = call.arguments.dry_run
    counted: Counter[Outcome] = Counter()
    changed: list[UUID] = []
    for one in await _read(call):
        outcome = await replace_tags(call.connection, call.keyring, one, dry_run=dry_run)
        counted[outcome] += 1
        if outcome is Outcome.REPLACED and not dry_run:
            changed.append(one.person)
    counts = {outcome.value: counted[outcome] for outcome in Outcome}
    text = ", ".join(f"{count} {word}" for word, count in counts.items())
    # What could be done is done; a key that nobody destroyed and nobody can open is looked after.
    wrong = counted[Outcome.UNREADABLE] > 0
    return Done(
        {"dry_run": dry_run, **counts},
        f"{'Would be' if dry_run else 'Done'}: {text}.",
        persons=tuple(changed),
        wrong=wrong,
    )


def _lines(file: str) -> list[bytes]:
    try:
        lines = (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).split(b"\n")
    except OSError as error:
        message = f"The file cannot be read ({type(error).__name__})."
        raise OperatorRefusedError(message) from None
    # What ends the last line begins no other.
    return lines if lines[-1] else lines[:-1]


async def _read(call: Call) -> Sequence[Tagged]:
    """What the file says. Raises OperatorRefusedError, which repeats nothing of it."""
    found = await read_lines(call.connection, _lines(call.arguments.file))
    if isinstance(found, Flaw):
        message = f"Line {found.line}: {found.refusal} Nothing was written."
        raise OperatorRefusedError(message)
    return found
