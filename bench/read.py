"""How fast is reading? The product beside a plain SQL-to-JSON route on the same rows, and where its time goes.

`python -m bench.read` makes its own data directory, starts both servers, checks that they answer alike and prints
two tables. Rounds are interleaved and every ratio is taken within one round, since machines are noisy. Loopback only.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import uvloop

from bench.breakdown import time_parts, time_situations
from bench.floor import copy_rows
from models.embedded import Credentials, database
from models.installation import open_installation

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = (1, 16)
TARGETS = ("product", "unrecorded", "floor")
"""The product, the same without its ledger, and plain SQL to JSON."""
AIM = 0.4
"""Q2 at 16 connections: product's requests a second over the floor's."""
MOST_COST = 0.15
"""Of Q2's requests a second at 16 connections, the share that the ledger may cost."""

_RATES = (
    *("query", "connections", "", "requests/s", "p50 ms", "p99 ms", "KiB"),
    *("server ms", "database ms", "client cores", "failed"),
)
"""Server and database: processor time a request."""

Json = Any
"""What a JSON text holds."""

POLICIES_ASKED = 200
PAGES, PAGE = 5, 100
START_SECONDS = 60

_POLICY = """
  policyNumber
  policyholder { name idNumber phone }
  beneficiaries { name idNumber relation share }
  claims { edges { node { claimNumber status amountClaimed diagnosis bankCard } } }
"""
QUERIES = {
    "Q1": f"query Q1($id: ID!) {{ policy(id: $id) {{ {_POLICY} }} }}",
    "Q2": f"query Q2 {{ policies(first: 50) {{ edges {{ node {{ {_POLICY} }} }} }} }}",
    "Q3": """query Q3($after: String) { claims(first: 100, after: $after) {
  edges { node { __typename id claimNumber status reportedAt closedAt diagnosis bankCard } }
  pageInfo { endCursor hasNextPage }
} }""",
}
SENSITIVE = frozenset({"name", "idNumber", "phone", "amountClaimed", "diagnosis", "bankCard"})


@dataclass(frozen=True, slots=True)
class Target:
    """One server to measure: its process, and for each query the bodies to send in turn."""

    port: int
    process: psutil.Process
    bodies: Mapping[str, Sequence[bytes]]


@dataclass(slots=True)
class Agreement:
    """How many values both answered alike, and what became of the sensitive ones."""

    public: int = 0
    revealed: int = 0
    masked: int = 0
    denied: int = 0

    def compare(self, product: Json, floor: Json, name: str = "") -> None:
        """Compare two answers; raises AssertionError where they differ other than by a mask or a refusal."""
        if isinstance(product, dict):
            assert product.keys() == floor.keys(), name
            for key, value in product.items():
                if key != "endCursor":
                    self.compare(value, floor[key], key)
        elif isinstance(product, list):
            assert len(product) == len(floor), name
            for one, other in zip(product, floor, strict=True):
                self.compare(one, other, name)
        elif name not in SENSITIVE:
            assert product == floor, (name, product, floor)
            self.public += 1
        elif product == floor:
            self.revealed += 1
        elif product is None:
            self.denied += 1
        else:
            assert "*" in product, name
            self.masked += 1


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _arguments(argv)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="needful-bench-")))
        os.environ["NEEDFUL_DATA"] = str(folder / "data")
        os.environ.pop("DATABASE_URL", None)
        plaintext = folder / "plain.jsonl"
        _say(f"loading {arguments.people} people")
        _needful("demo", "--people", str(arguments.people), "--plaintext", str(plaintext))
        product_port = stack.enter_context(_serving("cli.py", "serve", "--port", "{port}"))
        installation = open_installation(os.environ)
        found = stack.enter_context(database(installation))
        policies = uvloop.run(_prepare(found.owner, plaintext, assigned=arguments.assigned))
        bare_port = stack.enter_context(_serving("-m", "bench.unrecorded", "serve", "--port", "{port}"))
        floor_port = stack.enter_context(_serving("-m", "bench.floor", "{port}"))
        token = _needful("token", "--role", "claims_handler", "--purpose", "claim_handling").split()[-1]
        targets = {
            "product": _target(product_port, policies, token),
            "unrecorded": _target(bare_port, policies, token),
            "floor": _target(floor_port, policies, token),
        }
        agreed = _check(targets, token)
        result = {
            "people": arguments.people,
            "agreement": {query: _fields(found_equal) for query, found_equal in agreed.items()},
            "ceiling": _ceiling(targets["product"], token, arguments),
            "rounds": _measure(targets, token, arguments, installation.postgres_dir),
        }
        body = targets["product"].bodies["Q2"][0]
        _say("where Q2's time goes")
        times = arguments.executions
        result["parts"] = uvloop.run(time_parts(installation, found, token=token, body=body, times=times))
        result["statements"] = uvloop.run(time_situations(installation, found, token=token, body=body, times=times))
        result["rates"] = _rates(result["rounds"])
    print(json.dumps(result) if arguments.json else tables(result))
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.read", description=__doc__)
    parser.add_argument("--people", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one window")
    parser.add_argument("--warm", type=float, default=0.3, help="seconds before a window that do not count")
    parser.add_argument("--most", type=int, default=20_000, help="requests in one window")
    parser.add_argument("--executions", type=int, default=200, help="of Q2 in process")
    parser.add_argument("--assigned", action="store_true", help="give every claim to the handler: more to open")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _needful(*arguments: str) -> str:
    command = [sys.executable, "cli.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return done.stdout


@contextmanager
def _serving(*arguments: str) -> Iterator[tuple[int, psutil.Process]]:
    """A Python program that serves on a free port, as soon as it listens; ended with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, *(part.format(port=port) for part in arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            _await(port, process)
            yield port, psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    message = "a server did not start"
    raise RuntimeError(message)


async def _prepare(who: Credentials, plaintext: Path, *, assigned: bool) -> list[str]:
    """Copy the rows for the floor; gives the global ids of the policies to ask for."""
    owner = await asyncpg.connect(
        host=who.host, port=who.port, user=who.user, password=who.password or None, database=who.database
    )
    if assigned:
        await owner.execute(
            "INSERT INTO assignment (id, staff_id, claim_id, assigned_at)"
            " SELECT gen_random_uuid(), s.id, c.id, now() FROM claim c,"
            " (SELECT id FROM staff WHERE role = 'claims_handler' ORDER BY username LIMIT 1) s"
        )
    await copy_rows(owner, plaintext)
    found = await owner.fetch("SELECT global_id FROM floor.policy ORDER BY md5(policy_number) LIMIT $1", POLICIES_ASKED)
    await owner.close()
    return [str(row[0]) for row in found]


def _target(server: tuple[int, psutil.Process], policies: Sequence[str], token: str) -> Target:
    port, process = server
    bodies = {
        "Q1": [_body("Q1", {"id": policy}) for policy in policies],
        "Q2": [_body("Q2", {})],
        "Q3": list(_pages(port, token)),
    }
    return Target(port, process, bodies)


def _body(query: str, variables: Mapping[str, Any]) -> bytes:
    return json.dumps({"query": QUERIES[query], "operationName": query, "variables": variables}).encode()


def _pages(port: int, token: str) -> Iterator[bytes]:
    """The bodies of the first pages of claims; cursors are each server's own."""
    after = None
    for _ in range(PAGES):
        body = _body("Q3", {"after": after})
        yield body
        info = _post(port, token, body)["claims"]["pageInfo"]
        if not info["hasNextPage"]:
            break
        after = info["endCursor"]


def _post(port: int, token: str, body: bytes) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
        found: dict[str, Any] = json.load(answer)["data"]
    return found


def _check(targets: Mapping[str, Target], token: str) -> dict[str, Agreement]:
    """Ask both everything that is measured and compare value by value."""
    agreed = {}
    for query in QUERIES:
        agreed[query] = Agreement()
        pairs = zip(targets["product"].bodies[query], targets["floor"].bodies[query], strict=True)
        for product, floor in pairs:
            agreed[query].compare(
                _post(targets["product"].port, token, product), _post(targets["floor"].port, token, floor)
            )
    return agreed


def _fields(agreement: Agreement) -> dict[str, int]:
    return {name: getattr(agreement, name) for name in Agreement.__slots__}


def _load(target: Target, requests: list[str], connections: int, arguments: argparse.Namespace) -> dict[str, Any]:
    order = {
        "host": "127.0.0.1",
        "port": target.port,
        "connections": connections,
        "warm": arguments.warm,
        "seconds": arguments.seconds,
        "most": arguments.most,
        "requests": requests,
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        cwd=ROOT,
        input=json.dumps(order),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    window: dict[str, Any] = json.loads(done.stdout)
    assert window["count"], "a window without a single answer: give more --seconds"
    return window


def _ceiling(target: Target, token: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """What the client can do: the product's smallest answer, as fast as it comes."""
    request = f"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    return _load(target, [request], CONNECTIONS[-1], arguments)


def _post_text(body: bytes, token: str) -> str:
    return (
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n{body.decode()}"
    )


def _measure(
    targets: Mapping[str, Target], token: str, arguments: argparse.Namespace, postgres_dir: Path
) -> list[dict[str, Any]]:
    """Every window of every round; who comes first alternates."""
    postmaster = psutil.Process(int((postgres_dir / "postmaster.pid").read_text().split()[0]))
    windows = []
    for number in range(arguments.rounds):
        _say(f"round {number + 1} of {arguments.rounds}")
        for query in QUERIES:
            for connections in CONNECTIONS:
                for name in TARGETS[:: -1 if number % 2 else 1]:
                    target = targets[name]
                    requests = [_post_text(body, token) for body in target.bodies[query]]
                    before = _cpu(target.process), _cpu_of_children(postmaster)
                    window = _load(target, requests, connections, arguments)
                    after = _cpu(target.process), _cpu_of_children(postmaster)
                    # Warming up is in the processor time and not in the count: bring them together by the time passed.
                    sent = window["count"] + arguments.warm * window["rate"]
                    server, postgres = (1000 * (b - a) / sent for a, b in zip(before, after, strict=True))
                    place = {"round": number, "query": query, "connections": connections, "target": name}
                    windows.append({**place, **window, "server_ms": server, "postgres_ms": postgres})
    return windows


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _cpu_of_children(process: psutil.Process) -> float:
    total = 0.0
    for child in process.children():
        try:
            total += _cpu(child)
        except psutil.NoSuchProcess:
            continue
    return total


def _rates(windows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Medians over the rounds by query and connections, and the ratio of rates within each round."""
    rows = []
    for query in QUERIES:
        for connections in CONNECTIONS:
            of = {
                name: [
                    window
                    for window in windows
                    if (window["query"], window["connections"], window["target"]) == (query, connections, name)
                ]
                for name in TARGETS
            }
            row: dict[str, Any] = {"query": query, "connections": connections}
            row |= {name: _medians(of[name]) for name in TARGETS}
            rows.append({**row, "floor ratio": _ratio(of, "floor"), "ledger ratio": _ratio(of, "unrecorded")})
    return rows


def _ratio(of: Mapping[str, Sequence[Mapping[str, Any]]], other: str) -> dict[str, float]:
    """The product's requests a second over another's, round by round."""
    ratios = [one["rate"] / beside["rate"] for one, beside in zip(of["product"], of[other], strict=True)]
    return {"median": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}


def _medians(windows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    names = ("rate", "p50", "p99", "bytes", "server_ms", "postgres_ms", "busy", "count")
    medians = {name: statistics.median(window[name] for window in windows) for name in names}
    return {**medians, "failures": sum(window["failures"] for window in windows)}


def tables(result: Mapping[str, Any]) -> str:
    """The result as it is printed."""
    ceiling = result["ceiling"]
    lines = [
        f"{result['people']} people. The client alone: {ceiling['rate']:.0f} answers/s, {ceiling['busy']:.0%} busy.",
        "",
        *_table(" | ".join(("query", *Agreement.__slots__))),
        *(_line(query, *counts.values()) for query, counts in result["agreement"].items()),
        "",
        *_table(" | ".join(_RATES)),
    ]
    for row in result["rates"]:
        lines += [_rate_line(row, name) for name in TARGETS]
    lines += [
        "Server and database: processor time a request.",
        "",
        *_table("query | connections | product / floor | rounds | product / without ledger | rounds"),
    ]
    for row in result["rates"]:
        lines.append(_line(row["query"], row["connections"], *_spans(row["floor ratio"]), *_spans(row["ledger ratio"])))
    (q2,) = (row for row in result["rates"] if row["query"] == "Q2" and row["connections"] == CONNECTIONS[-1])
    cost = 1 - q2["ledger ratio"]["median"]
    lines += [
        f"Q2 over {CONNECTIONS[-1]} connections: {q2['floor ratio']['median']:.2f} of the floor; the aim is {AIM}.",
        f"There the ledger costs {cost:.0%} of the requests; the most that it may is {MOST_COST:.0%}.",
    ]
    lines += ["", *_table("Q2 in process | ms | %")]
    lines += [_line(part, f"{took['ms']:.3f}", f"{took['percent']:.1f}") for part, took in result["parts"].items()]
    lines += ["", *_table("Q2's statements | ms | without situations | situations %")]
    total = {name: sum(one[name] for one in result["statements"]) for name in ("ms", "bare")}
    for one in (*result["statements"], {"table": "all", **total}):
        share = 100 - 100 * one["bare"] / one["ms"]
        lines.append(_line(one["table"], f"{one['ms']:.3f}", f"{one['bare']:.3f}", f"{share:.0f}"))
    return "\n".join(lines)


def _spans(ratio: Mapping[str, float]) -> tuple[str, str]:
    return f"{ratio['median']:.2f}", f"{ratio['least']:.2f} to {ratio['most']:.2f}"


def _table(heading: str) -> tuple[str, str]:
    return f"| {heading} |", "|---" * (heading.count("|") + 1) + "|"


def _line(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _rate_line(row: Mapping[str, Any], name: str) -> str:
    of = row[name]
    return _line(
        row["query"],
        row["connections"],
        name,
        f"{of['rate']:.1f}",
        f"{of['p50']:.2f}",
        f"{of['p99']:.2f}",
        f"{of['bytes'] / 1024:.1f}",
        f"{of['server_ms']:.2f}",
        f"{of['postgres_ms']:.2f}",
        f"{of['busy']:.2f}",
        of["failures"],
    )


if __name__ == "__main__":
    sys.exit(main())
