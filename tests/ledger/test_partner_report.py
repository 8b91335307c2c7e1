"""The partner report as it is asked for: over HTTP and on the command line; what was done for real is in it (C41)."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest

from authz.reach import persons_within_reach
from ledger.anomalies import Anomaly
from ledger.behaviour import SHANGHAI, behaviour, period
from models.database import connect_once
from models.global_ids import NodeType, to_global
from tests.conftest import run_cli
from tests.ledger.sealed import index, seal

REPORT = """
query($code: String, $from: Date, $to: Date) {
  partnerReport(organization: $code, from: $from, to: $to) {
    organization { code kind } since until operations persons misses denied statistics hours
    purposes { name operations } coordinates { name operations } refusals { name operations }
    anomalies { rule figure threshold since until decisionIds }
  }
}
"""
INSERT = """
INSERT INTO ledger_record (index, at, kind, outcome, decision, organization, purpose, coordinates, revealed, masked,
  denied, misses)
SELECT 10 ^ 12 + n, $2::timestamptz + make_interval(mins => n), 'READ', 'DONE', $3, id, 'verification', '{}', 0, 0, 0, 1
FROM organization, generate_series(1, 21) n WHERE code = $1
"""
PLANTED_DAY = datetime(2031, 5, 6, 10, tzinfo=SHANGHAI)


@pytest.fixture(scope="module")
def auditor(server):
    return server.token("auditor", purposes=["administration"])


def owner(server, work):
    async def run():
        connection = await connect_once(server.database.owner)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


@pytest.fixture
def planted(server):
    """One partner asks for ids that do not exist for it, 21 times on one day; the decision that stands for all."""
    decision = uuid4()
    owner(server, lambda connection: connection.execute(INSERT, "SP01", PLANTED_DAY, decision))
    yield str(decision)
    owner(server, lambda connection: connection.execute("DELETE FROM ledger_record WHERE decision = $1", decision))


ENDS = ("0001-01-01", "1999-12-31", "2101-01-01", "9999-12-31")
DAYS = {"from": "2031-05-01", "to": "2031-05-07"}


def test_c41_a_planted_anomaly_is_flagged_to_auditor_and_security_team(server, auditor, planted):
    for token in (auditor, server.token("security_admin", purposes=["administration"])):
        answer = server.post(REPORT, {"code": "SP01", **DAYS}, token=token).json()
        (report,) = answer["data"]["partnerReport"]
        assert report["organization"] == {"code": "SP01", "kind": "SERVICE_PROVIDER"}
        assert (report["operations"], report["misses"], report["hours"][10]) == (21, 21, 21)
        assert report["purposes"] == [{"name": "verification", "operations": 21}]
        (anomaly,) = report["anomalies"]
        assert (anomaly["rule"], anomaly["figure"], anomaly["threshold"]) == ("ENUMERATION_MISSES", 21, 20)
        assert (anomaly["since"], anomaly["until"]) == ("2031-05-06T00:00:00+08:00", "2031-05-07T00:00:00+08:00")
        assert set(anomaly["decisionIds"]) == {planted}


def test_all_partners_are_reported_where_none_is_named(server, auditor, planted):
    reports = server.post(REPORT, DAYS, token=auditor).json()["data"]["partnerReport"]
    assert {one["organization"]["code"] for one in reports} >= {"INS01", "SP01", "AD01"}
    assert {one["organization"]["code"] for one in reports if one["anomalies"]} == {"SP01"}


@pytest.mark.parametrize(
    "asked, argument",
    [
        ({"code": "NOBODY"}, "organization"),
        ({"code": "BROKER"}, "organization"),
        ({"from": "2031-01-01", "to": "2031-12-31"}, "to"),
        ({"from": "2031-01-02", "to": "2031-01-01"}, "to"),
        *(({name: day}, name) for name in ("from", "to") for day in ENDS),
    ],
)
def test_what_cannot_be_reported_is_refused_by_the_argument(server, auditor, asked, argument):
    response = server.post(REPORT, asked, token=auditor)
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", argument)


def test_the_same_report_on_the_command_line(server, planted):
    words = ("ledger", "partners", "--organization", "SP01", "--from", "2031-05-01", "--to", "2031-05-07")
    (report,) = server.operate(*words)
    assert [one["rule"] for one in report["anomalies"]] == ["ENUMERATION_MISSES"]
    done = run_cli(*words, data_dir=server.data_dir)
    assert done.stdout.splitlines()[0].startswith("SP01  operations: 21 (verification 21)  persons: 0  misses: 21")
    assert "ENUMERATION_MISSES from 2031-05-06 00:00: 21, more than 20" in done.stdout
    assert json.loads(run_cli(*words, "--json", data_dir=server.data_dir).stdout) == [report]
    refused = run_cli("ledger", "partners", "--organization", "X", data_dir=server.data_dir, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "There is no partner of the code X: see `partner list`.\n"
    ended = run_cli("ledger", "partners", "--to", "0001-01-01", data_dir=server.data_dir, check=False)
    assert (ended.returncode, "2000 to 2100" in ended.stderr) == (1, True)


def test_c41_what_a_partner_really_does_is_counted_and_flagged(server):
    """Operations over HTTP; sealed and indexed in a transaction that is rolled back."""
    token = server.token("service_provider", org="SP01", purposes=["verification"])
    read = server.post("{ users(first: 3) { edges { node { name } } } }", token=token).json()
    people = sum(edge["node"]["name"] is not None for edge in read["data"]["users"]["edges"])
    assert people
    missed = []
    for _ in range(21):
        unknown = to_global(NodeType.CLAIM, uuid4())
        body = server.post("query($id: ID!) { claim(id: $id) { claimNumber } }", {"id": unknown}, token=token).json()
        missed.append(body.get("extensions", {}).get("authorization", {}).get("decisionId"))

    async def report(connection):
        undone = connection.transaction()
        await undone.start()
        await seal(connection)
        await index(connection)
        since, until = period(None, None, now=datetime.now(UTC) + timedelta(seconds=1))
        reach = partial(persons_within_reach, connection.fetch)
        found = await behaviour(connection.fetch, "SP01", since=since, until=until, reach=reach)
        uses = {tuple(row) for row in await connection.fetch("SELECT * FROM ledger_use")}
        await undone.rollback()
        return found, {one[:4] for one in uses}

    (found,), uses = owner(server, report)
    assert found.operations >= 22
    assert people <= found.persons < 100
    assert found.coordinates["User.name"] >= 1
    used = ("ORGANIZATION", str(found.id), "verification", "User.name")
    assert used in uses
    (anomaly,) = [one for one in found.anomalies if one.rule is Anomaly.ENUMERATION_MISSES]
    assert {str(one) for one in anomaly.decisions} <= set(missed)


PROBED = """
INSERT INTO ledger_record (index, at, kind, outcome, code, decision, organization, purpose, coordinates, revealed,
  masked, denied, misses)
SELECT 2 * 10 ^ 12 + n, $2::timestamptz + make_interval(mins => n), CASE WHEN n > 30 THEN 'REFUSAL' ELSE 'READ' END,
  CASE WHEN n > 30 THEN 'REFUSED' ELSE 'DONE' END, CASE WHEN n > 30 THEN 'STATISTICS_BUDGET' END, $3, id, 'analytics',
  CASE WHEN n > 30 THEN '{}' ELSE '{Query.policyStatistics,Query.claimStatistics}'::text[] END, 0, 0, 0, 0
FROM organization, generate_series(1, 36) n WHERE code = $1
"""


def test_c41_a_partner_that_goes_on_asking_for_statistics_once_its_questions_are_spent_is_flagged(server, auditor):
    decision = uuid4()
    owner(server, lambda connection: connection.execute(PROBED, "AD01", PLANTED_DAY, decision))
    try:
        (report,) = server.post(REPORT, {"code": "AD01", **DAYS}, token=auditor).json()["data"]["partnerReport"]
    finally:
        owner(server, lambda connection: connection.execute("DELETE FROM ledger_record WHERE decision = $1", decision))
    assert (report["operations"], report["statistics"], report["persons"]) == (36, 30, 0)
    assert report["refusals"] == [{"name": "STATISTICS_BUDGET", "operations": 6}]
    (anomaly,) = report["anomalies"]
    assert (anomaly["rule"], anomaly["figure"], anomaly["threshold"]) == ("STATISTICS_PROBING", 6, 5)
    assert anomaly["decisionIds"] == [str(decision)] * 5


def test_c41_statistics_that_a_partner_really_asks_for_are_counted(server):
    token = server.token("ad_partner", org="AD01", purposes=["analytics"])
    document = "{ policyStatistics { least } claimStatistics { least } }"
    assert server.post(document, token=token).json()["data"]["claimStatistics"]

    async def report(connection):
        undone = connection.transaction()
        await undone.start()
        await seal(connection)
        await index(connection)
        since, until = period(None, None, now=datetime.now(UTC) + timedelta(seconds=1))
        reach = partial(persons_within_reach, connection.fetch)
        found = await behaviour(connection.fetch, "AD01", since=since, until=until, reach=reach)
        await undone.rollback()
        return found

    (found,) = owner(server, report)
    assert found.statistics >= 1
    assert found.coordinates["Query.policyStatistics"] >= 1
    assert found.persons == 0
