"""Audiences: no raw phone, no bulk page, no filter, no enumeration; campaigns narrow them by tags (C20, C21, C37)."""

from datetime import UTC, datetime, timedelta

import pytest

from models.vocabulary import Category
from privacy.campaigns import LEAST_AUDIENCE
from resolvers.serving.settings import Settings
from tests.privacy.conftest import LEAST
from tests.privacy.test_refusals import ROLES
from tests.privacy.world import agree, audience, live, office_of, page, partner, tagged, token_of

PAGE = 10
CAMPAIGN = "... on CampaignStanding { id opensAt closesAt endedAt }"
LISTED = "{ campaigns(first: 50) { edges { node { id tags recipient { code } endedAt } } } }"


def marketer(office, name="marketer01"):
    return office.token("marketer", user=name, purposes=["marketing"])


def opened(office, code, *tags, days=1, **given):
    until = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    wanted = {"recipient": code, "tags": list(tags), "until": until, **given}
    return office.write("openCampaign", wanted, token=marketer(office), purpose="marketing", show=CAMPAIGN)


def ended(office, campaign):
    given = {"campaign": campaign}
    return office.write("endCampaign", given, token=marketer(office), purpose="marketing", show=CAMPAIGN)


def ids(nodes):
    return {one["id"] for one in nodes}


@pytest.mark.parametrize("role", ROLES)
def test_c21_a_campaign_narrows_its_recipients_audience_to_those_with_one_of_its_tags(bundled, role):
    office = office_of(bundled.server)
    code, other = partner(office, role), partner(office, role)
    audience(office, LEAST, code, "旅行", "健身")
    outside = audience(office, 2, code, "理财")
    agree(office, outside[0].person, other)
    token, foreign = token_of(office, role, code), token_of(office, role, other)
    campaign = opened(office, code, "旅行", " 健身 ")["id"]
    met = page(office, token, campaign)
    assert len(met) == LEAST
    assert all(one["virtualPhone"] for one in met)
    assert page(office, foreign, campaign) == [], "a foreign campaign is as an unknown one"
    assert (
        office.post('{ users(campaign: "nonsense") { edges { cursor } } }', token=token).json()["errors"][0][
            "extensions"
        ]["code"]
        == "BAD_ID"
    )
    assert page(office, marketer(office), campaign) == [], "it is not the brokerage's"
    # One fewer, and nobody is shown: by a refusal, a withdrawal, or an end.
    gone = office.rows(
        "SELECT person_id FROM consent WHERE recipient_id = (SELECT id FROM organization WHERE code = $1)"
        " ORDER BY granted_at LIMIT 1",
        code,
    )[0][0]
    insert = "INSERT INTO marketing_refusal (person_id, channel, refused_at) VALUES ($1, 'SMS', now())"
    office.execute(insert, gone)
    assert page(office, token, campaign) == []
    office.execute("DELETE FROM marketing_refusal WHERE person_id = $1", gone)
    assert len(page(office, token, campaign)) == LEAST
    assert ended(office, campaign)["endedAt"]
    assert page(office, token, campaign) == []


def test_c21_a_campaign_says_nothing_of_tags_that_a_consent_leaves_out(bundled):
    office = office_of(bundled.server)
    code = partner(office, "insurer")
    audience(office, LEAST, code, "旅行")
    wary = office.customer()
    tagged(office, wary.person, "旅行")
    agree(office, wary.person, code, categories=[Category.NAME, Category.RELAY])
    token = token_of(office, "insurer", code)
    campaign = opened(office, code, "旅行")["id"]
    listed = office.post(
        "query($id: ID) { users(first: 10, campaign: $id) { edges { node { tags } } pageInfo { hasNextPage } } }",
        {"id": campaign},
        token=token,
    ).json()["data"]["users"]
    assert [one["node"]["tags"] for one in listed["edges"]] == [["旅行"]] * LEAST
    assert listed["pageInfo"]["hasNextPage"] is False, "the eleventh has the tag and is not told by it"


def test_c20_only_the_brokerages_marketers_open_campaigns_and_know_their_tags(bundled):
    office = office_of(bundled.server)
    code = partner(office, "insurer")
    made = opened(office, code, "旅行")
    nodes = [e["node"] for e in office.post(LISTED, token=marketer(office)).json()["data"]["campaigns"]["edges"]]
    assert {"id": made["id"], "tags": ["旅行"], "recipient": {"code": code}, "endedAt": None} in nodes
    for role, org in (("insurer", code), ("analyst", None), ("customer_service", None)):
        purposes = {"insurer": "marketing", "analyst": "analytics", "customer_service": "policy_service"}
        token = office.token(role, org=org, purposes=[purposes[role]])
        assert office.post(LISTED, token=token).json()["data"] == {"campaigns": None}
        given = {"tags": ["旅行"], "until": "2030-01-01T00:00:00Z"}
        refused = office.write("openCampaign", given, token=token, purpose=purposes[role])
        assert refused["code"] == "WRITE_DENIED"
        refused = office.write("endCampaign", {"campaign": made["id"]}, token=token, purpose=purposes[role])
        assert refused["code"] == "WRITE_DENIED"


@pytest.mark.parametrize(
    "given, code",
    [
        ({"recipient": "NOBODY"}, "RECIPIENT_UNKNOWN"),
        ({"recipient": "SVC01"}, "RECIPIENT_UNKNOWN"),
        ({"tags": []}, "TAGS_INVALID"),
        ({"tags": ["x" * 41]}, "TAGS_INVALID"),
        ({"tags": [f"t{number}" for number in range(21)]}, "TAGS_INVALID"),
        ({"tags": ["\u0007"]}, "TAGS_INVALID"),
        ({"until": "2020-01-01T00:00:00Z"}, "TIMES_INVALID"),
        ({"from": "2031-01-01T00:00:00Z", "until": "2033-01-01T00:00:00Z"}, "TIMES_INVALID"),
        ({"until": "2027-06-01T00:00:00"}, "TIMES_INVALID"),
        ({"from": "2026-12-01T00:00:00"}, "TIMES_INVALID"),
        ({"from": "9999-12-31T00:00:00Z", "until": "9999-12-31T23:59:59Z"}, "TIMES_INVALID"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "TIMES_INVALID"),
    ],
)
def test_a_campaign_that_cannot_be_is_refused_with_what_to_do(bundled, given, code):
    office = office_of(bundled.server)
    wanted = {"tags": ["旅行"], "until": (datetime.now(UTC) + timedelta(days=1)).isoformat(), **given}
    refused = office.write("openCampaign", wanted, token=marketer(office), purpose="marketing")
    assert (refused["code"], refused["clause"]) == (code, "C21")


def refusal(office, document, token, **variables):
    """Code of the first error, or what came instead."""
    body = office.post(document, variables, token=token, purpose="marketing").json()
    return body["errors"][0]["extensions"]["code"] if body.get("errors") else body["data"]


def _two(office, role, code):
    """Tokens of a recipient, and of another one."""
    if role == "marketer":
        return marketer(office), token_of(office, "insurer", partner(office, "insurer"))
    return token_of(office, role, code), token_of(office, role, partner(office, role))


@pytest.mark.parametrize("role", [*ROLES, "marketer"])
def test_c21_c37_no_raw_phone_no_bulk_page_no_filter_no_enumeration(bundled, role):
    office = office_of(bundled.server)
    code = None if role == "marketer" else partner(office, role)
    people = audience(office, LEAST + 2, code, f"raw-{role}")
    campaign = opened(office, code, f"raw-{role}")["id"]
    token, _ = _two(office, role, code)
    # No raw phone: under aliases, in fragments, through node and user, with a campaign or without.
    named = page(office, token, campaign)[0]
    raw = (
        "fragment Raw on User { a: phone b: phone idNumber email address bankCard username birthDate policies(first: 1)"
        " { totalCount edges { node { id } } } }"
        " query($id: ID!, $c: ID) { node(id: $id) { ... on User { ...Raw } } user(id: $id) { ...Raw }"
        " users(first: 2, campaign: $c) { totalCount edges { node { ...Raw } } } }"
    )
    body = office.post(raw, {"id": named["id"], "c": campaign}, token=token, purpose="marketing").json()
    found = body["data"]
    for one in (found["node"], found["user"], *(edge["node"] for edge in found["users"]["edges"])):
        assert one.pop("policies") == {"totalCount": None, "edges": []}
        assert set(one.values()) == {None}
    assert found["users"]["totalCount"] is None
    assert {one.phone for one in people}.isdisjoint(str(body))
    # No bulk page, from either end.
    for size in ("first: 11", "last: 11", "first: 100"):
        for more in ("", ", campaign: $c"):
            declared = "query($c: ID)" if more else ""
            document = f"{declared} {{ users({size}{more}) {{ edges {{ cursor }} }} }}"
            assert refusal(office, document, token, **({"c": campaign} if more else {})) == "LIMIT_EXCEEDED"
    # No filter and no order.
    for by in (f'phone: "{people[0].phone}"', 'idNumber: "110101198803140011"'):
        for more in ("", f', campaign: "{campaign}"'):
            assert (
                refusal(office, f"{{ users(first: 1, {by}{more}) {{ edges {{ cursor }} }} }}", token) == "FILTER_DENIED"
            )
    for no in ("orderBy: CREATED", 'tags: ["x"]', 'tag: "x"', 'name: "x"', "offset: 10"):
        document = f"{{ users(first: 1, {no}) {{ edges {{ cursor }} }} }}"
        assert refusal(office, document, token) == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize("role", [*ROLES, "marketer"])
def test_c21_c37_what_others_were_given_leads_nowhere(bundled, role):
    office = office_of(bundled.server)
    code = None if role == "marketer" else partner(office, role)
    people = audience(office, LEAST, code, f"kept-{role}")
    campaign = opened(office, code, f"kept-{role}")["id"]
    token, other = _two(office, role, code)
    named = page(office, token, campaign)[0]
    edges = "query($a: String, $c: ID) { users(first: 2, after: $a, campaign: $c) { edges { cursor } } }"
    before = "query($a: String) { users(last: 2, before: $a) { edges { cursor } } }"
    cursor = office.post(edges, {"c": campaign}, token=token, purpose="marketing").json()["data"]["users"]["edges"][0]
    for document in (edges, before):
        assert refusal(office, document, other, a=cursor["cursor"]) == "BAD_CURSOR"
        assert refusal(office, document, token, a="made-up") == "BAD_CURSOR"
    one = "query($id: ID!) { node(id: $id) { id } user(id: $id) { id } }"
    for asker, which in ((other, named["id"]), (token, people[0].id)):
        assert refusal(office, one, asker, id=which) == {"node": None, "user": None}
    # And each is known to two recipients under two ids.
    if code is not None:
        second = partner(office, role)
        agree(office, people[0].person, second)
        theirs = ids(page(office, token_of(office, role, second)))
        assert theirs.isdisjoint(ids(page(office, token)) | ids(page(office, token, campaign)))
        assert len(live(office, people[0].person, second)) == 1


def test_a_campaign_is_nothing_outside_marketing(bundled):
    office = office_of(bundled.server)
    campaign = opened(office, "INS01", "旅行")["id"]
    token = office.token("insurer", org="INS01", purposes=["policy_service"])
    document = "query($c: ID) { users(first: 5, campaign: $c) { totalCount edges { cursor } } }"
    found = office.post(document, {"c": campaign}, token=token).json()["data"]["users"]
    assert found == {"totalCount": 0, "edges": []}


def test_the_demo_data_have_tags_that_campaigns_meet(bundled):
    office = office_of(bundled.server)
    (most,) = office.rows(
        'SELECT count(*) FROM blind_index b JOIN consent c ON c.person_id = b.person_id WHERE b."column" = 6'
        " AND c.purpose = 'marketing' AND c.recipient_id IS NULL AND c.withdrawn_at IS NULL"
    )
    assert most[0] > PAGE
    campaign = opened(office, None, "有车", "有房", "新客户", "老客户", "旅行达人")["id"]
    assert len(page(office, marketer(office), campaign)) == PAGE


@pytest.mark.parametrize("role", [*ROLES, "marketer"])
def test_c21_whoever_may_not_read_tags_is_told_nothing_by_a_campaign(bundled, role):
    office = office_of(bundled.server)
    code = None if role == "marketer" else partner(office, role)
    audience(office, LEAST, code, f"secret-{role}")
    campaign = opened(office, code, f"secret-{role}")["id"]
    token = office.token(role, org=code, purposes=["marketing"], categories=["name", "relay"])
    ask = "query($c: ID) { users(first: 5, campaign: $c) { edges { cursor } } }"
    assert refusal(office, ask, token, c=campaign) == "FILTER_DENIED"
    assert len(page(office, token_of(office, role, code), campaign)) == LEAST


def test_c21_who_may_not_read_tags_opens_no_campaign(bundled):
    office = office_of(bundled.server)
    token = office.token("marketer", purposes=["marketing"], categories=["name"])
    given = {"tags": ["旅行"], "until": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    refused = office.write("openCampaign", given, token=token, purpose="marketing")
    assert (refused["code"], refused["reason"]) == ("WRITE_DENIED", "TOKEN_SCOPE")


def test_c21_a_rare_tag_beside_a_common_one_singles_nobody_out(bundled):
    office = office_of(bundled.server)
    code = partner(office, "insurer")
    audience(office, LEAST, code, "旅行")
    audience(office, 1, code, "罕见病")
    token = token_of(office, "insurer", code)
    met = [ids(page(office, token, opened(office, code, *tags)["id"])) for tags in (["旅行"], ["旅行", "罕见病"])]
    assert len(met[0]) == LEAST
    assert met[0] == met[1]
    assert page(office, token, opened(office, code, "罕见病")["id"]) == []
    assert Settings.read({}).audience_least == LEAST_AUDIENCE == PAGE, "and unless another is set, it is ten"
