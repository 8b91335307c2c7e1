"""Who guesses does not learn who has an account: the same bytes, the same statements, the same time (C50)."""

import asyncio
import re
import time
from contextlib import asynccontextmanager

import pytest

from authz.passwords import hash_now
from authz.subjects import ANONYMOUS
from models.database import connect
from resolvers.operations import Request
from resolvers.registered import house_documents
from resolvers.serving.settings import Settings
from tests.accounts.conftest import HOUSE, PASSWORD
from tests.accounts.test_log_in import fail
from tests.inprocess import service_over
from tests.plain import lines

PAIRS = 100
NEAR_HALF = 0.14
"""By how much the chance that a missing account answers later than an existing one may differ from one half.

With 100 pairs its standard error is 0.041: wrongly alarmed once in two thousand runs. Without the dummy hash the
chance is 0 or 1.
"""


def without_ids(response):
    body = re.sub(rb'"decisionId":"[0-9a-f-]{36}"', b'"decisionId":""', response.content)
    # What is left of an address's rate goes down with every request, whoever it names.
    headers = {name: value for name, value in response.headers.items() if name not in ("date", "ratelimit")}
    return response.status_code, headers, body


@pytest.fixture(scope="module")
def people(desk):
    """One of each: who logs in, who is locked, who has no login, who has left."""
    plain = lines(desk.data_dir.parent / "plain.jsonl")
    customer, locked = desk.customer(), desk.customer()
    fail(desk, locked.username, 3)
    name, _, _ = desk.staff("auditor")
    leaver, _, _ = desk.staff("auditor")
    desk.operate("staff", "leave", leaver)
    demo = next(one["username"] for one in plain["User"] if one["username"])
    return {"customer": customer, "locked": locked, "staff": name, "leaver": leaver, "demo": demo}


def test_every_login_that_fails_answers_with_the_same_bytes(desk, people):
    customer, locked = people["customer"], people["locked"]
    cases = {
        "no such username": ("nobody_at_all", PASSWORD, "CUSTOMER"),
        "no such phone": ("13999999999", PASSWORD, "CUSTOMER"),
        "a wrong password by username": (customer.username, "wrong", "CUSTOMER"),
        "a wrong password by phone": (customer.phone, "wrong", "CUSTOMER"),
        "a wrong password of a guardian": (customer.username, "wrong", "GUARDIAN"),
        "an account without a login": (people["demo"], PASSWORD, "CUSTOMER"),
        "locked under the other identifier": (locked.phone, PASSWORD, "CUSTOMER"),
        "a customer as staff": (customer.username, PASSWORD, "STAFF"),
        "no such member of staff": ("nobody01", PASSWORD, "STAFF"),
        "a member of staff, a wrong password": (people["staff"], "wrong", "STAFF"),
        "a member of staff as a customer": (people["staff"], PASSWORD, "CUSTOMER"),
        "a leaver": (people["leaver"], PASSWORD, "STAFF"),
        "staff without a login": ("handler01", PASSWORD, "STAFF"),
        "no identifier": ("", PASSWORD, "CUSTOMER"),
        "an endless identifier": ("x" * 50_000, PASSWORD, "CUSTOMER"),
        "no password": (customer.username, "", "CUSTOMER"),
        "an endless password": (customer.phone, "x" * 50_000, "CUSTOMER"),
    }
    answers = {}
    for case, (identifier, password, role) in cases.items():
        desk.execute("DELETE FROM failed_login")
        given = {"identifier": identifier, "password": password, "role": role, "code": "000000"}
        answers[case] = without_ids(desk.registered("LogIn", {"input": given}))
    assert {case for case, answer in answers.items() if answer != answers["no such username"]} == set()
    assert b"INVALID_CREDENTIALS" in answers["no such username"][2]


def test_the_wait_and_the_lock_come_for_identifiers_nobody_has_as_well(desk, people):
    answers = {}
    for identifier in (people["customer"].username, "nobody_to_lock", people["customer"].phone, "13988888888"):
        desk.execute("DELETE FROM failed_login")
        fail(desk, identifier, 3)
        desk.execute("UPDATE failed_login SET locked_until = now() + interval '1000.5 seconds'")
        given = {"identifier": identifier, "password": PASSWORD}
        answers[identifier] = without_ids(desk.registered("LogIn", {"input": given}))
    assert len(set(map(repr, answers.values()))) == 1
    assert b"TRY_LATER" in answers["nobody_to_lock"][2]
    desk.execute("UPDATE login SET locked_until = NULL")


class Listening:
    """A pool whose connections note what they run."""

    def __init__(self, pool):
        self.pool, self.heard = pool, []

    @asynccontextmanager
    async def acquire(self, **options):
        async with self.pool.acquire(**options) as connection:
            yield Wire(connection, self.heard)


class Wire:
    def __init__(self, connection, heard):
        self._connection, self._heard = connection, heard

    def __getattr__(self, name):
        found = getattr(self._connection, name)
        if name not in ("fetch", "fetchrow", "fetchval", "execute"):
            return found

        def run(statement, *values):
            self._heard.append(statement)
            return found(statement, *values)

        return run


async def _statements(desk, identifiers, times):
    document = house_documents()[HOUSE["LogIn"]]
    heard = {}
    async with connect(desk.database.application, shared=False) as pool:
        listening = Listening(pool)
        service = service_over(desk, listening, Settings(login_failures=2))
        for identifier, role in identifiers:
            listening.heard.clear()
            for _ in range(times):
                given = {"identifier": identifier, "password": "wrong", "role": role}
                await service.answer(Request(document, variables={"input": given}), ANONYMOUS, None)
            heard[identifier] = list(listening.heard)
    return heard


@pytest.mark.parametrize("times", [1, 2])
def test_a_failed_login_runs_the_same_statements_whether_or_not_there_is_an_account(desk, people, times):
    desk.execute("DELETE FROM failed_login")
    customer = desk.customer()
    pairs = [(customer.username, "CUSTOMER"), (customer.phone, "CUSTOMER"), ("nobody2many", "CUSTOMER"),
             ("13977777777", "CUSTOMER"), (people["demo"], "CUSTOMER")]  # fmt: skip
    heard = asyncio.run(_statements(desk, pairs, times))
    assert len(set(map(tuple, heard.values()))) == 1
    assert len(heard["nobody2many"]) >= 4 * times
    name, _, _ = desk.staff("auditor")
    pairs = [(name, "STAFF"), ("nobody02", "STAFF"), (people["leaver"], "STAFF")]
    assert len(set(map(tuple, asyncio.run(_statements(desk, pairs, times)).values()))) == 1
    desk.execute("UPDATE login SET locked_until = NULL")
    desk.execute("DELETE FROM failed_login")


def test_the_time_of_a_login_tells_nothing_about_an_account(desk):
    """Mann-Whitney: the chance that a random missing account takes longer than a random existing one, near one half."""
    desk.execute(
        "INSERT INTO login (id, account_id, password_hash, temporary, changed_at)"
        " SELECT gen_random_uuid(), a.id, $1, FALSE, now() FROM account a"
        " WHERE NOT EXISTS (SELECT FROM login l WHERE l.account_id = a.id)",
        hash_now(PASSWORD),
    )
    users = [one for one in lines(desk.data_dir.parent / "plain.jsonl")["User"] if one["username"]]
    names = [one["username"] for one in users] + [one["phone"] for one in users if one["phone"]]
    taken = {"existing": [], "missing": []}
    for pair in range(PAIRS):
        existing = names[pair % len(names)]
        if pair % len(names) == 0:
            desk.execute("DELETE FROM failed_login")
        missing = (
            f"{existing[:3]}{(pair * 7919 + 10_000_000) % 10**8:08d}" if existing.isdecimal() else f"{existing}{pair}"
        )
        order = (("existing", existing), ("missing", missing))
        for kind, identifier in order if pair % 2 else order[::-1]:
            begun = time.perf_counter()
            found = desk.log_in(identifier, "not the password")
            taken[kind].append(time.perf_counter() - begun)
            assert found["code"] == "INVALID_CREDENTIALS"
    later = sum((one > other) + (one == other) / 2 for one in taken["missing"] for other in taken["existing"])
    assert abs(later / PAIRS**2 - 0.5) < NEAR_HALF
