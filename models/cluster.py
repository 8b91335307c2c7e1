"""The embedded PostgreSQL server of one data directory: made, started and stopped."""

import hashlib
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGQUIT
from typing import IO

from models.installation import Installation, InstallationError
from models.programs import copied_programs, packaged_programs
from models.scram import scram_verifier

PORT = 5432
"""Only part of the socket's name: the server listens on no network address."""

OWNER = "needful_owner"
DATABASE = "needful"

_START_SECONDS = 120
_STOP_SECONDS = 30
_SOCKET_PATH_BYTES = 100
"""Linux allows 107; the rest is for the server's own lock file beside the socket."""

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "jit": "off",
    # Parallel workers need /dev/shm, which containers keep small, and the queries here are short.
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # An error's text quotes values: of statements and their errors nothing is logged at all.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
}


@dataclass(frozen=True, slots=True)
class _Account:
    """Whom the server runs as."""

    uid: int
    gid: int


@contextmanager
def running(installation: Installation, *, owner_password: str) -> Iterator[Path]:
    """Run the server for as long as the block lasts; gives the folder of its socket.

    The caller holds the installation's lock. The server ends with this process, however that ends. The kernel
    watches the thread that started it, so this belongs in the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        message = "the database server must be started from the main thread"
        raise RuntimeError(message)
    account = _account(installation)
    with _log(installation) as log:
        _let_in(installation.root, account)
        _await_predecessor(installation)
        if not installation.postgres_dir.exists():
            _create(installation, owner_password, account=account, log=log)
        with _socket_folder(installation, account) as folder:
            process = _start(installation, folder, account=account, log=log)
            try:
                _await_ready(installation, process)
                yield folder
            finally:
                _stop(process)


def _account(installation: Installation) -> _Account:
    owner = _Account(os.geteuid(), os.getegid())
    if installation.postgres_dir.exists():
        found = installation.postgres_dir.stat()
        owner = _Account(found.st_uid, found.st_gid)
    if os.geteuid() == 0:
        return owner if owner.uid != 0 else _unprivileged()
    if owner.uid != os.geteuid():
        message = f"{installation.postgres_dir} belongs to another user: run Needful as that user."
        raise InstallationError(message)
    return owner


def _unprivileged() -> _Account:
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return _Account(entry.pw_uid, entry.pw_gid)
    return _Account(65534, 65534)


def _let_in(root: Path, account: _Account) -> None:
    # The group may pass through the folder and read nothing in it but what is its own.
    if root.stat().st_uid != account.uid:
        os.chown(root, -1, account.gid)
        root.chmod(0o710)


def _await_predecessor(installation: Installation) -> None:
    # A server whose process was killed is told so by the kernel and needs a moment to shut down.
    pid_file = installation.postgres_dir / "postmaster.pid"
    deadline = time.monotonic() + _START_SECONDS
    while (pid := _first_number(pid_file)) is not None and _serves(pid, installation.postgres_dir):
        if time.monotonic() > deadline:
            message = f"The database server {pid} of {installation.root} does not end: stop it, then try again."
            raise InstallationError(message)
        time.sleep(0.05)
    # PostgreSQL would take a recycled process number for a living server and refuse to start. What a dead
    # server left is for PostgreSQL itself to judge: some of its workers may still be at work.
    if pid is not None and Path(f"/proc/{pid}").exists():
        pid_file.unlink(missing_ok=True)


def _first_number(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _serves(pid: int, postgres_dir: Path) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(postgres_dir) in command


def _create(installation: Installation, owner_password: str, *, account: _Account, log: IO[bytes]) -> None:
    # Made aside and renamed: an interrupted first start leaves nothing that looks like a cluster.
    unfinished = installation.postgres_dir.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    os.chown(unfinished, account.uid, account.gid)
    _initialise(installation, unfinished, account=account, log=log)
    _create_database(installation, unfinished, owner_password, account=account, log=log)
    unfinished.rename(installation.postgres_dir)


def _initialise(installation: Installation, folder: Path, *, account: _Account, log: IO[bytes]) -> None:
    # The superuser's password is thrown away: nobody logs in as superuser.
    password_file = installation.root / "postgres.superuser"
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    try:
        password_file.write_text(secrets.token_urlsafe(32))
        os.chown(password_file, account.uid, account.gid)
        command = (
            *(_program("initdb", account), f"--pgdata={folder}", "--username=postgres"),
            *("--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--no-locale"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
        )
        _run(installation, command, account=account, log=log)
    finally:
        password_file.unlink()


def _create_database(
    installation: Installation, folder: Path, owner_password: str, *, account: _Account, log: IO[bytes]
) -> None:
    # The owner has the rights a careful administrator would give in production, and no more.
    verifier = scram_verifier(owner_password, salt=secrets.token_bytes(16))
    script = f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{verifier}';\nCREATE DATABASE {DATABASE} OWNER {OWNER};\n"
    settings = ("-c", "exit_on_error=on", "-c", "log_min_error_statement=panic")
    command = (_program("postgres", account), "--single", *settings, "-D", str(folder), "postgres")
    _run(installation, command, account=account, log=log, script=script)


def _run(
    installation: Installation, command: Sequence[str], *, account: _Account, log: IO[bytes], script: str = ""
) -> None:
    done = subprocess.run(  # noqa: S603 - our own binaries, arguments made here
        (*_confined(installation, account), *command),
        input=script.encode(),
        stdout=log,
        stderr=log,
        env=_environment(),
        start_new_session=True,
        check=False,
    )
    if done.returncode != 0:
        message = f"The database could not be created: {installation.postgres_log_path} says why."
        raise InstallationError(message)


def _start(installation: Installation, folder: Path, *, account: _Account, log: IO[bytes]) -> subprocess.Popen[bytes]:
    settings = {**_SETTINGS, "unix_socket_directories": str(folder), "port": str(PORT)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return subprocess.Popen(  # noqa: S603 - our own binaries, arguments made here
        (
            *_confined(installation, account),
            *(_program("postgres", account), "-D", str(installation.postgres_dir), *options),
        ),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=_environment(),
        # A Ctrl-C is for the server in front, which ends this one when its last answer is out.
        start_new_session=True,
    )


def _await_ready(installation: Installation, process: subprocess.Popen[bytes]) -> None:
    pid_file = installation.postgres_dir / "postmaster.pid"
    deadline = time.monotonic() + _START_SECONDS
    while not (_first_number(pid_file) == process.pid and _is_ready(pid_file)):
        if process.poll() is not None or time.monotonic() > deadline:
            message = f"The database server did not start: {installation.postgres_log_path} says why."
            raise InstallationError(message)
        time.sleep(0.01)


def _is_ready(pid_file: Path) -> bool:
    return pid_file.read_text().rstrip().endswith("\nready")


def _stop(process: subprocess.Popen[bytes]) -> None:
    for signal in (SIGINT, SIGQUIT):
        process.send_signal(signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
            return
    process.kill()
    process.wait()


def _confined(installation: Installation, account: _Account) -> tuple[str, ...]:
    """The command before the command: as whom, with which rights, and ending with us.

    The kernel forgets the tie to the parent when the user changes, so setpriv sets it after that.
    """
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0:
        return (setpriv, "--no-new-privs", "--pdeathsig", "INT") if setpriv else ()
    if setpriv is None:
        message = "Needful started as root needs setpriv (on Debian: apt-get install util-linux)."
        raise InstallationError(message)
    user = (f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", "--no-new-privs")
    return (setpriv, *user, *_capabilities(installation, account), "--pdeathsig", "INT")


def _capabilities(installation: Installation, account: _Account) -> tuple[str, ...]:
    needed = () if _reaches(account, installation.postgres_dir) else _first_held()
    return (
        "--inh-caps=" + ",".join(("-all", *needed)),
        "--ambient-caps=" + ",".join(("-all", *needed)),
    )


def _first_held() -> tuple[str, ...]:
    # Containers are commonly without the first; both let a server pass through folders closed to it.
    status = Path("/proc/self/status").read_text()
    effective = int(status.split("CapEff:", 1)[1].split(None, 1)[0], 16)
    bits = {"+dac_read_search": 2, "+dac_override": 1}
    return tuple(name for name, bit in bits.items() if effective >> bit & 1)[:1]


def _reaches(account: _Account, path: Path) -> bool:
    return all(_passes(account, folder.stat()) for folder in path.parents)


def _passes(account: _Account, folder: os.stat_result) -> bool:
    if folder.st_uid == account.uid:
        return bool(folder.st_mode & stat.S_IXUSR)
    if folder.st_gid == account.gid:
        return bool(folder.st_mode & stat.S_IXGRP)
    return bool(folder.st_mode & stat.S_IXOTH)


@contextmanager
def _socket_folder(installation: Installation, account: _Account) -> Iterator[Path]:
    folder = installation.root / "socket"
    fits = len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= _SOCKET_PATH_BYTES
    outer = None if fits else _short_folder(installation, account)
    folder = folder if outer is None else outer / "socket"
    # What a killed server left there would be taken for a living one.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    os.chown(folder, account.uid, account.gid)
    try:
        yield folder
    finally:
        shutil.rmtree(outer or folder, ignore_errors=True)


def _short_folder(installation: Installation, account: _Account) -> Path:
    # Its name can be guessed, so someone may have made it first: what is not ours alone is refused.
    digest = hashlib.sha256(os.fsencode(installation.root)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"needful-{os.geteuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o067
    if not ours:
        message = f"{folder} is not Needful's own private folder: remove it, then try again."
        raise InstallationError(message)
    _let_in(folder, account)
    return folder


@contextmanager
def _log(installation: Installation) -> Iterator[IO[bytes]]:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(installation.postgres_log_path, flags, 0o600)
    with os.fdopen(descriptor, "ab", buffering=0) as log:
        yield log


def _program(name: str, account: _Account) -> str:
    programs = packaged_programs()
    if os.geteuid() == 0 and not _reaches(account, programs / name):
        programs = copied_programs()
    return str(programs / name)


def _environment() -> dict[str, str]:
    # Nothing of ours: it may hold secrets, and PG* variables would change the server.
    return {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
