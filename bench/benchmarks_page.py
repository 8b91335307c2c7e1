"""The page of benchmarks: every number on it comes out of one run of the command that is named on it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.comparisons import Compared, Windows, against_itself, against_peers, rates

HEADING = """# Benchmarks

The product with everything switched on (sealed columns, decisions by row, masks, a durable row in the ledger for each
answer) beside other servers that answer the same queries from the same rows in the clear, without a ledger. Written by
`scripts/bench`, which checks every answer value by value before it times anything; no number here is typed by hand.
"""
METHOD = """## How it is measured

* One process a server, ten database connections each, the client on the same machine; windows of all servers are
  interleaved, in another order each round. Rates are at 16 connections, latencies at one.
* A ratio is taken within one round; what stands here is their median. The interval holds the true median as surely as
  is said beside it (two of the sorted ratios, sign test). *Met* and *not met* are said where the whole interval agrees.
* The product's page is raised to 500 rows and its ID numbers are masked to six and four characters, as the peers do;
  the caller is a claims handler to whom one insurer's claims are assigned, and sees only their diagnoses.
* All share one PostgreSQL server unless the command says `--embedded`. It may do no vacuum by itself, so the product's
  database is vacuumed before each query is measured.
* No server writes a line of log a request; of the product, the ledger keeps what there is to know of it.
* The peers' insurer rule compares a column; the product decides by the assignment of each claim and its open contract.
"""
_RATES = "query | target | requests/s | p50 ms | p99 ms | server ms | database ms | failed | windows repeated for noise"


@dataclass(frozen=True, slots=True)
class Measured:
    """All that one run of the command has found."""

    command: str
    machine: str
    when: str
    windows: Windows
    own_windows: Windows
    processes: Mapping[str, Sequence[float]]
    """Resident bytes of a target's processes, one by one."""
    targets: Mapping[str, str]
    """What each target is."""
    failed: Mapping[str, str]
    """Peers that were left out, and why."""


def page(found: Measured) -> str:
    """The whole page."""
    parts = [
        HEADING,
        f"`{found.command}` on {found.when}, {found.machine}.\n",
        "## Aims\n",
        _aims((*against_peers(found.windows), *against_itself(found.own_windows))),
        _left_out(found),
        METHOD,
        "## Rates\n",
        *map(_rates, (found.windows, found.own_windows)),
        "Server and database: processor time a request, at 16 connections; repeats: windows that others disturbed.\n",
        "## Memory and targets\n",
        _targets(found),
    ]
    return "\n".join(part for part in parts if part)


def _aims(compared: Sequence[Compared]) -> str:
    rows = [_aim(one) for one in compared]
    return _table("ratio | aim | median | interval | how sure | rounds | verdict", rows)


def _aim(one: Compared) -> tuple[object, ...]:
    what = f"{one.what} ({one.beside})" if one.beside else one.what
    if one.ratio is None:
        return what, one.aim, "", "", "", "", "not measured"
    found = one.ratio
    verdict = one.aim.judge(found).value
    interval = f"{found.low:.2f} to {found.high:.2f}"
    return what, one.aim, f"{found.median:.2f}", interval, f"{found.confidence:.0%}", found.rounds, verdict


def _rates(windows: Windows) -> str:
    rows = [
        (
            query.upper(),
            name,
            f"{of['rate']:.1f}",
            *(f"{of[number]:.2f}" for number in ("p50", "p99", "server", "database")),
            of["bad"],
            of["noisy"],
        )
        for query, name, of in rates(windows)
    ]
    return _table(_RATES, rows)


def _left_out(found: Measured) -> str:
    lines = [f"* {name}: {why}" for name, why in found.failed.items()]
    return "\n".join(["Left out, and not ranked:\n", *lines, ""]) if lines else ""


def _targets(found: Measured) -> str:
    rows = [
        (name, " + ".join(f"{size / 2**20:.0f}" for size in found.processes.get(name, ())), what)
        for name, what in found.targets.items()
        if name not in found.failed
    ]
    return _table("target | resident MiB, by process | what", rows)


def _table(heading: str, rows: Iterable[Sequence[object]]) -> str:
    lines = [heading, "---" + "|---" * heading.count("|"), *(" | ".join(map(str, row)) for row in rows)]
    return "\n".join(f"| {line} |" if "---" not in line else f"|{line}|" for line in lines) + "\n"
