"""The command `tombstones status|check|replay|rebuild`: whose data have been erased, by file and database (C66)."""

import argparse
from dataclasses import replace

from authz.commands import Call, Done, add_command, told
from privacy.replay import compare, mark_of, rebuild, replay
from privacy.tombstones import Tombstones, TombstonesLostError


def accept_tombstones(parser: argparse.ArgumentParser) -> None:
    """Declare `tombstones`' subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_command(commands, "status", _status, "how many the file has, and how many of them the database knows")
    add_command(commands, "check", _check, "compare every one of them with the keys that the database has")
    add_command(
        commands, "replay", _replay, "erase anew what a restored database still has; a start does it too", stepwise=True
    )
    add_command(
        commands, "rebuild", _rebuild, "after a loss: a whole file of what is left, and what is erased", stepwise=True
    )


async def _status(call: Call) -> Done:
    stones, mark, lost = _tombstones(call), await mark_of(call.connection), False
    try:
        unknown = sum(1 for _ in stones.after(mark))
    except TombstonesLostError:
        unknown, lost = 0, True
    said = {"file": str(stones.path), "tombstones": sum(1 for _ in stones.read()), "unknown": unknown, "lost": lost}
    return replace(told(said), wrong=lost or unknown > 0)


async def _check(call: Call) -> Done:
    found = await compare(call.connection, _tombstones(call), now=call.now)
    said = {"erased_and_not_in_the_file": len(found.unlisted), "in_the_file_and_not_erased": found.unapplied}
    return replace(told(said), wrong=bool(found.unlisted or found.unapplied))


async def _replay(call: Call) -> Done:
    return told({"erased": await replay(call.connection, call.keyring, _tombstones(call))})


async def _rebuild(call: Call) -> Done:
    return told({"added": await rebuild(call.connection, call.keyring, _tombstones(call), now=call.now)})


def _tombstones(call: Call) -> Tombstones:
    return Tombstones(call.installation.tombstones_path)
