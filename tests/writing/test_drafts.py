"""Drafts: merged, corrected, about nobody whom the caller may not name; and what cannot be is not stored."""

import re
from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest

from models.global_ids import NodeType, to_global
from models.vocabulary import Retention
from schema.applications import DraftApplicationInput, PersonItems, PolicyholderInput
from tests.conftest import running_server
from tests.writing.applying import (
    CHILD,
    PRODUCT,
    Desk,
    application,
    beneficiary,
    code,
    everything,
    id_number,
    insured,
    policyholder,
)
from tests.writing.conftest import row_id


@pytest.fixture(scope="module")
def desk(office):
    return Desk(office)


@pytest.fixture(scope="module")
def anne(office):
    return office.customer()


def test_a_draft_that_is_refused_at_its_end_stored_nothing_of_its_beginning(office, desk):
    applicant, other = office.customer(), office.customer()
    before = everything(office)
    for given in (
        application(insured={"id": other.id}),
        application(sumInsured="-1"),
        application(agent="nobody"),
        application(beneficiaries=[beneficiary("99.99")]),
        application(insured={"details": insured(idNumber=id_number(CHILD))}),
    ):
        assert code(desk.as_customer(applicant, "draftApplication", given)) not in ("Policy", None)
        assert everything(office) == before


def test_what_a_draft_leaves_out_stays_and_what_it_says_anew_is_corrected(office, desk):
    applicant = office.customer()
    made = desk.drafted(applicant)
    given = {"id": made["id"], "ifVersion": 1, "policyholder": {"details": {"address": "上海市黄浦区人民大道一号"}}}
    again = desk.as_customer(applicant, "draftApplication", given)
    assert (again["version"], again["sumInsured"], len(again["beneficiaries"])) == (2, "500000.00", 2)
    stored = office.stored("User", applicant.person, owner=applicant.person)
    assert (stored["address"], stored["email"]) == ("上海市黄浦区人民大道一号", "wang@example.com")
    corrected = office.rows("SELECT coordinate FROM correction WHERE person_id = $1", applicant.person)
    assert {row[0] for row in corrected} == {"User.address"}
    stale = desk.as_customer(applicant, "draftApplication", {**given, "sumInsured": 7})
    assert (stale["code"], stale["version"]) == ("VERSION_CONFLICT", 2)
    assert code(desk.as_customer(applicant, "draftApplication", {"id": made["id"]})) == "NOTHING_GIVEN"


def test_the_insured_is_whom_the_draft_says_as_often_as_it_says_otherwise(office, desk):
    applicant = office.customer()
    made = desk.drafted(applicant)
    first = made["insured"]["id"]
    renamed = desk.as_customer(
        applicant, "draftApplication", {"id": made["id"], "insured": {"details": {"name": "李小蓝"}}}
    )
    assert renamed["insured"]["id"] == first, "still the same person, known from here alone"
    assert office.stored("User", row_id(first), owner=row_id(first))["name"] == "李小蓝"
    themself = desk.as_customer(applicant, "draftApplication", {"id": made["id"], "insured": {"id": applicant.id}})
    assert themself["insured"]["id"] == applicant.id
    other = desk.drafted(applicant, insured={"details": insured()})
    shared = desk.as_customer(
        applicant, "draftApplication", {"id": made["id"], "insured": {"id": other["insured"]["id"]}}
    )
    assert shared["insured"]["id"] == other["insured"]["id"]
    for policy in (made["id"], other["id"]):
        given = {"id": policy, "insured": {"details": {"name": "李小绿"}}}
        assert code(desk.as_customer(applicant, "draftApplication", given)) == "ITEM_ON_RECORD"


def test_nobody_elses_person_can_be_insured_and_an_unknown_one_answers_the_same(office, desk, anne):
    stranger, unknown = office.customer(), to_global(NodeType.USER, uuid4())
    running = desk.drafted(stranger)
    answers = [
        desk.as_customer(anne, "draftApplication", application(insured={"id": who, "details": details}))
        for who in (stranger.id, running["insured"]["id"], unknown)
        for details in (None, insured())
    ]
    assert {answer["code"] for answer in answers} == {"NOT_FOUND"}
    assert answers == [answers[0]] * 6
    for who in (stranger.id, unknown):
        refused = desk.as_customer(anne, "draftApplication", application(policyholder={"id": who}))
        assert (refused["code"], refused["field"]) == ("NOT_FOUND", "policyholder.id")


def test_an_id_number_that_is_on_record_ties_an_application_to_nobody(office, desk, anne):
    known = office.customer()
    number = id_number()
    desk.drafted(known, policyholder={"details": policyholder(idNumber=number)})
    made = desk.drafted(anne, insured={"details": insured(idNumber=number)})
    assert made["insured"]["id"] != known.id
    assert office.stored("User", known.person, owner=known.person)["idNumber"] == number


def test_an_agent_drafts_for_a_client_completes_what_is_missing_and_learns_nothing_of_what_is_there(office, desk):
    client = office.customer()
    card = policyholder()["bankCard"]
    before = policyholder(email=None, bankCard=card)
    desk.drafted(client, agent="agent01", policyholder={"details": before})
    given = {"productCode": PRODUCT, "policyholder": {"id": client.id, "details": {"email": "new@example.com"}}}
    made = desk.as_agent("draftApplication", given)
    assert (made["__typename"], made["policyholder"]["id"]) == ("Policy", client.id)
    assert office.stored("User", client.person, owner=client.person)["email"] == "new@example.com"
    tried = [
        desk.as_agent("draftApplication", {**given, "policyholder": {"id": client.id, "details": {"bankCard": value}}})
        for value in (card, policyholder()["bankCard"])
    ]
    assert [one["code"] for one in tried] == ["ITEM_ON_RECORD"] * 2
    assert tried[0] == tried[1]
    health = {"id": made["id"], "insured": {"id": client.id, "details": {"healthDeclaration": "健康"}}}
    assert (desk.as_agent("draftApplication", health)["code"]) == "WRITE_DENIED"
    assert code(desk.as_agent("submitApplication", {"id": made["id"]})) == "WRITE_DENIED"
    for elsewhere in ("agent02", "agent03"):
        assert code(desk.as_agent("draftApplication", given, agent=elsewhere)) == "NOT_FOUND"


def test_an_agent_corrects_no_policyholder_even_if_nothing_else_is_known_of_them(office, desk, anne):
    first = desk.drafted(anne, agent="agent01")
    client = first["insured"]["id"]
    given = {"productCode": PRODUCT, "policyholder": {"id": client, "details": {"email": "li@example.com"}}}
    made = desk.as_agent("draftApplication", given)
    assert (made["__typename"], made["insured"]["id"]) == ("Policy", client)
    office.execute("UPDATE policy SET insured_id = holder_id WHERE id = $1", row_id(first["id"]))
    other = {"id": made["id"], "policyholder": {"details": {"name": "李小蓝"}}}
    assert code(desk.as_agent("draftApplication", other)) == "ITEM_ON_RECORD"
    other = {"id": made["id"], "insured": {"details": {"name": "李小蓝"}}}
    assert code(desk.as_agent("draftApplication", other)) == "Policy", (
        "somebody new, whom the draft insures from now on"
    )


def test_the_agent_who_is_named_looks_after_the_application_and_the_one_before_no_more(office, desk, anne):
    made = desk.drafted(anne, agent="agent01")
    edit = {"id": made["id"], "sumInsured": 1000}
    assert code(desk.as_agent("draftApplication", edit)) == "Policy"
    assert code(desk.as_agent("draftApplication", edit, agent="agent02")) == "NOT_FOUND"
    assert code(desk.as_customer(anne, "draftApplication", {"id": made["id"], "agent": "agent02"})) == "Policy"
    assert code(desk.as_agent("draftApplication", edit, agent="agent02")) == "Policy"
    assert code(desk.as_agent("draftApplication", edit)) == "NOT_FOUND"


def test_only_an_agent_who_works_here_can_be_named(office, desk, anne):
    office.execute(
        "INSERT INTO staff (id, username, role, left_at) VALUES ($1, 'agent99', 'broker_agent', now())", uuid4()
    )
    for name in ("agent99", "handler01", "nobody", "AGENT01", "", "a" * 10_000):
        refused = desk.as_customer(anne, "draftApplication", application(agent=name))
        assert (refused["code"], refused["field"]) == ("AGENT_UNKNOWN", "agent")


@pytest.mark.parametrize("product", [None, "", "INS01", PRODUCT.lower(), "INS01-ACC ", "产品", "X" * 10_000])
def test_an_application_is_for_a_product_by_its_very_code(desk, anne, product):
    refused = desk.as_customer(anne, "draftApplication", application(productCode=product))
    assert (refused["code"], refused["field"]) == ("PRODUCT_UNKNOWN", "productCode")


def test_product_and_policyholder_of_an_application_do_not_change(office, desk, anne):
    made = desk.drafted(anne)
    same = {"id": made["id"], "productCode": PRODUCT, "policyholder": {"id": anne.id}, "sumInsured": 9}
    assert code(desk.as_customer(anne, "draftApplication", same)) == "Policy"
    other = desk.as_customer(anne, "draftApplication", {**same, "productCode": "INS02-ACC"})
    assert (other["code"], other["field"]) == ("ITEM_INVALID", "productCode")
    other = desk.as_customer(anne, "draftApplication", {**same, "policyholder": {"id": office.customer().id}})
    assert (other["code"], other["field"]) == ("NOT_FOUND", "policyholder.id")
    first = desk.as_customer(anne, "draftApplication", application(ifVersion=1))
    assert (first["code"], first["field"]) == ("ITEM_INVALID", "ifVersion")


@pytest.mark.parametrize(
    "item,value",
    [
        ("phone", "138****5678"),
        ("idNumber", "1****7"),
        ("bankCard", "****1234"),
        ("name", "王*"),
        ("email", "w***@example.com"),
        ("address", "北京市朝阳区***"),
        ("occupation", "***"),
        ("name", "王" * 10_000),
        ("name", "🙂🙂"),
        ("address", "字" * 10_000),
        ("occupation", "a\u0007b"),
        ("idNumber", "110101198803145" + "9" * 200),
        ("bankCard", "6222021234567890"),
        ("birthDate", "2999-01-01"),
    ],
)
def test_a_value_that_cannot_be_is_refused_at_its_field_and_nothing_is_stored(office, desk, anne, item, value):
    before = everything(office)
    refused = desk.as_customer(anne, "draftApplication", application(policyholder={"details": {item: value}}))
    assert (refused["code"], refused["field"]) == ("ITEM_INVALID", f"policyholder.details.{item}")
    assert value not in refused["message"]
    assert everything(office) == before


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-1", "0", "0.00", "1E+999999999", "1.001", "1" * 40])
def test_a_sum_that_cannot_be_insured_is_refused(desk, anne, amount):
    refused = desk.as_customer(anne, "draftApplication", application(sumInsured=amount))
    assert (refused["code"], refused["field"]) == ("ITEM_INVALID", "sumInsured")


def test_an_id_of_another_type_is_no_id(office, desk, anne):
    made = desk.drafted(anne)
    document = "mutation($input: DraftApplicationInput!) { draftApplication(input: $input) { __typename } }"
    for given in (
        {"id": anne.id},
        {"id": made["id"], "insured": {"id": made["id"]}},
        {"productCode": PRODUCT, "policyholder": {"id": made["id"]}},
        {"id": "nonsense"},
    ):
        answer = office.post(document, {"input": given}, token=anne.token, purpose="account_service")
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_ID")


def test_a_policy_number_is_ten_digits_that_tell_nothing(desk, anne):
    numbers = [desk.drafted(anne)["policyNumber"] for _ in range(8)]
    assert len(set(numbers)) == 8
    assert all(re.fullmatch(r"P[0-9]{10}", number) for number in numbers)
    assert numbers != sorted(numbers)
    assert numbers != sorted(numbers, reverse=True)


def test_an_application_is_sealed_under_its_policyholders_contract_key(office, desk):
    applicant = office.customer()
    made = desk.drafted(applicant, sumInsured="123456.70")
    assert office.stored("Policy", row_id(made["id"]), owner=applicant.person)["sumInsured"] == "123456.70"
    assert office.rows(
        "SELECT 1 FROM data_key WHERE person_id = $1 AND retention = $2", applicant.person, Retention.CONTRACT
    )
    (raw,) = office.rows("SELECT p::text FROM policy p WHERE id = $1", row_id(made["id"]))
    assert "123456" not in raw[0]


def test_nothing_that_was_said_of_anybody_stands_in_the_log_or_in_what_code_shows_of_an_input(office, desk, anne):
    said = policyholder(name="欧阳无痕", healthDeclaration="慢性荨麻疹")
    for given in (
        application(policyholder={"details": said}),
        application(insured={"details": insured(name="欧阳无痕", phone="x", healthDeclaration="慢性荨麻疹")}),
        application(beneficiaries=[beneficiary(name="欧阳无痕", share="NaN")]),
    ):
        assert code(desk.as_customer(anne, "draftApplication", given)) not in ("Policy", None)
    desk.drafted(anne, insured={"details": insured(name="欧阳无痕", healthDeclaration="慢性荨麻疹")})
    log = office.log.read_text()
    assert not [word for word in ("欧阳无痕", "慢性荨麻疹", said["idNumber"], said["bankCard"]) if word in log]
    given = DraftApplicationInput(
        policyholder=PolicyholderInput(details=PersonItems(name="欧阳无痕")), sum_insured=Decimal(123456)
    )
    shown = f"{given!r} {given.policyholder!r} {given.draft()!r}"
    assert "欧阳" not in shown
    assert "123456" not in shown


def test_a_draft_that_is_sent_again_under_its_key_begins_one_application(office, desk):
    applicant, key = office.customer(), str(uuid4())
    given = application()
    first, again = (desk.as_customer(applicant, "draftApplication", given, Idempotency_Key=key) for _ in range(2))
    assert first == again
    (count,) = office.rows(
        "SELECT count(*), count(DISTINCT insured_id) FROM policy WHERE holder_id = $1", applicant.person
    )
    assert tuple(count) == (1, 1)


def test_an_agent_begins_an_application_only_for_whom_one_is_open_with_them(office, desk):
    client = office.customer()
    made = desk.drafted(client, agent="agent01")
    begin = {"productCode": PRODUCT, "policyholder": {"id": client.id}}
    assert code(desk.as_agent("draftApplication", begin)) == "Policy"
    office.execute("UPDATE policy SET status = 'EXPIRED' WHERE holder_id = $1", client.person)
    before = everything(office)
    refused = desk.as_agent("draftApplication", begin)
    assert (refused["code"], refused["reason"]) in (("WRITE_DENIED", "RELATION"), ("WRITE_DENIED", "BASIS"))
    assert everything(office) == before, "what the agent could not read, a draft of theirs does not open"
    assert row_id(made["id"])


def test_whom_a_draft_names_no_more_is_erased_unless_something_else_knows_them(office, desk):
    applicant = office.customer()
    made = desk.drafted(applicant)
    (first,) = office.rows("SELECT insured_id FROM policy WHERE id = $1", row_id(made["id"]))[0]
    given = {"id": made["id"], "insured": {"id": applicant.id}}
    assert code(desk.as_customer(applicant, "draftApplication", given)) == "Policy"
    assert office.rows("SELECT FROM data_key WHERE person_id = $1 AND wrapped IS NOT NULL", first) == []
    assert office.rows("SELECT FROM blind_index WHERE person_id = $1", first) == []
    assert office.rows("SELECT FROM data_key WHERE person_id = $1 AND wrapped IS NOT NULL", applicant.person)


def test_a_product_that_declares_nothing_of_somebody_cannot_be_applied_for(office, desk):
    office.operate("product", "add", "INS01-BARE", "--name", "光板", "--insurer", "INS01")
    applicant = office.customer()
    given = {"productCode": "INS01-BARE", "sumInsured": 5}
    made = desk.as_customer(applicant, "draftApplication", given)
    refused = desk.as_customer(applicant, "submitApplication", {"id": made["id"]})
    assert (refused["code"], refused["clause"]) == ("ITEM_MISSING", "C04")
    assert {one["field"] for one in refused["items"]} == {"policyholder.details", "insured.details"}


def test_looking_for_an_agent_or_a_phone_counts_as_an_attempt(office, tmp_path):
    applicant, other = office.customer(), office.customer()
    token = office.token("customer", user=applicant.username, purposes=["account_service"])
    drafts = "mutation($given: DraftApplicationInput!) { draftApplication(input: $given) { ... on Problem { code } } }"
    updates = "mutation($given: UpdateProfileInput!) { updateProfile(input: $given) { ... on Problem { code } } }"
    asked = [(drafts, {"productCode": PRODUCT, "agent": "nobody"}), (updates, {"phone": other.phone})] * 3
    with running_server(office.data_dir, tmp_path / "log", environment={"NEEDFUL_RATE_TOKEN": "4/minute"}) as url:
        strict = replace(office, url=f"{url}/graphql")
        answers = [
            strict.post(document, {"given": given}, token=token, purpose="account_service") for document, given in asked
        ]
    assert [one.status_code for one in answers] == [200] * 4 + [429] * 2
    told = [next(iter(one.json()["data"].values()))["code"] for one in answers[:4]]
    assert told == ["AGENT_UNKNOWN", "PHONE_TAKEN"] * 2
