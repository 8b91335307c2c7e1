"""Auditors find rows of the ledger by who, what for and when, and nobody else finds any (C41, C59, C63)."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from ledger.references import references_of
from ledger.rows import Entry, Kind, Operation, stand_in
from models.database import connect_once
from models.global_ids import NodeType, to_global
from models.vocabulary import Purpose, Role
from tests.conftest import run_cli
from tests.ledger.test_access_history import callers, settle, uuid_of
from tests.plain import lines

MARK = f"Marked{uuid4().hex[:8]}"
ACCOUNT = uuid4()
START = datetime.now(UTC)
RECORD = """index at kind outcome code decisionId role organization { code kind } account tokenId client purpose
  operationName operationHash ruleset digest scope coordinates
  entries { coordinates effect reason situation persons records } text"""
RECORDS = f"""query Records(
  $first: Int, $after: String, $role: String, $organization: String, $purpose: Purpose, $coordinate: String,
  $person: String, $decision: String, $kind: String, $token: String, $client: String, $account: ID,
  $from: DateTime, $to: DateTime) {{
  accessRecords(first: $first, after: $after, role: $role, organization: $organization, purpose: $purpose,
    coordinate: $coordinate, person: $person, decision: $decision, kind: $kind, token: $token, client: $client,
    account: $account, from: $from, to: $to) {{
    totalCount edges {{ cursor node {{ {RECORD} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
AFFECTED = """query Affected($incident: IncidentInput!, $first: Int, $after: String) {
  affectedPersons(incident: $incident, first: $first, after: $after) { total recordsTotal pending
    persons { totalCount pageInfo { hasNextPage endCursor }
      edges { node { reference user standIn revealed masked changed first last times } } } } }"""


def owner(server, work):
    async def run():
        connection = await connect_once(server.database.owner)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


@pytest.fixture(scope="module")
def server(invented):
    return invented


@pytest.fixture(scope="module")
def people(server):
    return [uuid_of(one["id"]) for one in lines(server.plaintext)["User"][:3]]


@pytest.fixture(scope="module")
def insurer(server):
    return next(one for one in lines(server.plaintext)["Organization"] if one["kind"] == "INSURER")


@pytest.fixture(scope="module")
def made(server, people, insurer):
    """Rows of one incident, by what each is about."""
    organization = owner(
        server, lambda connection: connection.fetchval("SELECT id FROM organization WHERE code = $1", insurer["code"])
    )

    def one(at, coordinates, effect="REVEAL", **more):
        told = {"kind": Kind.READ, "role": Role.INSURER, "purpose": Purpose.CLAIM_HANDLING, **more}
        return Operation(
            decision=uuid4(),
            at=START + timedelta(days=1, seconds=at),
            organization=organization,
            account=ACCOUNT,
            token=MARK,
            operation_hash="0" * 64,
            operation_name=MARK,
            ruleset=3,
            digest="d" * 64,
            scope={"categories": 7},
            persons=(*people, stand_in("beneficiary", UUID(int=5))),
            records=(f"p{uuid4().hex}",),
            groups=(((0, 3), (0, None)), ((1,), None)),
            entries=(
                Entry(tuple(coordinates), effect, None, 1, 0),
                Entry(("User.email",), "DENY", "ROLE", 1, 1),
            ),
            **told,
        )

    rows = {
        "name": one(1, ["User.name"]),
        "masked": one(2, ["User.name", "User.phone"], "MASK"),
        "marketing": one(3, ["User.tags"], purpose=Purpose.MARKETING, role=Role.MARKETER),
        "write": one(4, ["Mutation.draftClaim"], "WRITE", kind=Kind.WRITE),
        "diagnosis": one(5, ["Claim.diagnosis"]),
    }
    asyncio.run(settle(server.database, *rows.values()))
    return rows


@pytest.fixture(scope="module")
def auditor(server):
    return server.token("auditor", purposes=["administration"])


ENDS = ("0001-01-01T00:00:00+14:00", "1999-12-31T23:59:59Z", "2101-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00")
"""Moments about which nobody may ask: arithmetic ends near the first and the last."""


def records(server, caller, /, **variables):
    body = server.post(RECORDS, variables, token=caller).json()
    assert "errors" not in body, body
    return [edge["node"] for edge in body["data"]["accessRecords"]["edges"]]


def marked(found, made):
    """Which of the rows made are among those found, in their order."""
    names = {str(one.decision): name for name, one in made.items()}
    return [names[one["decisionId"]] for one in found if one["decisionId"] in names]


def span(**more):
    day = START + timedelta(days=1)
    return {"from": day.isoformat(), "to": (day + timedelta(hours=1)).isoformat(), **more}


NEWEST = ["diagnosis", "write", "marketing", "masked", "name"]


@pytest.mark.parametrize(
    "filters,expected",
    [
        ({}, NEWEST),
        ({"role": "insurer"}, ["diagnosis", "write", "masked", "name"]),
        ({"role": "auditor"}, []),
        ({"purpose": "MARKETING"}, ["marketing"]),
        ({"purpose": "CLAIM_HANDLING", "role": "insurer", "kind": "READ"}, ["diagnosis", "masked", "name"]),
        ({"coordinate": "User.name"}, ["masked", "name"]),
        ({"coordinate": "User.email"}, NEWEST),
        ({"coordinate": "Mutation.draftClaim"}, ["write"]),
        ({"kind": "WRITE"}, ["write"]),
        ({"kind": "MALFORMED"}, []),
        ({"token": MARK}, NEWEST),
        ({"token": "another"}, []),
        ({"client": "another"}, []),
        ({"account": to_global(NodeType.RECORD, ACCOUNT), "kind": "WRITE"}, ["write"]),
        ({"account": to_global(NodeType.RECORD, uuid4())}, []),
    ],
)
def test_filters_find_the_rows_for_which_all_of_them_hold(server, auditor, made, filters, expected):
    assert marked(records(server, auditor, first=100, **span(**filters)), made) == expected


def test_rows_are_found_by_organization_decision_time_and_person(server, auditor, made, people, insurer):
    assert marked(records(server, auditor, first=100, organization=insurer["code"], **span()), made) == NEWEST
    one = made["masked"]
    assert marked(records(server, auditor, decision=str(one.decision)), made) == ["masked"]
    at = one.at.isoformat()
    assert marked(records(server, auditor, **{"from": at}, to=made["marketing"].at.isoformat()), made) == ["masked"]
    references = owner(server, lambda connection: references_of(connection, people))
    for person in people:
        assert marked(records(server, auditor, first=100, person=str(references[person])), made) == NEWEST
        narrower = records(server, auditor, person=str(references[person]), **span(purpose="MARKETING"))
        assert marked(narrower, made) == ["marketing"]
    assert records(server, auditor, person="1") == []


def test_a_record_says_all_that_its_row_says_and_proves_it(server, auditor, made, people, insurer):
    (found,) = records(server, auditor, decision=str(made["name"].decision))
    references = owner(server, lambda connection: references_of(connection, people))
    writer, sequence, body = found["text"].split(":", 2)
    said = json.loads(body)
    assert (found["role"], found["purpose"], found["kind"], found["outcome"]) == (
        *("insurer", "CLAIM_HANDLING", "READ", "DONE"),
    )
    assert found["organization"] == {"code": insurer["code"], "kind": "INSURER"}
    assert found["account"] == to_global(NodeType.RECORD, ACCOUNT)
    assert (found["tokenId"], found["operationName"], found["operationHash"]) == (MARK, MARK, "0" * 64)
    assert (found["ruleset"], found["digest"], found["scope"]) == (3, "d" * 64, {"categories": 7})
    assert found["coordinates"] == ["User.email", "User.name"]
    assert found["entries"][0] == {
        "coordinates": ["User.name"],
        "effect": "REVEAL",
        "reason": None,
        "situation": ["none/none"],
        "persons": [str(references[people[0]]), "beneficiary 00000000000000000000000000000005"],
        "records": [f"policy {UUID(said['records'][0][1:])}"],
    }
    leaf = hashlib.sha256(b"\0" + found["text"].encode()).digest()
    find = "SELECT hash FROM ledger_leaf WHERE index = $1 AND writer = $2 AND sequence = $3"
    given = int(found["index"]), UUID(writer), int(sequence)
    assert owner(server, lambda connection: connection.fetchval(find, *given)) == leaf


def test_pages_of_records_join_to_the_whole(server, auditor, made):
    whole = [one["index"] for one in records(server, auditor, first=100, **span())]
    after, found = None, []
    while True:
        body = server.post(RECORDS, {"first": 2, "after": after, **span()}, token=auditor).json()
        page = body["data"]["accessRecords"]
        assert page["totalCount"] is None
        found += [edge["node"]["index"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == whole
    assert [int(index) for index in whole] == sorted(map(int, whole), reverse=True)


@pytest.mark.parametrize(
    "given,code,argument",
    [
        ({"role": "nobody"}, "BAD_USER_INPUT", "role"),
        ({"kind": "ODD"}, "BAD_USER_INPUT", "kind"),
        ({"organization": "NOBODY"}, "BAD_USER_INPUT", "organization"),
        ({"coordinate": "name"}, "BAD_USER_INPUT", "coordinate"),
        ({"person": "-1"}, "BAD_USER_INPUT", "person"),
        ({"person": "9" * 19}, "BAD_USER_INPUT", "person"),
        ({"person": "9" * 400}, "BAD_USER_INPUT", "person"),
        ({"decision": "x"}, "BAD_USER_INPUT", "decision"),
        ({"from": "2026-11-22T00:00:00"}, "BAD_USER_INPUT", "from"),
        ({"from": "2026-11-22T00:00:00Z", "to": "2026-11-22T00:00:00Z"}, "BAD_USER_INPUT", "to"),
        ({"token": "张三"}, "BAD_USER_INPUT", "token"),
        ({"client": "x" * 121}, "BAD_USER_INPUT", "client"),
        ({"account": "x"}, "BAD_ID", "account"),
        *(({name: moment}, "BAD_USER_INPUT", name) for name in ("from", "to") for moment in ENDS),
        ({"after": "x"}, "BAD_CURSOR", "after"),
    ],
)
def test_a_value_that_cannot_be_is_refused_and_named(server, auditor, given, code, argument):
    body = server.post(RECORDS, given, token=auditor).json()
    extensions = body["errors"][0]["extensions"]
    assert (extensions["code"], extensions["argument"]) == (code, argument)


def incident(**more):
    return {**span(token=MARK), **more}


def affected(server, token, given, **page):
    body = server.post(AFFECTED, {"incident": given, **page}, token=token).json()
    assert "errors" not in body, body
    return body["data"]["affectedPersons"]


def test_the_auditor_gets_references_and_the_officer_ids(server, auditor, made, people):
    officer = server.token("privacy_officer", purposes=["administration"])
    references = owner(server, lambda connection: references_of(connection, people))
    found = {role: affected(server, token, incident()) for role, token in (("a", auditor), ("o", officer))}
    for role, one in found.items():
        assert (one["total"], one["recordsTotal"]) == (2, 5)
        assert one["pending"] >= 0
        person, other = (edge["node"] for edge in one["persons"]["edges"])
        assert person["reference"] == str(references[people[0]])
        assert person["user"] == (to_global(NodeType.USER, people[0]) if role == "o" else None)
        assert (other["reference"], other["user"]) == (None, None)
        assert other["standIn"] == "beneficiary 00000000000000000000000000000005"
        for each in (person, other):
            assert each["revealed"] == ["Claim.diagnosis", "User.name", "User.tags"]
            assert (each["masked"], each["changed"]) == (["User.name", "User.phone"], ["Mutation.draftClaim"])
            assert each["times"] == 5
            assert each["first"] < each["last"]


@pytest.mark.parametrize(
    "known,rows",
    [
        ({"role": "marketer"}, 1),
        ({"purpose": "CLAIM_HANDLING"}, 4),
        ({"coordinates": ["User.phone", "User.tags"]}, 2),
        ({"coordinates": ["User.email"]}, 0),
        ({"token": "another"}, 0),
        ({"client": "another"}, 0),
        ({"account": to_global(NodeType.RECORD, ACCOUNT)}, 5),
        ({"account": to_global(NodeType.RECORD, uuid4())}, 0),
    ],
)
def test_what_is_known_of_an_incident_narrows_it_down(server, auditor, made, known, rows):
    found = affected(server, auditor, incident(**known))
    assert (found["recordsTotal"], found["total"]) == (rows, 2 if rows else 0)


def test_affected_persons_come_in_pages(server, auditor, made):
    whole = affected(server, auditor, incident())["persons"]["edges"]
    first = affected(server, auditor, incident(), first=1)
    second = affected(server, auditor, incident(), first=1, after=first["persons"]["pageInfo"]["endCursor"])
    assert [first["total"], second["total"]] == [2, 2]
    assert first["persons"]["edges"] + second["persons"]["edges"] == whole
    assert [one["persons"]["pageInfo"]["hasNextPage"] for one in (first, second)] == [True, False]


@pytest.mark.parametrize(
    "given,code,argument",
    [
        ({"to": "2030-01-01T00:00:00Z"}, "BAD_USER_INPUT", "incident.to"),
        ({"to": "2000-01-01T00:00:00Z"}, "BAD_USER_INPUT", "incident.to"),
        ({"role": "nobody"}, "BAD_USER_INPUT", "incident.role"),
        ({"organization": "NOBODY"}, "BAD_USER_INPUT", "incident.organization"),
        ({"coordinates": ["name"]}, "BAD_USER_INPUT", "incident.coordinates"),
        ({"account": "x"}, "BAD_ID", "incident.account"),
        *(({name: moment}, "BAD_USER_INPUT", f"incident.{name}") for name in ("from", "to") for moment in ENDS),
        ({"decision": "x"}, "BAD_USER_INPUT", "incident.decision"),
    ],
)
def test_an_incident_that_cannot_be_is_refused_and_says_what_of_it(server, auditor, given, code, argument):
    body = server.post(AFFECTED, {"incident": incident(**given)}, token=auditor).json()
    extensions = body["errors"][0]["extensions"]
    assert (extensions["code"], extensions["argument"]) == (code, argument)


def test_an_incident_may_be_written_out_with_variables_in_it(server, auditor, made):
    document = """query Written($from: DateTime!, $to: DateTime!, $token: String) {
      affectedPersons(incident: {from: $from, to: $to, token: $token, purpose: MARKETING}) { total recordsTotal } }"""
    body = server.post(document, span(token=MARK), token=auditor).json()
    assert body["data"]["affectedPersons"] == {"total": 2, "recordsTotal": 1}


BOTH = """query Both($incident: IncidentInput!) {
  accessRecords(first: 1) { edges { node { index } } }
  affectedPersons(incident: $incident, first: 3) { total persons { edges { node { user } } } } }"""


def test_whoever_is_no_auditor_finds_neither_records_nor_an_incident(server, made):
    seen = set()
    for role, token in callers(server):
        for purpose in Purpose:
            body = server.post(BOTH, {"incident": incident()}, token=token, headers={"X-Purpose": purpose.value}).json()
            for name, found in body["data"].items():
                assert found is None or purpose == Purpose.ADMINISTRATION
                if found is not None:
                    seen.add((role, name))
                    users = [edge["node"].get("user") for edge in found.get("persons", {}).get("edges", ())]
                    assert any(users) == (role == Role.PRIVACY_OFFICER)
    assert seen == {
        (Role.AUDITOR, "accessRecords"),
        (Role.AUDITOR, "affectedPersons"),
        (Role.PRIVACY_OFFICER, "affectedPersons"),
    }


def test_the_index_is_compared_and_made_again_from_the_command_line(server, auditor, made):
    checked = run_cli("ledger", "reindex", "--check", "--json", data_dir=server.data_dir)
    assert json.loads(checked.stdout)["differences"] == 0
    tamper = "UPDATE ledger_record SET role = 'auditor' WHERE decision = $1"
    owner(server, lambda connection: connection.execute(tamper, made["name"].decision))
    assert "name" not in marked(records(server, auditor, first=100, **span(role="insurer")), made)
    found = run_cli("ledger", "reindex", "--check", data_dir=server.data_dir, check=False)
    assert (found.returncode, found.stdout) == (1, "")
    assert "needful ledger reindex" in found.stderr
    assert json.loads(run_cli("ledger", "reindex", "--json", data_dir=server.data_dir).stdout)["rows"] > 0
    assert "name" in marked(records(server, auditor, first=100, **span(role="insurer")), made)
