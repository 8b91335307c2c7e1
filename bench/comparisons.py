"""What is compared, and what it is to come to: the aims of the product's speed, beside what a run measured.

A run's windows are `{query: {target: [{"c1": window, "cN": window}, …]}}`, one entry a round; a window has `rps`,
`p99` in milliseconds, `srv_ms` (the server's processor time a request), `rss` (bytes resident after it) and, of the
product, `commit_ms` (the mean commit of its ledger).
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.ratios import Aim, Ratio, ratio_of

PRODUCT, UNRECORDED, TWO_WORKERS, MANY_RULES = "P", "P0", "P2", "P30k"
"""The product: as it is, without its ledger, with two workers, under 30,000 rules."""
ONE, MANY = "c1", "cN"
"""One connection, and sixteen."""

Window = Mapping[str, float]
Windows = Mapping[str, Mapping[str, Sequence[Mapping[str, Window]]]]


@dataclass(frozen=True, slots=True)
class Compared:
    """One aim and what was measured for it; None where its targets were not measured."""

    what: str
    aim: Aim
    ratio: Ratio | None
    beside: str = ""
    """What has to be said beside it."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    what: str
    query: str
    pair: tuple[str, str]
    place: str
    aim: Aim
    value: Callable[[Window], float]


def _rate(window: Window) -> float:
    return window["rps"]


def _server(window: Window) -> float:
    return window["srv_ms"]


def _resident(window: Window) -> float:
    return window["rss"]


def _without_commit(window: Window) -> float:
    return window["p99"] - window.get("commit_ms", 0.0)


_THROUGHPUT = (
    ("q1", "C", 1.3),
    ("q2", "C", 1.5),
    ("q3", "C", 1.4),
    ("q2", "A", 1.9),
    ("q1", "E", 0.5),
    ("q2", "E", 0.7),
    ("q3", "E", 0.65),
    ("q2", "D", 70),
    ("q2", "D0", 17),
)
_BESIDE_PEERS = (
    *(
        _Wanted(f"{query.upper()}, requests/s, against {peer}", query, (PRODUCT, peer), MANY, Aim(least), _rate)
        for query, peer, least in _THROUGHPUT
    ),
    *(
        _Wanted(
            f"{query.upper()}, p99 at one connection less the mean commit, against C",
            query,
            (PRODUCT, "C"),
            ONE,
            Aim(1.0, at_least=False),
            _without_commit,
        )
        for query in ("q1", "q2", "q3")
    ),
    _Wanted(
        "Resident memory after Q3, all processes but the database, against C",
        "q3",
        (PRODUCT, "C"),
        MANY,
        Aim(0.5, at_least=False),
        _resident,
    ),
)
_BESIDE_ITSELF = (
    _Wanted("Q2, requests/s, ledger on against off", "q2", (PRODUCT, UNRECORDED), MANY, Aim(0.85), _rate),
    _Wanted("Q2, requests/s, 30,000 rules against 30", "q2", (MANY_RULES, PRODUCT), MANY, Aim(0.97), _rate),
    _Wanted(
        "Q2, server's processor time a request, two workers against one",
        "q2",
        (TWO_WORKERS, PRODUCT),
        MANY,
        Aim(1.1, at_least=False),
        _server,
    ),
)


def against_peers(windows: Windows) -> Iterator[Compared]:
    """The aims that name a peer."""
    return (_compare(one, windows) for one in _BESIDE_PEERS)


def against_itself(windows: Windows) -> Iterator[Compared]:
    """The aims that compare the product with itself."""
    return (_compare(one, windows) for one in _BESIDE_ITSELF)


def _compare(wanted: _Wanted, windows: Windows) -> Compared:
    found = windows.get(wanted.query, {})
    if not set(wanted.pair) <= found.keys():
        return Compared(wanted.what, wanted.aim, None)
    ones, others = ([one[wanted.place] for one in found[name]] for name in wanted.pair)
    ratio = ratio_of([wanted.value(one) for one in ones], [wanted.value(one) for one in others])
    commits = [one["commit_ms"] for one in ones if wanted.value is _without_commit and "commit_ms" in one]
    beside = f"mean commit {sum(commits) / len(commits):.2f} ms" if commits else ""
    return Compared(wanted.what, wanted.aim, ratio, beside)


def rates(windows: Windows) -> Iterator[tuple[str, str, Mapping[str, float]]]:
    """Of each query and target the medians of a window's numbers, the fastest first."""
    for query, targets in windows.items():
        medians = {name: _medians(rounds) for name, rounds in targets.items()}
        for name in sorted(medians, key=lambda one: -medians[one]["rate"]):
            yield query, name, medians[name]


def _medians(rounds: Sequence[Mapping[str, Window]]) -> dict[str, float]:
    def median(place: str, name: str) -> float:
        return statistics.median(one[place][name] for one in rounds)

    return {
        "rate": median(MANY, "rps"),
        "p50": median(ONE, "p50"),
        "p99": median(ONE, "p99"),
        "server": median(MANY, "srv_ms"),
        "database": median(MANY, "pg_ms"),
        "bad": sum(one[place]["bad"] for one in rounds for place in (ONE, MANY)),
        "noisy": sum(one[place]["tries"] > 1 for one in rounds for place in (ONE, MANY)),
    }
