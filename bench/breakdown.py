"""Where a request's time goes: the product's own functions under timers, in one process, on a real pool.

Each function belongs to one part, and its time is its own: what it calls in another part counts there.
"""

import inspect
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial, wraps
from typing import Any
from unittest import mock

from starlette.requests import Request

from app import build_service
from authz.ruleset_watch import RulesetWatch
from authz.standing import Standing
from authz.token_keys import TokenKeys
from authz.tokens import Verifier, utc_now
from authz.witnesses import SituationSql
from ledger import recorder
from models.database import connect, connect_once
from models.embedded import Database
from models.installation import Installation
from resolvers import compiler, disclosure, endpoint, operations, report, run
from resolvers.authentication import Authentication
from resolvers.rates import Rates, RateSettings
from resolvers.rows import Rows
from resolvers.serving import whole_responses
from resolvers.serving.settings import Settings
from resolvers.statements import Statement

PARTS: dict[str, tuple[tuple[Any, str], ...]] = {
    "statement": ((run.Run, "records"),),
    "situation and effect": ((Rows, "judged"), (run, "ruled")),
    "ceilings": ((run, "rows_beyond"),),
    "opening and masking": ((disclosure, "_open"),),
    "columns": ((disclosure, "_values"),),
    "assembling": ((run, "run_plan"), (operations, "run_plan")),
    "report": ((operations, "make_report"), (report.Report, "errors"), (report.Report, "authorization")),
    "row of the ledger": ((operations.__dict__["_Execution"], "_row"),),
    "ledger": ((recorder.Recorder, "record"),),
    "writing": ((report.Answer, "of"), (whole_responses.Whole, "response")),
}
"""Parts and the functions that do them. `columns`: values to their rows; `assembling`: columns to objects and lists."""

REST = "the rest"
"""Token, body, document, plan and variables, and the pool. (Not uvicorn's own HTTP.)"""


class Clock:
    """Own time by part: a stack of what is under way."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._stack = [REST]
        self._since = time.perf_counter()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time of the block for `name`."""
        self._turn()
        self._stack.append(name)
        try:
            yield
        finally:
            self._turn()
            self._stack.pop()

    def restart(self) -> None:
        """Forget everything so far."""
        self.spent.clear()
        self._since = time.perf_counter()

    def stop(self) -> dict[str, float]:
        """Milliseconds by part since the restart."""
        self._turn()
        return {name: spent * 1000 for name, spent in self.spent.items()}

    def _turn(self) -> None:
        now = time.perf_counter()
        self.spent[self._stack[-1]] += now - self._since
        self._since = now


def _timed(clock: Clock, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def called(*arguments: object, **named: object) -> object:
        with clock.part(part):
            return function(*arguments, **named)

    @wraps(function)
    async def awaited(*arguments: object, **named: object) -> object:
        with clock.part(part):
            return await function(*arguments, **named)

    return awaited if inspect.iscoroutinefunction(function) else called


@asynccontextmanager
async def _endpoint(installation: Installation, found: Database) -> AsyncIterator[endpoint.Endpoint]:
    async with connect(found.application, min_size=2, max_size=10, shared=False) as pool:
        own = partial(connect_once, found.application)
        service = build_service(installation, pool, Settings(), connect=own)
        rulesets = RulesetWatch(service.rulesets, own)
        await rulesets.begin()
        verifier = Verifier(TokenKeys.load_or_create(installation.token_keys_path))
        standing = Standing(own)
        authentication = Authentication(verifier, standing, utc_now, pool, "")
        yield endpoint.Endpoint(service, authentication, Rates(RateSettings(), None), rulesets)
        await standing.close()
        await rulesets.close()


async def _ask(asked: endpoint.Endpoint, token: str, body: bytes) -> bytes:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"authorization", f"Bearer {token}".encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": headers}
    answer = await asked(Request(scope, receive))
    assert answer.status_code == 200, bytes(answer.body)
    return bytes(answer.body)


async def time_parts(
    installation: Installation, found: Database, *, token: str, body: bytes, times: int
) -> dict[str, dict[str, float]]:
    """Median milliseconds and shares of one request's parts over `times` executions; `in all` at the end."""
    clock = Clock()
    async with _endpoint(installation, found) as asked:
        with ExitStack() as patches:
            for part, places in PARTS.items():
                for owner, name in places:
                    patches.enter_context(mock.patch.object(owner, name, _timed(clock, part, getattr(owner, name))))
            for _ in range(min(times, 20)):
                await _ask(asked, token, body)
            laps = []
            for _ in range(times):
                clock.restart()
                await _ask(asked, token, body)
                laps.append(clock.stop())
    medians = {part: statistics.median(lap.get(part, 0.0) for lap in laps) for part in (*PARTS, REST)}
    total = sum(medians.values())
    return {part: {"ms": ms, "percent": 100 * ms / total} for part, ms in {**medians, "in all": total}.items()}


async def time_situations(
    installation: Installation, found: Database, *, token: str, body: bytes, times: int
) -> list[dict[str, Any]]:
    """Median milliseconds of each of the request's statements, with its situation columns and without."""
    nothing = SituationSql(parts=(), masks=(), joins_policy=False)
    async with _endpoint(installation, found) as asked:
        full = await _statements(asked, token, body)
    async with _endpoint(installation, found) as asked:
        with mock.patch.object(compiler, "situation_sql", return_value=nothing):
            bare = await _statements(asked, token, body)
        taken: list[tuple[list[float], list[float]]] = [([], []) for _ in full]
        async with asked.service.pool.acquire() as connection:
            for _ in range(times):
                for place, pair in enumerate(zip(full, bare, strict=True)):
                    for (sql, values), laps in zip(pair, taken[place], strict=True):
                        since = time.perf_counter()
                        await connection.fetch(sql, *values)
                        laps.append((time.perf_counter() - since) * 1000)
    return [
        {"table": _table(sql), "ms": statistics.median(with_them), "bare": statistics.median(without)}
        for (sql, _), (with_them, without) in zip(full, taken, strict=True)
    ]


def _table(sql: str) -> str:
    """The table that a level reads: the source of its inner SELECT."""
    return sql.rpartition("(SELECT t.* FROM ")[2].split(" ", 1)[0]


async def _statements(asked: endpoint.Endpoint, token: str, body: bytes) -> list[tuple[str, list[Any]]]:
    seen: list[tuple[str, list[Any]]] = []
    records = run.Run.records

    async def noting(self: run.Run, text: Statement, local: Mapping[str, Any]) -> Sequence[Any]:
        seen.append((text.sql, text.values({**self.caller, **local})))
        return await records(self, text, local)

    with mock.patch.object(run.Run, "records", noting):
        await _ask(asked, token, body)
    return seen
