"""The command `keys status|rotate|retire`: the key-encryption keys, which wrap every data key (C48, C66)."""

import argparse
from dataclasses import replace
from typing import Any

from authz.commands import Call, Done, add_command, listed, told
from privacy.rotation import Version, retire, rotate, versions


def accept_keys(parser: argparse.ArgumentParser) -> None:
    """Declare `keys`' subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_command(
        commands, "status", _status, "every version: how many data keys it wraps, since when, and whether still"
    )
    option = add_command(
        commands, "rotate", _rotate, "wrap every data key by a new version; go on where one was stopped", stepwise=True
    )
    option("--add-only", action="store_true", help="only put it into keyring.json, to be copied to the other hosts")
    option = add_command(
        commands, "retire", _retire, "remove a version by which nothing is wrapped any more, for good", stepwise=True
    )
    option("--version", type=int, metavar="N", required=True)


async def _status(call: Call) -> Done:
    return listed([_said(one) for one in await versions(call.connection, call.keyring)])


def _said(version: Version) -> dict[str, Any]:
    times = {"since": version.known_since, "rewrapped": version.rewrapped_at, "retired": version.retired_at}
    return {
        "version": version.number,
        "current": version.current,
        "in_keyring": version.in_file,
        "data_keys": version.keys,
        **{name: at and at.isoformat(timespec="seconds") for name, at in times.items()},
    }


async def _rotate(call: Call) -> Done:
    only = call.arguments.add_only
    found = await rotate(call.connection, call.keyring, call.installation.keyring_path, now=call.now, add_only=only)
    told_of = {
        "version": found.version,
        "added": found.added,
        "rewrapped": found.rewrapped,
        "unreadable": found.unreadable,
    }
    # What cannot be opened is not erased: see that the keyring is the right one.
    return replace(told(told_of), wrong=found.unreadable > 0)


async def _retire(call: Call) -> Done:
    version = call.arguments.version
    await retire(call.connection, call.keyring, call.installation.keyring_path, version, now=call.now)
    text = (
        f"Version {version} is gone. What backups made before hold stays closed from now on; remove it from the copies"
        " of keyring.json too."
    )
    return Done({"retired": version}, text)
