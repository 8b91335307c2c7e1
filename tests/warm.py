"""The command line in processes of its own that need not import the project anew: forks of one that has done so.

Importing takes a second, and the suite starts this project a hundred times. Everything else is as in a process from
scratch: its own environment, signals, output, database and exit code. Tests of the start itself do start from scratch
(`scripts/serve` in test_readme.py, test_workers.py, `migrate` in test_startup.py, test_command_line.py).
"""

import contextlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent

ROOMS = ("app.py", "cli.py", "schema", "resolvers", "authz", "ledger", "models", "vault")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["app", "cli"])


def prepare() -> subprocess.Popen[bytes]:
    """Begin to import, and to compile for those that start from scratch, while tests are collected.

    Compiled code that names its source's hash is never taken for that of a source edited since. Gives what compiles.
    """
    ensure_running()
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", *ROOMS]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)


class Warm:
    """`python cli.py ARGUMENTS` in another process, with as much of `subprocess.Popen` as tests need."""

    def __init__(
        self, arguments: Sequence[str], *, environment: Mapping[str, str], output: Path, errors: Path | None = None
    ) -> None:
        given = (tuple(arguments), dict(environment), output, errors)
        # A server of several workers has children, which a daemon of this library may not.
        self._process = _context.Process(target=_run, args=given, daemon="--workers" not in arguments)
        # The child is to be this project's main program, and not to look into the one that runs the tests.
        main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            self._process.start()
        finally:
            sys.modules["__main__"] = main
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code once it has ended; a signal's number below zero."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(["cli.py"], timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(arguments: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path | None) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    _redirect(output, 1)
    _redirect(errors or output, 2)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["cli.py", *arguments]
    runpy.run_path(str(ROOT / "cli.py"), run_name="__main__")


def _redirect(path: Path, number: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, number)
    os.close(descriptor)
