"""Tokens for demo data: those that the server greets with, and the command `token`."""

import argparse
import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

from authz.callers import UnknownCallerError, Wanted, find_caller
from authz.commands import Done
from authz.subjects import Subject
from authz.token_keys import TokenKeys
from authz.tokens import mint, utc_now
from models.database import connect_once
from models.embedded import Database
from models.installation import Installation
from models.vocabulary import Category, Purpose, Role, to_bits
from resolvers.demo_commands import prepare_demo
from vault.keyring import load_or_create

GREETINGS = (
    (
        "A claims handler",
        Role.CLAIMS_HANDLER,
        Purpose.CLAIM_HANDLING,
        """\
{
  claims(first: 2) {
    edges { node { claimNumber status diagnosis policy { policyholder { name phone } } } }
  }
}
""",
    ),
    (
        "A partner insurer",
        Role.INSURER,
        Purpose.POLICY_SERVICE,
        """\
{
  policies(first: 2, status: IN_FORCE) {
    edges { node { policyNumber policyholder { name idNumber bankCard } } }
  }
}
""",
    ),
    (
        "A customer",
        Role.CUSTOMER,
        Purpose.ACCOUNT_SERVICE,
        """\
{
  viewer {
    user { name idNumber policies(first: 2) { edges { node { policyNumber premium } } } }
  }
}
""",
    ),
)


def demo_greeting(installation: Installation, found: Database, *, address: str) -> tuple[str, ...]:
    """Ready tokens of a claims handler, a partner insurer and a customer, each with a link and a request to paste."""
    lines = []
    for title, role, purpose, query in GREETINGS:
        wanted = Wanted(role=role, purposes=(purpose,), categories=to_bits(set(Category)))
        # Uvicorn's loop runs in this thread: the lookup needs one of its own.
        try:
            with ThreadPoolExecutor(1) as thread:
                token, _ = thread.submit(asyncio.run, _mint(installation, found, wanted)).result()
        except UnknownCallerError:
            continue  # no insurer may have a valid agreement left, and the server answers all the same
        body = json.dumps({"query": " ".join(query.split())})
        # A fragment stays in the browser: neither this server nor a log on the way sees the token.
        fragment = urlencode({"token": token, "purpose": purpose.value, "query": query})
        lines += [
            "",
            f"{title}: {token}",
            f"GraphiQL: {address}/graphql#{fragment}",
            f"curl -s {address}/graphql -H 'Content-Type: application/json' \\",
            f"  -H 'Authorization: Bearer {token}' \\",
            f"  -d '{body}'",
        ]
    return tuple(lines)


def accept_token(parser: argparse.ArgumentParser) -> None:
    """Declare `token`'s arguments."""
    parser.set_defaults(act=_token, only="Tokens are minted from the command line")
    parser.add_argument("--role", type=Role, choices=list(Role), required=True)
    parser.add_argument("--org", metavar="CODE", help="a partner's organization; by default the first of its kind")
    parser.add_argument("--user", metavar="USERNAME", help="a person's or a member of staff's; by default the first")
    parser.add_argument("--purpose", type=Purpose, choices=list(Purpose), nargs="+", action="extend", required=True)
    parser.add_argument(
        "--category", type=Category, choices=list(Category), nargs="*", action="extend", help="by default all"
    )


async def _token(arguments: argparse.Namespace, installation: Installation, found: Database) -> Done:
    """An access token for demo data. Raises InstallationError, UnknownCallerError."""
    categories = set(Category) if arguments.category is None else set(arguments.category)
    wanted = Wanted(
        role=arguments.role,
        purposes=tuple(dict.fromkeys(arguments.purpose)),
        categories=to_bits(categories),
        organization=arguments.org,
        username=arguments.user,
    )
    await prepare_demo(installation, found)
    token, subject = await _mint(installation, found, wanted)
    return Done({"token": token}, token, {"token": subject.token_id})


async def _mint(installation: Installation, found: Database, wanted: Wanted) -> tuple[str, Subject]:
    keyring = load_or_create(installation.keyring_path, demo=installation.demo)
    connection = await connect_once(found.owner)
    try:
        subject = await find_caller(connection, wanted, keyring=keyring)
    finally:
        await connection.close()
    keys = TokenKeys.load_or_create(installation.token_keys_path, demo=installation.demo)
    return mint(keys, subject, now=utc_now()), subject
