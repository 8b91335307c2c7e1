"""Without a token registered operations run, found by hash before anything is parsed, and show nobody (C07, C79)."""

import hashlib
import json
from urllib.parse import urlencode

import pytest

from authz.commands import OperatorRefusedError
from resolvers.registered import house_documents
from tests.accounts.conftest import HOUSE
from tests.conftest import run_cli
from tests.plain import lines

NOTICE = HOUSE["CurrentNotice"]
UNKNOWN = "0" * 64


def code(response):
    return response.json()["errors"][0]["extensions"]["code"]


def register(desk, name, document):
    path = desk.data_dir.parent / f"{name}.graphql"
    path.write_text(document)
    (made,) = desk.operate("operations", "register", str(path))
    assert made["name"] == name
    return made["hash"]


def forms(found, text=None):
    """The ways to name a document."""
    persisted = {"persistedQuery": {"version": 1, "sha256Hash": found}}
    named = [
        {"documentId": f"sha256:{found}"},
        {"documentId": f"sha256:{found.upper()}"},
        {"extensions": persisted},
        {"documentId": f"sha256:{found}", "extensions": persisted},
    ]
    return [*named, {"query": text}, {"query": text, "extensions": persisted}] if text else named


@pytest.mark.parametrize("body", forms(NOTICE, house_documents()[NOTICE]))
def test_anybody_reads_the_current_notice_in_each_form(desk, body):
    response = desk.post(body)
    assert response.status_code == 200
    assert response.json()["data"]["currentNotice"]["version"] == "2020-10-26"


def test_anybody_browses_products_page_by_page(desk):
    first = desk.registered("Products", {"first": 2}).json()["data"]["products"]
    rest = desk.registered("Products", {"first": 2, "after": first["pageInfo"]["endCursor"]}).json()["data"]["products"]
    codes = [edge["node"]["code"] for edge in first["edges"] + rest["edges"]]
    assert len(set(codes)) == 4
    assert first["edges"][0]["node"]["insurer"]["name"]


@pytest.mark.parametrize("body", forms(NOTICE))
def test_queries_are_found_by_get_as_well(desk, body):
    parameters = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
    response = desk.client.get(f"{desk.url}?{urlencode(parameters)}")
    assert response.json()["data"]["currentNotice"]["version"]


def test_a_token_may_name_documents_too_and_is_itself(desk):
    customer = desk.customer()
    found = register(desk, "who", "{ viewer { role user { username } } }")
    for body in forms(found):
        assert desk.post(body).json()["data"]["viewer"] == {"role": "anonymous", "user": None}
        answer = desk.post(body, token=customer.access, X_Purpose="account_service").json()
        assert answer["data"]["viewer"] == {"role": "customer", "user": {"username": customer.username}}


@pytest.mark.parametrize("body", forms(UNKNOWN))
@pytest.mark.parametrize("known", [False, True])
def test_an_unknown_hash_is_not_registered(desk, body, known):
    response = desk.post(body, token=desk.customer().access if known else None)
    assert (response.status_code, code(response)) == (403, "OPERATION_NOT_REGISTERED")


@pytest.mark.parametrize(
    "document", ["{ currentNotice { version } }", "{", "{ nothing }", "", "mutation { logOut { __typename } }"]
)
def test_any_other_document_needs_a_token_whatever_it_is(desk, document):
    response = desk.post({"query": document})
    assert (response.status_code, code(response)) == (401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"].startswith('Bearer realm="needful", DPoP realm="needful"')


def test_a_bad_token_is_refused_for_registered_operations_too(desk):
    assert desk.post({"documentId": f"sha256:{NOTICE}"}, token="x").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": NOTICE}, {"documentId": "sha256:12"}, {"documentId": 1}, {"documentId": f"md5:{NOTICE}"},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": NOTICE}}},
        {"extensions": {"persistedQuery": {"version": 1}}}, {"extensions": {"persistedQuery": "x"}},
        {"documentId": f"sha256:{NOTICE}", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": UNKNOWN}}},
        {"documentId": f"sha256:{NOTICE}", "query": "{ viewer { role } }"},
        {"documentId": f"sha256:{NOTICE}", "query": 1},
    ],
)  # fmt: skip
@pytest.mark.parametrize("known", [False, True])
def test_what_names_no_document_or_two_is_a_bad_request(desk, body, known):
    response = desk.post(body, token=desk.customer().access if known else None)
    assert (response.status_code, code(response)) == (400, "BAD_REQUEST")


def test_no_registered_operation_shows_anything_of_anybody(desk):
    plain = lines(desk.data_dir.parent / "plain.jsonl")
    user, policy, claim = (plain[kind][0]["id"] for kind in ("User", "Policy", "Claim"))
    holder = next(one for one in plain["User"] if one["phone"])
    document = f"""query Everything {{
      viewer {{ role organization user {{ name }} sessions {{ id }} }}
      user(id: "{user}") {{ name phone idNumber }}
      node(id: "{user}") {{ id ... on User {{ name username }} }}
      policy(id: "{policy}") {{ policyNumber premium policyholder {{ name }} }}
      claim(id: "{claim}") {{ claimNumber diagnosis }}
      users(first: 100) {{ totalCount edges {{ node {{ id name phone }} }} }}
      policies(first: 100) {{ totalCount edges {{ node {{ id policyNumber }} }} }}
      claims(first: 100) {{ totalCount edges {{ node {{ id claimNumber }} }} }}
      beneficiaries(first: 100) {{ totalCount edges {{ node {{ id name }} }} }}
      consents(first: 100) {{ totalCount edges {{ node {{ id noticeVersion }} }} }}
    }}"""
    body = desk.post({"documentId": f"sha256:{register(desk, 'everything', document)}"}).json()
    nothing = {"totalCount": 0, "edges": []}
    assert body["data"] == {
        "viewer": {"role": "anonymous", "organization": None, "user": None, "sessions": []},
        **dict.fromkeys(("user", "node", "policy", "claim")),
        **dict.fromkeys(("users", "policies", "claims", "beneficiaries", "consents"), nothing),
    }
    by_phone = f'query ByPhone {{ users(phone: "{holder["phone"]}") {{ totalCount }} }}'
    response = desk.post({"documentId": f"sha256:{register(desk, 'by_phone', by_phone)}"})
    assert code(response) == "FILTER_DENIED"


def test_what_is_registered_is_found_at_once_by_every_worker(desk):
    document = "query Fresh { products(first: 1) { edges { node { code } } } }"
    found = hashlib.sha256(document.encode()).hexdigest()
    for url in (desk.url, *desk.others):
        assert code(desk.post({"documentId": f"sha256:{found}"}, url=url)) == "OPERATION_NOT_REGISTERED"
    path = desk.data_dir.parent / "fresh.graphql"
    path.write_text(document)
    made = run_cli("operations", "register", str(path), "--json", data_dir=desk.data_dir)
    assert json.loads(made.stdout) == [{"name": "fresh", "hash": found}]
    for url in (desk.url, *desk.others):
        assert desk.post({"documentId": f"sha256:{found}"}, url=url).json()["data"]["products"]["edges"]
    listed = {one["hash"]: one["name"] for one in desk.operate("operations", "list")}
    assert listed[found] == "fresh"
    assert {found: name for name, found in HOUSE.items()}.items() <= listed.items()


@pytest.mark.parametrize(
    "document",
    ["{", "{ nothing }", "{ a" + " a" * 3_000 + " }", "mutation { logOut { __typename } b: logOut { __typename } }"],
)
def test_only_valid_documents_within_the_limits_are_registered(desk, document):
    with pytest.raises(OperatorRefusedError) as refused:
        register(desk, "bad", document)
    assert len(str(refused.value).splitlines()) == 1
    found = hashlib.sha256(document.encode()).hexdigest()
    assert code(desk.post({"documentId": f"sha256:{found}"})) == "OPERATION_NOT_REGISTERED"


def test_a_mutation_is_registered_and_runs_by_post_only(desk):
    response = desk.client.get(f"{desk.url}?{urlencode({'documentId': 'sha256:' + HOUSE['LogIn']})}")
    assert (response.status_code, code(response)) == (405, "METHOD_NOT_ALLOWED")


def test_the_purpose_of_anonymous_callers_is_showing_products_whatever_they_name(desk):
    response = desk.registered("CurrentNotice", X_Purpose="marketing")
    assert response.json()["extensions"]["authorization"]["purpose"] == "product_display"
