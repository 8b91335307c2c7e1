"""Keeps a process beside a server: started once that is ready, replaced when it dies, stopped last.

Such are the one that seals (here) and the one that does what is due by a timetable (`privacy.scheduling`).
"""

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from models.embedded import Credentials, Database
from models.faults import place
from models.installation import Installation, InstallationError

COMMAND = (sys.executable, "-m", "ledger.process")
_ROOT = Path(__file__).resolve().parent.parent
_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_SHORT_LIFE = 60.0
"""Seconds: one that lived shorter died of something that lasts, and is replaced less and less at once."""
_STOP_SECONDS = 10.0


def sealer_beside(
    installation: Installation, found: Database, environ: Mapping[str, str]
) -> AbstractContextManager[Callable[[], None]]:
    """Gives what starts the sealer; when the block ends it seals what there is and ends.

    With `NEEDFUL_SEALER=0` another host seals. Raises InstallationError for any other value than 0 and 1.
    """
    if not switched_on(environ, "NEEDFUL_SEALER", "another host seals the ledger"):
        return nullcontext(lambda: None)
    return beside("sealer", COMMAND, _settings(installation, found, environ.get("NEEDFUL_ALARM_URL") or None))


def switched_on(environ: Mapping[str, str], setting: str, off: str) -> bool:
    """Is a setting 1, its default? `off`: what 0 says. Raises InstallationError for anything else."""
    given = environ.get(setting, "1")
    if given not in ("0", "1"):
        message = f"{setting} must be 0 ({off}) or 1."
        raise InstallationError(message)
    return given == "1"


@contextmanager
def beside(name: str, command: Sequence[str], settings: Mapping[str, Any]) -> Iterator[Callable[[], None]]:
    """Gives what starts the process of a command, which reads its settings; when the block ends, it ends orderly."""
    supervisor = Supervisor(name, command, json.dumps(settings))
    try:
        yield supervisor.start
    finally:
        supervisor.stop()


def connecting(owner: Credentials) -> dict[str, Any]:
    """What such a process opens the database by: asyncpg's arguments."""
    return {
        "host": owner.host,
        "port": owner.port,
        "user": owner.user,
        "password": owner.password or None,
        "database": owner.database,
        "ssl": owner.sslmode,
    }


def _settings(installation: Installation, found: Database, alarms: str | None) -> dict[str, Any]:
    paths = {"key": str(installation.ledger_key_path), "heads": str(installation.ledger_heads_path)}
    return {"database": connecting(found.owner), **paths, "alarms": alarms}


class Supervisor:
    """Starts a process and another whenever it dies, and ends it by closing its standard input."""

    def __init__(self, name: str, command: Sequence[str], settings: str) -> None:
        """`settings`: the line that the process reads first of all; `name`: what the log calls it."""
        self._name = name
        self._command = command
        self._log = logging.getLogger(f"needful.{name}")
        self._settings = settings
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._supervise, daemon=True)

    def start(self) -> None:
        """Start the process, and another one whenever it dies."""
        self._thread.start()

    def stop(self) -> None:
        """End it, orderly and in bounded time."""
        self._stopping.set()
        if self._thread.ident is None:
            return
        with self._lock:
            process = self._process
        if process is not None:
            self._let_go(process)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join()

    def _supervise(self) -> None:
        pause = _PAUSE
        while True:
            begun = time.monotonic()
            try:
                with self._lock:
                    if self._stopping.is_set():
                        return
                    # The password goes where no other user of the machine can look.
                    self._process = process = subprocess.Popen(  # noqa: S603
                        self._command, cwd=_ROOT, stdin=subprocess.PIPE, text=True
                    )
            except OSError as fault:
                # Too many processes or open files, no memory: none of them lasts for ever.
                self._log.error("the %s could not be started, and will be tried again: %s", self._name, place(fault))
            else:
                self._tell(process)
                code = process.wait()
                self._let_go(process)
                if self._stopping.is_set():
                    return
                self._log.error("the %s %s ended (%s): another takes its place", self._name, process.pid, code)
            pause = min(2 * pause, _LONGEST_PAUSE) if time.monotonic() - begun < _SHORT_LIFE else _PAUSE
            self._stopping.wait(pause)

    def _let_go(self, process: "subprocess.Popen[str]") -> None:
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()

    def _tell(self, process: "subprocess.Popen[str]") -> None:
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.write(self._settings + "\n")
                process.stdin.flush()
