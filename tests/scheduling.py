"""Which process runs which file: those of a folder one after another in one process, which starts their servers once.

A folder's servers end when its process goes on to another folder (fixtures of the scope `package`): a server costs
processor time while nobody asks it anything, and dozens of them cost more than many tests.
"""

from collections import Counter
from typing import Any

from xdist.scheduler import LoadFileScheduling

FOLDERS = (
    "privacy",
    "writing",
    "console",
    "workbench",
    "ledger",
    "models",
    "resolvers/serving",
    "accounts",
    "oauth",
    "operations",
    "keys",
    "scheduler",
)
"""Those that take longest, in the order to begin with; files beside this one come last: to help there costs nothing."""
FILES = ("test_reference.py", "test_bench.py", "test_readme.py", "test_narrowed_world.py", "test_command_line.py")
"""Of those the longest: whoever began with one of them at the end would keep the others waiting."""
HERE = "tests"


def folder_of(file: str) -> str:
    """The folder of a file's tests."""
    return file.rpartition("/")[0]


class ByFolder(LoadFileScheduling):
    """A process stays with its folder; then it begins with the next, and at the end it helps where most is left."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._at: dict[Any, str] = {}
        self._begun: set[str] = set()

    def _assign_work_unit(self, node: Any) -> None:
        self.workqueue.move_to_end(self._next(node), last=False)
        super()._assign_work_unit(node)

    def _next(self, node: Any) -> str:
        """The file to run next."""
        waiting = Counter(folder_of(file) for file in self.workqueue)
        if self._at.get(node) not in waiting:
            fresh = [folder for folder in waiting if folder not in self._begun and folder != HERE]
            most = max(waiting, key=lambda folder: (folder == HERE, waiting[folder]))
            self._at[node] = min(fresh, key=_turn) if fresh else most
            self._begun.add(self._at[node])
        return min((file for file in self.workqueue if folder_of(file) == self._at[node]), key=_long)


def _turn(folder: str) -> int:
    name = folder.removeprefix(f"{HERE}/")
    return FOLDERS.index(name) if name in FOLDERS else len(FOLDERS)


def _long(file: str) -> int:
    name = file.removeprefix(f"{HERE}/")
    return FILES.index(name) if name in FILES else len(FILES)
