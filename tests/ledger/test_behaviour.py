"""The partner report over a real database: what it counts, and that planted anomalies of each kind are flagged."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from authz.reach import persons_within_reach
from ledger.anomalies import PROBED, Anomaly
from ledger.behaviour import SHANGHAI, behaviour, period
from models.database import connect_once

pytestmark = pytest.mark.anyio

NOW = datetime(2027, 3, 10, 4, tzinfo=UTC)
TODAY = date(2027, 3, 10)
ORGANIZATION = "SELECT id FROM organization WHERE code = $1"
RECORD = (
    *("index", "at", "kind", "outcome", "code", "decision", "role", "organization", "purpose", "coordinates"),
    *("revealed", "masked", "denied", "misses"),
)


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def partners(server):
    """Plants records as the owner, in a transaction that is rolled back."""
    connection = await connect_once(server.database.owner)
    undone = connection.transaction()
    await undone.start()
    yield Planting(connection)
    await undone.rollback()
    await connection.close()


class Planting:
    """Rows of the index, as the sealer makes them."""

    def __init__(self, connection):
        self.connection, self.records, self.accesses, self.next = connection, [], [], 10**12
        self.reach = 10_000

    def row(self, organization, at, *, persons=(), named=(), kind="READ", outcome="DONE", code=None, **more):
        """One record, and the accesses to it: of persons it shows, and of some it names and shows nothing of."""
        said = {
            "purpose": "policy_service",
            "coordinates": ["User.name"],
            "masked": 0,
            "denied": 0,
            "misses": 0,
            **more,
        }
        decision = uuid4()
        words = (said["purpose"], said["coordinates"], said.get("revealed", len(persons)))
        counts = (said["masked"], said["denied"], said["misses"])
        row = (self.next, at, kind, outcome, code, decision, "insurer", organization, *words, *counts)
        self.records.append(row)
        self.accesses += [(person, at, self.next, [self.next], None) for person in persons]
        self.accesses += [(person, at, self.next, [self.next], []) for person in named]
        self.next += 1
        return decision

    def usual(self, organization, *, days=range(-28, 1), persons=10):
        """Working days on which ten operations show a person each, always the same ones."""
        for day in days:
            for hour in range(9, 9 + persons):
                self.row(organization, moment(day, hour), persons=[hour])

    async def report(self, code=None, since=None, until=None):
        await self.connection.copy_records_to_table("ledger_record", records=self.records, columns=RECORD)
        columns = ("reference", "at", "first", "indexes", "shown")
        await self.connection.copy_records_to_table("ledger_access", records=self.accesses, columns=columns)
        since, until = period(since, until, now=NOW)

        async def reach(_: UUID) -> int:
            return self.reach

        return await behaviour(self.connection.fetch, code, since=since, until=until, reach=reach)


def moment(day, hour, minute=0):
    """So many days after the one of the report, in Shanghai."""
    found = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=SHANGHAI) + timedelta(days=day)
    return found.replace(hour=hour, minute=minute)


async def of(partners, code="INS01"):
    return await partners.connection.fetchval(ORGANIZATION, code)


async def test_a_report_counts_what_one_partner_did_in_the_period_and_nothing_else(partners):
    insurer, other = await of(partners), await of(partners, "INS02")
    partners.row(insurer, moment(-7, 23, 59), persons=[1], purpose="application")
    partners.row(insurer, moment(-6, 0), persons=[1, 2], named=[8, 9])
    partners.row(insurer, moment(0, 9), persons=[2, 3], masked=2, denied=1, purpose="claim_handling", misses=2)
    partners.row(insurer, moment(0, 9, 5), kind="WRITE", coordinates=["Mutation.recordPayment"], persons=[4])
    partners.row(insurer, moment(0, 10), kind="REFUSAL", outcome="REFUSED", code="RATE_LIMITED", coordinates=[])
    partners.row(insurer, moment(0, 11), kind="TOKEN", outcome="REFUSED", code="invalid_client", coordinates=[])
    partners.row(insurer, moment(0, 11), kind="TOKEN", coordinates=[])
    partners.row(insurer, moment(1, 0), persons=[5])
    partners.row(other, moment(0, 12), persons=[6, 7])
    (found,) = await partners.report("INS01")
    assert (found.organization, found.kind) == ("INS01", "INSURER")
    assert (found.since, found.until) == (moment(-6, 0), moment(1, 0))
    assert (found.operations, found.persons, found.misses, found.denied) == (4, 4, 2, 1)
    assert found.purposes == {"policy_service": 3, "claim_handling": 1}
    assert found.coordinates == {"User.name": 2, "Mutation.recordPayment": 1}
    assert found.refusals == {"RATE_LIMITED": 1, "invalid_client": 1}
    assert {hour: count for hour, count in enumerate(found.hours) if count} == {0: 1, 9: 2, 10: 1}
    assert found.anomalies == []


async def test_all_partners_are_reported_by_code_those_who_did_nothing_too_and_an_unknown_one_not(partners):
    reports = await partners.report()
    assert [one.organization for one in reports] == sorted(one.organization for one in reports)
    assert {one.kind for one in reports} >= {"INSURER", "HEALTH_PROVIDER", "AD_PARTNER"}
    assert {one.operations for one in reports} == {0}
    assert await partners.report("NOBODY") == []


async def test_what_was_refused_or_withheld_showed_nobody(partners):
    insurer = await of(partners)
    partners.row(insurer, moment(0, 9), persons=[1], outcome="REFUSED", code="FIELD_DENIED")
    partners.row(insurer, moment(0, 9), persons=[2], outcome="WITHHELD")
    partners.row(insurer, moment(0, 9), persons=[3], code="FIELD_DENIED", kind="WRITE")
    (found,) = await partners.report("INS01")
    assert (found.operations, found.persons) == (3, 0)


async def planted(partners, plant):
    """The anomalies after four quiet weeks and something planted today."""
    insurer = await of(partners)
    partners.usual(insurer)
    decisions = [one for one in plant(insurer) if one]
    (found,) = await partners.report("INS01")
    return found.anomalies, decisions


def many(partners, count, *, hour=lambda _: 12, **more):
    """Plants so many operations, a minute from each other."""
    return lambda insurer: [partners.row(insurer, moment(0, hour(n), n % 60), **more) for n in range(count)]


async def test_a_quiet_month_is_not_flagged(partners):
    assert await planted(partners, lambda _: []) == ([], [])


LOOKUPS = Anomaly.ENUMERATION_LOOKUPS
KINDS = {
    Anomaly.VOLUME_OPERATIONS: lambda p: many(p, 501, persons=[9]),
    Anomaly.VOLUME_PERSONS: lambda p: many(p, 4, persons=range(9, 210), revealed=60),
    Anomaly.BREADTH_OPERATION: lambda p: many(p, 1, persons=range(9, 100), revealed=101),
    Anomaly.BREADTH_REACH: lambda p: many(p, 2, persons=range(9, 115), revealed=60),
    Anomaly.HOURS: lambda p: many(p, 20, persons=[9], hour=lambda n: 22 + n % 2),
    Anomaly.ENUMERATION_MISSES: lambda p: many(p, 21, misses=1, coordinates=[]),
    Anomaly.ENUMERATION_LOOKUPS: lambda p: lambda of: [p.row(of, moment(0, 12), persons=[n]) for n in range(100, 161)],
    Anomaly.REFUSALS: lambda p: many(p, 21, kind="REFUSAL", outcome="REFUSED", code="FORBIDDEN", coordinates=[]),
    Anomaly.STATISTICS_PROBING: lambda p: many(p, 6, kind="REFUSAL", outcome="REFUSED", code=PROBED, coordinates=[]),
}


@pytest.mark.parametrize("kind", Anomaly)
async def test_an_anomaly_of_each_kind_is_flagged_with_its_figures_its_day_and_decisions_to_look_at(partners, kind):
    if kind is Anomaly.BREADTH_REACH:
        partners.reach = 150
    (found,), decisions = await planted(partners, KINDS[kind](partners))
    assert found.rule is kind
    assert found.figure > found.threshold
    whole = (moment(0, 0), moment(1, 0))
    assert (found.since, found.until) == ((moment(0, 12), moment(0, 13)) if kind is LOOKUPS else whole)
    assert found.decisions[0] in decisions
    assert len(found.decisions) <= 5


async def test_persons_whom_a_partner_knows_are_no_enumeration_and_those_it_forgot_are(partners):
    insurer = await of(partners)
    for day in (-40, -20, 0):
        for person in range(61):
            partners.row(insurer, moment(day, 12), persons=[person])
    (found,) = await partners.report("INS01")
    assert found.anomalies == []
    partners.records, partners.accesses = [], []
    for person in range(1_000, 1_061):
        partners.row(insurer, moment(-30, 12), persons=[person])
        partners.row(insurer, moment(-1, 12), persons=[person])
    (found,) = await partners.report("INS01")
    assert [one.rule for one in found.anomalies] == [LOOKUPS]


async def test_the_same_rows_give_the_same_report(partners):
    insurer = await of(partners)
    partners.usual(insurer)
    many(partners, 30, misses=1)(insurer)
    first = await partners.report("INS01")
    partners.records, partners.accesses = [], []
    assert await partners.report("INS01") == first
    assert first[0].anomalies


async def test_a_period_is_of_whole_days_of_shanghai_and_of_at_most_92():
    assert period(None, None, now=NOW) == (moment(-6, 0), moment(1, 0))
    late = datetime(2027, 3, 10, 16, 30, tzinfo=UTC)
    assert period(None, None, now=late)[1] == moment(2, 0)
    assert period(TODAY, TODAY, now=NOW) == (moment(0, 0), moment(1, 0))
    assert period(TODAY - timedelta(days=91), TODAY, now=NOW) == (moment(-91, 0), moment(1, 0))
    for since, until in ((TODAY - timedelta(days=92), TODAY), (TODAY + timedelta(days=1), TODAY)):
        with pytest.raises(ValueError, match="1 to 92 days"):
            period(since, until, now=NOW)


async def test_the_reach_of_a_partner_is_the_persons_that_exist_for_it(partners):
    insurer = await of(partners)
    by_hand = await partners.connection.fetchval(
        "SELECT count(*) FROM person t WHERE EXISTS (SELECT FROM policy w WHERE t.id IN (w.holder_id, w.insured_id)"
        " AND w.insurer_id = $1 AND w.status <> 'DRAFT' AND (w.starts_on IS NOT NULL OR w.status <> 'TERMINATED'))"
        " OR EXISTS (SELECT FROM consent c WHERE c.person_id = t.id AND c.purpose = 'marketing' AND c.recipient_id = $1"
        " AND c.withdrawn_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > now()))"
        " OR EXISTS (SELECT FROM claim c WHERE t.id IN (c.holder_id, c.insured_id) AND c.insurer_id = $1"
        " AND c.status <> 'DRAFT' AND (c.status <> 'WITHDRAWN' OR c.closed_at IS NOT NULL))",
        insurer,
    )
    assert await persons_within_reach(partners.connection.fetch, insurer) == by_hand > 0
    assert await persons_within_reach(partners.connection.fetch, await of(partners, "AD01")) == 0
