"""The ledger: no answer leaves without its row, and a row holds what was decided and never a value (C59)."""

import asyncio
import json

import asyncpg
import pytest

from tests.plain import lines

DOCUMENT = (
    "query Look { claims(first: 5) { edges { node { claimNumber diagnosis policy { policyholder { name } } } } } }"
)


def owner(server, work):
    """Run something as the owner of the tables."""

    async def run():
        who = server.database.owner
        connection = await asyncpg.connect(
            host=who.host, port=who.port, user=who.user, password=who.password, database=who.database
        )
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


@pytest.fixture(scope="module")
def token(server):
    return server.token("claims_handler", user="handler01", purposes=["claim_handling"])


def test_every_answer_has_its_row_with_what_was_decided_and_no_value(server, token):
    body = server.post(DOCUMENT, token=token).json()
    authorization = body["extensions"]["authorization"]
    find = "SELECT * FROM ledger WHERE decision_id = $1"
    row = owner(server, lambda connection: connection.fetchrow(find, authorization["decisionId"]))
    assert (row["role"], row["purpose"], row["operation_name"]) == ("claims_handler", "claim_handling", "Look")
    assert row["ruleset"] == authorization["ruleset"]
    entries = json.loads(row["entries"])
    decided = {(one["coordinate"], one["pathPattern"], one["effect"], one["count"]) for one in authorization["fields"]}
    summed = {}
    for coordinate, pattern, effect, _, count in entries:
        summed[coordinate, pattern, effect] = summed.get((coordinate, pattern, effect), 0) + count
    assert {(*key, count) for key, count in summed.items()} == decided
    text = json.dumps([str(value) for value in row.values()], ensure_ascii=False)
    for claim in lines(server.plaintext)["Claim"]:
        assert not claim["diagnosis"] or claim["diagnosis"] not in text


def test_a_refused_strict_operation_has_its_row_too(server, token):
    response = server.post(DOCUMENT, token=token, headers={"X-Authorization-Mode": "strict"})
    assert response.status_code == 403
    decision = response.json()["extensions"]["authorization"]["decisionId"]
    find = "SELECT count(*) FROM ledger WHERE decision_id = $1"
    assert owner(server, lambda connection: connection.fetchval(find, decision)) == 1


def test_what_cannot_be_recorded_is_not_answered(server, token):
    role = server.database.application.user
    owner(server, lambda connection: connection.execute(f'REVOKE INSERT ON ledger FROM "{role}"'))
    try:
        response = server.post(DOCUMENT, token=token)
    finally:
        owner(server, lambda connection: connection.execute(f'GRANT INSERT ON ledger TO "{role}"'))
    assert response.status_code == 503
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert "data" not in response.json()
    assert server.post(DOCUMENT, token=token).status_code == 200
