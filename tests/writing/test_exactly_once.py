"""Exactly once: under one Idempotency-Key a client's write is done once, and shown again only to who still may see."""

import asyncio
import hashlib
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from authz.callers import Wanted, find_caller
from authz.caveats import MaskOnly, OnlyPolicies
from authz.token_keys import TokenKeys
from authz.tokens import mint, utc_now
from models.database import connect
from models.vocabulary import Category, Purpose, Role, to_bits
from resolvers.writes import rule_of
from resolvers.writing import targets
from resolvers.writing.shown import payload_of
from schema.build import build_schema
from tests.conftest import running_server
from tests.schema.test_schema import OF_NOBODY
from tests.writing.dealings import (
    a_policy,
    account_of,
    at_once,
    kept,
    recorded,
    standing,
    surrender,
    writing,
)

UNTOUCHED = ("IN_FORCE", 1)
DONE = ("SURRENDERED", 2)


@pytest.fixture(scope="module")
def customer(office):
    return office.customer()


@pytest.fixture
def policy(office, customer):
    return a_policy(office, customer)


@pytest.fixture
def key():
    return secrets.token_urlsafe(16)


@pytest.fixture(scope="module")
def two_servers(office, tmp_path_factory):
    """The office's address and that of a second server on the same data."""
    log = tmp_path_factory.mktemp("second") / "server.log"
    with running_server(office.data_dir, log) as url:
        yield office.url, f"{url}/graphql"


def code(response):
    return response.json()["errors"][0]["extensions"]["code"]


def test_fifty_calls_at_once_with_one_key_over_two_servers_write_once_and_all_get_the_same_answer(
    office, two_servers, customer, policy, key
):
    token = office.token("customer", user=customer.username, purposes=["account_service"])
    call = surrender(policy, token, key=key)
    responses = at_once([(two_servers[number % 2], call) for number in range(50)])
    assert [one.status_code for one in responses] == [200] * 50
    answers = [one.json()["data"]["surrenderPolicy"] for one in responses]
    assert answers[0]["__typename"] == "Policy"
    assert answers == answers[:1] * 50
    assert standing(office, policy) == DONE
    assert sorted(recorded(office, call)) == [("DONE", None), *[("REPEATED", None)] * 49]


def test_fifty_calls_at_once_without_a_key_write_once_all_the_same_and_forty_nine_are_told_so(office, customer, policy):
    call = surrender(policy, customer.token)
    answers = [one.json()["data"]["surrenderPolicy"] for one in at_once([(office.url, call)] * 50)]
    assert sorted(one["__typename"] for one in answers) == ["Policy", *["StateProblem"] * 49]
    assert standing(office, policy) == DONE


def other_variables(call, other):
    return replace(call, variables=surrender(other, call.token).variables)


def other_text(call, _):
    return replace(call, document=call.document.replace("endsOn", "startsOn"))


def other_purpose(call, _):
    return replace(call, purpose="rights_request")


def other_optional_input(call, _):
    return replace(call, variables={"input": {**call.variables["input"], "ifVersion": 2}})


@pytest.mark.parametrize("other", [other_variables, other_text, other_purpose, other_optional_input])
def test_a_key_for_another_request_is_refused_and_nothing_is_done(office, customer, policy, key, other):
    token = office.token("customer", user=customer.username, purposes=["account_service", "rights_request"])
    untouched = a_policy(office, customer)
    call = surrender(policy, token, key=key)
    assert call.payload(office)["__typename"] == "Policy"
    changed = other(call, untouched)
    answer = changed.payload(office)
    assert (answer["__typename"], answer["code"]) == ("AccessProblem", "IDEMPOTENCY_KEY_REUSED")
    assert (standing(office, policy), standing(office, untouched)) == (DONE, UNTOUCHED)
    assert ("REFUSED", "IDEMPOTENCY_KEY_REUSED") in recorded(office, call)
    assert call.payload(office)["__typename"] == "Policy", "the first request keeps its key"


def test_a_key_for_another_operation_of_the_same_document_is_refused(office, customer, policy, key):
    """Two operations with the same variables are two requests."""
    call = surrender(policy, customer.token, key=key)
    other = call.document.replace(call.name, "Other").replace("surrenderPolicy", "again: surrenderPolicy")
    both = f"{call.document} {other}"

    def answer(name):
        response = office.client.post(
            office.url,
            **{**call.sent(), "json": {"query": both, "variables": call.variables, "operationName": name}},
        )
        (found,) = response.json()["data"].values()
        return found

    assert answer(call.name)["__typename"] == "Policy"
    assert answer("Other")["code"] == "IDEMPOTENCY_KEY_REUSED"


def test_a_key_for_the_same_words_in_another_role_is_refused(office, key):
    """As a guardian one asks for somebody else."""
    guardian = office.guardian(office.customer().person)
    own = office.token("customer", user=guardian.username, purposes=["account_service"])
    call = surrender(a_policy(office, guardian), own, key=key)
    assert call.payload(office)["version"] == 2
    assert replace(call, token=guardian.token, purpose="account_service").payload(office)["code"] == (
        "IDEMPOTENCY_KEY_REUSED"
    )


def test_the_same_key_of_another_client_is_their_own(office, customer, policy, key):
    other = office.customer()
    theirs = a_policy(office, other)
    assert surrender(policy, customer.token, key=key).payload(office)["__typename"] == "Policy"
    assert surrender(theirs, other.token, key=key).payload(office)["__typename"] == "Policy"
    stolen = replace(surrender(policy, customer.token, key=key), token=other.token)
    assert stolen.payload(office)["code"] in {"NOT_FOUND", "IDEMPOTENCY_KEY_REUSED"}
    assert (standing(office, policy), standing(office, theirs)) == (DONE, DONE)


def test_of_a_problem_nothing_is_kept_so_its_key_serves_the_same_request_once_its_cause_is_mended(
    office, customer, key
):
    policy = a_policy(office, customer, "DRAFT")
    call = surrender(policy, customer.token, key=key)
    for _ in range(2):
        assert call.payload(office)["code"] == "WRONG_STATUS"
    office.execute("UPDATE policy SET status = 'IN_FORCE' WHERE id = $1", policy)
    assert call.payload(office)["status"] == "SURRENDERED"
    assert [outcome for outcome, _ in recorded(office, call)] == ["REFUSED", "REFUSED", "DONE"]


def test_of_a_problem_nothing_is_kept_so_its_key_serves_the_corrected_request(office, customer, policy, key):
    assert surrender(policy, customer.token, key=key, ifVersion=7).payload(office)["code"] == "VERSION_CONFLICT"
    assert surrender(policy, customer.token, key=key, ifVersion=1).payload(office)["version"] == 2


@pytest.mark.parametrize("bad", [b"", b"k" * 256, "schlüssel".encode("latin-1"), "密钥".encode(), b"a\tb"])
def test_a_key_that_cannot_be_is_refused_and_nothing_is_done(office, customer, policy, bad):
    call = surrender(policy, customer.token)
    sent = call.sent()
    headers = [*((name.encode(), value.encode()) for name, value in sent["headers"].items()), (b"Idempotency-Key", bad)]
    response = office.client.post(office.url, json=sent["json"], headers=headers)
    assert (response.status_code, code(response)) == (400, "BAD_USER_INPUT")
    assert response.json()["errors"][0]["extensions"]["argument"] == "idempotency-key"
    assert bad == b"" or bad.decode("latin-1") not in response.text
    assert standing(office, policy) == UNTOUCHED


def test_a_key_that_stands_twice_is_refused_and_nothing_is_done(office, customer, policy, key):
    sent = surrender(policy, customer.token, key=key).sent()
    headers = [*sent["headers"].items(), ("Idempotency-Key", key)]
    response = office.client.post(office.url, json=sent["json"], headers=headers)
    assert (response.status_code, code(response)) == (400, "BAD_REQUEST")
    assert standing(office, policy) == UNTOUCHED


@pytest.mark.parametrize("good", ["k", "k" * 255, '"8e03978e-40d5-43e8-bc93-6894a57f9324"', "a key, with ~ anything"])
def test_a_key_is_any_printable_text_of_up_to_255_characters(office, customer, policy, good):
    call = surrender(policy, customer.token, key=good)
    assert [call.payload(office)["version"] for _ in range(2)] == [2, 2]
    office.execute("DELETE FROM idempotency_key")


def test_variables_nested_beyond_any_input_are_refused_not_a_fault(office, customer, policy, key):
    deep = []
    for _ in range(400):
        deep = [deep]
    call = surrender(policy, customer.token, key=key)
    response = replace(call, variables={**call.variables, "unused": deep}).post(office)
    assert (response.status_code, code(response)) == (400, "BAD_USER_INPUT")
    assert standing(office, policy) == UNTOUCHED


def test_a_key_stands_for_a_day_and_no_longer(office, customer, policy, key):
    call = surrender(policy, customer.token, key=key)
    assert call.payload(office)["version"] == 2
    client = account_of(office, customer.person)
    left = office.rows("SELECT expires_at - now() AS left FROM idempotency_key WHERE client = $1", client)
    assert timedelta(hours=23, minutes=59) < max(row["left"] for row in left) <= timedelta(hours=24)
    move = "UPDATE idempotency_key SET expires_at = expires_at - $2::interval WHERE client = $1"
    office.execute(move, client, timedelta(hours=23, minutes=58))
    assert call.payload(office)["version"] == 2
    office.execute(move, client, timedelta(minutes=3))
    assert call.payload(office)["code"] == "WRONG_STATUS", "it is a new request by now"
    office.execute("UPDATE policy SET status = 'IN_FORCE' WHERE id = $1", policy)
    assert [call.payload(office)["version"] for _ in range(2)] == [3, 3], "and its key stands for it anew"


def test_keys_and_requests_are_kept_as_keyed_hashes_only(office, customer, policy):
    key = "a-key-that-nobody-else-takes"
    call = surrender(policy, customer.token, key=key)
    assert call.payload(office)["version"] == 2
    rows = office.rows("SELECT * FROM idempotency_key")
    kept_bytes = b"".join(bytes(row["key_digest"]) + bytes(row["request_digest"]) for row in rows)
    assert len(kept_bytes) == 64 * len(rows)
    known = (key, call.variables["input"]["id"])
    assert not [
        one for one in known if hashlib.sha256(one.encode()).digest() in kept_bytes or one.encode() in kept_bytes
    ]
    text = " ".join(str(value) for row in rows for value in row.values())
    ledger = " ".join(str(value) for row in office.rows("SELECT * FROM ledger") for value in row.values())
    assert key not in text + ledger + office.log.read_text()
    known_columns = {"id", "client", "key_digest", "request_digest", "noun", "row_id", "answer", "expires_at"}
    assert set(rows[0].keys()) == known_columns
    assert {row["answer"] for row in rows if row["noun"] == "Policy"} == {None}, "it is read anew from the row"


def test_a_replay_after_the_session_has_ended_is_refused(office, key):
    leaver = office.customer()
    policy = a_policy(office, leaver)
    call = surrender(policy, leaver.token, key=key)
    assert call.payload(office)["version"] == 2
    assert office.post("mutation { logOut { __typename } }", token=leaver.token).status_code == 200
    deadline = time.monotonic() + 1.5
    while (response := call.post(office)).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (response.status_code, code(response)) == (401, "UNAUTHENTICATED")
    assert "data" not in response.json()


def test_a_replay_under_a_narrower_token_shows_less(office, key):
    customer = office.customer()
    policy = a_policy(office, customer)
    call = surrender(policy, customer.token, key=key)
    assert call.payload(office)["policyholder"]["phone"]
    narrow = office.token("customer", user=customer.username, purposes=["account_service"], categories=["name"])
    body = replace(call, token=narrow).post(office).json()
    assert body["data"]["surrenderPolicy"]["version"] == 2
    assert body["data"]["surrenderPolicy"]["policyholder"]["phone"] is None
    reasons = {one["extensions"]["reason"] for one in body["errors"]}
    assert reasons == {"TOKEN_SCOPE"}


def caveated(office, customer, caveat):
    """A token of the customer's, narrowed."""

    async def find():
        wanted = Wanted(Role.CUSTOMER, (Purpose.ACCOUNT_SERVICE,), to_bits(set(Category)), username=customer.username)
        async with connect(office.database.application, shared=False) as pool, pool.acquire() as connection:
            return await find_caller(connection, wanted, keyring=office.keyring)

    subject = replace(asyncio.run(find()), caveats=(caveat,))
    return mint(TokenKeys.load_or_create(office.installation.token_keys_path), subject, now=utc_now())


def test_a_replay_under_a_token_that_may_not_write_is_refused(office, customer, policy, key):
    call = surrender(policy, customer.token, key=key)
    assert call.payload(office)["version"] == 2
    answer = replace(call, token=caveated(office, customer, MaskOnly())).payload(office)
    assert answer == {"__typename": "AccessProblem", "code": "WRITE_DENIED"}
    assert recorded(office, call) == [("DONE", None), ("REFUSED", "WRITE_DENIED")]


def test_a_replay_under_a_token_for_other_policies_shows_nothing(office, customer, policy, key):
    call = surrender(policy, customer.token, key=key)
    assert call.payload(office)["version"] == 2
    elsewhere = OnlyPolicies((f"T{a_policy(office, customer).hex[:20]}",))
    assert replace(call, token=caveated(office, customer, elsewhere)).payload(office) is None


def test_a_replay_after_a_guardians_link_was_revoked_shows_nothing(office, key):
    child = office.customer()
    office.know(child.person, birthDate="2015-01-01")
    guardian = office.guardian(child.person)
    policy = a_policy(office, child)
    call = surrender(policy, guardian.token, key=key)
    assert call.payload(office)["status"] == "SURRENDERED"
    assert call.payload(office)["status"] == "SURRENDERED"
    office.execute("UPDATE guardian_link SET revoked_at = now() WHERE guardian_id = $1", guardian.person)
    assert call.payload(office) is None
    assert standing(office, policy) == DONE


def test_a_replay_after_an_agents_assignment_has_ended_shows_nothing(office, customer, key):
    policy = a_policy(office, customer, "SUBMITTED")
    (agent,) = office.rows("SELECT id, username FROM staff WHERE role = 'broker_agent' ORDER BY username LIMIT 1")
    office.execute(
        "INSERT INTO assignment (id, staff_id, policy_id, assigned_at) VALUES (gen_random_uuid(), $1, $2, now())",
        *(agent["id"], policy),
    )
    token = office.token("broker_agent", user=agent["username"], purposes=["application"])
    call = writing("withdrawApplication", policy, token, "application", key=key)
    first = call.payload(office)
    assert (first["status"], first["version"]) == ("TERMINATED", 2)
    assert call.payload(office) == first
    office.execute("UPDATE assignment SET ended_at = now() WHERE policy_id = $1", policy)
    assert call.payload(office) is None
    assert [outcome for outcome, _ in recorded(office, call)] == ["DONE", "REPEATED", "REPEATED"]


def test_whatever_a_mutation_writes_a_replay_knows_whose_it_is():
    schema = build_schema()
    for name in schema.mutation_type.fields:
        if rule_of(schema, name).purpose is None:
            noun = payload_of(schema, name).noun
            assert noun in {*targets.OF, *targets._OWNERS, None}, f"{name} writes {noun}"
            assert noun is not None or name in OF_NOBODY


def test_a_write_whose_answer_is_about_no_row_is_done_once_as_well(office, key):
    (admin,) = office.rows("SELECT username FROM staff WHERE role = 'security_admin' ORDER BY username LIMIT 1")
    token = office.token("security_admin", user=admin["username"], purposes=["administration"])

    def drafted(title, **headers):
        document = """mutation($input: DraftRulesInput!) { draftRules(input: $input) {
          __typename ... on DraftStanding { id } ... on Problem { code } } }"""
        given = {"input": {"title": title, "reason": "Asked for twice."}}
        return office.post(document, given, token=token, purpose="administration", **headers)

    def count():
        return office.rows("SELECT count(*) FROM rule_draft WHERE reason = 'Asked for twice.'")[0][0]

    refused = drafted("", Idempotency_Key=key).json()["data"]["draftRules"]
    assert (refused["code"], count()) == ("TEXT_INVALID", 0), "after a problem the key is free"
    first = drafted("Once", Idempotency_Key=key).json()["data"]["draftRules"]
    assert first["__typename"] == "DraftStanding"
    assert drafted("Once", Idempotency_Key=key).json()["data"]["draftRules"] == first
    with ThreadPoolExecutor(8) as many:
        again = [
            one.json()["data"]["draftRules"]
            for one in many.map(lambda _: drafted("Once", Idempotency_Key=key), range(8))
        ]
    assert again == [first] * 8
    other = drafted("Another", Idempotency_Key=key)
    assert (other.status_code, code(other), count()) == (400, "BAD_USER_INPUT", 1)
    assert drafted("Once").json()["data"]["draftRules"]["id"] != first["id"]


def test_what_is_not_asked_for_with_a_key_is_not_kept(office, key):
    customer = office.customer()
    policy = a_policy(office, customer)
    assert surrender(policy, customer.token).payload(office)["version"] == 2
    query = office.post("{ viewer { role } }", token=customer.token, purpose="account_service", Idempotency_Key=key)
    assert query.json()["data"]["viewer"] == {"role": "customer"}
    assert kept(office, account_of(office, customer.person)) == 0
