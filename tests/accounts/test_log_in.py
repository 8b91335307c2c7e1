"""Logging in: by phone or username, slowed and locked after failures, with sessions that end (C49, C50, C58, C73)."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher

from authz.passwords import hash_now
from tests.accounts.conftest import NEXT_PASSWORD, PASSWORD
from tests.conftest import run_cli
from tests.plain import by_id, lines
from vault.blind import blind
from vault.keyring import load

VIEWER = "{ viewer { role user { username } } }"


def claims_of(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def time_passes(desk):
    """As if an hour had gone by since every failure, but no lock had ended."""
    desk.execute("UPDATE failed_login SET failed_at = failed_at - interval '1 hour'")


def fail(desk, identifier, times, **more):
    for _ in range(times):
        assert desk.log_in(identifier, "not the password", **more)["code"] == "INVALID_CREDENTIALS"
        time_passes(desk)


def test_a_customer_logs_in_by_phone_or_username_however_written(desk):
    customer = desk.customer()
    for identifier in (customer.phone, f"+86 {customer.phone[:3]} {customer.phone[3:]}", customer.username.upper()):
        found = desk.log_in(identifier)
        viewer = desk.ask(VIEWER, found["accessToken"]).json()["data"]["viewer"]
        assert viewer == {"role": "customer", "user": {"username": customer.username}}


def test_an_access_token_is_the_services_own_lives_ten_minutes_and_names_its_session(desk):
    customer = desk.customer()
    claims = claims_of(customer.access)
    assert claims["iss"] == "https://needful.example"
    assert claims["client_id"] == "needful"
    assert claims["exp"] - claims["iat"] == 600
    assert claims["role"] == "customer"
    assert claims["authorization_details"][0]["purposes"] == ["account_service", "rights_request"]
    assert desk.rows("SELECT id FROM session WHERE id = $1::uuid", claims["sid"])
    assert "step_up_until" not in claims


def test_after_failures_the_next_attempt_has_to_wait_and_is_told_how_long(desk):
    customer = desk.customer()
    assert desk.log_in(customer.username, "wrong")["code"] == "INVALID_CREDENTIALS"
    assert desk.log_in(customer.username, "wrong")["code"] == "INVALID_CREDENTIALS"
    found = desk.log_in(customer.username)
    assert (found["__typename"], found["code"], found["clause"]) == ("TryLaterProblem", "TRY_LATER", "C50")
    assert found["retryAfter"] == 1
    time.sleep(1.05)
    assert desk.log_in(customer.username)["__typename"] == "SessionTokens"


def test_a_login_that_succeeds_forgets_the_failures_before(desk):
    customer = desk.customer()
    for _ in range(3):
        fail(desk, customer.phone, 2)
        assert desk.log_in(customer.phone)["__typename"] == "SessionTokens"


def test_c50_the_failure_too_many_locks_for_half_an_hour_and_ends_every_session_within_a_second(desk):
    customer = desk.customer()
    assert desk.ask(VIEWER, customer.access).status_code == 200
    fail(desk, customer.username, 3)
    begun = time.monotonic()
    found = desk.log_in(customer.username)
    assert found["code"] == "TRY_LATER"
    assert 1_700 < found["retryAfter"] <= 1_800
    for url in (desk.url, *desk.others):
        while desk.ask(VIEWER, customer.access, url=url).status_code != 401:
            assert time.monotonic() - begun < 1
    assert desk.refresh(customer.refresh)["code"] == "SESSION_ENDED"
    assert {row[0] for row in desk.rows(
        "SELECT ended_because FROM session s JOIN account a ON a.id = s.account_id WHERE s.id = $1::uuid",
        claims_of(customer.access)["sid"],
    )} == {"LOCKED"}  # fmt: skip


def test_a_lock_holds_under_the_other_identifier_too_and_says_nothing_there(desk):
    customer = desk.customer()
    fail(desk, customer.username, 3)
    assert desk.log_in(customer.phone)["code"] == "INVALID_CREDENTIALS"


def test_a_lock_ends_by_itself_or_by_the_operator(desk):
    waiting, unlocked = desk.customer(), desk.customer()
    for customer in (waiting, unlocked):
        fail(desk, customer.username, 3)
        assert desk.log_in(customer.username)["code"] == "TRY_LATER"
    assert desk.operate("account", "unlock", "--user", unlocked.username) == {"unlocked": True}
    assert desk.log_in(unlocked.username)["__typename"] == "SessionTokens"
    assert desk.log_in(waiting.username)["code"] == "TRY_LATER"
    desk.execute("UPDATE failed_login SET locked_until = locked_until - interval '30 minutes'")
    desk.execute("UPDATE login SET locked_until = locked_until - interval '30 minutes'")
    assert desk.log_in(waiting.username)["__typename"] == "SessionTokens"


@pytest.mark.parametrize("somebody", [True, False])
def test_once_a_lock_has_run_out_one_wrong_try_does_not_lock_again(desk, somebody):
    identifier = desk.customer().username if somebody else "nobody_locked_before"
    fail(desk, identifier, 3)
    assert desk.log_in(identifier)["code"] == "TRY_LATER"
    desk.execute("UPDATE failed_login SET locked_until = locked_until - interval '30 minutes'")
    desk.execute("UPDATE login SET locked_until = locked_until - interval '30 minutes'")
    fail(desk, identifier, 2)
    found = desk.log_in(identifier)
    assert (found.get("code") or found["__typename"]) == ("SessionTokens" if somebody else "INVALID_CREDENTIALS")


@pytest.mark.parametrize("failures", [13, 48, 99])
def test_no_wait_is_longer_than_a_lock(desk, failures):
    customer = desk.customer()
    assert desk.log_in(customer.username, "wrong")["code"] == "INVALID_CREDENTIALS"
    key = blind(load(desk.installation.keyring_path), "username", customer.username).hex()
    desk.execute("UPDATE failed_login SET failures = $2 WHERE identifier = $1", key, failures)
    assert 1_700 < desk.log_in(customer.username)["retryAfter"] <= 1_800


def test_many_guesses_at_once_are_no_more_than_one_after_the_other(desk):
    customer = desk.customer()
    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(lambda number: desk.log_in(customer.phone, f"guess {number}"), range(20)))
    assert sum(one["code"] == "INVALID_CREDENTIALS" for one in found) <= 3
    assert {one["code"] for one in found} == {"INVALID_CREDENTIALS", "TRY_LATER"}


def test_only_who_has_a_verified_link_acts_as_a_guardian(desk):
    plain = desk.data_dir.parent / "plain.jsonl"
    link = next(one for one in lines(plain)["GuardianLink"] if one["verifiedAt"] and not one["revokedAt"])
    guardian = by_id(plain, "User")[link["guardian"]]["username"]
    lend_a_login(desk, guardian)
    found = desk.log_in(guardian, role="GUARDIAN")
    assert desk.ask("{ viewer { role } }", found["accessToken"]).json()["data"]["viewer"] == {"role": "guardian"}
    customer = desk.customer()
    refused = desk.log_in(customer.username, role="GUARDIAN")
    assert (refused["code"], refused["field"], refused["clause"]) == ("NOT_A_GUARDIAN", "role", "C73")


def lend_a_login(desk, username):
    """Give somebody of the demo data a login with the tests' password."""
    digest = blind(load(desk.installation.keyring_path), "username", username)
    desk.execute(
        "INSERT INTO login (id, account_id, password_hash, temporary, changed_at) SELECT gen_random_uuid(), a.id, $2,"
        ' FALSE, now() FROM account a JOIN blind_index b ON b.person_id = a.person_id WHERE b."column" = 4'
        " AND b.digest = $1 ON CONFLICT (account_id) DO UPDATE SET password_hash = excluded.password_hash",
        digest,
        hash_now(PASSWORD),
    )


def test_a_password_hashed_with_weaker_parameters_is_hashed_anew(desk):
    customer = desk.customer()
    session = claims_of(customer.access)["sid"]
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    change = (
        "UPDATE login l SET password_hash = $2 FROM session s WHERE s.account_id = l.account_id AND s.id = $1::uuid"
    )
    desk.execute(change, session, weak)
    assert desk.log_in(customer.username)["__typename"] == "SessionTokens"
    find = "SELECT l.password_hash FROM login l JOIN session s ON s.account_id = l.account_id WHERE s.id = $1::uuid"
    stored = desk.rows(find, session)[0][0]
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert desk.log_in(customer.username)["__typename"] == "SessionTokens"


def test_changing_the_password_needs_the_old_one_and_ends_the_other_sessions(desk):
    customer = desk.customer()
    other = desk.log_in(customer.username)
    wrong = desk.write("changePassword", customer.access, {"old": "wrong", "new": NEXT_PASSWORD})
    assert (wrong["code"], wrong["field"]) == ("PASSWORD_WRONG", "old")
    for new in (PASSWORD, customer.phone, f"my {customer.username} pass", f"Aa1! {customer.phone}", "password1234"):
        weak = desk.write("changePassword", customer.access, {"old": PASSWORD, "new": new})
        assert (weak["code"], weak["field"], weak["clause"]) == ("PASSWORD_WEAK", "new", "C57"), new
    done = desk.write("changePassword", customer.access, {"old": PASSWORD, "new": NEXT_PASSWORD})
    assert done["endedSessions"] == 1
    assert desk.refresh(other["refreshToken"])["code"] == "SESSION_ENDED"
    assert desk.refresh(customer.refresh)["__typename"] == "SessionTokens"
    assert desk.log_in(customer.username, PASSWORD)["code"] == "INVALID_CREDENTIALS"
    assert desk.log_in(customer.username, NEXT_PASSWORD)["__typename"] == "SessionTokens"


def test_guessing_the_old_password_with_a_stolen_token_ends_the_session(desk):
    customer = desk.customer()
    for _ in range(3):
        desk.write("changePassword", customer.access, {"old": "guess", "new": NEXT_PASSWORD})
        time_passes(desk)
    assert desk.refresh(customer.refresh)["code"] == "SESSION_ENDED"


def test_a_token_without_a_session_changes_no_login(desk):
    made = run_cli("token", "--role", "customer", "--purpose", "account_service", data_dir=desk.data_dir).stdout
    for name, given in (
        ("logOut", None),
        ("endSession", {"id": "x"}),
        ("changePassword", {"old": "a", "new": "b"}),
        ("setUpSecondFactor", {"password": "a"}),
        ("confirmSecondFactor", {"code": "1"}),
        ("stepUp", {"code": "1"}),
    ):
        found = desk.write(name, made.splitlines()[-1], given)
        assert (found["__typename"], found["code"]) == ("AccessProblem", "SESSION_REQUIRED")
