"""Rights at their edges: archives of wards, secrets, old requests, odd words, and who comes back (C64, C65, C70)."""

import asyncio
from uuid import uuid4

import pytest

from models.database import connect_once
from models.global_ids import NodeType, to_global
from resolvers.registered import house_documents
from tests.privacy.disclosing import Disclosing, row_of
from tests.writing.applying import PRODUCT, application, insured, policyholder
from tests.writing.asking import Asking
from tests.writing.conftest import PASSWORD, Customer
from tests.writing.test_exports import Archive, ask, fetch, link

LOG_IN = next(found for found, text in house_documents().items() if "logIn(" in text)
REFRESH = next(found for found, text in house_documents().items() if "refresh(" in text)
SIGN_UP = next(found for found, text in house_documents().items() if "register(" in text)


@pytest.fixture
def asking(office):
    return Asking(office)


def anonymous(office, document, root, **given):
    """What somebody without a token is answered."""
    body = {"documentId": f"sha256:{document}", "variables": {"input": given}}
    return office.client.post(office.url, json=body).json()["data"][root]


def logged_in(office, who: Customer, role: str) -> dict:
    found = anonymous(office, LOG_IN, "logIn", identifier=who.phone, password=PASSWORD, role=role)
    assert "accessToken" in found, found
    return found


def test_c64_a_guardian_asks_for_a_wards_archive_by_password_and_fetches_it_until_the_link_ends(asking):
    office, child = asking.office, asking.office.customer()
    office.know(child.person, name="孙小明", birthDate="2019-05-01")
    guardian, stranger = office.guardian(child.person), office.guardian(office.customer().person)
    token, other = (logged_in(office, one, "GUARDIAN")["accessToken"] for one in (guardian, stranger))
    assert ask(office, guardian, token=token, user=child.id, password="wrong horse 9")["code"] == (
        "IDENTITY_NOT_VERIFIED"
    )
    assert ask(office, stranger, token=other, user=child.id)["code"] == "NOT_FOUND"
    first, second = (link(office, guardian, token=token, user=child.id) for _ in range(2))
    alone = logged_in(office, guardian, "CUSTOMER")["accessToken"]
    for foreign in (child.token, other, alone):
        assert fetch(office, first, foreign).status_code == 404
    archive = Archive.of(fetch(office, first, token))
    assert "孙小明" in archive.whole
    assert guardian.phone not in archive.whole
    # What it answered is closed, and the other link to it with it.
    assert fetch(office, second, token).status_code == 404
    third = link(office, guardian, token=token, user=child.id)
    office.execute("UPDATE guardian_link SET revoked_at = now() WHERE guardian_id = $1", guardian.person)
    assert fetch(office, third, token).status_code == 404
    assert ask(office, guardian, token=token, user=child.id)["code"] == "NOT_FOUND"


def test_c64_an_archive_answers_a_request_with_a_date_that_no_officer_reads_by(asking):
    office, who = asking.office, asking.office.customer()
    before = office.operate("rights", "check")["unassigned"]
    url = link(office, who)
    (request,) = asking.listed(who.token)
    assert (request["kind"], request["state"], request["officer"]) == ("EXPORT", "OPEN", None)
    assert request["dueOn"]
    assert link(office, who) != url
    assert [one["id"] for one in asking.listed(who.token)] == [request["id"]]
    assert office.rows("SELECT FROM assignment WHERE rights_request_id = $1", asking.row(request["id"])["id"]) == []
    assert office.operate("rights", "check")["unassigned"] == before
    assert fetch(office, url, who.token).status_code == 200
    (request,) = asking.listed(who.token)
    assert (request["state"], request["decidedAt"]) == ("GRANTED", request["closedAt"])


def test_c64_a_request_that_is_withdrawn_takes_its_link_along_and_one_asked_of_an_officer_is_theirs(asking):
    office, who = asking.office, asking.office.customer()
    url = link(office, who)
    (request,) = asking.listed(who.token)
    assert asking.file(who, "EXPORT")["id"] == request["id"]
    assert len(office.rows("SELECT FROM assignment WHERE rights_request_id = $1", asking.row(request["id"])["id"])) == 1
    assert asking.withdraw(request["id"], who.token)["state"] == "WITHDRAWN"
    assert fetch(office, url, who.token).status_code == 404
    assert fetch(office, link(office, who), who.token).status_code == 200


def test_c64_without_its_row_in_the_ledger_no_archive_leaves_and_the_link_stays_good(asking):
    office, who = asking.office, asking.office.customer()
    url = link(office, who)

    async def locked():
        owner = await connect_once(office.database.owner)
        try:
            async with owner.transaction():
                await owner.execute("LOCK TABLE ledger_writer IN ACCESS EXCLUSIVE MODE")
                return await asyncio.to_thread(fetch, office, url, who.token)
        finally:
            await owner.close()

    refused = asyncio.run(locked())
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
    assert fetch(office, url, who.token).status_code == 200


def test_c25_c64_an_archive_does_not_betray_an_inquiry_that_the_law_keeps_secret(asking):
    office = asking.office
    desk = Disclosing(office)
    who = desk.person()
    today = office.rows("SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date + 9")[0][0]
    case = desk.approved(who, secrecy={"until": str(today), "ground": "刑事诉讼法"})
    assert desk.read(who) == {"name"}
    whole = Archive.of(fetch(office, link(office, who), who.token)).whole
    for word in (case["id"], str(row_of(case)), "市公安局经侦支队", "regulatory_disclosure", "REGULATORY_DISCLOSURE"):
        assert word not in whole
    office.execute("UPDATE disclosure_case SET secret_until = now() - interval '1 day' WHERE id = $1", row_of(case))
    assert "市公安局经侦支队" in Archive.of(fetch(office, link(office, who), who.token)).whole


@pytest.mark.parametrize("kind", ["deletion", "complaint", "access"])
def test_c65_what_was_asked_for_before_grounds_were_is_answered_and_withdrawn_like_the_rest(asking, kind):
    office, who = asking.office, asking.office.customer()
    old = [uuid4(), uuid4()]
    for one in old:
        office.execute(
            "INSERT INTO rights_request (id, person_id, requester_id, kind, opened_at)"
            " VALUES ($1, $2, $2, $3, now() - interval '2 days')",
            *(one, who.person, kind),
        )
    office.operate("rights", "check")
    named = [to_global(NodeType.RECORD, one) for one in old]
    assert asking.withdraw(named[0], who.token)["state"] == "WITHDRAWN"
    _, token = asking.hired()
    asking.assign(named[1], token)
    more = {"classes": ["DEVICE"]} if kind == "deletion" else {}
    assert asking.decide(named[1], token, granted=True, **more)["state"] == "GRANTED"
    grounds = office.rows("SELECT ground FROM erasure_order WHERE person_id = $1", who.person)
    assert [row[0] for row in grounds] == (["UNSTATED"] if kind == "deletion" else [])


def test_c65_words_that_nobody_would_say_are_refused_by_name_or_kept(asking):
    who, officer = asking.office.customer(), asking.hired()[1]
    token = asking.office.token("customer", user=who.username, purposes=["rights_request"])
    kept = {"\u202e反转\u202c": "反转", "\u202f \u00a0空": "空", "👨‍👩‍👧": None, "a" * 500: "a" * 500}
    for words in (*kept, "a" * 501, "长" * 60_000, "\n\n", "\u200b", "1" * 18, "请致电１３８１２３４５６７８"):
        asked = {"matter": "OTHER", "statement": words, "token": token, "password": None}
        answer = asking.file(who, "COMPLAINT", **asked)
        told = [one["statement"] for one in asking.listed(token, open=True)]
        if words in kept:
            assert kept[words] in (None, *told)
            asking.withdraw(answer["id"], token)
        else:
            assert (answer.get("code"), answer.get("field")) == ("ITEM_INVALID", "statement"), words[:20]
            assert told == []
        refused = asking.assign(to_global(NodeType.RECORD, uuid4()), officer, words)
        assert refused["code"] == "REQUEST_UNKNOWN"


def test_c65_a_token_that_lists_some_categories_shows_no_words_of_a_request(asking):
    office, who = asking.office, asking.office.customer()
    request, _, officer = asking.in_hand(who, "COMPLAINT", matter="OTHER", statement="体检报告被转给他人")
    asking.decide(request, officer, granted=True, answer="已停止")
    narrowed = office.token("customer", user=who.username, purposes=["rights_request"], categories=["name"])
    told = [(one["statement"], one["answer"]) for token in (who.token, narrowed) for one in asking.listed(token)]
    assert told == [("体检报告被转给他人", "已停止"), (None, None)]


def test_c70_an_erasure_keeps_the_days_that_were_promised_when_the_account_was_cancelled(asking):
    office, who = asking.office, asking.office.customer()
    request = asking.row(asking.cancel(who)["request"])["id"]
    office.execute("UPDATE rights_request SET deadline_days = 9 WHERE id = $1", request)
    office.operate("rights", "check")
    both = "SELECT q.due_on, o.due_on FROM rights_request q JOIN erasure_order o ON o.request_id = q.id WHERE q.id = $1"
    ((told, ordered),) = office.rows(both, request)
    assert told == ordered


def test_c70_a_cancelled_account_lets_nobody_in_again_and_its_phone_is_free_once_it_is_erased(asking):
    office, who = asking.office, asking.office.customer()
    session = logged_in(office, who, "CUSTOMER")
    asking.file(who, "COMPLAINT", matter="OTHER", statement="为何收集设备信息")
    first = asking.cancel(who, token=session["accessToken"])
    assert "erasedBy" in first
    refused = anonymous(office, REFRESH, "refresh", refreshToken=session["refreshToken"])
    assert "accessToken" not in refused
    given = {"phone": who.phone, "username": f"again{uuid4().hex[:8]}", "password": PASSWORD}
    taken = anonymous(office, SIGN_UP, "register", **given)
    assert taken["code"] == "PHONE_TAKEN"
    assert "cancelled" in taken["message"]
    office.operate("orders", "run")
    again = anonymous(office, SIGN_UP, "register", **given)
    assert asking.listed(again["accessToken"]) == []
    # Of what was asked for before, the words are gone; that it was answered in time can still be seen.
    rows = office.rows("SELECT kind, statement_sealed FROM rights_request WHERE person_id = $1", who.person)
    assert {(row[0], row[1]) for row in rows} == {("complaint", None), ("cancellation", None)}


def test_c70_whom_a_draft_of_another_names_may_cancel_and_is_named_anew_by_their_items(asking):
    office, holder, who = asking.office, asking.office.customer(), asking.office.customer()
    given = application(policyholder={"details": policyholder()})
    made = office.write("draftApplication", given, token=holder.token, purpose="account_service", show=_DRAFT)
    office.execute("UPDATE policy SET insured_id = $2 WHERE policy_number = $1", made["policyNumber"], who.person)
    assert "erasedBy" in asking.cancel(who)

    def write(name, **more):
        return office.write(name, more, token=holder.token, purpose="account_service", show=_DRAFT)

    refused = write("submitApplication", id=made["id"])
    assert (refused["code"], refused["field"], refused["clause"]) == ("ITEM_INVALID", "insured", "C70")
    anew = application(insured={"id": who.id})
    refused = write("draftApplication", productCode=PRODUCT, insured=anew["insured"])
    assert (refused["code"], refused["field"]) == ("NOT_FOUND", "insured.id")
    told = write("draftApplication", id=made["id"], insured={"details": insured()})
    assert told["insured"]["id"] != who.id
    assert write("submitApplication", id=made["id"])["status"] == "SUBMITTED"
    assert office.rows("SELECT FROM account WHERE person_id = $1", who.person) != []


_DRAFT = "... on Policy { id policyNumber status insured { id } }"
