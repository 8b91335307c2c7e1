"""What the law keeps from a person for a time; and who got their data, told to them and nobody else (C25, C33, C64)."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from models.database import connect_once
from models.vocabulary import Category
from privacy.bundles import BundleName
from privacy.disclosure_job import DISCLOSURES
from privacy.jobs import Turn
from tests.privacy.disclosing import Disclosing, in_days, row_of
from tests.privacy.test_disclosures import code, until
from tests.privacy.world import agree, office_of, partner, token_of

HISTORY = """query($first: Int!, $after: String) { viewer { user { accessHistory(first: $first, after: $after) {
totalCount edges { node { role revealed changed under { kind } } } pageInfo { hasNextPage endCursor } } } } }"""
RECIPIENTS = "{ recipients { name organization { code } grounds purposes categories coordinates times } }"


@pytest.fixture(scope="module")
def desk(_bundled) -> Disclosing:
    return Disclosing(office_of(_bundled(BundleName.SEED).server))


def day(days):
    return (datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(days=days)).date().isoformat()


def history(desk, person, first=50):
    """All pages of somebody's history of access."""
    found, after = [], None
    while True:
        given = {"first": first, "after": after}
        answer = desk.office.post(HISTORY, given, token=person.token, purpose="account_service").json()
        page = answer["data"]["viewer"]["user"]["accessHistory"]
        assert page["totalCount"] is None
        found += [edge["node"] for edge in page["edges"] if edge["node"]["role"] == "PRIVACY_OFFICER".lower()]
        if not page["pageInfo"]["hasNextPage"]:
            return found, page
        assert len(page["edges"]) == first, "a page is full, whatever is left out of it"
        after = page["pageInfo"]["endCursor"]


def disclosed(desk, person, **more):
    """A case that was opened, approved and read, as far as the ledger has it; and closed."""
    case = desk.approved(person, **more)
    assert desk.read(person) == {"name"}
    desk.write("closeDisclosureCase", {"id": case["id"]})

    def report():
        return desk.office.operate("disclosures", "report", str(row_of(case)))

    until(report, lambda one: one["answers"] == 1)
    return case


def test_c25_a_secret_inquiry_stands_nowhere_until_its_day_and_everywhere_from_then_on(desk):
    person = desk.person()
    disclosed(desk, person, authority="公开的法院")
    told, _ = until(lambda: history(desk, person), lambda found: len(found[0]) == 4)
    case = disclosed(desk, person, authority="秘密的侦查机关", secrecy={"until": day(30), "ground": "刑事诉讼法"})
    for first in (1, 2, 3, 50):
        assert history(desk, person, first)[0] == told, "pages and cursors betray nothing"
    names = {one["name"] for one in desk.own(person, RECIPIENTS)["recipients"]}
    assert names == {"公开的法院"}
    ends = "UPDATE disclosure_case SET secret_until = now() WHERE id = $1"
    desk.office.execute(ends, row_of(case))
    assert len(history(desk, person)[0]) == 8
    assert history(desk, person, 2)[0] == history(desk, person)[0]
    shown = [one for one in history(desk, person)[0] if one["revealed"]]
    assert [one["under"] for one in shown] == [[{"kind": "CASE"}]] * 2
    names = {one["name"] for one in desk.own(person, RECIPIENTS)["recipients"]}
    assert names == {"公开的法院", "秘密的侦查机关"}


@pytest.mark.parametrize(
    "more, refused",
    [
        ({"secrecy": {"until": day(400), "ground": "刑事诉讼法"}}, ("EXPIRY_INVALID", "secrecy.until")),
        ({"secrecy": {"until": day(-1), "ground": "刑事诉讼法"}}, ("EXPIRY_INVALID", "secrecy.until")),
        (
            {
                "kind": "PROTECTION",
                "justification": "抢险",
                "document": None,
                "expiresAt": in_days(3),
                "secrecy": {"until": day(3), "ground": "刑事诉讼法"},
            },
            ("ITEM_INVALID", "secrecy"),
        ),
    ],
)
def test_c25_only_what_an_authority_or_court_asks_for_is_secret_and_for_a_year_at_most(desk, more, refused):
    assert code(desk.open(desk.person(), **more)) == refused


def test_c64_a_person_sees_everybody_who_got_or_may_get_their_data_and_nobody_elses(desk):
    person, other = desk.person(), desk.person()
    new = partner(desk.office, "affiliate")
    agree(desk.office, person.person, new, categories=[Category.NAME], purpose="verification")
    (before,) = desk.own(person, RECIPIENTS)["recipients"]
    assert (before["organization"], before["grounds"], before["times"]) == ({"code": new}, ["CONSENT"], 0)
    query = "query($id: ID!) { user(id: $id) { name phone } }"
    token = token_of(desk.office, "affiliate", new, "verification")
    answer = desk.office.post(query, {"id": person.id}, token=token, purpose="verification").json()
    assert answer["data"]["user"]["name"] == "周清清"
    (after,) = until(
        lambda: desk.own(person, RECIPIENTS)["recipients"], lambda found: bool(found) and found[0]["times"] == 1
    )
    assert after == {**before, "coordinates": ["User.name"], "times": 1}
    assert (after["categories"], after["purposes"]) == (["NAME"], ["VERIFICATION"])
    assert desk.own(other, RECIPIENTS)["recipients"] == []
    others = f'{{ recipients(user: "{person.id}") {{ name }} }}'
    assert desk.own(other, others)["recipients"] is None
    officer = desk.office.token("privacy_officer", user=desk.officers[0][1], purposes=["rights_request"])
    asked = {"token": officer, "purpose": "rights_request"}
    assert desk.office.post(others, **asked).json()["data"]["recipients"] is None, "no request of theirs is in hand"
    desk.office.execute(
        "WITH r AS (INSERT INTO rights_request (id, person_id, requester_id, kind, opened_at)"
        " VALUES (gen_random_uuid(), $1, $1, 'access', now()) RETURNING id) INSERT INTO assignment"
        " (id, staff_id, rights_request_id, assigned_at) SELECT gen_random_uuid(), $2, id, now() FROM r",
        *(person.person, desk.officers[0][0]),
    )
    assert desk.office.post(others, **asked).json()["data"]["recipients"] == [{"name": new}]
    guardian = desk.office.guardian(person.person)
    ward = desk.office.post(others, token=guardian.token, purpose="account_service").json()
    assert ward["data"]["recipients"] is None, "a child of age is nobody's ward"


def test_c25_officers_are_reminded_once_a_day_by_numbers_only_and_of_an_ended_secrecy_once(desk):
    waiting, ending = desk.open(desk.person()), desk.approved(desk.person(), expiresAt=in_days(3))
    secret = desk.approved(desk.person(), secrecy={"until": day(2), "ground": "刑事诉讼法"})
    heard = []

    async def turn(days):
        connection = await connect_once(desk.office.database.owner)
        try:
            now = datetime.now(UTC) + timedelta(days=days)
            given = SimpleNamespace()
            sound = lambda alarm, **details: heard.append((alarm, details))  # noqa: E731 - as short as it is
            found = await DISCLOSURES.work(Turn(connection, given, given, given, now, sound))  # type: ignore[arg-type]
        finally:
            await connection.close()
        return found

    asyncio.run(turn(-1))
    heard.clear()
    first = asyncio.run(turn(2.5))
    assert min(first["unreviewed"], first["expiring"], first["secrecy_ended"]) >= 1
    assert {alarm: details["cases"] for alarm, details in heard} == {
        "DISCLOSURES_UNREVIEWED": first["unreviewed"],
        "DISCLOSURES_EXPIRING": first["expiring"],
        "DISCLOSURE_SECRECY_ENDED": first["secrecy_ended"],
    }
    assert not any(asyncio.run(turn(2.5)).values()), "once a day"
    assert asyncio.run(turn(3.6))["secrecy_ended"] == 0
    for case in (waiting, ending, secret):
        desk.write("closeDisclosureCase", {"id": case["id"]})
