"""Applications: what has to be said, what must not be, by whom and about whom (C04, C05, C07, C16, C71)."""

from uuid import uuid4

import pytest

from models.global_ids import NodeType, to_global
from resolvers.registered import house_documents
from tests.conftest import GRAPHQL
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
    named,
    policyholder,
)

WITHOUT = "Without it no insurance can be applied for; browsing products goes on."
POLICYHOLDER_ITEMS = ("name", "idNumber", "phone", "address", "bankCard", "occupation", "email")
INSURED_ITEMS = ("name", "idNumber", "phone", "healthDeclaration", "occupation")


@pytest.fixture(scope="module")
def desk(office):
    return Desk(office)


@pytest.fixture(scope="module")
def anne(office):
    return office.customer()


def without(items, left_out):
    return {item: value for item, value in items.items() if item != left_out}


@pytest.mark.parametrize("item", POLICYHOLDER_ITEMS)
def test_c04_an_application_without_one_item_of_its_policyholder_is_refused_and_names_it(office, desk, item):
    applicant = office.customer()
    made = desk.drafted(applicant, policyholder={"details": without(policyholder(), item)})
    if item == "phone":  # an account has one
        office.execute("UPDATE person SET phone_sealed = NULL WHERE id = $1", applicant.person)
    refused = desk.as_customer(applicant, "submitApplication", {"id": made["id"]})
    assert (refused["code"], refused["consequence"]) == ("ITEM_MISSING", WITHOUT)
    assert refused["items"] == [{"field": f"policyholder.details.{item}", "clause": "C04"}]
    assert desk.seen(applicant, made["id"])["status"] == "DRAFT"
    given = {"id": made["id"], "policyholder": {"details": {item: policyholder(phone=applicant.phone)[item]}}}
    assert code(desk.as_customer(applicant, "draftApplication", given)) == "Policy"
    assert desk.as_customer(applicant, "submitApplication", {"id": made["id"]})["status"] == "SUBMITTED"


@pytest.mark.parametrize("item", INSURED_ITEMS)
def test_c05_an_application_without_one_item_of_its_insured_is_refused_and_names_it(desk, anne, item):
    made = desk.drafted(anne, insured={"details": without(insured(), item)})
    refused = desk.as_customer(anne, "submitApplication", {"id": made["id"]})
    assert (refused["code"], refused["consequence"]) == ("ITEM_MISSING", WITHOUT)
    assert refused["items"] == [{"field": f"insured.details.{item}", "clause": "C05"}]
    given = {"id": made["id"], "insured": {"details": {item: insured()[item]}}}
    assert code(desk.as_customer(anne, "draftApplication", given)) == "Policy"
    assert desk.as_customer(anne, "submitApplication", {"id": made["id"]})["status"] == "SUBMITTED"


def test_c05_who_insures_themself_gives_their_health_as_the_insured_and_nowhere_else(office, desk):
    applicant = office.customer()
    healthy = {"healthDeclaration": "健康"}
    made = desk.as_customer(applicant, "draftApplication", {"productCode": PRODUCT, "sumInsured": 10_000})
    assert made["insured"]["id"] == made["policyholder"]["id"] == applicant.id
    refused = desk.as_customer(
        applicant, "draftApplication", {"id": made["id"], "policyholder": {"details": policyholder(**healthy)}}
    )
    assert (refused["code"], refused["field"]) == ("ITEM_NOT_DECLARED", "policyholder.details.healthDeclaration")
    given = {"policyholder": {"details": policyholder()}, "insured": {"id": applicant.id, "details": healthy}}
    assert code(desk.as_customer(applicant, "draftApplication", {"id": made["id"], **given})) == "Policy"
    assert desk.as_customer(applicant, "submitApplication", {"id": made["id"]})["status"] == "SUBMITTED"
    assert office.stored("User", applicant.person, owner=applicant.person)["healthDeclaration"] == "健康"


def test_c05_every_missing_item_of_everybody_is_named_at_once(office, desk):
    applicant = office.customer()
    given = {"productCode": PRODUCT, "beneficiaries": [beneficiary(phone=None, name=None)], "insured": {}}
    made = desk.as_customer(applicant, "draftApplication", given)
    refused = desk.as_customer(applicant, "submitApplication", {"id": made["id"]})
    wanted = {f"policyholder.details.{item}" for item in POLICYHOLDER_ITEMS if item != "phone"}
    wanted |= {f"insured.details.{item}" for item in INSURED_ITEMS if item != "phone"}
    assert named(refused) == wanted | {"beneficiaries.0.name", "beneficiaries.0.phone", "sumInsured"}


@pytest.mark.parametrize(
    "given,field",
    [
        ({"insured": {"details": insured(email="li@example.com")}}, "insured.details.email"),
        ({"insured": {"details": insured(bankCard=policyholder()["bankCard"])}}, "insured.details.bankCard"),
        ({"insured": {"details": insured(gender="FEMALE")}}, "insured.details.gender"),
        ({"policyholder": {"details": policyholder(gender="MALE")}}, "policyholder.details.gender"),
    ],
)
def test_c06_an_item_that_the_product_does_not_declare_is_refused_and_nothing_is_stored(
    office, desk, anne, given, field
):
    before = everything(office)
    refused = desk.as_customer(anne, "draftApplication", application(**given))
    assert (refused["code"], refused["clause"], named(refused)) == ("ITEM_NOT_DECLARED", "C06", {field})
    assert everything(office) == before


def test_c06_another_product_declares_more_and_then_it_is_needed(desk, anne):
    made = desk.drafted(anne, productCode="INS01-LIFE")
    refused = desk.as_customer(anne, "submitApplication", {"id": made["id"]})
    assert refused["items"] == [{"field": "insured.details.gender", "clause": "C06"}], "the ID tells the birth date"
    given = {"id": made["id"], "insured": {"details": {"gender": "FEMALE"}}}
    assert code(desk.as_customer(anne, "draftApplication", given)) == "Policy"
    assert code(desk.as_customer(anne, "submitApplication", {"id": made["id"]})) == "Policy"


def test_c07_who_refuses_the_items_cannot_apply_and_goes_on_browsing_products(office, desk):
    applicant = office.customer()
    made = desk.as_customer(applicant, "draftApplication", {"productCode": PRODUCT})
    refused = desk.as_customer(applicant, "submitApplication", {"id": made["id"]})
    assert (refused["code"], refused["consequence"]) == ("ITEM_MISSING", WITHOUT)
    assert desk.seen(applicant, made["id"])["status"] == "DRAFT", "what there is of it is kept"
    browsed = desk.read("{ products(first: 50) { edges { node { code } } } }", None, applicant.token)
    assert PRODUCT in {edge["node"]["code"] for edge in browsed["products"]["edges"]}
    found = next(found for found, text in house_documents().items() if "products(" in text)
    anonymous = office.client.post(office.url, json={"documentId": f"sha256:{found}"}, headers={"Accept": GRAPHQL})
    assert anonymous.json()["data"]["products"]["edges"]


def test_c16_a_missing_or_unknown_purpose_is_refused_before_anything_is_written(office, anne):
    document = "mutation($input: DraftApplicationInput!) { draftApplication(input: $input) { __typename } }"
    before = everything(office)
    for purpose, wanted in ((None, "PURPOSE_REQUIRED"), ("shopping", "PURPOSE_NOT_ALLOWED")):
        answer = office.post(document, {"input": application()}, token=anne.token, purpose=purpose)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (403, wanted)
    assert everything(office) == before


@pytest.mark.parametrize("purpose", ["rights_request", "claim_handling", "policy_service"])
def test_c16_an_application_is_not_drafted_for_the_purpose_of_another_function(office, anne, purpose):
    token = office.token("customer", user=anne.username, purposes=["account_service", purpose])
    before = everything(office)
    refused = office.write("draftApplication", application(), token=token, purpose=purpose)
    assert (refused["code"], refused["reason"]) == ("WRITE_DENIED", "PURPOSE")
    assert everything(office) == before


def test_c71_a_minor_cannot_apply_and_nothing_is_collected_of_them(office, desk):
    child = office.customer()
    office.know(child.person, birthDate=CHILD.isoformat())
    before = everything(office)
    for given in (application(), {"productCode": PRODUCT}, application(policyholder={"details": policyholder()})):
        refused = desk.as_customer(child, "draftApplication", given)
        assert (refused["code"], refused["clause"]) == ("MINOR_NEEDS_GUARDIAN", "C71")
    assert everything(office) == before, "an adult's ID number does not make a minor an adult either"


@pytest.mark.parametrize("details", [{"idNumber": id_number(CHILD)}, {"birthDate": CHILD.isoformat()}])
@pytest.mark.parametrize("side", ["policyholder", "insured"])
def test_c71_an_age_that_tells_of_a_minor_refuses_the_whole_draft(office, desk, side, details):
    applicant = office.customer()
    before = everything(office)
    refused = desk.as_customer(applicant, "draftApplication", application(**{side: {"details": details}}))
    assert (refused["code"], refused["field"]) == ("MINOR_NEEDS_GUARDIAN", side)
    assert everything(office) == before


def test_c71_what_a_guardian_does_for_the_ward_is_consent_to_that_and_to_nothing_more(office, desk):
    child = office.customer()
    office.know(child.person, birthDate=CHILD.isoformat())
    guardian = office.guardian(child.person)
    given = application(policyholder={"id": child.id, "details": policyholder(idNumber=id_number(CHILD))})
    made = desk.as_customer(guardian, "draftApplication", given)
    assert made["policyholder"]["id"] == child.id
    for write, input_ in (("submitApplication", {"id": made["id"]}), ("draftApplication", {"productCode": PRODUCT})):
        assert code(desk.as_customer(child, write, input_)) == "MINOR_NEEDS_GUARDIAN"
    assert desk.as_customer(guardian, "submitApplication", {"id": made["id"]})["status"] == "SUBMITTED"
    assert office.rows("SELECT FROM consent WHERE person_id = $1", child.person) == []


def test_c71_a_minor_applies_alone_only_while_a_guardians_consent_stands(office, desk):
    child = office.customer()
    office.know(child.person, birthDate=CHILD.isoformat())
    office.agree(office.guardian(child.person), child.person, "application")
    given = application(policyholder={"details": policyholder(idNumber=id_number(CHILD))})
    made = desk.as_customer(child, "draftApplication", given)
    office.execute("UPDATE consent SET withdrawn_at = now() WHERE person_id = $1", child.person)
    refused = desk.as_customer(child, "submitApplication", {"id": made["id"]})
    assert (refused["code"], refused["clause"]) == ("MINOR_NEEDS_GUARDIAN", "C71")
    office.execute("UPDATE consent SET withdrawn_at = NULL WHERE person_id = $1", child.person)
    assert code(desk.as_customer(child, "submitApplication", {"id": made["id"]})) == "Policy"


def test_c71_a_minor_with_a_guardians_consent_comes_of_age_by_nothing_that_is_said(office, desk):
    child = office.customer()
    office.know(child.person, birthDate=CHILD.isoformat())
    office.agree(office.guardian(child.person), child.person, "application")
    given = application(policyholder={"details": policyholder(idNumber=id_number(CHILD))})
    made = desk.as_customer(child, "draftApplication", given)
    older = {"id": made["id"], "policyholder": {"details": {"birthDate": "1990-02-03"}}}
    refused = desk.as_customer(child, "draftApplication", older)
    assert (refused["code"], refused["field"]) == ("ITEM_INVALID", "policyholder.details.birthDate")


@pytest.mark.parametrize("write", ["withdrawApplication", "setBeneficiaries"])
def test_c71_a_minor_disposes_of_nothing_alone(office, desk, write):
    child = office.customer()
    guardian = office.guardian(child.person)
    office.know(child.person, birthDate=CHILD.isoformat())
    made = desk.as_customer(guardian, "draftApplication", {"productCode": PRODUCT, "policyholder": {"id": child.id}})
    given = {"id": made["id"], **({"beneficiaries": []} if write == "setBeneficiaries" else {})}
    assert code(desk.as_customer(child, write, given)) == "MINOR_NEEDS_GUARDIAN"
    assert code(desk.as_customer(guardian, write, given)) == "Policy"


def test_c71_whose_link_is_not_verified_is_no_guardian(office, desk):
    child = office.customer()
    office.know(child.person, birthDate=CHILD.isoformat())
    stranger = office.guardian(child.person, verified=False)
    refused = desk.as_customer(stranger, "draftApplication", application(policyholder={"id": child.id}))
    unknown = to_global(NodeType.USER, uuid4())
    assert refused == desk.as_customer(stranger, "draftApplication", application(policyholder={"id": unknown}))
    assert refused["code"] == "NOT_FOUND"


def test_c71_an_agents_tie_does_not_replace_a_guardians_consent(office, desk):
    child = office.customer()
    office.know(child.person, birthDate=CHILD.isoformat())
    guardian = office.guardian(child.person)
    given = {"productCode": PRODUCT, "agent": "agent01", "policyholder": {"id": child.id}}
    made = desk.as_customer(guardian, "draftApplication", given)
    refused = desk.as_agent("draftApplication", {"id": made["id"], "sumInsured": 100})
    assert refused["code"] == "MINOR_NEEDS_GUARDIAN"


def test_c71_a_parent_with_a_verified_link_insures_their_child_and_nobody_else_does(office, desk):
    child, stranger = office.customer(), office.customer()
    office.know(child.person, birthDate=CHILD.isoformat())
    parent = office.guardian(child.person)
    token = office.token("customer", user=parent.username, purposes=["account_service"])
    given = application(insured={"id": child.id, "details": insured(idNumber=id_number(CHILD), phone=None)})
    made = office.write("draftApplication", given, token=token, purpose="account_service", show="... on Policy { id }")
    assert code(made) == "Policy"
    submitted = office.write("submitApplication", {"id": made["id"]}, token=token, purpose="account_service")
    assert code(submitted) == "Policy"
    given = {**given, "policyholder": {"details": policyholder()}}
    assert code(desk.as_customer(stranger, "draftApplication", given)) == "NOT_FOUND"


def test_c71_an_unknown_age_is_asked_for_before_anything_is_submitted(office, desk):
    applicant = office.customer()
    abroad = policyholder(idType="PASSPORT", idNumber="E12345678")
    made = desk.drafted(applicant, policyholder={"details": abroad})
    refused = desk.as_customer(applicant, "submitApplication", {"id": made["id"]})
    assert (refused["code"], refused["clause"]) == ("AGE_UNKNOWN", "C71")
    given = {"id": made["id"], "policyholder": {"details": {"birthDate": "1990-02-03"}}}
    assert code(desk.as_customer(applicant, "draftApplication", given)) == "Policy"
    assert code(desk.as_customer(applicant, "submitApplication", {"id": made["id"]})) == "Policy"


@pytest.mark.parametrize(
    "given",
    [
        {"insured": {"details": insured(healthDeclaration="健康。银行卡安全码 123")}},
        {"insured": {"details": insured(healthDeclaration="ok, my CVV: 4 5 6")}},
        {"insured": {"details": insured(occupation="卡密码 123456")}},
        {"policyholder": {"details": policyholder(address="北京市 信用卡有效期 08/29")}},
        {"policyholder": {"details": policyholder(name="密码是 888888")}},
        {"policyholder": {"details": policyholder(occupation="card security code 123")}},
        {"beneficiaries": [beneficiary(name="cvv 123")]},
    ],
)
def test_a_secret_of_a_bank_card_is_refused_wherever_it_stands_and_nothing_is_stored(office, desk, anne, given):
    before = everything(office)
    refused = desk.as_customer(anne, "draftApplication", application(**given))
    assert (refused["code"], refused["consequence"]) == ("NEVER_COLLECTED", "Nothing was stored.")
    assert everything(office) == before
