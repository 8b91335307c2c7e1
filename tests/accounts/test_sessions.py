"""Sessions: refresh tokens good once, theft seen, a ceiling, listed and ended by their owner (C50, C53)."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from authz import sessions
from authz.attempts import Patience, begin
from authz.sessions import Ceiling, Owner, Refusal, Sessions
from authz.token_keys import TokenKeys
from authz.tokens import Verifier, utc_now
from models.database import connect
from models.installation import InstallationError
from models.vocabulary import Role
from resolvers.serving.settings import Settings
from tests.accounts.test_log_in import claims_of

VIEWER = "{ viewer { role } }"
LIST = "{ viewer { sessions { id openedAt lastUsedAt current } } }"
OPEN = "SELECT ended_because FROM session WHERE id = $1::uuid"


def listed(desk, token):
    return desk.ask(LIST, token).json()["data"]["viewer"]["sessions"]


def refused_within_a_second(desk, token):
    begun = time.monotonic()
    for url in (desk.url, *desk.others):
        while desk.ask(VIEWER, token, url=url).status_code != 401:
            assert time.monotonic() - begun < 1


def test_a_refresh_token_gives_new_tokens_of_the_same_session_on_every_worker(desk):
    customer = desk.customer()
    refresh, session = customer.refresh, claims_of(customer.access)["sid"]
    for url in (desk.url, desk.others[0], desk.url):
        found = desk.refresh(refresh, url=url)
        assert found["refreshToken"] != refresh
        assert claims_of(found["accessToken"])["sid"] == session
        assert desk.ask(VIEWER, found["accessToken"], url=desk.others[0]).status_code == 200
        refresh = found["refreshToken"]


def test_a_refresh_token_used_twice_ends_its_session_for_the_thief_and_the_owner(desk):
    customer = desk.customer()
    owners = desk.refresh(customer.refresh)
    thiefs = desk.refresh(customer.refresh)
    assert (thiefs["__typename"], thiefs["code"]) == ("AccessProblem", "SESSION_ENDED")
    refused_within_a_second(desk, owners["accessToken"])
    assert desk.refresh(owners["refreshToken"])["code"] == "SESSION_ENDED"
    assert desk.rows(OPEN, claims_of(customer.access)["sid"])[0][0] == "REFRESH_REUSED"


def test_of_twenty_refreshes_at_once_one_is_first_and_the_session_ends(desk):
    customer = desk.customer()
    urls = (desk.url, *desk.others)
    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(lambda n: desk.refresh(customer.refresh, url=urls[n % 2]), range(20)))
    assert sum(one["__typename"] == "SessionTokens" for one in found) == 1
    assert sum(one.get("code") == "SESSION_ENDED" for one in found) == 19
    assert desk.rows(OPEN, claims_of(customer.access)["sid"])[0][0] == "REFRESH_REUSED"
    (first,) = (one for one in found if one["__typename"] == "SessionTokens")
    assert desk.refresh(first["refreshToken"])["code"] == "SESSION_ENDED"


@pytest.mark.parametrize("text", ["", "x", "A" * 10_000])
def test_what_is_no_refresh_token_is_refused_alike(desk, text):
    assert desk.refresh(text)["code"] == "SESSION_ENDED"


def test_c53_one_session_too_many_ends_the_one_unused_longest(desk):
    customer = desk.customer()
    later = [desk.log_in(customer.username) for _ in range(4)]
    renewed = desk.refresh(customer.refresh)
    later.append(desk.log_in(customer.username))
    assert desk.refresh(later[0]["refreshToken"])["code"] == "SESSION_ENDED"
    assert desk.rows(OPEN, claims_of(later[0]["accessToken"])["sid"])[0][0] == "REPLACED"
    refused_within_a_second(desk, later[0]["accessToken"])
    assert len(listed(desk, later[-1]["accessToken"])) == 5
    for kept in (renewed, *later[1:]):
        assert desk.refresh(kept["refreshToken"])["__typename"] == "SessionTokens"


def test_c53_one_session_too_many_is_refused_where_it_is_set_so(desk):
    customer = desk.customer()
    (url,) = desk.others
    assert desk.log_in(customer.username, url=url)["__typename"] == "SessionTokens"
    found = desk.log_in(customer.username, url=url)
    assert (found["code"], found["clause"]) == ("SESSION_CEILING", "C53")
    assert desk.write("logOut", customer.access)["__typename"] == "SessionEnded"
    assert desk.log_in(customer.username, url=url)["__typename"] == "SessionTokens"


def test_c53_twenty_logins_at_once_leave_no_more_sessions_than_allowed(desk):
    customer = desk.customer()
    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(lambda _: desk.log_in(customer.username), range(20)))
    assert {one["__typename"] for one in found} == {"SessionTokens"}
    session = claims_of(found[0]["accessToken"])["sid"]
    open_ones = desk.rows(
        "SELECT count(*) FROM session WHERE ended_at IS NULL"
        " AND account_id = (SELECT account_id FROM session WHERE id = $1::uuid)",
        session,
    )
    assert open_ones[0][0] == 5


def test_a_customer_lists_and_ends_their_own_sessions_and_nobody_elses(desk):
    customer, stranger = desk.customer(), desk.customer()
    other = desk.log_in(customer.username)
    found = listed(desk, customer.access)
    assert [one["current"] for one in found] == [True, False]
    assert found[0]["openedAt"] <= found[0]["lastUsedAt"] < found[1]["openedAt"]
    foreign = desk.write("endSession", stranger.access, {"id": found[1]["id"]})
    assert (foreign["code"], foreign["field"]) == ("SESSION_UNKNOWN", "id")
    assert desk.ask(VIEWER, other["accessToken"]).status_code == 200
    assert desk.write("endSession", customer.access, {"id": found[1]["id"]}) == {
        "__typename": "SessionEnded",
        "id": found[1]["id"],
    }
    refused_within_a_second(desk, other["accessToken"])
    assert [one["id"] for one in listed(desk, customer.access)] == [found[0]["id"]]
    assert desk.write("endSession", customer.access, {"id": found[1]["id"]})["code"] == "SESSION_UNKNOWN"
    assert desk.write("endSession", customer.access, {"id": "nonsense"})["code"] == "SESSION_UNKNOWN"


def test_a_sessions_id_is_no_row_of_the_schema(desk):
    customer = desk.customer()
    (one,) = listed(desk, customer.access)
    response = desk.ask(f'{{ node(id: "{one["id"]}") {{ id }} }}', customer.access)
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_ID"


def test_who_logs_out_is_out_within_a_second(desk):
    customer = desk.customer()
    assert desk.write("logOut", customer.access)["__typename"] == "SessionEnded"
    refused_within_a_second(desk, customer.access)
    assert desk.refresh(customer.refresh)["code"] == "SESSION_ENDED"


def test_sessions_of_a_viewer_who_cannot_log_in_are_none(server):
    token = server.token("insurer", purposes=["policy_service"])
    assert server.post(LIST, token=token).json()["data"]["viewer"] == {"sessions": []}


# The same rules, by the clock


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def clockwork(desk):
    """Sessions of one account on a connection whose work is undone, and the verifier of their tokens."""
    keys = TokenKeys.load_or_create(desk.installation.token_keys_path)
    async with connect(desk.database.application, shared=False) as pool, pool.acquire() as connection:
        undone = connection.transaction()
        await undone.start()
        account = await connection.fetchval("SELECT id FROM account LIMIT 1")
        staff = await connection.fetchrow("SELECT id, role FROM staff WHERE left_at IS NULL LIMIT 1")
        verifier = Verifier(keys, issuers=frozenset({"https://issuer"}))
        yield connection, Sessions(lambda: keys, "https://issuer"), account, staff, verifier
        await undone.rollback()


@pytest.mark.anyio
@pytest.mark.parametrize("who", ["customer", "staff"])
async def test_a_session_ends_unused_and_after_its_whole_span_whatever_is_used(clockwork, who):
    connection, made, account, staff, _ = clockwork
    owner, role = (
        (Owner(account=account), Role.CUSTOMER) if who == "customer" else (Owner(staff=staff[0]), Role(staff[1]))
    )
    span, now = sessions.PEOPLE if who == "customer" else sessions.STAFF, utc_now()
    moment = timedelta(seconds=1)
    unused = await made.open(connection, owner=owner, role=role, now=now)
    assert await made.refresh(connection, unused.refresh_token, now=now + span.idle) == Refusal.ENDED
    opened = await made.open(connection, owner=owner, role=role, now=now)
    at = now
    while at + span.idle - moment < now + span.whole:
        at += span.idle - moment
        opened = await made.refresh(connection, opened.refresh_token, now=at)
        assert opened.access.expires_at <= opened.expires_at == now + span.whole
    assert await made.refresh(connection, opened.refresh_token, now=now + span.whole) == Refusal.ENDED


@pytest.mark.anyio
async def test_a_second_factor_counts_five_minutes_and_refreshing_adds_none(clockwork):
    connection, made, account, _, verifier = clockwork
    now = utc_now()

    def told(access, at):
        return verifier.verify(access.token, now=at).subject.stepped_up_until

    opened = await made.open(
        connection, owner=Owner(account=account), role=Role.CUSTOMER, now=now, second_factor_at=now
    )
    until = int((now + timedelta(minutes=5)).timestamp())
    assert told(opened.access, now) == until
    later = now + timedelta(minutes=4)
    opened = await made.refresh(connection, opened.refresh_token, now=later)
    assert told(opened.access, later) == until
    over = now + timedelta(minutes=5)
    opened = await made.refresh(connection, opened.refresh_token, now=over)
    assert told(opened.access, over) == 0
    access = await made.step_up(connection, opened.id, now=over)
    assert told(access, over) == int((over + timedelta(minutes=5)).timestamp())


@pytest.mark.anyio
async def test_staff_get_a_session_in_the_role_they_have_and_no_other(clockwork):
    connection, made, account, staff, _ = clockwork
    now = utc_now()
    for role in Role:
        found = await made.open(connection, owner=Owner(staff=staff[0]), role=role, now=now)
        assert (found == Refusal.NOBODY) == (role.value != staff[1])
        found = await made.open(connection, owner=Owner(account=account), role=role, now=now)
        assert (found == Refusal.NOBODY) == (role not in (Role.CUSTOMER, Role.GUARDIAN))


@pytest.mark.anyio
async def test_tokens_are_not_shown_and_only_digests_are_stored(clockwork):
    connection, made, account, _, _ = clockwork
    opened = await made.open(connection, owner=Owner(account=account), role=Role.CUSTOMER, now=utc_now())
    assert opened.refresh_token not in repr(opened)
    assert opened.access.token not in repr(opened)
    stored = await connection.fetch("SELECT digest FROM refresh_token WHERE session_id = $1", opened.id)
    assert [row[0] for row in stored] == [sessions.digest_of(opened.refresh_token)]


@pytest.fixture
async def two(desk):
    """Two connections, each in a transaction that is undone."""
    async with (
        connect(desk.database.application, shared=False) as pool,
        pool.acquire() as first,
        pool.acquire() as second,
    ):
        begun = [connection.transaction() for connection in (first, second)]
        for one in begun:
            await one.start()
        yield first, second, begun[0]
        await begun[1].rollback()


async def waits(work, transaction):
    """Does work wait until another's transaction ends? What came of it."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait([task], timeout=0.3)
    assert not done
    await transaction.rollback()
    return await task


@pytest.mark.anyio
async def test_an_attempt_waits_until_the_one_before_under_its_identifier_is_counted(desk, two):
    first, second, of_first = two
    now = utc_now()
    known = "INSERT INTO failed_login (identifier, failures, failed_at) VALUES ('tried', 1, $1)"
    await asyncio.to_thread(desk.execute, known, now)
    assert await begin(first, "tried", patience=Patience(), now=now) == 0
    assert await begin(second, "another", patience=Patience(), now=now) == 0
    assert await waits(begin(second, "tried", patience=Patience(), now=now), of_first) == 0


@pytest.mark.anyio
async def test_sessions_of_one_owner_are_opened_one_after_the_other(desk, two):
    first, second, of_first = two
    made = Sessions(lambda: TokenKeys.load_or_create(desk.installation.token_keys_path), "https://issuer")
    owners = [Owner(account=row[0]) for row in await first.fetch("SELECT id FROM account ORDER BY id LIMIT 2")]

    def opening(connection, owner):
        return made.open(connection, owner=owner, role=Role.CUSTOMER, now=utc_now())

    await opening(first, owners[0])
    await opening(second, owners[1])
    assert not isinstance(await waits(opening(second, owners[0]), of_first), Refusal)


def test_the_ceiling_is_five_where_nothing_is_set():
    assert Ceiling() == Ceiling(sessions=5, refuse=False)


@pytest.mark.parametrize(
    "name, value",
    [("NEEDFUL_SESSION_CEILING", "0"), ("NEEDFUL_SESSION_OVER", "newest"), ("NEEDFUL_LOGIN_FAILURES", "none"),
     ("NEEDFUL_LOCK_MINUTES", "-1")],
)  # fmt: skip
def test_a_setting_that_cannot_be_stops_the_server_and_says_what_it_takes(name, value):
    with pytest.raises(InstallationError, match=name):
        Settings.read({name: value})
