"""The database to use: the one `DATABASE_URL` names, else an embedded server that its users share."""

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_urlsafe
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from models.cluster import DATABASE, OWNER, PORT, running
from models.installation import Installation, InstallationError
from vault.files import create_file

_WAIT_SECONDS = 60
_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 1
_SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
_URL_SHAPE = (
    "DATABASE_URL must look like postgresql://owner:password@host:5432/database,"
    " with no other options than host and sslmode."
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """One role of one database; `host` is a name or the folder of a socket, `sslmode` as libpq has it."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    sslmode: str = "disable"


@dataclass(frozen=True, slots=True)
class Database:
    """The role that owns the tables, for migrations, and the one the application works under."""

    owner: Credentials
    application: Credentials


@contextmanager
def database(installation: Installation, *, lasting: bool = False) -> Iterator[Database]:
    """The installation's database, for as long as the block lasts.

    `lasting` marks a server: commands join its database. One that a command started lasts as long as that
    command, so everyone else waits for it. Raises InstallationError.
    """
    if installation.database_url is not None:
        yield _external(installation, installation.database_url)
        return
    place = _join_or_lock(installation)
    if isinstance(place, Path):
        yield _embedded(place, _read_secrets(installation.postgres_secrets_path))
        return
    with _Lock(place, lasting=lasting) as lock:
        known = _secrets(installation)
        with running(installation, owner_password=known.owner) as folder:
            lock.announce(folder)
            yield _embedded(folder, known)


@dataclass(frozen=True, slots=True)
class _Secrets:
    """The passwords of the two roles."""

    owner: str = field(repr=False)
    application: str = field(repr=False)


def _embedded(folder: Path, known: _Secrets) -> Database:
    return Database(
        owner=Credentials(str(folder), PORT, OWNER, known.owner, DATABASE),
        application=Credentials(str(folder), PORT, f"{DATABASE}_app", known.application, DATABASE),
    )


class _Lock:
    """The installation's lock while its server runs; its content tells the others where."""

    def __init__(self, descriptor: int, *, lasting: bool) -> None:
        self._descriptor = descriptor
        self._lasting = lasting

    def __enter__(self) -> Self:
        self._write(None)
        return self

    def __exit__(self, *_: object) -> None:
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def announce(self, folder: Path) -> None:
        """The server accepts connections in `folder`."""
        self._write(folder)

    def _write(self, folder: Path | None) -> None:
        content = {"pid": os.getpid(), "lasting": self._lasting, "socket": folder and str(folder)}
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(content).encode(), 0)


def _join_or_lock(installation: Installation) -> Path | int:
    """The socket folder of a lasting server, or the lock to start one under."""
    path = installation.postgres_lock_path
    started = time.monotonic()
    told = False
    while (place := _locked_or_announced(path)) is None:
        waited = time.monotonic() - started
        if waited > _WAIT_SECONDS:
            message = f"Another Needful command still works in {installation.root}: try again when it has ended."
            raise InstallationError(message)
        if waited > _PATIENCE_SECONDS and not told:
            print(f"Waiting for another Needful command in {installation.root}.", file=sys.stderr)  # noqa: T201
            told = True
        time.sleep(_POLL_SECONDS)
    return place


def _locked_or_announced(path: Path) -> Path | int | None:
    lock = _try_lock(path)
    return _announced(path) if lock is None else lock


def _try_lock(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _announced(path: Path) -> Path | None:
    """Where the lock's holder lets others in, if it does; half-written content reads as not yet."""
    try:
        content = json.loads(path.read_text())
        joinable = content["lasting"] and content["socket"] and Path(f"/proc/{content['pid']}").exists()
    except (OSError, ValueError, KeyError):
        return None
    return Path(content["socket"]) if joinable else None


def _secrets(installation: Installation) -> _Secrets:
    """The installation's passwords, made when it has none yet."""
    path = installation.postgres_secrets_path
    if not path.exists():
        if installation.postgres_dir.exists():
            message = f"{path} is missing: restore it from a backup, no other password opens the database."
            raise InstallationError(message)
        _write_secrets(path)
    return _read_secrets(path)


def _write_secrets(path: Path) -> None:
    content = {"format": 1, "owner": token_urlsafe(32), "application": token_urlsafe(32)}
    create_file(path, json.dumps(content) + "\n")


def _read_secrets(path: Path) -> _Secrets:
    try:
        content = json.loads(path.read_text())
        return _Secrets(owner=content["owner"], application=content["application"])
    except (OSError, ValueError, KeyError, TypeError):
        message = f"{path} cannot be read: restore it from a backup."
        raise InstallationError(message) from None


def _external(installation: Installation, url: str) -> Database:
    owner = _from_url(url)
    application = replace(owner, user=f"{owner.database}_app", password=_secrets(installation).application)
    return Database(owner=owner, application=application)


def _from_url(url: str) -> Credentials:
    """The owner's credentials in `DATABASE_URL`; its text is in no message, it holds the password."""
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        port = parts.port or PORT
    except ValueError:
        raise InstallationError(_URL_SHAPE) from None
    host = unquote(parts.hostname or "") or options.pop("host", "")
    sslmode = options.pop("sslmode", "disable" if host.startswith("/") else "prefer")
    database = unquote(parts.path.removeprefix("/"))
    known = parts.scheme in {"postgresql", "postgres"} and sslmode in _SSL_MODES and not options
    if not (known and host and parts.username and database):
        raise InstallationError(_URL_SHAPE)
    return Credentials(host, port, unquote(parts.username), unquote(parts.password or ""), database, sslmode)
