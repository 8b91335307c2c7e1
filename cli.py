"""The command line: `scripts/needful COMMAND`. Exit 0 done, 1 refused or failed, 2 usage."""

import argparse
import asyncio
import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlencode
from uuid import UUID

from graphql import GraphQLSchema

from authz.callers import UnknownCallerError, Wanted, find_caller
from authz.commands import Call, Done, OperatorRefusedError
from authz.default_rules import read_necessity
from authz.oauth.partner_commands import accept_partner
from authz.oidc.commands import accept_role_mapping
from authz.rules import RulesetError
from authz.staff_commands import accept_account, accept_staff
from authz.token_key_commands import accept_token_keys, rotate_keys
from authz.token_keys import TokenKeys
from authz.tokens import mint, utc_now
from models.database import connect, connect_once, migrate
from models.demo.load import DemoRefused, LoadReport, load_demo
from models.embedded import Database, database
from models.installation import Installation, InstallationError, open_installation
from models.vocabulary import Category, Purpose, Role, to_bits
from resolvers.registered_commands import accept_operations
from resolvers.serving.listening import PROXIES, TLS_CERT, TLS_KEY, WORKERS, read_listening, reserve
from resolvers.serving.startup import check_database, check_demo, check_settings, make_keys
from resolvers.serving.workers import supervise
from resolvers.situations import Example, Finder
from resolvers.wards import wards_of
from vault.keyring import KeyringError, load_or_create
from vault.sealing import KeyCache

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
LAST_PORT = 65_535
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
REFUSALS = (
    InstallationError,
    UnknownCallerError,
    DemoRefused,
    KeyringError,
    RulesetError,
    OperatorRefusedError,
)
"""What a command may end with by design; its text is one sentence for whoever typed the command."""
_NOBODY_READS = (errno.EPIPE, errno.ENOSPC)


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, one line of help, what it accepts and what it does."""

    name: str
    summary: str
    run: Callable[[argparse.Namespace, Installation], int]
    accept: Callable[[argparse.ArgumentParser], object] = lambda _: None


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    words = sys.argv[1:] if argv is None else argv
    if not all(_is_text(word) for word in words):
        print("An argument is not text in UTF-8: type it anew.", file=sys.stderr)
        return 2
    try:
        arguments = _parser().parse_args(words)
    except SystemExit as stop:  # argparse's way to answer --help and mistakes
        return int(stop.code or 0)
    # A terminal that has no sign for a letter shows another one, rather than ending what is half done.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code: int = arguments.run(arguments, open_installation(os.environ))
        sys.stdout.flush()
    except REFUSALS as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    except OSError as error:
        if error.errno not in _NOBODY_READS:
            raise
        # Python would flush once more at its end, and say so.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"The result could not be written ({error.strerror}).", file=sys.stderr)
        return 1
    return code


def _is_text(word: str) -> bool:
    """Is it text that can be stored? What was not UTF-8 arrives as lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in word)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="needful", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        inner = commands.add_parser(command.name, help=command.summary)
        # Accepted here too; unset in this place, it must not undo the first.
        inner.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
        inner.set_defaults(run=command.run)
        command.accept(inner)
    return parser


def _accept_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="0 takes any free one")
    parser.add_argument(
        "--host", default=DEFAULT_HOST, help="another than this machine's own needs one of the next two"
    )
    parser.add_argument("--tls-cert", metavar="FILE", help="certificate chain in PEM; with --tls-key")
    parser.add_argument("--tls-key", metavar="FILE", help="its key in PEM, unencrypted")
    parser.add_argument("--forwarded-allow-ips", metavar="LIST", help="proxies whose X-Forwarded headers count")
    parser.add_argument("--workers", metavar="N", help="serving processes (default 1)")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > LAST_PORT:
        message = f"a port is a number from 0 to {LAST_PORT}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def serve(arguments: argparse.Namespace, installation: Installation) -> int:
    """Serve until told to stop."""
    named = {TLS_CERT: arguments.tls_cert, TLS_KEY: arguments.tls_key, WORKERS: arguments.workers}
    named[PROXIES] = arguments.forwarded_allow_ips
    environ = {**os.environ, **{name: text for name, text in named.items() if text is not None}}
    listening = read_listening(environ, host=arguments.host, port=arguments.port)
    check_settings(installation, environ)
    # Only the server needs the schema: without it a command starts several times as fast.
    import app  # noqa: PLC0415

    with reserve(listening) as reserved:
        address = reserved.address
        settings = app.Settings.read({"NEEDFUL_PUBLIC_URL": address, **environ}, workers=listening.workers)
        with database(installation, lasting=True) as found:
            asyncio.run(_prepare(installation, found))
            asyncio.run(check_database(installation, found))
            make_keys(installation)
            greet = partial(_greet, installation, found, address=address, as_json=arguments.json)
            work = partial(app.serve, installation, found, settings, reserved)
            if listening.workers == 1:
                work(greet)
            else:
                supervise(work, workers=listening.workers, on_ready=greet)
    return 0


async def _prepare(installation: Installation, found: Database) -> None:
    """Bring the database up to date; in demo mode, load demo data into one that holds none of anything."""
    await migrate(found)
    if not installation.demo:
        return
    owner = await connect_once(found.owner)
    try:
        await check_demo(installation, owner)
        if not await owner.fetchval("SELECT EXISTS (SELECT FROM demo_load) OR EXISTS (SELECT FROM person)"):
            keyring = load_or_create(installation.keyring_path, demo=installation.demo)
            await load_demo(owner, keyring=keyring, people=DEMO_PEOPLE, seed=DEMO_SEED, progress=_progress(DEMO_PEOPLE))
    finally:
        await owner.close()


def _progress(people: int) -> Callable[[int], None]:
    def tell(done: int) -> None:
        print(f"demo data: {done} of {people} people", file=sys.stderr, flush=True)

    return tell


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
        try:
            with ThreadPoolExecutor(1) as thread:
                token = thread.submit(asyncio.run, _mint(installation, found, wanted)).result()
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


async def _mint(installation: Installation, found: Database, wanted: Wanted) -> str:
    keyring = load_or_create(installation.keyring_path, demo=installation.demo)
    connection = await connect_once(found.owner)
    try:
        subject = await find_caller(connection, wanted, keyring=keyring)
    finally:
        await connection.close()
    return mint(TokenKeys.load_or_create(installation.token_keys_path, demo=installation.demo), subject, now=utc_now())


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
    owner = await connect_once(found.owner)
    try:
        await check_demo(installation, owner)
        keyring = load_or_create(installation.keyring_path, demo=installation.demo)
        with _private_file(arguments.plaintext) as plaintext:
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


@contextmanager
def _private_file(path: Path | None) -> Iterator[TextIO | None]:
    """A file for its owner only, in place of an earlier one once the block has succeeded."""
    if path is None:
        yield None
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        stream = os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}): choose another file."
        raise InstallationError(message) from None
    try:
        with stream:
            yield stream
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


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
    from app import default_snapshot  # noqa: PLC0415 - as in serve
    from schema.build import build_schema  # noqa: PLC0415 - as in serve

    await _prepare(installation, found)
    keys = KeyCache(load_or_create(installation.keyring_path, demo=installation.demo))
    token_keys = TokenKeys.load_or_create(installation.token_keys_path, demo=installation.demo)
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
        make_keys(installation)
    print(json.dumps({"migrated": True}) if arguments.json else "The database is up to date.")
    return 0


def administer(arguments: argparse.Namespace, installation: Installation) -> int:
    """Run a subcommand as the owner of the database, once that is up to date."""
    with database(installation) as found:
        _print_done(asyncio.run(_act(arguments, installation, found)), arguments)
    return 0


async def _act(arguments: argparse.Namespace, installation: Installation, found: Database) -> Done:
    await _prepare(installation, found)
    keyring = load_or_create(installation.keyring_path, demo=installation.demo)
    owner = await connect_once(found.owner)
    try:
        done: Done = await arguments.act(Call(owner, arguments, keyring, utc_now(), installation.demo))
    finally:
        await owner.close()
    return done


def rotate_token_keys(arguments: argparse.Namespace, installation: Installation) -> int:
    """Sign tokens with a new key."""
    path, demo = installation.token_keys_path, installation.demo
    _print_done(rotate_keys(path, demo=demo, at_once=arguments.now, now=utc_now()), arguments)
    return 0


def _print_done(done: Done, arguments: argparse.Namespace) -> None:
    print(json.dumps(done.data, ensure_ascii=False) if arguments.json else done.text)


def _schema() -> GraphQLSchema:
    from schema.build import build_schema  # noqa: PLC0415 - as in serve

    return build_schema()


COMMANDS = (
    Command("serve", "start the server", serve, _accept_serve),
    Command("token", "print an access token for demo data", print_token, _accept_token),
    Command("demo", "replace the demo data", load_demo_data, _accept_demo),
    Command("situations", "print an example of every row of the matrix", print_situations, _accept_situations),
    Command("partner", "agreements, clients and keys of partners", administer, accept_partner),
    Command("staff", "who works here", administer, accept_staff),
    Command("account", "a customer's login", administer, accept_account),
    Command("operations", "what anonymous callers may run", administer, partial(accept_operations, schema=_schema)),
    Command("token-keys", "rotate the keys that sign tokens", rotate_token_keys, accept_token_keys),
    Command("role-mapping", "roles by claims of the OpenID Connect issuer", administer, accept_role_mapping),
    Command("migrate", "bring the database up to date", migrate_database),
)


if __name__ == "__main__":
    # A service manager's stop is as orderly as Ctrl-C: what was opened is closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
