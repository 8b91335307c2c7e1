"""The access review: what is granted, what of it is used, and that what nobody uses lapses unless recertified (C56)."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from authz.grants import Grant, Holder, granted
from authz.lapses import Lapses
from authz.reviews import (
    MOST_DAYS,
    Decided,
    GrantState,
    Reviewer,
    ReviewRefusal,
    lapse,
    recertify,
    restore,
    review,
)
from authz.situations import pair_bit
from authz.tokens import new_subject
from authz.unused_grants import LAPSED, NOTICE, REPORTED, look_after
from authz.vocabulary import ANY, Basis, Effect, Relation
from ledger.bodies import read_body
from ledger.uses import note_uses
from models.database import connect_once
from models.reviews import Decision, HolderKind
from models.vocabulary import PERSON_ROLES, STAFF_ROLES, Category, Purpose, Role, to_bits
from schema.build import build_schema
from tests.rules import default_snapshot

pytestmark = pytest.mark.anyio

SNAPSHOT = default_snapshot(build_schema())
REVIEWER = Reviewer(SNAPSHOT)
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
DAY = timedelta(days=1)
HANDLER = Grant(Holder(HolderKind.ROLE, "claims_handler"), Purpose.CLAIM_HANDLING, Category.HEALTH)
RULES_ROWS = "SELECT body FROM ledger WHERE body::jsonb ->> 'kind' = 'RULES' ORDER BY at, sequence"


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def connection(server):
    """The owner's, in a transaction that is rolled back; the index is up to date, and holds no uses."""
    found = await connect_once(server.database.owner)
    undone = found.transaction()
    await undone.start()
    await found.execute("DELETE FROM ledger_use; DELETE FROM grant_held; DELETE FROM grant_review")
    await found.execute("UPDATE ledger_indexed SET next = 10 ^ 12")
    yield found
    await undone.rollback()
    await found.close()


async def partner(connection, code="INS01"):
    return Holder(
        HolderKind.ORGANIZATION, str(await connection.fetchval("SELECT id FROM organization WHERE code = $1", code))
    )


async def use(connection, *, at=NOW, role="claims_handler", purpose="claim_handling", **said):
    """Note one row of the ledger, as the index does."""
    entries = [
        [[one], said.pop("effect", "REVEAL"), None, 1, [[0, None]]]
        for one in said.pop("coordinates", ["Claim.diagnosis"])
    ]
    body = {
        "kind": "READ",
        "outcome": "DONE",
        "role": role,
        "purpose": purpose,
        "persons": [7],
        "entries": entries,
        **said,
    }
    await note_uses(connection, [(1, at, read_body(json.dumps(body)))])


async def standing(connection, grant, *, now=NOW, unused_days=90):
    (found,) = [
        one for one in await review(connection.fetch, SNAPSHOT, now=now, unused_days=unused_days) if one.grant == grant
    ]
    return found


# What is granted.


async def test_a_role_is_granted_exactly_what_the_rules_show_it_in_some_situation():
    for role in Role:
        for purpose in Purpose:
            compiled = SNAPSHOT.slice(role, purpose)
            situations = {one for rule in compiled.rules for one in _situations(rule)}
            expected = {
                coordinate.category
                for name, coordinate in SNAPSHOT.catalogue.items()
                if any(compiled.decide(name, situation) is not Effect.DENY for situation in situations)
            }
            assert compiled.shows == expected, (role, purpose)


def _situations(rule):
    relations = list(Relation) if rule.relation == ANY else [Relation(rule.relation)]
    bases = list(Basis) if rule.basis == ANY else [Basis(rule.basis)]
    return {pair_bit(relation, basis) for relation in relations for basis in bases}


async def test_partners_hold_what_rules_and_one_running_agreement_both_give_and_persons_hold_nothing(connection):
    found = await granted(connection.fetch, SNAPSHOT)
    insurer = await partner(connection)
    held = {(one.purpose, one.category) for one in found if one.holder == insurer}
    assert (Purpose.CLAIM_HANDLING, Category.HEALTH) in held
    assert (Purpose.MARKETING, Category.TAG) in held
    assert {one.holder.key for one in found if one.holder.kind is HolderKind.ROLE} <= {
        role.value for role in STAFF_ROLES
    }
    assert not {one.holder.key for one in found} & {role.value for role in PERSON_ROLES}

    await connection.execute(
        "UPDATE agreement SET categories = $2 WHERE organization_id = $1::text::uuid",
        insurer.key,
        to_bits({Category.NAME}),
    )
    left = {one for one in await granted(connection.fetch, SNAPSHOT) if one.holder == insurer}
    assert {one.category for one in left} == {Category.NAME}
    assert {one.purpose for one in left} == {
        Purpose.APPLICATION,
        Purpose.POLICY_SERVICE,
        Purpose.CLAIM_HANDLING,
        Purpose.MARKETING,
    }
    await connection.execute(
        "UPDATE agreement SET ended_at = now() WHERE organization_id = $1::text::uuid", insurer.key
    )
    assert not [one for one in await granted(connection.fetch, SNAPSHOT) if one.holder == insurer]


# What is used.


async def test_a_grant_is_used_by_what_was_shown_and_by_nothing_else(connection):
    await use(connection, coordinates=["Claim.diagnosis"], effect="DENY")
    await use(connection, outcome="WITHHELD")
    await use(connection, outcome="REFUSED")
    await use(connection, role="customer")
    await use(connection, purpose="verification")
    await use(connection, coordinates=["Claim.none", "no coordinate", "Claim.diagnosis; --"])
    assert (await standing(connection, HANDLER)).last_used is None
    await use(connection, effect="REVEAL")
    assert (await standing(connection, HANDLER)).last_used == NOW
    masked = Grant(HANDLER.holder, HANDLER.purpose, Category.PHONE)
    await use(connection, effect="MASK", coordinates=["User.phone"])
    assert (await standing(connection, masked)).last_used == NOW


async def test_a_partners_use_is_its_own_and_not_that_of_another_of_its_kind(connection):
    one, other = await partner(connection), await partner(connection, "INS02")
    await use(connection, role="insurer", organization=one.key)
    await use(connection, role="insurer")
    assert (await standing(connection, Grant(one, *_claims()))).last_used == NOW
    assert (await standing(connection, Grant(other, *_claims()))).last_used is None


def _claims():
    return Purpose.CLAIM_HANDLING, Category.HEALTH


async def test_the_last_use_counts_to_the_hour_whatever_the_order_rows_are_noted_in(connection):
    for at in (NOW - DAY, NOW - 3 * DAY, NOW - DAY + timedelta(minutes=59)):
        await use(connection, at=at)
    assert (await standing(connection, HANDLER)).last_used == NOW - DAY
    await use(connection, at=NOW - DAY + timedelta(minutes=61))
    assert (await standing(connection, HANDLER)).last_used == NOW - DAY + timedelta(minutes=61)


async def test_rows_that_somebody_else_wrote_do_not_stop_the_index(connection):
    for text in (
        "",
        "[]",
        "{}",
        '{"role": 7}',
        '{"role": "insurer", "organization": "x", "purpose": [], "entries": [[]]}',
    ):
        await note_uses(connection, [(1, NOW, read_body(text))])
    assert await connection.fetchval("SELECT count(*) FROM ledger_use") == 0


# Decisions.


async def rows(connection):
    return [json.loads(row["body"]) for row in await connection.fetch(RULES_ROWS)]


async def test_each_decision_leaves_a_row_in_the_ledger_and_one_in_a_history_that_nobody_changes(connection):
    before = await rows(connection)
    for step in (
        recertify(connection, HANDLER, days=30, reviewer=REVIEWER, now=NOW),
        lapse(connection, HANDLER, reviewer=REVIEWER, now=NOW),
        restore(connection, HANDLER, reviewer=REVIEWER, now=NOW),
    ):
        assert isinstance(await step, Decided)
    said = [one["detail"] for one in await rows(connection) if one not in before]
    assert sorted(one["grant"] for one in said) == ["LAPSED", "RECERTIFIED", "RESTORED"]
    assert {(one["holder"], one["purpose"], one["category"], one["by"]) for one in said} == {
        ("claims_handler", "claim_handling", "health", "operator")
    }
    kept = await connection.fetch("SELECT decision FROM grant_review ORDER BY id")
    assert [row["decision"] for row in kept] == ["RECERTIFIED", "LAPSED", "RESTORED"]


async def test_what_makes_no_sense_is_refused_and_leaves_nothing(connection):
    unknown = Grant(HANDLER.holder, Purpose.MARKETING, Category.HEALTH)
    for days in (0, -1, MOST_DAYS + 1):
        assert await recertify(connection, HANDLER, days=days, reviewer=REVIEWER, now=NOW) is ReviewRefusal.DAYS_INVALID
    assert await recertify(connection, unknown, days=1, reviewer=REVIEWER, now=NOW) is ReviewRefusal.GRANT_UNKNOWN
    assert await lapse(connection, unknown, reviewer=REVIEWER, now=NOW) is ReviewRefusal.GRANT_UNKNOWN
    assert await restore(connection, HANDLER, reviewer=REVIEWER, now=NOW) is ReviewRefusal.GRANT_NOT_LAPSED
    assert await connection.fetchval("SELECT count(*) FROM grant_review") == 0
    await lapse(connection, HANDLER, reviewer=REVIEWER, now=NOW)
    assert await lapse(connection, HANDLER, reviewer=REVIEWER, now=NOW) is ReviewRefusal.GRANT_LAPSED
    assert await recertify(connection, HANDLER, days=1, reviewer=REVIEWER, now=NOW) is ReviewRefusal.GRANT_LAPSED


async def test_a_lapsed_grant_of_a_partner_stays_lapsed_in_its_next_agreement_and_can_be_restored_without_one(
    connection,
):
    grant = Grant(await partner(connection), *_claims())
    await lapse(connection, grant, reviewer=REVIEWER, now=NOW)
    end, resume = "UPDATE agreement SET ended_at = now()", "UPDATE agreement SET ended_at = NULL"
    await connection.execute(end)
    await connection.execute(resume)
    assert (await standing(connection, grant)).state is GrantState.LAPSED
    await connection.execute(end)
    assert isinstance(await restore(connection, grant, reviewer=REVIEWER, now=NOW), Decided)


# Lapsing by itself.


class Alarms(list):
    def __call__(self, code, **detail):
        self.append((code, detail))


async def look(connection, *passed, days=10, alarms=None):
    """The job, so many days after the beginning each; what lapsed when."""
    ended = []
    for one in passed:
        found = await look_after(
            connection, SNAPSHOT, days=days, now=NOW + one * DAY, sound=Alarms() if alarms is None else alarms
        )
        ended += [(one, grant) for grant in found]
    return ended


async def test_c56_a_grant_not_recertified_lapses_once_it_has_been_reported_and_not_before(connection):
    alarms = Alarms()
    assert await look(connection, 0, 1, 9, alarms=alarms) == []
    everything = await granted(connection.fetch, SNAPSHOT)
    assert (await standing(connection, HANDLER, now=NOW + 9 * DAY, unused_days=10)).state is GrantState.NEW
    assert alarms == []
    assert await look(connection, 10, alarms=alarms) == []
    assert alarms == [(REPORTED, {"grants": len(everything)})]
    assert (await standing(connection, HANDLER, now=NOW + 10 * DAY, unused_days=10)).state is GrantState.UNUSED
    assert await look(connection, 11, 39, alarms=alarms) == []
    await use(connection, at=NOW + 39 * DAY)
    ended = await look(connection, 40, alarms=alarms)
    assert {one for _, one in ended} == everything - {HANDLER}
    assert {code for code, _ in alarms[1:]} == {LAPSED}
    assert len(alarms) == len(everything)
    assert NOTICE == 30 * DAY
    said = [one["detail"] for one in await rows(connection) if one["detail"].get("by") == "needful"]
    assert [one["grant"] for one in said] == ["LAPSED"] * len(ended)


async def test_c56_what_is_used_or_recertified_in_time_does_not_lapse_and_its_days_begin_anew(connection):
    other = Grant(HANDLER.holder, HANDLER.purpose, Category.PHONE)
    await look(connection, 0, 10)
    await use(connection, at=NOW + 20 * DAY)
    await recertify(connection, other, days=50, reviewer=REVIEWER, now=NOW + 20 * DAY)
    ended = {one for _, one in await look(connection, 29, 30, 40, 59)}
    assert ended
    assert not {HANDLER, other} & ended
    assert await look(connection, 60, 69, 70, 99, 100) == [(60, HANDLER), (100, other)]


async def test_a_restored_grant_counts_its_days_from_then_on(connection):
    await look(connection, 0, 10, 40)
    assert (await standing(connection, HANDLER)).state is GrantState.LAPSED
    await restore(connection, HANDLER, reviewer=REVIEWER, now=NOW + 50 * DAY)
    assert await look(connection, 50, 59, 60, 89) == []
    assert await look(connection, 90) == [(90, HANDLER)]


async def test_a_grant_that_was_gone_for_a_while_is_new_again(connection):
    grant = Grant(await partner(connection), *_claims())
    await look(connection, 0)
    await connection.execute("UPDATE agreement SET ended_at = now()")
    await look(connection, 6)
    await connection.execute("UPDATE agreement SET ended_at = NULL")
    await look(connection, 7)
    assert (await standing(connection, grant)).since == NOW + 7 * DAY
    assert (await standing(connection, HANDLER)).since == NOW


async def test_nothing_is_reported_or_lapses_where_days_are_0_or_the_index_is_behind(connection):
    alarms = Alarms()
    assert await look(connection, 0, 50, 100, days=0, alarms=alarms) == []
    assert (await standing(connection, HANDLER, now=NOW + 100 * DAY)).state is GrantState.UNUSED
    await connection.execute("INSERT INTO ledger_writer (id, last) VALUES ($1, 5)", uuid4())
    await connection.execute("UPDATE ledger_indexed SET next = 4")
    assert await look(connection, 101, 141, alarms=alarms) == []
    assert alarms == []
    await connection.execute("UPDATE ledger_indexed SET next = 10 ^ 12")
    assert await look(connection, 142, 172, alarms=alarms) != []


async def test_who_sets_days_again_gives_notice_anew(connection):
    await look(connection, 0, 10)
    assert await connection.fetchval("SELECT count(reported_at) FROM grant_held") > 0
    await look(connection, 11, days=0)
    assert await connection.fetchval("SELECT count(reported_at) FROM grant_held") == 0
    alarms = Alarms()
    assert await look(connection, 200, 229, alarms=alarms) == []
    assert [code for code, _ in alarms] == [REPORTED]
    assert await look(connection, 230) != []


async def test_an_index_counts_as_up_to_date_that_lacks_rows_of_the_last_day_only(connection):
    await look(connection, 0, 10)
    await connection.execute("UPDATE ledger_indexed SET next = 10000")
    await connection.execute("INSERT INTO ledger_writer (id, last) VALUES ($1, 10 ^ 6)", uuid4())
    seal = "INSERT INTO ledger_leaf (index, writer, sequence, at, hash) VALUES (9999, $1, 1, $2, '')"
    await connection.execute(seal, uuid4(), NOW + 39 * DAY)
    assert await look(connection, 40) == []
    await connection.execute("UPDATE ledger_leaf SET at = at + interval '1 second' WHERE index = 9999")
    assert await look(connection, 40) != []


async def test_one_worker_looks_after_the_grants_at_a_time(server, connection):
    other = await connect_once(server.database.owner)
    try:
        async with other.transaction():
            await other.fetchval("SELECT pg_advisory_xact_lock(hashtext('grant_held'))")
            await look(connection, 0)
            assert await connection.fetchval("SELECT count(*) FROM grant_held") == 0
        await look(connection, 0)
        assert await connection.fetchval("SELECT count(*) FROM grant_held") > 0
    finally:
        await other.close()


# What workers know.


async def test_a_lapse_takes_the_category_for_that_purpose_from_that_holder_alone(connection):
    insurer, other = await partner(connection), await partner(connection, "INS02")
    every = to_bits(set(Category))
    health = Category.HEALTH.bit
    lapses = Lapses()

    def left(role, purpose=Purpose.CLAIM_HANDLING, categories=every, **who):
        return lapses.left(new_subject(role, [purpose], categories=categories, **who), purpose)

    def of(holder):
        return {"organization": holder.key, "organization_code": "code"}

    await lapses.learn(connection)
    assert left(Role.CLAIMS_HANDLER) == every
    await lapse(connection, HANDLER, reviewer=REVIEWER, now=NOW)
    await lapse(connection, Grant(insurer, *_claims()), reviewer=REVIEWER, now=NOW)
    await lapses.learn(connection)
    assert left(Role.CLAIMS_HANDLER) == every & ~health
    assert left(Role.CLAIMS_HANDLER, categories=Category.NAME.bit) == Category.NAME.bit
    assert left(Role.CLAIMS_HANDLER, Purpose.VERIFICATION) == every
    assert left(Role.RISK_ANALYST) == every
    assert left(Role.INSURER, **of(insurer)) == every & ~health
    assert left(Role.INSURER, **of(other)) == every
    assert left(Role.CUSTOMER) == left(Role.GUARDIAN) == left(Role.ANONYMOUS) == every
    await restore(connection, HANDLER, reviewer=REVIEWER, now=NOW)
    await recertify(connection, Grant(other, *_claims()), days=5, reviewer=REVIEWER, now=NOW)
    await lapses.learn(connection)
    assert left(Role.CLAIMS_HANDLER) == left(Role.INSURER, **of(other)) == every
    assert left(Role.INSURER, **of(insurer)) == every & ~health
    fresh = Lapses()
    await fresh.learn(connection)
    assert {**dict.fromkeys(lapses._bits, 0), **fresh._bits} == lapses._bits
    assert (
        await connection.fetchval("SELECT count(*) FROM grant_review WHERE decision = $1", Decision.LAPSED.value) == 2
    )
