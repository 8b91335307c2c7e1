"""The folder in which the workers of one server keep their numbers: new at each start, gone at its end."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from models.installation import InstallationError

FOLDER = "metrics"


@contextmanager
def metrics_folder(root: Path) -> Iterator[Path]:
    """A new folder for the numbers of one server, for as long as the block lasts; what dead servers left goes.

    Several servers may share a data directory. Raises InstallationError where there is no room for it.
    """
    parent = root / FOLDER
    try:
        parent.mkdir(mode=0o700, exist_ok=True)
        # Another server that starts must not take this one's for left behind.
        with ExitStack() as stack, _locked(parent):
            _remove_left(parent)
            folder = Path(mkdtemp(dir=parent))
            stack.enter_context(_locked(folder))
            held = stack.pop_all()
    except OSError as error:
        message = f"{parent} cannot be written ({error.strerror}): make room, or let its owner be who runs the service."
        raise InstallationError(message) from None
    with held:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_left(parent: Path) -> None:
    for folder in parent.iterdir():
        with suppress(BlockingIOError), _locked(folder, wait=False):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
