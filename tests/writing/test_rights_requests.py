"""Requests about one's own data: by who proved who they are, assigned, extended, answered in time (C65, C80, C81)."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest

from models.database import connect_once
from models.global_ids import NodeType, to_global
from models.rights import DeletionGround
from models.vocabulary import Retention
from privacy import calendars
from privacy.bundles import BundleName, read_bundle
from privacy.calendars import Year, keep_imported, keep_shipped
from privacy.working_days import shanghai_day
from tests.privacy.holiday_notices import works
from tests.writing.asking import Asking
from tests.writing.conftest import row_id
from tests.writing.test_cancellation import BODIES

SEED = read_bundle(BundleName.SEED).deadlines


@pytest.fixture
def asking(office):
    return Asking(office)


def test_c65_each_of_the_five_grounds_is_taken_and_answered_for_within_fifteen_working_days(asking):
    assert len(DeletionGround) == 5
    for ground in DeletionGround:
        who = asking.office.customer()
        answer = asking.file(who, "DELETION", ground=ground.name)
        due = date.fromisoformat(answer["dueOn"])
        received = shanghai_day(asking.row(answer["id"])["opened_at"])
        assert (answer["state"], answer["overdue"]) == ("OPEN", False)
        if due.year <= 2026:
            days = [received + timedelta(days=n) for n in range(1, (due - received).days + 1)]
            assert sum(map(works, days)) == SEED.answer_working_days == 15
            assert works(due)
        assert answer["provisional"] == (due.year > 2026)
        assert [one["ground"] for one in asking.listed(who.token)] == [ground.name]


@pytest.mark.parametrize(
    "kind, more, code, field",
    [
        ("DELETION", {}, "ITEM_MISSING", "ground"),
        ("ACCESS", {"ground": "UNLAWFUL"}, "ITEM_INVALID", "ground"),
        ("COMPLAINT", {}, "ITEM_MISSING", "matter"),
        ("DELETION", {"ground": "UNLAWFUL", "matter": "OTHER"}, "ITEM_INVALID", "matter"),
        ("CANCELLATION", {}, "ITEM_INVALID", "kind"),
        ("COMPLAINT", {"matter": "OTHER", "statement": "请回电 13812345678"}, "ITEM_INVALID", "statement"),
    ],
)
def test_c65_what_cannot_be_asked_for_so_is_refused_with_what_to_give(asking, kind, more, code, field):
    who = asking.office.customer()
    answer = asking.file(who, kind, **more)
    assert (answer["code"], answer["field"]) == (code, field)
    assert asking.listed(who.token) == []


def test_c65_a_sixth_ground_is_no_ground(asking):
    who = asking.office.customer()
    document = "mutation { fileRightsRequest(input: {kind: DELETION, ground: REGRET}) { __typename } }"
    body = asking.office.post(document, token=who.token, purpose="rights_request").json()
    assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


def test_c65_whoever_does_not_prove_who_they_are_asks_for_nothing(asking):
    who = asking.office.customer()
    for password in (None, "another horse 8 pears"):
        answer = asking.file(who, "ACCESS", password=password)
        assert (answer["code"], answer["field"]) == ("IDENTITY_NOT_VERIFIED", "password")
    assert asking.listed(who.token) == []
    stepped_up = asking.office.token("customer", user=who.username, purposes=["rights_request"])
    assert asking.file(who, "ACCESS", token=stepped_up, password=None)["state"] == "OPEN"


def test_c65_the_very_same_again_is_the_same_request_and_another_of_its_kind_waits(asking):
    who = asking.office.customer()
    words = {"ground": "UNLAWFUL", "statement": "处理超出了约定"}
    first = asking.file(who, "DELETION", **words)
    assert asking.file(who, "DELETION", **words)["id"] == first["id"]
    for other in ({"ground": "UNLAWFUL"}, {"ground": "SERVICE_ENDED"}, {**words, "statement": "另有原因"}):
        assert asking.file(who, "DELETION", **other)["code"] == "REQUEST_OPEN"
    assert asking.file(who, "ACCESS")["id"] != first["id"]
    assert asking.withdraw(first["id"], who.token)["state"] == "WITHDRAWN"
    assert asking.withdraw(first["id"], who.token)["code"] == "REQUEST_STATE"
    assert asking.file(who, "DELETION", **words)["id"] != first["id"]


def test_c65_of_many_at_once_one_is_kept_and_all_are_told_of_it(asking):
    who = asking.office.customer()
    token = asking.office.token("customer", user=who.username, purposes=["rights_request"])
    with ThreadPoolExecutor(6) as many:
        answers = list(many.map(lambda _: asking.file(who, "ACCESS", token=token, password=None), range(6)))
    assert len({one["id"] for one in answers}) == 1
    assert len(asking.listed(token)) == 1


def test_c65_nobody_sees_or_withdraws_what_somebody_else_asked_for(asking):
    office, who, other = asking.office, asking.office.customer(), asking.office.customer()
    request = asking.file(who, "ACCESS")["id"]
    insurer = office.customer()
    asking.policy(insurer.person, "IN_FORCE", insured=who.person)
    stranger = office.guardian()
    for token in (other.token, insurer.token, stranger.token):
        assert asking.withdraw(request, token)["code"] in {"REQUEST_UNKNOWN", "WRITE_DENIED"}
        assert asking.listed(token) == []
    for role in ("customer_service", "analyst", "auditor", "security_admin"):
        purpose = {"customer_service": "policy_service", "analyst": "analytics"}.get(role, "administration")
        assert asking.listed(office.token(role, purposes=[purpose]), purpose) is None
    assert asking.row(request)["state"] == "OPEN"


def test_c65_c71_c73_a_guardian_asks_for_a_ward_and_a_minor_does_not_have_their_data_deleted_alone(asking):
    office, child = asking.office, asking.office.customer()
    office.know(child.person, birthDate=f"{datetime.now(UTC).year - 9}-01-02")
    assert asking.file(child, "DELETION", ground="UNLAWFUL")["code"] == "MINOR_NEEDS_GUARDIAN"
    own = asking.file(child, "ACCESS")["id"]
    guardian, stranger = office.guardian(child.person), office.guardian()
    ask = {"ground": "UNLAWFUL", "user": child.id, "password": None}
    assert asking.file(stranger, "DELETION", **ask)["code"] == "NOT_FOUND"
    theirs = asking.file(guardian, "DELETION", **ask)["id"]
    row = asking.row(theirs)
    assert (row["person_id"], row["requester_id"]) == (child.person, guardian.person)
    for token in (child.token, guardian.token):
        assert {one["id"] for one in asking.listed(token)} == {own, theirs}
    assert asking.withdraw(theirs, guardian.token)["state"] == "WITHDRAWN"


def test_c65_a_request_goes_to_the_officer_with_the_fewest_and_only_who_has_it_in_hand_sees_the_person(asking):
    office, who = asking.office, asking.office.customer()
    (other, busy), (_, idle) = asking.hired(), asking.hired()
    office.know(who.person, name="林静")
    for _ in range(2):
        asking.assign(asking.file(office.customer(), "ACCESS")["id"], busy)
    request = asking.file(who, "COMPLAINT", matter="SHARING", statement="为何共享给合作方")["id"]
    (handler,) = office.rows(
        "SELECT s.username FROM assignment a JOIN staff s ON s.id = a.staff_id WHERE a.rights_request_id = $1",
        row_id(request),
    )
    assert handler[0] != other
    assert asking.assign(request, idle)["id"] == request
    query = "query($id: ID!) { user(id: $id) { name } }"
    seen = [
        office.post(query, {"id": who.id}, token=token, purpose="rights_request").json()["data"]["user"]
        for token in (idle, busy)
    ]
    assert seen == [{"name": "林静"}, None]
    (mine,) = asking.listed(idle)
    assert (mine["id"], mine["user"], mine["statement"]) == (request, who.id, "为何共享给合作方")
    assert request not in {one["id"] for one in asking.listed(busy)}
    everything = {one["id"]: one for one in asking.listed(busy, "administration", open=True, first=100)}
    assert everything[request]["statement"] is None
    assert asking.decide(request, busy, granted=True)["code"] == "REQUEST_UNKNOWN"
    assert asking.decide(request, idle, granted=True)["state"] == "GRANTED"
    # Once it is answered nothing of the person opens to them any more.
    assert office.post(query, {"id": who.id}, token=idle, purpose="rights_request").json()["data"]["user"] is None
    assert asking.listed(idle)[0]["statement"] is None


def test_c65_an_officer_who_has_another_request_of_the_person_in_hand_does_not_answer_this_one(asking):
    who = asking.office.customer()
    _, _, token = asking.in_hand(who, "ACCESS")
    other = asking.file(who, "CORRECTION")["id"]
    asking.assign(other, asking.hired()[1])
    assert asking.decide(other, token, granted=True)["code"] == "REQUEST_NOT_YOURS"
    assert asking.extend(other, token, date(2027, 1, 4))["code"] == "REQUEST_NOT_YOURS"
    assert asking.assign(other, token, "nobody-at-work")["code"] == "OFFICER_UNKNOWN"
    assert asking.row(other)["state"] == "OPEN"


def test_c65_a_granted_deletion_orders_the_erasure_of_its_classes_and_the_person_reads_the_answer(asking):
    office, who = asking.office, asking.office.customer()
    request, _, token = asking.in_hand(who, "DELETION", ground="NOT_CONSENTED")
    assert asking.decide(request, token, granted=True)["code"] == "CLASSES_INVALID"
    assert asking.decide(request, token, granted=True, classes=["RESTRICTED"])["code"] == "CLASSES_INVALID"
    assert asking.decide(request, token, granted=False, classes=["DEVICE"])["code"] == "CLASSES_INVALID"
    _, number = asking.policy(who.person, "IN_FORCE")
    assert asking.decide(request, token, granted=True, classes=["ACCOUNT"])["code"] == "DELETION_BLOCKED"
    office.execute("UPDATE policy SET status = 'EXPIRED' WHERE policy_number = $1", number)
    assert office.rows("SELECT FROM erasure_order WHERE person_id = $1", who.person) == []
    answer = "设备信息将被删除"
    assert asking.decide(request, token, granted=True, classes=["DEVICE"], answer=answer)["state"] == "GRANTED"
    (order,) = office.rows("SELECT * FROM erasure_order WHERE request_id = $1", row_id(request))
    assert (order["person_id"], order["classes"], order["ground"]) == (who.person, [Retention.DEVICE], "NOT_CONSENTED")
    (mine,) = asking.listed(who.token)
    assert (mine["answer"], mine["state"], mine["erasureDueOn"]) == (answer, "GRANTED", str(order["due_on"]))
    assert answer.encode() not in bytes(asking.row(request)["answer_sealed"])
    assert asking.decide(request, token, granted=False)["code"] == "REQUEST_UNKNOWN"


def test_c80_a_complaint_is_answered_later_only_for_a_reason_and_the_person_reads_it(asking):
    office, who = asking.office, asking.office.customer()
    request, _, token = asking.in_hand(who, "COMPLAINT", matter="PROCESSING")
    due = date.fromisoformat(asking.listed(who.token)[0]["dueOn"])
    for until in (due, due - timedelta(days=1), due + timedelta(days=365)):
        assert asking.extend(request, token, until)["code"] == "EXTENSION_INVALID"
    assert asking.extend(request, token, due + timedelta(days=5), reason=" ")["field"] == "reason"
    assert asking.row(request)["extended_until"] is None
    for days in (5, 9):
        reason = f"业务核对需要更多时间 {days}"
        answer = asking.extend(request, token, due + timedelta(days=days), reason)
        assert answer["extendedUntil"] == str(due + timedelta(days=days))
        (mine,) = asking.listed(who.token)
        assert (mine["extensionReason"], mine["dueOn"]) == (reason, str(due))
    assert asking.extend(request, token, due + timedelta(days=7))["code"] == "EXTENSION_INVALID"
    # Overdue is counted from what was promised last.
    office.execute(
        "UPDATE rights_request SET due_on = current_date - 9, extended_until = current_date + 3 WHERE id = $1",
        row_id(request),
    )
    assert asking.listed(who.token)[0]["overdue"] is False
    office.execute("UPDATE rights_request SET extended_until = current_date - 3 WHERE id = $1", row_id(request))
    assert asking.listed(who.token)[0]["overdue"] is True
    assert request in {one["id"] for one in asking.listed(token, dueWithin=0)}


def test_c80_what_is_due_overdue_and_in_nobodys_hands_sounds_an_alarm_of_numbers_only(asking):
    office = asking.office
    before = office.operate("rights", "check")
    made = [asking.file(office.customer(), "ACCESS")["id"] for _ in range(3)]
    due, late, lone = map(row_id, made)
    # Days for an answer that ended yesterday, and that end today, as the calendar counts them.
    for request, back in ((due, 15), (late, 40)):
        office.execute("UPDATE rights_request SET deadline_days = 1, opened_at = $2 WHERE id = $1", request, _ago(back))
    office.execute("UPDATE rights_request SET extended_until = $2, extension_reason = 'r' WHERE id = $1", due, _today())
    office.execute("UPDATE assignment SET ended_at = now() WHERE rights_request_id = $1", lone)
    after = office.operate("rights", "check")
    assert [after[name] - before[name] for name in ("due", "overdue", "unassigned")] == [1, 1, 1]
    assert {"RIGHTS_DUE", "RIGHTS_OVERDUE", "RIGHTS_UNASSIGNED"} <= set(after["alarms"])
    assert office.operate("rights", "check")["moved"] == 0
    listed = {one["request"]: one for one in office.operate("rights", "list", "--within", "3")}
    assert {str(due), str(late)} <= set(listed)
    assert set(listed[str(late)]) == {
        *("request", "kind", "state", "opened", "due", "provisional", "extended", "overdue", "ground", "officer")
    }
    assert office.operate("rights", "show", str(late))["moves"]


def test_c65_a_years_notice_moves_open_due_dates_and_makes_them_firm(asking, tmp_path):
    office, who = asking.office, asking.office.customer()
    request = asking.file(who, "ACCESS")["id"]
    office.execute("UPDATE rights_request SET opened_at = '2026-12-28T09:00+08:00' WHERE id = $1", row_id(request))
    office.operate("rights", "check")
    before = asking.listed(who.token)[0]
    assert (before["dueOn"], before["provisional"]) == ("2027-01-18", True)
    off = ["2027-01-01", *(f"2027-02-{day:02d}" for day in range(8, 13)), "2027-04-05", "2027-05-03", "2027-06-09"]
    off += [f"2027-10-{day:02d}" for day in (1, 4, 5, 6, 7)]
    file = tmp_path / "2027.csv"
    file.write_text("\n".join(["day,working", *(f"{day},no" for day in off), "2027-10-09,yes"]))
    try:
        told = office.operate("calendar", "import", str(file))
        assert (told["year"], told["changed"]) == (2027, True)
        after = asking.listed(who.token)[0]
        assert (after["dueOn"], after["provisional"]) == ("2027-01-19", False)
        moves = office.operate("rights", "show", str(row_id(request)))["moves"]
        assert moves[-1] == {"was": "2027-01-18", "due": "2027-01-19", "provisional": False}
        again = office.operate("calendar", "import", str(file))
        assert (again["changed"], again["requests_moved"]) == (False, 0)
        assert office.operate("calendar", "show")[0]["source"] == "import"
        assert len(office.operate("calendar", "show", "2027")) == len(off) + 1
    finally:
        office.execute("DELETE FROM calendar_day WHERE year = 2027")
        office.execute("DELETE FROM calendar_year WHERE year = 2027")


def test_c65_a_release_that_knows_another_year_brings_it_and_does_not_undo_what_was_imported(office, monkeypatch):
    def keep(source, **moved):
        monkeypatch.setattr(calendars, "version", lambda _: source)
        given = Year(2027, {date.fromisoformat(day.replace("_", "-")[1:]): works for day, works in moved.items()})
        monkeypatch.setattr(calendars, "shipped_years", lambda: [given])
        return asyncio.run(_with_owner(office, lambda owner: keep_shipped(owner, now=datetime.now(UTC))))

    def kept():
        days = office.rows("SELECT day, working, source FROM calendar_day WHERE year = 2027 ORDER BY day")
        return [(str(day), working, source) for day, working, source in days]

    try:
        assert keep("1.12", d2027_02_08=False) == [2027]
        assert keep("1.12", d2027_02_08=False) == []
        # A release that says the same changes no day; one that says something else does.
        assert keep("1.13", d2027_02_08=False) == []
        assert keep("1.14", d2027_02_09=False, d2027_02_14=True) == [2027]
        assert kept() == [
            ("2027-02-09", False, "chinesecalendar 1.14"),
            ("2027-02-14", True, "chinesecalendar 1.14"),
        ]
        imported = Year(2027, {date(2027, 2, 10): False})
        asyncio.run(_with_owner(office, lambda owner: keep_imported(owner, imported, now=datetime.now(UTC))))
        assert keep("1.15", d2027_02_09=False) == []
        assert kept() == [("2027-02-10", False, "import")]
    finally:
        office.execute("DELETE FROM calendar_day WHERE year = 2027")
        office.execute("DELETE FROM calendar_year WHERE year = 2027")


async def _with_owner(office, work):
    owner = await connect_once(office.database.owner)
    try:
        return await work(owner)
    finally:
        await owner.close()


def test_c81_every_reply_names_the_four_regulators_and_the_court(asking):
    who = asking.office.customer()
    filed = asking.file(who, "COMPLAINT", matter="ANSWER_OF_A_REQUEST")
    assert filed["escalation"] == BODIES
    _, token = asking.hired()
    assert asking.assign(filed["id"], token)["escalation"] == BODIES
    assert asking.decide(filed["id"], token, granted=False)["escalation"] == BODIES
    assert [one["escalation"] for one in asking.listed(who.token)] == [BODIES]


def test_c65_a_page_goes_on_where_the_one_before_ended(asking):
    who = asking.office.customer()
    made = {asking.file(who, kind)["id"] for kind in ("ACCESS", "CORRECTION", "WITHDRAWAL", "EXPORT")}
    seen, after = [], None
    for _ in range(4):
        arguments = {"first": 1, **({"after": after} if after else {})}
        query = (
            "query($first: Int, $after: String) { rightsRequests(first: $first, after: $after)"
            " { edges { node { id } } pageInfo { hasNextPage endCursor } } }"
        )
        answer = asking.office.post(query, arguments, token=who.token, purpose="account_service").json()
        page = answer["data"]["rightsRequests"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
    assert set(seen) == made
    assert len(seen) == 4
    assert not page["pageInfo"]["hasNextPage"]
    assert to_global(NodeType.USER, who.person) == who.id


def _today():
    return shanghai_day(datetime.now(UTC))


def _ago(days):
    return datetime.now(UTC) - timedelta(days=days)
