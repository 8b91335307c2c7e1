"""What came of requests, told together a moment later: their lines in the log and their counts.

A line holds nothing that a client wrote: neither variables nor documents, tokens, addresses, nor a path that is none
of ours.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from authz.seen import Seen
from models.logs import EVENTS
from models.vocabulary import Purpose, Role
from resolvers.operating.metrics import LIMIT, Metrics

WITHIN_SECONDS = 0.01
"""So long after its answer everything is told of a request at the latest, if the process is not busy."""
_LINES_AT_ONCE = 10
"""Lines in one write: workers share a pipe, which takes 4,096 bytes (PIPE_BUF) whole or mixes them with others'."""

_log = logging.getLogger("needful.access")


class Answered(NamedTuple):
    """One request; `at` in seconds since the epoch, `took` in seconds; the status is 0 where it was not answered."""

    at: float
    method: str
    path: str
    """As it may stand in the log."""
    endpoint: str
    code: str
    status: int
    took: float
    seen: Seen


@dataclass(slots=True)
class Told:
    """Gathers what came of requests, until the event loop has a moment; once it is closed, each is told at once."""

    metrics: Metrics
    _waiting: list[Answered] = field(default_factory=list)
    _timer: asyncio.TimerHandle | None = None
    _closed: bool = False

    def add(self, one: Answered) -> None:
        """Tell of one request, soon."""
        self._waiting.append(one)
        if self._closed:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WITHIN_SECONDS, self.flush)

    def flush(self) -> None:
        """Tell now what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        self._count(waiting)
        if _log.isEnabledFor(logging.INFO):
            for first in range(0, len(waiting), _LINES_AT_ONCE):
                events = [(one.at, _line(one)) for one in waiting[first : first + _LINES_AT_ONCE]]
                _log.info("request", extra={EVENTS: events})

    def close(self) -> None:
        """Tell what waits, and from now on each at once."""
        self._closed = True
        self.flush()

    def _count(self, waiting: Sequence[Answered]) -> None:
        answered: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        decided: defaultdict[tuple[Role, Purpose], _Decided] = defaultdict(_Decided)
        for one in waiting:
            seen = one.seen
            if one.status:
                answered[one.endpoint, one.code].append(one.took)
                if seen.role is not None and seen.purpose is not None and seen.cells:
                    decided[seen.role, seen.purpose].add(seen.cells)
        for (endpoint, code), took in answered.items():
            self.metrics.request(endpoint, code, *took)
        for (role, purpose), cells in decided.items():
            self.metrics.decided(role.value, purpose.value, cells.cells, limited=cells.limited)


@dataclass(slots=True)
class _Decided:
    """What several operations decided together."""

    cells: dict[tuple[str, str | None], int] = field(default_factory=dict)
    limited: int = 0

    def add(self, cells: Mapping[tuple[str, str | None], int]) -> None:
        for kind, count in cells.items():
            self.cells[kind] = self.cells.get(kind, 0) + count
            self.limited += kind[1] == LIMIT


def _line(one: Answered) -> dict[str, Any]:
    seen = one.seen
    return {
        "method": one.method,
        "path": one.path,
        "status": one.status,
        "code": one.code,
        "ms": round(one.took * 1000, 1),
        "decision": seen.decision,
        "role": seen.role,
        "purpose": seen.purpose,
    }
