"""The sweep: whatever of anybody is kept longer than it may be is erased; holds and laws are passed by (C29).

People are looked at in the order of their ids, in portions, and erased in batches, each in a transaction that
waits for nobody. How far it is stands in the database with the moment it goes by: who was killed goes on there, by the
same moment, so that what it had written to the tombstones is not written again. Orders are carried out the same way.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from models.vocabulary import Retention
from privacy.bundles import Bundle
from privacy.erasure import erase, finish, lock
from privacy.jobs import Job, Turn
from privacy.remainders import remainders_of
from privacy.retention import Criterion
from privacy.retention_facts import Decided, decide
from privacy.tombstones import Tombstone, Tombstones
from privacy.working_days import shanghai_day
from vault.keyring import Keyring

PORTION = 1_000
"""People looked at by one statement."""
BATCH = 200
"""People erased in one transaction. Their tombstones must fit into what `Tombstones.add` looks back for."""
OVERDUE = "ERASURE_OVERDUE"
UNREADABLE = "ERASURE_UNREADABLE"
"""The codes of its alarms."""
_FIRST = UUID(int=0)
_PAUSE_SECONDS = 0.01
_AT_REST = frozenset({Criterion.LAW, Criterion.SPECIAL})
"""What an order does not end: the sweep erases it when its time has come."""

_ONE_AT_A_TIME = "SELECT pg_try_advisory_xact_lock(hashtext('retention_sweep'))"
_STATE = "SELECT as_of, after, finished_at FROM retention_sweep"
_BEGIN = """
INSERT INTO retention_sweep (one, as_of, after) VALUES (TRUE, $1, $2)
ON CONFLICT (one) DO UPDATE SET as_of = excluded.as_of, after = excluded.after, finished_at = NULL
WHERE retention_sweep.finished_at IS NOT NULL
"""
_ADVANCE = "UPDATE retention_sweep SET after = $1"
_FINISH = "UPDATE retention_sweep SET finished_at = $1"
_PEOPLE = "SELECT id FROM person WHERE id > $1 ORDER BY id LIMIT $2"
_ORDERED = "SELECT DISTINCT person_id FROM erasure_order WHERE done_at IS NULL ORDER BY person_id"
_OPEN = "SELECT id, person_id, classes FROM erasure_order WHERE person_id = ANY($1::uuid[]) AND done_at IS NULL"
_LATE = """
SELECT count(*) FROM erasure_order o WHERE o.done_at IS NULL AND o.due_on < $1 AND NOT EXISTS (
  SELECT FROM legal_hold h WHERE h.person_id = o.person_id AND h.classes && o.classes AND h.lifted_at IS NULL
  AND (h.until IS NULL OR h.until >= $1))
"""


@dataclass(slots=True)
class Swept:
    """What came of it so far, of nobody in particular: `ERASED ACCOUNT`, `KEPT CONTRACT LAW`, `HELD CLAIM`."""

    people: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    """People of whom the law wants something kept that cannot be opened: nothing of theirs was erased."""
    passed: int = 0
    """People somebody was just writing about; the next sweep comes by again."""
    done: bool = False
    busy: bool = False
    """Is another sweep at work, so that this one has left off?"""

    def told(self) -> dict[str, int]:
        """As the result of a job."""
        found = {"people": self.people, **dict(sorted(self.counts.items()))}
        return found | {"unreadable": self.unreadable, "passed_by": self.passed}


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Erases what is due on one connection, the owner's; with `dry` it only counts."""

    connection: Any
    keyring: Keyring
    bundle: Bundle
    tombstones: Tombstones
    now: datetime
    dry: bool = False
    found: Swept = field(default_factory=Swept)

    async def look(self, people: Sequence[UUID], as_of: datetime) -> list[UUID]:
        """Count what is kept and why; who has something due, in order."""
        today = shanghai_day(as_of)
        decided = await decide(self.connection, people, self.bundle, as_of)
        self.found.people += len(people)
        for one in decided.values():
            self._count(one, today=as_of)
        return [person for person in people if decided[person].due(today)]

    def _count(self, decided: Decided, *, today: datetime) -> None:
        day = shanghai_day(today)
        for retention, told in decided.explained.items():
            if told.due(day):
                said = f"DUE {retention.name}" if self.dry else None
            elif told.past(day):
                said = f"HELD {retention.name}"
            else:
                said = f"KEPT {retention.name} {told.winner.value if told.winner else 'UNKNOWN'}"
            if said:
                self.found.counts[said] += 1

    async def batch(self, people: Sequence[UUID], as_of: datetime) -> None:
        """Erase what is due of some people, in the caller's transaction; tombstones first. Raises TombstonesError."""
        today = shanghai_day(as_of)
        locked = await lock(self.connection, people)
        self.found.passed += len(people) - len(locked)
        if not locked:
            return
        decided = await decide(self.connection, locked, self.bundle, as_of)
        stones = [
            Tombstone(person, due, as_of, one.remainder if Retention.ACCOUNT in due else None)
            for person, one in decided.items()
            if (due := one.due(today))
        ]
        kept, unreadable = await remainders_of(self.connection, self.keyring, stones)
        self.found.unreadable += len(unreadable)
        stones = [stone for stone in stones if stone.person not in unreadable]
        await asyncio.to_thread(self.tombstones.add, stones)
        erased = await erase(self.connection, stones, kept)
        for one in erased:
            self.found.counts.update(f"ERASED {retention.name}" for retention in one.classes)
        gone = {one.person: one.classes for one in erased}
        done = [
            row["id"]
            for row in await self.connection.fetch(_OPEN, locked)
            if _settled(row["classes"], decided[row["person_id"]], gone.get(row["person_id"], frozenset()))
        ]
        await finish(self.connection, locked, done, now=as_of)


def _settled(classes: Sequence[int], decided: Decided, gone: frozenset[Retention]) -> bool:
    """Is everything of an order erased, but for what a law or a special agreement keeps?"""
    left = [decided.explained[one] for one in map(Retention, classes) if one in decided.explained and one not in gone]
    return all(one.winner in _AT_REST and not one.holds for one in left)


async def sweep(sweeper: Sweeper, *, pause: float = 0.0) -> Swept:
    """Go through everybody, from where a sweep was left off. Raises the database's errors and TombstonesError."""
    after: UUID | None = _FIRST
    if sweeper.dry:
        while after is not None:
            people = await _portion(sweeper, after)
            await sweeper.look(people, sweeper.now)
            after = people[-1] if len(people) == PORTION else None
        sweeper.found.done = True
        return sweeper.found
    await sweeper.connection.execute(_BEGIN, sweeper.now, _FIRST)
    state = await sweeper.connection.fetchrow(_STATE)
    as_of, after = state["as_of"], state["after"]
    while True:
        people = await _portion(sweeper, after)
        due = await sweeper.look(people, as_of)
        steps = [(due[at : at + BATCH], due[min(at + BATCH, len(due)) - 1]) for at in range(0, len(due), BATCH)]
        for some, last in [*steps, ((), people[-1] if people else after)]:
            if not await _step(sweeper, some, as_of, last):
                return sweeper.found
            await asyncio.sleep(pause)
        after = people[-1] if people else after
        if len(people) < PORTION:
            break
    await sweeper.connection.execute(_FINISH, sweeper.now)
    sweeper.found.done = True
    return sweeper.found


async def _step(sweeper: Sweeper, people: Sequence[UUID], as_of: datetime, last: UUID) -> bool:
    """One batch, and how far the sweep is then; False where another is at work."""
    async with sweeper.connection.transaction():
        if not await sweeper.connection.fetchval(_ONE_AT_A_TIME):
            sweeper.found.busy = True
            return False
        if people:
            await sweeper.batch(people, as_of)
        await sweeper.connection.execute(_ADVANCE, last)
    return True


async def _portion(sweeper: Sweeper, after: UUID) -> list[UUID]:
    return [row["id"] for row in await sweeper.connection.fetch(_PEOPLE, after, PORTION)]


async def carry_out(sweeper: Sweeper) -> Swept:
    """Carry out the open orders, as far as nothing keeps the data. Raises as `sweep` does."""
    ordered = [row["person_id"] for row in await sweeper.connection.fetch(_ORDERED)]
    await sweeper.look(ordered, sweeper.now)
    if not sweeper.dry:
        for at in range(0, len(ordered), BATCH):
            async with sweeper.connection.transaction():
                if not await sweeper.connection.fetchval(_ONE_AT_A_TIME):
                    sweeper.found.busy = True
                    return sweeper.found
                await sweeper.batch(ordered[at : at + BATCH], sweeper.now)
    sweeper.found.done = True
    return sweeper.found


async def overdue(connection: Any, *, now: datetime) -> int:  # noqa: ANN401 - asyncpg's
    """How many orders are open past their day that no hold stops."""
    late: int = await connection.fetchval(_LATE, shanghai_day(now))
    return late


def _sweeper(turn: Turn) -> Sweeper:
    tombstones = Tombstones(turn.installation.tombstones_path)
    return Sweeper(turn.connection, turn.keyring, turn.bundle, tombstones, turn.now)


async def _sweep_turn(turn: Turn) -> Mapping[str, int]:
    if turn.installation.demo:
        # Demo data stay what their lines in the clear say; the command sweeps them for whoever wants to see it.
        return {}
    found = await sweep(_sweeper(turn), pause=_PAUSE_SECONDS)
    if found.unreadable:
        turn.sound(UNREADABLE, people=found.unreadable)
    return found.told()


async def _orders_turn(turn: Turn) -> Mapping[str, int]:
    found = await carry_out(_sweeper(turn))
    if late := await overdue(turn.connection, now=turn.now):
        turn.sound(OVERDUE, orders=late)
    return found.told()


SWEEP = Job("retention", "30 2 * * *", _sweep_turn)
ORDERS = Job("erasures", "*/10 * * * *", _orders_turn)
