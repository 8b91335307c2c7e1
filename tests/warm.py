"""The command line in processes of its own that need not import the project anew: forks of one that has done so.

Importing takes a second, and the suite starts this project a hundred times. Everything else is as in a process from
scratch: its own environment, signals, output, database and exit code. Tests of the start itself do start from scratch
(`scripts/serve` in test_readme.py, test_workers.py, `migrate` in test_startup.py, test_command_line.py).
"""

import contextlib
import json
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from types import ModuleType

ROOT = Path(__file__).parent.parent

ROOMS = ("app.py", "cli.py", "console", "schema", "resolvers", "privacy", "authz", "ledger", "models", "vault")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["app", "cli"])
_starting = Lock()


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
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        output: Path,
        errors: Path | None = None,
        folder: Path = ROOT,
    ) -> None:
        given = (tuple(arguments), dict(environment), output, errors, folder)
        # A server of several workers has children, which a daemon of this library may not.
        self._process = _context.Process(target=_run, args=given, daemon="--workers" not in arguments)
        # The child is to be this project's main program, and not to look into the one that runs the tests.
        with _starting:
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


STUB = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({address!r})
    asked.sendall(json.dumps([os.getpid(), sys.argv[1:], dict(os.environ), os.getcwd()]).encode() + b"\\n")
    sys.exit(int(asked.makefile().read()))
"""


class _Asked(StreamRequestHandler):
    def handle(self) -> None:
        pid, arguments, environment, folder = json.loads(self.rfile.readline())
        output, errors = (Path(f"/proc/{pid}/fd/{number}") for number in (1, 2))
        process = Warm(arguments, environment=environment, output=output, errors=errors, folder=Path(folder))
        self.wfile.write(str(process.wait()).encode())


@contextlib.contextmanager
def program() -> Iterator[str]:
    """A program to write in a shell's script instead of `scripts/needful`: it does its work in a warm process.

    Arguments, environment, folder, output and exit code are those of the script; there is nothing to read for it.
    """
    with TemporaryDirectory() as folder:
        address, stub = Path(folder, "socket"), Path(folder, "needful")
        stub.write_text(STUB.format(python=sys.executable, address=str(address)))
        stub.chmod(0o755)
        with ThreadingUnixStreamServer(str(address), _Asked) as server:
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
            try:
                yield str(stub)
            finally:
                server.shutdown()


def _run(
    arguments: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path | None, folder: Path
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    _redirect(output, 1)
    _redirect(errors or output, 2)
    # The streams remember of what kind the files were that the processes' server had: a pipe cannot be sought in.
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - for as long as the process lives
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The old ones believe that they can seek, as the file could that they were made for; a shell's pipe cannot.
    sys.stdout = os.fdopen(1, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding=sys.stderr.encoding, errors=sys.stderr.errors, closefd=False)
    sys.argv = ["cli.py", *arguments]
    runpy.run_path(str(ROOT / "cli.py"), run_name="__main__")


def _redirect(path: Path, number: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, number)
    os.close(descriptor)
