"""The command `operations …`: what it accepts, and what it does on the owner's connection."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from graphql import GraphQLSchema

from authz.commands import Call, Done, OperatorRefusedError, add_command, listed
from resolvers import registered
from resolvers.documents import Documents
from resolvers.limits import MAX_BODY
from resolvers.problems import RequestRefusedError

LONGEST_NAME = 120


def accept_operations(parser: argparse.ArgumentParser, *, schema: Callable[[], GraphQLSchema]) -> None:
    """Declare `operations`' subcommands; only `register` builds the schema."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    act = partial(_register, schema=schema)
    option = add_command(commands, "register", act, "let anonymous callers run these documents")
    option("files", type=Path, nargs="+", metavar="FILE")
    add_command(commands, "list", _list, "every registered operation and its hash")


async def _register(call: Call, *, schema: Callable[[], GraphQLSchema]) -> Done:
    """Register documents, all of them or none. Raises OperatorRefusedError."""
    documents = Documents(schema())
    texts = [(path.stem, _document(path, documents)) for path in call.arguments.files]
    async with call.connection.transaction():
        hashes = [await registered.register(call.connection, text, name=name, now=call.now) for name, text in texts]
    done = listed([{"name": name, "hash": found} for (name, _), found in zip(texts, hashes, strict=True)])
    return replace(done, ids={"operations": " ".join(hashes)})


async def _list(call: Call) -> Done:
    found = [*registered.house_names(), *await registered.registered(call.connection)]
    return listed([{"name": name, "hash": one} for one, name in found])


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
