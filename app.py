"""The composition root: settings, lifespan, routes."""

import gc
import logging
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from authz.attempts import Patience
from authz.broken_glasses import BrokenGlasses, keep_telling
from authz.budget import Disclosures
from authz.expiry import keep_forgetting
from authz.lapses import Lapses
from authz.oauth import endpoints as oauth
from authz.oauth.attestations import Attestations
from authz.oauth.metadata import Addresses
from authz.oauth.server import AuthorizationServer
from authz.oidc.issuer import Issuer
from authz.passwords import Hasher
from authz.ruleset_watch import RulesetWatch
from authz.rulesets import Rulesets
from authz.sessions import Ceiling, Sessions
from authz.standing import Standing, StandingUnknownError
from authz.token_keys import KeyFile
from authz.tokens import DEMO_ISSUER, Verifier, utc_now
from authz.unused_grants import keep_looking
from console.frame import Console
from console.routes import routes as console_routes
from console.visits import Cookies
from ledger.head_keys import PublicKeys
from ledger.recorder import Connect, Recorder
from models.database import connect, connect_once
from models.embedded import Database
from models.faults import NO_ANSWER
from models.installation import Installation
from models.logs import configure
from models.read_connections import ReadConnections, read_connections
from privacy.assessments import keep_asking
from privacy.duties import officer_appointed
from privacy.minor_scan import keep_scanning
from privacy.receipt_keys import ReceiptKeyFile
from privacy.receipts import Receipts
from privacy.relay_keeping import keep_rotating
from privacy.relay_numbers import RANGE, span_of
from privacy.relays import Relays
from privacy.tombstones import Tombstones
from resolvers.authentication import Authentication
from resolvers.documents import Documents
from resolvers.endpoint import Endpoint
from resolvers.export_downloads import routes as export_routes
from resolvers.masks import DEFAULT_MASKS
from resolvers.oidc import CALLBACK, StaffLogin
from resolvers.oidc import routes as oidc_routes
from resolvers.operating.background import Work, running
from resolvers.operating.metrics_token import metrics_token
from resolvers.operating.observing import Observed, Observers
from resolvers.operating.operating import Operating, Place
from resolvers.operating.operating import routes as operating_routes
from resolvers.operating.readiness import Check, told
from resolvers.operations import Service
from resolvers.payloads import Accounts
from resolvers.previews import Previewer
from resolvers.rates import Rates
from resolvers.reading import Reader
from resolvers.receipt_downloads import routes as receipt_routes
from resolvers.registered import Registered
from resolvers.serving.direct import Direct
from resolvers.serving.listening import Reserved
from resolvers.serving.rating import Rating
from resolvers.serving.server import run
from resolvers.serving.settings import Settings
from resolvers.serving.transport import Transport
from resolvers.transparency import INCLUSION, Transparency
from resolvers.transparency import routes as transparency_routes
from resolvers.writes import HEAVY_AT_ONCE, Writer
from schema import graphiql
from schema.build import build_catalogue, build_schema
from vault.keyring import KeyringError, WrappingKeys, load_or_create
from vault.sealing import KeyCache

_log = logging.getLogger("needful.app")


def serve(  # noqa: PLR0913 - what a worker is given
    installation: Installation,
    database: Database,
    settings: Settings,
    reserved: Reserved,
    folder: Path,
    on_ready: Callable[[], None],
    number: int = 0,
) -> None:
    """Serve in this process until told to stop; `on_ready` is called once it accepts connections.

    `number` is the worker's among those of this server, `folder` where they keep their numbers together.
    """
    configure(os.environ)
    app = build_app(installation, database, settings, Place(folder, number))
    run(stacked(app, settings), reserved, on_ready=on_ready)


def stacked(app: Starlette, settings: Settings) -> Direct:
    """The application with everything that stands before it."""
    https = settings.public_url.startswith("https://")
    secured = Transport(Rating(app, lambda: app.state.rates), https=https)

    def observers() -> Observers:
        found: Observers = app.state.operating.observers
        return found

    return Direct(Observed(secured, observers), lambda: app.state.endpoint, observers, https=https)


def build_app(installation: Installation, database: Database, settings: Settings, place: Place) -> Starlette:
    """The application over one installation and database."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with (
            connect(database.application, min_size=2, max_size=settings.pool_size) as pool,
            read_connections(pool, size=settings.pool_size) as reading,
            AsyncExitStack() as closing,
        ):
            key_file = KeyFile(installation.token_keys_path, demo=installation.demo)
            own = partial(connect_once, database.application)
            service = build_service(installation, pool, settings, key_file, connect=own, reading=reading)
            recorder = service.recorder
            closing.push_async_callback(recorder.close)
            with suppress(*NO_ANSWER):
                await recorder.start()
            verifier = Verifier(key_file.keys, issuers=_issuers(installation, settings))
            rulesets = RulesetWatch(service.rulesets, own)
            closing.push_async_callback(rulesets.close)
            await rulesets.begin()
            attested = Attestations()
            standing = Standing(own, service.lapses.learn, service.glasses.learn, attested.learn, lacks=attested.lacks)
            closing.push_async_callback(standing.close)
            addresses = Addresses(settings.public_url)
            authentication = Authentication(verifier, standing, utc_now, pool, addresses.api)
            app.state.authorization_server = AuthorizationServer(
                pool, lambda: key_file.keys, verifier, standing, addresses, utc_now, installation.demo, recorder
            )
            app.state.receipts = service.reader.receipts
            app.state.rates = rates = Rates(settings.rates, own)
            closing.push_async_callback(rates.close)
            app.state.endpoint = Endpoint(service, authentication, rates, rulesets, settings.partial_status)
            app.state.console = Console(
                app.state.endpoint,
                service.accounts.sessions,
                lambda: getattr(app.state, "staff_login", None),
                Cookies(service.keyring.login, settings.public_url),
                utc_now,
                installation.demo,
            )
            app.state.transparency = Transparency(
                pool,
                PublicKeys(installation.ledger_key_path),
                replace(authentication, address=settings.public_url + INCLUSION),
                service.recorder,
                utc_now,
            )
            if settings.oidc:
                issuer = Issuer(settings.oidc, redirect_uri=settings.public_url + CALLBACK)
                closing.push_async_callback(issuer.close)
                app.state.staff_login = _staff_login(service, settings, issuer)
            rereading, wrapping = _Rereading(key_file, verifier), service.keyring.wrapping
            app.state.operating = operating = Operating.over(
                settings.operating,
                place,
                recorder=recorder,
                pool=pool,
                reading=reading,
                checks=_checks(standing, rereading, rulesets, wrapping, pool),
                paths=frozenset(route.path for route in routes if isinstance(route, Route)),
                token=metrics_token(installation.metrics_token_path),
                clock=utc_now,
            )
            service.reader.disclosures.sound = operating.alarms.sound
            operating.begin(service.snapshot().ruleset)
            closing.push_async_callback(operating.end, service.snapshot)
            spare_the_collector()
            days, sound = settings.grant_days_of(demo=installation.demo), operating.alarms.sound
            tasks: dict[str, Work] = {
                "standing": partial(standing.watch, rereading, wrapping.refresh),
                "rulesets": partial(rulesets.keep, sound),
                "expiry": partial(keep_forgetting, pool),
                "keys": service.reader.keys.keep_turning,
                "watch": operating.watch.keep,
                "glass": partial(keep_telling, pool, clock=utc_now, sound=sound),
                "notices": partial(keep_asking, pool, clock=utc_now, sound=sound),
                "grants": partial(keep_looking, pool, service.snapshot, days=days, clock=utc_now, sound=sound),
                "minors": partial(
                    keep_scanning, pool, service.keyring, bundle=settings.bundle, clock=utc_now, sound=sound
                ),
            }
            relay_days = settings.relay_days_of(demo=installation.demo)
            if relay_days:
                relays = service.reader.relays
                tasks["relays"] = partial(keep_rotating, pool, relays, days=relay_days, clock=utc_now, sound=sound)
            async with AsyncExitStack() as background:
                for name, work in tasks.items():
                    await background.enter_async_context(running(name, work, sound))
                yield

    routes = [
        Route("/graphql", _graphql, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]),
        graphiql.ASSETS,
        *oauth.routes(),
        *(oidc_routes() if settings.oidc else ()),
        *transparency_routes(),
        *receipt_routes(),
        *export_routes(),
        *operating_routes(),
        *console_routes(),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    # A redirect would repeat the Host header, which anybody may have written.
    app.router.redirect_slashes = False
    app.state.demo = installation.demo
    return app


def _checks(
    standing: Standing,
    rereading: "_Rereading",
    rulesets: RulesetWatch,
    wrapping: WrappingKeys,
    pool: Any,  # noqa: ANN401 - asyncpg's pool
) -> tuple[Check, ...]:
    """What readiness looks at here: what a worker cannot answer rightly without."""

    async def ruleset() -> str | None:
        await rulesets.current()
        return rulesets.behind()

    async def database() -> str | None:
        # As a request does: a worker that has just begun, or was held up, asks first.
        with suppress(StandingUnknownError):
            if not standing.known:
                await standing.ask()
            return None
        return "What has been taken back cannot be read."

    async def officer() -> str | None:
        found = await officer_appointed(pool)
        return (
            None
            if found
            else "Nobody works here as privacy officer: scripts/needful staff add NAME --role privacy_officer."
        )

    return (
        Check("database", database),
        told("keyring", lambda: None if wrapping.readable else "The keyring cannot be read.", warning=True),
        told("token keys", lambda: None if rereading.readable else "The file of token keys cannot be read."),
        Check("ruleset", ruleset),
        Check("privacy officer", officer, warning=True),
    )


def _issuers(installation: Installation, settings: Settings) -> frozenset[str]:
    """Whose tokens are accepted: this service's, and in demo mode those made on the command line."""
    return frozenset({settings.public_url, *((DEMO_ISSUER,) if installation.demo else ())})


@dataclass(slots=True)
class _Rereading:
    """Gives the verifier the keys that another process has put into the file."""

    key_file: KeyFile
    verifier: Verifier
    readable: bool = True

    def __call__(self) -> None:
        try:
            if self.key_file.changed():
                self.verifier.use(self.key_file.keys)
        except (KeyringError, OSError) as fault:
            if self.readable:
                _log.error("the token keys read before stay in use: %s", fault)
            self.readable = False
        else:
            self.readable = True


def spare_the_collector() -> None:
    """What is loaded by now stays for good, and a page of rows is no reason to look for cycles among the rest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def build_service(  # noqa: PLR0913 - what a service is built from
    installation: Installation,
    pool: Any,  # noqa: ANN401 - asyncpg's pool
    settings: Settings,
    key_file: KeyFile | None = None,
    *,
    connect: Connect,
    rulesets: Rulesets | None = None,
    reading: ReadConnections | None = None,
) -> Service:
    """The service that answers once its rulesets have learned one; `connect` gives connections beside the pool.

    Reads take theirs from `reading`, or else from the pool.
    """
    tokens = key_file or KeyFile(installation.token_keys_path, demo=installation.demo)
    schema = build_schema()
    rulesets = rulesets or Rulesets(build_catalogue(schema), utc_now, law=settings.bundle.law)
    keyring = load_or_create(installation.keyring_path, demo=installation.demo)
    documents, lapses = Documents(schema), Lapses()
    planner = Previewer(schema, documents, lapses, utc_now)
    receipts = Receipts(ReceiptKeyFile(installation.receipt_keys_path, demo=installation.demo), settings.public_url)
    reader = Reader(
        keyring,
        KeyCache(keyring, most_kept=settings.most_kept),
        DEFAULT_MASKS,
        settings.audience_ceiling,
        Disclosures(),
        utc_now,
        settings.bundle,
        Relays(keyring, span_of({RANGE: settings.relay_range}, demo=installation.demo)),
        planner,
        audience_least=settings.audience_least,
        receipts=receipts,
        statistics=settings.statistics,
        tombstones=Tombstones(installation.tombstones_path),
    )
    return Service(
        schema=schema,
        abstract=planner.abstract,
        rulesets=rulesets,
        reader=reader,
        pool=pool,
        documents=documents,
        accounts=Accounts(
            keyring=keyring,
            sessions=Sessions(
                lambda: tokens.keys,
                issuer=settings.public_url,
                ceiling=Ceiling(settings.session_ceiling, refuse=settings.session_refuse),
            ),
            hasher=Hasher(ThreadPoolExecutor(HEAVY_AT_ONCE, "argon2")),
            patience=Patience(settings.login_failures, timedelta(minutes=settings.lock_minutes)),
        ),
        writer=Writer.over(schema, pool, reader, pool_size=settings.pool_size),
        registered=Registered(pool),
        reading=reading or pool,
        recorder=Recorder(connect, seconds=settings.ledger_milliseconds / 1000),
        glasses=BrokenGlasses(settings.glass_minutes),
        lapses=lapses,
    )


def _staff_login(service: Service, settings: Settings, issuer: Issuer) -> StaffLogin:
    return StaffLogin(
        issuer,
        service.accounts.sessions,
        service.pool,
        service.keyring.login,
        settings.public_url.startswith("https://"),
        service.snapshot,
        utc_now,
    )


async def _graphql(request: Request) -> Response:
    if graphiql.wants_page(request):
        return graphiql.page(demo=request.app.state.demo)
    answer: Response = await request.app.state.endpoint(request)
    return answer
