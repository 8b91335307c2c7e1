"""Whatever happens in whatever order: exactly one live number where one is due, else none, and none is given twice."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.database import connect_once
from models.embedded import database
from models.installation import InstallationError, open_installation
from models.vocabulary import Category, to_bits
from privacy import relay_keeping
from privacy.refusals import MarketingChannel, refuse_marketing
from privacy.relay_commands import Relays
from privacy.relay_numbers import DEMO_RANGE, RANGE, Span, span_of
from privacy.relays import Settled, after_consent, after_contract, resolve, rotate
from resolvers.serving.settings import Settings
from vault.keyring import generate
from vault.sealing import SealedValueError, column_label, open_column, unwrap

KEYRING = generate()
INSURER, PROVIDER = UUID(int=1), UUID(int=2)
RECIPIENTS = (None, INSURER, PROVIDER)
PEOPLE = 2
COVERED = to_bits({Category.RELAY, Category.NAME})
LABEL = column_label("virtual_phone", "number_sealed")


@pytest.fixture(scope="module")
def owner(tmp_path_factory, prepared):
    data_dir = tmp_path_factory.mktemp("relays") / "data"
    prepared.empty(data_dir)
    with database(open_installation({"NEEDFUL_DATA": str(data_dir)})) as found:
        yield found.owner


people, recipients = st.integers(0, PEOPLE - 1), st.sampled_from(RECIPIENTS)
actions = st.one_of(
    st.tuples(st.sampled_from(["grant", "grant", "withdraw", "expire"]), people, recipients),
    st.tuples(st.sampled_from(["refuse", "allow"]), people, st.sampled_from(MarketingChannel)),
    st.tuples(st.sampled_from(["contract", "end", "serve", "leave"]), people, st.none()),
    st.tuples(st.sampled_from(["rotate", "replace"]), people, st.none()),
)


class History:
    """What happened, in the database and in so many words."""

    def __init__(self, connection, span):
        self.connection, self.relays = connection, Relays(KEYRING, span)
        self.people = [uuid4() for _ in range(PEOPLE)]
        self.policies = {one: uuid4() for one in range(PEOPLE)}
        self.consented: set = set()
        self.refused: set = set()
        self.running: set = set()
        self.served: set = set()
        self.ever: dict = {}

    async def begin(self):
        run = self.connection.execute
        await run("TRUNCATE organization, person, product CASCADE")
        for row, kind in ((INSURER, "INSURER"), (PROVIDER, "HEALTH_PROVIDER")):
            await run("INSERT INTO organization (id, code, name, kind) VALUES ($1, $2, $2, $2)", row, kind)
        product = uuid4()
        await run("INSERT INTO product (id, code, name, insurer_id) VALUES ($1, 'P', 'P', $2)", product, INSURER)
        for person in self.people:
            await run("INSERT INTO person (id, source) VALUES ($1, 'registered')", person)
        for number, person in enumerate(self.people):
            await run(
                "INSERT INTO policy (id, policy_number, product_id, insurer_id, status, holder_id, insured_id,"
                " currency) VALUES ($1, $2, $3, $4, 'AWAITING_PAYMENT', $5, $6, 'CNY')",
                # The last one is whom everybody insures.
                *(self.policies[number], f"P{number}", product, INSURER, person, self.people[-1]),
            )

    async def do(self, what, who, which):
        async with self.connection.transaction():
            await getattr(self, what)(who, which)

    async def grant(self, who, to):
        await self.connection.execute(
            "INSERT INTO consent (id, person_id, purpose, recipient_id, categories, notice_version, notice_hash,"
            " granted_at) VALUES ($1, $2, 'marketing', $3, $4, '', '', now())",
            *(uuid4(), self.people[who], to, COVERED),
        )
        self.consented.add((who, to))
        await after_consent(self.connection, self.relays, self.people[who], to, now=datetime.now(UTC))

    async def withdraw(self, who, to):
        await self._over("withdrawn_at", who, to)
        await after_consent(self.connection, self.relays, self.people[who], to, now=datetime.now(UTC))

    async def expire(self, who, to):
        await self._over("expires_at", who, to)

    async def _over(self, column, who, to):
        await self.connection.execute(
            f"UPDATE consent SET {column} = now() WHERE person_id = $1 AND recipient_id IS NOT DISTINCT FROM $2",  # noqa: S608
            *(self.people[who], to),
        )
        self.consented.discard((who, to))

    async def refuse(self, who, channel):
        await self._say(who, channel, refused=True)
        self.refused.add((who, channel))

    async def allow(self, who, channel):
        await self._say(who, channel, refused=False)
        self.refused.discard((who, channel))

    async def _say(self, who, channel, *, refused):
        person, now = self.people[who], datetime.now(UTC)
        await refuse_marketing(self.connection, self.relays, person, channel, refused=refused, said_by=None, now=now)

    async def contract(self, who, _):
        await self._status(who, "IN_FORCE")
        self.running.add(who)

    async def end(self, who, _):
        await self._status(who, "SURRENDERED")
        self.running.discard(who)

    async def _status(self, who, status):
        await self.connection.execute("UPDATE policy SET status = $2 WHERE id = $1", self.policies[who], status)
        await after_contract(self.connection, self.relays, self.policies[who], now=datetime.now(UTC))

    async def serve(self, who, _):
        await self.connection.execute(
            "INSERT INTO health_service (id, policy_id, provider_id, starts_at) VALUES ($1, $2, $3, now())",
            *(uuid4(), self.policies[who], PROVIDER),
        )
        self.served.add(who)

    async def leave(self, who, _):
        await self.connection.execute("DELETE FROM health_service WHERE policy_id = $1", self.policies[who])
        self.served.discard(who)

    async def rotate(self, _, __):
        """Nothing but time has passed."""

    async def replace(self, _, __):
        later = datetime.now(UTC) + timedelta(days=31)
        done = await rotate(self.connection, self.relays, days=30, now=later)
        assert done[Settled.EXHAUSTED] == 0
        await self.connection.execute("UPDATE virtual_phone SET issued_at = now() WHERE ended_at IS NULL")

    def due(self, who, to):
        agreed = (who, to) in self.consented and not any(one == who for one, _ in self.refused)
        insures = who == (PEOPLE - 1)
        if to is None:
            return agreed or who in self.running or (insures and bool(self.running))
        if to == INSURER:
            return agreed and who not in self.running
        return agreed and not (who in self.served or (insures and bool(self.served)))

    async def check(self, *, timely):
        rows = await self.connection.fetch("SELECT * FROM virtual_phone ORDER BY issued_at")
        pairs = {(who, to): 0 for who in range(PEOPLE) for to in RECIPIENTS}
        for row in rows:
            who, to = self.people.index(row["person_id"]), row["organization_id"]
            pairs[who, to] += row["ended_at"] is None
            if row["id"] not in self.ever:
                number = await self.number(row)
                assert number not in self.ever.values(), "no number is given twice"
                self.ever[row["id"]] = number
            found = await resolve(self.connection, self.relays, self.ever[row["id"]])
            assert (found is not None) == (row["ended_at"] is None and self.due(who, to)), "a dead one leads nowhere"
        if timely:
            assert pairs == {(who, to): int(self.due(who, to)) for who, to in pairs}

    async def number(self, row):
        key = "SELECT wrapped FROM data_key WHERE person_id = $1 AND retention = 1"
        wrapped = await self.connection.fetchval(key, row["person_id"])
        opened = unwrap(KEYRING, wrapped, person_id=row["person_id"], retention=1)
        return open_column([row["number_sealed"]], [opened], [row["id"].bytes], label=LABEL)[0]


def play(owner, work, *, span=None):
    async def run():
        connection = await connect_once(owner)
        try:
            history = History(connection, span or span_of({}, demo=True))
            await history.begin()
            return await work(history)
        finally:
            await connection.close()

    return asyncio.run(run())


@settings(max_examples=25)
@given(st.lists(actions, max_size=14))
def test_c21_c22_after_any_history_there_is_one_live_number_where_one_is_due_and_none_elsewhere(owner, happened):
    async def work(history):
        for what, who, which in happened:
            await history.do(what, who, which)
            # Of what comes by time alone only the keeper's round ends or renews the row.
            await history.check(timely=what not in ("expire", "serve", "leave", "rotate"))
            await rotate(history.connection, history.relays, days=30, now=datetime.now(UTC))
            await history.check(timely=True)

    play(owner, work)


def test_rotations_at_once_do_each_pair_once(owner):
    async def work(history):
        for who in range(PEOPLE):
            for to in RECIPIENTS:
                await history.do("grant", who, to)
        later = datetime.now(UTC) + timedelta(days=31)
        others = [await connect_once(owner) for _ in range(4)]
        try:
            done = await asyncio.gather(*(rotate(one, history.relays, days=30, now=later) for one in others))
        finally:
            for one in others:
                await one.close()
        assert sum(one[Settled.REPLACED] for one in done) <= PEOPLE * len(RECIPIENTS)
        await rotate(history.connection, history.relays, days=30, now=later)
        await history.check(timely=True)
        assert len(history.ever) == 2 * PEOPLE * len(RECIPIENTS), "each was replaced exactly once"

    play(owner, work)


def test_a_range_that_is_used_up_is_an_alarm_and_takes_nobodys_number(owner):
    async def work(history):
        await history.do("grant", 0, INSURER)
        await history.do("grant", 0, PROVIDER)
        await history.do("grant", 1, INSURER)
        before = await history.connection.fetch("SELECT id FROM virtual_phone WHERE ended_at IS NULL")
        assert len(before) == 2, "the third is due one, and there is none"
        sounded = []
        later = datetime.now(UTC) + timedelta(days=31)
        await relay_keeping.look_after(
            history.connection,
            history.relays,
            days=30,
            now=later,
            sound=lambda name, **said: sounded.append((name, said)),
        )
        assert sounded == [("RELAY_RANGE_EXHAUSTED", {"pairs": 3})]
        assert await history.connection.fetch("SELECT id FROM virtual_phone WHERE ended_at IS NULL") == before
        history.relays = Relays(KEYRING, Span(16500000000, 16500000002))
        done = await rotate(history.connection, history.relays, days=30, now=datetime.now(UTC))
        assert (done[Settled.ISSUED], done[Settled.EXHAUSTED]) == (1, 0)
        await history.check(timely=True)

    play(owner, work, span=Span(16500000000, 16500000001))


def queries(connection):
    """What is asked from now on, as far as it looks for numbers."""
    asked = []
    connection.add_query_logger(lambda said: asked.append(said.query) if "ANY($1::bytea[])" in said.query else None)
    return asked


@pytest.mark.parametrize("span", [None, Span(16500000000, 16500000000)], ids=["unset", "used-up"])
def test_where_there_is_no_number_one_pair_asks_and_it_is_said_once(owner, caplog, span):
    async def work(history):
        await history.do("grant", 0, INSURER)
        history.relays = Relays(KEYRING, span)
        asked = queries(history.connection)
        await history.do("grant", 0, PROVIDER)
        assert len(asked) == bool(span), "a request looks once and walks nowhere"
        await history.do("grant", 1, INSURER)
        await history.do("grant", 1, PROVIDER)
        asked.clear()
        done = await rotate(history.connection, history.relays, days=30, now=datetime.now(UTC))
        assert done[Settled.EXHAUSTED] == 3
        assert len(asked) == (2 if span else 0), "one draws and walks, the others do not ask"
        await history.do("expire", 0, INSURER)
        assert (await rotate(history.connection, history.relays, days=30, now=datetime.now(UTC)))[Settled.ENDED] == 1

    play(owner, work, span=Span(16500000000, 16500000000))
    assert [one.getMessage()[:7] for one in caplog.records if one.name == "needful.relays"] == ["3 pairs"] * 2


def test_a_look_up_makes_no_key_and_a_fault_is_no_answer(owner):
    async def work(history):
        await history.do("grant", 0, INSURER)
        (row,) = await history.connection.fetch("SELECT * FROM virtual_phone")
        number = await history.number(row)
        run = history.connection.execute
        await run("UPDATE data_key SET wrapped = set_byte(wrapped, 20, 255 - get_byte(wrapped, 20))")
        with pytest.raises(SealedValueError):
            await resolve(history.connection, history.relays, number)
        with pytest.raises(SealedValueError):
            await history.do("grant", 0, PROVIDER)
        await run("DELETE FROM data_key")
        found = await resolve(history.connection, history.relays, number)
        assert found.phone is None
        assert await history.connection.fetchval("SELECT count(*) FROM data_key") == 0

    play(owner, work)


def test_no_number_is_given_from_a_range_that_nobody_has_set():
    assert span_of({}, demo=False) is None
    assert span_of({}, demo=True) == span_of({RANGE: DEMO_RANGE}, demo=False)


@pytest.mark.parametrize("text", ["1", "16500000000", "16500000001-16500000000", "2000-3000", "a-b", "16500000000-x"])
def test_a_range_that_cannot_be_starts_nothing(text):
    with pytest.raises(InstallationError, match=RANGE):
        Settings.read({RANGE: text})
