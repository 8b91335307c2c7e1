"""Marketing over HTTP: small pages of an audience, which find nobody and lead nowhere else (C37)."""

import pytest

from tests.conftest import running_server
from tests.over_http import JSON, only_error, send


@pytest.fixture(scope="module")
def without_allowance(server, tmp_path_factory):
    """A second server on the same data, with a daily ceiling of nobody."""
    log = tmp_path_factory.mktemp("without_allowance") / "server.log"
    with running_server(server.data_dir, log, environment={"NEEDFUL_AUDIENCE_CEILING": "0"}) as url:
        yield f"{url}/graphql"


@pytest.fixture(scope="module", params=["marketer", "insurer", "health_provider", "affiliate"])
def marketer(request, server):
    return server.token(request.param, purposes=["marketing"])


def audience(server, token):
    document = "{ users { totalCount edges { cursor node { id name } } pageInfo { hasNextPage endCursor } } }"
    return send(server, document, token=token).json()["data"]["users"]


def test_c37_a_marketing_page_is_small_and_uncounted(server, marketer):
    page = audience(server, marketer)
    assert page["totalCount"] is None
    assert 0 < len(page["edges"]) <= 10
    error = only_error(send(server, "{ users(first: 11) { edges { cursor } } }", token=marketer))
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": "page", "max": 10, "actual": 11}


@pytest.mark.parametrize("name", ["phone", "idNumber"])
def test_c37_marketing_finds_nobody_by_a_value(server, marketer, name):
    response = send(server, f'{{ users({name}: "13800001111") {{ edges {{ cursor }} }} }}', token=marketer)
    assert response.status_code == 403
    assert only_error(response)["extensions"]["argument"] == name


def test_c37_marketing_ids_and_cursors_mean_nothing_elsewhere(server, marketer):
    page = audience(server, marketer)
    person, cursor = page["edges"][0]["node"]["id"], page["edges"][0]["cursor"]
    asked = "query($id: ID!) { user(id: $id) { id } node(id: $id) { id } }"
    own = send(server, asked, {"id": person}, token=marketer).json()["data"]
    assert own == {"user": {"id": person}, "node": {"id": person}}
    others = [server.token(role, purposes=["marketing"]) for role in ("insurer", "affiliate")]
    for other in {server.token("customer_service", purposes=["policy_service"]), *others} - {marketer}:
        assert send(server, asked, {"id": person}, token=other).json()["data"] == {"user": None, "node": None}
        after = send(server, "query($c: String) { users(after: $c) { edges { cursor } } }", {"c": cursor}, token=other)
        assert only_error(after)["extensions"]["code"] == "BAD_CURSOR"


def test_c37_marketing_sees_nothing_but_people(server, marketer):
    data = send(server, "{ policies { totalCount } claims { edges { cursor } } }", token=marketer).json()["data"]
    assert not data["policies"]["totalCount"]
    assert data["claims"]["edges"] == []


def test_beyond_the_daily_ceiling_marketing_is_told_when_to_come_back(server, without_allowance, marketer):
    response = send(server, "{ users { edges { node { name } } } }", token=marketer, url=without_allowance, accept=JSON)
    assert response.status_code == 429
    assert 0 < int(response.headers["retry-after"]) <= 86_400
    assert only_error(response)["extensions"] == {"code": "RATE_LIMITED"}


def test_one_person_of_an_audience_counts_as_well(server, without_allowance, marketer):
    page = send(server, "{ users(first: 1) { edges { node { id } } } }", token=marketer).json()
    person = page["data"]["users"]["edges"][0]["node"]["id"]
    for document in ("query($id: ID!) { user(id: $id) { name } }", "query($id: ID!) { node(id: $id) { id } }"):
        response = send(server, document, {"id": person}, token=marketer, url=without_allowance)
        assert only_error(response)["extensions"] == {"code": "RATE_LIMITED"}
