"""The ruleset in force, as one worker has it: taken over whole, by one reference, and never a smaller number.

An operation asks once and holds what it got from start to end. What begins or ends at a moment begins and ends to the
second: each snapshot knows the moment until which it may be asked. A worker that could not confirm for
`CONFIRM_SECONDS` that the latest ruleset is the one it has denies everything.
"""

import asyncio
import logging
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from authz import ruleset_store
from authz.catalogue import Catalogue
from authz.compile import DecisionFaultError, Snapshot, assemble, checking, compile_ruleset, warming
from authz.law import EVERYTHING, Law, law_now, load_notices, newest_notice
from authz.rules import Ruleset, RulesetError, boundaries, in_force, moment_text

CONFIRM_SECONDS = 5.0
FRESH_SECONDS = 1.0
"""Who has not confirmed its ruleset for longer asks before it answers, if the database can be asked."""
PREPARE = timedelta(seconds=5)
"""So long before something begins or ends, what will hold from then on is made ready."""
_STEP_SECONDS = 0.005
"""So long at most other tasks wait for a ruleset that is made ready."""
_WARM_SECONDS = 0.5
"""So long at most it waits to be warm; what is decided later is decided when it is asked."""
LIVE_SECONDS = 3.0
"""A worker that has not said for longer what it answers by is taken for dead."""
_ASK_SECONDS = 5.0
_WAIT_SECONDS = 0.02
_BROKEN = "What of the ruleset holds now cannot be used: see the log."
_UNKNOWN = f"For {CONFIRM_SECONDS:g} seconds it could not be confirmed which ruleset is in force."

_TELL = """
INSERT INTO ruleset_worker (worker, ruleset, confirmed_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (worker) DO UPDATE SET ruleset = excluded.ruleset, confirmed_at = excluded.confirmed_at
"""
_LEAVE = "DELETE FROM ruleset_worker WHERE worker = $1 OR confirmed_at < clock_timestamp() - interval '1 hour'"
_EVERYWHERE = """
SELECT count(*) FILTER (WHERE ruleset >= $1) AS confirmed, count(*) AS live FROM ruleset_worker
WHERE confirmed_at > clock_timestamp() - make_interval(secs => $2)
"""

_log = logging.getLogger("needful.rules")

SnapshotOf = Callable[[Any], Awaitable[Snapshot]]
"""Gives the snapshot in force, read by a connection: for whoever holds none, such as a command."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A ruleset taken over, what of it is in force, and until when, if it does not hold for good."""

    whole: Ruleset
    snapshot: Snapshot
    closed: Snapshot
    until: datetime | None


class Rulesets:
    """What one worker answers by. Until it has learned or been given one there is nothing to ask."""

    def __init__(
        self,
        catalogue: Catalogue,
        clock: Callable[[], datetime],
        *,
        law: Law = EVERYTHING,
        passed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Over the catalogue of one schema; `clock` tells the moment, `passed` counts seconds.

        `law` is what configuration says of it; the notices that it goes by are learned with the rulesets.
        """
        self._catalogue = catalogue
        self._law = law
        self._clock = clock
        self._passed = passed
        self._held: _Held | None = None
        self._next: _Held | None = None
        """What will hold from the moment on until which `_held` does."""
        self._confirmed = passed()
        self._unusable = 0
        self._changed = asyncio.Event()

    @property
    def number(self) -> int:
        """The ruleset it has; 0: none."""
        return self._held.whole.number if self._held else 0

    def fresh(self) -> bool:
        """Has it lately been confirmed that this is the latest ruleset?"""
        return self._passed() - self._confirmed <= FRESH_SECONDS

    @property
    def known(self) -> bool:
        """Was that confirmed lately enough to answer by it?"""
        return self._passed() - self._confirmed <= CONFIRM_SECONDS

    def snapshot(self) -> Snapshot:
        """What is in force at this moment. Raises RulesetError where none was ever learned."""
        held = self._held
        if held is None:
            message = "no ruleset has been learned"
            raise RulesetError(message)
        if held.until is not None and self._clock() >= held.until:
            held = self._turned(held)
        return held.snapshot if self.known else held.closed

    @property
    def closed_because(self) -> str | None:
        """Why everything is denied, in a sentence; None where it is not."""
        if not self.known:
            return _UNKNOWN
        return _BROKEN if self._held and self._held.snapshot is self._held.closed else None

    async def learn(self, connection: Any) -> bool:  # noqa: ANN401 - asyncpg's connection
        """Take over the latest ruleset; is it now confirmed that this is the one there is? One call at a time.

        Raises RulesetError for one that cannot be used, once, and the database's error.
        """
        asked = self._passed()
        async with asyncio.timeout(_ASK_SECONDS):
            number = await ruleset_store.latest(connection)
            await self._learn_notices(connection)
        if self.number < number != self._unusable:
            try:
                async with asyncio.timeout(_ASK_SECONDS):
                    fetched = await _fetched(connection, number)
                # However long that takes: begun anew, it would take as long again.
                await self._take_over(fetched)
            except RulesetError as fault:
                # It is as it is: to try again is of use with another one only.
                self._unusable = number
                message = f"ruleset {number} cannot be used: {fault}"
                raise RulesetError(message) from fault
        # Never a smaller number: of a database that was put back, nobody can tell which rules it would have had.
        if number != self.number:
            return False
        if self._held is not None and self._held.snapshot.law is not self._law:
            self._held, self._next = await self._ready(self._held.whole, self._clock()), None
        self._confirmed = asked
        return True

    async def _learn_notices(self, connection: Any) -> None:  # noqa: ANN401 - as above
        if await newest_notice(connection) > self._law.notices.newest:
            self._law = replace(self._law, notices=await load_notices(connection))

    def use(self, ruleset: Ruleset) -> None:
        """Compile a ruleset at once and take it over, unless a later one has been. Raises RulesetError."""
        active, until = _active(ruleset, self._clock())
        before = self._held.snapshot if self._held else None
        compiled = compile_ruleset(active, self._catalogue, before=before, law=self._law)
        self._swap(_Held(ruleset, compiled, compiled.closed(), until))

    async def prepare(self) -> None:
        """Where something begins or ends soon, make ready what will hold then, so that no operation waits for it."""
        held = self._held
        if held is None or held.until is None or self._clock() < held.until - PREPARE:
            return
        if self._next is None:
            try:
                ready = await self._ready(held.whole, held.until)
            except RulesetError as fault:
                ready = _broken(held, held.until, fault)
            # Meanwhile another ruleset may have been taken over, or an operation may not have waited.
            if self._held is held:
                self._next = ready

    async def reach(self, number: int, *, seconds: float = FRESH_SECONDS) -> bool:
        """Does it have this ruleset or a later one, or will it within so many seconds?"""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.number < number:
                    await self._changed.wait()
        return self.number >= number

    async def _take_over(self, fetched: ruleset_store.Fetched) -> None:
        whole = await asyncio.to_thread(fetched.ruleset, self._catalogue)
        self._swap(await self._ready(whole, self._clock()))

    async def _ready(self, whole: Ruleset, at: datetime) -> _Held:
        """What of a ruleset holds at a moment: compiled aside, checked and warm. Raises RulesetError."""
        before = self._held.snapshot if self._held else None
        active, until = await asyncio.to_thread(_active, whole, at)
        snapshot = await asyncio.to_thread(assemble, active, self._catalogue, before=before, law=self._law)
        await _in_steps(checking(snapshot, before=before))
        if before is not None:
            with suppress(DecisionFaultError):  # it is told when it is asked
                await _in_steps(warming(snapshot, before=before), most=_WARM_SECONDS)
        return _Held(whole, snapshot, snapshot.closed(), until)

    def _swap(self, held: _Held) -> None:
        if held.whole.number > self.number:
            self._held, self._next = held, None
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    def _turned(self, held: _Held) -> _Held:
        """What holds from now on, where something has begun or ended."""
        ready, self._next, now = self._next, None, self._clock()
        if ready is None or (ready.until is not None and now >= ready.until):
            active, until = _active(held.whole, now)
            try:
                compiled = compile_ruleset(active, self._catalogue, before=held.snapshot, law=self._law)
                ready = _Held(held.whole, compiled, compiled.closed(), until)
            except RulesetError as fault:
                ready = _broken(held, now, fault)
        self._held = ready
        return ready


def _broken(held: _Held, at: datetime, fault: Exception) -> _Held:
    """Everything is denied from a moment on, since what of a ruleset would hold then cannot be used."""
    active, until = _active(held.whole, at)
    _log.error("what holds of ruleset %s from %s cannot be used: %s", held.whole.number, moment_text(at), fault)
    closed = replace(held.closed, ruleset=active)
    return _Held(held.whole, closed, closed, until)


def _active(whole: Ruleset, at: datetime) -> tuple[Ruleset, datetime | None]:
    """What of a ruleset holds at a moment, and until when."""
    bounds = boundaries(whole)
    after = bisect_right(bounds, moment_text(at))
    return in_force(whole, at), datetime.fromisoformat(bounds[after]) if after < len(bounds) else None


async def _in_steps(steps: Iterator[None], *, most: float = float("inf")) -> None:
    """Go through steps and let others in between; no longer than `most` seconds."""
    begun = since = time.perf_counter()
    for _ in steps:
        now = time.perf_counter()
        if now - begun > most:
            return
        if now - since > _STEP_SECONDS:
            await asyncio.sleep(0)
            since = time.perf_counter()


@dataclass(frozen=True, slots=True)
class Everywhere:
    """How many workers live, and how many of them answer by a ruleset or a later one."""

    confirmed: int
    live: int

    @property
    def complete(self) -> bool:
        """Do all?"""
        return self.confirmed == self.live


async def wait_everywhere(connection: Any, number: int, *, seconds: float = 1.0) -> Everywhere:  # noqa: ANN401 - as above
    """Wait, once a publication has been committed, until all live workers answer by it, or so many seconds.

    After a second, no operation that begins anywhere is answered by an earlier one as long as its worker can ask the
    database: whoever has not confirmed the new one has to ask first. Raises the database's error.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = Everywhere(*await connection.fetchrow(_EVERYWHERE, number, LIVE_SECONDS))
        if found.complete or time.monotonic() >= deadline:
            return found
        await asyncio.sleep(_WAIT_SECONDS)


async def tell(connection: Any, worker: UUID, number: int) -> None:  # noqa: ANN401 - as above
    """Say that a worker lives and answers by this ruleset. Raises the database's error."""
    await connection.execute(_TELL, worker, number)


async def leave(connection: Any, worker: UUID) -> None:  # noqa: ANN401 - as above
    """Say that a worker answers no longer; those long dead go with it. Raises the database's error."""
    await connection.execute(_LEAVE, worker)


async def in_force_now(
    connection: Any,  # noqa: ANN401 - as above
    catalogue: Catalogue,
    *,
    now: datetime,
    law: Law,
) -> Snapshot:
    """The snapshot in force at a moment, `law` as configuration has it. Raises RulesetError, and the database's error.

    The notices that there are go with it.
    """
    whole = await load(connection, await ruleset_store.latest(connection), catalogue)
    return compile_ruleset(in_force(whole, now), catalogue, law=await law_now(connection, law))


async def load(connection: Any, number: int, catalogue: Catalogue) -> Ruleset:  # noqa: ANN401 - as above
    """A published ruleset, whole. Raises RulesetError for one that is not there or not as published."""
    return (await _fetched(connection, number)).ruleset(catalogue)


async def _fetched(connection: Any, number: int) -> ruleset_store.Fetched:  # noqa: ANN401 - as above
    found = await ruleset_store.publication(connection, number)
    if found is None:
        message = f"there is no ruleset {number}"
        raise RulesetError(message)
    return await ruleset_store.fetch(connection, found)
