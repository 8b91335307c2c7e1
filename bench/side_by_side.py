"""Product and peers side by side: `scripts/bench`. Checks that all answer alike, measures, writes docs/benchmarks.md.

The peers stand in a rig of their own, which is named by `--rig` or NEEDFUL_BENCH_RIG and runs, checks and measures by
its own code (`rig_driver.py`). Its rows are imported into data directories of the product (`importing.py`), which are
kept under `--data`. Without a rig the product is measured beside its own floor (`read.py`), and no page is written.
"""

import argparse
import asyncio
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from bench import read
from bench.benchmarks_page import Measured, page
from bench.comparisons import MANY_RULES, PRODUCT, TWO_WORKERS, UNRECORDED
from bench.importing import Source, read_source, rig_rules
from bench.rig_data import headers, prepare
from bench.rules import many_rules
from models.database import connect_once
from models.embedded import Database, database
from models.installation import Installation, open_installation
from resolvers.operating.metrics_token import metrics_token
from schema.build import build_catalogue, build_schema

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
RIG = "NEEDFUL_BENCH_RIG"
PEERS = "A,C,D,D0,E"
SOURCE = "postgresql://bench@127.0.0.1:55873/bench"
"""Where a rig keeps its rows, unless --source names another place."""
SERVER = "postgresql://postgres@127.0.0.1:55873"
"""The superuser of the rig's PostgreSQL, where the product's databases are made, unless --server names another."""
QUERIES = ("q1", "q2", "q3")
_START_SECONDS = 60
_WHAT = {
    PRODUCT: "this service, everything switched on, 30 rules",
    UNRECORDED: "the same without its ledger",
    TWO_WORKERS: "the same as P with two workers",
    MANY_RULES: "the same as P under 30,000 rules",
}


@dataclass(frozen=True, slots=True)
class Bench:
    """Where everything stands, and how long it is measured."""

    rig: Path
    data: Path
    server: str | None
    """The superuser of the PostgreSQL for the product; None: an embedded one."""
    work: Path
    """For files that last as long as the run."""
    rounds: int
    seconds: int
    noise: float
    """Cores used by strangers above which the rig runs a window again."""
    check_only: bool
    ports: Iterator[int]


@dataclass(slots=True)
class Found:
    """What the rig told of several runs."""

    windows: dict[str, Any] = field(default_factory=dict)
    processes: dict[str, list[float]] = field(default_factory=dict)
    """Resident bytes of a target's processes, one by one, the last time."""
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, told: Mapping[str, Any]) -> None:
        """Add what one run told."""
        self.windows |= told["rounds"]
        self.failed |= told["failed"]
        for name, processes in told["memory"].items():
            self.processes[name] = sorted((size for _, size in processes), reverse=True)


class RigFailedError(Exception):
    """The rig did not measure; its own lines, printed before, say why."""


@dataclass(frozen=True, slots=True)
class Home:
    """One data directory of the product, while its database runs."""

    folder: Path
    environ: Mapping[str, str]
    installation: Installation
    database: Database
    postmaster: int
    """The process id of the database server."""


def main(argv: Sequence[str] | None = None) -> int:
    arguments, rest = _arguments(argv)
    if arguments.rig is None:
        print(f"No rig of peers is named (--rig DIR, or {RIG}): peers are not measured, only the product's own floor.")
        return read.main(["--rounds", str(arguments.rounds), "--seconds", str(arguments.seconds), *rest])
    if rest:
        print(f"Unknown: {' '.join(rest)}", file=sys.stderr)
        return 2
    try:
        text = _measure(arguments)
    except RigFailedError as failure:
        print(failure, file=sys.stderr)
        return 1
    if text is not None:
        arguments.write.write_text(text, encoding="utf-8")
        print(text)
    return 0


def _arguments(argv: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    named = os.environ.get(RIG)
    parser.add_argument("--rig", type=Path, default=Path(named) if named else None, help=f"its folder; or {RIG}")
    parser.add_argument("--source", default=SOURCE, help="the rig's rows: the address of a PostgreSQL database")
    parser.add_argument("--server", default=SERVER, help="the rig's PostgreSQL: the address of its superuser")
    parser.add_argument("--embedded", action="store_true", help="give the product its own PostgreSQL, not the rig's")
    parser.add_argument("--data", type=Path, default=ROOT / ".bench", help="where imported rows are kept")
    parser.add_argument("--peers", default=PEERS, help="the rig's names, with commas between")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=5, help="of one window")
    parser.add_argument("--noise", type=float, default=0.25, help="cores used by others above which a window is redone")
    parser.add_argument("--port", type=int, default=0, help="the product's first port; by default free ones")
    parser.add_argument("--write", type=Path, default=PAGE, help="the page to write")
    parser.add_argument("--check-only", action="store_true", help="compare the answers, and measure nothing")
    return parser.parse_known_args(argv)


def _command(given: argparse.Namespace) -> str:
    """The command as others can type it: folders are everybody's own."""
    words = f"--peers {given.peers} --rounds {given.rounds} --seconds {given.seconds} --noise {given.noise:g}"
    return f"scripts/bench --rig DIR {words}{' --embedded' if given.embedded else ''}"


def _measure(arguments: argparse.Namespace) -> str | None:
    """Everything; the page, or None where only answers were compared. Raises RigFailedError."""
    since, peers = time.monotonic(), _peers(arguments.rig, arguments.peers)
    machine = ""
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(prefix="needful-bench-")))
        ports = iter(range(arguments.port, arguments.port + 100)) if arguments.port else iter(_free_port, None)
        bench = Bench(
            rig=arguments.rig.absolute(),
            data=arguments.data.absolute(),
            server=None if arguments.embedded else arguments.server,
            work=work,
            rounds=arguments.rounds,
            seconds=arguments.seconds,
            noise=arguments.noise,
            check_only=arguments.check_only,
            ports=ports,
        )
        stack.enter_context(_rig_database(bench.rig))
        source = asyncio.run(read_source(arguments.source))
        few = stack.enter_context(_home(bench, source, many=False))
        product = stack.enter_context(_serving(few, bench))
        beside_peers = Found()
        for query in QUERIES:
            _say(f"{query}: {PRODUCT} and {arguments.peers}, after {time.monotonic() - since:.0f} s")
            machine = _machine(asyncio.run(_tidy(few)))
            target = _target(bench, few, PRODUCT, product)
            beside_peers.add(_run(bench, query, peers=arguments.peers, targets=[target]))
        many = stack.enter_context(_home(bench, source, many=True))
        others = {
            UNRECORDED: (few, stack.enter_context(_serving(few, bench, "unrecorded"))),
            TWO_WORKERS: (few, stack.enter_context(_serving(few, bench, workers=2))),
            MANY_RULES: (many, stack.enter_context(_serving(many, bench))),
        }
        itself = Found()
        _say(f"q2: the product beside itself, after {time.monotonic() - since:.0f} s")
        for home in (few, many):
            asyncio.run(_tidy(home))
        targets = [_target(bench, few, PRODUCT, product)]
        targets += [_target(bench, home, name, server) for name, (home, server) in others.items()]
        itself.add(_run(bench, "q2", peers="", targets=targets))
    if bench.check_only:
        return None
    return page(
        Measured(
            command=_command(arguments),
            machine=machine,
            when=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            windows=beside_peers.windows,
            own_windows=itself.windows,
            processes=beside_peers.processes,
            targets=_WHAT | peers,
            failed=beside_peers.failed,
        )
    )


def _peers(rig: Path, names: str) -> dict[str, str]:
    """What each of the named peers is. Raises RigFailedError for one that the rig does not have."""
    known = json.loads((rig / "peers.json").read_text(encoding="utf-8"))
    if unknown := set(names.split(",")) - known.keys():
        message = f"The rig has no peer {', '.join(sorted(unknown))}: it has {', '.join(known)}."
        raise RigFailedError(message)
    return {name: known[name]["what"] for name in names.split(",")}


@contextmanager
def _rig_database(rig: Path) -> Iterator[None]:
    """The rig's database, started if it does not run yet, and stopped then."""
    ran = subprocess.run([rig / "pg.sh", "check"], cwd=rig, capture_output=True, check=False).returncode == 0
    subprocess.run([rig / "pg.sh", "start"], cwd=rig, check=True)
    try:
        yield
    finally:
        if not ran:
            subprocess.run([rig / "pg.sh", "stop"], cwd=rig, check=False)


@contextmanager
def _home(bench: Bench, source: Source, *, many: bool) -> Iterator[Home]:
    content = rig_rules()
    if many:
        content = many_rules(content, build_catalogue(build_schema()))
    _say(f"the rig's rows in the product, under {len(content.rules):,} rules")
    folder, environ = prepare(bench.data, source, content, server=bench.server)
    installation = open_installation(environ)
    # Lasting: servers join it, and it is no part of any of them.
    with database(installation, lasting=True) as found:
        cluster = bench.rig / "pgdata" if bench.server else installation.postgres_dir
        postmaster = int((cluster / "postmaster.pid").read_text().split()[0])
        yield Home(folder, environ, installation, found, postmaster)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def _serving(home: Home, bench: Bench, *words: str, workers: int = 1) -> Iterator[tuple[int, int]]:
    """A server of its own on a port, as soon as it answers: port and process id; ended with the block."""
    port = next(bench.ports)
    command = [sys.executable, "-m", "bench.peer_server", *words, "serve", "--port", str(port)]
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | dict(home.environ)
    log = bench.work / f"{port}.log"
    with (
        log.open("w") as told,
        subprocess.Popen(
            [*command, "--workers", str(workers)], cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=told
        ) as process,
    ):
        try:
            _await(port, process, log)
            yield port, process.pid
        finally:
            process.send_signal(signal.SIGTERM)


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    message = f"the product did not start: {log.read_text(encoding='utf-8').strip()}"
    raise RigFailedError(message)


def _target(bench: Bench, home: Home, name: str, server: tuple[int, int]) -> Path:
    """The rig's description of one of the product's servers, with fresh tokens."""
    port, process = server
    path = bench.work / f"{name}.json"
    shown = {"Authorization": f"Bearer {metrics_token(home.installation.metrics_token_path)}"}
    found = {
        "name": name,
        "url": f"http://127.0.0.1:{port}/graphql",
        "pid": process,
        "headers": headers(home.installation, home.database, "caller"),
        "nobody": headers(home.installation, home.database, "nobody"),
        "queries": str(ROOT / "bench" / "peer_queries"),
        "what": _WHAT[name],
        "ids": str(home.folder / "ids.json"),
        "postmaster": home.postmaster,
        "metrics": {"url": f"http://127.0.0.1:{port}/metrics", "headers": shown},
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def _run(bench: Bench, query: str, *, peers: str, targets: Sequence[Path]) -> dict[str, Any]:
    """One run of the rig. Raises RigFailedError."""
    result = bench.work / "result.json"
    result.unlink(missing_ok=True)
    given = ["--peers", peers, "--queries", query, "--rounds", str(bench.rounds), "--secs", str(bench.seconds)]
    given += ["--noise", str(bench.noise)]
    for target in targets:
        given += ["--extra", str(target)]
    if bench.check_only:
        given.append("--check-only")
    command = [bench.rig / "venv" / "bin" / "python", ROOT / "bench" / "rig_driver.py", bench.rig, result, "--", *given]
    done = subprocess.run(command, cwd=bench.rig, check=False)
    if done.returncode:
        message = f"The rig did not measure {query}: the lines above say why."
        raise RigFailedError(message)
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


async def _tidy(home: Home) -> str:
    """Vacuum the product's database, since a rig's server may do none by itself; gives the server's version."""
    owner = await connect_once(home.database.owner)
    try:
        await owner.execute("VACUUM ANALYZE")
        version: str = await owner.fetchval("SHOW server_version")
        return version
    finally:
        await owner.close()


def _machine(postgresql: str) -> str:
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()},"
        f" {platform.python_implementation()} {platform.python_version()}, PostgreSQL {postgresql}"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    # A stop is orderly: what was started ends.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
