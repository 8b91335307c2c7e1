"""The command `operations …`: what it accepts, and what it does on the owner's connection."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from graphql import GraphQLSchema

from authz.commands import Call, Done, OperatorRefusedError, add_command, listed
from authz.reviews import OPERATOR
from models.vocabulary import Purpose, Role
from resolvers import client_operations, registered
from resolvers.client_operations import MOST, MOST_OF_A_TEAM, ClientOperation, Refusal, words_refused
from resolvers.documents import Documents
from resolvers.limits import MAX_BODY
from resolvers.problems import RequestRefusedError

LONGEST_NAME = 120


def accept_operations(parser: argparse.ArgumentParser, *, schema: Callable[[], GraphQLSchema]) -> None:
    """Declare `operations`' subcommands; only `register` builds the schema."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    act = partial(_register, schema=schema)
    option = add_command(
        commands, "register", act, "keep a team's documents; without a team, let anonymous callers run"
    )
    option("files", type=Path, nargs="+", metavar="FILE")
    _accept_whose(option, required=False)
    option = add_command(commands, "unregister", _unregister, "keep a team's document no more")
    option("hash", metavar="HASH", help="as `operations list` gives it")
    _accept_whose(option, required=True)
    add_command(commands, "list", _list, "every registered operation and its hash")


def _accept_whose(option: Callable[..., object], *, required: bool) -> None:
    option("--team", required=required, metavar="TEAM", help="whose client asks this")
    option("--role", type=Role, choices=list(Role), required=required, metavar="ROLE", help="as whom it asks")
    option("--purpose", type=Purpose, choices=list(Purpose), required=required, metavar="PURPOSE", help="and for what")


async def _register(call: Call, *, schema: Callable[[], GraphQLSchema]) -> Done:
    """Register documents, all of them or none. Raises OperatorRefusedError."""
    given = call.arguments
    whose = given.team, given.role, given.purpose
    if any(whose) and not all(whose):
        raise OperatorRefusedError("--team, --role and --purpose belong together; without them it is for anybody.")
    documents = Documents(schema())
    texts = [(path.stem, _document(path, documents)) for path in given.files]
    async with call.connection.transaction():
        if given.team:
            hashes = [await _keep(call, name, text) for name, text in texts]
        else:
            hashes = [await registered.register(call.connection, text, name=name, now=call.now) for name, text in texts]
    done = listed([{"name": name, "hash": found} for (name, _), found in zip(texts, hashes, strict=True)])
    return replace(done, ids={"operations": " ".join(hashes)})


async def _keep(call: Call, name: str, text: str) -> str:
    """Keep one document of a team; its hash. Raises OperatorRefusedError."""
    given = call.arguments
    operation = ClientOperation(given.team, name, given.role, given.purpose, text)
    wrong = words_refused(operation)
    if wrong:
        raise OperatorRefusedError(wrong[1])
    found = await client_operations.register(call.connection, operation, by=OPERATOR, now=call.now)
    if isinstance(found, Refusal):
        message = f"A team registers at most {MOST_OF_A_TEAM} operations, all of them {MOST}: take some back first."
        raise OperatorRefusedError(message)
    return operation.hash


async def _unregister(call: Call) -> Done:
    given = call.arguments
    key = given.team, given.hash, given.role.value, given.purpose.value
    found = await client_operations.unregister(call.connection, key, by=OPERATOR)
    if isinstance(found, Refusal):
        raise OperatorRefusedError("No such operation is registered: look it up with `operations list`.")
    return replace(listed([{"name": found, "hash": given.hash}]), ids={"operations": given.hash})


async def _list(call: Call) -> Done:
    found = await client_operations.every_operation(call.connection)
    return listed(
        [
            {
                "name": one.name,
                "hash": one.hash,
                "team": one.team or None,
                "role": one.role.value,
                "purpose": one.purpose.value,
            }
            for one in found
        ]
    )


def _document(path: Path, documents: Documents) -> str:
    try:
        text = path.read_text(encoding="utf-8")
        if len(text) > MAX_BODY:
            message = f"{path} is larger than {MAX_BODY} bytes: register less at once."
            raise OperatorRefusedError(message)
        if "\0" in text or not path.stem.isprintable() or len(path.stem) > LONGEST_NAME:
            message = (
                f"{path.name!a} cannot be kept: a document holds no NUL, its file's name 1 to {LONGEST_NAME} letters."
            )
            raise OperatorRefusedError(message)
        documents.read(text)
    except (OSError, UnicodeDecodeError):
        message = f"{path} cannot be read as text: name a file that holds one GraphQL document."
        raise OperatorRefusedError(message) from None
    except RequestRefusedError as refusal:
        message = f"{path}: {refusal.errors[0]['message']} ({refusal.code})"
        raise OperatorRefusedError(message) from None
    return text
