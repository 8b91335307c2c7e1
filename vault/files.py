"""Files with secrets: nobody else may read them, and whoever reads one reads all of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp


def create_file(path: Path, content: str) -> None:
    """Write a file that is not there yet; one that is stays as it is. Of several at once, the first counts."""
    with _draft(path, content) as draft, suppress(FileExistsError):
        path.hardlink_to(draft)


def replace_file(path: Path, content: str) -> None:
    """Put this content in place of the file's, all at once."""
    with _draft(path, content) as draft:
        draft.replace(path)


@contextmanager
def _draft(path: Path, content: str) -> Iterator[Path]:
    """A finished file (mode 0600) beside `path`, for as long as the block lasts."""
    descriptor, name = mkstemp(prefix=f"{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """What stands in the folder stands there after a power failure too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
