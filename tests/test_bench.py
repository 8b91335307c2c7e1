"""The read benchmark, in small: it runs, both servers answer alike, and what it prints can be read."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from bench.read import tables

ROOT = Path(__file__).parent.parent
SMALL = ("--people", "40", "--rounds", "1", "--warm", "0.02", "--seconds", "5", "--most", "20", "--executions", "5")
"""A window ends with its twentieth answer: sooner than any time after which every machine has answered."""


@pytest.fixture(scope="module")
def result():
    done = subprocess.run(
        [sys.executable, "-m", "bench.read", *SMALL, "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=180,
    )
    return json.loads(done.stdout)


def test_product_and_floor_agree_on_every_value_that_is_not_withheld(result):
    assert result["agreement"].keys() == {"Q1", "Q2", "Q3"}
    for counts in result["agreement"].values():
        assert counts["public"] > 0
        assert counts["revealed"] + counts["masked"] + counts["denied"] > 0


def test_every_query_is_measured_against_both_over_one_and_many_connections(result):
    measured = {(row["query"], row["connections"]) for row in result["rates"]}
    assert measured == {(query, connections) for query in ("Q1", "Q2", "Q3") for connections in (1, 16)}
    for row in result["rates"]:
        assert math.isclose(row["floor ratio"]["median"], row["product"]["rate"] / row["floor"]["rate"])
        for target in ("product", "floor"):
            assert row[target]["failures"] == 0
            assert 0 < row[target]["p50"] <= row[target]["p99"]


def test_the_client_measures_its_own_ceiling(result):
    assert result["ceiling"]["rate"] > 0
    assert result["ceiling"]["failures"] == 0


def test_the_parts_of_the_second_query_add_up(result):
    parts = {name: took["ms"] for name, took in result["parts"].items()}
    total = parts.pop("in all")
    assert math.isclose(sum(parts.values()), total)
    assert min(parts.values()) > 0
    assert {one["table"] for one in result["statements"]} == {"policy", "person", "beneficiary", "claim"}


def test_the_printed_figures_are_numbers(result):
    lines = [line.strip("| ").split(" | ") for line in tables(result).splitlines() if line.startswith("| ")]
    rates = [cells for cells in lines if cells[0] in ("Q1", "Q2", "Q3") and cells[2] in ("product", "floor")]
    assert len(rates) == 12
    assert all(float(number) >= 0 for cells in rates for number in cells[3:])
