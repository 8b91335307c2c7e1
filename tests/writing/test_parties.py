"""Who may be named, completed and corrected: nobody gets at somebody through an application, nor at an age."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from tests.recorded import ROW
from tests.writing.applying import CHILD, PRODUCT, Desk, application, code, id_number, insured, policyholder
from tests.writing.conftest import row_id


@pytest.fixture(scope="module")
def desk(office):
    return Desk(office)


def insuring(office, desk, other):
    """A holder and their draft on the life of somebody with an account."""
    holder = office.customer()
    made = desk.drafted(holder)
    office.execute("UPDATE policy SET insured_id = $2 WHERE id = $1", row_id(made["id"]), other.person)
    return holder, made


@pytest.mark.parametrize("status", ["EXPIRED", "LAPSED", "SURRENDERED", "TERMINATED", "DECLINED"])
def test_whom_somebody_insured_once_they_cannot_name_again(office, desk, status):
    other = office.customer()
    holder, made = insuring(office, desk, other)
    again = {"productCode": PRODUCT, "insured": {"id": other.id}}
    assert code(desk.as_customer(holder, "draftApplication", again)) == "Policy"
    office.execute("UPDATE policy SET status = $2 WHERE insured_id = $1", other.person, status)
    assert code(desk.as_customer(holder, "draftApplication", again)) == "NOT_FOUND"
    assert made["id"]


@pytest.mark.parametrize("item", ["healthDeclaration", "phone", "name", "occupation"])
def test_nothing_is_put_into_the_mouth_of_an_insured_who_has_an_account(office, desk, item):
    other = office.customer()
    holder, made = insuring(office, desk, other)
    given = {"id": made["id"], "insured": {"details": {item: insured()[item]}}}
    refused = desk.as_customer(holder, "draftApplication", given)
    assert (refused["code"], refused["field"]) == ("ITEM_ON_RECORD", f"insured.details.{item}")
    stored = office.stored("User", other.person, owner=other.person)
    assert (stored["healthDeclaration"], stored["name"], stored["phone"]) == (None, None, other.phone)


def test_c71_a_minor_comes_of_age_by_no_number_even_where_a_guardian_lets_them_act(office, desk):
    child = office.customer()
    office.know(child.person, birthDate=CHILD.isoformat())
    guardian = office.guardian(child.person)
    for purpose in ("application", "account_service"):
        office.agree(guardian, child.person, purpose)
    older = id_number(date(1990, 2, 3))
    drafted = desk.as_customer(
        child, "draftApplication", {"productCode": PRODUCT, "policyholder": {"details": {"idNumber": older}}}
    )
    updated = office.write("updateProfile", {"idNumber": older}, token=child.token, purpose="account_service")
    assert [drafted["code"], updated["code"]] == ["MINOR_NEEDS_GUARDIAN"] * 2
    assert office.stored("User", child.person, owner=child.person)["birthDate"] == CHILD.isoformat()


def test_c71_a_guardian_makes_no_child_younger(office):
    child = office.customer()
    office.know(child.person, birthDate=CHILD.isoformat(), idNumber=id_number(CHILD))
    office.execute("UPDATE person SET id_type = 'RESIDENT_ID' WHERE id = $1", child.person)
    guardian = office.guardian(child.person)
    for given in (
        {"idNumber": id_number(date(CHILD.year + 3, 1, 1))},
        {"idType": "PASSPORT", "idNumber": "E1234567", "birthDate": f"{CHILD.year + 3}-01-01"},
    ):
        refused = office.write(
            "updateProfile", {"user": child.id, **given}, token=guardian.token, purpose="account_service"
        )
        assert (refused["code"], refused["clause"]) == ("ITEM_INVALID", "C71")


def test_two_who_insure_each_other_at_once_do_not_wait_for_each_other(office, desk):
    couple = [office.customer(), office.customer()]
    for one, other in (couple, couple[::-1]):
        made = desk.drafted(one)
        office.execute("UPDATE policy SET insured_id = $2 WHERE id = $1", row_id(made["id"]), other.person)

    def draft(turn):
        one, other = couple if turn % 2 else couple[::-1]
        given = {"productCode": PRODUCT, "sumInsured": turn + 1, "insured": {"id": other.id}}
        return code(desk.as_customer(one, "draftApplication", given))

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(draft, range(24))) == {"Policy"}


@pytest.mark.parametrize(
    "declared,used",
    [
        ("$x: Boolean = true", "setPermission(input: {permission: PUSH, granted: $x})"),
        ("$x: SetPermissionInput = {permission: PUSH, granted: true}", "setPermission(input: $x)"),
        ('$x: ID = "a"', "withdrawApplication(input: {id: $x})"),
    ],
)
def test_a_variable_with_a_default_that_is_null_is_bad_input_and_no_fault(office, declared, used):
    me = office.customer()
    answer = office.post(
        f"mutation({declared}) {{ {used} {{ __typename }} }}", {"x": None}, token=me.token, purpose="account_service"
    )
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_USER_INPUT")


def test_the_ledger_keeps_no_more_of_a_clients_own_words_than_they_are_worth(office):
    me, long = office.customer(), "a" * 5_000
    work = f'updateProfile(input: {{nickname: "me"}}) {{ ... on User {{ {long}: nickname }} }}'
    document = f"mutation {long} {{ {long}: {work} }}"
    answer = office.post(document, token=me.token, purpose="account_service")
    assert answer.status_code == 200
    (row,) = office.rows(ROW, answer.json()["extensions"]["authorization"]["decisionId"])
    assert row[0].count("a" * 100) == 1, "the operation's name, cut"


def test_nothing_but_the_policyholders_own_items_is_theirs_by_saying_so(office, desk):
    me = office.customer()
    made = desk.drafted(me, insured={"id": me.id, "details": {"healthDeclaration": "健康"}})
    assert made["insured"]["id"] == me.id
    given = application(policyholder={"details": policyholder()}, insured={"details": insured()})
    other = desk.as_customer(me, "draftApplication", given)
    assert other["insured"]["id"] not in (me.id, made["insured"]["id"])
