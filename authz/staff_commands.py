"""The commands `staff …` and `account …`: what they accept, and what they do on the owner's connection."""

import argparse
from dataclasses import asdict
from datetime import datetime

from authz import staff
from authz.commands import Call, Done, add_command, listed, told
from models.vocabulary import STAFF_ROLES, Role


def accept_staff(parser: argparse.ArgumentParser) -> None:
    """Declare `staff`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    roles = sorted(STAFF_ROLES)
    option = add_command(
        commands, "add", _add, "let somebody join; prints a temporary password and a second factor, once"
    )
    option("username", metavar="USERNAME")
    option("--role", type=Role, choices=roles, required=True)
    add_command(commands, "leave", _leave, "somebody has left: refused within a second")("username", metavar="USERNAME")
    option = add_command(commands, "role", _role, "give somebody another role; their sessions end")
    option("username", metavar="USERNAME")
    option("role", type=Role, choices=roles, metavar="ROLE")
    option = add_command(commands, "unlock", _unlock, "let somebody who is locked out try again")
    option("username", metavar="USERNAME")
    option = add_command(
        commands, "reset", _reset, "a new temporary password and second factor, printed once; sessions end"
    )
    option("username", metavar="USERNAME")
    add_command(commands, "list", _list, "everybody who works or worked here")


def accept_account(parser: argparse.ArgumentParser) -> None:
    """Declare `account`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    option = add_command(commands, "unlock", _unlock_account, "let a customer who is locked out try again")
    option("--user", metavar="USERNAME", required=True)
    option = add_command(
        commands, "reset", _reset_account, "a temporary password, printed once; the second factor goes, sessions end"
    )
    option("--user", metavar="USERNAME", required=True)


async def _add(call: Call) -> Done:
    given = call.arguments
    added = await staff.add(call.connection, given.username, given.role, keyring=call.keyring, now=call.now)
    shown = {"username": given.username, "password": added.password, "uri": added.uri}
    return told(shown, staff=await _id(call))


async def _leave(call: Call) -> Done:
    username = call.arguments.username
    ended = await staff.leave(call.connection, username, now=call.now)
    return told({"username": username, "sessions": ended}, staff=await _id(call))


async def _role(call: Call) -> Done:
    given = call.arguments
    ended = await staff.change_role(call.connection, given.username, given.role, now=call.now)
    return told({"username": given.username, "sessions": ended}, staff=await _id(call))


async def _unlock(call: Call) -> Done:
    username = call.arguments.username
    await staff.unlock(call.connection, username, keyring=call.keyring)
    return told({"username": username, "unlocked": True}, staff=await _id(call))


async def _reset(call: Call) -> Done:
    username = call.arguments.username
    given = await staff.reset(call.connection, username, keyring=call.keyring, now=call.now)
    return told({"username": username, "password": given.password, "uri": given.uri}, staff=await _id(call))


async def _list(call: Call) -> Done:
    return listed(
        [
            {**asdict(one), "left_at": _moment(one.left_at), "locked_until": _moment(one.locked_until)}
            for one in await staff.listed(call.connection)
        ]
    )


async def _unlock_account(call: Call) -> Done:
    person = await staff.unlock_account(call.connection, call.arguments.user, keyring=call.keyring)
    return told({"unlocked": True}, persons=(person,))


async def _reset_account(call: Call) -> Done:
    username = call.arguments.user
    person, password = await staff.reset_account(call.connection, username, keyring=call.keyring, now=call.now)
    return told({"username": username, "password": password}, persons=(person,))


async def _id(call: Call) -> object:
    """The id of whom a command was about, for the ledger: their name is none of its business."""
    return await staff.member_named(call.connection, call.arguments.username)


def _moment(found: datetime | None) -> str | None:
    return found.isoformat() if found else None
