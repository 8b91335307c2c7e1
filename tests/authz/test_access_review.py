"""The access review over HTTP: a lapse counts within a second in every process; who may see it and decide (C56)."""

import asyncio
import json
import time
from contextlib import ExitStack

import httpx
import pytest

from models.database import connect_once
from tests.conftest import run_cli, running_server
from tests.recorded import ROW, said

LAPSE = "mutation($in: LapseGrantInput!) { lapseGrant(input: $in) { ...D } } "
RESTORE = "mutation($in: RestoreGrantInput!) { restoreGrant(input: $in) { ...D } } "
RECERTIFY = "mutation($in: RecertifyGrantInput!) { recertifyGrant(input: $in) { ...D } } "
PROBLEM = "... on Problem { __typename code message field clause } ... on AccessProblem { reason }"
REVIEW = "{ accessReview { holder purpose category state lastUsedAt decision recertifiedUntil decidedBy idleDays } }"
INSURER = {"holder": "INS01", "purpose": "CLAIM_HANDLING", "category": "INCIDENT"}
STAFF = {"holder": "claims_handler", "purpose": "CLAIM_HANDLING", "category": "INCIDENT"}
CLAIMS = "query Feel { claims(first: 40) { edges { node { incidentDescription policy { policyholder { name } } } } } }"


def document(mutation):
    return mutation.replace(
        "...D", "... on GrantDecided { holder purpose category decision decidedAt until } " + PROBLEM
    )


@pytest.fixture(scope="module")
def admin(server):
    return server.token("security_admin", purposes=["administration"])


@pytest.fixture(scope="module")
def insurer(server):
    return server.token("insurer", org="INS01", purposes=["claim_handling", "policy_service"])


@pytest.fixture
def decide(server, admin):
    """Decides as the security team; whatever was lapsed is restored in the end."""
    lapsed = []

    def decided(mutation, grant, token=admin, **more):
        answer = server.post(document(mutation), {"in": {**grant, **more}}, token=token).json()
        (payload,) = answer["data"].values()
        if mutation is LAPSE and payload and "decision" in payload:
            lapsed.append(grant)
        return payload

    yield decided
    for grant in lapsed:
        server.post(document(RESTORE), {"in": grant}, token=admin)


@pytest.fixture(scope="module")
def both(server, tmp_path_factory):
    """The suite's server, and another process on the same data."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("other")
        url = stack.enter_context(running_server(server.data_dir, folder / "log"))
        yield server.url, f"{url}/graphql"


def felt(url, token, *, purpose="claim_handling"):
    """Of the incidents of some claims: how many are shown, why not, and the decision's id."""
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": purpose}
    body = httpx.post(url, json={"query": CLAIMS}, headers=headers, timeout=20).json()
    nodes = [edge["node"] for edge in body["data"]["claims"]["edges"]]
    reasons = {
        one["extensions"]["reason"]
        for one in body.get("errors", ())
        if one["extensions"]["coordinate"] == "Claim.incidentDescription"
    }
    shown = sum(one["incidentDescription"] is not None for one in nodes)
    names = sum(one["policy"]["policyholder"] is not None for one in nodes)
    return shown, reasons, names, body["extensions"]["authorization"]["decisionId"]


def owner(server, work):
    async def run():
        connection = await connect_once(server.database.owner)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_c56_a_lapsed_grant_is_denied_within_a_second_by_two_processes_and_comes_back_when_restored(
    server, both, decide, insurer, handler
):
    before = [felt(url, insurer) for url in both]
    assert all(shown and "TOKEN_SCOPE" not in reasons for shown, reasons, *_ in before)
    other = felt(both[0], server.token("insurer", org="INS02", purposes=["claim_handling"]))
    assert decide(LAPSE, INSURER)["decision"] == "LAPSED"
    time.sleep(0.9)
    for url in both:
        shown, reasons, names, decision = felt(url, insurer)
        assert (shown, reasons) == (0, {"TOKEN_SCOPE"})
        assert names == before[0][2]
        (row,) = said(owner(server, lambda connection, of=decision: connection.fetch(ROW, of)))
        assert not row["scope"]["categories"] & 1 << 10
        assert felt(url, handler)[0]
    assert felt(both[0], server.token("insurer", org="INS02", purposes=["claim_handling"]))[:2] == other[:2]
    assert decide(RESTORE, INSURER)["decision"] == "RESTORED"
    time.sleep(0.9)
    assert [felt(url, insurer)[:3] for url in both] == [one[:3] for one in before]


def test_a_role_that_a_grant_lapsed_for_is_denied_it_and_still_writes(server, both, decide, handler):
    assert felt(both[1], handler)[0]
    decide(LAPSE, STAFF)
    time.sleep(0.9)
    assert felt(both[1], handler)[:2] == (0, {"TOKEN_SCOPE"})
    written = server.post('mutation { assignClaim(input: {claim: "x"}) { ... on Problem { code } } }', token=handler)
    assert "TOKEN_SCOPE" not in written.text


def test_the_review_tells_how_each_grant_stands_and_who_decided(server, decide, admin):
    def standing(grant):
        (found,) = [one for one in grants(server, admin) if {name: one[name] for name in grant} == grant]
        return found

    assert standing(INSURER)["state"] in {"NEW", "IN_USE"}
    decide(RECERTIFY, INSURER, days=30)
    found = standing(INSURER)
    assert (found["state"], found["decision"]) == ("RECERTIFIED", "RECERTIFIED")
    assert found["recertifiedUntil"]
    decide(LAPSE, INSURER)
    found = standing(INSURER)
    assert (found["state"], found["decision"], found["recertifiedUntil"]) == ("LAPSED", "LAPSED", None)
    assert found["decidedBy"] not in {"operator", "needful"}
    decide(RESTORE, INSURER)
    assert standing(INSURER)["state"] in {"NEW", "IN_USE"}


def grants(server, token, document=REVIEW):
    return server.post(document, token=token).json()["data"]["accessReview"]


def test_auditor_and_security_team_see_the_review_and_nobody_else_learns_that_there_is_one(server, handler, insurer):
    auditor = server.token("auditor", purposes=["administration"])
    found = grants(server, auditor)
    holders = {one["holder"] for one in found}
    assert {"INS01", "AF01", "claims_handler", "marketer"} <= holders
    assert not {"customer", "guardian", "AD01"} & holders
    for token, purpose in (
        (handler, None),
        (insurer, "policy_service"),
        (server.token("developer", purposes=["administration"]), None),
        (server.token("privacy_officer", purposes=["administration"]), None),
        (server.token("security_admin", purposes=["security"]), None),
        (server.token("customer", purposes=["account_service"]), None),
    ):
        body = server.post("{ accessReview { holder } partnerReport { persons } }", token=token, purpose=purpose).json()
        assert body["data"] == {"accessReview": None, "partnerReport": None}
        assert "errors" not in body


def test_the_security_team_decides_and_nobody_else(server, decide, handler):
    everyone = {
        "ROLE": [
            server.token("auditor", purposes=["administration"]),
            server.token("developer", purposes=["administration"]),
            handler,
        ],
        "PURPOSE": [server.token("security_admin", purposes=["security"])],
    }
    for reason, tokens in everyone.items():
        for token in tokens:
            for mutation, more in ((LAPSE, {}), (RESTORE, {}), (RECERTIFY, {"days": 5})):
                refused = decide(mutation, INSURER, token, **more)
                assert (refused["code"], refused["reason"]) == ("WRITE_DENIED", reason)


def test_what_makes_no_sense_is_a_problem_that_says_what_to_do(decide):
    def problem(mutation, grant, **more):
        found = decide(mutation, grant, **more)
        return found["__typename"], found["code"], found["field"], found["clause"]

    assert problem(RECERTIFY, INSURER, days=0) == ("InputProblem", "DAYS_INVALID", "days", "C56")
    assert problem(RECERTIFY, INSURER, days=731) == ("InputProblem", "DAYS_INVALID", "days", "C56")
    assert problem(RESTORE, INSURER) == ("InputProblem", "GRANT_NOT_LAPSED", "holder", "C56")
    for holder in ("nobody", "customer", "insurer", "BROKER"):
        assert problem(LAPSE, {**INSURER, "holder": holder})[1] == "GRANT_UNKNOWN"
    assert problem(LAPSE, {**INSURER, "purpose": "SECURITY"})[1] == "GRANT_UNKNOWN"
    decide(LAPSE, INSURER)
    assert problem(LAPSE, INSURER)[1] == "GRANT_LAPSED"


def test_a_decision_is_in_the_ledger_with_who_made_it(server, decide, admin):
    decide(RECERTIFY, INSURER, days=7)
    rows = said(
        owner(
            server, lambda one: one.fetch("SELECT body FROM ledger WHERE body::jsonb ->> 'kind' = 'RULES' ORDER BY at")
        )
    )
    row = rows[-1]
    assert (row["role"], row["purpose"], row["detail"]["grant"]) == ("security_admin", "administration", "RECERTIFIED")
    assert (row["detail"]["purpose"], row["detail"]["category"]) == ("claim_handling", "incident")
    assert row["account"] == row["detail"]["by"]
    write = said(
        owner(server, lambda one: one.fetch("SELECT body FROM ledger WHERE body LIKE '%Mutation.recertifyGrant%'"))
    )
    assert [one["outcome"] for one in write][-1] == "DONE"


def test_both_rows_of_a_decision_have_the_id_that_the_client_got(server, admin):
    answer = server.post(document(RECERTIFY), {"in": {**INSURER, "days": 9}}, token=admin).json()
    decision = answer["extensions"]["authorization"]["decisionId"]
    rows = said(owner(server, lambda connection: connection.fetch(ROW, decision)))
    assert {row["kind"] for row in rows} == {"RULES", "WRITE"}
    assert len(rows) == 2


@pytest.mark.parametrize("days, status", [(0, 400), (731, 400), (1, 200)])
def test_days_that_cannot_be_are_refused(server, admin, days, status):
    response = server.post(f"{{ accessReview(unusedDays: {days}) {{ holder }} }}", token=admin)
    assert response.status_code == status
    assert response.json()["data" if status == 200 else "errors"]


# The command line, while the server runs.


def test_operators_review_lapse_and_restore_on_the_command_line(server, insurer, both):
    def run(*words, check=True):
        done = run_cli("access", *words, "--json", data_dir=server.data_dir, check=check)
        return json.loads(done.stdout) if done.stdout else done

    assert run("lapse", "INS01", "claim_handling", "incident")["decision"] == "LAPSED"
    try:
        time.sleep(0.9)
        assert felt(both[1], insurer)[1] == {"TOKEN_SCOPE"}
        (found,) = [
            one
            for one in run("review", "--unused-days", "5")
            if (one["holder"], one["purpose"], one["category"]) == ("INS01", "claim_handling", "incident")
        ]
        assert (found["state"], found["by"]) == ("LAPSED", "operator")
        refused = run("recertify", "INS01", "claim_handling", "incident", "--days", "3", check=False)
        assert (refused.returncode, refused.stderr) == (1, "The grant has lapsed already: restore it first.\n")
    finally:
        assert server.operate("access", "restore", "INS01", "claim_handling", "incident")["decision"] == "RESTORED"
    assert server.operate("access", "recertify", "INS01", "claim_handling", "incident", "--days", "3")["until"]
