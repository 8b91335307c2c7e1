"""Metrics: exact, of all workers together, for whoever shows their token, and free of clients' words."""

import asyncio
import json
import math
import stat
from datetime import UTC, datetime

import httpx
import psutil
import pytest
from starlette.applications import Starlette

from authz.vocabulary import Reason
from ledger.rows import Kind
from models.installation import InstallationError
from models.vocabulary import Purpose, Role
from resolvers.operating.metrics import Metrics
from resolvers.operating.metrics_folder import FOLDER, metrics_folder
from resolvers.operating.metrics_token import may_read_metrics, metrics_token
from resolvers.operating.observing import Observed, Observers
from resolvers.operating.operating import Operating, routes
from resolvers.operating.refusals import Refusals
from resolvers.problems import Code
from tests.conftest import TLS, run_cli
from tests.operations.conftest import until

DOCUMENT = "{ claims(first: 3) { edges { node { diagnosis policy { policyholder { name address } } } } } }"
MARKER = "Zq7Marker"


def ask_on_many_connections(operated, token, *, times):
    """Each request on a connection of its own: whichever worker takes it."""
    bodies = []
    for _ in range(times):
        sent = {"Authorization": f"Bearer {token}"}
        bodies.append(httpx.post(operated.url, json={"query": DOCUMENT}, headers=sent, verify=TLS).json())
    return bodies


def used(operated):
    """How many workers have counted something."""
    (folder,) = (operated.data_dir / FOLDER).iterdir()
    return sum(b"decisions" in path.read_bytes() for path in folder.glob("counter_*.db"))


def test_a_scrape_is_the_sum_of_all_workers_and_counts_every_cell(operated, operated_handler):
    labels = {"role": "claims_handler", "purpose": "claim_handling"}
    before = operated.samples()
    bodies = ask_on_many_connections(operated, operated_handler, times=40)
    after = operated.samples()
    assert used(operated) == 2

    def grown(name, **more):
        place = (name, *sorted(more.items()))
        return after.get(place, 0) - before.get(place, 0)

    assert grown("needful_requests_total", endpoint="graphql", code="OK") == 40
    assert grown("needful_request_seconds_count", endpoint="graphql") == 40
    expected = {}
    for body in bodies:
        for one in body["extensions"]["authorization"]["fields"]:
            if one["effect"] != "DENY":
                expected[one["effect"], ""] = expected.get((one["effect"], ""), 0) + one["count"]
        for error in body.get("errors", ()):
            place = ("DENY", error["extensions"]["reason"])
            expected[place] = expected.get(place, 0) + error["extensions"]["count"]
    assert len(expected) > 1
    for (effect, reason), count in expected.items():
        assert grown("needful_decisions_total", **labels, effect=effect, reason=reason) == count
    assert operated.samples()["needful_pool_connections",] >= 4


def test_what_a_dead_worker_counted_still_counts_and_its_heir_goes_on(operated, operated_handler):
    ask_on_many_connections(operated, operated_handler, times=6)
    before = operated.counted("needful_requests_total", endpoint="graphql", code="OK")
    children = psutil.Process(operated.process.process.pid).children(recursive=False)
    crew = [one for one in children if any("spawn_main" in word for word in one.cmdline())]
    assert len(crew) == 2
    begun = len(operated.rows("START"))
    crew[0].kill()
    until(lambda: len(operated.rows("START")) > begun, seconds=20)
    ask_on_many_connections(operated, operated_handler, times=6)
    assert operated.counted("needful_requests_total", endpoint="graphql", code="OK") == before + 6


def test_only_who_shows_the_token_reads_metrics(operated):
    token = metrics_token(operated.installation.metrics_token_path)
    before = operated.counted("needful_requests_total", endpoint="other", code="UNAUTHENTICATED")
    for shown in (None, "Bearer", "Bearer x", f"Basic {token}", f"Bearer {token}x", "Bearer \xff"):
        headers = {} if shown is None else {"Authorization": shown.encode("latin-1")}
        refused = operated.client.get(f"{operated.address}/metrics", headers=headers)
        assert (refused.status_code, refused.headers["www-authenticate"][:6]) == (401, "Bearer")
        assert "needful_" not in refused.text
    assert operated.counted("needful_requests_total", endpoint="other", code="UNAUTHENTICATED") == before + 6
    lines = [one for one in operated.logged("needful.access") if one["path"] == "/metrics"]
    assert [one["code"] for one in lines].count("UNAUTHENTICATED") >= 6
    assert may_read_metrics(f"bearer {token}", token)


def test_who_may_not_read_metrics_is_counted_for_the_ledger_as_strangers_are_elsewhere(tmp_path):
    rows, code = [], "UNAUTHENTICATED"
    refusals = Refusals(rows.append, lambda: datetime(2026, 11, 23, tzinfo=UTC))
    metrics = Metrics(tmp_path, 0)
    app = Starlette(routes=routes())
    observers = Observers(metrics, refusals, None, frozenset({"/metrics"}))
    app.state.operating = Operating(metrics, None, refusals, None, None, observers, None, "t" * 43, 0)

    async def ask():
        transport = httpx.ASGITransport(Observed(app, lambda: observers))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            known = {"Authorization": f"Bearer {'t' * 43}"}
            return [(await client.get("/metrics", headers=sent)).status_code for sent in ({}, {}, known, {})]

    assert asyncio.run(ask()) == [401, 401, 200, 401]
    refusals.flush()
    assert [(row.kind, row.code, row.detail) for row in rows] == [(Kind.REFUSAL, code, {"count": 3})]


def test_the_token_is_printed_by_a_command_and_kept_where_its_owner_alone_reads_it(operated):
    path = operated.installation.metrics_token_path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    done = run_cli("metrics-token", "--json", data_dir=operated.data_dir)
    assert json.loads(done.stdout) == {"token": path.read_text().strip()}


@pytest.mark.parametrize("content", ["", "short", "\xff" * 50])
def test_a_damaged_token_is_refused_with_what_to_do(tmp_path, content):
    path = tmp_path / "metrics-token"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InstallationError, match="remove it"):
        metrics_token(path)


def test_nothing_that_a_client_writes_becomes_a_label_or_a_line(operated, operated_handler):
    client, url = operated.client, operated.url
    bearer = {"Authorization": f"Bearer {operated_handler}"}
    client.get(f"{operated.address}/{MARKER}")
    client.post(f"{operated.address}/oauth/{MARKER}", data={"grant_type": MARKER})
    client.post(f"{operated.address}/oauth/token", data={"grant_type": MARKER, "client_id": MARKER})
    client.post(url, json={"query": f"query {MARKER} {{ {MARKER} }}"}, headers=bearer)
    client.post(url, json={"query": DOCUMENT}, headers={**bearer, "X-Purpose": MARKER})
    client.post(url, json={"query": f"query {MARKER} {DOCUMENT}"}, headers=bearer)
    client.post(url, json={"query": DOCUMENT}, headers={"Authorization": f"Bearer {MARKER}"})
    client.get(url, params={"query": MARKER}, headers=bearer)
    assert not [place for place in operated.samples() if MARKER in str(place)]
    assert MARKER not in operated.log.read_text()


def test_servers_of_one_data_directory_count_apart_and_leave_nothing(tmp_path):
    with metrics_folder(tmp_path) as one:
        with metrics_folder(tmp_path) as other:
            assert one != other
            assert one.exists()
        assert not other.exists()
        (left := one.parent / "left").mkdir()
        (left / "counter_0.db").touch()
        with metrics_folder(tmp_path):
            assert not left.exists()
            assert one.exists()
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_files_have_all_their_room_from_the_start(tmp_path):
    Metrics(tmp_path, 0)
    assert {path.name for path in tmp_path.iterdir()} >= {"counter_0.db", "histogram_0.db", "gauge_livemax_0.db"}
    for path in tmp_path.iterdir():
        assert path.stat().st_blocks * 512 >= path.stat().st_size > 0


def test_many_requests_counted_at_once_are_what_each_alone_would_be(tmp_path):
    took = [0.001, 0.005, 0.0051, 0.7, 0.7, 10.0, 10.1, 3600.0]
    together, apart = tmp_path / "together", tmp_path / "apart"
    texts = []
    for folder, batches in ((together, [took]), (apart, [[one] for one in took])):
        folder.mkdir()
        metrics = Metrics(folder, 0)
        for batch in batches:
            metrics.request("graphql", "OK", *batch)
        texts.append(metrics.text().decode())
    assert texts[0] == texts[1]
    buckets = {line for line in texts[0].splitlines() if line.startswith("needful_request_seconds_bucket")}
    for bound in (0.005, 0.01, 1.0, 10.0, math.inf):
        shown = "+Inf" if bound == math.inf else bound
        line = (
            f'needful_request_seconds_bucket{{endpoint="graphql",le="{shown}"}} {sum(one <= bound for one in took)}.0'
        )
        assert line in buckets
    assert 'needful_requests_total{code="OK",endpoint="graphql"} 8.0' in texts[0]


def test_every_word_of_the_vocabulary_fits_without_growing(tmp_path):
    metrics = Metrics(tmp_path, 0)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    cells = {("REVEAL", None): 1, ("MASK", None): 1, **{("DENY", reason.value): 1 for reason in Reason}}
    for role in Role:
        for purpose in Purpose:
            metrics.decided(role.value, purpose.value, cells)
    for endpoint in ("graphql", "oauth", "oidc", "other"):
        for code in (*(code.name for code in Code), *(f"HTTP_{status}" for status in range(400, 512))):
            metrics.request(endpoint, code, 0.1)
    for number in range(100):
        metrics.alarm(f"AN_ALARM_OF_A_LONG_NAME_{number}")
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == sizes
