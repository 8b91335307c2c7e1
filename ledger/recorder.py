"""Record or refuse: a worker's rows, committed before the bytes leave (C59).

A row that comes while nothing is being written is written at once. Rows that come during a commit share the next one.
What cannot be written in time is not shown; what was decided instead is written as soon as anything can be.
"""

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from ledger.append import ADD
from ledger.references import references_of
from ledger.rows import Kind, Operation, body_of
from models.faults import NO_ANSWER

SECONDS = 0.25
"""How long a row may take from being handed over to being committed."""
MOST_AT_ONCE = 500
MOST_LATER = 10_000
"""Rows of which nobody waits for the commit; beyond, they are counted and a row says how many are missing."""
_WRITE_SECONDS = 2.0
"""After this long a statement is given up, and the connection with it."""
_PAUSE = 0.1
_KEPT_REFERENCES = 100_000
_BYE_SECONDS = 3.0

_log = logging.getLogger("needful.ledger")

Connect = Callable[[], Coroutine[Any, Any, Any]]


class NotRecordedError(Exception):
    """The row could not be committed in time."""


@dataclass(slots=True, eq=False)
class _Waiting:
    operation: Operation
    since: float
    done: "asyncio.Future[None] | None" = field(default=None, repr=False)


def _committed(done: "asyncio.Future[None] | None") -> bool:
    return done is not None and done.done() and not done.cancelled() and done.exception() is None


class Recorder:
    """The rows of one worker, one after the other, over a connection of their own."""

    def __init__(self, connect: Connect, *, seconds: float = SECONDS) -> None:
        """`connect` gives a connection: the pool may be busy."""
        self._connect = connect
        self._seconds = seconds
        self._queue: deque[_Waiting] = deque()
        self._later = 0
        self._missing = 0
        self._come = asyncio.Event()
        self._connection: Any = None
        self._writer: UUID | None = None
        self._references: OrderedDict[UUID, int] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.writable = True
        """Could the last row be written?"""
        self.commit_seconds: Callable[[float], object] = lambda _: None
        """Is told how long each commit took."""

    @property
    def queued(self) -> int:
        """Rows handed over and not yet committed."""
        return len(self._queue)

    @property
    def crowded(self) -> bool:
        """Is half of the room taken for rows that nobody waits for? The rest is not for what can be counted instead."""
        return self._later >= MOST_LATER // 2

    @property
    def lag_seconds(self) -> float:
        """For how long the oldest of them has waited."""
        return time.monotonic() - self._queue[0].since if self._queue else 0.0

    async def start(self) -> None:
        """Open the connection, lest the first row wait for it. Raises the database's error."""
        await self._connected()

    async def record(self, operation: Operation) -> None:
        """Commit a row. Raises NotRecordedError where that takes longer than it may; then the row is not written.

        If it was being written at that very moment it may be there all the same: it says more than was shown.
        """
        one = _Waiting(operation, time.monotonic(), asyncio.get_running_loop().create_future())
        self._hand_over(one)
        try:
            async with asyncio.timeout(self._seconds):
                await asyncio.shield(one.done) if one.done else None
        except TimeoutError:
            # A loop that was held up itself may hear of the commit in the very turn in which it hears the bell.
            await asyncio.sleep(0)
            if not _committed(one.done):
                self.writable = False
                raise NotRecordedError from None
        finally:
            if one.done is not None and not one.done.done():
                one.done.cancel()

    def record_later(self, operation: Operation) -> None:
        """Write a row as soon as possible, without waiting for it."""
        if self._later >= MOST_LATER:
            self._missing += 1
            return
        self._later += 1
        self._hand_over(_Waiting(operation, time.monotonic()))

    def _hand_over(self, one: _Waiting) -> None:
        self._queue.append(one)
        self._come.set()
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._queue or not self._closing:
            if not self._queue:
                self._come.clear()
                await self._come.wait()
                continue
            batch = self._batch()
            if batch and not await self._written(batch):
                if self._closing:
                    return
                await asyncio.sleep(_PAUSE)

    def _batch(self) -> list[_Waiting]:
        """The next rows: those whose caller has gone away are dropped."""
        batch: list[_Waiting] = []
        while self._queue and len(batch) < MOST_AT_ONCE:
            one = self._queue.popleft()
            if one.done is None or not one.done.done():
                batch.append(one)
        return batch

    async def _written(self, batch: list[_Waiting]) -> bool:
        """Commit rows. Where that fails, those that nobody waits for go back to where they were."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                await self._write([one.operation for one in batch])
        except asyncpg.DataError as fault:
            return await self._written_apart(batch, fault)
        except NO_ANSWER as fault:
            await self._put_back(batch, fault)
            return False
        self.commit_seconds(time.monotonic() - started)
        self._acknowledge(batch)
        return True

    def _acknowledge(self, batch: list[_Waiting]) -> None:
        if not self.writable:
            _log.warning("the ledger can be written again")
        self.writable = True
        for one in batch:
            if one.done is None:
                self._later -= 1
            elif not one.done.done():
                one.done.set_result(None)
        if self._missing:
            missing, self._missing = self._missing, 0
            said = {"rows": missing}
            self.record_later(Operation(Kind.ALARM, uuid4(), batch[-1].operation.at, code="ROWS_MISSING", detail=said))

    async def _put_back(self, batch: list[_Waiting], fault: BaseException) -> None:
        if self.writable:
            _log.error("the ledger cannot be written (%s): nothing sensitive is shown", type(fault).__name__)
        self.writable = False
        for one in batch:
            if one.done is not None and not one.done.done():
                one.done.set_exception(NotRecordedError())
        self._queue.extendleft(one for one in reversed(batch) if one.done is None)
        await self._hang_up()

    async def _written_apart(self, batch: list[_Waiting], fault: asyncpg.DataError) -> bool:
        """One row that the database cannot hold keeps no other from being written. It is a defect of ours."""
        if len(batch) > 1:
            return all([await self._written([one]) for one in batch])
        (one,) = batch
        _log.error("a row of kind %s cannot be written (%s)", one.operation.kind, type(fault).__name__)
        if one.done is None:
            self._later -= 1
            self._missing += 1
        elif not one.done.done():
            one.done.set_exception(NotRecordedError())
        return True

    async def _write(self, operations: list[Operation]) -> None:
        connection = await self._connected()
        reference = (await self._references_of(connection, operations)).__getitem__
        bodies = [body_of(operation, reference) for operation in operations]
        await connection.execute(ADD, self._writer, [operation.at for operation in operations], bodies)

    async def _connected(self) -> Any:  # noqa: ANN401 - asyncpg
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
            # What was lost on the way may have been committed: the next rows are another writer's.
            self._writer = uuid4()
        return self._connection

    async def _references_of(self, connection: Any, operations: Iterable[Operation]) -> dict[UUID, int]:  # noqa: ANN401
        """What the persons of some rows are called; whom this worker has met lately is not asked for again."""
        known = self._references
        found: dict[UUID, int] = {}
        missing: set[UUID] = set()
        for operation in operations:
            for person in operation.people:
                reference = known.get(person)
                if reference is None:
                    missing.add(person)
                else:
                    found[person] = reference
        if missing:
            new = await references_of(connection, missing)
            found |= new
            known.update(new)
            while len(known) > _KEPT_REFERENCES:
                known.popitem(last=False)
        return found

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*NO_ANSWER):
                connection.terminate()

    async def close(self) -> None:
        """Write what is still to be written, in bounded time, and give up the connection."""
        self._closing = True
        self._come.set()
        if self._task is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_BYE_SECONDS):
                    await self._task
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._queue:
            _log.error("%d rows of the ledger could not be written", len(self._queue))
        if self._connection is not None:
            with suppress(*NO_ANSWER):
                await self._connection.close(timeout=1)
