"""Sign-up: phone and username, both unique; what is refused says what follows from it (C01, C03, C49)."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.accounts.conftest import HOUSE, PASSWORD, payload

WITHOUT = "Without phone and username there is no account and no purchase; browsing products goes on."


def test_a_new_customer_sees_their_own_username_and_phone_at_once(desk):
    found = desk.sign_up(phone="+86 178-1234 5678", username="Zoe_178", password=PASSWORD)
    response = desk.ask("{ viewer { role user { username phone name } } }", found["accessToken"])
    body = response.json()
    assert body["data"]["viewer"] == {
        "role": "customer",
        "user": {"username": "Zoe_178", "phone": "17812345678", "name": None},
    }
    assert "errors" not in body
    rows = desk.rows("SELECT source FROM person WHERE source <> 'demo'")
    assert {row["source"] for row in rows} == {"registered"}


@pytest.mark.parametrize("phone", ["17700000001", "+8617700000001", "0086 177-0000-0001", "１７７００００００01"])
def test_c01_a_phone_has_one_account_however_it_is_written(desk, phone):
    desk.sign_up(phone="17700000001", username="first177", password=PASSWORD)
    found = desk.sign_up(phone=phone, username="another177", password=PASSWORD)
    assert (found["code"], found["field"]) == ("PHONE_TAKEN", "phone")


@pytest.mark.parametrize("username", ["second177", "SECOND177", "Ｓecond177"])
def test_c01_a_username_has_one_account_however_it_is_written(desk, username):
    desk.sign_up(phone="17700000002", username="second177", password=PASSWORD)
    found = desk.sign_up(phone="17700000003", username=username, password=PASSWORD)
    assert (found["code"], found["field"]) == ("USERNAME_TAKEN", "username")


@pytest.mark.parametrize(
    "given, code, field",
    [
        ({"username": "nobody1", "password": PASSWORD}, "PHONE_REQUIRED", "phone"),
        ({"phone": " ", "username": "nobody1", "password": PASSWORD}, "PHONE_REQUIRED", "phone"),
        ({"phone": None, "username": None, "password": None}, "PHONE_REQUIRED", "phone"),
        ({"phone": "17700000004", "password": PASSWORD}, "USERNAME_REQUIRED", "username"),
        ({"phone": "12700000004", "username": "nobody1", "password": PASSWORD}, "PHONE_INVALID", "phone"),
        ({"phone": "1770000000", "username": "nobody1", "password": PASSWORD}, "PHONE_INVALID", "phone"),
        ({"phone": "+85217700000004", "username": "nobody1", "password": PASSWORD}, "PHONE_INVALID", "phone"),
        ({"phone": "1" * 5000, "username": "nobody1", "password": PASSWORD}, "PHONE_INVALID", "phone"),
        ({"phone": "17700000004", "username": "abc", "password": PASSWORD}, "USERNAME_INVALID", "username"),
        ({"phone": "17700000004", "username": "17700000004", "password": PASSWORD}, "USERNAME_INVALID", "username"),
        ({"phone": "17700000004", "username": "a" * 33, "password": PASSWORD}, "USERNAME_INVALID", "username"),
        ({"phone": "17700000004", "username": "no body", "password": PASSWORD}, "USERNAME_INVALID", "username"),
    ],
)
def test_c01_c03_what_is_missing_or_cannot_be_is_a_problem_that_names_field_clause_and_consequence(
    desk, given, code, field
):
    before = desk.rows("SELECT count(*) FROM person")
    found = desk.sign_up(**given)
    assert found["__typename"] == "InputProblem"
    assert (found["code"], found["field"]) == (code, field)
    assert (found["clause"], found["consequence"]) == ("C01", WITHOUT)
    assert desk.rows("SELECT count(*) FROM person") == before


@pytest.mark.parametrize("password, code", [(None, "PASSWORD_REQUIRED"), ("short1!", "PASSWORD_WEAK")])
def test_a_password_is_asked_for_by_another_clause(desk, password, code):
    found = desk.sign_up(phone="17700000005", username="nobody2", password=password)
    assert (found["code"], found["field"], found["clause"]) == (code, "password", "C57")


def test_c03_c07_browsing_goes_on_without_an_account(desk):
    body = desk.registered("Products", {"first": 3}).json()
    assert len(body["data"]["products"]["edges"]) == 3


@pytest.mark.parametrize("unique", ["phone", "username"])
def test_c01_c49_of_fifty_sign_ups_at_once_one_gets_the_account(desk, unique):
    before = desk.rows("SELECT count(*) FROM account")[0][0]

    def sign_up(number):
        given = {"phone": f"1760000{number:04d}", "username": f"rush{number:04d}", "password": PASSWORD}
        given |= {"phone": "17611111111"} if unique == "phone" else {"username": "rush_of_all"}
        body = {"documentId": f"sha256:{HOUSE['SignUp']}", "variables": {"input": given}}
        url = (desk.url, *desk.others)[number % 2]
        return httpx.post(url, json=body, timeout=60)

    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(sign_up, range(50)))
    outcomes = [payload(answer) for answer in answers]
    assert sum(one["__typename"] == "SessionTokens" for one in outcomes) == 1
    refused = {one["code"] for one in outcomes if one["__typename"] != "SessionTokens"}
    assert refused == {"PHONE_TAKEN" if unique == "phone" else "USERNAME_TAKEN"}
    assert desk.rows("SELECT count(*) FROM account")[0][0] == before + 1
