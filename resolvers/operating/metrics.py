"""Prometheus metrics of one worker, and their sum over all workers of a server.

Each worker keeps its numbers in files of its own place among the workers, so that whoever is asked adds up all, and one
that takes a dead worker's place goes on with its counts. The files are made at their full size: one that grew on a full
disk would end the process. Labels are words of the vocabulary, never a client's.
"""

import collections
import os
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

from models.installation import InstallationError

MEDIA_TYPE = CONTENT_TYPE_LATEST
_FILES = {"counter": 1 << 20, "histogram": 1 << 17, "gauge_livesum": 1 << 16, "gauge_livemax": 1 << 16}
"""Kinds of files and their size in bytes: room for every combination of words of the vocabulary."""
_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_NONE = ""
LIMIT = "LIMIT"


class Metrics:
    """What one worker counts and measures."""

    def __init__(self, folder: Path, place: int) -> None:
        """Keep the numbers in `folder`; `place` is the worker's among those of its server."""
        self._folder = folder
        _allot(folder, place)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call]
        self._kept: dict[tuple[Any, ...], Any] = {}
        self._decisions = _counter(
            "decisions", "Cells decided, by effect and reason.", "role", "purpose", "effect", "reason"
        )
        self._requests = _counter(
            "requests", "Requests answered, by their code: OK or a refusal's.", "endpoint", "code"
        )
        self._limited = _counter(
            "limited", "Operations of which a ceiling or budget held something back.", "role", "purpose"
        )
        self._alarms = _counter("alarms", "Alarms sounded.", "code")
        self._seconds = Histogram(
            "needful_request_seconds",
            "From the request's last byte to the answer's first.",
            ("endpoint",),
            registry=None,
            buckets=_REQUEST_SECONDS,
        )
        commit = Histogram(
            "needful_ledger_commit_seconds",
            "How long a commit of ledger rows took.",
            registry=None,
            buckets=_COMMIT_SECONDS,
        )
        self.ledger_committed = commit.observe
        """Takes the seconds that a commit took."""
        self._gauges = {
            "ledger_queued_rows": _gauge("ledger_queued_rows", "Rows not yet committed.", "livesum"),
            "ledger_oldest_seconds": _gauge("ledger_oldest_seconds", "For how long the oldest waits.", "livemax"),
            "unsealed_rows": _gauge("unsealed_rows", "Committed rows that are not sealed yet.", "livemax"),
            "unsealed_seconds": _gauge("unsealed_seconds", "For how long the oldest has not been.", "livemax"),
            "unindexed_rows": _gauge("unindexed_rows", "Sealed rows that are not indexed yet.", "livemax"),
            "scheduler_silent_seconds": _gauge(
                "scheduler_silent_seconds", "Since when no scheduler has said that it lives.", "livemax"
            ),
            "pool_connections": _gauge("pool_connections", "Database connections of the pools.", "livesum"),
            "pool_in_use": _gauge("pool_in_use", "Those that somebody uses.", "livesum"),
            "pool_waiting": _gauge("pool_waiting", "Who waits for one.", "livesum"),
            "service_level_below": _gauge("service_level_below", "1 where a worker is below its floor.", "livemax"),
        }

    def request(self, endpoint: str, code: str, *seconds: float) -> None:
        """Count requests that were answered alike, by how long each took."""
        self._child(self._requests, endpoint, code).inc(len(seconds))
        # The library observes one at a time, each with two writes to its file.
        child = self._child(self._seconds, endpoint)
        child._sum.inc(sum(seconds))  # noqa: SLF001
        for bucket, count in collections.Counter(bisect_left(_REQUEST_SECONDS, one) for one in seconds).items():
            child._buckets[bucket].inc(count)  # noqa: SLF001

    def decided(
        self, role: str, purpose: str, cells: Mapping[tuple[str, str | None], int], *, limited: int | None = None
    ) -> None:
        """Count what operations decided: cells by effect and reason; of one, or of several of which `limited` were."""
        for (effect, reason), count in cells.items():
            self._child(self._decisions, role, purpose, effect, reason or _NONE).inc(count)
        if limited is None:
            limited = sum(reason == LIMIT for _, reason in cells)
        if limited:
            self._child(self._limited, role, purpose).inc(limited)

    def alarm(self, code: str) -> None:
        """Count an alarm."""
        self._child(self._alarms, code).inc()

    def set(self, **gauges: float) -> None:
        """Say how things stand with this worker."""
        for name, value in gauges.items():
            self._gauges[name].set(value)

    def text(self) -> bytes:
        """The numbers of all workers together, as Prometheus reads them."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._folder))  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _child(self, family: Any, *labels: str) -> Any:  # noqa: ANN401 - the library's families
        # The library's own way there takes a lock and looks at every label.
        place = (family, *labels)
        child = self._kept.get(place)
        if child is None:
            child = self._kept[place] = family.labels(*labels)
        return child


def _allot(folder: Path, place: int) -> None:
    for kind, size in _FILES.items():
        path = folder / f"{kind}_{place}.db"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, size)
            finally:
                os.close(descriptor)
        except OSError as error:
            message = f"{folder} cannot be written ({error.strerror}): make room."
            raise InstallationError(message) from None


def _counter(name: str, documentation: str, *labels: str) -> Counter:
    return Counter(f"needful_{name}_total", documentation, labels, registry=None)


def _gauge(name: str, documentation: str, mode: Any) -> Gauge:  # noqa: ANN401 - the library's own words
    return Gauge(f"needful_{name}", documentation, registry=None, multiprocess_mode=mode)
