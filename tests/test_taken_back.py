"""What is taken back is refused within a second by each of four workers: real processes on one database."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import httpx
import pytest

from models.embedded import database
from models.installation import open_installation
from tests.accounts.conftest import PASSWORD, Desk
from tests.conftest import all_running, run_cli, running_server
from tests.oauth.conftest import Pair
from tests.oauth.wire import API_URL, ISSUER, TOKEN_URL, Holder

WORKERS = 4
VIEWER = {"query": "{ viewer { role } }"}
LATEST = "SELECT max(revoked_at) FROM revocation"


@dataclass
class Workers:
    """Four server processes, and those who come to them: a partner's engineer, customers and staff."""

    urls: list[str]
    pair: Pair
    desk: Desk
    seen: list[tuple[int, float, int]] = field(default_factory=list)

    def refused_after(self, show, act) -> float:
        """Ask all four all the time while `act` takes something back; seconds until the last of them has refused."""
        self.seen = []
        stop = threading.Event()
        with ThreadPoolExecutor(WORKERS) as threads:
            asking = [threads.submit(self._ask, worker, show, stop) for worker in range(WORKERS)]
            try:
                self._wait_for(200)
                act()
                since = self.pair.owner(lambda connection: connection.fetchval(LATEST)).timestamp()
                self._wait_for(401)
                time.sleep(0.5)
            finally:
                stop.set()
        for one in asking:
            one.result()
        assert {status for _, _, status in self.seen} == {200, 401}
        for worker in range(WORKERS):
            statuses = [status for asked, _, status in self.seen if asked == worker]
            assert statuses == sorted(statuses), "refused, and then answered again"
        return max(at for _, at, status in self.seen if status == 200) - since

    def _ask(self, worker, show, stop) -> None:
        with httpx.Client(timeout=10) as client:
            turn = 0
            while not stop.wait(0.02):
                headers, at, turn = show(turn), time.time(), turn + 1
                self.seen.append((worker, at, client.post(self.urls[worker], json=VIEWER, headers=headers).status_code))

    def _wait_for(self, status) -> None:
        until = time.monotonic() + 5
        while {worker for worker, _, found in list(self.seen) if found == status} != set(range(WORKERS)):
            assert time.monotonic() < until, f"not every worker answers {status}"
            time.sleep(0.01)


@pytest.fixture(scope="module")
def workers(tmp_path_factory, prepared):
    folder = tmp_path_factory.mktemp("workers")
    data_dir = folder / "data"
    prepared.demo(data_dir, 10)
    environment = {"NEEDFUL_PUBLIC_URL": ISSUER, "NEEDFUL_LOGIN_FAILURES": "1"}
    with ExitStack() as stack:
        logs = [folder / f"{number}.log" for number in range(WORKERS)]
        servers = (running_server(data_dir, log, environment=environment) for log in logs)
        urls = stack.enter_context(all_running(*servers))
        installation = open_installation({**os.environ, "NEEDFUL_DATA": str(data_dir)})
        found = stack.enter_context(database(installation))
        client = stack.enter_context(httpx.Client(timeout=60))
        pair = Pair(tuple(urls), tuple(logs), installation, found, client)
        apis = [f"{url}/graphql" for url in urls]
        yield Workers(apis, pair, Desk(apis[0], data_dir, logs[0], installation, found, client))


def bearer(token):
    return lambda _: {"Authorization": f"Bearer {token}", "X-Purpose": "account_service"}


def test_a_revoked_token_of_a_partner(workers):
    partner = workers.pair.partner()
    token = partner.token()
    assert workers.refused_after(lambda _: {"Authorization": f"Bearer {token}"}, lambda: partner.revoke(token)) <= 1


def test_a_token_bound_to_a_key_and_revoked_at_another_worker(workers):
    partner, holder = workers.pair.partner(), Holder()
    token = partner.token(["claim_handling"], holder=holder)

    def show(_):
        return {"Authorization": f"DPoP {token}", "DPoP": holder.proof("POST", API_URL, token)}

    assert holder.proof("POST", TOKEN_URL)
    assert workers.refused_after(show, lambda: partner.revoke(token, server=3)) <= 1


def test_the_end_of_an_agreement(workers):
    partner = workers.pair.partner()
    token = partner.token()

    def end():
        workers.desk.operate("partner", "end", "--reference", partner.reference)

    assert workers.refused_after(lambda _: {"Authorization": f"Bearer {token}"}, end) <= 1
    assert partner.ask().status_code == 400


def test_the_lock_of_a_login(workers):
    customer = workers.desk.customer()
    assert workers.refused_after(bearer(customer.access), lambda: workers.desk.log_in(customer.username, "wrong")) <= 1
    assert workers.desk.log_in(customer.username, PASSWORD)["__typename"] != "SessionTokens"


def test_a_logout(workers):
    customer = workers.desk.customer()
    assert workers.refused_after(bearer(customer.access), lambda: workers.desk.write("logOut", customer.access)) <= 1


def test_a_refresh_token_used_twice(workers):
    customer = workers.desk.customer()
    workers.desk.refresh(customer.refresh)
    assert workers.refused_after(bearer(customer.access), lambda: workers.desk.refresh(customer.refresh)) <= 1


@pytest.mark.parametrize("command", [("leave",), ("role", "claims_handler")], ids=["leaving", "another role"])
def test_a_member_of_staff_with_a_session_and_with_a_demo_token(workers, command):
    name, password, codes = workers.desk.staff("auditor")
    session = workers.desk.log_in(name, password, code=codes.now(), role="STAFF")["accessToken"]
    minted = ("token", "--role", "auditor", "--user", name, "--purpose", "administration")
    demo = run_cli(*minted, data_dir=workers.desk.data_dir).stdout.split()[-1]
    tokens = {"X-Purpose": "administration"}

    def show(turn):
        return {**tokens, "Authorization": f"Bearer {(session, demo)[turn % 2]}"}

    def act():
        workers.desk.operate("staff", command[0], name, *command[1:])

    assert workers.refused_after(show, act) <= 1


def test_what_is_not_taken_back_stays(workers):
    partner, customer = workers.pair.partner(), workers.desk.customer()
    other = partner.token()
    partner.revoke(partner.token())
    time.sleep(1)
    for url in workers.urls:
        for headers in ({"Authorization": f"Bearer {other}"}, bearer(customer.access)(0)):
            assert workers.pair.http.post(url, json=VIEWER, headers=headers).status_code == 200


def test_a_worker_started_later_knows_it(workers, tmp_path):
    partner = workers.pair.partner()
    token = partner.token()
    partner.revoke(token)
    log, environment = tmp_path / "late.log", {"NEEDFUL_PUBLIC_URL": ISSUER}
    with running_server(workers.desk.data_dir, log, environment=environment) as url:
        headers = {"Authorization": f"Bearer {token}"}
        assert workers.pair.http.post(f"{url}/graphql", json=VIEWER, headers=headers).status_code == 401
