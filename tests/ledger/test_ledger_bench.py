"""The ledger's benchmark, in small: it runs, and what it asks is answered."""

import asyncio

from bench.ledger import measure, table


def test_the_benchmark_fills_seals_indexes_and_asks(tmp_path, prepared):
    prepared.empty(tmp_path / "data")
    result = asyncio.run(measure(tmp_path, rows=4_000, asked=120))
    assert (result["rows"], result["people"]) == (4_000, 200)
    assert result["hottest"] > 500
    for rate in (result["append"]["rate"], result["sealed"], result["indexed"]):
        assert rate > 0
    heads = (tmp_path / "data" / "ledger-heads.jsonl").read_text().splitlines()
    assert len(heads) == 2
    for name in ("proof", "history", "hottest history", "records"):
        assert result[name]["count"] > 50
        assert 0 < result[name]["p50"] <= result[name]["p99"] <= result[name]["max"]
    assert "| proof that a row is in the head's tree |" in table(result)
    assert "| history of one person, a page of 50 |" in table(result)
