"""Where one installation of Needful keeps its files, and whether it may touch them."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

FORMAT = 1
"""Version of the data directory's layout; a later version still reads this one."""

DEFAULT_ROOT = Path(__file__).resolve().parent.parent / ".data"


class InstallationError(Exception):
    """Why Needful cannot run here: one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Installation:
    """One data directory and the settings that belong to it."""

    root: Path
    database_url: str | None = field(repr=False)
    demo: bool
    heads: Path | None = None
    """Where an operator wants the ledger's heads written."""
    tombstones: Path | None = None
    """Where an operator wants the tombstones written."""

    @property
    def keyring_path(self) -> Path:
        """The key-encryption keys, kept outside the database."""
        return self.root / "keyring.json"

    @property
    def token_keys_path(self) -> Path:
        """The keys that sign tokens."""
        return self.root / "token-keys.json"

    @property
    def receipt_keys_path(self) -> Path:
        """The keys that sign consent receipts."""
        return self.root / "receipt-keys.json"

    @property
    def metrics_token_path(self) -> Path:
        """What whoever reads the metrics shows."""
        return self.root / "metrics-token"

    @property
    def ledger_key_path(self) -> Path:
        """The key that signs the ledger's heads."""
        return self.root / "ledger-key.json"

    @property
    def ledger_heads_path(self) -> Path:
        """The second place of the ledger's heads, beside the database."""
        return self.heads or self.root / "ledger-heads.jsonl"

    @property
    def tombstones_path(self) -> Path:
        """Whose data have been erased, kept outside the database."""
        return self.tombstones or self.root / "tombstones.jsonl"

    @property
    def postgres_dir(self) -> Path:
        """The embedded server's cluster."""
        return self.root / "postgres"

    @property
    def postgres_log_path(self) -> Path:
        """What the embedded server says about itself, never about a statement."""
        return self.root / "postgres.log"

    @property
    def postgres_lock_path(self) -> Path:
        """Held by the process whose embedded server runs."""
        return self.root / "postgres.lock"

    @property
    def postgres_secrets_path(self) -> Path:
        """The passwords of the database roles."""
        return self.root / "postgres.json"


def open_installation(environ: Mapping[str, str]) -> Installation:
    """The installation named by `NEEDFUL_DATA`, created where there is none yet.

    Raises InstallationError for a folder that is not ours; nothing in it is touched.
    """
    database_url = environ.get("DATABASE_URL") or None
    demo = _demo(environ, default=database_url is None)
    root = Path(environ.get("NEEDFUL_DATA") or DEFAULT_ROOT).absolute()
    try:
        _claim(root)
    except OSError as error:
        message = f"{root} cannot be used as the data directory ({error.strerror}): set NEEDFUL_DATA to another."
        raise InstallationError(message) from None
    return Installation(
        root=root.resolve(),
        database_url=database_url,
        demo=demo,
        heads=_elsewhere(environ, "NEEDFUL_LEDGER_HEADS"),
        tombstones=_elsewhere(environ, "NEEDFUL_TOMBSTONES"),
    )


def _elsewhere(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name)
    if not text:
        return None
    path = Path(text).absolute()
    if path.is_dir() or not path.parent.is_dir():
        message = f"{name} must name a file in a folder that exists: {path} is not one."
        raise InstallationError(message)
    return path


def _demo(environ: Mapping[str, str], *, default: bool) -> bool:
    match environ.get("NEEDFUL_DEMO", ""):
        case "":
            return default
        case "0":
            return False
        case "1":
            return True
        case _:
            message = "NEEDFUL_DEMO must be 0 or 1."
            raise InstallationError(message)


def _claim(root: Path) -> None:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone_in(root):
        marker = root / "needful.json"
        if marker.exists():
            _check_format(marker)
            return
        if any(root.iterdir()):
            message = f"{root} holds files that are not Needful's: set NEEDFUL_DATA to a new or empty folder."
            raise InstallationError(message)
        root.chmod(0o700)
        marker.write_text(json.dumps({"format": FORMAT}) + "\n")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    # Two first starts at once must not take each other's half-made folder for a stranger's; the folder itself
    # is locked, since a lock file would already be something written into a folder that may not be ours.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _check_format(marker: Path) -> None:
    try:
        written = json.loads(marker.read_text())["format"]
    except (ValueError, KeyError, TypeError):
        written = None
    if not isinstance(written, int) or isinstance(written, bool) or written < 1:
        message = f"{marker} is damaged: restore it from a backup, or set NEEDFUL_DATA to a new folder."
        raise InstallationError(message)
    if written > FORMAT:
        message = f"{marker.parent} was written by a newer Needful (format {written}): update Needful to use it."
        raise InstallationError(message)
