"""Several serving processes on one listening socket: started together, replaced when one dies, stopped together.

The parent serves nobody. It holds what must live once, such as the embedded database, and ends last.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from models.faults import place as place_of
from models.installation import InstallationError
from resolvers.serving.server import SHUTDOWN_SECONDS

Serve = Callable[[Callable[[], None], int], None]
"""Serves until told to stop. Its arguments: what it calls once it accepts connections, and its place in the crew, which
one that takes over from the dead inherits. Pickled, for a new process."""

_SHORT_LIFE = 5.0
_PAUSE = 1.0
"""Seconds before one that died young is replaced: what made it die may last."""

_log = logging.getLogger("needful.workers")


@dataclass(frozen=True, slots=True)
class _Worker:
    process: SpawnProcess
    ready: Connection
    started: float


def supervise(serve: Serve, *, workers: int, on_ready: Callable[[], None]) -> None:
    """Serve in `workers` processes until told to stop (SIGINT, or SIGTERM as KeyboardInterrupt).

    `on_ready` is called once all accept connections. Raises InstallationError if one cannot start.
    """
    crew: list[_Worker] = []
    try:
        crew.extend(_start(serve, place) for place in range(workers))
        _await(crew)
        on_ready()
        while True:
            wait([one.process.sentinel for one in crew])
            _replace_dead(crew, serve)
    except KeyboardInterrupt:
        return
    finally:
        _stop(crew)


def _start(serve: Serve, place: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ready, tell = context.Pipe(duplex=False)
    # A Ctrl-C reaches the whole foreground group: a worker lets it wait until it can be orderly about it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process = context.Process(target=_work, args=(serve, tell, place), daemon=True)
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    tell.close()
    return _Worker(process, ready, time.monotonic())


def _work(serve: Serve, tell: Connection, place: int) -> None:
    """One worker's life; the parent's death ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        serve(partial(tell.send, True), place)  # noqa: FBT003 - a message, not a flag
    except InstallationError as refusal:
        sys.stderr.write(f"{refusal}\n")
        sys.exit(1)
    except Exception as fault:  # noqa: BLE001 - otherwise its text would be printed, whosever values are in it
        _log.critical("fault: %s", place_of(fault))
        sys.exit(1)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _await(crew: Iterable[_Worker]) -> None:
    for one in crew:
        try:
            one.ready.recv()
        except EOFError:
            message = "A worker could not start: the lines above say why."
            raise InstallationError(message) from None


def _replace_dead(crew: list[_Worker], serve: Serve) -> None:
    for place, one in enumerate(crew):
        if one.process.is_alive():
            continue
        _log.error("worker %s ended (%s): another takes its place", one.process.pid, one.process.exitcode)
        one.ready.close()
        if time.monotonic() - one.started < _SHORT_LIFE:
            time.sleep(_PAUSE)
        crew[place] = _start(serve, place)


def _stop(crew: Iterable[_Worker]) -> None:
    """End all: orderly, and in bounded time."""
    for one in crew:
        one.process.terminate()
    deadline = time.monotonic() + SHUTDOWN_SECONDS + 5
    for one in crew:
        one.process.join(max(0.0, deadline - time.monotonic()))
        if one.process.is_alive():
            one.process.kill()
            one.process.join()
