"""Data directories that tests begin with: made once, by the same code as any other, and copied while nobody uses them.

A first start makes a cluster and runs every migration, which takes three seconds; what it does is tested where a test
says so (`models/test_embedded.py`, `test_readme.py`).
"""

import asyncio
import fcntl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from models.embedded import database
from models.installation import open_installation
from models.migrating import migrate

RunCli = Callable[..., object]


class Prepared:
    """Makes data directories below a folder that processes of one run share, and gives copies."""

    def __init__(self, folder: Path, run_cli: RunCli) -> None:
        self._folder, self._run_cli = folder, run_cli
        folder.mkdir(exist_ok=True)

    def empty(self, data_dir: Path) -> None:
        """A database up to date that holds nothing; no keys yet, so the first start may be in either mode."""
        with self._once("empty") as made:
            if made:
                with database(open_installation({"NEEDFUL_DATA": str(made)})) as found:
                    asyncio.run(migrate(found))
        _copy(self._folder / "empty", data_dir)

    def demo(self, data_dir: Path, people: int, *, seed: int = 3, plaintext: Path | None = None) -> None:
        """What `demo` makes; its plain lines too, if asked for. Copies of one have the same keys."""
        name = f"{people}-{seed}"
        plain = self._folder / f"{name}.jsonl"
        with self._once(name) as made:
            if made:
                self.empty(made)
                wanted = ("--people", str(people), "--seed", str(seed), "--plaintext", str(plain))
                self._run_cli("demo", *wanted, data_dir=made)
        _copy(self._folder / name, data_dir)
        if plaintext:
            _copy(plain, plaintext)

    @contextmanager
    def _once(self, name: str) -> Iterator[Path | None]:
        """Where to make what others of that name are copied from; None where it is made. Whoever comes next waits."""
        made, making = self._folder / name, self._folder / f"{name}.new"
        with (self._folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if made.exists():
                yield None
            else:
                yield making
                making.rename(made)


def _copy(made: Path, place: Path) -> None:
    # Owners are kept: the cluster's is not whoever runs the tests.
    subprocess.run(["cp", "-a", made, place], check=True)
