"""The command `role-mapping …`: what it accepts, and what it does on the owner's connection."""

import argparse

from authz.commands import Call, Done, add_command, listed, told
from authz.oidc import members
from models.vocabulary import STAFF_ROLES, Role


def accept_role_mapping(parser: argparse.ArgumentParser) -> None:
    """Declare `role-mapping`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, act, summary in (
        ("add", _add, "a claim's value stands for a role"),
        ("remove", _remove, "it stands for nothing any more"),
    ):
        option = add_command(commands, name, act, summary)
        option("issuer", metavar="ISSUER", help="the URL that the issuer calls itself")
        option("claim", metavar="CLAIM", help="of the ID token, such as groups or realm_access.roles")
        option("value", metavar="VALUE")
        if act is _add:
            option("role", type=Role, choices=sorted(STAFF_ROLES), metavar="ROLE")
    add_command(commands, "list", _list, "every mapping")


async def _add(call: Call) -> Done:
    found = _named(call.arguments)
    await members.map_role(call.connection, **found, role=call.arguments.role)
    return told({**found, "role": call.arguments.role.value})


async def _remove(call: Call) -> Done:
    found = _named(call.arguments)
    await members.unmap_role(call.connection, **found)
    return told({**found, "removed": True})


async def _list(call: Call) -> Done:
    return listed(await members.mappings(call.connection))


def _named(arguments: argparse.Namespace) -> dict[str, str]:
    return {name: getattr(arguments, name) for name in ("issuer", "claim", "value")}
