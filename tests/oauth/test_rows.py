"""The ledger's rows of partners' tokens (C59): issued, refused, taken back; and no token without its row."""

import asyncio
import json
import time

from models.database import connect_once
from tests.oauth.wire import ISSUER, Holder, unpack
from tests.recorded import ALL, said


def rows(pair, kind="TOKEN"):
    """The rows of a kind."""

    async def fetch():
        owner = await connect_once(pair.database.owner)
        try:
            return await owner.fetch(ALL)
        finally:
            await owner.close()

    return [row for row in said(asyncio.run(fetch())) if row["kind"] == kind]


def of(pair, client, *, code, seconds=5):
    """The rows of a client with this code, as soon as there is one."""
    deadline = time.monotonic() + seconds
    while True:
        found = [row for row in rows(pair) if row.get("client") == client and row["code"] == code]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def test_a_token_has_its_row_before_it_is_answered(pair):
    partner = pair.partner()
    token = partner.token()
    claims = unpack(token.split(".")[1])
    (row,) = of(pair, partner.client_id, code="ISSUED", seconds=0)
    assert (row["outcome"], row["role"], row["token"]) == ("DONE", "insurer", claims["jti"])
    assert (row["agreement"], row["organization"]) == (claims["agreement"], claims["organization"]["id"])
    assert row["detail"]["purposes"] == ["policy_service"]
    assert token not in json.dumps(row)


def test_a_token_taken_back_has_its_row(pair):
    partner = pair.partner()
    token = partner.token()
    assert partner.revoke(token).status_code == 200
    (row,) = of(pair, partner.client_id, code="REVOKED")
    assert row["token"] == unpack(token.split(".")[1])["jti"]


def test_a_token_refused_to_a_known_client_has_its_row(pair):
    partner = pair.partner(agreed=False)
    assert partner.ask().json()["error"] == "unauthorized_client"
    (row,) = of(pair, partner.client_id, code="UNAUTHORIZED_CLIENT")
    assert (row["outcome"], row["role"]) == ("REFUSED", "insurer")


def test_who_is_not_who_they_say_leaves_no_row_under_that_name(pair):
    partner, other = pair.partner(), pair.partner()
    assertion = partner.assertion(key=other.key)
    assert partner.ask(assertion=assertion).status_code == 401
    assert of(pair, partner.client_id, code="INVALID_CLIENT", seconds=0.3) == []


def test_without_its_row_no_token_is_issued(pair):
    partner = pair.partner()

    async def lock():
        owner = await connect_once(pair.database.owner)
        try:
            async with owner.transaction():
                await owner.execute("LOCK TABLE ledger_writer IN ACCESS EXCLUSIVE MODE")
                return await asyncio.to_thread(partner.ask)
        finally:
            await owner.close()

    refused = asyncio.run(lock())
    assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
    assert partner.ask().status_code == 200


def test_a_stolen_token_leaves_no_row_under_its_owners_name(pair):
    partner, holder = pair.partner(), Holder()
    token = partner.token(("claim_handling",), holder=holder)
    refused = pair.call(token, scheme="DPoP", proof=Holder().proof("POST", f"{ISSUER}/graphql", token))
    assert refused.status_code == 401
    own = pair.call(token, scheme="DPoP", proof=holder.proof("POST", f"{ISSUER}/graphql", token), document="{ no }")
    assert own.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    deadline = time.monotonic() + 5
    while not (found := [row for row in rows(pair, "REFUSAL") if row.get("client") == partner.client_id]):
        assert time.monotonic() < deadline
    assert [row["code"] for row in found] == ["GRAPHQL_VALIDATION_FAILED"]
    assert found[0]["token"] == unpack(token.split(".")[1])["jti"]
