"""Shown and agreed: each major version once, by oneself or by a guardian for a child (C71, C75, C78)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from models.vocabulary import Category
from privacy.notices import Said, Version, stands_under, still_to_show
from resolvers.registered import house_documents
from tests.privacy.noticing import FIRST, SERVICE, telling
from tests.recorded import as_owner, came_of, said
from tests.writing.conftest import PASSWORD

LOG_IN = next(found for found, text in house_documents().items() if "logIn(" in text)
WRITTEN = "SELECT body FROM ledger WHERE body LIKE '%Mutation.acknowledgeNotice%' ORDER BY at, sequence"
SAID = "SELECT notice, agrees, guardian_id FROM notice_agreement WHERE person_id = $1 ORDER BY said_at"
MORE = telling(FIRST, SERVICE, Category.NAME, Category.HEALTH)


def logged_in(noticing, who) -> str:
    given = {"identifier": who.phone, "password": PASSWORD}
    body = {"documentId": f"sha256:{LOG_IN}", "variables": {"input": given}}
    return noticing.client.post(noticing.url, json=body).json()["data"]["logIn"]["accessToken"]


def pending(noticing, token) -> list[str]:
    return [one["version"] for one in noticing.viewer(token)["pendingNotices"]]


def test_c78_a_major_version_is_pending_until_it_is_acknowledged_after_log_in_too(noticing):
    me = noticing.customer()
    assert pending(noticing, me.token) == []
    second = noticing.version(MORE, days=-3)
    third = noticing.version(replace(MORE, summary="换了说法。"), major=False, days=-2)
    fourth = noticing.version(replace(MORE, controller="别人"), days=-1)
    assert pending(noticing, me.token) == [second.version, fourth.version], "a minor one is nobody's to acknowledge"
    assert noticing.viewer(me.token)["standingNotice"]["version"] == FIRST.version
    assert noticing.says(me.token, second)["id"] == me.id
    token = logged_in(noticing, me)
    assert pending(noticing, token) == [fourth.version]
    assert noticing.viewer(token)["standingNotice"]["version"] == third.version, "in other words what was agreed to"
    assert noticing.says(token, fourth, agrees=False)["id"] == me.id
    assert pending(noticing, token) == []
    viewer = noticing.viewer(token)
    assert viewer["standingNotice"] == {"version": third.version, "hash": third.digest, "agreed": False}
    shown = noticing.post("{ notices { version agreed } }", token=token, purpose="account_service").json()["data"]
    assert [one["agreed"] for one in shown["notices"]] == [False, False, True, False], "one yes"
    rows = said(as_owner(noticing, lambda owner: owner.fetch(WRITTEN)))
    assert all(came_of(row) == ("Mutation.acknowledgeNotice", "DONE", None) for row in rows[-2:])
    assert rows[-1]["persons"] == rows[-2]["persons"] != [], "whose notice it was is on record"


def test_c75_what_was_agreed_to_stays_agreed_and_is_said_once(noticing):
    me = noticing.customer()
    second = noticing.version(MORE)
    for _ in range(2):
        assert noticing.says(me.token, second)["id"] == me.id
    assert [tuple(row)[1:] for row in noticing.rows(SAID, me.person)] == [(True, None)]
    found = noticing.says(me.token, second, agrees=False)
    assert (found["code"], found["clause"]) == ("NOTICE_AGREED", "C75")
    found = noticing.says(me.token, replace(second, mode="never published"))
    assert (found["code"], found["field"]) == ("NOTICE_UNKNOWN", "noticeHash")
    assert len(noticing.rows(SAID, me.person)) == 1


def test_c71_a_minor_alone_is_shown_a_notice_and_agrees_to_none_a_guardian_does(noticing):
    years = noticing.bundle.age_of_majority
    child, grown = noticing.customer(), noticing.customer()
    today = datetime.now(UTC).date()
    noticing.know(child.person, birthDate=(today - timedelta(days=365 * (years - 1))).isoformat())
    noticing.know(grown.person, birthDate=(today - timedelta(days=366 * years + 2)).isoformat())
    second = noticing.version(MORE)
    mother, stranger = noticing.guardian(child.person), noticing.guardian()
    found = noticing.says(child.token, second)
    assert (found["code"], found["clause"]) == ("MINOR_NEEDS_GUARDIAN", "C71")
    noticing.agree(mother, child.person, "account_service")
    assert noticing.says(child.token, second)["code"] == "MINOR_NEEDS_GUARDIAN", "that was agreed to before"
    assert noticing.says(child.token, second, agrees=False)["id"] == child.id
    assert pending(noticing, child.token) == []
    assert noticing.viewer(child.token)["standingNotice"]["version"] == FIRST.version
    assert noticing.says(stranger.token, second, user=child.id)["code"] == "NOT_FOUND"
    assert noticing.says(mother.token, second, user=child.id)["id"] == child.id
    assert [tuple(row)[1:] for row in noticing.rows(SAID, child.person)] == [(False, None), (True, mother.person)]
    assert noticing.viewer(child.token)["standingNotice"]["version"] == second.version
    assert noticing.says(grown.token, second)["id"] == grown.id


def test_c75_nobody_agrees_for_somebody_else(noticing):
    me, other = noticing.customer(), noticing.customer()
    second = noticing.version(MORE)
    assert noticing.says(other.token, second, user=me.id)["code"] == "NOT_FOUND"
    token = noticing.token("customer_service", purposes=["policy_service"])
    given_ = {"noticeHash": second.digest, "agrees": True, "user": me.id}
    found = noticing.write("acknowledgeNotice", given_, token=token, purpose="policy_service")
    assert found["code"] == "WRITE_DENIED"
    assert noticing.rows(SAID, me.person) == []


def test_who_is_no_person_stands_under_no_notice_and_has_none_to_acknowledge(noticing):
    noticing.version(MORE)
    for role, purpose in (("insurer", "policy_service"), ("auditor", "administration")):
        document = "{ viewer { pendingNotices { version } standingNotice { version } } }"
        token = noticing.token(role, purposes=[purpose])
        assert noticing.post(document, token=token).json()["data"]["viewer"] == {
            "pendingNotices": [],
            "standingNotice": None,
        }


def test_c75_c78_who_is_first_known_under_a_later_notice_has_agreed_to_nothing_and_may_refuse_or_agree(noticing):
    later = noticing.version(MORE)
    me, other = noticing.customer(), noticing.customer()
    ((number, agrees, guardian),) = noticing.rows(SAID, me.person)
    assert (agrees, guardian) == (None, None), "nobody said yes"
    under = {"version": later.version, "hash": later.digest, "agreed": False}
    assert noticing.viewer(me.token) == {
        "pendingNotices": [{**under, "major": True}],
        "standingNotice": under,
    }
    for _ in range(2):
        assert noticing.says(me.token, later, agrees=False)["id"] == me.id, "a refusal is taken"
    assert [tuple(row) for row in noticing.rows(SAID, me.person)] == [(number, None, None), (number, False, None)]
    assert noticing.viewer(me.token) == {"pendingNotices": [], "standingNotice": under}
    assert noticing.says(other.token, later)["id"] == other.id
    agreed = {**under, "agreed": True}
    assert noticing.viewer(other.token) == {"pendingNotices": [], "standingNotice": agreed}
    shown = noticing.post("{ notices { version agreed } }", token=other.token, purpose="account_service").json()
    assert [one["agreed"] for one in shown["data"]["notices"]] == [True, False], "nobody agreed to the first"
    assert noticing.says(other.token, later, agrees=False)["code"] == "NOTICE_AGREED"


def test_c78_who_is_first_known_under_a_minor_version_is_shown_that_one_and_what_is_major_after_it(noticing):
    noticing.version(MORE, days=-4)
    reworded = noticing.version(replace(MORE, summary="换了说法。"), major=False, days=-3)
    me = noticing.customer()
    noticing.version(replace(MORE, summary="又换了说法。"), major=False, days=-2)
    last = noticing.version(replace(MORE, controller="别人"), days=-1)
    assert pending(noticing, me.token) == [reworded.version, last.version]


def test_c71_c78_a_guardian_sees_what_a_ward_has_to_be_shown_and_nobody_else_does(noticing):
    child, other = noticing.customer(), noticing.customer()
    born = datetime.now(UTC).date() - timedelta(days=365 * 10)
    noticing.know(child.person, birthDate=born.isoformat())
    mother, stranger = noticing.guardian(child.person), noticing.guardian()
    second = noticing.version(MORE)
    document = (
        "query($id: ID!) { user(id: $id) { pendingNotices { version agreed functions { purpose } }"
        " standingNotice { version agreed } } }"
    )

    def told(token, who, purpose="account_service"):
        user = noticing.post(document, {"id": who}, token=token, purpose=purpose).json()["data"]["user"]
        return user and (user["pendingNotices"], user["standingNotice"])

    for token in (mother.token, child.token):
        pending_, standing_ = told(token, child.id)
        assert [(one["version"], one["agreed"]) for one in pending_] == [(second.version, False)]
        assert pending_[0]["functions"]
        assert standing_ == {"version": FIRST.version, "agreed": False}
    assert noticing.says(mother.token, second, user=child.id)["id"] == child.id
    assert told(mother.token, child.id) == ([], {"version": second.version, "agreed": True})
    assert told(stranger.token, child.id) is None
    assert told(other.token, child.id) is None
    assert noticing.rows("SELECT FROM ledger WHERE body LIKE '%User.pendingNotices%'"), "it is on record"
    ward = noticing.viewer(mother.token)
    assert ward["standingNotice"]["agreed"] is False, "her own is another"


def test_c78_of_a_notice_staff_who_see_a_person_are_not_told_what_they_said(noticing):
    noticing.version(MORE)
    token = noticing.token("customer_service", purposes=["policy_service"])
    document = "{ users(first: 3) { edges { node { id pendingNotices { version } standingNotice { version } } } } }"
    edges = noticing.post(document, token=token).json()["data"]["users"]["edges"]
    assert edges
    assert all((one["node"]["pendingNotices"], one["node"]["standingNotice"]) == (None, None) for one in edges)


def versions(majors) -> list[Version]:
    begins = datetime(2020, 10, 26, tzinfo=UTC)
    return [
        Version(number, f"v{number}", uuid4().hex, begins, major, {}, "")
        for number, major in enumerate(majors, start=1)
    ]


@given(majors=st.lists(st.booleans(), min_size=1, max_size=8), data=st.data())
def test_c75_one_stands_under_what_one_agreed_to_and_its_rewordings_and_under_nothing_else(majors, data):
    found = versions([True, *majors])
    agreed = data.draw(st.frozensets(st.integers(1, len(found))))
    shown = data.draw(st.integers(max(agreed, default=0), len(found)))
    known = data.draw(st.integers(0, len(found)))
    by = Said(agreed, shown, known)
    stands = stands_under(found, by)
    begins = max(1, known, *agreed)
    assert stands.number >= begins
    between = found[begins : stands.number]
    assert not any(one.major for one in between), "nothing major comes without a yes"
    assert stands.number == len(found) or found[stands.number].major, "the latest of its rewordings"
    to_show = [one.number for one in still_to_show(found, by)]
    asked = {one.number for one in found if one.major and one.number > known} | {known}
    assert to_show == sorted(number for number in asked if number > max(shown, 1))
