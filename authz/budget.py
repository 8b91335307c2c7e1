"""The disclosure budget: of how many persons one subject is revealed anything, in an hour and in a day (C21, C41, C55).

Distinct persons count, by subject, role and purpose, in fixed windows: the clock's hour, and the day in Asia/Shanghai.
The rules say how many. Workers lease them from the database in blocks and count in memory, so that a person seen before
costs nothing; what all workers were leased together never exceeds the budget, whatever they do or leave undone with it.
A worker that ends, forgets or is rolled back has spent what it was leased: a budget may end early, and never late.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from authz.rules import Budget
from authz.subjects import Subject
from ledger.rows import Person, time_text
from models.vocabulary import Purpose, Role

MOST_REMEMBERED = 400_000
"""Persons that a worker remembers in hours and in days; about 50 MB. Beyond, it forgets all and counts anew."""
SHARE = 32
"""A block is this part of what is left, or what is needed now: the last ones are leased one by one, to whoever asks."""
NOBODY: frozenset[Person] = frozenset()
_NOTHING_MORE = 2**31 - 1
"""As a share: no more than is needed now."""
_OFFSET = 8 * 3600
"""Of Asia/Shanghai, in seconds: it has had no summer time since 1991."""

_LEASE = """
INSERT INTO disclosure_lease AS held
  (subject, role, purpose, span, begins_at, ends_at, leased, granted)
SELECT $1, $2, $3, $4, $5, $6, block, block
FROM (SELECT least($7::int, greatest($8::int, $7::int / $9::int))) one (block)
ON CONFLICT (subject, role, purpose, span, begins_at) DO UPDATE SET
  granted = least($7 - held.leased, greatest($8, ($7 - held.leased) / $9)),
  leased = held.leased + least($7 - held.leased, greatest($8, ($7 - held.leased) / $9))
WHERE held.leased < $7
RETURNING granted
"""
_ALARM = """
UPDATE disclosure_lease SET alarmed = TRUE
WHERE subject = $1 AND role = $2 AND purpose = $3 AND span = $4 AND begins_at = $5 AND NOT alarmed RETURNING TRUE
"""

_log = logging.getLogger("needful.budget")

Key = tuple[UUID, Role, Purpose]
"""Who spends: the account, or of a partner the whole organization, since clients and tokens are cheap to make."""


class Span(StrEnum):
    """How long a window is."""

    HOUR = "hour"
    DAY = "day"

    @property
    def seconds(self) -> int:
        """Its length."""
        return 3600 if self is Span.HOUR else 86_400

    def begin(self, now: datetime) -> int:
        """When the window around `now` began, in seconds since the epoch."""
        local = int(now.timestamp()) + _OFFSET
        return local - local % self.seconds - _OFFSET


@dataclass(slots=True)
class _Window:
    """What one worker knows of one subject's hour or day."""

    span: Span
    begins: int
    ceiling: int
    left: int = 0
    """Leased, and not spent yet."""
    seen: set[Person] = field(default_factory=set)
    exhausted: bool = False
    """Has the database had no more?"""
    alarmed: bool = False

    @property
    def ends(self) -> int:
        return self.begins + self.span.seconds


class _Account:
    """One subject's two windows. `hour.seen` is always part of `day.seen`."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.lock = asyncio.Lock()
        self.hour = _Window(Span.HOUR, 0, 0)
        self.day = _Window(Span.DAY, 0, 0)

    def turn(self, now: datetime, budget: Budget | None) -> None:
        """Begin anew where an hour or a day has ended, or where other rules give another budget."""
        per_hour, per_day = (budget.per_hour, budget.per_day) if budget else (0, 0)
        day = Span.DAY.begin(now)
        if (self.day.begins, self.day.ceiling) != (day, per_day):
            self.day = _Window(Span.DAY, day, per_day)
            self.hour = _Window(Span.HOUR, 0, 0)
        hour = Span.HOUR.begin(now)
        if (self.hour.begins, self.hour.ceiling) != (hour, per_hour):
            self.hour = _Window(Span.HOUR, hour, per_hour)


class Disclosures:
    """What one worker has been leased and has spent, of all subjects."""

    def __init__(self, *, most_remembered: int = MOST_REMEMBERED) -> None:
        """Nothing yet."""
        self.sound: Callable[..., object] = _say
        """Raises an alarm: its code, and what is to be said of it."""
        self._most = most_remembered
        self._remembered = 0
        self._accounts: dict[Key, _Account] = {}

    def account(self, key: Key) -> _Account:
        """What is known of one subject."""
        found = self._accounts.get(key)
        if found is None:
            found = self._accounts[key] = _Account(key)
            self._remember(1)
        return found

    def spend(self, hour: _Window, day: _Window, people: Collection[Person]) -> None:
        """Count persons, of whom there are no more than both windows were leased."""
        today = _first(people, day)
        hour.left -= len(people)
        day.left -= len(today)
        hour.seen.update(people)
        day.seen.update(today)
        self._remember(len(people) + len(today))

    def _remember(self, more: int) -> None:
        # Operations under way keep the account they have; the others lease anew.
        self._remembered += more
        if self._remembered > self._most:
            self._accounts.clear()
            self._remembered = 0


@dataclass(slots=True)
class Spending:
    """One operation's way to the budget of its subject."""

    disclosures: Disclosures
    connection: Any
    """As the operation reads: in its transaction, if it has one."""
    subject: Subject
    purpose: Purpose
    budget: Budget | None
    clock: Callable[[], datetime]
    free: set[Person] = field(repr=False)
    """Persons of whom the subject is revealed whatever there is, uncounted: its own, and its wards (C64, C73)."""
    again: datetime | None = None
    """When the last of the windows ends that let somebody not through; None while everybody was."""

    async def beyond(self, people: Collection[Person]) -> frozenset[Person]:
        """Those of whom nothing may be revealed; the others are counted, in their order. Raises the database's errors.

        Where a transaction is open, it may yet be rolled back: exactly what is needed is leased in it, and forgotten.
        """
        wanted = frozenset(people)
        if wanted <= self.free:
            return NOBODY
        identity = self.subject.identity
        if identity is None:
            return wanted - self.free
        account = self.disclosures.account((identity, self.subject.role, self.purpose))
        account.turn(self.clock(), self.budget)
        if wanted <= account.hour.seen or not (new := self._new(account, people)):
            return NOBODY
        if self.connection.is_in_transaction():
            return await self._once(account, new)
        async with account.lock:
            # Others may have counted them meanwhile, or an hour may have ended.
            account.turn(self.clock(), self.budget)
            return await self._lasting(account, self._new(account, people))

    def _new(self, account: _Account, people: Collection[Person]) -> list[Person]:
        seen, free = account.hour.seen, self.free
        return [one for one in dict.fromkeys(people) if one not in seen and one not in free]

    async def _lasting(self, account: _Account, people: list[Person]) -> frozenset[Person]:
        """Count persons in memory, leasing blocks for them."""
        # These windows: the account may have others by the time the database has answered.
        hour, day = account.hour, account.day
        await self._fill(account, hour, len(people))
        await self._fill(account, day, len(_first(people[: hour.left], day)))
        passed = _let_through(people, hour.left, day.left, day)
        self.disclosures.spend(hour, day, passed)
        refused = frozenset(people).difference(passed)
        until = day if day.exhausted and not day.left and not refused <= day.seen else hour
        return await self._refuse(account, until, refused)

    async def _fill(self, account: _Account, window: _Window, needed: int) -> None:
        """Lease what is missing, and what is likely to be needed next."""
        missing = needed - window.left
        if missing > 0 and not window.exhausted:
            granted = await self._lease(account, window, missing, share=SHARE)
            window.left += granted
            window.exhausted = granted < missing

    async def _once(self, account: _Account, people: list[Person]) -> frozenset[Person]:
        """Count persons for this operation alone, from what is at hand or by a lease of just so many."""
        hour, day = account.hour, account.day
        needed = len(_first(people, day))
        # While another operation waits for a lease, what is at hand is its own.
        if not account.lock.locked() and hour.left >= len(people) and day.left >= needed:
            self.disclosures.spend(hour, day, people)
            return NOBODY
        hours = await self._lease(account, hour, len(people), share=_NOTHING_MORE)
        days = await self._lease(account, day, min(needed, hours), share=_NOTHING_MORE)
        passed = _let_through(people, hours, days, day)
        self.free.update(passed)
        refused = frozenset(people).difference(passed)
        until = day if days < min(needed, hours) and not refused <= day.seen else hour
        return await self._refuse(account, until, refused)

    async def _lease(self, account: _Account, window: _Window, needed: int, *, share: int) -> int:
        """How many persons more the database grants, `needed` or fewer or a block of more."""
        if not needed:
            return 0
        begins, ends = (datetime.fromtimestamp(one, UTC) for one in (window.begins, window.ends))
        given = (*account.key, window.span, begins, ends, window.ceiling, needed, share)
        granted: int | None = await self.connection.fetchval(_LEASE, *given)
        return granted or 0

    async def _refuse(self, account: _Account, until: _Window, refused: frozenset[Person]) -> frozenset[Person]:
        if refused:
            ends = datetime.fromtimestamp(until.ends, UTC)
            self.again = max(self.again or ends, ends)
            await self._alarm(account, until, ends)
        return refused

    async def _alarm(self, account: _Account, window: _Window, ends: datetime) -> None:
        """Sound the alarm once for each subject, role, purpose and window: in whichever worker it is first."""
        if window.alarmed:
            return
        subject, role, purpose = account.key
        begins = datetime.fromtimestamp(window.begins, UTC)
        window.alarmed = first = True
        try:
            first = await self.connection.fetchval(_ALARM, subject, role, purpose, window.span, begins)
        finally:
            # Where it is not known whether another worker was first, better twice than never.
            if first:
                self.disclosures.sound(
                    "BUDGET_SPENT",
                    subject=str(subject),
                    role=role.value,
                    purpose=purpose.value,
                    window=window.span.value,
                    budget=window.ceiling,
                    again=time_text(ends),
                )


def _say(code: str, **detail: object) -> None:
    _log.error("alarm %s: %s", code, detail)


def _first(people: Iterable[Person], day: _Window) -> list[Person]:
    """Those who have not been counted today."""
    return [one for one in people if one not in day.seen]


def _let_through(people: Iterable[Person], hours: int, days: int, day: _Window) -> list[Person]:
    """The first of them that both windows have a place for."""
    passed: list[Person] = []
    for one in people:
        if len(passed) == hours:
            break
        if one not in day.seen:
            if not days:
                continue
            days -= 1
        passed.append(one)
    return passed
