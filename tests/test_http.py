"""The endpoint as clients meet it: codes, statuses, media types, purposes, refusals (docs/frontend.md)."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from authz.ruleset_watch import RulesetWatch
from authz.standing import Standing
from authz.token_keys import TokenKeys
from authz.tokens import Verifier, utc_now
from models.database import connect_once
from models.global_ids import NodeType, to_global
from resolvers.authentication import Authentication
from resolvers.endpoint import Endpoint
from resolvers.problems import Code
from resolvers.rates import Rates, RateSettings
from tests.conftest import GRAPHQL, running_server
from tests.inprocess import service_over
from tests.over_http import JSON, only_error, send

CLAIMS = "{ claims(first: 2) { edges { cursor node { id claimNumber } } } }"
INTROSPECTION = "{ __schema { queryType { name } } }"
SECRET = "Zq7SecretMarker"


@pytest.fixture(scope="module")
def both(server):
    """A token of two purposes."""
    return server.token("insurer", purposes=["policy_service", "claim_handling"])


@pytest.fixture(scope="module")
def tuned(server, tmp_path_factory):
    """A second server on the same data, with the newer status of partial answers."""
    environment = {"NEEDFUL_PARTIAL_STATUS": "294"}
    log = tmp_path_factory.mktemp("tuned") / "server.log"
    with running_server(server.data_dir, log, environment=environment) as url:
        yield f"{url}/graphql"


REFUSALS = {
    "UNAUTHENTICATED": (401, True, {"document": INTROSPECTION}),
    "PURPOSE_REQUIRED": (403, True, {"document": CLAIMS, "who": "both"}),
    "PURPOSE_NOT_ALLOWED": (403, True, {"document": CLAIMS, "headers": {"X-Purpose": "marketing"}}),
    "OPERATION_NOT_REGISTERED": (403, True, {"content": json.dumps({"documentId": f"sha256:{'0' * 64}"})}),
    "UNSUPPORTED_MEDIA_TYPE": (415, True, {"document": CLAIMS, "headers": {"Content-Type": "text/plain"}}),
    "METHOD_NOT_ALLOWED": (405, True, {"document": CLAIMS, "method": "DELETE"}),
    "BAD_REQUEST": (400, True, {"content": "[]"}),
    "BODY_TOO_LARGE": (413, True, {"document": " " * 300_000}),
    "GRAPHQL_PARSE_FAILED": (400, False, {"document": "{"}),
    "GRAPHQL_VALIDATION_FAILED": (400, False, {"document": "{ nothing }"}),
    "BAD_USER_INPUT": (400, False, {"document": "{ claims(first: -1) { totalCount } }"}),
    "BAD_ID": (400, False, {"document": '{ claim(id: "x") { id } }'}),
    "BAD_CURSOR": (400, False, {"document": '{ claims(after: "x") { totalCount } }'}),
    "LIMIT_EXCEEDED": (400, False, {"document": "{ claims(first: 101) { totalCount } }"}),
    "FILTER_DENIED": (403, False, {"document": '{ users(phone: "1") { totalCount } }', "who": "both",
                                   "headers": {"X-Purpose": "policy_service"}}),
}  # fmt: skip


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
def test_every_code_has_its_documented_status_in_both_media_types(server, handler, both, code, accept):
    status, always, request = REFUSALS[code]
    token = {"UNAUTHENTICATED": None}.get(code, both if request.get("who") == "both" else handler)
    response = send(server, token=token, accept=accept, **{k: v for k, v in request.items() if k != "who"})
    assert response.status_code == (status if always or accept == GRAPHQL else 200)
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    assert only_error(response)["extensions"]["code"] == code


def test_the_statuses_of_codes_not_reachable_yet_are_documented_ones():
    assert (Code.RULESET_BEHIND.status, Code.RULESET_BEHIND.always) == (503, True)


@pytest.mark.parametrize("accept, status", [(GRAPHQL, 403), (JSON, 200)])
def test_strict_mode_answers_no_data_when_any_field_is_denied(server, handler, accept, status):
    document = "{ claims(first: 1) { edges { node { claimNumber policy { policyholder { address } } } } } }"
    relaxed = send(server, document, token=handler, accept=accept).json()
    response = send(server, document, token=handler, accept=accept, headers={"X-Authorization-Mode": "strict"})
    assert response.status_code == status
    body = response.json()
    assert body["data"] is None
    assert {error["extensions"]["code"] for error in body["errors"]} == {"FIELD_DENIED"}
    assert relaxed["data"]["claims"]["edges"][0]["node"]["claimNumber"]
    assert len(relaxed["errors"]) == 1


def test_strict_mode_changes_nothing_where_no_field_is_denied(server, handler):
    relaxed, strict = (
        send(server, CLAIMS.replace("cursor", ""), token=handler, headers=headers)
        for headers in ({}, {"X-Authorization-Mode": "Strict"})
    )
    assert strict.status_code == 200
    assert strict.json()["data"] == relaxed.json()["data"]


def test_an_unknown_authorization_mode_is_refused(server, handler):
    error = only_error(send(server, CLAIMS, token=handler, headers={"X-Authorization-Mode": "lenient"}))
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "x-authorization-mode"}


def test_a_denied_field_is_one_error_for_all_rows_with_everything_a_client_needs(server, handler):
    body = send(
        server,
        "{ claims(first: 3) { edges { node { policy { policyholder { address } } } } } }",
        token=handler,
    ).json()
    (error,) = body["errors"]
    assert error["path"] == ["claims", "edges", 0, "node", "policy", "policyholder", "address"]
    extensions = error["extensions"]
    known = "code coordinate category pathPattern count reason purpose ruleset decisionId remedy"
    assert set(extensions) == set(known.split())
    assert extensions["pathPattern"] == "claims.edges.@.node.policy.policyholder.address"
    assert (extensions["coordinate"], extensions["count"]) == ("User.address", 3)
    authorization = body["extensions"]["authorization"]
    assert authorization["decisionId"] == extensions["decisionId"]
    assert authorization["fields"] == [
        {
            "coordinate": "User.address",
            "pathPattern": extensions["pathPattern"],
            "effect": "DENY",
            "count": 3,
        },
    ]


def test_data_with_errors_is_200_or_294_where_the_operator_wants_the_newer_status(server, tuned, handler):
    document = "{ claims(first: 1) { edges { node { policy { policyholder { address } } } } } }"
    assert send(server, document, token=handler).status_code == 200
    assert send(server, document, token=handler, url=tuned).status_code == 294
    assert send(server, document, token=handler, url=tuned, accept=JSON).status_code == 200
    assert send(server, CLAIMS, token=handler, url=tuned).status_code == 200


# Who asks, and why


@pytest.mark.parametrize("document", [INTROSPECTION, "{ __typename }", '{ __type(name: "Claim") { name } }'])
def test_introspection_needs_a_token_and_no_purpose(server, both, document):
    assert send(server, document, token=both).json()["data"]
    assert send(server, document).status_code == 401


def test_a_token_with_one_purpose_implies_it(server, handler):
    body = send(server, CLAIMS, token=handler).json()
    assert body["extensions"]["authorization"]["purpose"] == "claim_handling"


@pytest.mark.parametrize("purpose", ["claim_handling", "CLAIM_HANDLING"])
def test_the_header_names_the_purpose_in_any_case(server, both, purpose):
    body = send(server, CLAIMS, token=both, headers={"X-Purpose": purpose}).json()
    assert body["extensions"]["authorization"]["purpose"] == "claim_handling"


def test_without_a_purpose_the_allowed_ones_are_named(server, both):
    error = only_error(send(server, CLAIMS, token=both))
    assert error["extensions"] == {"code": "PURPOSE_REQUIRED", "allowed": ["policy_service", "claim_handling"]}


@pytest.mark.parametrize("purpose", ["marketing", "nonsense", "", "policy_service,claim_handling", "\xff"])
def test_a_purpose_that_is_unknown_or_not_the_tokens_is_refused(server, both, purpose):
    error = only_error(send(server, CLAIMS, token=both, headers={"X-Purpose": purpose.encode("latin-1")}))
    assert error["extensions"] == {"code": "PURPOSE_NOT_ALLOWED", "allowed": ["policy_service", "claim_handling"]}


@pytest.mark.parametrize(
    "content", ["{", '{"query": "{"}', '{"query": "{ nothing }"}', "[]", "", '{"query": "{ claims { totalCount } }"}']
)
def test_nothing_is_parsed_before_the_caller_is_known(server, content):
    response = send(server, content=content, headers={"X-Purpose": "nonsense", "X-Authorization-Mode": "nonsense"})
    assert response.status_code == 401
    assert only_error(response)["extensions"] == {"code": "UNAUTHENTICATED"}


# Bodies and methods


@pytest.mark.parametrize(
    "content",
    [
        b"1", b"[]", b'"x"', b"null", b"true", b"", b"   ", b"{", b"{}", b'{"query": 1}', b'{"query": null}',
        b'{"query": ["{ __typename }"]}', b'[{"query": "{ __typename }"}]',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "variables": "{}"}', b'{"query": "{ __typename }", "operationName": 1}',
        b'{"query": "{ __typename }", "extensions": 1}', b'{"query": "{ __typename }",}', b'{"query": "\xff\xfe"}',
        b'{"query": "\xc3\x28"}', b"\xef\xbb\xbf{}", b'{"query": "{ __typename }"} x', b'{"query": NaN}', b"[" * 5000,
        b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
        b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}', b"query=%7B__typename%7D", b"\x00" * 50,
    ],
)  # fmt: skip
def test_a_body_that_is_no_graphql_request_is_refused(server, handler, content):
    response = send(server, content=content, token=handler, accept=JSON)
    assert response.status_code == 400
    assert only_error(response)["extensions"] == {"code": "BAD_REQUEST"}


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
             "application/graphql", "application/json; charset=utf-16", "application/jsonx"]
)  # fmt: skip
def test_any_other_content_type_is_refused(server, handler, kind):
    response = send(server, CLAIMS, token=handler, headers={"Content-Type": kind})
    assert only_error(response)["extensions"] == {"code": "UNSUPPORTED_MEDIA_TYPE"}


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON", 'application/json; charset="UTF-8"; x=y'])
def test_json_is_json_however_its_header_is_written(server, handler, kind):
    assert send(server, CLAIMS, token=handler, headers={"Content-Type": kind}).status_code == 200


@pytest.mark.parametrize(
    "accept, answered",
    [
        ("*/*", JSON), ("application/*", JSON), (JSON, JSON), (GRAPHQL, GRAPHQL), (f"{JSON};q=0.9, {GRAPHQL}", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON}", JSON), (f"{GRAPHQL}; charset=utf-8, {JSON};q=0.9", GRAPHQL),
        ("text/html, */*;q=0.1", JSON), (f"{GRAPHQL};q=nonsense, {JSON}", JSON),
    ],
)  # fmt: skip
def test_the_better_liked_media_type_is_answered(server, handler, accept, answered):
    response = send(server, CLAIMS, token=handler, accept=accept)
    assert response.headers["content-type"] == f"{answered}; charset=utf-8"


@pytest.mark.parametrize("accept", ["text/plain", "image/*", f"{JSON};q=0"])
def test_a_client_that_accepts_neither_is_told_what_there_is(server, handler, accept):
    response = send(server, CLAIMS, token=handler, accept=accept)
    assert response.status_code == 415
    assert GRAPHQL in only_error(response)["message"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_with_the_allowed_ones(server, handler, method):
    response = send(server, CLAIMS, token=handler, method=method)
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"
    assert only_error(response)["extensions"] == {"code": "METHOD_NOT_ALLOWED"}


def get(server, token, **parameters):
    headers = {"Accept": GRAPHQL, "Authorization": f"Bearer {token}"}
    return server.client.get(server.url, params=parameters, headers=headers)


def test_a_query_may_be_sent_with_get(server, handler):
    document = "query A($n: Int) { claims(first: $n) { edges { node { claimNumber } } } } query B { __typename }"
    response = get(server, handler, query=document, operationName="A", variables='{"n": 1}')
    assert len(response.json()["data"]["claims"]["edges"]) == 1
    assert get(server, handler, query="{ __typename }", operationName="", variables="").status_code == 200


@pytest.mark.parametrize(
    "parameters",
    [{}, {"query": "{ __typename }", "variables": "{"}, {"query": "{ __typename }", "variables": "1"},
     {"query": "{ __typename }", "extensions": "[]"}, {"operationName": "A"}],
)  # fmt: skip
def test_a_get_that_is_no_graphql_request_is_refused(server, handler, parameters):
    response = get(server, handler, **parameters)
    assert response.status_code == 400
    assert only_error(response)["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "document", ["mutation { a }", "query A { __typename } mutation B { b }", "subscription { a }"]
)
def test_get_runs_nothing_but_queries(server, handler, document):
    response = get(server, handler, query=document)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert only_error(response)["extensions"] == {"code": "METHOD_NOT_ALLOWED"}


def test_a_body_of_exactly_the_limit_is_answered_and_one_byte_more_is_not(server, handler):
    body = json.dumps({"query": CLAIMS}).ljust(256 * 1024)
    assert send(server, content=body, token=handler).status_code == 200
    error = only_error(send(server, content=body + " ", token=handler))
    assert error["extensions"] == {"code": "BODY_TOO_LARGE", "max": 256 * 1024}


def test_a_body_of_undeclared_length_meets_the_same_limit(server, handler):
    headers = {"Authorization": f"Bearer {handler}", "Content-Type": JSON, "Accept": JSON}
    response = server.client.post(server.url, content=(b" " * 10_000 for _ in range(100)), headers=headers)
    assert response.status_code == 413


def test_a_body_of_5_mb_is_refused_before_it_is_sent(server):
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: 5000000\r\n\r\n"
        connection.sendall(head.encode() + b'{"query": "')
        assert b" 413 " in connection.recv(100)


def test_a_client_that_sends_5_mb_at_once_reads_the_refusal_and_may_go_on(server, handler):
    with httpx.Client() as client:
        headers = {"Authorization": f"Bearer {handler}", "Content-Type": JSON, "Accept": JSON}
        refused = client.post(server.url, content=b" " * 5_000_000, headers=headers)
        assert refused.status_code == 413
        assert client.post(server.url, json={"query": CLAIMS}, headers=headers).status_code == 200


def test_answers_are_not_kept_by_caches(server, handler):
    for response in (send(server, CLAIMS, token=handler), send(server, CLAIMS)):
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"


# Rows that do not exist for the caller


def test_an_invisible_row_gets_the_answer_of_an_unknown_one(server):
    everyone = server.token("customer_service", purposes=["policy_service"])
    document = '{ policies(first: 1, insurer: "INS02") { edges { node { id policyNumber insurer { code } } } } }'
    (edge,) = send(server, document, token=everyone).json()["data"]["policies"]["edges"]
    partner = server.token("insurer", org="INS01", purposes=["policy_service"])
    selection = "{ id policyNumber premium policyholder { name } claims { totalCount } }"
    answers = []
    for policy in (edge["node"]["id"], to_global(NodeType.POLICY, uuid4())):
        asked = f"query($id: ID!) {{ policy(id: $id) {selection} node(id: $id) {{ ... on Policy {selection} }} }}"
        response = send(server, asked, {"id": policy}, token=partner)
        body = response.json()
        del body["extensions"]["authorization"]["decisionId"]
        # What is left of the caller's rate tells how often they asked, not what there is.
        headers = {name: value for name, value in response.headers.items() if name not in ("date", "ratelimit")}
        answers.append((response.status_code, body, headers))
    assert answers[0] == answers[1]
    assert answers[0][1]["data"] == {"policy": None, "node": None}


# Faults


class Broken:
    """A pool that fails, saying what nobody may read."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault

    @asynccontextmanager
    async def acquire(self, **_: object):
        raise self.fault
        yield


def ask_broken(server, fault, token, accept):
    """The answer of an endpoint whose database fails."""
    service = service_over(server, Broken(fault))
    verifier = Verifier(TokenKeys.load_or_create(server.installation.token_keys_path))
    own = partial(connect_once, server.database.application)
    standing = Standing(own)
    authentication = Authentication(verifier, standing, utc_now, service.pool, server.url)
    endpoint = Endpoint(service, authentication, Rates(RateSettings(), None), RulesetWatch(service.rulesets, own))

    async def ask() -> httpx.Response:
        app = Starlette(routes=[Route("/graphql", endpoint.__call__, methods=["POST"])])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://broken") as client:
            arguments = f'claimNumber: $n, insurer: "{SECRET}"'
            document = f"query {SECRET}($n: String) {{ claims({arguments}) {{ totalCount }} }}"
            body = {"query": document, "variables": {"n": SECRET}}
            headers = {"Authorization": f"Bearer {token}", "Accept": accept, "X-Request": SECRET}
            try:
                return await client.post("/graphql", json=body, headers=headers)
            finally:
                await standing.close()

    return asyncio.run(ask())


@pytest.mark.parametrize("accept, status", [(GRAPHQL, 500), (JSON, 200)])
def test_a_fault_gives_an_id_to_quote_and_nothing_else(server, handler, caplog, accept, status):
    response = ask_broken(server, RuntimeError(f"text with {SECRET}"), handler, accept)
    assert response.status_code == status
    error = only_error(response)
    assert set(error) == {"message", "extensions"}
    assert set(error["extensions"]) == {"code", "id"}
    assert error["extensions"]["code"] == "INTERNAL"
    assert f"fault {error['extensions']['id']}: RuntimeError" in caplog.text
    assert SECRET not in caplog.text + response.text
    assert handler not in caplog.text


@pytest.mark.parametrize("accept, status", [(GRAPHQL, 503), (JSON, 200)])
def test_a_database_that_cannot_be_had_is_unavailable(server, handler, caplog, accept, status):
    response = ask_broken(server, OSError(f"text with {SECRET}"), handler, accept)
    assert response.status_code == status
    assert only_error(response)["extensions"] == {"code": "UNAVAILABLE"}
    assert "unavailable: OSError" in caplog.text
    assert SECRET not in caplog.text + response.text


def test_the_log_of_the_server_holds_nothing_of_any_request(server, handler):
    documents = [
        ("{", None), (f"{{ {SECRET} }}", None), (f'{{ claim(id: "{SECRET}") {{ id }} }}', None),
        ("query($n: Int) { claims(first: $n) { totalCount } }", {"n": SECRET}),
        (f"query {SECRET} {{ claims {{ totalCount }} }}", {SECRET: SECRET}),
        ("query($n: String) { claims(claimNumber: $n) { totalCount } }", {"n": f"\0{SECRET}"}),
    ]  # fmt: skip
    for document, variables in documents:
        send(server, document, variables, token=handler, headers={"X-Request": SECRET})
    send(server, CLAIMS, token=SECRET)
    get(server, SECRET, query=f"{{ {SECRET} }}")
    logged = server.log.read_text()
    assert SECRET not in logged
    assert handler not in logged


def test_an_answer_under_an_older_ruleset_than_asked_for_is_refused(server):
    token = server.token("claims_handler", purposes=["claim_handling"])

    def asked(number, accept="application/graphql-response+json"):
        headers = {"X-Ruleset-At-Least": number, "Accept": accept}
        return server.post("{ claims(first: 1) { edges { node { id } } } }", token=token, headers=headers)

    assert asked("1").status_code == 200
    for accept in ("application/graphql-response+json", "application/json"):
        behind = asked("2", accept)
        assert behind.status_code == 503
        assert behind.json()["errors"][0]["extensions"] == {"code": "RULESET_BEHIND", "ruleset": 1}
    for number in ("-1", "latest", "", "１", "1.0", "1 2", "9" * 10):
        assert asked(number.encode()).json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("name", ["Authorization", "X-Purpose", "X-Authorization-Mode"])
def test_a_header_that_stands_twice_is_refused(server, name):
    token = server.token("claims_handler", purposes=["claim_handling"])
    headers = [("Authorization", f"Bearer {token}"), ("Content-Type", JSON), ("X-Purpose", "claim_handling")]
    doubled = [*headers, (name, "strict" if name.endswith("Mode") else "claim_handling"), (name, "strict")]
    content = json.dumps({"query": "{ viewer { role } }"})
    assert server.client.post(server.url, content=content, headers=headers).status_code == 200
    response = server.client.post(server.url, content=content, headers=doubled)
    assert response.status_code == 400
    assert only_error(response)["extensions"] == {"code": "BAD_REQUEST"}


def test_a_compressed_body_is_refused_and_an_empty_operation_name_is_none(server):
    token = server.token("claims_handler", purposes=["claim_handling"])
    packed = send(server, "{ __typename }", token=token, headers={"Content-Encoding": "gzip"})
    assert packed.status_code == 415
    body = json.dumps({"query": "{ __typename }", "operationName": ""})
    assert send(server, token=token, content=body).json() == {"data": {"__typename": "Query"}}


def test_a_trailing_slash_is_not_redirected_to_whatever_host_was_named(server):
    response = server.client.get(server.url + "/", headers={"Host": "elsewhere.example"})
    assert response.status_code == 404
