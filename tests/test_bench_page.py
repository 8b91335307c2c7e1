"""The page of benchmarks says what was measured, and of what was not measured that it was not."""

import re
import statistics
from random import Random

import pytest

from bench.benchmarks_page import Measured, page
from bench.comparisons import against_itself, against_peers
from bench.ratios import Verdict

ROUNDS = 7
QUERIES = ("q1", "q2", "q3")
COMMIT = 1.5


def window(rate, **more):
    return {
        "rps": rate,
        "p50": 1e3 / rate,
        "p99": 2e3 / rate,
        "srv_ms": 900 / rate,
        "pg_ms": 300 / rate,
        "bad": 0,
        "tries": 1,
        "rss": rate,
        **more,
    }


def windows(queries, rates, **more):
    """Rounds in which a machine is by turns fast and slow, for all alike."""
    chance = Random(3)  # noqa: S311 - reproducible
    speeds = [chance.uniform(0.5, 2) for _ in range(ROUNDS)]
    return {
        query: {
            name: [{place: window(rate * speed, **more) for place in ("c1", "cN")} for speed in speeds]
            for name, rate in rates.items()
        }
        for query in queries
    }


def measured(peers, itself, *, failed=()):
    return Measured(
        command="scripts/bench --rig R",
        machine="2 cores",
        when="2026-01-01 00:00 UTC",
        windows=windows(QUERIES, peers),
        own_windows=windows(["q2"], itself),
        processes={name: [60.0 * 2**20, 40.0 * 2**20] for name in peers},
        targets={name: f"server {name}" for name in {**peers, **itself, **dict(failed)}},
        failed=dict(failed),
    )


ITSELF = {"P": 100.0, "P0": 110.0, "P2": 100.0, "P30k": 90.0}


def lines(text, heading):
    """The cells of the first table below a heading, its own heading first."""
    found = text.split(heading, 1)[1].split("\n|", 1)[1].split("\n\n", 1)[0].splitlines()
    found[0] = f"|{found[0]}"
    return [line.strip("| ").split(" | ") for line in found if line.startswith("| ")]


def test_each_aim_is_judged_by_the_ratios_of_its_own_targets():
    rates = {"P": 160.0, "C": 100.0, "A": 100.0, "E": 200.0, "D": 2.0}
    found = {one.what: one for one in against_peers(windows(QUERIES, rates))}
    judged = {what: one.ratio and (round(one.ratio.median, 3), one.aim.judge(one.ratio)) for what, one in found.items()}
    assert judged["Q1, requests/s, against C"] == (1.6, Verdict.MET)
    assert judged["Q2, requests/s, against A"] == (1.6, Verdict.MISSED)
    assert judged["Q2, requests/s, against E"] == (0.8, Verdict.MET)
    assert judged["Q2, requests/s, against D"] == (80.0, Verdict.MET)
    assert judged["Q2, requests/s, against D0"] is None
    assert judged["Resident memory after Q3, all processes but the database, against C"] == (1.6, Verdict.MISSED)


def test_the_product_beside_itself():
    ledger, rules, workers = against_itself(windows(["q2"], ITSELF))
    assert ledger.ratio.median == pytest.approx(100 / 110)
    assert rules.ratio.median == pytest.approx(0.9)
    assert rules.aim.judge(rules.ratio) is Verdict.MISSED
    assert workers.ratio.median == pytest.approx(1)
    assert workers.aim.judge(workers.ratio) is Verdict.MET


def test_the_ledgers_commit_is_taken_off_the_products_latency_and_shown():
    found = windows(["q1"], {"P": 100.0, "C": 100.0})
    for one in found["q1"]["P"]:
        one["c1"]["commit_ms"] = COMMIT
    (latency,) = (one for one in against_peers(found) if one.ratio and "p99" in one.what)
    expected = [(one["c1"]["p99"] - COMMIT) / one["c1"]["p99"] for one in found["q1"]["C"]]
    assert latency.ratio.median == pytest.approx(statistics.median(expected))
    assert latency.beside == "mean commit 1.50 ms"


def test_the_page_names_what_was_left_out_and_ranks_it_nowhere():
    text = page(measured({"P": 160.0, "C": 100.0}, ITSELF, failed={"A": "check A BAD"}.items()))
    assert "* A: check A BAD" in text
    assert {cells[1] for cells in lines(text, "## Rates")[1:]} == {"P", "C"}
    unmeasured = [cells[0] for cells in lines(text, "## Aims")[1:] if cells[-1] == "not measured"]
    assert {re.search(r"against (\w+)$", one).group(1) for one in unmeasured} == {"A", "D", "D0", "E"}
    assert {cells[0] for cells in lines(text, "## Memory")[1:]} == {"P", "C", "P0", "P2", "P30k"}
    assert "| C | 60 + 40 | server C |" in text


def test_every_rate_on_the_page_is_the_median_of_its_rounds_the_fastest_first():
    given = measured({"P": 160.0, "C": 100.0, "E": 300.0}, ITSELF)
    rows = lines(page(given), "## Rates")[1:]
    assert [cells[1] for cells in rows if cells[0] == "Q1"] == ["E", "P", "C"]
    for query, name, rate, *_ in rows:
        rounds = given.windows[query.lower()][name]
        assert float(rate) == pytest.approx(statistics.median(one["cN"]["rps"] for one in rounds), abs=0.06)


def test_where_only_the_product_answered_rightly_no_aim_against_a_peer_is_judged():
    text = page(measured({"P": 160.0}, ITSELF))
    verdicts = [cells[-1] for cells in lines(text, "## Aims")[1:]]
    assert verdicts[-3:] == ["met", "not met", "met"]
    assert set(verdicts[:-3]) == {"not measured"}
