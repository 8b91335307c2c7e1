"""Beneficiaries: always all at once, sealed, complete once the policy runs, and 100 % of each order (C06)."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.rows import decided
from models.global_ids import NodeType, to_global
from tests.recorded import said
from tests.writing.applying import PRODUCT, Desk, application, beneficiary, code, named
from tests.writing.conftest import row_id

STORED = "SELECT * FROM beneficiary WHERE policy_id = $1 ORDER BY id"


@pytest.fixture(scope="module")
def desk(office):
    return Desk(office)


@pytest.fixture(scope="module")
def anne(office):
    return office.customer()


@pytest.fixture(scope="module")
def running(desk, anne):
    """A policy in force."""
    return desk.in_force(anne)["id"]


@pytest.fixture(scope="module")
def drafted(desk, anne):
    """An application that is not submitted yet."""
    return desk.drafted(anne)["id"]


def setting(desk, anne, policy, *beneficiaries, **more):
    given = {"id": policy, "beneficiaries": list(beneficiaries), **more}
    return desk.as_customer(anne, "setBeneficiaries", given)


@pytest.mark.parametrize("item", ["name", "idNumber", "phone"])
def test_c06_a_beneficiary_without_an_item_keeps_an_application_from_being_submitted(desk, anne, item):
    made = desk.drafted(anne, beneficiaries=[beneficiary("50"), beneficiary("50", **{item: None})])
    refused = desk.as_customer(anne, "submitApplication", {"id": made["id"]})
    assert refused["items"] == [{"field": f"beneficiaries.1.{item}", "clause": "C06"}]
    assert code(setting(desk, anne, made["id"], beneficiary())) == "Policy"
    assert desk.as_customer(anne, "submitApplication", {"id": made["id"]})["status"] == "SUBMITTED"


@pytest.mark.parametrize("item", ["name", "idNumber", "phone"])
def test_c06_nobody_is_named_incompletely_once_the_policy_runs(office, desk, anne, running, item):
    before = office.rows(STORED, row_id(running))
    refused = setting(desk, anne, running, beneficiary(**{item: None}))
    assert (refused["code"], named(refused)) == ("ITEM_MISSING", {f"beneficiaries.0.{item}"})
    assert refused["consequence"] == "Without it the beneficiaries stay as they were."
    assert office.rows(STORED, row_id(running)) == before


def test_c06_what_a_product_does_not_declare_of_beneficiaries_is_refused(office, desk, anne):
    made = desk.drafted(anne, productCode="INS02-ACC", beneficiaries=[])
    product = "(SELECT id FROM product WHERE code = 'INS02-ACC')"
    rename = f"UPDATE product_item SET item = $1 WHERE part = 'beneficiary' AND item = $2 AND product_id = {product}"  # noqa: S608 - our own names
    office.execute(rename, "fax", "phone")
    try:
        refused = setting(desk, anne, made["id"], beneficiary())
        assert (refused["code"], named(refused)) == ("ITEM_NOT_DECLARED", {"beneficiaries.0.phone"})
        assert code(setting(desk, anne, made["id"], beneficiary(phone=None))) == "Policy"
    finally:
        office.execute(rename, "phone", "fax")


def test_all_are_replaced_at_once_in_the_order_they_were_said_under_the_holders_key(office, desk, anne):
    policy = desk.drafted(anne)["id"]
    first = [row["id"] for row in office.rows(STORED, row_id(policy))]
    people = [beneficiary("50"), beneficiary("25.5", relation="SPOUSE"), beneficiary("24.5"), beneficiary("100", 2)]
    done = setting(desk, anne, policy, *people, ifVersion=1)
    assert [(one["order"], one["share"]) for one in done["beneficiaries"]] == [
        (1, "50.00"),
        (1, "25.50"),
        (1, "24.50"),
        (2, "100.00"),
    ]
    assert done["version"] == 2
    rows = office.rows(STORED, row_id(policy))
    assert not {row["id"] for row in rows} & set(first)
    assert {(row["person_id"], row["person_verified_at"]) for row in rows} == {(None, None)}
    opened = [office.stored("Beneficiary", row["id"], owner=anne.person) for row in rows]
    assert opened == [{item: one[item] for item in ("name", "idNumber", "phone")} for one in people]
    assert rows[1]["relation"] == "配偶"


def test_who_is_named_again_with_the_same_id_number_keeps_their_id_and_the_link_to_who_they_are(office, desk, anne):
    mother, father, child = beneficiary("50"), beneficiary("50"), beneficiary("100", 2)
    policy = desk.in_force(anne, beneficiaries=[mother, father, child])["id"]
    rows, who = office.rows(STORED, row_id(policy)), office.customer().person
    link = "UPDATE beneficiary SET person_id = $2, person_verified_at = now() WHERE id = $1"
    for row in rows:
        office.execute(link, row["id"], who)
    linked = {row["id"]: row["person_verified_at"] for row in office.rows(STORED, row_id(policy))}
    # Another name and share, and a number written otherwise, are theirs still; another number is somebody else's.
    number = mother["idNumber"]
    corrected = {**mother, "idNumber": f" {number[:6]} {number[6:]}", "name": "王大水", "phone": "13899998888"}
    other = {**father, "idNumber": beneficiary()["idNumber"]}
    done = setting(
        desk, anne, policy, {**corrected, "share": "70"}, {**other, "share": "20"}, {**mother, "share": "10"}
    )
    kept, *new = sorted(office.rows(STORED, row_id(policy)), key=lambda row: -row["share"])
    assert to_global(NodeType.BENEFICIARY, kept["id"]) in {one["id"] for one in done["beneficiaries"]}
    assert (kept["id"], kept["person_id"], kept["person_verified_at"]) == (rows[0]["id"], who, linked[rows[0]["id"]])
    stored = office.stored("Beneficiary", kept["id"], owner=anne.person)
    assert (stored["name"], stored["phone"], stored["idNumber"]) == ("王大水", "13899998888", number)
    assert [(row["person_id"], row["person_verified_at"], row["id"] in linked) for row in new] == [
        (None, None, False)
    ] * 2


def test_of_beneficiaries_without_an_id_number_nobody_is_who_was_named_before(office, desk, anne):
    policy = desk.drafted(anne, beneficiaries=[beneficiary(idNumber=None)])["id"]
    (before,) = office.rows(STORED, row_id(policy))
    assert code(setting(desk, anne, policy, beneficiary(idNumber=None))) == "Policy"
    (after,) = office.rows(STORED, row_id(policy))
    assert after["id"] != before["id"]


def test_nobody_named_means_the_legal_heirs(office, desk, anne, running):
    assert setting(desk, anne, running)["beneficiaries"] == []
    assert office.rows(STORED, row_id(running)) == []
    assert code(setting(desk, anne, running, beneficiary())) == "Policy"


@pytest.mark.parametrize(
    "shares",
    [
        [(1, "99.99")],
        [(1, "100"), (1, "0.01")],
        [(1, "33.33"), (1, "33.33"), (1, "33.33")],
        [(1, "60"), (2, "40")],
        [(1, "100"), (2, "50")],
    ],
)
def test_shares_that_are_not_100_percent_of_their_order_are_refused(office, desk, anne, running, shares):
    before = office.rows(STORED, row_id(running))
    refused = setting(desk, anne, running, *(beneficiary(share, order) for order, share in shares))
    assert (refused["code"], refused["clause"]) == ("SHARES_NOT_WHOLE", "C06")
    assert office.rows(STORED, row_id(running)) == before


@pytest.mark.parametrize("share", ["0", "-1", "100.01", "33.333", "NaN", "sNaN", "Infinity", "1E-400000", "1E+400000"])
def test_a_share_that_cannot_be_is_refused(desk, anne, running, share):
    refused = setting(desk, anne, running, beneficiary(share), beneficiary("50"))
    assert (refused["code"], refused["field"]) == ("ITEM_INVALID", "beneficiaries.0.share")


@pytest.mark.parametrize("orders", [(0,), (-1,), (2,), (1, 3), (2**31 - 1,)])
def test_an_order_counts_from_one_without_gaps(desk, anne, running, orders):
    refused = setting(desk, anne, running, *(beneficiary("100", order) for order in orders))
    assert (refused["code"], refused["field"]) == ("ITEM_INVALID", "beneficiaries")


def test_twenty_are_the_most(desk, anne, drafted):
    assert len(setting(desk, anne, drafted, *[beneficiary("5")] * 20)["beneficiaries"]) == 20
    refused = setting(desk, anne, drafted, *[beneficiary("100", order + 1) for order in range(21)])
    assert (refused["code"], refused["field"]) == ("ITEM_INVALID", "beneficiaries")


cents = st.integers(min_value=1, max_value=10_000)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    orders=st.lists(st.lists(cents, min_size=1, max_size=4), min_size=1, max_size=3),
    whole=st.booleans(),
)
def test_whatever_shares_are_said_those_stored_total_100_percent_of_each_order(
    office, desk, anne, drafted, orders, whole
):
    if whole:
        orders = [[*cut, 10_000 - sum(cut)] if sum(cut) < 10_000 else [10_000] for cut in orders]
    said = [
        beneficiary(f"{part // 100}.{part % 100:02d}", number, idNumber=None)
        for number, parts in enumerate(orders, 1)
        for part in parts
    ]
    done = code(setting(desk, anne, drafted, *said))
    assert (done == "Policy") == all(sum(parts) == 10_000 for parts in orders), done
    totals = "SELECT DISTINCT sum(share) FROM beneficiary WHERE policy_id = $1 GROUP BY position"
    assert {row[0] for row in office.rows(totals, row_id(drafted))} == {100}


def test_beneficiaries_are_named_while_drafting_and_while_the_policy_runs_and_at_no_other_time(desk, anne):
    policy = desk.submitted(anne)["id"]
    refused = setting(desk, anne, policy, beneficiary())
    assert (refused["code"], refused["allowed"]) == ("WRONG_STATUS", ["DRAFT", "IN_FORCE", "GRACE"])
    desk.move(policy, "GRACE")
    assert code(setting(desk, anne, policy, beneficiary())) == "Policy"


def test_two_who_replace_them_at_once_leave_the_list_of_one(office, desk, anne):
    policy = desk.drafted(anne)["id"]
    lists = [[beneficiary("100", name="甲甲")], [beneficiary("50", name="乙乙"), beneficiary("50", name="乙乙")]]

    def replaced(turn):
        return code(setting(desk, anne, policy, *lists[turn % 2]))

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(replaced, range(12))) == {"Policy"}
    rows = office.rows(STORED, row_id(policy))
    names = {office.stored("Beneficiary", row["id"], owner=anne.person)["name"] for row in rows}
    assert (len(rows), names) in ((1, {"甲甲"}), (2, {"乙乙"}))
    assert desk.seen(anne, policy)["version"] == 13


def test_what_a_draft_says_of_beneficiaries_replaces_them_and_silence_leaves_them(desk, anne):
    made = desk.as_customer(anne, "draftApplication", application(productCode=PRODUCT))
    edit = {"id": made["id"]}
    assert len(desk.as_customer(anne, "draftApplication", {**edit, "sumInsured": 5})["beneficiaries"]) == 2
    one = desk.as_customer(anne, "draftApplication", {**edit, "beneficiaries": [beneficiary()]})
    assert len(one["beneficiaries"]) == 1
    assert desk.as_customer(anne, "draftApplication", {**edit, "beneficiaries": []})["beneficiaries"] == []


def test_the_ledger_names_everybody_whose_data_a_change_of_beneficiaries_touches(office, desk, anne, drafted):
    assert code(setting(desk, anne, drafted, beneficiary("40"), beneficiary("60"))) == "Policy"
    *_, row = said(office.rows("SELECT body FROM ledger WHERE body LIKE '%Mutation.setBeneficiaries%' ORDER BY at"))
    named_there = {f"beneficiary {one['id'].hex}" for one in office.rows(STORED, row_id(drafted))}
    (changed,) = [of for entry, of in decided(row) if entry.effect == "WRITE"]
    assert named_there < {person for person, _ in changed}
    assert {record for _, record in changed if record} == {f"p{row_id(drafted).hex}"}
