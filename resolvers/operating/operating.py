"""One worker's operating side, put together: metrics, alarms, service level, readiness, refusals, start and stop."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from authz.compile import Snapshot
from authz.rules import Ruleset
from authz.seen import seen_in
from ledger.alarm_hook import Hook, check_hook
from ledger.alarms import Alarms
from ledger.recorder import Recorder
from ledger.rows import Kind, Operation
from models.installation import InstallationError
from models.read_connections import ReadConnections
from resolvers.operating.metrics import MEDIA_TYPE, Metrics
from resolvers.operating.metrics_token import may_read_metrics
from resolvers.operating.observing import Observers
from resolvers.operating.readiness import Check, Readiness, told
from resolvers.operating.refusals import Refusals
from resolvers.operating.service_level import DEFAULT, LevelWatch, ServiceLevel
from resolvers.operating.watching import Watch
from resolvers.problems import Code

METRICS = "/metrics"
_LAG, _HOOK, _SILENCE = "NEEDFUL_SEALER_LAG", "NEEDFUL_ALARM_URL", "NEEDFUL_SCHEDULER_SILENCE"
_DEFAULT_LAG, _LONGEST_LAG = 60, 86_400
_DEFAULT_SILENCE, _LONGEST_SILENCE = 10, 1_440
_LONGEST_NUMBER = 5
_REALM = {"WWW-Authenticate": 'Bearer realm="needful metrics"', "Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class OperatingSettings:
    """What an operator may set of this side."""

    level: ServiceLevel | None = field(default_factory=lambda: ServiceLevel.read({"NEEDFUL_SERVICE_LEVEL": DEFAULT}))
    hook: str | None = field(default=None, repr=False)
    """Where alarms are posted to."""
    most_lag: int = _DEFAULT_LAG
    """Seconds that sealing may be behind."""
    most_silence: int = _DEFAULT_SILENCE
    """Minutes for which no scheduler may have said that it lives."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "OperatingSettings":
        """The settings of an environment. Raises InstallationError for a value that cannot be."""
        hook = environ.get(_HOOK)
        lag = _number(environ, _LAG, "seconds", usual=_DEFAULT_LAG, most=_LONGEST_LAG)
        silence = _number(environ, _SILENCE, "minutes", usual=_DEFAULT_SILENCE, most=_LONGEST_SILENCE)
        return cls(ServiceLevel.read(environ), check_hook(hook) if hook else None, lag, silence)


def _number(environ: Mapping[str, str], name: str, unit: str, *, usual: int, most: int) -> int:
    text = environ.get(name) or str(usual)
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER and 1 <= int(text) <= most):
        message = f"{name} must be a number of {unit} from 1 to {most}."
        raise InstallationError(message)
    return int(text)


@dataclass(frozen=True, slots=True)
class Place:
    """Which worker of a server this is, and where they keep their numbers together."""

    folder: Path
    number: int


@dataclass(slots=True)
class Operating:
    """What one worker operates with."""

    metrics: Metrics
    alarms: Alarms
    refusals: Refusals
    watch: Watch
    readiness: Readiness
    observers: Observers
    _hook: Hook | None
    _token: str
    _place: int

    @classmethod
    def over(  # noqa: PLR0913 - what it looks at
        cls,
        settings: OperatingSettings,
        place: Place,
        *,
        recorder: Recorder,
        pool: Any,  # noqa: ANN401 - asyncpg's pool
        reading: ReadConnections,
        checks: Sequence[Check],
        paths: frozenset[str],
        token: str,
        clock: Callable[[], datetime],
    ) -> "Operating":
        """Put together within the running loop; `checks` are what else readiness looks at."""
        metrics = Metrics(place.folder, place.number)
        recorder.commit_seconds = metrics.ledger_committed
        hook = Hook(settings.hook) if settings.hook else None
        loop = asyncio.get_running_loop()

        def record(operation: Operation) -> None:
            # An alarm may sound in any thread.
            loop.call_soon_threadsafe(recorder.record_later, operation)

        alarms = Alarms(clock, record, metrics.alarm, hook)
        refusals = Refusals(recorder.record_later, clock, lambda: recorder.crowded)
        level = LevelWatch(settings.level, alarms.sound) if settings.level else None
        silence = 60.0 * settings.most_silence
        watch = Watch(pool, recorder, metrics, refusals, level, alarms.sound, settings.most_lag, most_silence=silence)
        watch.reading = reading
        readiness = Readiness((*checks, *_own_checks(watch)), clock)
        observers = Observers(metrics, refusals, level, paths)
        return cls(metrics, alarms, refusals, watch, readiness, observers, hook, token, place.number)

    def begin(self, ruleset: Ruleset) -> None:
        """Record that this process begins to answer."""
        self.watch.recorder.record_later(self._row(Kind.START, ruleset))

    async def end(self, snapshot: Callable[[], Snapshot]) -> None:
        """Tell of the last requests, record what was counted and that this process ends; tell the hook what waits."""
        self.observers.told.close()
        self.refusals.flush()
        self.watch.recorder.record_later(self._row(Kind.STOP, snapshot().ruleset))
        if self._hook is not None:
            await asyncio.to_thread(self._hook.close)

    def _row(self, kind: Kind, ruleset: Ruleset) -> Operation:
        now = self.readiness.clock()
        detail = {"worker": self._place}
        return Operation(kind, uuid4(), now, ruleset=ruleset.number, digest=ruleset.digest, detail=detail)

    async def exposed(self, authorization: str | None) -> Response:
        """The metrics, for whoever shows their token."""
        if not may_read_metrics(authorization, self._token):
            message = "The metrics need their token: Authorization: Bearer … (scripts/needful metrics-token prints it)."
            error = {"message": message, "extensions": {"code": Code.UNAUTHENTICATED.name}}
            return JSONResponse({"errors": [error]}, 401, headers=_REALM)
        self.observers.told.flush()
        text = await asyncio.to_thread(self.metrics.text)
        return Response(text, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})


def routes() -> list[Route]:
    """The routes; whom they ask is the application's `state.operating`."""
    return [Route(METRICS, _metrics), Route("/livez", _live), Route("/readyz", _ready)]


async def _metrics(request: Request) -> Response:
    operating: Operating = request.app.state.operating
    answer = await operating.exposed(request.headers.get("authorization"))
    if answer.status_code == Code.UNAUTHENTICATED.status:
        seen_in(request.scope).code = Code.UNAUTHENTICATED.name
    return answer


async def _live(_: Request) -> Response:
    return JSONResponse({"status": "live"})


async def _ready(request: Request) -> Response:
    operating: Operating = request.app.state.operating
    return await operating.readiness.answer()


def _own_checks(watch: Watch) -> tuple[Check, ...]:
    return (
        told("ledger", lambda: "Rows of the ledger cannot be written in time." if watch.unwritable else None),
        told("sealer", lambda: "Sealing is behind: see the log." if watch.lags else None, warning=True),
        told("scheduler", lambda: "No scheduler runs: see the log." if watch.silent else None, warning=True),
        told("partitions", watch.partition_missing, warning=True),
        told("pool", watch.pool_taken, warning=True),
    )
