"""Keeps the process that seals beside a server: started once that is ready, replaced when it dies, stopped last."""

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from models.embedded import Database
from models.faults import place
from models.installation import Installation, InstallationError

COMMAND = (sys.executable, "-m", "ledger.process")
_ROOT = Path(__file__).resolve().parent.parent
_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_SHORT_LIFE = 60.0
"""Seconds: one that lived shorter died of something that lasts, and is replaced less and less at once."""
_STOP_SECONDS = 10.0

_log = logging.getLogger("needful.sealer")


@contextmanager
def sealer_beside(
    installation: Installation, found: Database, environ: Mapping[str, str]
) -> Iterator[Callable[[], None]]:
    """Gives what starts the sealer; when the block ends it seals what there is and ends.

    With `NEEDFUL_SEALER=0` another host seals. Raises InstallationError for any other value than 0 and 1.
    """
    if environ.get("NEEDFUL_SEALER", "1") not in ("0", "1"):
        message = "NEEDFUL_SEALER must be 0 (another host seals the ledger) or 1."
        raise InstallationError(message)
    if environ.get("NEEDFUL_SEALER") == "0":
        yield lambda: None
        return
    supervisor = _Supervisor(_settings(installation, found, environ.get("NEEDFUL_ALARM_URL") or None))
    try:
        yield supervisor.start
    finally:
        supervisor.stop()


def _settings(installation: Installation, found: Database, alarms: str | None) -> str:
    owner = found.owner
    database = {
        "host": owner.host,
        "port": owner.port,
        "user": owner.user,
        "password": owner.password or None,
        "database": owner.database,
        "ssl": owner.sslmode,
    }
    paths = {"key": str(installation.ledger_key_path), "heads": str(installation.ledger_heads_path)}
    return json.dumps({"database": database, **paths, "alarms": alarms})


class _Supervisor:
    def __init__(self, settings: str) -> None:
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
        if process is not None and process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
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
                    self._process = process = subprocess.Popen(COMMAND, cwd=_ROOT, stdin=subprocess.PIPE, text=True)  # noqa: S603
            except OSError as fault:
                # Too many processes or open files, no memory: none of them lasts for ever.
                _log.error("the sealer could not be started, and will be tried again: %s", place(fault))
            else:
                self._tell(process)
                code = process.wait()
                if self._stopping.is_set():
                    return
                _log.error("the sealer %s ended (%s): another takes its place", process.pid, code)
            pause = min(2 * pause, _LONGEST_PAUSE) if time.monotonic() - begun < _SHORT_LIFE else _PAUSE
            self._stopping.wait(pause)

    def _tell(self, process: "subprocess.Popen[str]") -> None:
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.write(self._settings + "\n")
                process.stdin.flush()
