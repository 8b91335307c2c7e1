"""Disclosure cases: eight exceptions, two officers, a scope and an end; persons who decide (C25, C31-C34, C42-C45)."""

import asyncio
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest

from models.database import connect_once
from models.disclosures import LawfulException
from models.vocabulary import BlindColumn
from privacy.bundles import BundleName
from tests.privacy.disclosing import DOCUMENT, Disclosing, in_days, row_of
from tests.privacy.world import office_of, partner, token_of
from vault.blind import blind


@pytest.fixture(scope="module")
def desk(_bundled) -> Disclosing:
    return Disclosing(office_of(_bundled(BundleName.SEED).server))


@pytest.fixture(scope="module")
def person(desk):
    return desk.person()


def code(answer):
    return answer.get("code"), answer.get("field")


def test_c25_the_exceptions_are_the_eight_of_the_policy_and_no_other(desk, person):
    assert [one.clause for one in LawfulException] == [f"三{number}" for number in range(1, 9)]
    token, given = desk.token(), {"kind": "AUTHORITY", "users": [person.id], "expiresAt": in_days(1)}
    document = "mutation($input: OpenDisclosureCaseInput!) { openDisclosureCase(input: $input) { __typename } }"
    variables = {"input": {**given, "exception": "CURIOSITY"}}
    answer = desk.office.post(document, variables, token=token, purpose="administration").json()
    assert "data" not in answer or answer["data"] is None
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    with pytest.raises(asyncpg.CheckViolationError):
        desk.office.execute("UPDATE disclosure_case SET exception = 'CURIOSITY'")


def test_c25_without_evidence_it_is_blocked_and_everything_that_is_missing_is_named(desk, person):
    refused = desk.open(person, document=None, exception=None, authority=None, categories=[])
    assert code(refused)[0] == "ITEM_MISSING"
    assert {one["field"] for one in refused["items"]} == {"document", "exception", "authority", "categories"}
    assert desk.read(person) is None


@pytest.mark.parametrize("days", [-1, 0, 366, 36_500])
def test_c25_a_case_ends_within_a_year_and_not_before_it_begins(desk, person, days):
    assert code(desk.open(person, expiresAt=in_days(days))) == ("EXPIRY_INVALID", "expiresAt")


def test_c25_nobody_approves_their_own_case_and_a_rejected_one_opens_nothing(desk, person):
    case = desk.open(person)
    assert desk.read(person) is None, "nobody has approved it"
    assert code(desk.review(case, place=0))[0] == "OWN_CASE", "by another token of the same officer"
    with pytest.raises(asyncpg.CheckViolationError):
        desk.office.execute(
            "UPDATE disclosure_case SET approved_by_id = opened_by_id, approved_at = now() WHERE id = $1", row_of(case)
        )
    assert desk.review(case, "REJECTED")["state"] == "REJECTED"
    assert code(desk.review(case))[0] == "CASE_STATE", "a verdict stands"
    assert desk.read(person) is None


def test_c25_after_its_end_and_after_it_is_closed_the_next_read_is_denied(desk, person):
    case = desk.approved(person)
    assert desk.read(person) == {"name"}
    moved = "UPDATE disclosure_case SET opened_at = opened_at - interval '40 days', expires_at = now() WHERE id = $1"
    desk.office.execute(moved, row_of(case))
    assert desk.read(person) is None
    case = desk.approved(person)
    assert desk.read(person) == {"name"}
    assert desk.write("closeDisclosureCase", {"id": case["id"]})["state"] == "CLOSED"
    assert desk.read(person) is None


def test_c25_reads_that_race_with_closing_are_whole_or_nothing_and_none_after_it_sees_anything(desk, person):
    case = desk.approved(person, categories=["NAME", "ADDRESS"])
    with ThreadPoolExecutor(5) as pool:
        reads = [pool.submit(desk.read, person) for _ in range(8)]
        closed = pool.submit(desk.write, "closeDisclosureCase", {"id": case["id"]})
        assert closed.result()["state"] == "CLOSED"
        after = desk.read(person)
    assert after is None
    assert {frozenset(one.result() or ()) for one in reads} <= {frozenset(), frozenset({"name", "address"})}


def test_c33_the_scope_is_the_cases_another_person_or_category_is_denied(desk, person):
    other = desk.person()
    case = desk.approved(person, categories=["NAME", "HEALTH"])
    assert desk.read(person) == {"name", "healthDeclaration"}
    assert desk.read(other) is None
    assert desk.read(person, place=1) is None, "the reviewer has it not in hand"
    to = {"id": case["id"], "officer": desk.officers[1][1]}
    assert desk.write("assignDisclosureCase", to)["state"] == "APPROVED"
    assert (desk.read(person), desk.read(person, place=1)) == (None, {"name", "healthDeclaration"})
    desk.write("closeDisclosureCase", {"id": case["id"]})


def test_c33_nobody_is_added_and_nothing_is_widened_once_a_case_is_approved(desk, person):
    approved, other = desk.approved(person), desk.person()
    case = row_of(approved)

    async def attempt(statement, *values):
        connection = await connect_once(desk.office.database.application)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()

    add = "INSERT INTO disclosure_person (id, case_id, person_id) VALUES (gen_random_uuid(), $1, $2)"
    with pytest.raises(asyncpg.CheckViolationError, match="decided"):
        asyncio.run(attempt(add, case, other.person))
    for column, value in (("categories", "-1"), ("expires_at", "now()"), ("opened_by_id", "NULL"), ("kind", "kind")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            asyncio.run(attempt(f"UPDATE disclosure_case SET {column} = {value} WHERE id = $1", case))  # noqa: S608
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        asyncio.run(attempt("UPDATE disclosure_person SET person_id = $2 WHERE case_id = $1", case, other.person))
    desk.write("closeDisclosureCase", {"id": approved["id"]})


def test_c33_only_officers_open_cases_an_insurer_cannot_name_itself(desk, person):
    new = partner(desk.office, "insurer")
    given = {"kind": "TRANSFER", "users": [person.id], "categories": ["NAME"], "basis": "LAW", "recipient": new}
    given["expiresAt"] = in_days(1)
    for token, purpose in (
        (token_of(desk.office, "insurer", new, "claim_handling"), "claim_handling"),
        (person.token, "account_service"),
        (desk.office.token("security_admin", purposes=["administration"]), "administration"),
    ):
        found = desk.office.write("openDisclosureCase", given, token=token, purpose=purpose)
        assert (found["code"], found["reason"]) == ("WRITE_DENIED", "ROLE")


def test_c34_protection_is_justified_and_lasts_a_month_at_most(desk, person):
    urgent = {"kind": "PROTECTION", "exception": "VITAL_INTERESTS", "document": None, "authority": "急救中心"}
    assert code(desk.open(person, **urgent)) == ("ITEM_MISSING", "justification")
    urgent["justification"] = "本人昏迷,无法取得同意"
    assert code(desk.open(person, **urgent, expiresAt=in_days(31))) == ("EXPIRY_INVALID", "expiresAt")
    case = desk.approved(person, **urgent, categories=["HEALTH"], expiresAt=in_days(3))
    assert desk.read(person) == {"healthDeclaration"}
    desk.office.execute(
        "UPDATE disclosure_case SET opened_at = opened_at - interval '3 days', expires_at = now() WHERE id = $1",
        row_of(case),
    )
    assert desk.read(person) is None


def test_c42_data_are_handed_over_by_consent_law_or_agreement_only(desk, person):
    to = desk.organization()
    transfer = {"kind": "TRANSFER", "recipient": to, "authority": None, "exception": None, "document": None}
    assert code(desk.open(person, **transfer)) == ("ITEM_MISSING", "basis")
    statute = {**DOCUMENT, "kind": "STATUTE"}
    by_law = {**transfer, "basis": "LAW", "exception": "OTHER_LAW", "justification": "保险法第一百零六条"}
    assert code(desk.open(person, **by_law)) == ("ITEM_MISSING", "document")
    agreement = {**DOCUMENT, "kind": "AGREEMENT"}
    assert code(desk.open(person, **{**by_law, "document": agreement})) == ("ITEM_INVALID", "document.kind")
    for lawful in ({**by_law, "document": statute}, {**transfer, "basis": "AGREEMENT", "document": agreement}):
        case = desk.approved(person, **lawful)
        assert desk.read(person) == {"name"}
        desk.write("closeDisclosureCase", {"id": case["id"]})
    case = desk.approved(person, **transfer, basis="CONSENT")
    assert desk.read(person) is None, "nobody has agreed"
    assert desk.choose(person, "agreeToTransfer", recipient=to, categories=["NAME", "PHONE"]).get("id")
    assert desk.read(person) == {"name"}
    assert desk.choose(person, "agreeToTransfer", recipient=to, categories=[]).get("id")
    assert desk.read(person) is None
    desk.write("closeDisclosureCase", {"id": case["id"]})


def test_c43_an_unbound_successor_gets_only_whoever_agreed_anew_and_the_others_stay_frozen(desk):
    one, other, to = desk.person(), desk.person(), desk.organization()
    refused = desk.choose(one, "agreeToTransfer", recipient=to, categories=["NAME"])
    assert code(refused) == ("RECIPIENT_UNKNOWN", "recipient"), "nobody asks yet: agreement beforehand is none"
    desk.office.execute(
        "INSERT INTO disclosure_choice (id, person_id, receiver_id, categories, chosen_by, chosen_at)"
        " SELECT gen_random_uuid(), $1, id, 1, $1, now() - interval '1 day' FROM organization WHERE code = $2",
        *(other.person, to),
    )
    merger = {"kind": "MERGER", "recipient": to, "authority": None, "exception": None}
    merger["document"] = {**DOCUMENT, "kind": "AGREEMENT"}
    merger["categories"] = ["NAME", "ADDRESS"]
    case = desk.approved(one, other, **merger)
    assert (desk.read(one), desk.read(other)) == (None, None), "what was said before the case is stale"
    assert desk.choose(one, "agreeToTransfer", recipient=to, categories=["NAME"]).get("id")
    assert (desk.read(one), desk.read(other)) == ({"name"}, None)
    asks = "{ recipients { organization { code } categories } }"
    assert desk.own(one, asks)["recipients"] == [{"organization": {"code": to}, "categories": ["NAME"]}]
    assert desk.own(other, asks)["recipients"] == [], "nothing of who stays frozen goes to anybody"
    query = "query($id: ID!) { disclosureCases(id: $id) { persons frozen undertaking } }"
    answer = desk.office.post(query, {"id": case["id"]}, token=desk.token(), purpose="administration").json()
    assert answer["data"]["disclosureCases"] == [{"persons": 2, "frozen": 1, "undertaking": None}]
    desk.write("closeDisclosureCase", {"id": case["id"]})
    bound = desk.approved(one, other, **merger, undertaking="承诺书〔2026〕3号")
    assert (desk.read(one), desk.read(other)) == ({"name", "address"}, {"name", "address"})
    desk.write("closeDisclosureCase", {"id": bound["id"]})


def test_c44_only_the_items_and_the_manner_that_the_person_chose_are_made_public(desk, person):
    public = {"kind": "PUBLIC", "exception": None, "document": None, "authority": None, "categories": []}
    asked = {**public, "manner": "PRESS", "items": ["NAME", "GENDER"]}
    assert code(desk.open(person, **asked)) == ("ITEM_NOT_CHOSEN", "items")
    assert desk.choose(person, "choosePublicDisclosure", manner="PRESS", items=["NAME", "GENDER", "NICKNAME"])["id"]
    assert code(desk.open(person, **{**asked, "manner": "WEBSITE"})) == ("ITEM_NOT_CHOSEN", "items")
    assert code(desk.open(person, **{**asked, "items": ["NAME", "BIRTH_DATE"]})) == ("ITEM_NOT_CHOSEN", "items")
    case = desk.approved(person, **asked)
    assert desk.read(person) == {"name", "gender"}, "not the birth date, which is of the same category"
    assert desk.choose(person, "choosePublicDisclosure", manner="PRESS", items=["GENDER"])["id"]
    assert desk.read(person) == {"gender"}, "they think again"
    chosen = desk.own(person, "{ disclosureChoices { manner items recipient } }")["disclosureChoices"]
    assert chosen == [{"manner": "PRESS", "items": ["GENDER"], "recipient": None}]
    assert desk.choose(person, "choosePublicDisclosure", manner="PRESS", items=[])["id"]
    assert desk.read(person) is None
    desk.write("closeDisclosureCase", {"id": case["id"]})


@pytest.mark.parametrize("kind", ["STATUTE", "AGREEMENT"])
def test_c45_an_authority_shows_a_legal_document(desk, person, kind):
    assert code(desk.open(person, document=None)) == ("ITEM_MISSING", "document")
    assert code(desk.open(person, document={**DOCUMENT, "kind": kind})) == ("ITEM_INVALID", "document.kind")


def test_c45_an_officer_opens_a_case_by_the_number_of_a_letter_which_is_kept_nowhere(desk):
    person, number = desk.person(), f"44010119800101{secrets.randbelow(9000) + 1000}"
    index = 'INSERT INTO blind_index ("column", digest, person_id) VALUES ($1, $2, $3)'
    digest = blind(desk.office.keyring, "id_number", number)
    place = int(BlindColumn.ID_NUMBER)
    desk.office.execute(index, place, digest, person.person)
    spaced = f"{number[:6]} {number[6:]}"
    case = desk.open(users=None, idNumbers=[spaced, number])
    assert (case["state"], case["persons"]) == ("PROPOSED", 1)
    assert desk.read(person) is None
    assert desk.review(case)["state"] == "APPROVED"
    assert desk.read(person) == {"name"}
    desk.write("closeDisclosureCase", {"id": case["id"]})
    both = desk.open(person, idNumbers=[number])
    assert both["persons"] == 1, "named twice, meant once"
    nobodys = desk.open(users=None, idNumbers=[number, "440101198001010000"])
    assert code(nobodys) == ("PERSON_UNKNOWN", "idNumbers")
    desk.office.execute(index, place, digest, desk.person().person)
    assert code(desk.open(users=None, idNumbers=[number])) == ("PERSON_UNKNOWN", "idNumbers"), "whose of the two is it?"
    assert code(desk.open(users=None, idNumbers=[""])) == ("ITEM_INVALID", "idNumbers")
    assert code(desk.open(users=None)) == ("ITEM_MISSING", "users")
    document = "mutation($input: OpenDisclosureCaseInput!) { openDisclosureCase(input: $input) { __typename } }"
    wrong = {"kind": "AUTHORITY", "expiresAt": in_days(1), "idNumbers": [int(number)]}
    answer = desk.office.post(document, {"input": wrong}, token=desk.token(), purpose="administration")
    assert answer.json()["errors"]
    assert number not in answer.text
    assert number not in desk.office.log.read_text()
    stored = "SELECT count(*) FROM ledger_sealed WHERE body LIKE $1"
    assert desk.office.rows(stored, f"%{number}%")[0][0] == 0
    cases = desk.office.rows("SELECT d::text FROM disclosure_case d")
    assert not any(number in row[0] for row in cases)


def test_c45_nobody_but_an_officer_looks_anybody_up_by_the_number_of_a_letter(desk, person):
    given = {"kind": "AUTHORITY", "expiresAt": in_days(1), "idNumbers": ["110101199003078515"]}
    for token, purpose in (
        (person.token, "account_service"),
        (desk.office.token("auditor", purposes=["administration"]), "administration"),
        (desk.token(purpose="regulatory_disclosure"), "regulatory_disclosure"),
    ):
        assert desk.office.write("openDisclosureCase", given, token=token, purpose=purpose)["code"] == "WRITE_DENIED"


def test_c45_what_left_under_a_case_is_counted_of_whom(desk):
    person = desk.person()
    case = desk.approved(person, categories=["NAME", "ADDRESS"])
    row = str(row_of(case))
    for _ in range(2):
        assert desk.read(person) == {"name", "address"}

    def report():
        return desk.office.operate("disclosures", "report", row)

    found = until(report, lambda one: one["answers"] == 2)
    assert [sorted(names) for names in found["persons"].values()] == [["User.address", "User.name"]]
    query = "query($id: ID!) { disclosureCases(id: $id) { clause disclosed { persons answers coordinates } } }"
    answer = desk.office.post(query, {"id": case["id"]}, token=desk.token(), purpose="administration").json()
    disclosed = {"persons": 1, "answers": 2, "coordinates": ["User.address", "User.name"]}
    assert answer["data"]["disclosureCases"] == [{"clause": "三3", "disclosed": disclosed}]
    shown = desk.office.operate("disclosures", "show", row)
    assert (shown["state"], shown["document"], shown["categories"]) == (
        *("APPROVED", DOCUMENT["reference"], ["name", "address"]),
    )
    assert row in {one["case"] for one in desk.office.operate("disclosures", "list")}
    desk.write("closeDisclosureCase", {"id": case["id"]})


def until(ask, fits, attempts=60):
    """What is answered once it fits: rows are sealed within a second or two."""
    for _ in range(attempts):
        found = ask()
        if fits(found):
            return found
        time.sleep(0.1)
    return found
