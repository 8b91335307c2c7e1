"""What is leased of a budget: all workers together never reveal more persons than it has; one alone can use it up."""

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from authz.budget import Disclosures, Span, Spending
from authz.expiry import forget_expired
from authz.rules import Budget
from authz.subjects import ANONYMOUS, Subject
from ledger.rows import stand_in
from models.database import connect, connect_once
from models.vocabulary import Purpose, Role

WORKERS = 3
SMALL = Budget(Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING, 7, 15, "C55")
PEOPLE = [UUID(int=number) for number in range(1, 40)]
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
"""In Shanghai."""


class AwayError(ConnectionError):
    """A connection lost."""


class Connection:
    """A connection that may be lost right after the database has done what it was asked."""

    def __init__(self, real) -> None:
        self.real, self.lost, self.asked = real, False, []

    def is_in_transaction(self):
        return self.real.is_in_transaction()

    async def fetchval(self, *statement):
        self.asked.append(statement)
        found = await self.real.fetchval(*statement)
        if self.lost:
            raise AwayError
        return found


class Desk:
    """Some workers on one database, with a clock of their own, and one subject who asks them all."""

    def __init__(self, connections, budget=SMALL, *, most_remembered=400_000) -> None:
        self.connections, self.budget, self.now = connections, budget, NOON
        self.subject = Subject(Role.CLAIMS_HANDLER, (Purpose.CLAIM_HANDLING,), 0, "t", account=uuid4())
        self.most, self.alarms = most_remembered, []
        self.workers = [self.worker() for _ in connections]

    def worker(self) -> Disclosures:
        found = Disclosures(most_remembered=self.most)
        found.sound = lambda code, **detail: self.alarms.append((code, detail))
        return found

    def spending(self, worker=0, *, own=(), **changed) -> Spending:
        given = {"subject": self.subject, "purpose": Purpose.CLAIM_HANDLING, "budget": self.budget, **changed}
        connection = self.connections[worker]
        return Spending(self.workers[worker], connection, clock=lambda: self.now, free=set(own), **given)

    async def shown(self, people, worker=0, **given) -> set:
        """Who of some people is revealed."""
        return set(people) - await self.spending(worker, **given).beyond(people)

    async def leased(self, span=Span.HOUR) -> int:
        found = await self.connections[0].real.fetchval(
            "SELECT leased FROM disclosure_lease WHERE subject = $1 AND span = $2 AND begins_at = $3",
            *(self.subject.account, span, datetime.fromtimestamp(span.begin(self.now), UTC)),
        )
        return found or 0


@pytest.fixture(scope="module")
def run(server):
    """Runs a coroutine on one loop, and the connections there."""
    with asyncio.Runner() as runner:

        async def several():
            stack = AsyncExitStack()
            found = [await connect_once(server.database.application) for _ in range(WORKERS)]
            for one in found:
                stack.push_async_callback(one.close)
                await one.execute("SET synchronous_commit = off")
            return stack, [Connection(one) for one in found]

        stack, connections = runner.run(several())
        yield runner.run, connections
        runner.run(stack.aclose())


# Never over.


class AllTogether(RuleBasedStateMachine):
    """Workers that read, write, roll back, die, forget and lose connections, as hours and days pass."""

    run, connections = None, None

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(self.connections, most_remembered=25)
        self.revealed = defaultdict(set)
        self.perhaps_again = 0

    def reveal(self, people) -> None:
        for span in Span:
            self.revealed[span, span.begin(self.desk.now)].update(people)

    def check_that_it_was_used_up(self, refused) -> None:
        if refused:
            left = [self.desk.budget.per_hour - self.run(self.desk.leased(Span.HOUR))]
            left.append(self.desk.budget.per_day - self.run(self.desk.leased(Span.DAY)))
            assert 0 in left
            assert self.desk.alarms

    workers = st.integers(0, WORKERS - 1)
    people = st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=6)

    @rule(worker=workers, people=people)
    def read(self, worker, people):
        shown = self.run(self.desk.shown(people, worker))
        self.reveal(shown)
        self.check_that_it_was_used_up(set(people) - shown)

    @rule(worker=workers, levels=st.lists(people, min_size=1, max_size=3), committed=st.booleans())
    def write(self, worker, levels, committed):
        async def written():
            found = set()
            transaction = self.connections[worker].real.transaction()
            await transaction.start()
            spending = self.desk.spending(worker)
            for people in levels:
                found |= set(people) - await spending.beyond(people)
            await (transaction.commit() if committed else transaction.rollback())
            return found

        before = len(self.desk.alarms)
        shown = self.run(written())
        if committed:
            self.reveal(shown)
        else:
            self.perhaps_again += len(self.desk.alarms) - before

    @rule(worker=workers, people=people)
    def read_over_a_connection_that_is_lost(self, worker, people):
        self.connections[worker].lost, before = True, len(self.desk.alarms)
        with suppress(AwayError):
            self.reveal(self.run(self.desk.shown(people, worker)))
        self.connections[worker].lost = False
        self.perhaps_again += len(self.desk.alarms) - before

    @rule(worker=workers)
    def die(self, worker):
        self.desk.workers[worker] = self.desk.worker()

    @rule(seconds=st.sampled_from([60, 1_800, 3_600, 3 * 3_600]))
    def wait(self, seconds):
        self.desk.now += timedelta(seconds=seconds)

    @invariant()
    def never_over(self):
        for (span, _), revealed in self.revealed.items():
            ceiling = SMALL.per_hour if span is Span.HOUR else SMALL.per_day
            assert len(revealed) <= ceiling

    @invariant()
    def one_alarm_a_window(self):
        told = {(detail["window"], detail["again"]) for _, detail in self.desk.alarms}
        # It may sound again if it was taken back with its transaction, or nobody knows whether it was noted.
        assert len(self.desk.alarms) <= len(told) + self.perhaps_again


def test_all_workers_together_never_reveal_more_than_the_budget_whatever_befalls_them(run):
    AllTogether.run, AllTogether.connections = staticmethod(run[0]), run[1]
    run_state_machine_as_test(
        AllTogether, settings=settings(max_examples=100, stateful_step_count=30, deadline=None, database=None)
    )


def test_workers_that_ask_at_once_never_reveal_more_and_use_it_whole(run):
    run, connections = run

    async def at_once():
        desk = Desk(connections)
        people = [[UUID(int=100 * worker + place) for place in range(10)] for worker in range(WORKERS)]

        async def asking(worker):
            return [one for person in people[worker] for one in await desk.shown([person], worker)]

        return await asyncio.gather(*map(asking, range(WORKERS)))

    found = run(at_once())
    assert sum(map(len, found)) == len({one for shown in found for one in shown}) == SMALL.per_hour


# And whole.


@given(sizes=st.lists(st.integers(1, 9), min_size=7, max_size=12))
@settings(max_examples=20, deadline=None, database=None)
def test_one_worker_alone_can_use_it_whole_in_whatever_steps_and_the_first_asked_for_are_shown(run, sizes):
    run, connections = run
    desk, asked, shown = Desk(connections), [], []
    for number, size in enumerate(sizes):
        page = [UUID(int=1_000 * (number + 1) + place) for place in range(size)]
        found = run(desk.shown(page))
        asked += page
        shown += [one for one in page if one in found]
    assert shown == asked[: SMALL.per_hour]


def test_the_day_can_be_used_whole_and_no_further_however_many_hours_it_has(run):
    run, connections = run
    desk = Desk(connections)
    for hour, count in enumerate((7, 7, 1, 0)):
        desk.now = NOON + timedelta(hours=hour)
        page = [UUID(int=100 * (hour + 1) + place) for place in range(10)]
        assert run(desk.shown(page)) == set(page[:count])


def test_workers_that_stand_idle_keep_little_of_it(run):
    run, connections = run
    desk = Desk(connections, Budget(SMALL.role, SMALL.purpose, 640, 6_400, "C55"))
    for worker in (1, 2):
        run(desk.shown([PEOPLE[worker]], worker))
    before = len(connections[0].asked)
    many = [UUID(int=10_000 + place) for place in range(700)]
    found = [one for start in range(0, 700, 7) for one in run(desk.shown(many[start : start + 7]))]
    # A block of 20 and one of 19, of which one person each was shown.
    assert len(found) == 640 - 20 - 19
    # And the worker in use did not ask for every page.
    assert len(connections[0].asked) - before < 80


# What counts.


def test_who_was_counted_before_costs_nothing_more_not_even_a_statement(run):
    run, connections = run
    desk, page = Desk(connections), PEOPLE[:7]
    run(desk.shown(page))
    before = len(connections[0].asked)
    for people in (page, page[::-1], [*page, *page], page[2:4]):
        assert run(desk.shown(people)) == set(people)
    assert len(connections[0].asked) == before
    assert run(desk.shown([*page, PEOPLE[8]])) == set(page)


def test_a_person_that_several_operations_at_once_ask_for_counts_once(run):
    run, connections = run
    desk = Desk(connections)
    assert run(gathered(*(desk.shown(PEOPLE[:7]) for _ in range(5)))) == [set(PEOPLE[:7])] * 5
    assert run(desk.leased()) == 7


async def gathered(*asked):
    """Over one connection, which asyncpg lets nobody share: one worker's operations queue up before they ask."""
    return list(await asyncio.gather(*asked))


def test_the_same_persons_in_the_next_hour_count_for_the_hour_and_not_again_for_the_day(run):
    run, connections = run
    desk = Desk(connections)
    for hour in range(5):
        desk.now = NOON + timedelta(hours=hour)
        assert run(desk.shown(PEOPLE[:7])) == set(PEOPLE[:7])
        assert run(desk.leased(Span.DAY)) == 7


def test_the_hour_begins_with_the_clock_and_the_day_at_midnight_in_shanghai(run):
    run, connections = run
    desk = Desk(connections)
    desk.now = datetime(2026, 11, 23, 14, 59, 59, tzinfo=UTC)
    assert len(run(desk.shown(PEOPLE[:7]))) == 7
    assert not run(desk.shown(PEOPLE[7:8]))
    desk.now += timedelta(seconds=1)
    assert len(run(desk.shown(PEOPLE[7:14]))) == 7
    desk.now = datetime(2026, 11, 23, 15, 59, 59, tzinfo=UTC)
    assert not run(desk.shown(PEOPLE[14:15]))
    desk.now += timedelta(seconds=1)
    assert len(run(desk.shown(PEOPLE[14:21]))) == 7


def test_oneself_and_ones_wards_are_shown_whatever_the_budget_says_and_count_nothing(run):
    run, connections = run
    desk = Desk(connections)
    run(desk.shown(PEOPLE[:7]))
    assert run(desk.shown([*PEOPLE[8:11]], own=PEOPLE[8:10])) == set(PEOPLE[8:10])
    assert run(desk.shown(PEOPLE[8:10], own=PEOPLE[8:10], budget=None)) == set(PEOPLE[8:10])
    assert run(desk.leased()) == 7


def test_somebody_without_a_person_counts_by_the_record(run):
    run, connections = run
    desk = Desk(connections)
    page = [stand_in(what, row) for what in ("payee", "reporter") for row in PEOPLE[:4]]
    assert run(desk.shown(page)) == set(page[:7])
    assert run(desk.shown([stand_in("payee", PEOPLE[0])])) == {page[0]}


def test_roles_purposes_and_subjects_have_budgets_of_their_own(run):
    run, connections = run
    desk = Desk(connections)
    run(desk.shown(PEOPLE[:7]))
    other = Subject(Role.INSURER, (Purpose.POLICY_SERVICE,), 0, "t", organization=desk.subject.account)
    assert len(run(desk.shown(PEOPLE[8:10], subject=other))) == 2
    assert len(run(desk.shown(PEOPLE[8:10], purpose=Purpose.POLICY_SERVICE))) == 2
    assert not run(desk.shown(PEOPLE[8:10]))


def test_all_clients_of_an_organization_share_its_budget(run):
    run, connections = run
    desk = Desk(connections)
    organization = uuid4()
    for worker, client in enumerate(("one", "other")):
        subject = Subject(Role.INSURER, (Purpose.CLAIM_HANDLING,), 0, client, organization=organization, client=client)
        found = run(desk.shown([UUID(int=50 + 10 * worker + place) for place in range(5)], worker, subject=subject))
        assert len(found) == (5, 2)[worker]


# What is unknown is denied.


def test_without_a_budget_nobody_is_revealed_not_even_who_was_before(run):
    run, connections = run
    desk = Desk(connections)
    run(desk.shown(PEOPLE[:3]))
    assert not run(desk.shown(PEOPLE[:5], budget=None))
    assert [detail["budget"] for _, detail in desk.alarms] == [0]


def test_a_subject_of_whom_nobody_knows_who_it_is_is_revealed_nobody(run):
    run, connections = run
    assert not run(Desk(connections).shown(PEOPLE[:3], subject=ANONYMOUS))


def test_a_smaller_budget_counts_at_once_and_what_was_leased_under_a_larger_one_is_not_spent(run):
    run, connections = run
    desk = Desk(connections, Budget(SMALL.role, SMALL.purpose, 320, 3_200, "C55"))
    run(desk.shown(PEOPLE[:6]))
    assert run(desk.leased()) == 10
    desk.budget = Budget(SMALL.role, SMALL.purpose, 10, 1_000, "C55")
    assert not run(desk.shown(PEOPLE[6:8]))
    desk.budget = Budget(SMALL.role, SMALL.purpose, 12, 1_000, "C55")
    assert len(run(desk.shown(PEOPLE[6:10]))) == 2


def test_a_database_that_cannot_be_asked_is_a_fault_and_never_a_guess(run):
    run, connections = run
    desk = Desk([Gone(), *connections[1:]])
    with pytest.raises(AwayError):
        run(desk.shown(PEOPLE[:1]))


class Gone(Connection):
    def __init__(self) -> None:
        super().__init__(None)

    def is_in_transaction(self):
        return False

    async def fetchval(self, *_):
        raise AwayError


# In a transaction.


def test_a_write_leases_just_what_it_shows_and_reads_of_its_worker_do_not_wait_for_each_other_in_a_circle(run):
    run, connections = run
    desk = Desk(connections)

    async def together():
        async with asyncio.timeout(3), connections[0].real.transaction():
            write, read = desk.spending(), Spending(
                desk.workers[0], connections[1], desk.subject, Purpose.CLAIM_HANDLING, SMALL, lambda: desk.now, set()
            )  # fmt: skip
            assert not await write.beyond(PEOPLE[:2])
            reading = asyncio.create_task(read.beyond(PEOPLE[:4]))
            await asyncio.sleep(0.05)
            assert not reading.done()
            assert not await write.beyond(PEOPLE[1:3])
        return await reading

    assert not run(together())
    assert run(desk.leased()) == 3 + 4


def test_what_is_at_hand_is_kept_for_the_operation_that_waits_for_the_rest_of_what_it_needs(run):
    run, connections = run
    desk = Desk(connections, Budget(SMALL.role, SMALL.purpose, 64, 640, "C55"))
    writer, holder = connections[1], connections[2].real

    async def together():
        # A block of two, one of them spent; the next is just what is missing.
        await desk.shown(PEOPLE[:1])
        holding = holder.transaction()
        await holding.start()
        await holder.execute("SELECT FROM disclosure_lease WHERE subject = $1 FOR UPDATE", desk.subject.account)
        reading = asyncio.create_task(desk.shown(PEOPLE[1:5]))
        await asyncio.sleep(0.05)
        given = (desk.subject, Purpose.CLAIM_HANDLING, desk.budget, lambda: desk.now, set())
        async with asyncio.timeout(3), writer.real.transaction():
            writing = asyncio.create_task(Spending(desk.workers[0], writer, *given).beyond(PEOPLE[5:6]))
            await asyncio.sleep(0.05)
            await holding.rollback()
            assert not await writing
        return await reading

    assert run(together()) == set(PEOPLE[1:5])


def test_what_is_rolled_back_can_be_leased_again(run):
    run, connections = run
    desk = Desk(connections)

    async def rolled_back():
        transaction = connections[0].real.transaction()
        await transaction.start()
        assert len(await desk.shown(PEOPLE[:9])) == 7
        await transaction.rollback()

    run(rolled_back())
    assert run(desk.leased()) == 0
    assert run(desk.shown(PEOPLE[:9])) == set(PEOPLE[:7])


# The alarm, and when to come back.


def test_the_alarm_sounds_once_a_window_whichever_worker_finds_it_spent_and_names_no_person(run):
    run, connections = run
    desk = Desk(connections)
    for hour in range(2):
        desk.now = NOON + timedelta(hours=hour)
        for _ in range(2):
            for worker in range(WORKERS):
                run(desk.shown([UUID(int=100 * (hour + 1) + place) for place in range(10)], worker))
    told = {"role": "claims_handler", "purpose": "claim_handling", "window": "hour", "budget": 7}
    assert desk.alarms == [
        ("BUDGET_SPENT", {"subject": str(desk.subject.account), **told, "again": f"2026-11-23T{hour}:00:00.000000Z"})
        for hour in ("05", "06")
    ]


def test_an_operation_learns_when_the_last_of_the_spent_windows_ends(run):
    run, connections = run
    desk = Desk(connections)

    def again(people):
        spending = desk.spending()
        run(spending.beyond(people))
        return spending.again

    assert again(PEOPLE[:7]) is None
    assert again(PEOPLE[:8]) == NOON + timedelta(hours=1)
    desk.now += timedelta(hours=1)
    again(PEOPLE[7:14])
    desk.now += timedelta(hours=1)
    midnight = datetime(2026, 11, 23, 16, tzinfo=UTC)
    assert again(PEOPLE[14:16]) == midnight
    # Whom only the hour has no place for may come back with the next.
    assert again(PEOPLE[:14]) == NOON + timedelta(hours=3)


# What is kept, and for how long.


def test_a_worker_remembers_no_more_persons_than_it_may_and_counts_those_forgotten_again(run):
    run, connections = run
    desk = Desk(connections, Budget(SMALL.role, SMALL.purpose, 60, 60, "C55"), most_remembered=20)
    for start in range(0, 30, 6):
        page = PEOPLE[start : start + 6]
        assert run(desk.shown(page)) == set(page)
    before = run(desk.leased())
    run(desk.shown(PEOPLE[:6]))
    assert run(desk.leased()) > before
    many = [UUID(int=1_000 + place) for place in range(40)]
    assert len(run(desk.shown(many))) < 40


def test_windows_are_deleted_a_day_after_they_ended(run, server):
    run, connections = run
    desk = Desk(connections)
    old = "UPDATE disclosure_lease SET ends_at = now() - interval '25 hours' WHERE subject = $1 AND span = 'hour'"

    async def swept():
        await desk.shown(PEOPLE[:1])
        await connections[0].real.execute(old, desk.subject.account)
        async with connect(server.database.application, shared=False) as pool:
            await forget_expired(pool)
        left = "SELECT span FROM disclosure_lease WHERE subject = $1"
        return [row[0] for row in await connections[0].real.fetch(left, desk.subject.account)]

    desk.now = datetime.now(UTC)
    assert run(swept()) == ["day"]
