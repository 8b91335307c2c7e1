"""Runs a rig's own bench.py, under the rig's own Python, on the rig's peers and the product; standard library only.

`python rig_driver.py RIG RESULT -- ARGUMENTS` takes bench.py's arguments. The rig starts its peers, computes the right
answers from its base tables, compares, measures in interleaved rounds and reports, all by its own code. Beyond that:

* a target with `ids` is asked for policies by the product's ids, and its answers are put into the rig's words
  (`translation.py`) before they are compared. What is timed is sent and received as it is;
* a peer that does not start, or answers otherwise than is right, is named and left out instead of stopping all;
* the product's database counts as database, wherever it runs, and its ledger's commits are read from its metrics;
* everything is written to the file RESULT.
"""

import ast
import json
import re
import sys
import urllib.request
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any

if __package__:
    from bench.translation import Translation
else:  # A program, under a rig's own Python.
    from translation import Translation

_COMMITS = re.compile(r"^needful_ledger_commit_seconds_(sum|count)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
NEEDED = ("main", "start", "stop", "check", "expected", "body", "post", "wrk", "pg_cpu", "report", "psutil")
"""What of the rig's bench.py this file takes hold of."""

Rig = dict[str, Any]


class RigUnknownError(Exception):
    """The rig is another than this file knows."""


def load_rig(folder: Path, arguments: list[str]) -> Rig:
    """The rig's bench.py as it would run with these arguments, just before its last line runs it."""
    path = folder / "bench.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [one for one in tree.body if not _runs_all(one)]
    sys.argv = [str(path), *arguments]
    found: Rig = {"__name__": "rig", "__file__": str(path)}
    exec(compile(tree, str(path), "exec"), found)  # noqa: S102 - the program that was asked for
    missing = [name for name in NEEDED if name not in found]
    if missing:
        message = f"the rig's bench.py has no {', '.join(missing)}"
        raise RigUnknownError(message)
    return found


def _runs_all(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and ast.unparse(statement) == "sys.exit(main())"


class Driver:
    """What stands between the rig's own functions, in their places."""

    def __init__(self, rig: Rig) -> None:
        """Take hold of a rig."""
        self._rig = rig
        self._own: dict[str, Callable[..., Any]] = {name: rig[name] for name in NEEDED if name != "psutil"}
        self._products: list[dict[str, Any]] = []
        self._words: dict[str, Translation] = {}
        self.failed: dict[str, str] = {}
        self.memory: dict[str, list[tuple[str, int]]] = {}
        self.rounds: dict[str, Any] = {}
        rig.update({name: getattr(self, name) for name in NEEDED if hasattr(self, name)})

    def start(self, peer: dict[str, Any]) -> None:
        """Start a peer; one that does not start has failed."""
        try:
            self._own["start"](peer)
        except SystemExit as fault:
            self.failed[peer["name"]] = str(fault)

    def check(self, targets: dict[str, Any], queries: list[str]) -> int:
        """Leave only targets that answer rightly; how many products do not, or 1 where nobody is left."""
        answers = self._rig["asyncio"].run(self._own["expected"]())

        async def expected() -> Any:  # noqa: ANN401 - the rig's own
            return answers

        self._rig["expected"] = expected
        self._products = [one for one in targets.values() if "ids" in one]
        wrong = 0
        for name, target in list(targets.items()):
            if name not in self.failed:
                told = StringIO()
                with redirect_stdout(told):
                    bad = self._own["check"]({name: target}, queries)
                print(told.getvalue(), end="", flush=True)
                if bad:
                    self.failed[name] = told.getvalue().strip()
            if name in self.failed:
                wrong += target in self._products
                self._own["stop"]({name: targets.pop(name)})
        return wrong or int(not targets)

    def body(self, target: dict[str, Any], query: str, number: int | None = None) -> dict[str, Any]:
        """A request's body, with the target's own ids."""
        found: dict[str, Any] = self._own["body"](target, query, number)
        if "ids" in target and "id" in found["variables"]:
            found["variables"]["id"] = self._translation(target).policy(number or 1)
        return found

    def post(self, target: dict[str, Any], body: dict[str, Any], headers: dict[str, str] | None = None) -> str:
        """An answer to compare, in the rig's words; one to somebody without rights as it came."""
        text: str = self._own["post"](target, body, headers)
        return self._translation(target).answer(text) if "ids" in target and headers is None else text

    def pg_cpu(self, postmaster: int) -> float:
        """Processor seconds of every database that answers here."""
        found: float = self._own["pg_cpu"](postmaster)
        others = {one["postmaster"] for one in self._products} - {postmaster}
        return found + sum(self._own["pg_cpu"](number) for number in others)

    def wrk(self, target: dict[str, Any], *arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - the rig's own
        """One window; with the bytes resident after it and, in milliseconds, the mean commit of the ledger in it."""
        seconds, number = _commits(target)
        window: dict[str, Any] = self._own["wrk"](target, *arguments)
        after, committed = _commits(target)
        if committed > number:
            window["commit_ms"] = 1000 * (after - seconds) / (committed - number)
        window["rss"] = sum(size for _, size in self._resident(target["pid"]))
        return window

    def report(self, targets: dict[str, Any], queries: list[str], rounds: dict[str, Any]) -> None:
        """Keep what was measured, and let the rig report."""
        self.rounds = rounds
        self.memory = {name: self._resident(one["pid"]) for name, one in targets.items()}
        self._own["report"](targets, queries, rounds)

    def _resident(self, number: int) -> list[tuple[str, int]]:
        """The commands of a process and all below it, and what each holds in memory, in bytes."""
        process, found = self._rig["psutil"].Process(number), []
        for one in (process, *process.children(recursive=True)):
            with suppress(self._rig["psutil"].Error):  # it has ended meanwhile
                found.append((" ".join(one.cmdline())[:80], one.memory_info().rss))
        return found

    def _translation(self, target: dict[str, Any]) -> Translation:
        path = target["ids"]
        if path not in self._words:
            self._words[path] = Translation(json.loads(Path(path).read_text(encoding="utf-8")))
        return self._words[path]


def _commits(target: dict[str, Any]) -> tuple[float, float]:
    """Seconds and number of commits so far; zeros for who tells of none."""
    metrics = target.get("metrics")
    if metrics is None:
        return 0.0, 0.0
    request = urllib.request.Request(metrics["url"], headers=metrics["headers"])  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
        found = dict(_COMMITS.findall(answer.read().decode()))
    return float(found.get("sum", 0)), float(found.get("count", 0))


def main(argv: list[str]) -> int:
    folder, result, arguments = Path(argv[0]).resolve(), Path(argv[1]), argv[argv.index("--") + 1 :]
    rig = load_rig(folder, arguments)
    driver = Driver(rig)
    code: int = rig["main"]()
    found = {"failed": driver.failed, "memory": driver.memory, "rounds": driver.rounds}
    result.write_text(json.dumps(found), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
