"""What a worker looks at each second: its pool, queue, service level, whether sealing keeps up, a scheduler lives."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ledger.alarms import Sound
from ledger.recorder import Recorder
from models.faults import NO_ANSWER
from models.read_connections import ReadConnections, waiting
from resolvers.operating.metrics import Metrics
from resolvers.operating.refusals import EVERY_SECONDS, Refusals
from resolvers.operating.service_level import LevelWatch

SEALER_LAG, LEDGER = "SEALER_LAG", "LEDGER_NOT_WRITABLE"
SILENT = "SCHEDULER_SILENT"
_TICK_SECONDS = 1.0
_SEALING_SECONDS = 5.0
_ASK_SECONDS = 2.0
_SILENT_SECONDS = 2 * _SEALING_SECONDS
"""Who has not been told for longer does not know how far sealing is."""
_STATE = """
SELECT (SELECT coalesce(sum(last), 0) FROM ledger_writer)::bigint AS written,
       (SELECT coalesce(max(index) + 1, 0) FROM ledger_leaf) AS sealed,
       (SELECT next FROM ledger_indexed) AS indexed,
       to_regclass('ledger_' || to_char(now() + interval '1 month', 'YYYY_MM')) IS NOT NULL AS next_month,
       (SELECT extract(epoch FROM now() - at)::float8 FROM scheduler_beat) AS silence
"""

_log = logging.getLogger("needful.watching")


@dataclass(slots=True)
class Sealing:
    """How far sealing is behind: rows, and since when; `now` is always a monotonic clock's time in seconds."""

    unsealed: int = 0
    unindexed: int = 0
    next_month: bool = True
    """Is there a partition for it?"""
    _seen: deque[tuple[int, float]] = field(default_factory=deque)
    _learned: float | None = None

    def learn(self, *, written: int, sealed: int, indexed: int, next_month: bool, now: float) -> None:
        """What the database says."""
        self._learned = now
        self.unsealed, self.unindexed = max(0, written - sealed), max(0, sealed - indexed)
        self.next_month = next_month
        while self._seen and self._seen[0][0] <= sealed:
            self._seen.popleft()
        if written > (self._seen[-1][0] if self._seen else sealed):
            self._seen.append((written, now))

    def seconds(self, now: float) -> float:
        """Since when the oldest unsealed row has been known here, or nothing at all has been, if that is longer ago."""
        if self._learned is None:
            # Nothing can be known before somebody has looked.
            self._learned = now
        oldest = now - self._seen[0][1] if self._seen else 0.0
        silent = now - self._learned
        return max(oldest, silent if silent > _SILENT_SECONDS else 0.0)


@dataclass(slots=True)
class Watch:
    """Looks, tells the metrics, and sounds an alarm where something is wrong for the first time."""

    pool: Any
    recorder: Recorder
    metrics: Metrics
    refusals: Refusals
    level: LevelWatch | None
    sound: Sound
    most_lag: float
    """Seconds that sealing may be behind."""
    clock: Callable[[], float] = time.monotonic
    sealing: Sealing = field(default_factory=Sealing)
    most_silence: float = 600.0
    """Seconds for which no scheduler may have said that it lives."""
    reading: ReadConnections | None = None
    """Connections of the pool that reads keep."""
    silence: float = 0.0
    """Seconds since a scheduler last said that it lives."""
    _wrong: set[str] = field(default_factory=set)

    async def keep(self) -> None:
        """Look for as long as the task lives."""
        sealing = flushed = self.clock()
        learning = asyncio.create_task(self._learn())
        try:
            while True:
                now = self.clock()
                if learning.done() and now >= sealing:
                    learning.result()
                    sealing = now + _SEALING_SECONDS
                    # A database that hangs may hold up whoever gives up asking it. This goes on.
                    learning = asyncio.create_task(self._learn())
                if now - flushed >= EVERY_SECONDS:
                    flushed = now
                    self.refusals.flush()
                self.look()
                await asyncio.sleep(_TICK_SECONDS)
        finally:
            learning.cancel()

    async def _learn(self) -> None:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                row = dict(await self.pool.fetchrow(_STATE))
        except NO_ANSWER:
            return  # readiness says so
        self.silence = row.pop("silence", None) or 0.0
        self.sealing.learn(**row, now=self.clock())

    def look(self) -> None:
        """Tell the metrics how things stand, and sound what has gone wrong."""
        if self.level is not None:
            self.level.check(time.perf_counter())
        size = self.pool.get_size()
        self.metrics.set(
            ledger_queued_rows=self.recorder.queued,
            ledger_oldest_seconds=self.recorder.lag_seconds,
            unsealed_rows=self.sealing.unsealed,
            unsealed_seconds=self.sealing.seconds(self.clock()),
            unindexed_rows=self.sealing.unindexed,
            scheduler_silent_seconds=self.silence,
            pool_connections=size,
            pool_in_use=size - self._idle(),
            pool_waiting=waiting(self.pool),
            service_level_below=self.level is not None and self.level.below,
        )
        self._judge(SEALER_LAG, wrong=self.lags, rows=self.sealing.unsealed)
        self._judge(SILENT, wrong=self.silent, seconds=int(self.silence))
        self._judge(LEDGER, wrong=not self.recorder.writable, rows=self.recorder.queued)
        if self.unwritable and not self.recorder.queued:
            # Kept away by readiness, nobody would bring a row that shows that it can be written again.
            self.refusals.try_row(LEDGER)

    @property
    def lags(self) -> bool:
        """Is sealing too far behind, or may it be, for all that is known?"""
        return self.sealing.seconds(self.clock()) > self.most_lag

    @property
    def silent(self) -> bool:
        """Has no scheduler said for too long that it lives?"""
        return self.silence > self.most_silence

    @property
    def unwritable(self) -> bool:
        """Can the ledger not be written, and not only for a moment?"""
        return LEDGER in self._wrong and not self.recorder.writable

    def partition_missing(self) -> str | None:
        """Why the ledger's next month is not prepared, or None."""
        return None if self.sealing.next_month else "The ledger has no partition for next month: run migrate."

    def pool_taken(self) -> str | None:
        """How many wait for a database connection, where all are taken; or None."""
        if self.pool.get_size() < self.pool.get_max_size() or self._idle():
            return None
        return f"All database connections are in use, and {waiting(self.pool)} wait for one."

    def _idle(self) -> int:
        """Connections that nobody uses: of the pool, and those that reads keep."""
        kept = self.reading.idle if self.reading else 0
        return int(self.pool.get_idle_size()) + kept

    def _judge(self, code: str, *, wrong: bool, **detail: int) -> None:
        if wrong and code not in self._wrong:
            self._wrong.add(code)
            self.sound(code, **detail)
        elif not wrong and code in self._wrong:
            self._wrong.remove(code)
            _log.warning("over: %s", code)
