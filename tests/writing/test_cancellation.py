"""Cancelling an account: what stands in the way is listed, all of it; otherwise it ends at once (C69, C70)."""

import threading
import time
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from models.global_ids import NodeType, to_global
from privacy.bundles import BundleName, read_bundle
from privacy.working_days import shanghai_day
from resolvers.registered import house_documents
from tests.privacy.holiday_notices import works
from tests.writing.asking import Asking
from tests.writing.conftest import PASSWORD

BODIES = ["INTERNET_INFORMATION_OFFICE", "TELECOM_AUTHORITY", "POLICE", "MARKET_REGULATOR", "COURT"]
PRODUCTS = next(found for found, text in house_documents().items() if "products(" in text)
ME = "{ viewer { user { id } } }"


@pytest.fixture
def asking(office):
    return Asking(office)


def blockers(answer):
    assert (answer["code"], answer["clause"]) == ("CANCELLATION_BLOCKED", "C69"), answer
    return [(one["kind"], one["reference"], one["status"]) for one in answer["blockers"]]


def is_untouched(asking, who):
    found = asking.office.rows(
        "SELECT a.cancelled_at, (SELECT count(*) FROM login l WHERE l.account_id = a.id),"
        " (SELECT count(*) FROM erasure_order o WHERE o.person_id = a.person_id)"
        " FROM account a WHERE a.person_id = $1",
        who.person,
    )
    return [tuple(row) for row in found] == [(None, 1, 0)]


@pytest.mark.parametrize("status", ["SUBMITTED", "UNDERWRITING", "AWAITING_PAYMENT"])
def test_c69_an_account_is_not_cancelled_while_a_purchase_is_open(asking, status):
    who = asking.office.customer()
    policy, number = asking.policy(who.person, status)
    answer = asking.cancel(who)
    assert blockers(answer) == [("PURCHASE_OPEN", number, status)]
    assert answer["blockers"][0]["policy"] == to_global(NodeType.POLICY, policy)
    assert is_untouched(asking, who)


@pytest.mark.parametrize(
    "status", ["REPORTED", "MATERIALS_PENDING", "SUBMITTED", "REVIEWING", "INVESTIGATING", "APPROVED"]
)
def test_c69_an_account_is_not_cancelled_while_a_claim_is_open(asking, status):
    who = asking.office.customer()
    claim, number = asking.claim(asking.policy(who.person, "EXPIRED")[0], status)
    answer = asking.cancel(who)
    assert blockers(answer) == [("CLAIM_OPEN", number, status)]
    assert answer["blockers"][0]["claim"] == to_global(NodeType.CLAIM, claim)
    assert is_untouched(asking, who)


@pytest.mark.parametrize("status", ["IN_FORCE", "GRACE"])
@pytest.mark.parametrize("side", ["holder", "insured"])
def test_c69_an_account_is_not_cancelled_while_a_policy_is_in_force_that_one_holds_or_is_insured_under(
    asking, status, side
):
    who, other = asking.office.customer(), asking.office.customer()
    holder, insured = (who, other) if side == "holder" else (other, who)
    _, number = asking.policy(holder.person, status, insured=insured.person)
    assert blockers(asking.cancel(who)) == [("POLICY_IN_FORCE", number, status)]
    assert is_untouched(asking, who)


@pytest.mark.parametrize("ends_in", [None, 30])
def test_c69_an_account_is_not_cancelled_while_a_health_service_runs(asking, ends_in):
    who = asking.office.customer()
    policy, number = asking.policy(who.person, "LAPSED")
    asking.service(policy, ends_in=ends_in)
    answer = asking.cancel(who)
    assert blockers(answer) == [("HEALTH_SERVICE_RUNNING", number, "LAPSED")]
    assert answer["blockers"][0]["provider"]
    assert is_untouched(asking, who)


def test_c69_everything_that_stands_in_the_way_is_listed_at_once(asking):
    who = asking.office.customer()
    purchase, running = asking.policy(who.person, "SUBMITTED"), asking.policy(who.person, "IN_FORCE")
    claim = asking.claim(running[0], "REVIEWING")
    asking.service(running[0], ends_in=None)
    assert blockers(asking.cancel(who)) == [
        ("CLAIM_OPEN", claim[1], "REVIEWING"),
        ("HEALTH_SERVICE_RUNNING", running[1], "IN_FORCE"),
        ("POLICY_IN_FORCE", running[1], "IN_FORCE"),
        ("PURCHASE_OPEN", purchase[1], "SUBMITTED"),
    ]
    assert is_untouched(asking, who)


def test_c69_nothing_that_has_ended_and_no_draft_stands_in_the_way(asking):
    who, other = asking.office.customer(), asking.office.customer()
    for status in ("DECLINED", "LAPSED", "SURRENDERED", "EXPIRED", "TERMINATED"):
        policy, _ = asking.policy(who.person, status)
    for status in ("REJECTED", "PAID", "CLOSED", "WITHDRAWN"):
        asking.claim(policy, status)
    asking.service(policy, ends_in=-1)
    asking.policy(other.person, "IN_FORCE")
    draft, _ = asking.policy(who.person, "DRAFT")
    report, _ = asking.claim(policy, "DRAFT")
    assert "erasedBy" in asking.cancel(who)
    states = "SELECT status FROM policy WHERE id = $1 UNION ALL SELECT status FROM claim WHERE id = $2"
    assert [row[0] for row in asking.office.rows(states, draft, report)] == ["TERMINATED", "WITHDRAWN"]


def test_c70_the_login_ends_at_once_what_is_open_to_anybody_stays_and_the_erasure_has_its_day(asking):
    office, who = asking.office, asking.office.customer()
    minted = office.token("customer", user=who.username, purposes=["account_service"])
    answer = asking.cancel(who)
    days = read_bundle(BundleName.SEED).deadlines.erasure_working_days
    received = shanghai_day(datetime.now(UTC))
    due = date.fromisoformat(answer["erasedBy"])
    if due.year <= 2026:
        assert works(due)
        assert sum(works(received + timedelta(days=n)) for n in range(1, (due - received).days + 1)) == days
    assert answer["provisional"] == (due.year > 2026)
    assert answer["escalation"] == BODIES
    row = office.rows("SELECT * FROM erasure_order WHERE person_id = $1", who.person)
    assert [(one["due_on"], sorted(one["classes"]), one["done_at"]) for one in row] == [(due, [1, 2, 3, 4], None)]
    assert row[0]["request_id"] == asking.row(answer["request"])["id"]
    time.sleep(1.1)
    for token in (who.token, minted):
        assert office.post(ME, token=token, purpose="account_service").status_code == 401
    given = {"identifier": who.phone, "password": PASSWORD, "role": "CUSTOMER"}
    document = "mutation($i: LogInInput!) { logIn(input: $i) { ... on Problem { code } } }"
    officer = asking.hired()[1]
    answered = office.post(document, {"i": given}, token=officer).json()
    assert answered["data"]["logIn"] == {"code": "INVALID_CREDENTIALS"}
    anonymous = office.client.post(office.url, json={"documentId": f"sha256:{PRODUCTS}"})
    assert anonymous.json()["data"]["products"]["edges"]


def test_c70_what_was_agreed_to_and_the_office_of_a_guardian_end_with_the_account(asking):
    office = asking.office
    child = office.customer()
    who = office.guardian(child.person)
    office.agree(who, child.person, "application")
    office.execute(
        "INSERT INTO consent (id, person_id, purpose, recipient_id, categories, notice_version, notice_hash,"
        " granted_at, audience_id) SELECT $1, $2, 'marketing', id, 64, '2020-10-26', '', now(), $1"
        " FROM organization WHERE kind = 'INSURER' ORDER BY code LIMIT 1",
        *(uuid4(), who.person),
    )
    token = office.token("customer", user=who.username, purposes=["account_service"])
    assert "erasedBy" in asking.cancel(who, token=token, password=None)
    own = "SELECT withdrawn_at IS NOT NULL, withdrawn_by_id FROM consent WHERE person_id = $1"
    assert [tuple(row) for row in office.rows(own, who.person)] == [(True, who.person)]
    # What they said as a guardian counted when they said it, and is the child's to take back.
    assert [row[0] for row in office.rows(own, child.person)] == [False]
    links = office.rows("SELECT revoked_at FROM guardian_link WHERE guardian_id = $1", who.person)
    assert [row[0] is None for row in links] == [False]


def test_c69_c71_a_minor_does_not_cancel_alone_and_a_guardian_does_it_for_them(asking):
    office, child = asking.office, asking.office.customer()
    office.know(child.person, birthDate=f"{datetime.now(UTC).year - 9}-01-02")
    assert asking.cancel(child)["code"] == "MINOR_NEEDS_GUARDIAN"
    stranger, guardian = office.guardian(), office.guardian(child.person)
    refused = asking.cancel(stranger, user=child.id, password=None)
    assert (refused["code"], refused["field"]) == ("NOT_FOUND", "user")
    assert is_untouched(asking, child)
    done = asking.cancel(guardian, user=child.id, password=None)
    assert asking.row(done["request"])["requester_id"] == guardian.person
    # Nothing is begun for them any more, and asked again it is the same cancellation.
    code = office.rows("SELECT code FROM product ORDER BY code LIMIT 1")[0][0]
    given = {"productCode": code, "policyholder": {"id": child.id}}
    refused = office.write("draftApplication", given, token=guardian.token, purpose="account_service")
    assert refused["code"] == "ACCOUNT_CANCELLED"
    assert asking.cancel(guardian, user=child.id, password=None)["request"] == done["request"]


def test_c69_a_child_without_an_account_has_none_to_cancel(asking):
    office, child = asking.office, uuid4()
    office.execute("INSERT INTO person (id, source) VALUES ($1, 'application')", child)
    office.know(child, birthDate=f"{datetime.now(UTC).year - 9}-01-02")
    guardian = office.guardian(child)
    answer = asking.cancel(guardian, user=to_global(NodeType.USER, child), password=None)
    assert answer["code"] == "ACCOUNT_UNKNOWN"


def test_c69_a_wrong_password_or_none_cancels_nothing_and_too_many_lock_the_login(asking):
    who = asking.office.customer()
    assert asking.cancel(who, password=None)["code"] == "IDENTITY_NOT_VERIFIED"
    answers = [asking.cancel(who, password="wrong horse battery")["code"] for _ in range(3)]
    assert answers[0] == "IDENTITY_NOT_VERIFIED"
    assert answers[-1] == "TRY_LATER"
    assert asking.cancel(who)["code"] == "TRY_LATER"
    assert is_untouched(asking, who)


def test_c69_a_second_factor_is_asked_for_where_there_is_one(asking):
    who = asking.office.customer()
    asking.office.execute(
        "UPDATE login SET wrapped = decode(repeat('01', 60), 'hex'), totp_sealed = 's'"
        " WHERE account_id = (SELECT id FROM account WHERE person_id = $1)",
        who.person,
    )
    answer = asking.cancel(who)
    assert answer["code"] == "IDENTITY_NOT_VERIFIED"
    assert "stepUp" in answer["message"]
    assert is_untouched(asking, who)


DRAFT = "mutation($input: DraftApplicationInput!) { draftApplication(input: $input) { ... on Problem { code } } }"


def test_c70_of_a_cancellation_and_applications_at_once_none_outlives_the_account(asking):
    office = asking.office
    code = office.rows("SELECT code FROM product ORDER BY code LIMIT 1")[0][0]
    for _ in range(3):
        who = office.customer()
        token = office.token("customer", user=who.username, purposes=["account_service"])
        told, begun = [], threading.Event()

        def draft(token=token, told=told, begun=begun):
            while not told or told[-1] is None:
                begun.set()
                body = office.post(
                    DRAFT, {"input": {"productCode": code}}, token=token, purpose="account_service"
                ).json()
                found = body.get("data") and body["data"]["draftApplication"].get("code")
                told.append("UNAUTHENTICATED" if body.get("errors") else found)

        thread = threading.Thread(target=draft)
        thread.start()
        begun.wait()
        answer = asking.cancel(who, token=token, password=None)
        thread.join()
        assert "erasedBy" in answer
        assert told[-1] in {"ACCOUNT_CANCELLED", "UNAUTHENTICATED"}
        left = office.rows("SELECT status FROM policy WHERE holder_id = $1", who.person)
        assert {row[0] for row in left} <= {"TERMINATED"}


@pytest.mark.parametrize(
    "name, given",
    [
        ("updateProfile", {"nickname": "late"}),
        ("fileRightsRequest", {"kind": "ACCESS"}),
        ("refuseMarketing", {"channel": "SMS", "refused": True}),
    ],
)
def test_c70_in_the_second_in_which_a_token_outlives_its_account_nothing_is_written_by_it(asking, name, given):
    office, who = asking.office, asking.office.customer()
    token = office.token("customer", user=who.username, purposes=["account_service"])
    office.execute("UPDATE account SET cancelled_at = now() WHERE person_id = $1", who.person)
    answer = office.write(name, given, token=token, purpose="account_service")
    assert (answer["code"], answer["clause"]) == ("ACCOUNT_CANCELLED", "C70")


def test_c70_under_one_idempotency_key_an_account_is_cancelled_once_and_answered_alike(asking):
    office, child = asking.office, asking.office.customer()
    office.know(child.person, birthDate=f"{datetime.now(UTC).year - 9}-01-02")
    guardian = office.guardian(child.person)
    first, again = (asking.cancel(guardian, user=child.id, password=None, Idempotency_Key="k-1") for _ in range(2))
    assert first == again
    assert len(office.rows("SELECT FROM erasure_order WHERE person_id = $1", child.person)) == 1
