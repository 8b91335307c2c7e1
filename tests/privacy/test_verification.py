"""Verification with third parties: the person's consent, a named source and a case id, or nothing (C11)."""

import asyncio

import orjson
import pytest

from models.cases import Aspect
from models.database import connect_once
from models.global_ids import NodeType, to_global
from models.vocabulary import Category
from privacy.verification import NEEDED, covers
from tests.privacy.guarding import Guarded
from tests.privacy.verifying import PLAIN, SENSITIVE, Matter

EVERYTHING = {"name", "idNumber", "phone", "bankCard", "healthDeclaration"}
CASES = (
    "{ verificationCases(first: 100)"
    " { id user claim policy aspects source live results { aspect outcome note } withheld } }"
)
PROVIDERS = "SELECT code FROM organization WHERE kind = 'SERVICE_PROVIDER' ORDER BY code"


@pytest.fixture
def matter(bundled):
    return Matter.of(Guarded(bundled))


def apart(matter):
    return bool(matter.guarded.bundle.consent.apart)


def provider(matter):
    """The code of a service provider."""
    return matter.guarded.office.rows(PROVIDERS)[0][0]


def refusals(matter, code):
    statement = "SELECT body FROM ledger WHERE body LIKE $1 AND body LIKE '%openVerification%' ORDER BY at DESC"
    return [row[0] for row in matter.guarded.office.rows(statement, f'%"{code}"%')]


def test_c11_without_consent_no_case_is_opened_and_the_refusal_is_on_the_audit_log(matter):
    before = len(refusals(matter, "CONSENT_REQUIRED"))
    found = matter.open()
    assert (found["code"], found["clause"]) == ("CONSENT_REQUIRED", "C11")
    assert len(refusals(matter, "CONSENT_REQUIRED")) == before + 1
    assert matter.read() is None


def test_c11_with_consent_source_and_case_the_analyst_reads_what_it_covers_and_nothing_else(matter):
    matter.consent(PLAIN | SENSITIVE)
    found = matter.open(aspects=["IDENTITY", "HEALTH"] if not apart(matter) else ["IDENTITY"])
    assert found["live"] is True
    # Under the PIPL a consent to more opens nothing sensitive: that is agreed to by itself.
    sensitive = set() if apart(matter) else {"idNumber", "healthDeclaration"}
    assert matter.read() == {"name", "phone"} | sensitive, "and no account: the case is not about assets"
    assert matter.record(found["id"])["live"] is True


def test_c11_sensitive_categories_have_a_case_and_a_consent_of_their_own_where_they_stand_apart(matter):
    plain, sensitive = (to_global(NodeType.CONSENT, matter.consent(each)) for each in (PLAIN, SENSITIVE))
    first = matter.open(consent=plain)
    if not apart(matter):
        assert first["code"] == "CONSENT_REQUIRED", "no consent covers all of the aspect"
        return
    assert matter.read() == {"name", "phone"}
    second = matter.open(consent=sensitive, aspects=["IDENTITY", "ASSETS", "HEALTH"])
    assert second["live"] is True
    assert matter.read() == EVERYTHING


@pytest.mark.parametrize("aspect", list(Aspect))
def test_c11_a_consent_covers_an_aspect_whole_or_where_some_stand_apart_one_part_of_it(aspect):
    needed = NEEDED[aspect]
    sensitive = sum(
        one.bit for one in (Category.GOVERNMENT_ID, Category.BANK_ACCOUNT, Category.HEALTH, Category.FINANCIAL)
    )
    assert covers([aspect], needed, apart=0)
    for bit in (one.bit for one in Category):
        assert covers([aspect], needed & ~bit, apart=0) is not bool(needed & bit)
    assert covers([aspect], needed & sensitive, apart=sensitive)
    assert covers([aspect], needed | Category.NAME.bit, apart=sensitive) is bool(needed & ~sensitive)
    assert not covers([aspect], 0, apart=sensitive)


@pytest.mark.parametrize(
    "wrong", ["withdrawn", "expired", "other purpose", "other recipient", "too little", "of another"]
)
def test_c11_a_consent_that_does_not_fit_is_none(matter, wrong):
    categories = {Category.EMAIL} if wrong == "too little" else PLAIN | SENSITIVE
    recipient = provider(matter) if wrong == "other recipient" else None
    purpose = "application" if wrong == "other purpose" else "verification"
    consent = matter.consent(categories, recipient, purpose=purpose)
    column = {"withdrawn": "withdrawn_at", "expired": "expires_at"}.get(wrong)
    if column:
        matter.guarded.office.execute(f"UPDATE consent SET {column} = now() WHERE id = $1", consent)  # noqa: S608
    if wrong == "of another":
        other = Matter.of(matter.guarded).consent(PLAIN | SENSITIVE)
        matter.guarded.office.execute("UPDATE consent SET withdrawn_at = now() WHERE id = $1", consent)
        consent = other
    found = matter.open(consent=to_global(NodeType.CONSENT, consent))
    assert found["code"] == "CONSENT_REQUIRED"
    assert matter.read() is None


def test_c11_a_withdrawal_in_the_middle_ends_reading_and_recording_at_once(matter):
    consent = matter.consent(PLAIN | SENSITIVE)
    case = matter.open()["id"]
    assert "name" in matter.read()
    matter.guarded.office.execute("UPDATE consent SET withdrawn_at = now() WHERE id = $1", consent)
    assert matter.read() == set()
    assert matter.record(case)["code"] == "CONSENT_REQUIRED"


@pytest.mark.parametrize("role", ["risk_analyst", "claims_handler"])
def test_c11_a_closed_case_opens_nothing_and_takes_nothing(matter, role):
    matter.consent(PLAIN | SENSITIVE)
    case = matter.open()["id"]
    assert matter.close(case, role)["live"] is False
    assert not matter.read()
    assert matter.record(case)["code"] in ("NOT_FOUND", "CASE_CLOSED")
    assert matter.close(case, "claims_handler")["code"] == "CASE_CLOSED"


def test_c11_what_is_recorded_is_of_the_source_and_the_aspects_that_the_case_names(matter):
    matter.consent(PLAIN | SENSITIVE)
    case = matter.open()["id"]
    found = matter.record(case, source={"name": "另一家机构"})
    assert (found["code"], found["field"]) == ("SOURCE_DIFFERS", "source")
    assert matter.record(case, source={"organization": provider(matter)})["code"] == "SOURCE_DIFFERS"
    assert matter.record(case, source={"organization": "NOBODY"})["code"] == "SOURCE_UNKNOWN"
    assert matter.record(case, source={})["code"] == "ITEM_INVALID"
    assert matter.record(case, aspect="HEALTH")["code"] == "ITEM_INVALID"
    for note in ("身份证 11010519491231002X", "电话 138 1234 5678", "CVV 123 卡"):
        assert matter.record(case, note=note)["code"] in ("ITEM_INVALID", "NEVER_COLLECTED")
    assert matter.record(case, note="回函 2026-17")["live"] is True
    for role in ("claims_handler", "risk_analyst"):
        token, purpose = matter.token(role)
        answer = matter.guarded.office.post(CASES, token=token, purpose=purpose).json()["data"]["verificationCases"]
        (row,) = [one for one in answer if one["id"] == case]
        assert row["results"] == [{"aspect": "IDENTITY", "outcome": "CONFIRMED", "note": "回函 2026-17"}]
        assert (row["source"], row["user"], row["live"]) == ("市公安局户政处", matter.person.id, True)


def listed(matter, case, role="claims_handler", **narrowed):
    """A case as somebody's list has it; None where it has it not."""
    token, purpose = matter.token(role, **narrowed)
    answer = matter.guarded.office.post(CASES, token=token, purpose=purpose).json()["data"]["verificationCases"]
    return next((one for one in answer if one["id"] == case), None)


@pytest.mark.parametrize("role", ["claims_handler", "broker_agent"])
def test_c11_whoever_opened_a_case_reads_its_results_while_the_matter_is_theirs_and_the_consent_stands(matter, role):
    office, consent = matter.guarded.office, matter.consent(SENSITIVE)
    case = matter.open(role, aspects=["HEALTH"])["id"]
    assert matter.record(case, aspect="HEALTH", outcome="CONTRADICTED", note="回函 3")["live"] is True
    said = {"aspect": "HEALTH", "outcome": "CONTRADICTED", "note": "回函 3"}
    row = listed(matter, case, role)
    assert (row["results"], row["withheld"]) == ([said], None)
    for categories in (["name"], ["name", "government_id", "phone"]):
        row = listed(matter, case, role, categories=categories)
        assert (row["results"], row["withheld"], row["live"]) == ([], "TOKEN_SCOPE", True)
    assert listed(matter, case, role, categories=["health"])["results"] == [said]
    office.execute("UPDATE consent SET withdrawn_at = now() WHERE id = $1", consent)
    for whoever in (role, "risk_analyst"):
        row = listed(matter, case, whoever)
        assert (row["results"], row["withheld"], row["live"]) == ([], "BASIS", False)
    office.execute("UPDATE consent SET withdrawn_at = NULL WHERE id = $1", consent)
    assert listed(matter, case, role)["results"] == [said]
    column, row = ("claim_id", matter.claim) if role == "claims_handler" else ("policy_id", matter.policy)
    office.execute(f"UPDATE assignment SET ended_at = now() WHERE {column} = $1", row)  # noqa: S608 - our own names
    assert listed(matter, case, role) is None, "whoever handles the matter no more has none of its cases"
    assert listed(matter, case, "risk_analyst")["results"] == [said]


def test_c11_a_case_is_opened_while_somebody_holds_another_consent_of_the_person(matter):
    first, latest = sorted(matter.consent(PLAIN | SENSITIVE) for _ in range(2))
    at = "UPDATE consent SET granted_at = now() - $2 * interval '1 minute' WHERE id = $1"
    matter.guarded.office.execute(at, first, 2)
    matter.guarded.office.execute(at, latest, 1)

    async def both():
        owner = await connect_once(matter.guarded.office.database.owner)
        hold = "SELECT FROM consent WHERE id = $1 FOR NO KEY UPDATE"
        try:
            # As whoever gives a consent: those there are, in the order of their ids.
            async with owner.transaction():
                await owner.execute(hold, first)
                opening = asyncio.create_task(asyncio.to_thread(matter.open))
                await asyncio.wait([opening], timeout=1)
                await owner.execute(hold, latest)
            return await opening
        finally:
            await owner.close()

    assert asyncio.run(both())["live"] is True


def persons_in(matter, field):
    """Of whom the ledger's rows about a root field tell, with the code each ended with; the first before all."""
    statement = "SELECT body FROM ledger WHERE body LIKE $1 ORDER BY at"
    rows = [orjson.loads(row[0]) for row in matter.guarded.office.rows(statement, f'%"{field}"%')]
    (number,) = matter.guarded.office.rows(
        "SELECT reference FROM person_reference WHERE person_id = $1", matter.person.person
    )[0]
    return [row.get("code") for row in rows if number in row.get("persons", ())]


def test_c11_every_row_of_the_ledger_about_a_case_names_its_person(matter):
    assert matter.open()["code"] == "CONSENT_REQUIRED"
    assert matter.open(assignee={"analyst": "nobody"})["code"] == "ASSIGNEE_UNKNOWN"
    consent = matter.consent(PLAIN | SENSITIVE)
    case = matter.open()["id"]
    assert persons_in(matter, "Mutation.openVerification") == ["CONSENT_REQUIRED", "ASSIGNEE_UNKNOWN", None]
    matter.record(case)
    matter.guarded.office.execute("UPDATE consent SET withdrawn_at = now() WHERE id = $1", consent)
    matter.record(case)
    assert persons_in(matter, "Mutation.recordVerification") == [None, "CONSENT_REQUIRED"]
    assert listed(matter, case)["live"] is False
    assert persons_in(matter, "Query.verificationCases")
    matter.close(case, "claims_handler")
    matter.close(case, "claims_handler")
    assert persons_in(matter, "Mutation.closeVerification") == [None, "CASE_CLOSED"]


def test_c11_results_are_never_changed(matter):
    office = matter.guarded.office
    for privilege in ("UPDATE", "DELETE"):
        asked = "SELECT has_table_privilege('needful_app', 'verification_result', $1)"
        assert office.rows(asked, privilege)[0][0] is False


def test_c11_a_case_of_underwriting_opens_its_application_and_no_other_policy(matter):
    matter.consent(PLAIN | SENSITIVE)
    found = matter.open("broker_agent")
    assert found["live"] is True
    token, purpose = matter.token("risk_analyst")
    premium = "query($id: ID!) { policy(id: $id) { premium } }"
    own = {"id": to_global(NodeType.POLICY, matter.policy)}
    denied = matter.guarded.office.post(premium, own, token=token, purpose=purpose).json()
    assert denied["errors"][0]["extensions"]["code"] == "FIELD_DENIED", "the case is not about assets"
    matter.consent(SENSITIVE)
    assets = matter.open("broker_agent", aspects=["ASSETS"])
    assert "errors" not in matter.guarded.office.post(premium, own, token=token, purpose=purpose).json()
    matter.close(assets["id"], "broker_agent")
    assert "name" in matter.read()
    query = "query($id: ID!) { policy(id: $id) { policyNumber policyholder { name } } }"
    token, purpose = matter.token("risk_analyst")
    policy = to_global(NodeType.POLICY, matter.policy)
    shown = matter.guarded.office.post(query, {"id": policy}, token=token, purpose=purpose).json()["data"]["policy"]
    assert shown["policyholder"]["name"] == "周清清"
    (other,) = matter.guarded.office.rows("SELECT policy_id FROM claim WHERE id = $1", matter.claim)[0]
    unseen = {"id": to_global(NodeType.POLICY, other)}
    assert matter.guarded.office.post(query, unseen, token=token, purpose=purpose).json()["data"]["policy"] is None
    assert matter.close(found["id"], "broker_agent")["live"] is False
    assert (
        matter.guarded.office.post(query, {"id": policy}, token=token, purpose=purpose).json()["data"]["policy"] is None
    )


def test_c11_a_service_provider_verifies_under_a_consent_that_names_it(matter):
    code = provider(matter)
    assignee = {"serviceProvider": code}
    matter.consent(PLAIN | SENSITIVE)
    assert matter.open(assignee=assignee)["code"] == "CONSENT_REQUIRED", "the brokerage's consent is not its"
    matter.consent(PLAIN | SENSITIVE, code)
    found = matter.open(assignee=assignee)
    assert found["live"] is True
    assert matter.read("service_provider", code) == ({"name", "phone"} | (set() if apart(matter) else {"idNumber"}))
    assert matter.record(found["id"], "service_provider", code)["live"] is True
    assert matter.record(found["id"])["code"] == "NOT_FOUND", "not the analyst's"


def test_c11_only_who_handles_the_matter_opens_a_case_and_only_on_its_people(matter):
    matter.consent(PLAIN | SENSITIVE)
    other = Matter.of(matter.guarded)
    assert matter.open(user=other.person.id)["code"] == "NOT_FOUND"
    assert matter.open(aspects=[])["code"] == "NOTHING_GIVEN"
    assert matter.open(source={})["code"] == "ITEM_INVALID"
    assert matter.open(source={"name": "局", "organization": provider(matter)})["code"] == "ITEM_INVALID"
    assert matter.open(assignee={"analyst": "nobody"})["code"] == "ASSIGNEE_UNKNOWN"
    assert matter.open(policy=to_global(NodeType.POLICY, matter.policy))["code"] == "ITEM_INVALID"
    matter.guarded.office.execute("UPDATE assignment SET ended_at = now() WHERE claim_id = $1", matter.claim)
    found = matter.open()
    assert (found["code"], found["reason"]) == ("WRITE_DENIED", "RELATION")
    assert matter.open("broker_agent")["live"] is True
    matter.guarded.office.execute("UPDATE policy SET status = 'DRAFT' WHERE id = $1", matter.policy)
    assert matter.open("broker_agent")["code"] == "WRONG_STATUS"


def test_c11_a_minors_consent_to_it_is_a_guardians(matter):
    guarded = matter.guarded
    consent = matter.consent(PLAIN | SENSITIVE)
    guarded.office.know(matter.person.person, birthDate=guarded.minor().isoformat())
    assert matter.open()["code"] == "CONSENT_REQUIRED"
    guardian = guarded.office.guardian(matter.person.person)
    guarded.office.execute("UPDATE consent SET guardian_id = $2 WHERE id = $1", consent, guardian.person)
    for ended in ("revoked_at = now()", "revoked_at = NULL, verified_at = NULL"):
        change = f"UPDATE guardian_link SET {ended} WHERE guardian_id = $1"  # noqa: S608 - our own words
        guarded.office.execute(change, guardian.person)
        assert matter.open()["code"] == "CONSENT_REQUIRED", "nor is one of somebody whose verified link does not stand"
    guarded.office.execute("UPDATE guardian_link SET verified_at = now() WHERE guardian_id = $1", guardian.person)
    assert matter.open()["live"] is True


def test_c11_whoever_is_of_no_age_on_record_needs_a_guardians_consent_to_it(matter):
    office = matter.guarded.office
    consent = matter.consent(PLAIN | SENSITIVE)
    office.execute("UPDATE person SET birth_date_sealed = NULL WHERE id = $1", matter.person.person)
    found = matter.open()
    assert (found["code"], found["field"], found["clause"]) == ("AGE_UNKNOWN", "user", "C11")
    assert matter.read() is None
    guardian = office.guardian(matter.person.person)
    office.execute("UPDATE consent SET guardian_id = $2 WHERE id = $1", consent, guardian.person)
    assert matter.open()["live"] is True
