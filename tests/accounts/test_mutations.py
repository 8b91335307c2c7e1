"""Mutations: one root field, POST, one transaction with the ledger row, a purpose of their own (DESIGN.md)."""

import asyncio
from uuid import uuid4

import pytest

from authz.token_keys import TokenKeys
from authz.tokens import mint, new_subject, utc_now
from models.vocabulary import Purpose, Role
from resolvers.problems import RequestRefusedError
from resolvers.writes import Gate
from tests.accounts.conftest import PASSWORD
from tests.recorded import ROW, came_of, said, unwritable

BY_VARIABLE = " fragment P on Problem { code field @skip(if: $n) }"
LOG_OUT = "{ __typename ... on Problem { code } }"


@pytest.fixture(scope="module")
def token(desk):
    return desk.customer().access


def code(response):
    return response.json()["errors"][0]["extensions"]["code"]


TWO = {
    "two fields": f'mutation {{ logOut {LOG_OUT} endSession(input: {{id: "x"}}) {{ __typename }} }}',
    "one field twice": f"mutation {{ logOut {LOG_OUT} again: logOut {LOG_OUT} }}",
    "one in a fragment": f"mutation {{ logOut {LOG_OUT} ...F }} fragment F on Mutation {{ again: logOut {LOG_OUT} }}",
    "both in fragments": f"mutation {{ ...F ...G }} fragment F on Mutation {{ logOut {LOG_OUT} }}"
    f" fragment G on Mutation {{ again: logOut {LOG_OUT} }}",
    "one inline": f"mutation {{ logOut {LOG_OUT} ... on Mutation {{ again: logOut {LOG_OUT} }} }}",
    "one skipped": f"mutation {{ logOut {LOG_OUT} again: logOut @skip(if: true) {LOG_OUT} }}",
    "one by a variable": f"mutation($no: Boolean = true) {{ logOut {LOG_OUT} again: logOut @skip(if: $no) {LOG_OUT} }}",
    "the only one skipped": f"mutation {{ logOut @skip(if: true) {LOG_OUT} }}",
    "the only one included": f"mutation {{ ... @include(if: true) {{ logOut {LOG_OUT} }} }}",
    "a fragment skipped": f"mutation {{ ...F @skip(if: true) }} fragment F on Mutation {{ logOut {LOG_OUT} }}",
    "nothing but its name": "mutation { __typename }",
    "its name besides": f"mutation {{ __typename logOut {LOG_OUT} }}",
}  # fmt: skip


@pytest.mark.parametrize("case", TWO)
def test_a_mutation_has_exactly_one_root_field_without_conditions(desk, token, case):
    response = desk.post({"query": TWO[case]}, token=token)
    assert (response.status_code, code(response)) == (400, "GRAPHQL_VALIDATION_FAILED")
    assert desk.ask("{ viewer { role } }", token).status_code == 200


@pytest.mark.parametrize(
    "document",
    [
        'mutation { out: endSession(input: {id: "x"}) { ... on Problem { code } } }',
        'mutation M { ...F } fragment F on Mutation { out: endSession(input: {id: "x"}) { ... on Problem { code } } }',
        'mutation { out: endSession(input: {id: "x"}) { __typename @skip(if: true) ... on Problem { code } } }',
        'mutation { ... { out: endSession(input: {id: "x"}) { ...P } } } fragment P on Problem { code }',
        "mutation($i: EndSessionInput!, $n: Boolean!) { out: endSession(input: $i) { ...P } }" + BY_VARIABLE,
    ],
)  # fmt: skip
def test_aliases_fragments_and_conditions_below_the_root_work_as_anywhere(desk, token, document):
    response = desk.post({"query": document, "variables": {"i": {"id": "x"}, "n": True}}, token=token)
    assert response.json()["data"] == {"out": {"code": "SESSION_UNKNOWN"}}


def test_mutations_come_by_post_and_one_a_request(desk, token):
    document = f"mutation {{ logOut {LOG_OUT} }}"
    sent = {"Authorization": f"Bearer {token}"}
    by_get = desk.client.get(desk.url, params={"query": document}, headers=sent)
    assert (by_get.status_code, code(by_get), by_get.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", "POST")
    batch = desk.post([{"query": document}, {"query": document}], token=token)
    assert (batch.status_code, code(batch)) == (400, "BAD_REQUEST")
    assert desk.ask("{ viewer { role } }", token).status_code == 200


@pytest.mark.parametrize(
    "variables", [None, {}, {"input": None}, {"input": {}}, {"input": {"code": 1}}, {"input": {"x": 1}}]
)
def test_variables_are_checked_as_in_queries_and_never_repeated(desk, token, variables):
    document = "mutation($input: StepUpInput!) { stepUp(input: $input) { __typename } }"
    response = desk.post({"query": document, "variables": variables}, token=token)
    assert (response.status_code, code(response)) == (400, "BAD_USER_INPUT")
    assert response.json()["errors"][0]["extensions"]["argument"] == "input"


def test_a_variable_that_is_null_where_none_may_be_is_refused(desk, token):
    document = 'mutation($code: String! = "1") { stepUp(input: {code: $code}) { __typename } }'
    response = desk.post({"query": document, "variables": {"code": None}}, token=token)
    assert (response.status_code, code(response)) == (400, "BAD_USER_INPUT")


def test_the_limits_of_documents_hold(desk, token):
    many = " ".join(f"a{number}: __typename" for number in range(101))
    response = desk.post({"query": f"mutation {{ logOut {{ {many} }} }}"}, token=token)
    assert code(response) == "LIMIT_EXCEEDED"


@pytest.mark.parametrize("named", [None, "policy_service", "account_service"])
def test_a_partners_token_changes_no_account(desk, named):
    keys = TokenKeys.load(desk.installation.token_keys_path)
    subject = new_subject(
        Role.INSURER,
        [Purpose.POLICY_SERVICE, Purpose.ACCOUNT_SERVICE],
        categories=0,
        organization=uuid4(),
        organization_code="INS01",
    )
    headers = {"X_Purpose": named} if named else {}
    customer = desk.customer()
    variables = {"input": {"identifier": customer.username, "password": customer.password}}
    response = desk.registered("LogIn", variables, token=mint(keys, subject, now=utc_now()), **headers)
    assert response.status_code == 403
    assert code(response) == "PURPOSE_NOT_ALLOWED"


def test_a_mutation_has_its_own_purpose_and_naming_another_is_refused(desk, token):
    document = 'mutation { endSession(input: {id: "x"}) { __typename } }'
    for purpose in (None, "account_service"):
        headers = {"X_Purpose": purpose} if purpose else {}
        body = desk.post({"query": document}, token=token, **headers).json()
        assert body["extensions"]["authorization"]["purpose"] == "account_service"
        assert body["extensions"]["authorization"]["fields"] == []
    other = desk.post({"query": document}, token=token, X_Purpose="rights_request")
    assert (other.status_code, code(other)) == (403, "PURPOSE_NOT_ALLOWED")
    assert other.json()["errors"][0]["extensions"]["allowed"] == ["account_service"]


def test_strict_mode_changes_nothing_since_payloads_hold_nothing_sensitive(desk, token):
    document = 'mutation { endSession(input: {id: "x"}) { ... on Problem { code } } }'
    response = desk.post({"query": document}, token=token, X_Authorization_Mode="strict")
    assert response.json()["data"] == {"endSession": {"code": "SESSION_UNKNOWN"}}


def last_row(desk, response):
    (row,) = said(desk.rows(ROW, response.json()["extensions"]["authorization"]["decisionId"]))
    return row


def test_every_mutation_has_its_ledger_row_whatever_came_of_it(desk):
    customer = desk.customer()
    account = desk.rows("SELECT account_id FROM session ORDER BY opened_at DESC LIMIT 1")[0][0]
    done = desk.registered("LogIn", {"input": {"identifier": customer.phone, "password": PASSWORD}})
    row = last_row(desk, done)
    assert came_of(row) == ("Mutation.logIn", "DONE", None)
    assert (row["role"], row["purpose"], row["account"]) == ("anonymous", "account_service", str(account))
    refused = desk.registered("LogIn", {"input": {"identifier": customer.phone, "password": "wrong"}})
    row = last_row(desk, refused)
    assert came_of(row) == ("Mutation.logIn", "REFUSED", "INVALID_CREDENTIALS")
    assert ("account" in row, row["operation"]["name"]) == (False, "LogIn")
    document = "mutation Bye { bye: logOut { __typename } }"
    row = last_row(desk, desk.post({"query": document}, token=customer.access))
    assert came_of(row) == ("Mutation.logOut", "DONE", None)
    assert (row["role"], row["account"]) == ("customer", str(account))


def test_what_cannot_be_recorded_is_not_done(desk):
    before = desk.rows("SELECT count(*) FROM person")[0][0]
    given = {"phone": "17799999999", "username": "unrecorded", "password": PASSWORD}
    with unwritable(desk):
        response = desk.registered("SignUp", {"input": given})
    assert (response.status_code, code(response)) == (503, "UNAVAILABLE")
    assert desk.rows("SELECT count(*) FROM person")[0][0] == before
    assert desk.registered("SignUp", {"input": given}).json()["data"]["register"]["__typename"] == "SessionTokens"


def test_a_defect_below_a_mutation_is_an_id_and_undone(desk):
    customer = desk.customer()
    desk.execute("UPDATE login SET password_hash = 'nonsense' WHERE account_id ="
                 " (SELECT account_id FROM session ORDER BY opened_at DESC LIMIT 1)")  # fmt: skip
    assert desk.log_in(customer.phone)["code"] == "INVALID_CREDENTIALS"
    desk.execute("UPDATE login SET wrapped = '\\x00', totp_sealed = '\\x00'"
                 " WHERE account_id ="
                 " (SELECT account_id FROM session ORDER BY opened_at DESC LIMIT 1)")  # fmt: skip
    document = 'mutation { stepUp(input: {code: "123456"}) { __typename } }'
    response = desk.post({"query": document}, token=customer.access)
    assert (response.status_code, code(response)) == (500, "INTERNAL")
    assert set(response.json()["errors"][0]["extensions"]) == {"code", "id"}


def test_too_many_logins_waiting_are_told_to_come_back():
    async def crowd():
        gate, inside, most = Gate(2, 3), 0, 0

        async def one():
            nonlocal inside, most
            async with gate.entered():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.01)
                inside -= 1

        found = await asyncio.gather(*(one() for _ in range(10)), return_exceptions=True)
        return most, [one for one in found if one is not None], await one()

    most, refused, _ = asyncio.run(crowd())
    assert most == 2
    assert all(isinstance(one, RequestRefusedError) and one.code == "RATE_LIMITED" for one in refused)
    assert 5 <= len(refused) <= 7
    assert refused[0].headers == {"Retry-After": "1"}
