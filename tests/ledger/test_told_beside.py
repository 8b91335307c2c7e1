"""What is told from the ledger is itself recorded, weighed and bounded; and withheld in so many words (C59, C63)."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from authz.caveats import MaskOnly, RowCeiling
from authz.replay import Replayer
from ledger.references import references_of
from ledger.rows import stand_in
from models.database import connect_once
from models.global_ids import NodeType, to_global
from models.vocabulary import Purpose, Role
from resolvers.aside_turns import turn
from resolvers.problems import RequestRefusedError
from schema.build import build_schema
from tests.inprocess import in_process
from tests.ledger.test_access_history import EVERYBODY, OWN, entry, operation, settle, uuid_of
from tests.ledger.test_access_records import AFFECTED, RECORDS
from tests.plain import lines
from tests.recorded import ROW, as_owner, said, unwritable
from tests.rules import default_snapshot

MARK = f"Beside{uuid4().hex[:8]}"
INSURER = "INS01"
WATCHED = """query Watched($incident: IncidentInput!) {
  accessRecords(first: 1) { edges { node { index } } } affectedPersons(incident: $incident) { total }
  partnerReport { persons } accessReview { holder } }"""


@pytest.fixture(scope="module")
def server(invented):
    return invented


@pytest.fixture(scope="module")
def auditor(server):
    return server.token("auditor", purposes=["administration"])


@pytest.fixture(scope="module")
def person(server):
    return next(one for one in lines(server.plaintext)["User"] if one["username"])


@pytest.fixture(scope="module")
def customer(server, person):
    return server.token("customer", user=person["username"], purposes=["account_service"])


@pytest.fixture(scope="module")
def made(server, person):
    """A row that told somebody's tags to an insurer: of a person and of a beneficiary."""
    organization = as_owner(server, lambda one: one.fetchval("SELECT id FROM organization WHERE code = $1", INSURER))
    found = operation(
        role=Role.INSURER,
        purpose=Purpose.MARKETING,
        organization=organization,
        token=MARK,
        persons=(uuid_of(person["id"]), stand_in("beneficiary", UUID(int=5))),
        entries=(entry("User.tags", of=((0, None), (1, None))),),
    )
    asyncio.run(settle(server.database, found))
    return found


def incident(made, **more):
    hour = timedelta(hours=1)
    return {"from": (made.at - hour).isoformat(), "to": (made.at + hour).isoformat(), "token": MARK, **more}


def row_of(server, body):
    (row,) = said(as_owner(server, lambda one: one.fetch(ROW, body["extensions"]["authorization"]["decisionId"])))
    return row


def told(row, coordinate):
    """Whom a row says that something was told of by a field."""
    entries = [entry for entry in row["entries"] if entry[0] == [coordinate]]
    assert all(entry[1:4] == ["REVEAL", None, 0] for entry in entries)
    return [row["persons"][place] for *_, group in entries for place in row["groups"][group][0]]


def references(server, *ids):
    found = as_owner(server, lambda connection: references_of(connection, ids))
    return [found[one] for one in ids]


# Recorded.


def test_who_reads_a_history_is_recorded_with_whose_it_was(server, customer, person):
    body = server.post(OWN, token=customer).json()
    row = row_of(server, body)
    assert told(row, "User.accessHistory") == references(server, uuid_of(person["id"]))
    asyncio.run(settle(server.database, operation(persons=(), entries=())))
    history = server.post(OWN, token=customer).json()["data"]["viewer"]["user"]["accessHistory"]
    nodes = [edge["node"] for edge in history["edges"]]
    (found,) = [one for one in nodes if one["decisionId"] == row["decision"]]
    assert (found["own"], found["revealed"]) == (True, ["User.accessHistory"])


def test_an_officer_who_reads_histories_leaves_a_row_that_names_them_all(server):
    for officer in [one for one in lines(server.plaintext)["Staff"] if one["role"] == "privacy_officer"]:
        if officer["leftAt"]:
            continue
        token = server.token("privacy_officer", user=officer["username"], purposes=["rights_request"])
        twice = (
            "{ users(first: 9) { edges { node { id accessHistory { totalCount } a: accessHistory { totalCount } } } } }"
        )
        body = server.post(twice, token=token).json()
        ids = [uuid_of(edge["node"]["id"]) for edge in body["data"]["users"]["edges"]]
        if len(ids) > 1:
            assert sorted(told(row_of(server, body), "User.accessHistory")) == sorted(references(server, *ids))
            return
    pytest.fail("no officer has several requests in hand")


def test_nobody_is_named_of_whom_nothing_was_told(server):
    token = server.token("customer_service", purposes=["policy_service"])
    someone = lines(server.plaintext)["User"][0]["id"]
    assert "User.accessHistory" not in str(row_of(server, server.post(EVERYBODY, {"id": someone}, token=token).json()))


def test_who_asks_whom_an_incident_befell_is_recorded_with_those_on_the_page_and_what_was_asked(
    server, auditor, made, person
):
    known = incident(made, purpose="MARKETING", organization=INSURER, coordinates=["User.tags"])
    (reference,) = references(server, uuid_of(person["id"]))
    for first, whom in ((9, [reference, f"beneficiary {5:032x}"]), (1, [reference])):
        row = row_of(server, server.post(AFFECTED, {"incident": known, "first": first}, token=auditor).json())
        assert told(row, "Query.affectedPersons") == whom
        (asked,) = row["detail"]["asked"]
        assert asked.pop("from") < asked.pop("to")
        assert asked == {
            "field": "Query.affectedPersons",
            "organization": str(made.organization),
            "token": MARK,
            "purpose": "marketing",
            "coordinates": ["User.tags"],
        }


def test_what_an_auditor_asks_the_records_for_stands_in_the_row(server, auditor, made, person):
    (reference,) = references(server, uuid_of(person["id"]))
    account = uuid4()
    given = incident(made, role="insurer", kind="READ")
    others = {"coordinate": "User.name", "person": str(reference), "account": to_global(NodeType.RECORD, account)}
    row = row_of(server, server.post(RECORDS, {**given, **others}, token=auditor).json())
    (asked,) = row["detail"]["asked"]
    assert asked.pop("from") < asked.pop("to")
    assert asked == {
        "field": "Query.accessRecords",
        "role": "insurer",
        "kind": "READ",
        "token": MARK,
        "coordinates": ["User.name"],
        "person": reference,
        "account": str(account),
    }
    document = f'{{ partnerReport(organization: "{INSURER}") {{ persons }} accessReview {{ holder }} }}'
    report, review = row_of(server, server.post(document, token=auditor).json())["detail"]["asked"]
    assert (report["field"], report["organization"], "from" in report) == ("Query.partnerReport", INSURER, True)
    assert review == {"field": "Query.accessReview", "unusedDays": 90}


def test_what_is_told_beside_the_plan_is_no_decision_to_make_again(server, customer):
    row = row_of(server, server.post(OWN.replace("user {", "user { name", 1), token=customer).json())
    replayed = list(Replayer(default_snapshot(build_schema())).replay(row))
    assert [one.coordinate for one in replayed] == ["User.name"]
    assert all(one.equal for one in replayed)


# Withheld.


def test_what_cannot_be_recorded_is_withheld_in_so_many_words(server, auditor, customer):
    twice = "{ accessRecords { totalCount } again: accessRecords { totalCount } }"
    stranger = server.token("developer", purposes=["administration"])
    with unwritable(server):
        body = server.post(twice, token=auditor).json()
        strict = server.post(twice, token=auditor, headers={"X-Authorization-Mode": "strict"})
        own = server.post("{ viewer { user { accessHistory { totalCount } } } }", token=customer).json()
        nobody = server.post(twice, token=stranger).json()
    assert body["data"] == nobody["data"] == {"accessRecords": None, "again": None}
    assert "errors" not in nobody
    errors = [(one["path"], one["extensions"]["code"], one["extensions"]["count"]) for one in body["errors"]]
    assert errors == [(["accessRecords"], "UNAVAILABLE", 1), (["again"], "UNAVAILABLE", 1)]
    assert (strict.status_code, strict.json()["data"]) == (403, None)
    (error,) = own["errors"]
    assert error["path"] == ["viewer", "user", "accessHistory"]
    assert error["extensions"]["coordinate"] == "User.accessHistory"
    assert error["extensions"]["pathPattern"] == "viewer.user.accessHistory"
    assert server.post(OWN, token=customer).json()["data"]["viewer"]["user"]["accessHistory"]
    row = row_of(server, own)
    assert (row["outcome"], {effect for _, effect, *_ in row["entries"]}) == ("WITHHELD", {"DENY"})


def test_the_same_field_of_many_rows_is_one_error_that_counts_them(server):
    users = "{ users(first: 9) { edges { node { accessHistory { totalCount } } } } }"
    link = next(one for one in lines(server.plaintext)["GuardianLink"] if one["verifiedAt"] and not one["revokedAt"])
    username = next(one["username"] for one in lines(server.plaintext)["User"] if one["id"] == link["guardian"])
    token = server.token("guardian", user=username, purposes=["account_service"])
    count = len(server.post(users, token=token).json()["data"]["users"]["edges"])
    with unwritable(server):
        (error,) = server.post(users, token=token).json()["errors"]
    assert error["path"] == ["users", "edges", 0, "node", "accessHistory"]
    assert (error["extensions"]["pathPattern"], error["extensions"]["count"]) == (
        "users.edges.@.node.accessHistory",
        count,
    )


# Weighed and bounded.


@pytest.mark.parametrize("field", ["affectedPersons(incident: $i) { total }", "partnerReport { persons }"])
def test_what_reads_much_is_asked_at_most_twice_in_one_operation(server, auditor, made, field):
    found = []
    for times in (2, 3):
        fields = " ".join(f"a{one}: {field}" for one in range(times))
        document = f"query($i: IncidentInput!) {{ {fields} affectedPersons(incident: $i) @skip(if: true) {{ total }} }}"
        found.append(server.post(document, {"i": incident(made)}, token=auditor).json())
    assert "errors" not in found[0]
    (error,) = found[1]["errors"]
    assert (error["extensions"]["code"], error["extensions"]["limit"]) == ("LIMIT_EXCEEDED", "cost")


def test_a_worker_reads_much_for_one_at_a_time_and_tells_others_to_come_back(server, made):
    given = ", ".join(f'{name}: "{value}"' for name, value in incident(made).items())
    document = f"{{ affectedPersons(incident: {{{given}}}) {{ total }} }}"

    async def meanwhile(asking):
        """What comes of them while nobody can read the records of the first, and then of all."""
        owner = await connect_once(server.database.owner)
        try:
            async with owner.transaction():
                await owner.execute("LOCK TABLE ledger_record IN ACCESS EXCLUSIVE MODE")
                waiting = tasks = [asyncio.create_task(one) for one in asking]
                while len(waiting) > 1:
                    _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return [await one for one in tasks]
        finally:
            await owner.close()

    with in_process(server) as asked:
        subject = asked.subject("auditor", purposes=["administration"])
        bodies = asked.bodies(subject, document, 3, beside=meanwhile)
        again = asked.body(subject, document)
    told = [body["data"]["affectedPersons"]["total"] for body in (*bodies, again) if body["data"] is not None]
    codes = [body["errors"][0]["extensions"]["code"] for body in bodies if body["data"] is None]
    assert (told, codes) == ([2, 2], ["RATE_LIMITED", "RATE_LIMITED"])


def test_what_takes_too_long_is_given_up_and_says_to_ask_for_fewer_days(ledger):
    async def slow(seconds):
        async with turn(seconds=seconds):
            await ledger.connection.fetch("SELECT pg_sleep(30)")

    async def refused_meanwhile():
        async with turn():
            with pytest.raises(RequestRefusedError) as refused:
                await slow(1)
            return refused.value

    with pytest.raises(RequestRefusedError, match="fewer days") as refused:
        ledger.run(slow(0.2))
    assert refused.value.code == "UNAVAILABLE"
    assert ledger.run(ledger.connection.fetchval("SELECT 1")) == 1, "the statement was given up, the connection not"
    busy = ledger.run(refused_meanwhile())
    assert (busy.code, busy.headers) == ("RATE_LIMITED", {"Retry-After": "5"})


# Narrowed.


def test_a_narrowed_token_is_told_nothing_from_the_ledger(server, made):
    with in_process(server) as asked:
        found = [
            asked.body(
                asked.subject("auditor", purposes=["administration"], **some), WATCHED, {"incident": incident(made)}
            )
            for some in ({}, {"caveats": (MaskOnly(),)}, {"caveats": (RowCeiling(1_000),)}, {"categories": []})
        ]
    assert all(value is not None for value in found[0]["data"].values())
    for body in found[1:]:
        assert set(body["data"].values()) == {None}
        assert "errors" not in body
