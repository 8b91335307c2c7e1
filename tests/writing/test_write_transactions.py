"""A write is one transaction, its ledger row and its key included: all of it or nothing, and reads go on meanwhile."""

import secrets
import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from tests.recorded import unwritable
from tests.writing.dealings import (
    a_policy,
    account_of,
    at_once,
    in_rounds,
    kept,
    policies_of,
    recorded,
    standing,
    surrender,
)

UNTOUCHED, DONE = ("IN_FORCE", 1), ("SURRENDERED", 2)


@pytest.fixture
def customer(office):
    return office.customer()


@pytest.fixture
def policy(office, customer):
    return a_policy(office, customer)


@pytest.fixture
def key():
    return secrets.token_urlsafe(16)


def refused_right(right):
    """The application may not do something that a write ends with."""

    @contextmanager
    def broken(office, _):
        role = office.database.application.user
        office.execute(f'REVOKE {right} FROM "{role}"')
        try:
            yield
        finally:
            office.execute(f'GRANT {right} TO "{role}"')

    return broken


def failing_trigger(table, when):
    """The database stumbles over a row of the write, when it comes or only at the commit."""

    @contextmanager
    def broken(office, policy):
        condition = f"WHEN (NEW.{'id' if table == 'policy' else 'row_id'} = '{policy}')"
        office.execute(
            "CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'stumbled'; END $$"
        )
        try:
            office.execute(
                f"CREATE CONSTRAINT TRIGGER stumble AFTER INSERT OR UPDATE ON {table} DEFERRABLE INITIALLY {when}"
                f" FOR EACH ROW {condition} EXECUTE FUNCTION stumble()"
            )
            yield
        finally:
            office.execute("DROP FUNCTION stumble CASCADE")

    return broken


@contextmanager
def connection_killed(office, policy):
    """The database ends the connection in the middle of the write."""
    office.execute(
        "CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
        " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
    )
    try:
        office.execute(
            "CREATE TRIGGER stumble AFTER UPDATE ON policy FOR EACH ROW"
            f" WHEN (NEW.id = '{policy}') EXECUTE FUNCTION stumble()"
        )
        yield
    finally:
        office.execute("DROP FUNCTION stumble CASCADE")


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda office, _: unwritable(office), id="ledger"),
        pytest.param(refused_right("INSERT ON idempotency_key"), id="key"),
        pytest.param(refused_right("SELECT ON person"), id="payload"),
        pytest.param(failing_trigger("policy", "IMMEDIATE"), id="row"),
        pytest.param(failing_trigger("policy", "DEFERRED"), id="commit"),
        pytest.param(failing_trigger("idempotency_key", "DEFERRED"), id="commit of the key"),
        pytest.param(connection_killed, id="connection"),
    ],
)
def test_a_fault_anywhere_in_a_write_leaves_nothing_and_the_same_key_then_does_it(
    office, customer, policy, key, broken
):
    call = surrender(policy, customer.token, key=key)
    with broken(office, policy):
        response = call.post(office)
    assert response.status_code == 503
    assert response.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}
    assert standing(office, policy) == UNTOUCHED
    assert recorded(office, call) == []
    assert kept(office, account_of(office, customer.person)) == 0
    assert call.payload(office)["version"] == 2
    assert (standing(office, policy), recorded(office, call)) == (DONE, [("DONE", None)])


def test_a_strict_denial_takes_the_write_back_and_leaves_one_ledger_row(office, customer, policy, key):
    narrow = office.token("customer", user=customer.username, purposes=["account_service"], categories=["name"])
    call = surrender(policy, narrow, key=key)
    response = call.post(office, **{"X-Authorization-Mode": "strict"})
    assert response.status_code == 403
    assert response.json()["data"] is None
    assert standing(office, policy) == UNTOUCHED
    assert recorded(office, call) == [("REFUSED", "FIELD_DENIED")]
    assert kept(office, account_of(office, customer.person)) == 0
    assert call.payload(office)["version"] == 2, "the key is free, and partial data is asked for now"
    assert call.post(office, **{"X-Authorization-Mode": "strict"}).status_code == 403, "nor does strictness show it"
    assert standing(office, policy) == DONE


@contextmanager
def locked(office, policy):
    """Somebody else keeps the policy's row locked; gives a function that waits until somebody waits for it."""
    who = office.database.owner

    async def connect():
        return await asyncpg.connect(
            host=who.host, port=who.port, user=who.user, password=who.password, database=who.database
        )

    with start_blocking_portal() as portal:
        connection = portal.call(connect)
        portal.call(connection.execute, "BEGIN")
        portal.call(connection.fetch, "SELECT FROM policy WHERE id = $1 FOR UPDATE", policy)

        def somebody_waits():
            deadline = time.monotonic() + 10
            while not portal.call(connection.fetchval, "SELECT count(*) FROM pg_locks WHERE NOT granted"):
                assert time.monotonic() < deadline, "nobody waits"
                time.sleep(0.02)

        try:
            yield somebody_waits
        finally:
            portal.call(connection.execute, "ROLLBACK")
            portal.call(connection.close)


def test_a_client_that_goes_away_learns_from_a_replay_what_became_of_its_write(office, customer, policy, key):
    call = surrender(policy, customer.token, key=key)
    sent = httpx.Request("POST", office.url, **call.sent())
    address = urlsplit(office.url)
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.headers.items())
    there = (address.hostname, address.port)
    with locked(office, policy) as somebody_waits, socket.create_connection(there) as wire:
        wire.sendall(f"POST {address.path} HTTP/1.1\r\n{head}\r\n".encode() + sent.read())
        somebody_waits()
    answer = call.payload(office)
    assert (answer["status"], answer["version"]) == standing(office, policy) == DONE
    assert [outcome for outcome, _ in recorded(office, call)] == ["DONE", "REPEATED"]


def test_of_two_writers_at_the_same_version_exactly_one_wins(office, customer):
    policies = policies_of(office, customer, 20)
    rounds = [
        [(office.url, surrender(policy, customer.token, key=secrets.token_urlsafe(8), ifVersion=1)) for _ in range(2)]
        for policy in policies
    ]
    for responses in in_rounds(rounds):
        answers = [one.json()["data"]["surrenderPolicy"] for one in responses]
        assert sorted(one.get("code", "won") for one in answers) == ["VERSION_CONFLICT", "won"]
    rows = office.rows("SELECT status, version FROM policy WHERE id = ANY($1::uuid[])", policies)
    assert [(row["status"], row["version"]) for row in rows] == [DONE] * 20


def read_time(office, customer):
    """The median time of a read, in seconds."""
    times = []
    for _ in range(15):
        started = time.perf_counter()
        response = office.post("{ viewer { user { phone } } }", token=customer.token, purpose="account_service")
        times.append(time.perf_counter() - started)
        assert response.status_code == 200
    return statistics.median(times)


def test_writes_that_wait_leave_reads_alone_and_give_up_in_the_end(office, customer, policy, key):
    """Fifty calls with one key wait behind a lock: reads are answered as ever, and nobody hangs."""
    call = surrender(policy, customer.token, key=key)
    alone = read_time(office, customer)
    with ThreadPoolExecutor(1) as threads, locked(office, policy) as somebody_waits:
        started = time.monotonic()
        waiting = threads.submit(at_once, [(office.url, call)] * 50)
        somebody_waits()
        assert read_time(office, customer) < 10 * alone + 0.05
        responses = waiting.result()
        assert time.monotonic() - started < 12
    assert [one.status_code for one in responses] == [503] * 50
    assert {one.json()["errors"][0]["extensions"]["code"] for one in responses} == {"UNAVAILABLE"}
    assert standing(office, policy) == UNTOUCHED
    assert call.payload(office)["version"] == 2
    assert [outcome for outcome, _ in recorded(office, call)].count("DONE") == 1


def test_two_keys_at_one_row_wait_for_each_other_and_only_one_is_done(office, customer, policy):
    calls = [surrender(policy, customer.token, key=secrets.token_urlsafe(8)) for _ in range(10)]
    answers = [one.json()["data"]["surrenderPolicy"] for one in at_once([(office.url, call) for call in calls])]
    assert sorted(one["__typename"] for one in answers) == ["Policy", *["StateProblem"] * 9]
    assert standing(office, policy) == DONE
    assert kept(office, account_of(office, customer.person)) == 1
