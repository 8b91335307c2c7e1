"""Every request, seen from outside: its line in the log, its counts, the service level and, if refused, its row."""

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from time import perf_counter, time
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from authz.seen import Seen, seen_in
from ledger.rows import Kind
from resolvers.operating.metrics import Metrics
from resolvers.operating.refusals import Refusals
from resolvers.operating.service_level import LevelWatch
from resolvers.operating.telling import Answered, Told
from resolvers.problems import Code

OK, GONE = "OK", "GONE"
_ENDPOINTS = ("graphql", "oauth", "oidc")
_OTHER = "other"
_KINDS = {"graphql": Kind.REFUSAL, "oauth": Kind.TOKEN, "oidc": Kind.LOGIN}
_FAILED = frozenset({Code.UNAVAILABLE.name, Code.INTERNAL.name})
_WITHHELD = ("DENY", "UNAVAILABLE")
_UNKNOWN_PATH = "?"
_FIRST_ERROR, _FIRST_FAULT = 400, 500


@dataclass(frozen=True, slots=True)
class Observers:
    """Whoever is told of each request: of refusals and the service level at once, of all else with the next ones."""

    metrics: Metrics
    refusals: Refusals
    level: LevelWatch | None
    paths: frozenset[str]
    """The paths that may stand in the log."""
    told: Told = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "told", Told(self.metrics))

    def tell(self, scope: Scope, seen: Seen, status: int, took: float) -> None:
        """Tell of a request that was answered with a status, or of one that was not: 0; `took` in seconds."""
        path = scope["path"]
        endpoint = _endpoint(path)
        code = seen.code or _code(status)
        if status and self.level is not None and endpoint != _OTHER:
            failed = code in _FAILED or _WITHHELD in seen.cells or (status >= _FIRST_FAULT and seen.code is None)
            self.level.add(perf_counter(), seconds=took, failed=failed)
        if seen.code is not None:
            self.refusals.note(_KINDS.get(endpoint, Kind.REFUSAL), seen)
        shown = path if path in self.paths else _UNKNOWN_PATH
        self.told.add(Answered(time(), scope["method"], shown, endpoint, code, status, took, seen))


class Observed:
    """ASGI middleware, the outermost; `observers` gives those of the application once it has started."""

    def __init__(self, app: ASGIApp, observers: Callable[[], Observers]) -> None:
        self._app = app
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and tell what came of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Answers are timed without what the client took to send the request, or to take the answer.
        begun, waited, status, took = perf_counter(), 0.0, 0, 0.0

        async def received() -> MutableMapping[str, Any]:
            nonlocal waited
            since = perf_counter()
            try:
                return await receive()
            finally:
                waited += perf_counter() - since

        async def sent(message: MutableMapping[str, Any]) -> None:
            nonlocal status, took
            if message["type"] == "http.response.start":
                status, took = message["status"], perf_counter() - begun - waited
            await send(message)

        try:
            await self._app(scope, received, sent)
        finally:
            self._observers().tell(scope, seen_in(scope), status, took)


def _endpoint(path: str) -> str:
    first = path[1:].partition("/")[0]
    return first if first in _ENDPOINTS else _OTHER


def _code(status: int) -> str:
    if not status:
        return GONE
    return OK if status < _FIRST_ERROR else f"HTTP_{status}"
