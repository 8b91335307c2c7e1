"""The ledger: no answer leaves without its row, and a row holds what was decided and never a value (C59)."""

import json

import pytest

from tests.plain import lines
from tests.recorded import ROW, as_owner, said, unwritable

DOCUMENT = (
    "query Look { claims(first: 5) { edges { node { claimNumber diagnosis policy { policyholder { name } } } } } }"
)


def rows(server, decision):
    """What the ledger says of a decision."""
    return said(as_owner(server, lambda connection: connection.fetch(ROW, decision)))


@pytest.fixture(scope="module")
def token(server):
    return server.token("claims_handler", user="handler01", purposes=["claim_handling"])


def test_every_answer_has_its_row_with_what_was_decided_and_no_value(server, token):
    body = server.post(DOCUMENT, token=token).json()
    authorization = body["extensions"]["authorization"]
    (row,) = rows(server, authorization["decisionId"])
    assert (row["role"], row["purpose"], row["operation"]["name"]) == ("claims_handler", "claim_handling", "Look")
    assert row["ruleset"] == authorization["ruleset"]
    decided = {(one["coordinate"], one["effect"]) for one in authorization["fields"]}
    assert {(name, effect) for names, effect, *_ in row["entries"] for name in names} == decided
    text = json.dumps(row, ensure_ascii=False)
    for claim in lines(server.plaintext)["Claim"]:
        assert not claim["diagnosis"] or claim["diagnosis"] not in text


def test_a_refused_strict_operation_has_its_row_too(server, token):
    response = server.post(DOCUMENT, token=token, headers={"X-Authorization-Mode": "strict"})
    assert response.status_code == 403
    decision = response.json()["extensions"]["authorization"]["decisionId"]
    (row,) = rows(server, decision)
    assert (row["outcome"], row["code"]) == ("REFUSED", "FIELD_DENIED")


def test_what_cannot_be_recorded_is_not_shown_and_the_rest_is(server, token):
    shown = server.post(DOCUMENT, token=token).json()
    with unwritable(server):
        response = server.post(DOCUMENT, token=token)
        strict = server.post(DOCUMENT, token=token, headers={"X-Authorization-Mode": "strict"})
    assert response.status_code == 200
    body = response.json()
    nodes, before = ([edge["node"] for edge in one["data"]["claims"]["edges"]] for one in (body, shown))
    assert [node["claimNumber"] for node in nodes] == [node["claimNumber"] for node in before]
    assert {(node["diagnosis"], node["policy"]["policyholder"]["name"]) for node in nodes} == {(None, None)}
    told = {(one["extensions"]["coordinate"], one["extensions"]["code"], one["extensions"]["count"])
            for one in body["errors"]}  # fmt: skip
    assert told == {("Claim.diagnosis", "UNAVAILABLE", 5), ("User.name", "UNAVAILABLE", 5)}
    assert {one["effect"] for one in body["extensions"]["authorization"]["fields"]} == {"DENY"}
    assert (strict.status_code, strict.json()["data"]) == (403, None)
    assert server.post(DOCUMENT, token=token).json()["data"] == shown["data"]
    (row,) = rows(server, body["extensions"]["authorization"]["decisionId"])
    assert (row["outcome"], {effect for _, effect, *_ in row["entries"]}) == ("WITHHELD", {"DENY"})
