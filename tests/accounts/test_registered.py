"""Without a token registered operations run, found by hash before anything is parsed, and show nobody (C07, C79)."""

import hashlib
import json
from urllib.parse import urlencode

import pytest

from authz.commands import OperatorRefusedError
from cli import main
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


def test_c74_beside_each_product_stands_the_privacy_policy_of_whose_it_is(desk):
    def policies():
        edges = desk.registered("PoliciesOfOthers").json()["data"]["products"]["edges"]
        return {edge["node"]["insurer"]["code"]: edge["node"]["insurer"]["privacyPolicy"] for edge in edges}

    code = min(policies())
    desk.operate("partner", "policy", "--org", code, "--url", "https://insurer.example/privacy")
    assert policies()[code] == "https://insurer.example/privacy"


@pytest.mark.parametrize(
    "url", ["http://insurer.example/", "https://", "javascript:alert(1)", "https://a/" + "b" * 200]
)
def test_c74_a_link_that_is_no_address_of_https_is_refused(capsys, url):
    assert main(["partner", "policy", "--org", "INS01", "--url", url]) == 2
    assert "an address of https" in capsys.readouterr().err


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


# Of client teams.

REGISTER = """mutation($input: RegisterOperationInput!) { registerOperation(input: $input) { __typename
  ... on OperationRegistered { hash name team role purpose registeredAt } ... on Problem { code field message } } }"""
UNREGISTER = """mutation($input: UnregisterOperationInput!) { unregisterOperation(input: $input) { __typename
  ... on OperationUnregistered { hash name } ... on Problem { code field } } }"""
LISTED = """query($team: String, $after: String) { registeredOperations(team: $team, first: 4, after: $after) {
  edges { node { hash name team role purpose document } } pageInfo { hasNextPage endCursor } } }"""
CARD = "query CardPage { viewer { role } }"
OF_TEAM = {"team": "claims desk", "name": "CardPage", "document": CARD, "role": "claims_handler"}
OF_TEAM |= {"purpose": "CLAIM_HANDLING"}
WHOSE = ("team", "role", "purpose")


@pytest.fixture(scope="module")
def developer(desk):
    return token_of(desk, "developer")


def token_of(desk, role, purpose="administration"):
    made = run_cli("token", "--role", role, "--purpose", purpose, "--json", data_dir=desk.data_dir)
    return json.loads(made.stdout)["token"]


def written(desk, token, document, given, **more):
    answer = desk.post({"query": document, "variables": {"input": given}}, token=token, **more).json()
    return next(iter(answer["data"].values()))


def test_a_developer_registers_once_however_often_and_takes_back(desk, developer):
    first = written(desk, developer, REGISTER, OF_TEAM)
    assert (first["__typename"], first["hash"]) == ("OperationRegistered", hashlib.sha256(CARD.encode()).hexdigest())
    again = written(desk, developer, REGISTER, {**OF_TEAM, "name": "Card"})
    assert again == {**first, "name": "Card"}
    rows = "SELECT name FROM client_operation WHERE hash = $1"
    assert [row["name"] for row in desk.rows(rows, first["hash"])] == ["Card"]
    whose = {name: OF_TEAM[name] for name in WHOSE} | {"hash": first["hash"]}
    assert written(desk, developer, UNREGISTER, whose) == {
        "__typename": "OperationUnregistered", "hash": first["hash"], "name": "Card"
    }  # fmt: skip
    assert written(desk, developer, UNREGISTER, whose)["code"] == "OPERATION_UNKNOWN"
    told = [
        row["body"]["detail"]["operation"]
        for row in map(readable, desk.rows("SELECT body FROM ledger WHERE body::jsonb ->> 'kind' = 'RULES'"))
        if row["body"]["detail"].get("hash") == first["hash"]
    ]
    assert sorted(told) == ["REGISTERED", "REGISTERED", "UNREGISTERED"]


def test_only_who_registered_an_operation_or_the_operator_renames_it_or_takes_it_back(desk, developer):
    document = "query OfOthers { viewer { role } }"
    made = written(desk, developer, REGISTER, {**OF_TEAM, "document": document})
    whose = {name: OF_TEAM[name] for name in WHOSE} | {"hash": made["hash"]}
    desk.execute("UPDATE client_operation SET registered_by = 'somebody' WHERE hash = $1", made["hash"])
    renamed = {**OF_TEAM, "document": document, "name": "Old"}
    for mutation, given, field in ((REGISTER, renamed, "name"), (UNREGISTER, whose, "hash")):
        refused = written(desk, developer, mutation, given)
        assert (refused["code"], refused["field"]) == ("NOT_YOURS", field)
    again = written(desk, developer, REGISTER, {**OF_TEAM, "document": document})
    assert (again["__typename"], again["registeredAt"]) == ("OperationRegistered", made["registeredAt"])
    rows = "SELECT name, registered_by FROM client_operation WHERE hash = $1"
    assert [tuple(row.values()) for row in desk.rows(rows, made["hash"])] == [("CardPage", "somebody")]
    words = ("--team", "claims desk", "--role", "claims_handler", "--purpose", "claim_handling")
    path = desk.data_dir.parent / "named-by-the-operator.graphql"
    path.write_text(document)
    desk.operate("operations", "register", str(path), *words)
    assert [tuple(row.values()) for row in desk.rows(rows, made["hash"])] == [("named-by-the-operator", "somebody")]
    assert desk.operate("operations", "unregister", made["hash"], *words)[0]["name"] == "named-by-the-operator"
    assert desk.rows(rows, made["hash"]) == []


def readable(row):
    return {"body": json.loads(row["body"])}


def test_whoever_has_a_token_names_a_teams_document_by_hash_and_nobody_without_one_does(desk, developer):
    document = "query OfTeam { viewer { role } }"
    made = written(desk, developer, REGISTER, {**OF_TEAM, "document": document})
    customer = desk.customer()
    for body in forms(made["hash"]):
        answer = desk.post(body, token=customer.access, X_Purpose="account_service").json()
        assert answer["data"]["viewer"] == {"role": "customer"}
        assert code(desk.post(body)) == "OPERATION_NOT_REGISTERED"
    assert code(desk.post({"query": document})) == "UNAUTHENTICATED"
    whose = {name: OF_TEAM[name] for name in WHOSE} | {"hash": made["hash"]}
    written(desk, developer, UNREGISTER, whose)
    for url in (desk.url, *desk.others):
        response = desk.post({"documentId": f"sha256:{made['hash']}"}, token=customer.access, url=url)
        assert code(response) == "OPERATION_NOT_REGISTERED"


@pytest.mark.parametrize(
    "wrong",
    [
        {"document": "{"}, {"document": "{ nothing }"}, {"document": "{ viewer { role } }" + " " * 20_000},
        {"team": ""}, {"team": "x" * 61}, {"team": "=cmd()"}, {"name": "x\n"}, {"name": "x" * 121},
        {"role": "nobody"}, {"role": "anonymous"},
    ],
)  # fmt: skip
def test_what_the_server_would_not_run_is_not_registered(desk, developer, wrong):
    before = desk.rows("SELECT count(*) AS number FROM client_operation")
    refused = written(desk, developer, REGISTER, {**OF_TEAM, **wrong})
    assert (refused["code"], refused["field"]) == ("OPERATION_INVALID", next(iter(wrong)))
    assert desk.rows("SELECT count(*) AS number FROM client_operation") == before


def test_nobody_but_a_developer_registers_and_a_team_not_without_end(desk, developer):
    for role in ("security_admin", "auditor"):
        refused = written(desk, token_of(desk, role), REGISTER, OF_TEAM)
        assert (refused["__typename"], refused["code"]) == ("AccessProblem", "WRITE_DENIED")
    desk.execute(
        "INSERT INTO client_operation SELECT md5(n::text) || md5(n::text), 'full', 'analyst', 'analytics', 'x',"
        " '{ a }', 'operator', now() FROM generate_series(1, 500) n"
    )
    assert written(desk, developer, REGISTER, {**OF_TEAM, "team": "full"})["code"] == "OPERATION_CEILING"
    path = desk.data_dir.parent / "one-more.graphql"
    path.write_text("query OneMore { viewer { role } }")
    whose = ("--role", "analyst", "--purpose", "analytics")
    with pytest.raises(OperatorRefusedError, match="at most 500 operations"):
        desk.operate("operations", "register", str(path), "--team", "full", *whose)
    desk.execute(
        "INSERT INTO client_operation SELECT hash, 'team ' || n, role, purpose, name, document, registered_by,"
        " registered_at FROM client_operation, generate_series(1, 3) n WHERE team = 'full'"
    )
    with pytest.raises(OperatorRefusedError, match="all of them 2000"):
        desk.operate("operations", "register", str(path), "--team", "another", *whose)
    desk.execute("DELETE FROM client_operation WHERE role = 'analyst'")


def test_what_is_registered_is_listed_page_by_page_for_developers_and_watchers(desk, developer):
    for place in range(5):
        page = {"team": "pages", "name": f"Page{place}", "document": f"query Page{place} {{ viewer {{ role }} }}"}
        written(desk, developer, REGISTER, {**OF_TEAM, **page})
    asked = {"query": LISTED, "variables": {"team": "pages"}}
    page = desk.post(asked, token=developer).json()["data"]["registeredOperations"]
    asked["variables"]["after"] = page["pageInfo"]["endCursor"]
    rest = desk.post(asked, token=token_of(desk, "auditor")).json()
    nodes = [edge["node"] for edge in page["edges"]]
    assert [one["name"] for one in nodes] == [f"Page{place}" for place in range(4)]
    assert {one["team"] for one in nodes} == {"pages"}
    assert rest["errors"][0]["extensions"]["code"] == "BAD_CURSOR"
    last = desk.post(asked, token=developer).json()["data"]["registeredOperations"]
    assert [edge["node"]["name"] for edge in last["edges"]] == ["Page4"]
    assert not last["pageInfo"]["hasNextPage"]
    anybody = desk.post({"query": LISTED}, token=developer).json()["data"]["registeredOperations"]["edges"]
    assert {one["node"]["team"] for one in anybody} == {None}
    assert {one["node"]["role"] for one in anybody} == {"anonymous"}
    assert all(one["node"]["document"] for one in anybody)
    customer = desk.ask(LISTED, desk.customer().access).json()
    assert customer["data"]["registeredOperations"] is None


def test_the_operator_registers_for_a_team_too(desk):
    path = desk.data_dir.parent / "desk-page.graphql"
    path.write_text("query DeskPage { viewer { role } }")
    whose = ("--team", "claims desk", "--role", "claims_handler", "--purpose", "claim_handling")
    (made,) = desk.operate("operations", "register", str(path), *whose)
    assert code(desk.post({"documentId": f"sha256:{made['hash']}"})) == "OPERATION_NOT_REGISTERED"
    (listed,) = [one for one in desk.operate("operations", "list") if one["hash"] == made["hash"]]
    assert listed == {
        "name": "desk-page",
        "hash": made["hash"],
        "team": "claims desk",
        "role": "claims_handler",
        "purpose": "claim_handling",
    }
    for words in (whose[:2], whose[:4], whose[2:]):
        with pytest.raises(OperatorRefusedError):
            desk.operate("operations", "register", str(path), *words)
    desk.operate("operations", "unregister", made["hash"], *whose)
    with pytest.raises(OperatorRefusedError):
        desk.operate("operations", "unregister", made["hash"], *whose)
