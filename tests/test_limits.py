"""Bad input and too much input: each gets its own error, quickly, and nothing of it comes back (docs/frontend.md)."""

import time
from uuid import uuid4

import pytest
from graphql import get_introspection_query
from hypothesis import given, settings
from hypothesis import strategies as st

from models.global_ids import NodeType, to_global
from tests.conftest import GRAPHQL

QUICK_SECONDS = 0.25
SECRET = "Zq7SecretMarker"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
PAGE = "{ claims(first: 3) { edges { cursor node { id claimNumber } } } }"
AFTER = "query($c: String) { claims(first: 3, after: $c) { edges { node { id } } } }"


@pytest.fixture(scope="module")
def edges(server, handler):
    return server.post(PAGE, token=handler).json()["data"]["claims"]["edges"]


def refusal(response):
    """The extensions of the first error of a refused request."""
    assert response.status_code in {400, 403}
    body = response.json()
    assert set(body) == {"errors"}
    assert len(body["errors"]) <= 5
    return body["errors"][0]["extensions"]


def spread(count, times, fields=""):
    """Fragments, each spreading the next some times: the number of fields is a power of `times`."""
    chain = " ".join(
        f"fragment F{place} on Query {{ {fields} {f'...F{place + 1} ' * times} }}" for place in range(count)
    )
    return f"{{ ...F0 }} {chain} fragment F{count} on Query {{ __typename }}"


def nested(count, inner="id"):
    return "{ " + "claims { edges { node { policy { " * count + inner + " }" * 4 * count + " }"


def limit(name, maximum):
    return {"code": "LIMIT_EXCEEDED", "limit": name, "max": maximum}


PARSE, INVALID = {"code": "GRAPHQL_PARSE_FAILED"}, {"code": "GRAPHQL_VALIDATION_FAILED"}
DEPTH, TOKENS = limit("depth", 20), limit("tokens", 2000)
FIELDS, REPEATS = limit("fields", 1000), limit("repeats", 2000)
BELOW = "{ edges { node { ...F%s } } }"
TYPES = "fields { type {"
EVERYTHING = "{ " + "claims(first: 100) { edges { node { policy { " * 3 + "id" + " } } } }" * 3 + " }"
ALL = " ".join(f"...F{n}" for n in range(25))
ONE_FIELD = "{ claims(%s) { totalCount } }"
BAD_DOCUMENTS = {
    "1,000 aliases": ("{" + " ".join(f"a{n}: __typename" for n in range(1000)) + "}", TOKENS),
    "101 aliases": ("{" + " ".join(f"a{n}: __typename" for n in range(101)) + "}", limit("aliases", 100)),
    "aliases in fragments": (spread(4, 6, "a: __typename"), limit("aliases", 100)),
    "aliases without end": (spread(20, 10, "a: __typename"), limit("aliases", 100)),
    "11 readings of the schema": (
        "{ __schema {" + " ".join(f"a{n}: types {{ name }}" for n in range(11)) + "} }",
        limit("aliases", 100),
    ),
    "depth": (nested(6), DEPTH),
    "depth in fragments": (
        "{ claims { edges { node { ...F0 } } } }"
        + "".join(f"fragment F{n} on Claim {{ policy {{ claims {BELOW % (n + 1)} }} }}" for n in range(9))
        + "fragment F9 on Claim { id }",
        DEPTH,
    ),
    "300 levels": ("{" + "a {" * 150 + "b" + "}" * 151, DEPTH),
    "900 levels": ("{" + "a {" * 900 + "b" + "}" * 901, DEPTH),
    "900 inline fragments": ("{" + "... {" * 900 + "b" + "}" * 901, DEPTH),
    "a list of lists": (ONE_FIELD % f"first: {'[' * 900}{']' * 900}", DEPTH),
    "a type of lists": (f"query($a: {'[' * 900}Int{']' * 900}) {{ a }}", DEPTH),
    "180 fragments in a row": (spread(180, 1), REPEATS),
    "205 fragments in a row": (spread(205, 1), DEPTH),
    "braces": ("{" * 1500 + "}" * 1500, PARSE),
    "tokens": ("{" + "id " * 2000 + "}", TOKENS),
    "comments": ("#\n" * 60_000 + "{ __typename }", TOKENS),
    "10,000 directives": ("{ claims " + "@skip(if: false) " * 10_000 + "{ totalCount } }", TOKENS),
    "900 unknown directives": ("{ claims " + "@a " * 900 + "{ totalCount } }", INVALID),
    "repeated keys": ("{" + "claims { totalCount } " * 300 + "}", REPEATS),
    "repeated keys below": ("{ claims { edges { node { policy {" + "id " * 100 + "} } } } }", REPEATS),
    "repeated conflicts": ("{" + " ".join(f"claims(first: {n}) {{ totalCount }}" for n in range(99)) + "}", REPEATS),
    "a fragment bomb": (spread(100, 2), FIELDS),
    "a wide fragment bomb": (spread(3, 300), FIELDS),
    "a bomb of unused fragments": (spread(100, 2).replace("{ ...F0 }", "{ __typename }", 1), INVALID),
    "many fragments": (
        "{" + " ".join(f"...F{n}" for n in range(100)) + "}"
        + "".join(f"fragment F{n} on Query {{ claims {{ totalCount }} }}" for n in range(100)),
        REPEATS,
    ),
    "a fragment of itself": ("{ ...A } fragment A on Query { ...A }", INVALID),
    "circular fragments": ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", INVALID),
    "circular fragments below fields": (
        "{ claims { edges { node { ...A } } } } fragment A on Claim { policy { claims { edges { node { ...A } } } } }",
        INVALID,
    ),
    "dense circles": ("{ ...F0 }" + "".join(f"fragment F{n} on Query {{ {ALL} }}" for n in range(25)), INVALID),
    "unknown fragment": ("{ ...A }", INVALID),
    "equal fragment names": ("{ ...A } fragment A on Query { a } fragment A on Query { b }", INVALID),
    "an integer of 20 digits": (ONE_FIELD % f"first: {'9' * 20}", INVALID),
    "an integer of 200,000 digits": (ONE_FIELD % f"first: {'9' * 200_000}", INVALID),
    "a float without end": (ONE_FIELD % "first: 1e400", INVALID),
    "an unknown enum value": (ONE_FIELD % "status: BROKEN", INVALID),
    "600 arguments": (ONE_FIELD % ("first: 1 " * 600), INVALID),
    "an object for a number": (ONE_FIELD % ("first: {" + " ".join(f"a{n}: 1" for n in range(600)) + "}"), INVALID),
    "unknown fields": ("{" + " ".join(f"field{n}" for n in range(900)) + "}", INVALID),
    "480 unused variables": (f"query({' '.join(f'$v{n}: Int' for n in range(480))}) {{ __typename }}", INVALID),
    "a name of 240,000 letters": ("{ " + "claims" * 40_000 + " }", INVALID),
    "introspection without end": (f"{{ __schema {{ types {{ {TYPES * 8} name {'}}' * 8} }} }} }}", INVALID),
    "a page too large": (ONE_FIELD % "first: 101", limit("page", 100)),
    "a last page too large": (ONE_FIELD % "last: 101", limit("page", 100)),
    "a nested page too large": (
        "{ users { edges { node { policies(first: 101) { totalCount } } } } }",
        limit("page", 100),
    ),
    "too many full counts": (
        "{" + " ".join(f"c{n}: claims(first: 1) {{ totalCount }}" for n in range(60)) + "}",
        limit("cost", 100_000),
    ),
    "too many rows times fields": (EVERYTHING, limit("cost", 100_000)),
    "a negative page": (ONE_FIELD % "first: -1", {"code": "BAD_USER_INPUT", "argument": "first"}),
    "a negative last page": (ONE_FIELD % "last: -1", {"code": "BAD_USER_INPUT", "argument": "last"}),
    "first and last": (ONE_FIELD % "first: 1, last: 1", {"code": "BAD_USER_INPUT", "argument": "last"}),
    "NUL": (ONE_FIELD % r'claimNumber: "a\u0000b"', {"code": "BAD_USER_INPUT", "argument": "query"}),
    "NUL in braces": (ONE_FIELD % r'insurer: "\u{0}"', {"code": "BAD_USER_INPUT", "argument": "query"}),
    "a lone surrogate": (ONE_FIELD % r'claimNumber: "\ud800"', PARSE),
    "an empty selection": ("{ claims { } }", PARSE),
    "an empty operation": ("{ }", PARSE),
    "an empty document": ("", PARSE),
    "no operation": ("fragment A on Query { __typename }", INVALID),
    "a type definition": ("type A { a: Int }", INVALID),
    "two operations and no name": ("query A { __typename } query B { __typename }",
                                   {"code": "BAD_USER_INPUT", "argument": "operationName"}),
    "a mutation": ("mutation { a }", INVALID),
    "a subscription": ("subscription { a }", INVALID),
}  # fmt: skip


@pytest.mark.parametrize("document, expected", BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS)
def test_a_bad_document_is_refused_as_documented_and_quickly(server, handler, document, expected):
    elapsed = []
    for _ in range(3):
        begun = time.perf_counter()
        response = server.post(document, token=handler)
        elapsed.append(time.perf_counter() - begun)
    extensions = refusal(response)
    actual = extensions.pop("actual", None)
    assert extensions == expected
    assert (actual is not None) == (expected["code"] == "LIMIT_EXCEEDED")
    assert actual is None or actual > expected["max"]
    assert len(response.content) < 5_000
    assert min(elapsed) < QUICK_SECONDS


@pytest.mark.parametrize("document", ["{ claims(first: 100) { totalCount } }", nested(2, "policyNumber"), spread(40, 1),
                                      "{" + " ".join(f"a{n}: __typename" for n in range(100)) + "}"])  # fmt: skip
def test_what_is_within_the_limits_is_answered(server, handler, document):
    assert server.post(document, token=handler).status_code == 200


def test_what_tools_ask_of_the_schema_is_answered(server, handler):
    document = get_introspection_query(
        schema_description=True, directive_is_repeatable=True, specified_by_url=True, input_value_deprecation=True
    )  # fmt: skip
    assert "errors" not in server.post(document, token=handler).json()


def test_a_fragment_used_often_counts_as_often(server, handler):
    fields = " ".join(f"f{n}: id" for n in range(11))
    tail = f"fragment A on Claim {{ {fields} }}"
    documents = [
        f"{{ {' '.join(f'r{n}: claims {{ edges {{ node {{ ...A }} }} }}' for n in range(count))} }} {tail}"
        for count in (8, 9)
    ]
    assert server.post(documents[0], token=handler).status_code == 200
    assert refusal(server.post(documents[1], token=handler)) == {**limit("aliases", 100), "actual": 108}


def test_at_most_five_validation_errors_are_reported_with_their_places(server, handler):
    body = server.post("{" + " ".join(f"field{n}" for n in range(50)) + "}", token=handler).json()
    assert len(body["errors"]) == 5
    assert body["errors"][1]["locations"] == [{"line": 1, "column": 9}]


def test_a_long_literal_does_not_come_back(server, handler):
    response = server.post(ONE_FIELD % f"first: {'9' * 200_000}", token=handler)
    assert len(response.content) < 1_000


# Variables


VALUES = (SECRET, [SECRET], {SECRET: SECRET}, 1.5, 2**40, True)
USES = {
    "Int": ("claims(first: $v) { totalCount }", ()),
    "Int!": ("claims(first: $v) { totalCount }", ()),
    "ClaimStatus": ("claims(status: $v) { totalCount }", ()),
    "ClaimOrder": ("claims(orderBy: $v) { totalCount }", ()),
    "String": ("claims(claimNumber: $v) { totalCount }", (SECRET,)),
    "Boolean!": ("claims @include(if: $v) { totalCount }", (True,)),
    "ID!": ("claim(id: $v) { id }", (SECRET, 2**40)),
}
WRONG = [(kind, use, value) for kind, (use, fitting) in USES.items() for value in VALUES if value not in fitting]


@pytest.mark.parametrize("kind, use, value", WRONG)
def test_a_variable_of_the_wrong_type_is_named_and_its_value_never_repeated(server, handler, kind, use, value):
    response = server.post(f"query($v: {kind}) {{ {use} }}", {"v": value}, token=handler)
    assert SECRET not in response.text
    assert refusal(response) == {"code": "BAD_USER_INPUT", "argument": "v"}


@pytest.mark.parametrize("digits", [19, 20, 400, 100_000])
def test_a_huge_integer_variable_is_refused(server, handler, digits):
    content = (
        f'{{"query": "query($v: Int) {{ claims(first: $v) {{ totalCount }} }}", "variables": {{"v": {"9" * digits}}}}}'
    )
    headers = {"Authorization": f"Bearer {handler}", "Content-Type": "application/json", "Accept": GRAPHQL}
    response = server.client.post(server.url, content=content, headers=headers)
    assert refusal(response)["code"] in {"BAD_USER_INPUT", "BAD_REQUEST"}
    assert "999" not in response.text


def test_a_missing_variable_is_named(server, handler):
    for variables in (None, {}, {"n": None}):
        response = server.post("query($n: Int!) { claims(first: $n) { totalCount } }", variables, token=handler)
        assert refusal(response) == {"code": "BAD_USER_INPUT", "argument": "n"}


def test_a_variable_nobody_declared_is_ignored(server, handler):
    assert server.post("{ __typename }", {"x": [{"y": SECRET}]}, token=handler).status_code == 200


@pytest.mark.parametrize("value", ["\0", "a\0b", ["\0"], {"a": [{"b": "\0"}]}])
@pytest.mark.parametrize("argument", ["claimNumber: $v", "insurer: $v", "after: $v", "before: $v"])
def test_nul_in_a_variable_is_refused_before_the_database_sees_it(server, handler, argument, value):
    response = server.post(f"query($v: String) {ONE_FIELD % argument}", {"v": value}, token=handler)
    assert refusal(response) == {"code": "BAD_USER_INPUT", "argument": "v"}


TEXTS = ["", " ", "'", '"', "\\", "%", "_", "💧" * 50, "\u202e", "\uffff", "x" * 100_000, "$1", ":id", "\x01\x1f\x7f"]


@pytest.mark.parametrize("text", [*TEXTS, "'; DROP TABLE claim; --", "NULL", "{value}"])
@pytest.mark.parametrize("document", [
    "query($v: String) { claims(claimNumber: $v) { edges { cursor } } }",
    "query($v: String) { policies(insurer: $v, policyNumber: $v) { edges { cursor } } }",
    "query($v: String) { users(phone: $v, idNumber: $v) { edges { cursor } } }",
])  # fmt: skip
def test_any_other_text_is_looked_for_and_finds_nothing(server, handler, document, text):
    response = server.post(document, {"v": text}, token=handler)
    if "phone" in document and len(text) > 64:
        assert refusal(response) == {"code": "BAD_USER_INPUT", "argument": "phone"}
        return
    assert response.status_code == 200
    ((found),) = response.json()["data"].values()
    assert found == {"edges": []}


@pytest.mark.parametrize("name", ["Other", "a b", "__proto__", "\0", "x" * 10_000])
def test_an_unknown_operation_name_is_refused(server, handler, name):
    response = server.post("query A { __typename }", operation_name=name, token=handler)
    assert refusal(response) == {"code": "BAD_USER_INPUT", "argument": "operationName"}


# Ids


NO_IDS = ["", "x", " ", "=", "é", "AAAA", "A" * 22, "A" * 24, "A" * 100_000, "漢字", "../..", "B" * 23, "Claim:1"]


@pytest.mark.parametrize("text", [*NO_IDS, "00000000-0000-0000-0000-000000000000", "Q2xhaW06MQ=="])
@pytest.mark.parametrize("field", ["node", "claim"])
def test_a_malformed_id_is_refused(server, handler, field, text):
    for spaced in (text, f" {text}", f"{text}\n"):
        response = server.post(f"query($id: ID!) {{ {field}(id: $id) {{ id }} }}", {"id": spaced}, token=handler)
        assert refusal(response) == {"code": "BAD_ID", "argument": "id"}


@pytest.mark.parametrize("field", ["user", "policy", "beneficiary"])
def test_an_id_of_another_type_is_refused(server, handler, edges, field):
    claim = edges[0]["node"]["id"]
    response = server.post(f"query($id: ID!) {{ {field}(id: $id) {{ id }} }}", {"id": claim}, token=handler)
    assert refusal(response) == {"code": "BAD_ID", "argument": "id"}


@pytest.mark.parametrize("field, argument", [("beneficiaries", "policy"), ("consents", "user")])
def test_an_id_of_another_type_is_refused_as_a_filter_too(server, handler, edges, field, argument):
    for text in (edges[0]["node"]["id"], "x"):
        document = f"query($id: ID) {{ {field}({argument}: $id) {{ totalCount }} }}"
        assert refusal(server.post(document, {"id": text}, token=handler)) == {"code": "BAD_ID", "argument": argument}


def test_a_record_that_is_not_served_has_no_node(server, handler):
    record = to_global(NodeType.RECORD, uuid4())
    response = server.post("query($id: ID!) { node(id: $id) { id } }", {"id": record}, token=handler)
    assert refusal(response) == {"code": "BAD_ID", "argument": "id"}


@settings(max_examples=100, deadline=None)
@given(place=st.integers(0, 22), letter=st.sampled_from(ALPHABET))
def test_an_altered_id_is_refused_or_names_nothing(server, handler, edges, place, letter):
    good = edges[0]["node"]["id"]
    altered = good[:place] + letter + good[place + 1 :]
    if altered == good:
        return
    response = server.post("query($id: ID!) { claim(id: $id) { id } }", {"id": altered}, token=handler)
    if response.status_code == 200:
        assert response.json()["data"] == {"claim": None}
    else:
        assert refusal(response) == {"code": "BAD_ID", "argument": "id"}


# Cursors


def test_a_cursor_continues_its_own_list(server, handler, edges):
    found = server.post(AFTER, {"c": edges[0]["cursor"]}, token=handler).json()["data"]["claims"]["edges"]
    assert [edge["node"]["id"] for edge in found[:2]] == [edge["node"]["id"] for edge in edges[1:]]


@pytest.mark.parametrize("text", ["", "x", "=", "é", "A" * 59, "A" * 100_000, "0", "MQ", "eyJpZCI6MX0", "AQ", " "])
@pytest.mark.parametrize("argument", ["after", "before"])
def test_what_is_no_cursor_is_refused(server, handler, argument, text):
    document = f"query($c: String) {ONE_FIELD % f'{argument}: $c'}"
    assert refusal(server.post(document, {"c": text}, token=handler)) == {"code": "BAD_CURSOR", "argument": argument}


@pytest.mark.parametrize("document", [
    "query($c: String) { policies(after: $c) { totalCount } }",
    "query($c: String) { users(after: $c) { totalCount } }",
    "query($c: String) { claims(after: $c, orderBy: REPORTED_AT) { totalCount } }",
    "query($c: String) { policies(first: 1) { edges { node { claims(after: $c) { totalCount } } } } }",
    "query($c: String) { products(after: $c) { edges { cursor } } }",
])  # fmt: skip
def test_a_cursor_of_another_list_is_refused(server, handler, edges, document):
    response = server.post(document, {"c": edges[0]["cursor"]}, token=handler)
    assert refusal(response) == {"code": "BAD_CURSOR", "argument": "after"}


def test_a_cursor_of_another_caller_or_purpose_is_refused(server, handler, edges):
    both = ["claim_handling", "policy_service"]
    first, second = (server.token("insurer", org=org, purposes=both) for org in ("INS01", "INS02"))
    listed = server.post("{ policies(first: 1) { edges { cursor } } }", token=first, purpose=both[0])
    (edge,) = listed.json()["data"]["policies"]["edges"]
    document = "query($c: String) { policies(after: $c) { totalCount } }"
    assert server.post(document, {"c": edge["cursor"]}, token=first, purpose=both[0]).status_code == 200
    for token, purpose in ((second, both[0]), (first, both[1])):
        response = server.post(document, {"c": edge["cursor"]}, token=token, purpose=purpose)
        assert refusal(response)["code"] == "BAD_CURSOR"
    other = server.token("customer_service", purposes=["policy_service"])
    assert refusal(server.post(AFTER, {"c": edges[0]["cursor"]}, token=other))["code"] == "BAD_CURSOR"


def test_a_cursor_tells_nothing_of_the_row(edges):
    for edge in edges:
        assert edge["node"]["claimNumber"] not in edge["cursor"]
    assert len({edge["cursor"][:8] for edge in edges}) == len(edges)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_an_altered_cursor_is_refused(server, handler, edges, data):
    good = edges[0]["cursor"]
    place = data.draw(st.integers(0, len(good) - 1))
    altered = good[:place] + data.draw(st.sampled_from(ALPHABET)) + good[place + 1 :]
    cut = good[: data.draw(st.integers(0, len(good) - 2))]
    for text in {altered, cut, good + data.draw(st.sampled_from(ALPHABET))} - {good}:
        assert refusal(server.post(AFTER, {"c": text}, token=handler)) == {"code": "BAD_CURSOR", "argument": "after"}


NULLED = {
    "query($x: Boolean = true) { a: __typename @skip(if: $x) viewer { role } }": {"x": None},
    "query($x: Boolean = true) { viewer { ... @include(if: $x) { role } } }": {"x": None},
    'query($i: ID = "x") { user(id: $i) { id } }': {"i": None},
    'query($i: ID = "x") { node(id: $i) { id } }': {"i": None},
    "query($b: Boolean = true) { currentNotice { version @skip(if: $b) } }": {"b": None},
    'query($n: String = "User") { __type(name: $n) { name } }': {"n": None},
    "{ user(id: " + "9" * 5_000 + ") { id } }": None,
}


@pytest.mark.parametrize("document", NULLED, ids=lambda document: document[:60])
def test_null_where_none_may_be_is_the_clients_mistake_and_no_fault(server, handler, document):
    response = server.post(document, NULLED[document], token=handler)
    assert response.status_code == 400
    assert {error["extensions"]["code"] for error in response.json()["errors"]} <= {"BAD_USER_INPUT", "BAD_ID"}


def test_a_long_value_to_look_up_is_refused_before_it_is_normalised(server, handler):
    value = "\u0315" * 30_000 + "\u0316" * 30_000
    started = time.perf_counter()
    response = server.post("query($p: String) { users(phone: $p) { totalCount } }", {"p": value}, token=handler)
    assert refusal(response) == {"code": "BAD_USER_INPUT", "argument": "phone"}
    assert time.perf_counter() - started < 0.25


def test_filtering_by_a_category_that_the_token_lacks_is_refused(server):
    narrow = server.token("claims_handler", purposes=["claim_handling"], categories=["name"])
    response = server.post('{ users(phone: "13800000000") { totalCount } }', token=narrow)
    assert refusal(response) == {"code": "FILTER_DENIED", "argument": "phone", "category": "phone"}
