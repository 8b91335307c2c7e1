"""Several workers serve one socket: each answers, a dead one is replaced, and nothing of them is left behind."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import httpx
import psutil
import pytest

from models.installation import InstallationError
from resolvers.serving.listening import read_listening
from resolvers.serving.settings import Settings
from resolvers.writes import HEAVY_AT_ONCE
from tests.conftest import PRODUCTION, ROOT, TLS, running_server


def workers(parent: int) -> list[psutil.Process]:
    found = psutil.Process(parent).children()
    return [one for one in found if any("spawn_main" in part for part in command(one))]


def command(process):
    """What a process runs; one that has just died runs nothing."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def answering(url: str, parent: int, *, connections: int = 60) -> set[int]:
    """The processes that hold this client's connections, each of which has had its answer."""
    with ExitStack() as stack:
        for _ in range(connections):
            client = stack.enter_context(httpx.Client(timeout=10, verify=TLS))
            assert client.get(f"{url}/readyz").json()["status"] == "ready"
        port = int(url.rsplit(":", 1)[1])
        return {
            one.pid
            for one in workers(parent)
            if any(at.status == "ESTABLISHED" and at.laddr.port == port for at in one.net_connections("tcp"))
        }


def until(condition, seconds: float = 20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def test_all_workers_are_up_when_the_server_says_it_is_ready(three):
    _, parent = three
    assert len(workers(parent)) == 3


def test_the_parent_serves_nobody_and_more_than_one_worker_answers(three):
    url, parent = three
    found = set()
    for _ in range(5):
        found |= answering(url, parent)
        if len(found) >= 2:
            break
    assert len(found) >= 2


def test_workers_answer_queries_like_a_single_process(three, server, handler):
    url, _ = three
    query = {"query": "{ claims(first: 1) { edges { node { claimNumber } } } }"}
    sent = {"Authorization": f"Bearer {handler}"}
    expected = server.client.post(server.url, json=query, headers=sent).json()["data"]
    for _ in range(12):
        assert httpx.post(f"{url}/graphql", json=query, headers=sent).json()["data"] == expected


def test_a_killed_worker_is_replaced_while_the_others_answer(three):
    url, parent = three
    before = {one.pid for one in workers(parent)}
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    until(lambda: killed not in {one.pid for one in workers(parent)})
    for _ in range(20):
        assert httpx.get(f"{url}/readyz").status_code == 200
    after = until(lambda: (found := {one.pid for one in workers(parent)}) and len(found) == 3 and found)
    (new,) = after - before
    until(lambda: new in answering(url, parent))


def stopped(running, url, sent) -> list[psutil.Process]:
    """All processes of a server that this signal has ended, orderly."""
    assert httpx.get(f"{url}/readyz").status_code == 200
    family = psutil.Process(running.process.pid).children(recursive=True)
    if sent is signal.SIGINT:  # Ctrl-C reaches the whole group
        for one in workers(running.process.pid):
            one.send_signal(sent)
    running.process.send_signal(sent)
    assert running.process.wait(20) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    return family


def test_a_stop_ends_workers_and_database_and_leaves_nothing_running(prepared, tmp_path):
    prepared.empty(tmp_path / "data")
    log, workers = tmp_path / "log", ("--workers", "2")
    running = running_server(tmp_path / "data", log, *workers, environment=PRODUCTION, from_scratch=True)
    with running as url:
        database = [one for one in psutil.Process(running.process.pid).children() if "postgres" in one.name()]
        assert len(database) == 1
        assert database[0] in stopped(running, url, signal.SIGTERM)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_ctrl_c_reaches_all_and_ends_all(server, tmp_path):
    running = running_server(server.data_dir, tmp_path / "log", "--workers", "2")
    with running as url:
        assert len(stopped(running, url, signal.SIGINT)) >= 2
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_workers_follow_a_parent_that_is_killed(server, tmp_path):
    running = running_server(server.data_dir, tmp_path / "log", "--workers", "2")
    with running:
        family = psutil.Process(running.process.pid).children(recursive=True)
        assert len(family) >= 2
        running.process.kill()
        _, alive = psutil.wait_procs(family, timeout=15)
        assert alive == []


@pytest.mark.parametrize("most", [8, 80, 100, 1000])
def test_all_workers_together_take_no_more_connections_than_allowed_and_the_rest_do_not_start(most):
    environ = {"NEEDFUL_DATABASE_CONNECTIONS": str(most)}
    fit = [count for count in range(1, 65) if count * 8 <= most]
    for count in fit:
        pool = Settings.read(environ, workers=count).pool_size
        assert count * (pool + 4) <= most
        assert HEAVY_AT_ONCE < pool <= 10
    for count in range(len(fit) + 1, 65):
        with pytest.raises(InstallationError, match=f"take at most {len(fit)} workers, or raise it"):
            Settings.read(environ, workers=count)


def test_more_workers_than_the_database_has_places_for_do_not_start(tmp_path):
    running = running_server(tmp_path / "data", tmp_path / "log", "--workers", "14")
    with pytest.raises(RuntimeError, match="14 workers need 112 database connections") as refused:
        running.__enter__()
    assert "Traceback" not in str(refused.value)


CANNOT_START = """
from functools import partial
from resolvers.serving.settings import Settings
from models.installation import InstallationError
from resolvers.serving.workers import supervise

def serve(on_ready, place):
    raise InstallationError("Do something else.")

if __name__ == "__main__":
    try:
        supervise(serve, workers=2, on_ready=partial(print, "ready"))
    except InstallationError as refusal:
        print(refusal)
"""


def test_a_worker_that_cannot_start_ends_the_server(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(CANNOT_START)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "A worker could not start: the lines above say why.\n"
    assert "Do something else." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("count", ["0", "-1", "two", "65", "1.5"])
def test_a_number_of_workers_that_cannot_be_is_refused(count):
    with pytest.raises(InstallationError, match="take a number from 1 to 64"):
        read_listening({"NEEDFUL_WORKERS": count}, host="127.0.0.1", port=0)
