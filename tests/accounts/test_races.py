"""Two at once at one login: whoever is second sees what the first has done (C49, C50)."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import anyio.from_thread
import asyncpg
import pytest

from tests.accounts.conftest import NEXT_PASSWORD, PASSWORD, authenticator
from tests.accounts.test_log_in import claims_of, fail

WAITING = """
SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE NOT granted AND application_name = 'needful' AND query NOT LIKE '%ledger%'
"""
"""Those whom the test makes wait: what keeps the ledger beside the server waits for itself."""


@pytest.fixture
def threads():
    with ThreadPoolExecutor(2) as found:
        yield found


@contextmanager
def holding(desk, table, session):
    """Keep the row of a session's account, or of its login, locked; gives a function that waits for so many waiters."""
    who = desk.database.owner
    column = {"account": "id", "login": "account_id"}[table]
    with anyio.from_thread.start_blocking_portal() as portal:

        async def connect():
            return await asyncpg.connect(
                host=who.host, port=who.port, user=who.user, password=who.password, database=who.database
            )

        connection = portal.call(connect)

        def waits_for(number):
            deadline = time.monotonic() + 10
            while portal.call(connection.fetchval, WAITING) < number:
                assert time.monotonic() < deadline, "nobody waits"
                time.sleep(0.02)

        portal.call(connection.execute, "BEGIN")
        lock = f"SELECT FROM {table} WHERE {column} = (SELECT account_id FROM session WHERE id = $1::uuid) FOR UPDATE"  # noqa: S608
        portal.call(connection.fetch, lock, session)
        try:
            yield waits_for
        finally:
            portal.call(connection.execute, "ROLLBACK")
            portal.call(connection.close)


def test_a_log_in_under_way_does_not_outlive_a_change_of_the_password(desk, threads):
    owner = desk.customer()
    with holding(desk, "account", claims_of(owner.access)["sid"]) as waits_for:
        given = {"old": PASSWORD, "new": NEXT_PASSWORD}
        change = threads.submit(desk.write, "changePassword", owner.access, given)
        waits_for(1)
        thief = threads.submit(desk.log_in, owner.username, PASSWORD)
        waits_for(2)
    assert change.result()["endedSessions"] == 0
    assert thief.result().get("code") == "INVALID_CREDENTIALS"


def test_a_log_in_under_way_does_not_outlive_a_lock_that_comes_through_the_other_identifier(desk, threads):
    owner = desk.customer()
    fail(desk, owner.phone, 2)
    with holding(desk, "account", claims_of(owner.access)["sid"]) as waits_for:
        guess = threads.submit(desk.log_in, owner.phone, "not the password")
        waits_for(1)
        thief = threads.submit(desk.log_in, owner.username, PASSWORD)
        waits_for(2)
    assert guess.result()["code"] == "INVALID_CREDENTIALS"
    assert thief.result().get("code") == "INVALID_CREDENTIALS"


def test_a_code_of_the_secret_before_does_not_confirm_the_one_that_replaces_it(desk, threads):
    owner = desk.customer()
    before = authenticator(desk.write("setUpSecondFactor", owner.access, {"password": PASSWORD})["uri"])
    with holding(desk, "login", claims_of(owner.access)["sid"]) as waits_for:
        again = threads.submit(desk.write, "setUpSecondFactor", owner.access, {"password": PASSWORD})
        waits_for(1)
        confirm = threads.submit(desk.write, "confirmSecondFactor", owner.access, {"code": before.now()})
        waits_for(2)
    after = authenticator(again.result()["uri"])
    assert confirm.result().get("code") == "CODE_WRONG"
    assert desk.log_in(owner.username)["__typename"] == "SessionTokens"
    assert desk.write("confirmSecondFactor", owner.access, {"code": after.now()})["__typename"] == "SteppedUp"
