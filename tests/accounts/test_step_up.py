"""Stepping up: a fresh second factor opens one's own ID number and bank card for five minutes, no more (C64)."""

import re
from dataclasses import replace
from uuid import uuid4

import pytest

from authz.token_keys import TokenKeys
from authz.tokens import LIFETIME, Grant, Verifier, mint, utc_now
from tests.accounts.conftest import PASSWORD, Customer, authenticator
from tests.accounts.test_log_in import claims_of, lend_a_login
from tests.plain import lines

OWN = "{ viewer { user { name phone idNumber bankCard } } }"
NUMBERS = ("idNumber", "bankCard")


@pytest.fixture
def person(desk):
    """Somebody of the demo data who has both numbers and an account, with a real login and second factor."""
    plain = lines(desk.data_dir.parent / "plain.jsonl")["User"]
    known = next(one for one in plain if one["username"] and one["idNumber"] and one["bankCard"])
    lend_a_login(desk, known["username"])
    opened = desk.log_in(known["username"])
    customer = Customer(known["phone"], known["username"], PASSWORD, opened["accessToken"], opened["refreshToken"])
    customer.second_factor = authenticator(
        desk.write("setUpSecondFactor", customer.access, {"password": PASSWORD})["uri"]
    )
    confirmed = desk.write("confirmSecondFactor", customer.access, {"code": customer.second_factor.now()})
    assert confirmed["__typename"] == "SteppedUp"
    yield known, customer
    desk.execute("DELETE FROM login WHERE account_id = (SELECT account_id FROM session WHERE id = $1::uuid)",
                 claims_of(customer.access)["sid"])  # fmt: skip


def seen(desk, token, purpose):
    """What one sees of oneself, and what each field that is missing is said to need."""
    body = desk.ask(OWN, token, X_Purpose=purpose).json()
    missing = {}
    for error in body.get("errors", ()):
        found = error["extensions"]
        missing[error["path"][-1]] = (found["code"], found["reason"], found["remedy"])
    return body["data"]["viewer"]["user"], missing


WAITING = dict.fromkeys(NUMBERS, ("FIELD_DENIED", "STEP_UP", "Confirm with a second factor and ask again."))


def test_ones_own_numbers_are_shown_for_five_minutes_after_a_code_and_only_for_a_request_of_ones_rights(desk, person):
    known, customer = person
    whole = {name: known[name] for name in ("name", "phone", *NUMBERS)}
    hidden = {**whole, **dict.fromkeys(NUMBERS)}

    before = customer.access
    assert seen(desk, before, "rights_request") == (hidden, WAITING)
    masked, missing = seen(desk, before, "account_service")
    assert missing == {}
    assert re.fullmatch(r"\w\*+\w", masked["idNumber"])
    assert masked["bankCard"].endswith(known["bankCard"][-4:])
    assert masked["bankCard"] != known["bankCard"]

    desk.forget_codes()
    stepped = desk.write("stepUp", before, {"code": customer.second_factor.now()})["accessToken"]
    assert seen(desk, stepped, "rights_request") == (whole, {})
    assert seen(desk, stepped, "account_service") == (masked, {})
    assert seen(desk, before, "rights_request") == (hidden, WAITING)

    session = claims_of(before)["sid"]
    renewed = desk.refresh(customer.refresh)
    assert seen(desk, renewed["accessToken"], "rights_request") == (whole, {})
    passed = "UPDATE session SET second_factor_at = second_factor_at - interval '5 minutes' WHERE id = $1::uuid"
    desk.execute(passed, session)
    later = desk.refresh(renewed["refreshToken"])["accessToken"]
    assert seen(desk, later, "rights_request") == (hidden, WAITING)
    assert seen(desk, later, "account_service") == (masked, {})

    desk.forget_codes()
    again = desk.write("stepUp", later, {"code": customer.second_factor.now()})["accessToken"]
    assert seen(desk, again, "rights_request") == (whole, {})


def test_a_token_of_which_the_five_minutes_are_over_waits_again(desk, person):
    _, customer = person
    keys = TokenKeys.load(desk.installation.token_keys_path)
    issuer = claims_of(customer.access)["iss"]
    now = utc_now()
    told = Verifier(keys, issuers=frozenset({issuer})).verify(customer.access, now=now)
    for left, missing in ((30, {}), (0, WAITING)):
        subject = replace(told.subject, token_id=uuid4().hex, stepped_up_until=int(now.timestamp()) + left)
        token = mint(keys, subject, now=now, lifetime=LIFETIME, grant=Grant(issuer, "needful"))
        assert seen(desk, token, "rights_request")[1] == missing
