"""The recorder by itself: who waits for what, and what becomes of rows that cannot be written."""

import asyncio
from datetime import UTC, datetime
from functools import reduce
from operator import and_, or_
from uuid import uuid4

import asyncpg
import pytest

from ledger.append import add
from ledger.recorder import MOST_LATER, NotRecordedError, Recorder
from ledger.references import forget, references_of
from ledger.rows import Kind, Operation
from models.database import connect_once
from tests.recorded import ROW, as_owner, said

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_row(**said_of):
    return Operation(Kind.READ, uuid4(), NOW, **said_of)


class Connection:
    """Stands for a connection whose commits take as long as a test says."""

    def __init__(self):
        self.batches = []
        self.free = asyncio.Event()
        self.free.set()
        self.fault = None

    async def execute(self, _sql, _writer, _at, bodies):
        self.batches.append(bodies)
        await self.free.wait()
        if self.fault is not None:
            raise self.fault(bodies)

    def is_closed(self):
        return False

    def terminate(self):
        pass

    async def close(self, **_):
        pass


def recording(work, **given):
    """Run `work(recorder, connection)`."""

    async def run():
        connection = Connection()

        async def connect():
            return connection

        recorder = Recorder(connect, **given)
        try:
            await work(recorder, connection)
        finally:
            await recorder.close()

    asyncio.run(run())


def test_an_idle_ledger_writes_at_once_and_rows_that_come_during_a_commit_share_the_next():
    async def work(recorder, connection):
        connection.free.clear()
        first = asyncio.create_task(recorder.record(a_row()))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(recorder.record(a_row())) for _ in range(5)]
        await asyncio.sleep(0.01)
        assert [len(batch) for batch in connection.batches] == [1]
        connection.free.set()
        await asyncio.gather(first, *others)
        assert [len(batch) for batch in connection.batches] == [1, 5]

    recording(work)


def test_a_row_that_is_not_committed_in_time_is_refused_and_is_not_written_later():
    async def work(recorder, connection):
        connection.free.clear()
        first = asyncio.create_task(recorder.record(a_row()))
        await asyncio.sleep(0.01)
        with pytest.raises(NotRecordedError):
            await recorder.record(a_row(operation_name="late", operation_hash="x"))
        with pytest.raises(NotRecordedError):
            await first
        assert not recorder.writable
        connection.free.set()
        await recorder.record(a_row())
        assert recorder.writable
        assert not [body for batch in connection.batches for body in batch if "late" in body]

    recording(work, seconds=0.05)


def test_a_row_of_somebody_who_went_away_is_not_written():
    async def work(recorder, connection):
        connection.free.clear()
        first = asyncio.create_task(recorder.record(a_row()))
        await asyncio.sleep(0.01)
        gone = asyncio.create_task(recorder.record(a_row(operation_name="gone", operation_hash="x")))
        await asyncio.sleep(0.01)
        gone.cancel()
        connection.free.set()
        await first
        await recorder.record(a_row())
        assert not [body for batch in connection.batches for body in batch if "gone" in body]

    recording(work)


def test_rows_nobody_waits_for_are_written_when_the_database_is_back_and_on_closing():
    written = []

    async def work(recorder, connection):
        connection.fault = lambda _: OSError("no database")
        recorder.record_later(a_row(operation_name="first", operation_hash="x"))
        await asyncio.sleep(0.05)
        connection.fault = None
        recorder.record_later(a_row(operation_name="second", operation_hash="x"))
        written.append(connection)

    recording(work)
    assert ["first" in body for body in written[0].batches[-1]] == [True, False]


def test_what_is_too_much_to_keep_is_counted_and_a_row_says_how_much():
    async def work(recorder, connection):
        connection.free.clear()
        for _ in range(MOST_LATER + 7):
            recorder.record_later(a_row())
        connection.free.set()
        while recorder.queued:  # noqa: ASYNC110 - another task works it off
            await asyncio.sleep(0.01)
        bodies = [body for batch in connection.batches for body in batch]
        assert len(bodies) == MOST_LATER + 1
        assert '"code":"ROWS_MISSING"' in "".join(bodies)
        assert '"detail":{"rows":7}' in "".join(bodies)

    recording(work)


def test_one_row_that_cannot_be_stored_keeps_no_other_from_being_written():
    async def work(recorder, connection):
        async def execute(_sql, _writer, _at, bodies):
            if any("bad" in body for body in bodies):
                raise asyncpg.DataError
            connection.batches.append(bodies)
            await asyncio.sleep(0.01)

        connection.execute = execute
        rows = [a_row(operation_name=name, operation_hash="x") for name in ("good", "bad", "fine")]
        came = await asyncio.gather(*map(recorder.record, rows), return_exceptions=True)
        assert [type(one) for one in came] == [type(None), NotRecordedError, type(None)]
        assert recorder.writable

    recording(work)


def test_a_writers_rows_have_no_gaps_whatever_is_rolled_back(server):
    writer = uuid4()

    async def work(_):
        connection = await connect_once(server.database.application)
        try:
            for number in range(6):
                transaction = connection.transaction()
                await transaction.start()
                await add(connection, writer, a_row(code=str(number)))
                await (transaction.rollback() if number % 2 else transaction.commit())
        finally:
            await connection.close()

    as_owner(server, work)
    find = "SELECT sequence, body::jsonb ->> 'code' AS code FROM ledger WHERE writer = $1 ORDER BY sequence"
    rows = as_owner(server, lambda owner: owner.fetch(find, writer))
    assert [(row["sequence"], row["code"]) for row in rows] == [(1, "0"), (2, "2"), (3, "4")]


def test_a_persons_reference_is_random_the_same_for_good_and_given_once_to_two_who_ask_together(server):
    people = [uuid4() for _ in range(30)]

    async def work(_):
        connections = [await connect_once(server.database.application) for _ in range(4)]
        try:
            return await asyncio.gather(*(references_of(one, people) for one in connections))
        finally:
            for one in connections:
                await one.close()

    first, *others = as_owner(server, work)
    assert all(one == first for one in others)
    assert len(set(first.values())) == len(people)
    # Each of 62 bits is somebody's and not everybody's.
    assert reduce(or_, first.values()) == (1 << 62) - 1
    assert reduce(and_, first.values()) == 0


def test_who_was_forgotten_is_named_by_another_number_afterwards(server):
    person, other = uuid4(), uuid4()

    async def work(owner):
        application = await connect_once(server.database.application)
        try:
            before = await references_of(application, (person, other))
            await forget(owner, person)
            assert not await owner.fetch("SELECT FROM person_reference WHERE reference = $1", before[person])
            return before, await references_of(application, (person, other))
        finally:
            await application.close()

    before, after = as_owner(server, work)
    assert (before[person] == after[person], before[other] == after[other]) == (False, True)


def test_a_row_that_is_too_long_for_the_database_keeps_no_other_from_being_written(server):
    rows = [a_row(operation_name=name, operation_hash="x") for name in ("good", "a" * (8 << 20), "fine")]

    async def work(owner):
        recorder = Recorder(lambda: connect_once(server.database.application), seconds=10)
        try:
            await recorder.start()
            came = await asyncio.gather(*map(recorder.record, rows), return_exceptions=True)
        finally:
            await recorder.close()
        return came, [len(await owner.fetch(ROW, str(row.decision))) for row in rows]

    came, written = as_owner(server, work)
    assert [type(one) for one in came] == [type(None), NotRecordedError, type(None)]
    assert written == [1, 0, 1]


def test_a_decision_has_one_row(server, handler):
    body = server.post("{ claims(first: 1) { edges { node { diagnosis } } } }", token=handler).json()
    decision = body["extensions"]["authorization"]["decisionId"]
    (row,) = said(as_owner(server, lambda owner: owner.fetch(ROW, decision)))
    assert (row["kind"], row["outcome"], row["v"]) == ("READ", "DONE", 2)
