"""The composition root: settings, lifespan, routes."""

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLSchema
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from authz.compile import Snapshot, compile_ruleset
from authz.default_rules import RULES
from authz.rules import make_ruleset, read_rules
from authz.tokens import TokenKeys, Verifier, utc_now
from models.database import connect
from models.embedded import Database
from models.installation import Installation, InstallationError
from resolvers.documents import Documents
from resolvers.endpoint import Endpoint
from resolvers.masks import DEFAULT_MASKS
from resolvers.operations import Service
from schema import graphiql
from schema.build import build_catalogue, build_schema
from vault.keyring import load_or_create
from vault.sealing import KeyCache

DEFAULT_RULESET = 1
POOL_SIZE = 10
READY_SECONDS = 2.0
_LONGEST_SETTING = 12


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set."""

    audience_ceiling: int = 2_000
    """People shown to one marketing recipient a day (C21)."""
    partial_status: int = 200

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings of an environment. Raises InstallationError for a value that cannot be."""
        default = cls()
        return cls(
            audience_ceiling=_number(environ, "NEEDFUL_AUDIENCE_CEILING", default.audience_ceiling, range(10**9)),
            partial_status=_number(environ, "NEEDFUL_PARTIAL_STATUS", default.partial_status, range(200, 300)),
        )


def _number(environ: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    text = environ.get(name, str(default))
    if not (text.isdecimal() and len(text) <= _LONGEST_SETTING and int(text) in allowed):
        message = f"{name} must be a number from {allowed.start} to {allowed.stop - 1}."
        raise InstallationError(message)
    return int(text)


def build_app(installation: Installation, database: Database, settings: Settings) -> Starlette:
    """The application over one installation and database."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with connect(database.application, min_size=2, max_size=POOL_SIZE) as pool:
            service = build_service(installation, pool, settings)
            keys = TokenKeys.load_or_create(installation.token_keys_path)
            _spare_the_collector()
            app.state.pool = pool
            app.state.endpoint = Endpoint(service, Verifier(keys), utc_now, settings.partial_status)
            yield

    routes = [
        Route("/graphql", _graphql, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]),
        graphiql.ASSETS,
        Route("/livez", _live),
        Route("/readyz", _ready),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    # A redirect would repeat the Host header, which anybody may have written.
    app.router.redirect_slashes = False
    app.state.demo = installation.demo
    return app


def _spare_the_collector() -> None:
    """What is loaded by now stays for good, and a page of rows is no reason to look for cycles among the rest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def build_service(installation: Installation, pool: Any, settings: Settings) -> Service:  # noqa: ANN401 - asyncpg's pool
    """The service that answers, with the default ruleset compiled."""
    schema = build_schema()
    snapshot = default_snapshot(schema)
    keyring = load_or_create(installation.keyring_path)
    return Service(
        schema=schema,
        snapshot=lambda: snapshot,
        keyring=keyring,
        pool=pool,
        masks=DEFAULT_MASKS,
        audience_ceiling=settings.audience_ceiling,
        clock=utc_now,
        documents=Documents(schema),
        keys=KeyCache(keyring),
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
