"""Rate limits hold exactly, per subject and per address, in every storage and across workers."""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing
from functools import partial
from itertools import chain, count

import httpx
import pytest

from models.database import connect_once
from models.installation import InstallationError
from resolvers.counts import DatabaseCounts
from resolvers.rates import Limited, Rates, RateSettings, client_address
from tests.conftest import ROOT, TLS, running_server

SCOPE = {"type": "http", "client": ("203.0.113.9", 1)}


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    """A real Redis server of this test's own, which keeps nothing."""
    program = shutil.which("redis-server")
    assert program, "These tests need redis-server: on Debian, apt-get install redis-server."
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, cwd=tmp_path_factory.mktemp("redis"), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.02)
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.wait(10)


@pytest.fixture(params=["memory://", "postgresql", "redis"])
def storage(request) -> str:
    return request.getfixturevalue("redis") if request.param == "redis" else request.param


@asynccontextmanager
async def counting(server, **settings):
    rates = Rates(RateSettings(**settings), partial(connect_once, server.database.application))
    yield rates
    await rates.close()


def test_exactly_as_many_as_allowed_pass_under_concurrency(server, storage, monkeypatch):
    # A machine that is slow for a second would have each of the two count for itself.
    monkeypatch.setattr("resolvers.rates.ANSWER_SECONDS", 30)

    async def passed() -> int:
        async with (
            counting(server, subject="100/minute", storage=storage) as one,
            counting(server, subject="100/minute", storage=storage) as other,
        ):
            both = (one,) if storage == "memory://" else (one, other)
            whom = os.urandom(8).hex()
            verdicts = await asyncio.gather(
                *(both[place % len(both)].count({}, Limited.SUBJECT, whom) for place in range(400))
            )
            assert sorted(verdict.remaining for verdict in verdicts if verdict.allowed) == list(range(100))
            return sum(verdict.allowed for verdict in verdicts)

    assert asyncio.run(passed()) == 100


def test_a_window_ends_and_another_begins_in_every_storage(server, redis):
    async def windows(storage) -> None:
        async with counting(server, token="2/second", storage=storage) as rates:
            whom = os.urandom(8).hex()
            for wait in (0, 2):
                await asyncio.sleep(wait)
                verdicts = [await rates.count({}, Limited.TOKEN, whom) for _ in range(5)]
                assert [verdict.allowed for verdict in verdicts] == [True, True, False, False, False]
                assert all(1 <= verdict.wait <= 2 for verdict in verdicts[2:])

    async def at_once() -> None:
        await asyncio.gather(*map(windows, ("memory://", "postgresql", redis)))

    asyncio.run(at_once())


def test_subjects_addresses_and_kinds_do_not_share_a_window(server, storage):
    async def check() -> None:
        async with counting(server, subject="1/minute", token="1/minute", storage=storage) as rates:
            one, other = os.urandom(8).hex(), os.urandom(8).hex()
            for limited, whom in ((Limited.SUBJECT, one), (Limited.SUBJECT, other), (Limited.TOKEN, one)):
                assert (await rates.count({}, limited, whom)).allowed
                assert not (await rates.count({}, limited, whom)).allowed

    asyncio.run(check())


def test_a_storage_that_fails_leaves_nothing_unlimited_and_nobody_unanswered(server, caplog):
    async def check() -> None:
        gone = f"redis://127.0.0.1:{free_port()}/0"
        async with counting(server, token="5/minute", subject="50/minute", storage=gone) as rates:
            attempts = [await rates.count({}, Limited.TOKEN, "somebody") for _ in range(20)]
            assert sum(verdict.allowed for verdict in attempts) == 5
            assert (await rates.count({}, Limited.SUBJECT, "somebody")).allowed

    asyncio.run(check())
    assert [record.name for record in caplog.records] == ["needful.rates"]


def test_a_storage_that_hangs_holds_nobody_up_for_long(server):
    async def check() -> float:
        listener = socket.create_server(("127.0.0.1", 0))
        hanging = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        async with counting(server, token="5/minute", storage=hanging) as rates:
            started = time.monotonic()
            attempts = [await rates.count({}, Limited.TOKEN, "somebody") for _ in range(20)]
            assert sum(verdict.allowed for verdict in attempts) == 5
        listener.close()
        return time.monotonic() - started

    assert asyncio.run(check()) < 3


def test_in_the_database_a_worker_has_one_connection_however_many_ask(server):
    opened = []

    async def connect():
        opened.append(await connect_once(server.database.application))
        return opened[-1]

    async def check() -> None:
        counts, keys = DatabaseCounts(connect), [os.urandom(8).hex() for _ in range(20)]
        numbers = await asyncio.gather(*(counts.incr(keys[place % 20], 60) for place in range(2000)))
        assert numbers == [place // 20 + 1 for place in range(2000)]
        ends = [await counts.get_expiry(key) - time.time() for key in keys]
        assert all(0 < left <= 60 for left in ends)
        await counts.close()
        assert len(opened) == 1
        assert opened[0].is_closed()

    asyncio.run(check())


def test_workers_that_count_many_at_once_never_wait_in_a_circle_and_give_each_a_number_of_its_own(server):
    async def check() -> None:
        connect = partial(connect_once, server.database.application)
        several, keys = [DatabaseCounts(connect) for _ in range(3)], [os.urandom(8).hex() for _ in range(30)]

        async def worker(counts, place: int) -> list[tuple[str, int]]:
            found = []
            for _ in range(20):
                order = sorted(keys, key=lambda key: hash((key, place)))
                found += zip(order, await asyncio.gather(*(counts.incr(key, 60) for key in order)), strict=True)
            return found

        found = await asyncio.gather(*(worker(counts, place) for place, counts in enumerate(several)))
        assert sorted(chain(*found)) == sorted((key, number) for key in keys for number in range(1, 61))
        for counts in several:
            await counts.close()

    asyncio.run(check())


def test_counting_goes_on_over_another_connection_once_one_was_lost(server):
    async def check() -> None:
        opened, key = [], os.urandom(8).hex()

        async def connect():
            opened.append(await connect_once(server.database.application))
            return opened[-1]

        counts = DatabaseCounts(connect)
        assert await counts.incr(key, 60) == 1
        opened[0].terminate()
        assert await counts.incr(key, 60) == 2
        other = await connect_once(server.database.application)
        async with other.transaction():
            await other.execute("SELECT FROM rate_count WHERE key = $1 FOR UPDATE", key)
            with pytest.raises(TimeoutError):
                await counts.incr(key, 60)
        await other.close()
        assert await counts.incr(key, 60) >= 3
        assert len(opened) == 3
        await counts.close()

    asyncio.run(check())


def test_whoever_gives_up_waiting_takes_nobody_elses_number(server):
    async def check() -> None:
        counts, key = DatabaseCounts(partial(connect_once, server.database.application)), os.urandom(8).hex()
        asked = [asyncio.create_task(counts.incr(key, 60)) for _ in range(10)]
        await asyncio.sleep(0)
        for one in asked[::2]:
            one.cancel()
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [number for number in found if isinstance(number, int)] == [2, 4, 6, 8, 10]
        await counts.close()

    asyncio.run(check())


_hosts = count(1)


def newcomer(host: int | None = None) -> httpx.Client:
    """A client at an address of this machine from which nobody has asked yet, whose windows are all to come."""
    transport = httpx.HTTPTransport(verify=TLS, local_address=f"127.0.77.{host or next(_hosts)}")
    return httpx.Client(transport=transport, timeout=30)


@pytest.fixture
def client():
    with newcomer() as found:
        yield found


@pytest.fixture(scope="module")
def strict(server, tmp_path_factory):
    """A server with low limits."""
    log = tmp_path_factory.mktemp("strict") / "log"
    limits = {
        "NEEDFUL_RATE_SUBJECT": "4/2seconds",
        "NEEDFUL_RATE_ANONYMOUS": "3/2seconds",
        "NEEDFUL_RATE_TOKEN": "2/2seconds",
    }
    with running_server(server.data_dir, log, environment=limits) as url:
        yield url


def ask(client, url, token=None, **headers):
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return client.post(f"{url}/graphql", json={"query": "{ __typename }"}, headers=headers)


def until_refused(request, *, most: int = 20) -> tuple[int, httpx.Response]:
    """How many were let through before the first 429, and that."""
    for passed in range(most):
        response = request()
        if response.status_code == 429:
            return passed, response
    raise AssertionError("never refused")


def fresh(response: httpx.Response) -> None:
    time.sleep(int(response.headers["retry-after"]))


def handled_by(server, name, **more) -> str:
    """A token of a claims handler; each test has one of its own, whose windows are all to come."""
    return server.token("claims_handler", user=name, purposes=["claim_handling"], **more)


def test_a_subject_over_its_limit_gets_429_with_standard_fields_and_may_go_on_after_retry_after(strict, server, client):
    token = handled_by(server, "handler01")
    first = ask(client, strict, token)
    assert first.status_code == 200
    assert first.headers["ratelimit-policy"] == '"subject";q=4;w=2'
    assert first.headers["ratelimit"] == '"subject";r=3'
    passed, refused = until_refused(lambda: ask(client, strict, token))
    assert passed == 3
    (error,) = refused.json()["errors"]
    assert error["extensions"] == {"code": "RATE_LIMITED"}
    wait = int(refused.headers["retry-after"])
    assert 1 <= wait <= 2
    assert refused.headers.get_list("ratelimit") == [f'"subject";r=0;t={wait}']
    assert refused.headers.get_list("ratelimit-policy") == ['"subject";q=4;w=2']
    fresh(refused)
    assert ask(client, strict, token).status_code == 200


def test_the_limit_is_the_subjects_not_the_tokens_and_not_the_addresses(strict, server, client):
    token = handled_by(server, "handler02")
    again = handled_by(server, "handler02", categories=["name"])
    other = server.token("broker_agent", purposes=["application"])
    assert again != token
    until_refused(lambda: ask(client, strict, token))
    assert ask(client, strict, again).status_code == 429
    assert ask(client, strict, other).status_code == 200
    with newcomer() as elsewhere:
        assert ask(elsewhere, strict, token).status_code == 429


def test_without_a_token_the_address_counts_and_a_bad_token_is_none(strict, client):
    passed, refused = until_refused(lambda: ask(client, strict))
    assert passed == 3
    assert refused.headers["ratelimit-policy"] == '"anonymous";q=3;w=2'
    assert ask(client, strict, "nonsense").status_code == 429
    with newcomer() as other:
        passed, refused = until_refused(lambda: ask(other, strict, os.urandom(8).hex()))
    assert passed == 3


def test_an_address_over_its_limit_does_not_shut_out_subjects_from_there(strict, server, client):
    until_refused(lambda: ask(client, strict))
    token = handled_by(server, "handler03")
    assert {ask(client, strict, token).status_code for _ in range(2)} == {200}


def test_a_client_cannot_write_itself_another_address(strict, client):
    passed, refused = until_refused(
        lambda: ask(client, strict, **{"X-Forwarded-For": f"198.51.100.{os.urandom(1)[0]}"})
    )
    assert passed == 3
    assert refused.headers["ratelimit"].startswith('"anonymous";r=0')


@pytest.mark.parametrize("path", ["/oauth/token", "/oidc/login"])
def test_log_in_and_token_routes_are_limited_by_address_before_anything_else(strict, client, path):
    passed, refused = until_refused(lambda: client.post(f"{strict}{path}", data={"grant_type": "x"}))
    assert passed == 2
    body = refused.json()
    assert body["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert body["error"] == "temporarily_unavailable"
    assert refused.headers["ratelimit-policy"] == '"token";q=2;w=2'
    assert refused.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("known", [False, True], ids=["nobody", "somebody with a token"])
def test_logging_in_is_limited_by_address_like_tokens(strict, server, client, known):
    document = (ROOT / "resolvers" / "registered_documents" / "log-in.graphql").read_text()
    variables = {"input": {"identifier": "nobody", "password": "wrong-password-0"}}
    body = {"query": document, "variables": variables}
    token = server.token("auditor", purposes=["administration"])
    headers = {"Authorization": f"Bearer {token}"} if known else {}
    passed, refused = until_refused(lambda: client.post(f"{strict}/graphql", json=body, headers=headers))
    assert passed == 2
    assert refused.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert refused.headers["ratelimit-policy"] == '"token";q=2;w=2'


@pytest.mark.parametrize("path", ["/oauth/jwks", "/.well-known/oauth-authorization-server"])
def test_what_everybody_may_read_is_not_counted_with_log_ins(strict, client, path):
    passed, refused = until_refused(lambda: client.get(f"{strict}{path}"))
    assert passed == 3
    assert refused.headers["ratelimit-policy"] == '"anonymous";q=3;w=2'


def test_every_address_that_was_refused_may_go_on_after_retry_after(strict):
    ways = [
        lambda one: ask(one, strict),
        *(partial(httpx.Client.post, url=f"{strict}{path}") for path in ("/oauth/token", "/oidc/login")),
    ]
    with ExitStack() as stack:
        clients = [stack.enter_context(newcomer()) for _ in ways]
        refused = [until_refused(partial(way, client))[1] for way, client in zip(ways, clients, strict=True)]
        time.sleep(max(int(one.headers["retry-after"]) for one in refused))
        assert 429 not in [way(client).status_code for way, client in zip(ways, clients, strict=True)]


def test_pages_and_probes_are_not_counted(strict):
    for path in ("/livez", "/readyz", "/graphql/assets/page.js"):
        responses = [httpx.get(f"{strict}{path}") for _ in range(6)]
        assert {response.status_code for response in responses} == {200}
        assert not any("ratelimit" in response.headers for response in responses)


def test_workers_count_together(three):
    (url, _), host = three, next(_hosts)

    def status(_) -> int:
        with newcomer(host) as client:
            return ask(client, url).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(status, range(120)))
    assert statuses.count(401) == 40
    assert statuses.count(429) == 80


@pytest.mark.parametrize("name", ["NEEDFUL_RATE_SUBJECT", "NEEDFUL_RATE_ANONYMOUS", "NEEDFUL_RATE_TOKEN"])
@pytest.mark.parametrize(
    "text", ["many", "0/minute", "-5/minute", "5/fortnight", "5/minute;6/hour", "5", "5/99999999999hours"]
)
def test_a_limit_that_cannot_be_is_refused(name, text):
    with pytest.raises(InstallationError, match=name):
        RateSettings.read({name: text})


@pytest.mark.parametrize(
    "url",
    ["memcached://x", "postgresql://user:hush-hush@other/db", "redis:/x", "hush-hush", "redis://x:hush@h:x/0",
     "redis://[::hush", "redis://hush:99999999/0"])  # fmt: skip
def test_a_storage_that_cannot_be_is_refused_and_no_secret_of_it_shown(url):
    with pytest.raises(InstallationError, match="NEEDFUL_RATE_STORAGE must be") as refusal:
        RateSettings.read({"NEEDFUL_RATE_STORAGE": url})
    assert "hush" not in str(refusal.value)
    assert "hush" not in repr(RateSettings(storage="redis://:hush@127.0.0.1/0"))


@pytest.mark.parametrize(
    "written, counted",
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("made up", "unknown"),
        ("", "unknown"),
    ],
)
def test_an_address_is_counted_as_its_customer(written, counted):
    assert client_address({"client": (written, 1)}) == counted
    assert client_address({"client": None}) == "unknown"
