"""An application does not change by which phone somebody logs in (C01)."""

import pytest

from tests.writing.applying import Desk, application, code, policyholder
from tests.writing.test_profile import log_in, stored


@pytest.fixture(scope="module")
def desk(office):
    return Desk(office)


def apply(desk, who, **details):
    given = application(policyholder={"details": policyholder(**details)})
    return desk.as_customer(who, "draftApplication", given)


def test_c01_another_phone_in_an_application_is_refused_and_leaves_nothing_behind(office, desk):
    me, other = office.customer(), office.customer()
    for phone in ("18600000001", other.phone, "010-62581234"):
        found = apply(desk, me, phone=phone)
        assert (found["code"], found["field"]) == ("ITEM_ON_RECORD", "policyholder.details.phone")
    assert stored(office, me.person)["name"] is None
    assert office.rows("SELECT FROM policy WHERE holder_id = $1", me.person) == []
    assert log_in(office, me.phone) == "SessionTokens"


def test_c01_the_phone_on_record_may_be_said_again(office, desk):
    me = office.customer()
    assert code(apply(desk, me, phone=f"+86 {me.phone}")) == "Policy"
