"""The composition root: settings, lifespan, routes."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from graphql import GraphQLSchema
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from authz.attempts import Patience
from authz.compile import Snapshot, compile_ruleset
from authz.default_rules import RULES
from authz.expiry import keep_forgetting
from authz.oauth import endpoints as oauth
from authz.oauth.metadata import Addresses
from authz.oauth.server import AuthorizationServer
from authz.oidc.issuer import Issuer, OidcSettings, read_oidc
from authz.passwords import Hasher
from authz.rules import make_ruleset, read_rules
from authz.sessions import Ceiling, Sessions
from authz.standing import Standing
from authz.token_keys import KeyFile
from authz.tokens import DEMO_ISSUER, Verifier, utc_now
from models.database import connect, connect_once
from models.embedded import Database
from models.installation import Installation, InstallationError
from resolvers.authentication import Authentication
from resolvers.documents import Documents
from resolvers.endpoint import Endpoint
from resolvers.masks import DEFAULT_MASKS
from resolvers.oidc import CALLBACK, StaffLogin
from resolvers.oidc import routes as oidc_routes
from resolvers.operations import Service
from resolvers.payloads import Accounts
from resolvers.rates import Rates, RateSettings
from resolvers.reading import Reader
from resolvers.registered import Registered
from resolvers.selection import abstract_types
from resolvers.serving.listening import Reserved, check_public_url
from resolvers.serving.rating import Rating
from resolvers.serving.server import run
from resolvers.serving.transport import Transport
from resolvers.writes import HEAVY_AT_ONCE, Writer
from schema import graphiql
from schema.build import build_catalogue, build_schema
from vault.keyring import KeyringError, load_or_create
from vault.sealing import KeyCache

_log = logging.getLogger("needful.app")

DEFAULT_RULESET = 1
POOL_SIZE = 10
LEAST_POOL = 2 * HEAVY_AT_ONCE
"""With fewer, those that hash passwords would hold up everybody else."""
BESIDE_POOL = 2
"""Connections that a worker has of its own: one asks for revocations, one counts rates."""
MOST_CONNECTIONS = 80
"""Of all workers together, of the 100 that PostgreSQL has: some are left for commands."""
READY_SECONDS = 2.0
_LONGEST_SETTING = 12


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set."""

    audience_ceiling: int = 2_000
    """People shown to one marketing recipient a day (C21)."""
    partial_status: int = 200
    public_url: str = "http://127.0.0.1:8000"
    """Where clients reach this service; it is the issuer of its tokens (RFC 8414)."""
    pool_size: int = POOL_SIZE
    """Database connections of one worker."""
    rates: RateSettings = field(default_factory=RateSettings)
    oidc: OidcSettings | None = None
    """The issuer of staff; None where the built-in accounts are all there is."""
    session_ceiling: int = 5
    """Sessions of one account at once (C53)."""
    session_refuse: bool = False
    """One session too many: is it refused? If not, the least recently used one ends."""
    login_failures: int = 5
    """Failures in a row that lock a login (C50)."""
    lock_minutes: int = 30

    @classmethod
    def read(cls, environ: Mapping[str, str], *, workers: int = 1) -> "Settings":
        """The settings of an environment. Raises InstallationError for a value that cannot be."""
        default = cls()
        public_url = (environ.get("NEEDFUL_PUBLIC_URL") or default.public_url).rstrip("/")
        check_public_url(public_url)
        return cls(
            audience_ceiling=_number(environ, "NEEDFUL_AUDIENCE_CEILING", default.audience_ceiling, range(10**9)),
            partial_status=_number(environ, "NEEDFUL_PARTIAL_STATUS", default.partial_status, (200, 294)),
            public_url=public_url,
            rates=RateSettings.read(environ),
            oidc=read_oidc(environ),
            pool_size=_pool_size(environ, workers),
            session_ceiling=_number(environ, "NEEDFUL_SESSION_CEILING", default.session_ceiling, range(1, 1000)),
            session_refuse=_word(environ, "NEEDFUL_SESSION_OVER", ("oldest", "refuse")) == "refuse",
            login_failures=_number(environ, "NEEDFUL_LOGIN_FAILURES", default.login_failures, range(1, 100)),
            lock_minutes=_number(environ, "NEEDFUL_LOCK_MINUTES", default.lock_minutes, range(1, 100_000)),
        )


def _pool_size(environ: Mapping[str, str], workers: int) -> int:
    """One worker's share of the connections. Raises InstallationError for more workers than there are shares."""
    least = LEAST_POOL + BESIDE_POOL
    most = _number(environ, "NEEDFUL_DATABASE_CONNECTIONS", MOST_CONNECTIONS, range(least, 100_000))
    if workers * least > most:
        message = (
            f"{workers} workers need {workers * least} database connections, and NEEDFUL_DATABASE_CONNECTIONS allows"
            f" {most}: take at most {most // least} workers, or raise it and the database's max_connections."
        )
        raise InstallationError(message)
    return min(POOL_SIZE, most // workers - BESIDE_POOL)


def _number(environ: Mapping[str, str], name: str, default: int, allowed: Sequence[int]) -> int:
    text = environ.get(name, str(default))
    if not (text.isdecimal() and len(text) <= _LONGEST_SETTING and int(text) in allowed):
        span = f"a number from {allowed[0]} to {allowed[-1]}"
        message = f"{name} must be {span if isinstance(allowed, range) else ' or '.join(map(str, allowed))}."
        raise InstallationError(message)
    return int(text)


def _word(environ: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    text = environ.get(name) or allowed[0]
    if text not in allowed:
        message = f"{name} must be one of: {', '.join(allowed)}."
        raise InstallationError(message)
    return text


def serve(
    installation: Installation,
    database: Database,
    settings: Settings,
    reserved: Reserved,
    on_ready: Callable[[], None],
) -> None:
    """Serve in this process until told to stop; `on_ready` is called once it accepts connections."""
    app = build_app(installation, database, settings)
    rated = Rating(app, lambda: app.state.rates)
    secured = Transport(rated, https=settings.public_url.startswith("https://"))
    run(secured, reserved, on_ready=on_ready)


def build_app(installation: Installation, database: Database, settings: Settings) -> Starlette:
    """The application over one installation and database."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with (
            connect(database.application, min_size=2, max_size=settings.pool_size) as pool,
            AsyncExitStack() as closing,
        ):
            key_file = KeyFile(installation.token_keys_path, demo=installation.demo)
            service = build_service(installation, pool, settings, key_file)
            verifier = Verifier(key_file.keys, issuers=_issuers(installation, settings))
            standing = Standing(partial(connect_once, database.application))
            closing.push_async_callback(standing.close)
            addresses = Addresses(settings.public_url)
            authentication = Authentication(verifier, standing, utc_now, pool, addresses.api)
            app.state.pool = pool
            app.state.authorization_server = AuthorizationServer(
                pool, lambda: key_file.keys, verifier, standing, addresses, utc_now, installation.demo
            )
            app.state.rates = rates = Rates(settings.rates, partial(connect_once, database.application))
            closing.push_async_callback(rates.close)
            app.state.endpoint = Endpoint(service, authentication, rates, settings.partial_status)
            if settings.oidc:
                issuer = Issuer(settings.oidc, redirect_uri=settings.public_url + CALLBACK)
                closing.push_async_callback(issuer.close)
                app.state.staff_login = _staff_login(service, settings, issuer)
            _spare_the_collector()
            watch = standing.watch(_Rereading(key_file, verifier))
            async with _running(watch), _running(keep_forgetting(pool)):
                yield

    routes = [
        Route("/graphql", _graphql, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]),
        graphiql.ASSETS,
        *oauth.routes(),
        *(oidc_routes() if settings.oidc else ()),
        Route("/livez", _live),
        Route("/readyz", _ready),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    # A redirect would repeat the Host header, which anybody may have written.
    app.router.redirect_slashes = False
    app.state.demo = installation.demo
    return app


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


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Work in the background for as long as the block lasts."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _spare_the_collector() -> None:
    """What is loaded by now stays for good, and a page of rows is no reason to look for cycles among the rest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def build_service(
    installation: Installation,
    pool: Any,  # noqa: ANN401 - asyncpg's pool
    settings: Settings,
    key_file: KeyFile | None = None,
) -> Service:
    """The service that answers, with the default ruleset compiled."""
    tokens = key_file or KeyFile(installation.token_keys_path, demo=installation.demo)
    schema = build_schema()
    snapshot = default_snapshot(schema)
    keyring = load_or_create(installation.keyring_path, demo=installation.demo)
    reader = Reader(keyring, KeyCache(keyring), DEFAULT_MASKS, settings.audience_ceiling, utc_now)
    return Service(
        schema=schema,
        abstract=abstract_types(schema),
        snapshot=lambda: snapshot,
        reader=reader,
        pool=pool,
        documents=Documents(schema),
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


def default_snapshot(schema: GraphQLSchema) -> Snapshot:
    """The default ruleset, checked and compiled. Raises RulesetError."""
    catalogue = build_catalogue(schema)
    return compile_ruleset(make_ruleset(DEFAULT_RULESET, read_rules(RULES), catalogue=catalogue), catalogue)


async def _graphql(request: Request) -> Response:
    if graphiql.wants_page(request):
        return graphiql.page(demo=request.app.state.demo)
    answer: Response = await request.app.state.endpoint(request)
    return answer


async def _live(_: Request) -> Response:
    return JSONResponse({"status": "live"})


async def _ready(request: Request) -> Response:
    """Ready while the database answers."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await request.app.state.pool.fetchval("SELECT 1")
    except Exception:  # noqa: BLE001 - whatever it is, the answer is the same
        return JSONResponse({"status": "unavailable"}, status_code=503)
    return JSONResponse({"status": "ready"})
