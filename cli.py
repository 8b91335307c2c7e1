"""The command line: `scripts/needful COMMAND`. Exit 0 done, 1 refused or failed, 2 usage."""

import argparse
import asyncio
import errno
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO, cast
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
import uvicorn
from starlette.applications import Starlette

from authz.callers import UnknownCallerError, Wanted, find_caller
from authz.default_rules import read_necessity
from authz.rules import RulesetError
from authz.tokens import TokenKeys, mint, utc_now
from models.database import connect, migrate
from models.demo.load import DemoRefused, LoadReport, load_demo
from models.embedded import Database, database
from models.installation import Installation, InstallationError, open_installation
from models.vocabulary import Category, Purpose, Role, to_bits
from resolvers.situations import Example, Finder
from resolvers.wards import wards_of
from vault.keyring import KeyringError, load_or_create
from vault.sealing import KeyCache

DEFAULT_PORT = 8000
LAST_PORT = 65_535
LOOPBACK = ("127.0.0.1", "::1", "localhost")
DEMO_PEOPLE = 1_000
DEMO_SEED = 1
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
REFUSALS = (InstallationError, UnknownCallerError, DemoRefused, KeyringError, RulesetError)
"""What a command may end with by design; its text is one sentence for whoever typed the command."""

_SHUTDOWN_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, one line of help, what it accepts and what it does."""

    name: str
    summary: str
    run: Callable[[argparse.Namespace, Installation], int]
    accept: Callable[[argparse.ArgumentParser], object] = lambda _: None


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse's way to answer --help and mistakes
        return int(stop.code or 0)
    try:
        code: int = arguments.run(arguments, open_installation(os.environ))
    except REFUSALS as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    # Accepted before the command and after it; unset in the second place, it must not undo the first.
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    parser = argparse.ArgumentParser(prog="needful", description=__doc__, parents=[shared])
    parser.set_defaults(json=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        inner = commands.add_parser(command.name, help=command.summary, parents=[shared])
        inner.set_defaults(run=command.run)
        command.accept(inner)
    return parser


def _accept_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="0 takes any free one")
    # Plain HTTP for this machine only: the outside is for a proxy that speaks TLS.
    parser.add_argument("--host", choices=LOOPBACK, default=LOOPBACK[0])


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > LAST_PORT:
        message = f"a port is a number from 0 to {LAST_PORT}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def serve(arguments: argparse.Namespace, installation: Installation) -> int:
    """Serve until told to stop."""
    with _reserve(arguments.host, arguments.port) as reserved:
        address = _address(reserved)
        with database(installation, lasting=True) as found:
            asyncio.run(_prepare(installation, found))
            greet = partial(_greet, installation, found, address=address, as_json=arguments.json)
            _run_server(installation, found, reserved=reserved, on_ready=greet)
    return 0


def _reserve(host: str, port: int) -> socket.socket:
    """Bind the port before anything slow happens; nobody can connect until the server listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    reserved = socket.socket(family, socket.SOCK_STREAM)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        reserved.bind((host, port))
    except OSError as error:
        reserved.close()
        message = f"Port {port} of {host} cannot be used ({error.strerror}): choose another with --port."
        raise InstallationError(message) from None
    return reserved


def _address(reserved: socket.socket) -> str:
    host, port = reserved.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _prepare(installation: Installation, found: Database) -> None:
    await migrate(found)
    if installation.demo:
        await _load_demo_once(installation, found)


async def _load_demo_once(installation: Installation, found: Database) -> None:
    """Load demo data into a database that holds none of anything."""
    owner = await _owner(found)
    try:
        if not await owner.fetchval("SELECT EXISTS (SELECT FROM demo_load) OR EXISTS (SELECT FROM person)"):
            keyring = load_or_create(installation.keyring_path)
            await load_demo(owner, keyring=keyring, people=DEMO_PEOPLE, seed=DEMO_SEED, progress=_progress(DEMO_PEOPLE))
    finally:
        await owner.close()


async def _owner(found: Database) -> Any:  # noqa: ANN401 - asyncpg
    who = found.owner
    return await asyncpg.connect(
        host=who.host,
        port=who.port,
        user=who.user,
        password=who.password or None,
        database=who.database,
        ssl=cast("Any", who.sslmode),
    )


def _progress(people: int) -> Callable[[int], None]:
    def tell(done: int) -> None:
        print(f"demo data: {done} of {people} people", file=sys.stderr, flush=True)

    return tell


class _Server(uvicorn.Server):
    """Uvicorn that says when it accepts connections."""

    def __init__(self, config: uvicorn.Config, *, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()


def server_config(app: Starlette, *, port: int = 0) -> uvicorn.Config:
    """How an application is served; what is measured beside it is served alike."""
    return uvicorn.Config(
        app,
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )


def _run_server(
    installation: Installation, found: Database, *, reserved: socket.socket, on_ready: Callable[[], None]
) -> None:
    # Only the server needs the schema: without it a command starts several times as fast.
    from app import Settings, build_app  # noqa: PLC0415

    config = server_config(build_app(installation, found, Settings.read(os.environ)))
    try:
        _Server(config, on_ready=on_ready).run(sockets=[reserved])
    except KeyboardInterrupt:
        return  # uvicorn has shut down and passes the signal on
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        message = "Another server took the port while this one started: choose another with --port."
        raise InstallationError(message) from None


def _greet(installation: Installation, found: Database, *, address: str, as_json: bool) -> None:
    lines = demo_greeting(installation, found, address=address) if installation.demo else ()
    if as_json:
        print(json.dumps({"address": address, "graphiql": f"{address}/graphql", "demo": lines}), flush=True)
        return
    print(f"Needful is ready. GraphiQL: {address}/graphql", *lines, sep="\n", flush=True)


def demo_greeting(installation: Installation, found: Database, *, address: str) -> tuple[str, ...]:
    """Ready tokens of a claims handler, a partner insurer and a customer, each with a link and a request to paste."""
    lines = []
    for title, role, purpose, query in GREETINGS:
        wanted = Wanted(role=role, purposes=(purpose,), categories=to_bits(set(Category)))
        # Uvicorn's loop runs in this thread: the lookup needs one of its own.
        with ThreadPoolExecutor(1) as thread:
            token = thread.submit(asyncio.run, _mint(installation, found, wanted)).result()
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


async def _mint(installation: Installation, found: Database, wanted: Wanted) -> str:
    keyring = load_or_create(installation.keyring_path)
    connection = await _owner(found)
    try:
        subject = await find_caller(connection, wanted, keyring=keyring)
    finally:
        await connection.close()
    return mint(TokenKeys.load_or_create(installation.token_keys_path), subject, now=utc_now())


def _accept_token(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role", type=Role, choices=list(Role), required=True)
    parser.add_argument("--org", metavar="CODE", help="a partner's organization; by default the first of its kind")
    parser.add_argument("--user", metavar="USERNAME", help="a person's or a member of staff's; by default the first")
    parser.add_argument("--purpose", type=Purpose, choices=list(Purpose), nargs="+", action="extend", required=True)
    parser.add_argument(
        "--category", type=Category, choices=list(Category), nargs="*", action="extend", help="by default all"
    )


def print_token(arguments: argparse.Namespace, installation: Installation) -> int:
    """Print an access token for demo data; its last line is the token alone."""
    _demo_only(installation, "Tokens are minted from the command line")
    categories = set(Category) if arguments.category is None else set(arguments.category)
    wanted = Wanted(
        role=arguments.role,
        purposes=tuple(dict.fromkeys(arguments.purpose)),
        categories=to_bits(categories),
        organization=arguments.org,
        username=arguments.user,
    )
    with database(installation) as found:
        token = asyncio.run(_mint_migrated(installation, found, wanted))
    print(json.dumps({"token": token}) if arguments.json else token)
    return 0


async def _mint_migrated(installation: Installation, found: Database, wanted: Wanted) -> str:
    await _prepare(installation, found)
    return await _mint(installation, found, wanted)


def _demo_only(installation: Installation, what: str) -> None:
    if not installation.demo:
        message = f"{what} in demo mode only: set NEEDFUL_DEMO=1 if this installation holds demo data."
        raise InstallationError(message)


def _accept_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--people", type=int, default=DEMO_PEOPLE, metavar="N")
    parser.add_argument("--seed", type=int, default=DEMO_SEED, metavar="S")
    parser.add_argument(
        "--plaintext", type=Path, metavar="FILE", help="also write every row, in the clear, as JSON lines"
    )


def load_demo_data(arguments: argparse.Namespace, installation: Installation) -> int:
    """Replace the demo data."""
    _demo_only(installation, "Demo data are loaded")
    if arguments.people < 1:
        message = "--people takes a number from 1 on."
        raise InstallationError(message)
    with database(installation) as found:
        report = asyncio.run(_replace_demo(arguments, installation, found))
    if arguments.json:
        rate = round(report.people_per_second)
        print(json.dumps({"people": report.people, "rows": report.rows, "peoplePerSecond": rate}))
    else:
        print(
            f"Loaded {report.people} people, {sum(report.rows.values())} rows: {report.people_per_second:.0f} people/s."
        )
    return 0


async def _replace_demo(arguments: argparse.Namespace, installation: Installation, found: Database) -> LoadReport:
    await migrate(found)
    keyring = load_or_create(installation.keyring_path)
    owner = await _owner(found)
    try:
        with ExitStack() as files:
            plaintext = None
            if arguments.plaintext is not None:
                plaintext = files.enter_context(_private_file(arguments.plaintext))
            return await load_demo(
                owner,
                keyring=keyring,
                people=arguments.people,
                seed=arguments.seed,
                plaintext=plaintext,
                progress=_progress(arguments.people),
            )
    finally:
        await owner.close()


def _private_file(path: Path) -> TextIO:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.fchmod(descriptor, 0o600)
        return os.fdopen(descriptor, "w", encoding="utf-8")
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}): choose another file."
        raise InstallationError(message) from None


def _accept_situations(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plaintext", action="store_true", help="also print what a full reveal would be")


def print_situations(arguments: argparse.Namespace, installation: Installation) -> int:
    """Print, for each row of the matrix, a token and rows in which just that row holds."""
    _demo_only(installation, "Situations are printed")
    with database(installation) as found:
        entries = asyncio.run(_situations(installation, found, plaintext=arguments.plaintext))
    print(json.dumps(entries, ensure_ascii=False, indent=None if arguments.json else 1))
    return 0


async def _situations(installation: Installation, found: Database, *, plaintext: bool) -> list[dict[str, Any]]:
    from app import default_snapshot  # noqa: PLC0415 - as in _run_server
    from schema.build import build_schema  # noqa: PLC0415 - as in _run_server

    await _prepare(installation, found)
    keys = KeyCache(load_or_create(installation.keyring_path))
    token_keys = TokenKeys.load_or_create(installation.token_keys_path)
    matrix = read_necessity()
    async with connect(found.application, shared=False) as pool, pool.acquire() as connection:

        async def wards(person: UUID) -> list[UUID]:
            return await wards_of(connection, person, keys=keys, now=utc_now())

        finder = Finder(connection, default_snapshot(build_schema()), matrix, keys, wards)
        entries = []
        for place, row in enumerate(matrix, start=1):
            print(f"situations: {place} of {len(matrix)}", file=sys.stderr, flush=True)
            example = await finder.example(row, categories=to_bits(set(Category)))
            if example is not None:
                entries.append(_entry(example, token_keys))
                if plaintext:
                    entries[-1]["plain"] = await finder.plain(example)
    return entries


def _entry(example: Example, keys: TokenKeys) -> dict[str, Any]:
    row = example.row
    return {
        "role": row.role.value,
        "purpose": row.purpose.value,
        "relation": row.relation,
        "basis": row.basis,
        "token": mint(keys, example.subject, now=utc_now()),
        **{name: global_id for name, (global_id, _) in example.rows.items()},
    }


def migrate_database(arguments: argparse.Namespace, installation: Installation) -> int:
    """Bring the database up to date."""
    with database(installation) as found:
        asyncio.run(migrate(found))
    print(json.dumps({"migrated": True}) if arguments.json else "The database is up to date.")
    return 0


COMMANDS = (
    Command("serve", "start the server", serve, _accept_serve),
    Command("token", "print an access token for demo data", print_token, _accept_token),
    Command("demo", "replace the demo data", load_demo_data, _accept_demo),
    Command("situations", "print an example of every row of the matrix", print_situations, _accept_situations),
    Command("migrate", "bring the database up to date", migrate_database),
)


if __name__ == "__main__":
    # A service manager's stop is as orderly as Ctrl-C: what was opened is closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
