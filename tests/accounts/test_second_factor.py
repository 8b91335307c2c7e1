"""The second factor: set up, asked for, each code good once; and what it opens for five minutes (C49, C64)."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.second_factors import matching_step, new_secret
from tests.accounts.conftest import NEXT_PASSWORD, PASSWORD, authenticator
from tests.accounts.test_log_in import claims_of, time_passes
from vault.keyring import generate

FIVE_MINUTES = 300


def test_a_second_factor_counts_once_a_code_of_it_was_confirmed(desk):
    customer = desk.customer()
    wrong = desk.write("setUpSecondFactor", customer.access, {"password": "wrong"})
    assert (wrong["code"], wrong["field"]) == ("PASSWORD_WRONG", "password")
    codes = authenticator(desk.write("setUpSecondFactor", customer.access, {"password": PASSWORD})["uri"])
    assert desk.log_in(customer.username)["__typename"] == "SessionTokens"
    assert desk.write("stepUp", customer.access, {"code": codes.now()})["code"] == "SECOND_FACTOR_NOT_SET_UP"
    assert desk.write("confirmSecondFactor", customer.access, {"code": "12345"})["code"] == "CODE_WRONG"
    assert desk.write("confirmSecondFactor", customer.access, {"code": codes.now()})["__typename"] == "SteppedUp"
    found = desk.log_in(customer.username)
    assert (found["__typename"], found["code"], found["field"]) == ("InputProblem", "CODE_REQUIRED", "code")


def test_without_one_stepping_up_says_to_set_it_up(desk):
    found = desk.write("stepUp", desk.customer().access, {"code": "123456"})
    assert (found["__typename"], found["code"]) == ("AccessProblem", "SECOND_FACTOR_NOT_SET_UP")


def test_a_second_factor_is_replaced_only_by_who_has_it(desk):
    customer = desk.customer(second_factor=True)
    without = desk.write("setUpSecondFactor", customer.access, {"password": PASSWORD})
    assert without["code"] == "CODE_REQUIRED"
    wrong = desk.write("setUpSecondFactor", customer.access, {"password": PASSWORD, "code": "000000"})
    assert wrong["code"] == "CODE_WRONG"
    given_code = {"password": PASSWORD, "code": customer.second_factor.now()}
    assert desk.write("setUpSecondFactor", customer.access, given_code)["__typename"] == "SecondFactorSetUp"


def test_a_second_factor_counts_until_a_code_of_the_one_that_replaces_it(desk):
    customer = desk.customer(second_factor=True)
    before = customer.second_factor
    proof = {"password": PASSWORD, "code": before.now()}
    after = authenticator(desk.write("setUpSecondFactor", customer.access, proof)["uri"])
    desk.forget_codes()
    assert desk.log_in(customer.username)["code"] == "CODE_REQUIRED"
    assert desk.log_in(customer.username, code=after.now())["code"] == "CODE_WRONG"
    assert desk.write("confirmSecondFactor", customer.access, {"code": before.now()})["code"] == "CODE_WRONG"
    assert desk.log_in(customer.username, code=before.now())["__typename"] == "SessionTokens"
    time_passes(desk)
    code = after.now()
    assert desk.write("confirmSecondFactor", customer.access, {"code": code})["__typename"] == "SteppedUp"
    again = desk.write("confirmSecondFactor", customer.access, {"code": after.at(time.time() + 30)})
    assert again["code"] == "SECOND_FACTOR_NOT_SET_UP"
    assert desk.write("stepUp", customer.access, {"code": code})["code"] == "CODE_WRONG"
    desk.forget_codes()
    assert desk.log_in(customer.username, code=before.now())["code"] == "CODE_WRONG"
    assert desk.log_in(customer.username, code=after.now())["__typename"] == "SessionTokens"


def test_no_code_is_accepted_twice_wherever_it_is_given(desk):
    customer = desk.customer(second_factor=True)
    code = customer.second_factor.now()
    assert desk.log_in(customer.username, code=code)["__typename"] == "SessionTokens"
    replayed = desk.log_in(customer.username, code=code)
    assert (replayed["code"], replayed["field"]) == ("CODE_WRONG", "code")
    assert desk.write("stepUp", customer.access, {"code": code})["code"] == "CODE_WRONG"
    following = customer.second_factor.at(time.time() + 30)
    assert desk.write("stepUp", customer.access, {"code": following})["__typename"] == "SteppedUp"
    assert desk.log_in(customer.username, code=following)["code"] == "CODE_WRONG"


def test_one_code_given_twice_at_once_opens_one_session(desk):
    customer = desk.customer(second_factor=True)
    code = customer.second_factor.now()
    identifiers = [customer.username, customer.phone] * 3
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda identifier: desk.log_in(identifier, code=code), identifiers))
    assert sum(one["__typename"] == "SessionTokens" for one in found) == 1


def test_wrong_codes_lock_as_wrong_passwords_do(desk):
    customer = desk.customer(second_factor=True)
    for _ in range(3):
        assert desk.log_in(customer.username, code="000000")["code"] == "CODE_WRONG"
        time_passes(desk)
    assert desk.log_in(customer.username, code=customer.second_factor.now())["code"] == "TRY_LATER"
    stepping = desk.customer(second_factor=True)
    for _ in range(3):
        desk.write("stepUp", stepping.access, {"code": "000000"})
        time_passes(desk)
    assert desk.refresh(stepping.refresh)["code"] == "SESSION_ENDED"


def test_whoever_knows_the_password_only_cannot_make_wrong_codes_forgotten(desk):
    customer = desk.customer(second_factor=True)
    other = desk.log_in(customer.username, code=customer.second_factor.now())["accessToken"]
    for _ in range(2):
        assert desk.write("stepUp", customer.access, {"code": "000000"})["code"] == "CODE_WRONG"
        time_passes(desk)
    change = {"old": PASSWORD, "new": NEXT_PASSWORD}
    found = desk.write("changePassword", customer.access, change)
    assert (found["__typename"], found["code"], found["field"]) == ("InputProblem", "CODE_REQUIRED", "code")
    assert desk.write("setUpSecondFactor", customer.access, {"password": PASSWORD})["code"] == "CODE_REQUIRED"
    assert desk.write("changePassword", customer.access, {**change, "code": "000000"})["code"] == "CODE_WRONG"
    assert desk.write("stepUp", other, {"code": customer.second_factor.now()})["code"] != "CODE_WRONG"
    assert desk.refresh(customer.refresh)["code"] == "SESSION_ENDED"


def test_whoever_has_the_second_factor_only_cannot_make_wrong_passwords_forgotten(desk):
    customer = desk.customer(second_factor=True)
    for guess in range(3):
        wrong = desk.write("changePassword", customer.access, {"old": f"guess {guess}", "new": NEXT_PASSWORD})
        assert wrong["code"] == "PASSWORD_WRONG"
        desk.write("stepUp", customer.access, {"code": customer.second_factor.now()})
        desk.forget_codes()
        time_passes(desk)
    assert desk.refresh(customer.refresh)["code"] == "SESSION_ENDED"


def test_with_a_second_factor_the_password_is_changed_with_a_code(desk):
    customer = desk.customer(second_factor=True)
    change = {"old": PASSWORD, "new": NEXT_PASSWORD, "code": customer.second_factor.now()}
    assert desk.write("changePassword", customer.access, {**change, "new": PASSWORD})["code"] == "PASSWORD_WEAK"
    assert desk.write("changePassword", customer.access, change)["__typename"] == "PasswordChanged"
    assert desk.write("stepUp", customer.access, {"code": change["code"]})["code"] == "CODE_WRONG"


def test_who_steps_up_or_logs_in_with_a_code_gets_a_token_that_says_so_for_five_minutes(desk):
    customer = desk.customer(second_factor=True)
    stepped = desk.write("stepUp", customer.access, {"code": customer.second_factor.now()})["accessToken"]
    now = time.time()
    assert now + FIVE_MINUTES - 10 < claims_of(stepped)["step_up_until"] <= now + FIVE_MINUTES
    assert claims_of(stepped)["sid"] == claims_of(customer.access)["sid"]
    assert desk.ask("{ viewer { role } }", stepped).status_code == 200
    desk.forget_codes()
    logged_in = desk.log_in(customer.phone, code=customer.second_factor.now())
    until = claims_of(logged_in["accessToken"])["step_up_until"]
    refreshed = desk.refresh(logged_in["refreshToken"])
    assert claims_of(refreshed["accessToken"])["step_up_until"] == until
    desk.execute("UPDATE session SET second_factor_at = second_factor_at - interval '5 minutes'")
    assert "step_up_until" not in claims_of(desk.refresh(refreshed["refreshToken"])["accessToken"])


KEYRING = generate()


@given(st.datetimes(datetime(2026, 1, 1), datetime(2040, 1, 1)), st.integers(-100, 100))  # noqa: DTZ001
def test_codes_of_this_half_minute_and_its_neighbours_count_and_no_others(naive, off):
    now = naive.replace(tzinfo=UTC)
    secret, sealed = new_secret(KEYRING, uuid4())
    codes = authenticator(f"otpauth://totp/x?secret={secret}")
    found = matching_step(sealed, codes.at(now + timedelta(seconds=30 * off)), keyring=KEYRING, now=now)
    if abs(off) <= 1:
        assert found == int(now.timestamp()) // 30 + off
    else:
        assert found is None or abs(found - int(now.timestamp()) // 30) <= 1  # a chance of one in 300,000


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "12 34 5", "-12345"])
def test_what_is_no_code_matches_nothing(code):
    _, sealed = new_secret(KEYRING, uuid4())
    assert matching_step(sealed, code, keyring=KEYRING, now=datetime.now(UTC)) is None


def test_a_secret_is_shown_by_no_repr_and_stands_sealed(desk):
    customer = desk.customer(second_factor=True)
    rows = desk.rows(
        "SELECT l.totp_sealed FROM login l JOIN session s ON s.account_id = l.account_id WHERE s.id = $1::uuid",
        claims_of(customer.access)["sid"],
    )
    assert customer.second_factor.secret.encode() not in rows[0]["totp_sealed"]
    secret, sealed = new_secret(KEYRING, uuid4())
    assert secret not in repr(sealed)
