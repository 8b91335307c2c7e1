"""Relay numbers over HTTP: one live number a recipient and person, while consent is what ties them (C21, C22, C37)."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from models.global_ids import NodeType, to_global
from models.vocabulary import Category
from privacy.relay_numbers import RANGE
from privacy.relays import settle
from tests.privacy.consenting import CONSENT, HASH
from tests.privacy.test_refusals import ROLES
from tests.privacy.world import (
    agree,
    live,
    office_of,
    organization,
    page,
    partner,
    relays_of,
    token_of,
    transact,
    withdraw,
)
from tests.writing.applying import Desk, code, cover
from tests.writing.dealings import a_policy

AUDIENCE = "{ users(first: 10) { edges { node { id phone virtualPhone } } } }"
HOLDERS = "{ policies(first: 20) { edges { node { id policyholder { phone virtualPhone } } } } }"
HELD = "query($id: ID!) { policy(id: $id) { policyholder { phone } } }"


def seen(office, token):
    """What a recipient of marketing sees: the number, the phone, and why not."""
    body = office.post(AUDIENCE, token=token, purpose="marketing").json()
    people = [edge["node"] for edge in body["data"]["users"]["edges"]]
    denied = {one["extensions"]["coordinate"] for one in body.get("errors", ())}
    return [(one["virtualPhone"], one["phone"]) for one in people], denied


def resolved(office, number):
    return office.operate("relays", "resolve", number)


@pytest.mark.parametrize("role", ROLES)
def test_c21_a_recipient_is_given_a_number_of_its_own_and_never_the_phone(bundled, role):
    office = office_of(bundled.server)
    me, ours, other = office.customer(), partner(office, role), partner(office, role)
    for one in (ours, other):
        agree(office, me.person, one)
    ((mine, phone),), denied = seen(office, token_of(office, role, ours))
    ((theirs, _),), _ = seen(office, token_of(office, role, other))
    assert phone is None
    assert "User.phone" in denied
    assert None not in (mine, theirs)
    assert len({mine, theirs, me.phone}) == 3
    assert resolved(office, mine) == {"organization": ours, "phone": me.phone}
    assert resolved(office, me.phone) is None


def test_c21_a_consent_that_leaves_relay_out_brings_no_number(bundled):
    office = office_of(bundled.server)
    me, insurer = office.customer(), partner(office, "insurer")
    agree(office, me.person, insurer, categories=[Category.NAME, Category.TAG])
    assert live(office, me.person, insurer) == []
    assert [one["virtualPhone"] for one in page(office, token_of(office, "insurer", insurer))] == [None]


@pytest.mark.parametrize("ends", ["withdrawn", "expired"])
def test_c21_a_number_is_dead_at_once_when_its_consent_ends(bundled, ends):
    office = office_of(bundled.server)
    me, insurer = office.customer(), partner(office, "insurer")
    consent = agree(office, me.person, insurer)
    token = token_of(office, "insurer", insurer)
    ((number, _),), _ = seen(office, token)
    if ends == "withdrawn":
        withdraw(office, me.person, insurer, consent)
        assert live(office, me.person, insurer) == []
    else:
        office.execute("UPDATE consent SET expires_at = now() WHERE id = $1", consent)
    assert seen(office, token)[0] == []
    assert resolved(office, number) is None, "also before anything has tidied up"
    again = agree(office, me.person, insurer)
    ((new, _),), _ = seen(office, token)
    assert (new == number) == (ends == "expired"), "what has ended is never given again"
    withdraw(office, me.person, insurer, again)


def test_c22_before_the_contract_the_insurer_has_a_relay_number_and_after_it_the_phone(bundled):
    office = office_of(bundled.server)
    desk, me = Desk(office), office.customer()
    agree(office, me.person, "INS01")
    token = office.token("insurer", org="INS01", purposes=["marketing", "policy_service"])
    made = desk.accepted(me)
    named = "SELECT audience_id FROM consent WHERE person_id = $1 AND audience_id IS NOT NULL"
    audience = to_global(NodeType.AUDIENCE_USER, office.rows(named, me.person)[0][0])

    def contact():
        asked = "query($id: ID!) { user(id: $id) { virtualPhone phone } }"
        user = office.post(asked, {"id": audience}, token=token, purpose="marketing").json()["data"]["user"]
        policy = office.post(HELD, {"id": made["id"]}, token=token, purpose="policy_service").json()["data"]["policy"]
        return user["virtualPhone"], user["phone"], policy and policy["policyholder"]["phone"]

    number, raw, held = contact()
    assert (bool(number), raw, held) == (True, None, None), "before: the relay number, and no phone"
    assert desk.as_insurer("recordPayment", {"id": made["id"], **cover()}) is None
    assert contact() == (None, None, me.phone), "after: the contract says how to reach whom"
    assert resolved(office, number) is None
    assert live(office, me.person, "INS01") == []
    assert len(live(office, me.person, None)) == 1, "the brokerage's service messages begin (C18)"
    assert code(desk.as_customer(me, "surrenderPolicy", {"id": made["id"]})) == "Policy"
    renewed, raw, held = contact()
    assert renewed not in (None, number), "the consent goes on, so marketing has a new number"
    assert (raw, held) == (None, None)


def test_c22_before_the_service_a_health_provider_has_a_relay_number_and_after_it_the_phone(bundled):
    office = office_of(bundled.server)
    me, provider = office.customer(), partner(office, "health_provider")
    agree(office, me.person, provider)
    token = token_of(office, "health_provider", provider, "marketing", "health_service")
    ((number, raw),), _ = seen(office, token)
    assert (bool(number), raw) == (True, None)

    def served():
        edges = office.post(HOLDERS, token=token, purpose="health_service").json()["data"]["policies"]["edges"]
        return [edge["node"]["policyholder"]["phone"] for edge in edges]

    assert served() == []
    policy = a_policy(office, me)
    office.execute(
        "INSERT INTO health_service (id, policy_id, provider_id, starts_at) VALUES ($1, $2, $3, now())",
        *(uuid4(), policy, organization(office, provider)),
    )
    assert served() == [me.phone]
    assert resolved(office, number) is None
    assert seen(office, token)[0] == [(None, None)], "from the next read on, before anything has tidied up"
    office.operate("relays", "rotate", "--older-than", "3650")
    assert seen(office, token)[0] == [(None, None)]
    office.execute("DELETE FROM health_service WHERE policy_id = $1", policy)


def test_the_command_replaces_old_numbers_once_and_says_only_how_many(bundled):
    office = office_of(bundled.server)
    me, insurer = office.customer(), partner(office, "insurer")
    agree(office, me.person, insurer)
    token = token_of(office, "insurer", insurer)
    ((number, _),), _ = seen(office, token)
    (row,) = live(office, me.person, insurer)
    office.operate("relays", "rotate", "--older-than", "3650")
    assert seen(office, token)[0] == [(number, None)]
    office.execute("UPDATE virtual_phone SET issued_at = now() - interval '4000 days' WHERE id = $1", row)
    would = office.operate("relays", "rotate", "--older-than", "3650", "--dry-run")
    assert (would["dry_run"], would["replaced"], would["issued"], would["ended"]) == (True, 1, 0, 0)
    assert live(office, me.person, insurer) == [row]
    assert office.operate("relays", "rotate", "--older-than", "3650")["replaced"] == 1
    assert office.operate("relays", "rotate", "--older-than", "3650")["replaced"] == 0
    ((new, _),), _ = seen(office, token)
    assert new not in (None, number)
    listed = office.operate("relays", "list")
    assert next(one for one in listed["numbers"] if one["organization"] == insurer) == {
        "organization": insurer,
        "live": 1,
        "ended": 1,
    }
    assert new not in str(listed)


def test_what_the_command_has_done_stays_done_pair_by_pair_whatever_comes_after(bundled, monkeypatch):
    office = office_of(bundled.server)
    insurer, people = partner(office, "insurer"), [office.customer() for _ in range(3)]
    office.operate("relays", "rotate", "--older-than", "3650")
    for one in people:
        agree(office, one.person, insurer)
        office.execute("UPDATE virtual_phone SET issued_at = '2010-01-01' WHERE person_id = $1", one.person)
    monkeypatch.setenv(RANGE, "16400000000-16400000001")
    done = office.operate("relays", "rotate", "--older-than", "3650")
    assert (done["replaced"], done["exhausted"]) == (2, 1)
    monkeypatch.delenv(RANGE)
    made = "SELECT v.xmin::text FROM virtual_phone v WHERE v.person_id = ANY($1) AND v.issued_at > '2020-01-01'"
    assert len({row[0] for row in office.rows(made, [one.person for one in people])}) == 2, "a transaction each"
    assert [len(live(office, one.person, insurer)) for one in people] == [1, 1, 1]
    row = 'SELECT body FROM ledger WHERE body LIKE \'%"subcommand":"rotate"%\' ORDER BY at DESC LIMIT 2'
    assert {json.loads(one[0])["outcome"] for one in office.rows(row)} == {"BEGUN", "DONE"}
    assert office.operate("relays", "rotate", "--older-than", "3650")["replaced"] == 1


def test_c22_no_demo_number_lives_where_business_is_concluded(bundled):
    office = office_of(bundled.server)
    lines = [json.loads(line) for line in office.plaintext.read_text().splitlines()]
    business = {
        (one["policyholder"], one["insurer"])
        for one in lines
        if one["type"] == "Policy" and one["status"] in ("IN_FORCE", "GRACE")
    }
    policies = {one["id"]: one for one in lines if one["type"] == "Policy"}
    for one in lines:
        if one["type"] == "HealthService" and (one["endsAt"] is None or one["endsAt"] > "2031"):
            policy = policies[one["policy"]]
            business |= {(policy[party], one["provider"]) for party in ("policyholder", "insured")}
    numbers = [one for one in lines if one["type"] == "VirtualPhone" and (one["user"], one["organization"]) in business]
    assert numbers
    assert all(one["endedAt"] for one in numbers)


def test_whoever_reads_while_numbers_are_replaced_sees_exactly_one(bundled):
    office = office_of(bundled.server)
    me, insurer = office.customer(), partner(office, "insurer")
    agree(office, me.person, insurer)
    token, to = token_of(office, "insurer", insurer), organization(office, insurer)
    numbers = set()

    async def replace():
        for _ in range(10):
            await asyncio.to_thread(_replace, office, me.person, to)

    async def read():
        for _ in range(20):
            found, _ = await asyncio.to_thread(seen, office, token)
            assert len(found) == 1
            assert found[0][0] is not None
            numbers.add(found[0][0])

    async def both():
        await asyncio.gather(replace(), replace(), read())

    asyncio.run(both())
    assert len(numbers) > 1
    assert len(live(office, me.person, insurer)) == 1


def _replace(office, person, to):
    now = datetime.now(UTC)

    async def work(connection):
        await settle(connection, relays_of(office), person, to, now=now, older_than=now + timedelta(days=1))

    transact(office, work)


@pytest.mark.parametrize("role", ROLES)
def test_c21_a_consent_given_brings_a_number_and_taken_back_kills_it_in_the_same_moment(bundled, role):
    office = office_of(bundled.server)
    me, to = office.customer(), partner(office, role)
    token = token_of(office, role, to)
    asked = {"purpose": "MARKETING", "recipient": to, "categories": ["NAME", "RELAY", "TAG"], "noticeHash": HASH}
    given = office.write("grantConsent", asked, token=me.token, purpose="account_service", show=CONSENT)
    assert given.get("status") == "ACTIVE", given
    ((number, phone),), _ = seen(office, token)
    assert (bool(number), phone) == (True, None)
    assert resolved(office, number) == {"organization": to, "phone": me.phone}
    taken = office.write("withdrawConsent", {"id": given["id"]}, token=me.token, purpose="account_service")
    assert taken["__typename"] == "Consent"
    assert seen(office, token)[0] == []
    assert live(office, me.person, to) == []
    assert resolved(office, number) is None
