"""The disclosure budget as a caller meets it: in several processes at once, and cell by cell (C21, C41, C55)."""

import asyncio
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from unittest import mock
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from authz.budget import Disclosures, Span, Spending
from authz.catalogue import Coordinate
from authz.caveats import MaskOnly, RowCeiling
from authz.rules import Budget
from authz.vocabulary import DataSubject, Effect
from models.database import connect_once
from models.vocabulary import Category, Purpose, Role
from resolvers.ceilings import rows_beyond
from resolvers.disclosure import Ruled
from resolvers.plan import SensitiveCell
from tests.conftest import GRAPHQL, TLS, running_server
from tests.inprocess import handler, in_process, reasons, shown
from tests.plain import by_id, lines
from tests.recorded import as_owner, said

REST = 20
"""What is left of the hour's budget when the processes begin."""
TRIES = 10
PAGE = "query Spend($after: String) { users(first: 5, after: $after) { edges { node { id name phone idType } } } }"
NAMES = "{ users(first: 30) { edges { node { id name phone idType } } } }"
CLAIMS = "{ claims(first: 100) { edges { node { id claimNumber diagnosis reporterName bankCard } } } }"


def nodes(body, name="users") -> list[dict]:
    return [edge["node"] for edge in body["data"][name]["edges"]]


def revealed(rows) -> set[str]:
    """Whose names are in the clear."""
    return {one["id"] for one in rows if one["name"] and "*" not in one["name"]}


# Several processes.


@dataclass
class Crowd:
    """A member of staff whose hour is nearly spent, four processes of one database, and all they answered."""

    staff: UUID
    token: str
    addresses: list[str]
    logs: list
    cursors: list[str | None]
    found: list[dict]

    def ask(self, place, after=None, **headers) -> httpx.Response:
        """Over a connection of its own, so that whichever worker is free answers."""
        sent = {"Accept": GRAPHQL, "Authorization": f"Bearer {self.token}", **headers}
        with httpx.Client(verify=TLS, timeout=60) as client:
            body = {"query": PAGE, "variables": {"after": after}}
            for _ in range(TRIES):
                answer = client.post(self.addresses[place % len(self.addresses)], json=body, headers=sent)
                # A ledger that is slow for a moment withholds everything: as a client does, ask again.
                if "UNAVAILABLE" not in answer.text:
                    break
            return answer


async def _employ(server) -> UUID:
    """A new member of staff, of whose budget earlier workers have leased all but a rest, in this hour and the next."""
    budget, now, staff = Budget(Role.CUSTOMER_SERVICE, Purpose.POLICY_SERVICE, 2_000, 8_000, "C55"), _now(), uuid4()
    connection = await connect_once(server.database.owner)
    try:
        await connection.execute(
            "INSERT INTO staff (id, username, role) VALUES ($1, $2, $3)", staff, "zz-budget", budget.role
        )
        for span, leased in ((Span.HOUR, budget.per_hour - REST), (Span.DAY, budget.per_day - 2 * REST)):
            for begins in {span.begin(now), span.begin(now + timedelta(hours=1))}:
                at = (datetime.fromtimestamp(one, UTC) for one in (begins, begins + span.seconds))
                await connection.execute(
                    "INSERT INTO disclosure_lease (subject, role, purpose, span, begins_at, ends_at, leased, granted)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
                    *(staff, budget.role, budget.purpose, span, *at, leased),
                )
    finally:
        await connection.close()
    return staff


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def crowd(server, tmp_path_factory):
    """Every page asked for twice, by many at once, of the suite's server and of three workers more."""
    staff = asyncio.run(_employ(server))
    token = server.token("customer_service", user="zz-budget", purposes=["policy_service"])
    listing = "query($after: String) { users(first: 100, after: $after) { edges { cursor } } }"
    cursors: list[str] = []
    while more := server.post(listing, {"after": cursors[-1] if cursors else None}, token=token).json():
        found = [edge["cursor"] for edge in more["data"]["users"]["edges"]]
        cursors += found
        if len(found) < 100:
            break
    log = tmp_path_factory.mktemp("budget") / "log"
    with running_server(server.data_dir, log, "--workers", "3") as url:
        addresses = [server.url, *[f"{url}/graphql"] * 3]
        crowd = Crowd(staff, token, addresses, [server.log, log], [None, *cursors[4::5]], [])
        with ThreadPoolExecutor(16) as pool:
            asked = [*enumerate(crowd.cursors), *enumerate(crowd.cursors[::-1])]
            answers = pool.map(lambda one: crowd.ask(*one), asked)
            crowd.found = [answer.json() for answer in answers]
        yield crowd


def test_all_processes_together_reveal_no_more_persons_than_the_budget_and_use_it_well(crowd, server):
    everybody = [one for body in crowd.found for one in nodes(body)]
    assert len({one["id"] for one in everybody}) > 10 * REST
    found = revealed(everybody)
    plain = by_id(server.plaintext, "User")
    assert all(plain[one["id"]]["name"] == one["name"] for one in everybody if one["id"] in found and one["name"])
    # One whom two workers revealed counts twice: never over, and perhaps a little under.
    assert REST / 2 <= len(found) <= REST


def test_whom_there_is_no_place_for_is_shown_masked_as_ever_and_with_all_that_is_public(crowd):
    refused = [one for body in crowd.found for one in nodes(body) if one["name"] is None]
    assert refused
    assert all(one["idType"] for one in refused)
    assert any(one["phone"] and "*" in one["phone"] for one in refused)
    assert {code for body in crowd.found for found in reasons(body).values() for code in found} <= {"LIMIT", "RELATION"}


def test_the_refusal_says_when_to_ask_again_and_only_where_it_is_the_budgets(crowd):
    limits = [
        one["extensions"]
        for body in crowd.found
        for one in body.get("errors", ())
        if one["extensions"]["reason"] == "LIMIT"
    ]
    assert {(one["coordinate"], one["code"]) for one in limits} == {("User.name", "FIELD_DENIED")}
    for one in limits:
        again = datetime.fromisoformat(one["again"])
        assert (again.minute, again.second, again.utcoffset()) == (0, 0, timedelta(hours=8))
        assert timedelta() < again - _now() <= timedelta(hours=1)
        assert one["again"] in one["remedy"]
    count = sum(one["count"] for one in limits)
    assert count == sum(one["name"] is None for body in crowd.found for one in nodes(body))


def test_a_strict_operation_beyond_it_is_refused_whole(crowd):
    answers = [crowd.ask(0, after, **{"X-Authorization-Mode": "strict"}) for after in crowd.cursors[5:9]]
    codes = {(answer.status_code, answer.json()["data"] is None) for answer in answers}
    assert (403, True) in codes
    assert codes <= {(403, True), (200, False)}


def test_the_alarm_sounds_once_in_all_processes_and_leaves_its_row_in_the_ledger(crowd, server):
    told = [line for log in crowd.logs for line in log.read_text().splitlines() if "BUDGET_SPENT" in line]
    assert len([line for line in told if str(crowd.staff) in line]) == 1
    deadline = time.monotonic() + 10
    while not (rows := _alarms(server, crowd.staff)) and time.monotonic() < deadline:
        time.sleep(0.1)
    (row,) = rows
    told = {"role": "customer_service", "purpose": "policy_service", "window": "hour", "budget": 2_000}
    again = row["detail"].pop("again")
    assert row["detail"] == {"subject": str(crowd.staff), **told}
    assert datetime.fromisoformat(again) > _now()


def _alarms(server, staff):
    text = "SELECT body FROM ledger WHERE body LIKE '%BUDGET_SPENT%' AND body LIKE '%' || $1 || '%'"
    rows = said(as_owner(server, lambda owner: owner.fetch(text, str(staff))))
    assert {row["kind"] for row in rows} <= {"ALARM"}
    return rows


# One process, budgets as small as the test needs them.


@pytest.fixture(scope="module")
def asked(server):
    with in_process(server) as found:
        yield found


class Small:
    """A service whose subjects have the same small budget, and a memory of its own."""

    def __init__(self, asked, per_hour, per_day=None, *, now=None, without=None) -> None:
        self.asked, self.now = asked, now or _now()
        snapshot = asked.service.snapshot()
        budgets = {
            key: replace(one, per_hour=per_hour, per_day=per_day or per_hour)
            for key, one in snapshot.ruleset.budgets.items()
            if key != without
        }
        small = replace(snapshot, ruleset=replace(snapshot.ruleset, budgets=budgets))
        reader = replace(asked.service.reader, disclosures=Disclosures(), clock=lambda: self.now)
        self.service = replace(asked.service, rulesets=SimpleNamespace(snapshot=lambda: small), reader=reader)

    def body(self, subject, document, variables=None, purpose=None):
        return self.asked.body(subject, document, variables, purpose, service=self.service)


def somebody(asked, role, purpose, **named):
    """A caller whom nobody has counted yet: the identity is nobody else's, the rows are those of everybody."""
    return replace(asked.subject(role, purposes=[purpose], **named), account=uuid4())


def clerk(asked, *caveats):
    return replace(somebody(asked, "customer_service", "policy_service"), caveats=caveats)


def test_the_first_persons_of_the_answer_are_shown_and_the_same_ones_for_the_rest_of_the_hour(asked):
    small, who = Small(asked, 5), clerk(asked)
    full = nodes(asked.body(clerk(asked), NAMES))
    first = [one["id"] for one in full if one["id"] in revealed(full)][:5]
    for _ in range(2):
        assert [one["id"] for one in nodes(small.body(who, NAMES)) if one["id"] in revealed(full) and one["name"]] == (
            first
        )


def test_the_next_hour_shows_again_and_the_day_holds(asked):
    midnight = datetime.fromtimestamp(Span.DAY.begin(_now()), UTC)
    small, who = Small(asked, 4, 6, now=midnight), clerk(asked)
    found = []
    for hour in (0, 1, 2, 23, 24):
        small.now = midnight + timedelta(hours=hour, minutes=1)
        page = "{ users(%s: 10) { edges { node { id name } } } }" % ("first" if hour in (0, 24) else "last")
        found.append(len(revealed(nodes(small.body(who, page)))))
    assert found == [4, 2, 2, 2, 4]


def test_masked_values_and_what_nobody_is_shown_of_count_nothing(asked):
    small, who = Small(asked, 3), clerk(asked, MaskOnly())
    for _ in range(2):
        assert not reasons(small.body(who, NAMES)).get("User.name")
    open_eyed = replace(who, caveats=())
    small.body(open_eyed, "{ users(first: 30) { edges { node { id idType } } } }")
    assert len(revealed(nodes(small.body(open_eyed, NAMES)))) == 3


def test_rows_beyond_a_tokens_own_ceiling_cost_the_budget_nothing_and_say_nothing_of_it(asked):
    small, who = Small(asked, 8), clerk(asked)
    body = small.body(replace(who, caveats=(RowCeiling(2),), token_id=uuid4().hex), NAMES)
    seen = len(revealed(nodes(body)))
    assert {"again" in error["extensions"] for error in body["errors"]} == {False}
    assert seen <= 2
    last = "{ users(last: 30) { edges { node { id name } } } }"
    assert len(revealed(nodes(small.body(who, last)))) == 8 - seen


def test_only_what_the_budget_refuses_says_when_to_ask_again(asked):
    who = replace(clerk(asked, RowCeiling(15)), token_id=uuid4().hex)
    body = Small(asked, 1).body(who, NAMES)
    told = {
        error["extensions"]["coordinate"]: "again" in error["extensions"]
        for error in body["errors"]
        if error["extensions"]["reason"] == "LIMIT"
    }
    assert told == {"User.name": True, "User.phone": False}


def test_a_person_of_whom_one_cell_or_another_is_revealed_counts():
    people = [uuid4() for _ in range(3)]
    by_category = {Category.RELAY: (1, 0, 0), Category.TAG: (0, 1, 0)}
    rows = SimpleNamespace(count=3, people=lambda _: people)
    effects = {0: Effect.MASK, 1: Effect.REVEAL}
    said = [
        Ruled(
            SensitiveCell(category, Coordinate(category, category, DataSubject.USER), category, effects, "opens", None),
            situations,
            Counter(situations),
            effects,
            frozenset(),
        )
        for category, situations in by_category.items()
    ]
    spending = mock.Mock(beyond=mock.AsyncMock(return_value={people[1]}))
    beyond = asyncio.run(rows_beyond(said, rows, None, spending))
    spending.beyond.assert_awaited_once_with(people[:2])
    assert beyond.spent == {DataSubject.USER: {1}}


def test_a_person_counts_once_wherever_in_the_answer_they_stand(asked):
    small, who = Small(asked, 6), clerk(asked)
    document = """{ policies(first: 40) { edges { node { id premium policyholder { id name } insured { id name } } } }
      users(first: 30) { edges { node { id name } } } }"""
    body = small.body(who, document)
    policies = nodes(body, "policies")
    people = [one[link] for one in policies for link in ("policyholder", "insured") if one[link]] + nodes(body)
    holders = {one["policyholder"]["id"] for one in policies if one["premium"]}
    assert len(holders | revealed(people)) == 6


def test_of_one_claim_the_insured_is_shown_and_a_reporter_who_is_somebody_else_is_not(server, asked):
    whole = [one for one in nodes(asked.body(handler(asked), CLAIMS), "claims") if one["diagnosis"]]
    plain, policies = by_id(server.plaintext, "Claim"), by_id(server.plaintext, "Policy")
    document = "query($id: ID!) { claim(id: $id) { id claimNumber diagnosis reporterName bankCard } }"
    found = set()
    for claim in whole:
        told, small = plain[claim["id"]], Small(asked, 1)
        insured = told["reporterVerifiedAt"] and told["reporter"] == policies[told["policy"]]["insured"]
        body = small.body(_on_another_day(asked, small), document, {"id": claim["id"]})
        assert body["data"]["claim"] == {**claim, "reporterName": claim["reporterName"] if insured else None}
        assert reasons(body) == ({} if insured else {"Claim.reporterName": {"LIMIT"}})
        found.add(bool(insured))
    assert found == {True, False}


def _on_another_day(asked, small):
    """The handler, when nothing of theirs has been counted yet."""
    small.now = _another_day()
    return handler(asked)


def _another_day() -> datetime:
    return datetime(2040, 1, 1, tzinfo=UTC) + timedelta(days=uuid4().int % 3_000)


def test_without_a_budget_nothing_is_revealed_and_masks_are_as_ever(asked):
    small = Small(asked, 1_000, without=(Role.CUSTOMER_SERVICE, Purpose.POLICY_SERVICE))
    body = small.body(clerk(asked), NAMES)
    before = asked.body(clerk(asked), NAMES)
    assert shown(body)["REVEAL"] == 0
    assert shown(body)["MASK"] == shown(before)["MASK"] > 0
    assert shown(body)["DENY"] == shown(before)["DENY"] + shown(before)["REVEAL"]
    assert reasons(body)["User.name"] == {"LIMIT"}


def test_a_person_always_sees_their_own_data_and_others_of_their_policies_count(server, asked):
    policies = [one for one in lines(server.plaintext)["Policy"] if one["status"] in ("IN_FORCE", "GRACE")]
    accounts = {one["user"] for one in lines(server.plaintext)["Account"] if one["user"]}
    policy = next(one for one in policies if one["policyholder"] in accounts and one["insured"] != one["policyholder"])
    person = by_id(server.plaintext, "User")[policy["policyholder"]]
    who = asked.subject("customer", user=person["username"], purposes=["account_service"])
    document = "query($id: ID!) { policy(id: $id) { premium policyholder { name phone } insured { name } } }"
    full = asked.body(who, document, {"id": policy["id"]})["data"]["policy"]
    assert full["insured"]["name"]
    without = (Role.CUSTOMER, Purpose.ACCOUNT_SERVICE)
    body = Small(asked, 1_000, without=without).body(who, document, {"id": policy["id"]})
    assert body["data"]["policy"]["policyholder"] == {"name": person["name"], "phone": person["phone"]}
    assert body["data"]["policy"]["premium"] == full["premium"]
    assert body["data"]["policy"]["insured"] == {"name": None}
    assert [error["extensions"]["reason"] for error in body["errors"]] == ["LIMIT"]


def test_a_guardian_always_sees_their_wards(server, asked):
    who = asked.subject("guardian", purposes=["account_service"])
    document = "{ users(first: 20) { edges { node { id name phone } } } }"
    small = Small(asked, 1_000, without=(Role.GUARDIAN, Purpose.ACCOUNT_SERVICE))
    full, body = asked.body(who, document), small.body(who, document)
    assert revealed(nodes(full))
    assert body["data"] == full["data"]


def test_a_marketer_is_revealed_so_many_persons_and_the_others_by_masked_names_alone(asked):
    who, other = (somebody(asked, "marketer", "marketing") for _ in range(2))
    document = "{ users(first: 10) { edges { node { id name tags } } } }"
    full, body = asked.body(who, document), Small(asked, 1).body(other, document)
    assert shown(full)["REVEAL"] > 1
    assert shown(body)["REVEAL"] == 1
    assert [one["name"] for one in nodes(body)] == [one["name"] for one in nodes(full)]
    assert not revealed(nodes(full))


def test_an_organization_has_one_budget_for_all_of_its_tokens_and_clients(asked):
    small = Small(asked, 5)
    who = asked.subject("insurer", org="INS01", purposes=["policy_service"])
    small.now = _another_day()
    found = set()
    for client in ("one", "other"):
        document = "{ users(%s: 30) { edges { node { id name } } } }" % ("first" if client == "one" else "last")
        found |= revealed(nodes(small.body(replace(who, client=client, token_id=uuid4().hex), document)))
    assert len(found) == 5


def test_a_budget_that_cannot_be_asked_for_makes_the_whole_unavailable(asked):
    small, who = Small(asked, 5), clerk(asked)
    with mock.patch.object(Spending, "_lease", mock.AsyncMock(side_effect=asyncpg.InterfaceError("gone"))):
        body = small.body(who, NAMES)
        assert [error["extensions"]["code"] for error in body["errors"]] == ["UNAVAILABLE"]
        # Who need not be counted is shown.
        assert nodes(small.body(who, "{ users(first: 5) { edges { node { id idType } } } }"))


def test_a_page_seen_before_asks_the_budget_nothing(asked):
    small, who = Small(asked, 100), clerk(asked)
    small.body(who, NAMES)
    with mock.patch.object(Spending, "_lease", mock.AsyncMock(side_effect=AssertionError)):
        assert not reasons(small.body(who, NAMES)).get("User.name")
