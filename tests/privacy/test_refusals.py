"""C20: who refuses marketing by messages or by calls is gone from every audience at once; consents stay."""

import asyncio

import pytest

from authz.reach import persons_within_reach
from authz.vocabulary import DataSubject
from authz.witnesses import situation_sql
from models.database import connect_once
from models.global_ids import NodeType, to_global
from models.vocabulary import Category, Purpose, Role
from schema.build import build_schema
from tests.privacy.world import agree, live, office_of, organization, page, partner, token_of
from tests.rules import default_snapshot

NODE = "query($id: ID!) { node(id: $id) { id ... on User { name virtualPhone tags } } user(id: $id) { id } }"
AFTER = "query($after: String!) { users(first: 5, after: $after) { edges { node { id } } } }"
MINE = "{ viewer { user { id marketingRefusals consents { edges { node { status } } } } } }"
ROLES = ("insurer", "health_provider", "affiliate")


def refuse(office, who, channel, *, refused=True, **user):
    given = {"channel": channel, "refused": refused, **user}
    show = "... on User { id marketingRefusals }"
    return office.write("refuseMarketing", given, token=who.token, purpose="account_service", show=show)


def reached(office, code):
    which = organization(office, code)

    async def count():
        connection = await connect_once(office.database.application)
        try:
            return await persons_within_reach(connection.fetch, which)
        finally:
            await connection.close()

    return asyncio.run(count())


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("channel", ["SMS", "CALL"])
def test_c20_who_refuses_a_channel_is_gone_from_the_next_read_on_also_in_the_middle_of_being_paged(
    bundled, role, channel
):
    office = office_of(bundled.server)
    code = partner(office, role)
    token, people = token_of(office, role, code), [office.customer() for _ in range(3)]
    for one in people:
        agree(office, one.person, code)
    shown = office.post("{ users(first: 2) { edges { cursor node { id } } } }", token=token).json()["data"]["users"]
    first, cursor = shown["edges"][0]["node"]["id"], shown["edges"][0]["cursor"]
    (later,) = [one["id"] for one in page(office, token) if one["id"] not in [e["node"]["id"] for e in shown["edges"]]]
    assert reached(office, code) == 3
    found = {}
    for one in people:
        before = {other["id"] for other in page(office, token)}
        assert refuse(office, one, channel)["marketingRefusals"] == [channel]
        gone = before - {other["id"] for other in page(office, token)}
        assert len(gone) == 1, "exactly who refused, at once"
        found[gone.pop()] = one
        assert live(office, one.person, code) == []
    assert reached(office, code) == 0
    for named in (first, later):
        assert office.post(NODE, {"id": named}, token=token).json()["data"] == {"node": None, "user": None}
    assert office.post(AFTER, {"after": cursor}, token=token).json()["data"]["users"]["edges"] == []
    assert refuse(office, found[later], channel, refused=False)["marketingRefusals"] == []
    (back,) = office.post(AFTER, {"after": cursor}, token=token).json()["data"]["users"]["edges"]
    assert back["node"]["id"] == later
    assert len(live(office, found[later].person, code)) == 1


def test_c20_both_channels_are_apart_and_both_have_to_be_allowed(bundled):
    office = office_of(bundled.server)
    code, me = partner(office, "insurer"), office.customer()
    agree(office, me.person, code)
    token = token_of(office, "insurer", code)
    assert refuse(office, me, "SMS")["marketingRefusals"] == ["SMS"]
    assert refuse(office, me, "SMS")["marketingRefusals"] == ["SMS"], "said again, it is the same"
    assert refuse(office, me, "CALL")["marketingRefusals"] == ["CALL", "SMS"]
    assert refuse(office, me, "SMS", refused=False)["marketingRefusals"] == ["CALL"]
    assert page(office, token) == []
    mine = office.post(MINE, token=me.token, purpose="account_service").json()["data"]["viewer"]["user"]
    assert mine["marketingRefusals"] == ["CALL"]
    assert [one["node"]["status"] for one in mine["consents"]["edges"]] == ["ACTIVE"], "consents stay as they are"
    refuse(office, me, "CALL", refused=False)
    assert len(page(office, token)) == 1


def test_c20_the_brokerages_own_marketers_lose_them_as_well(bundled):
    office = office_of(bundled.server)
    me = office.customer()
    agree(office, me.person, None)
    assert len(live(office, me.person, None)) == 1
    token = office.token("marketer", purposes=["marketing"])
    ids = "SELECT audience_id FROM consent WHERE person_id = $1"
    named = {"id": to_global(NodeType.AUDIENCE_USER, office.rows(ids, me.person)[0][0])}
    assert office.post(NODE, named, token=token).json()["data"]["node"]["virtualPhone"]
    refuse(office, me, "SMS")
    assert office.post(NODE, named, token=token).json()["data"] == {"node": None, "user": None}
    assert live(office, me.person, None) == []


def test_c20_other_purposes_go_on(bundled):
    office = office_of(bundled.server)
    code, me = partner(office, "affiliate"), office.customer()
    office.know(me.person, name="王小明")
    agree(office, me.person, code)
    agree(office, me.person, code, purpose="verification", categories=[Category.NAME])
    refuse(office, me, "SMS")
    refuse(office, me, "CALL")
    token = token_of(office, "affiliate", code, "marketing", "verification")
    ask = "{ users(first: 5) { edges { node { name } } } }"
    for purpose, names in (("marketing", []), ("verification", ["王小明"])):
        found = office.post(ask, token=token, purpose=purpose).json()["data"]["users"]["edges"]
        assert [one["node"]["name"] for one in found] == names


def test_c20_a_guardian_refuses_for_a_ward_and_nobody_else_does_or_knows(bundled):
    office = office_of(bundled.server)
    child, stranger = office.customer(), office.customer()
    office.know(child.person, birthDate="2020-05-05")
    guardian = office.guardian(child.person)
    assert refuse(office, guardian, "CALL", user=child.id)["marketingRefusals"] == ["CALL"]
    (row,) = office.rows("SELECT said_by FROM marketing_refusal WHERE person_id = $1", child.person)
    assert row[0] == guardian.person
    found = refuse(office, stranger, "CALL", refused=False, user=child.id)
    assert (found["code"], found["field"]) == ("NOT_FOUND", "user")
    token = office.token("customer_service", purposes=["policy_service"])
    demo = "{ users(first: 3) { edges { node { marketingRefusals } } } }"
    edges = office.post(demo, token=token).json()["data"]["users"]["edges"]
    assert {one["node"]["marketingRefusals"] for one in edges} == {None}


def test_c20_a_guardian_takes_back_what_a_guardian_said_and_never_the_childs_own_word(bundled):
    office = office_of(bundled.server)
    child = office.customer()
    office.know(child.person, birthDate="2016-05-05")
    guardian = office.guardian(child.person)
    assert refuse(office, guardian, "CALL", user=child.id)["marketingRefusals"] == ["CALL"]
    assert refuse(office, child, "CALL")["marketingRefusals"] == ["CALL"], "each says it for themselves"
    assert refuse(office, guardian, "CALL", refused=False, user=child.id)["marketingRefusals"] == ["CALL"]
    assert refuse(office, child, "CALL", refused=False)["marketingRefusals"] == []
    kept = (
        "SELECT said_by, allowed_by, allowed_at IS NULL FROM marketing_refusal WHERE person_id = $1 ORDER BY refused_at"
    )
    said = [tuple(row) for row in office.rows(kept, child.person)]
    assert said == [(guardian.person, guardian.person, False), (None, None, False)], "what was said stays"
    assert refuse(office, child, "CALL")["marketingRefusals"] == ["CALL"]
    assert len(office.rows(kept, child.person)) == 3


@pytest.mark.parametrize("role, org, purpose", [("insurer", "INS01", "marketing"), ("marketer", None, "marketing")])
def test_c20_no_recipient_refuses_or_allows_for_anybody(bundled, role, org, purpose):
    office = office_of(bundled.server)
    me = office.customer()
    token = office.token(role, org=org, purposes=[purpose])
    given = {"channel": "SMS", "refused": False, "user": me.id}
    assert office.write("refuseMarketing", given, token=token, purpose=purpose)["code"] == "WRITE_DENIED"


def test_c20_no_consent_of_who_refuses_witnesses_anything_even_if_their_row_were_found(bundled):
    office = office_of(bundled.server)
    me = office.customer()
    agree(office, me.person, None)
    compiled = default_snapshot(build_schema()).slice(Role.MARKETER, Purpose.MARKETING)
    (mask,) = situation_sql(compiled, "person", of=DataSubject.USER).masks
    tied = f"SELECT {mask.sql} FROM person t WHERE t.id = $1"  # noqa: S608 - our own SQL
    assert office.rows(tied, me.person)[0][0]
    refuse(office, me, "CALL")
    assert office.rows(tied, me.person)[0][0] is None
