"""The command line: `scripts/needful COMMAND`. Exit 0 done, 1 refused or failed, 2 usage."""

import argparse
import asyncio
import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import TextIOWrapper
from typing import Any

from graphql import GraphQLSchema

from authz.callers import UnknownCallerError
from authz.catalogue import Catalogue
from authz.command_rows import recorded
from authz.commands import Act, Call, Done, OperatorRefusedError
from authz.compile import Snapshot
from authz.glass_commands import accept_glass
from authz.lapses import Lapses
from authz.law import Law
from authz.oauth.partner_commands import accept_partner
from authz.oidc.commands import accept_role_mapping
from authz.review_commands import accept_access
from authz.rules import RulesetError
from authz.rulesets import in_force_now, wait_everywhere
from authz.staff_commands import accept_account, accept_staff
from authz.token_key_commands import accept_token_keys, rotate_keys
from authz.tokens import utc_now
from authz.workbench.commands import accept_rules, reads_files_alone
from ledger.supervisor import sealer_beside
from models.database import connect_once
from models.demo.load import DemoRefused
from models.embedded import Database, database
from models.faults import NO_ANSWER
from models.installation import Installation, InstallationError, open_installation
from models.logs import configure
from privacy.bring_up import bring_back, bring_up
from privacy.bundles import bundle_of, bundle_told
from privacy.calendar_commands import accept_calendar
from privacy.ceasing_commands import accept_ceasing
from privacy.disclosure_commands import accept_disclosures
from privacy.duty_commands import accept_duties
from privacy.guardian_commands import accept_guardians
from privacy.incident_commands import accept_incidents
from privacy.job_commands import accept_jobs
from privacy.key_commands import accept_keys
from privacy.minor_commands import accept_minors
from privacy.notice_commands import accept_notices
from privacy.receipt_commands import accept_receipt
from privacy.receipt_commands import rotate as rotate_receipt_keys
from privacy.receipt_commands import verify as verify_receipt
from privacy.relay_commands import accept_relays
from privacy.retention_commands import accept_holds, accept_orders, accept_retention
from privacy.rights_commands import accept_rights
from privacy.scheduling import accept_scheduler, scheduler_alone, scheduler_beside
from privacy.tag_commands import accept_tags
from privacy.tombstone_commands import accept_tombstones
from resolvers.demo_commands import accept_demo, accept_situations, demo_only, prepare_demo
from resolvers.demo_tokens import accept_token, demo_greeting
from resolvers.documents import Documents
from resolvers.impact_commands import accept_impact, proposed_with
from resolvers.ledger_commands import accept_ledger
from resolvers.operating.metrics_folder import metrics_folder
from resolvers.operating.metrics_token import metrics_token
from resolvers.preview_commands import accept_preview
from resolvers.previews import Previewer
from resolvers.product_commands import accept_product
from resolvers.registered_commands import accept_operations
from resolvers.serving.listening import PROXIES, TLS_CERT, TLS_KEY, WORKERS, read_listening, reserve
from resolvers.serving.settings import Settings
from resolvers.serving.startup import check_database, check_settings, make_keys
from resolvers.serving.workers import supervise
from vault.keyring import KeyringError, load_or_create

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
LAST_PORT = 65_535
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
        configure(os.environ)
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
        inner.set_defaults(run=command.run, command=command.name)
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
        settings = Settings.read({"NEEDFUL_PUBLIC_URL": address, **environ}, workers=listening.workers)
        with (
            database(installation, lasting=True) as found,
            sealer_beside(installation, found, environ) as start_sealer,
            scheduler_beside(installation, found, environ) as start_scheduler,
        ):
            asyncio.run(_prepare(installation, found))
            asyncio.run(check_database(installation, found))
            make_keys(installation)

            def ready() -> None:
                _greet(installation, found, address=address, as_json=arguments.json)
                start_sealer()
                start_scheduler()

            with metrics_folder(installation.root) as folder:
                work = partial(app.serve, installation, found, settings, reserved, folder)
                if listening.workers == 1:
                    work(ready)
                else:
                    supervise(work, workers=listening.workers, on_ready=ready)
    return 0


async def _prepare(installation: Installation, found: Database, *, lost: bool = False) -> None:
    """Bring the database up to date; in demo mode, load demo data into one that holds none of anything."""
    if installation.demo:
        await prepare_demo(installation, found)
    else:
        await bring_up(found, now=utc_now())
    if not lost:
        await bring_back(installation, found, now=utc_now())


def _greet(installation: Installation, found: Database, *, address: str, as_json: bool) -> None:
    lines = demo_greeting(installation, found, address=address) if installation.demo else ()
    if as_json:
        print(json.dumps({"address": address, "graphiql": f"{address}/graphql", "demo": lines}), flush=True)
        return
    print(f"Needful is ready. GraphiQL: {address}/graphql", *lines, sep="\n", flush=True)


def migrate_database(arguments: argparse.Namespace, installation: Installation) -> int:
    """Bring the database up to date."""

    async def act(_: Call) -> Done:
        make_keys(installation)
        return Done({"migrated": True}, "The database is up to date.")

    with database(installation) as found:
        # In demo mode too, no data are loaded by it.
        asyncio.run(bring_up(found, now=utc_now()))
        _print_done(asyncio.run(_recorded(arguments, installation, found, act, beside=True)), arguments)
    return 0


def schedule(_: argparse.Namespace, installation: Installation) -> int:
    """Do what is due by the timetable, on a host without a server, until told to stop."""
    with database(installation) as found:
        asyncio.run(_prepare(installation, found))
        scheduler_alone(installation, found, os.environ)
    return 0


def administer(
    arguments: argparse.Namespace, installation: Installation, *, beside: bool = False, lost: bool = False
) -> int:
    """Run a subcommand as the owner of the database, once that is up to date.

    `beside`: it changes a file. `lost`: it sees to what has been lost, which does not stop it.
    """
    with database(installation) as found:
        done = asyncio.run(_act(arguments, installation, found, beside=beside, lost=lost))
        _print_done(done, arguments)
    return int(done.wrong)


async def _act(
    arguments: argparse.Namespace, installation: Installation, found: Database, *, beside: bool, lost: bool
) -> Done:
    await _prepare(installation, found, lost=lost)
    return await _recorded(arguments, installation, found, arguments.act, beside=beside)


async def _recorded(
    arguments: argparse.Namespace, installation: Installation, found: Database, act: Act, *, beside: bool = False
) -> Done:
    """Do it on the owner's connection, with the command's row in the ledger."""
    keyring = load_or_create(installation.keyring_path, demo=installation.demo)
    owner = await connect_once(found.owner)
    try:
        call = Call(owner, arguments, keyring, utc_now(), installation)
        done = await recorded(owner, arguments, partial(act, call), clock=utc_now, beside=beside)
        if done.published is not None:
            await _wait_everywhere(owner, done.published)
        return done
    finally:
        await owner.close()


async def _wait_everywhere(owner: Any, number: int) -> None:  # noqa: ANN401 - asyncpg's connection
    """Wait until every worker answers by what has been published, and say so where some do not yet."""
    # It is done, whatever comes of waiting.
    with suppress(*NO_ANSWER):
        found = await wait_everywhere(owner, number)
        if not found.complete:
            said = f"{found.confirmed} of {found.live} live workers answer by ruleset {number} so far"
            print(f"{said}: look at /readyz and the log of the others.", file=sys.stderr)


def run_in_demo(arguments: argparse.Namespace, installation: Installation) -> int:
    """Run a command that demo mode alone has."""
    demo_only(installation, arguments.only)

    async def act(_: Call) -> Done:
        done: Done = await arguments.act(arguments, installation, found)
        return done

    with database(installation) as found:
        _print_done(asyncio.run(_recorded(arguments, installation, found, act)), arguments)
    return 0


def print_published(arguments: argparse.Namespace, _: Installation) -> int:
    """Print the schema that this release serves."""
    from schema.build import published  # noqa: PLC0415 - as in serve

    text = published()
    print(json.dumps({"schema": text}, ensure_ascii=False) if arguments.json else text)
    return 0


def print_bundle(arguments: argparse.Namespace, _: Installation) -> int:
    """Print what the law in force asks for, with every member."""
    told = bundle_told(bundle_of(os.environ))
    print(json.dumps(told, ensure_ascii=False, indent=None if arguments.json else 2))
    return 0


def rotate_token_keys(arguments: argparse.Namespace, installation: Installation) -> int:
    """Sign tokens with a new key."""

    async def act(call: Call) -> Done:
        path, demo = installation.token_keys_path, installation.demo
        return rotate_keys(path, demo=demo, at_once=arguments.now, now=call.now)

    arguments.act = act
    return administer(arguments, installation, beside=True)


def receipt(arguments: argparse.Namespace, installation: Installation) -> int:
    """Verify a consent receipt, for which no database is needed; or sign with a new key."""
    path = installation.receipt_keys_path
    if arguments.subcommand == "verify":
        done = verify_receipt(arguments, path)
        _print_done(done, arguments)
        return int(done.wrong)

    async def act(_: Call) -> Done:
        return rotate_receipt_keys(path, demo=installation.demo)

    arguments.act = act
    return administer(arguments, installation, beside=True)


def print_metrics_token(arguments: argparse.Namespace, installation: Installation) -> int:
    """Print what whoever reads the metrics shows."""

    async def act(_: Call) -> Done:
        token = metrics_token(installation.metrics_token_path)
        return Done({"token": token}, token)

    arguments.act = act
    return administer(arguments, installation, beside=True)


def _print_done(done: Done, arguments: argparse.Namespace) -> None:
    print(json.dumps(done.data, ensure_ascii=False) if arguments.json else done.text)


def _schema() -> GraphQLSchema:
    from schema.build import build_schema  # noqa: PLC0415 - as in serve

    return build_schema()


def _planning() -> tuple[Previewer, Catalogue]:
    from schema.build import build_catalogue  # noqa: PLC0415 - as in serve

    schema = _schema()
    return Previewer(schema, Documents(schema), Lapses(), utc_now), build_catalogue(schema)


def rules(arguments: argparse.Namespace, installation: Installation) -> int:
    """Run a subcommand of `rules`; one that looks at a folder alone needs no database."""
    if not reads_files_alone(arguments):
        return administer(arguments, installation)
    done = arguments.alone(arguments)
    _print_done(done, arguments)
    return int(done.wrong)


def _catalogue() -> Catalogue:
    from schema.build import build_catalogue  # noqa: PLC0415 - as in serve

    return build_catalogue(_schema())


async def _snapshot(connection: Any) -> Snapshot:  # noqa: ANN401 - asyncpg's connection
    return await in_force_now(connection, _catalogue(), now=utc_now(), law=_law())


def _law() -> Law:
    return bundle_of(os.environ).law


COMMANDS = (
    Command("serve", "start the server", serve, _accept_serve),
    Command("retention", "how long data are kept and why; erase what is not", administer, accept_retention),
    Command("holds", "legal holds: what must not be erased", administer, accept_holds),
    Command("orders", "orders to erase, and carrying them out", administer, accept_orders),
    Command("token", "print an access token for demo data", run_in_demo, accept_token),
    Command("demo", "replace the demo data", run_in_demo, accept_demo),
    Command(
        "situations",
        "print an example of every row of the matrix",
        run_in_demo,
        partial(accept_situations, snapshot=_snapshot),
    ),
    Command("partner", "agreements, clients and keys of partners", administer, accept_partner),
    Command(
        "relays",
        "virtual numbers of recipients of marketing",
        administer,
        partial(accept_relays, environ=os.environ),
    ),
    Command("tags", "what campaigns meet people by", administer, accept_tags),
    Command("staff", "who works here", administer, accept_staff),
    Command("account", "a customer's login", administer, accept_account),
    Command("product", "what is sold, and which data each product needs", administer, accept_product),
    Command("operations", "documents registered by hash", administer, partial(accept_operations, schema=_schema)),
    Command(
        "preview",
        "what an operation would be shown, for the CI of a client",
        administer,
        partial(accept_preview, planning=_planning, law=_law),
    ),
    Command("receipt", "whether a consent receipt is genuine; new keys to sign with", receipt, accept_receipt),
    Command("token-keys", "rotate the keys that sign tokens", rotate_token_keys, accept_token_keys),
    Command("metrics-token", "print the token that reads /metrics", print_metrics_token),
    Command("role-mapping", "roles by claims of the OpenID Connect issuer", administer, accept_role_mapping),
    Command(
        "access", "who may see what, and whether they use it", administer, partial(accept_access, snapshot=_snapshot)
    ),
    Command(
        "rules",
        "the rules workbench: check, cases, difference, impact, files; drafts, reviews, publications",
        rules,
        partial(
            accept_rules,
            snapshot=_snapshot,
            catalogue=_catalogue,
            law=_law,
            report=partial(proposed_with, planning=_planning),
            more=(partial(accept_impact, planning=_planning),),
        ),
    ),
    Command(
        "glass",
        "more than the rules show, for somebody, for some minutes",
        administer,
        partial(accept_glass, snapshot=_snapshot),
    ),
    Command("bundle", "what the law that NEEDFUL_BUNDLE names asks for: bases, ages, periods", print_bundle),
    Command("notices", "versions of the privacy policy, and impact assessments", administer, accept_notices),
    Command("disclosures", "disclosure cases, and what left under each", administer, accept_disclosures),
    Command("guardians", "who is whose guardian: requests, verification, revocation", administer, accept_guardians),
    Command("rights", "requests of people about their own data: due, and in whose hands", administer, accept_rights),
    Command("calendar", "working days: the years that are announced, and a year's notice", administer, accept_calendar),
    Command("minors", "minors whose data are held without a guardian's consent", administer, accept_minors),
    Command("duties", "what the operator has to do again and again: due, overdue, done", administer, accept_duties),
    Command(
        "incidents",
        "breaches and drills: whom they befell, the report, the letters",
        administer,
        partial(accept_incidents, catalogue=_catalogue),
    ),
    Command("ceasing", "cease operations: two officers say so, and nothing is collected", administer, accept_ceasing),
    Command("scheduler", "do what is due by the timetable, beside no server", schedule, accept_scheduler),
    Command("jobs", "what is done by the timetable: list, run one now, history", administer, accept_jobs),
    Command("keys", "the keys that wrap every data key: status, rotation, retirement", administer, accept_keys),
    Command(
        "tombstones",
        "whose data have been erased: after a restore, and after a loss",
        partial(administer, lost=True),
        accept_tombstones,
    ),
    Command("schema", "print the GraphQL schema, as docs/schema.graphql has it", print_published),
    Command(
        "ledger",
        "the audit log: export, check, key, retention, index, partners, replay",
        administer,
        partial(accept_ledger, show=_print_done, environ=os.environ, snapshot=_snapshot),
    ),
    Command("migrate", "bring the database up to date", migrate_database),
)


if __name__ == "__main__":
    # A service manager's stop is as orderly as Ctrl-C: what was opened is closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
