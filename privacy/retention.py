"""Until when one class of somebody's data is kept, and why: the longest of four criteria, the law on top (C27, C28).

    FUNCTION   until what the data are for has ended, by the schedule's days
    QUALITY    for the security and quality of the service, by the schedule's days
    CONSENTED  as long as the person agreed to
    SPECIAL    as long as a contract with the person says
    LAW        as long as a law keeps them: it lengthens, and never shortens

A class is kept through the last day of the longest, and erased from the day after. An order to erase, or operations
that have ceased, end FUNCTION and QUALITY at once, and an order also CONSENTED. A hold keeps a class whatever its day.
Nothing here reads a database: facts go in, and the answer comes out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from models.retention import AgreementKind
from models.vocabulary import Retention
from privacy.bundles import Bundle
from privacy.holds import Hold

_DAY = timedelta(days=1)


class Criterion(StrEnum):
    """What data are kept for, in the order in which a tie is told."""

    FUNCTION = "FUNCTION"
    QUALITY = "QUALITY"
    CONSENTED = "CONSENTED"
    SPECIAL = "SPECIAL"
    LAW = "LAW"


class Duty(StrEnum):
    """Which legal duty a record is under."""

    NONE = "none"
    ACCOUNT = "account"
    SHORT = "short"
    """A contract of up to a year."""
    LONG = "long"
    CLAIM = "claim"
    DEVICE = "device"
    KEPT = "kept"
    """A restricted remainder: its day is its own."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a class is kept for: a policy, a claim, an account; alike ones may stand as one, the last to end.

    `ended`: the day on which it ended or will end; None while nobody knows. `named`: a record that only names who has
    no data in it: an order about their account does not end it.
    """

    duty: Duty
    ended: date | None
    named: bool = False


@dataclass(frozen=True, slots=True)
class Agreed:
    """A longer period, agreed to or specially agreed."""

    kind: AgreementKind
    until: date


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that decides how long one class of one person is kept."""

    retention: Retention
    records: Sequence[Record]
    agreed: Sequence[Agreed] = ()
    ordered: date | None = None
    """Since when an order to erase it stands."""
    ceased: date | None = None
    holds: Sequence[Hold] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """Until when one criterion keeps the class; `until` None: until something ends of which nobody knows when."""

    criterion: Criterion
    until: date | None


@dataclass(frozen=True, slots=True)
class Explained:
    """The answer; `until` is the last day of `winner`. Without candidates there is nothing to keep."""

    retention: Retention
    candidates: tuple[Candidate, ...]
    winner: Criterion | None
    until: date | None
    law: str
    holds: tuple[UUID, ...]
    """The holds that stand."""
    begins: date | None = None
    """From when it counts: the day on which what the class is for ended or will end, if that is known."""

    @property
    def duty(self) -> Candidate | None:
        """How long a law keeps it, where one does."""
        return next((one for one in self.candidates if one.criterion is Criterion.LAW), None)

    @property
    def erased_from(self) -> date | None:
        """The first day on which it is due; None while there is none."""
        return None if self.holds else _plus(self.until, 1)

    def due(self, today: date) -> bool:
        """Is it to be erased?"""
        return self.past(today) and not self.holds

    def past(self, today: date) -> bool:
        """Has its last day passed, whatever holds it?"""
        return self.winner is not None and self.until is not None and self.until < today


def explain(facts: Facts, bundle: Bundle, today: date) -> Explained:
    """Compute the longest, and tell what else there was."""
    terms = bundle.schedule.get(facts.retention)
    law = terms.law if terms else bundle.schedule[Retention.CONTRACT].law
    holds = tuple(one.id for one in facts.holds if facts.retention in one.classes and one.stands(today))
    if not facts.records:
        return Explained(facts.retention, (), None, None, law, holds)
    candidates: list[Candidate] = []
    if terms:
        needed = [(_stop(one, facts), one.ended) for one in facts.records]
        for criterion, days in ((Criterion.FUNCTION, terms.function_days), (Criterion.QUALITY, terms.quality_days)):
            candidates.append(Candidate(criterion, _last([_earlier(_plus(end, days), stop) for stop, end in needed])))
    for kind in AgreementKind:
        untils = [one.until for one in facts.agreed if one.kind is kind]
        if untils and not (kind is AgreementKind.CONSENTED and facts.ordered):
            candidates.append(Candidate(Criterion(kind.value), max(untils)))
    duties = [(one, days) for one in facts.records if (days := duty_days(one.duty, bundle)) or one.duty is Duty.KEPT]
    if duties:
        untils_of_law = [_plus(one.ended or facts.ceased, days) for one, days in duties]
        candidates.append(Candidate(Criterion.LAW, _last(untils_of_law)))
    winner = _longest(candidates)
    begins = _last([_begins(one, facts, bundle) for one in facts.records])
    return Explained(facts.retention, tuple(candidates), winner.criterion, winner.until, law, holds, begins)


def duty_days(duty: Duty, bundle: Bundle) -> int:
    """For how many days after its end the law keeps a record."""
    kept = bundle.retention
    return {
        Duty.NONE: 0,
        Duty.ACCOUNT: kept.account_days,
        Duty.SHORT: kept.short_contract_days,
        Duty.LONG: kept.long_contract_days,
        Duty.CLAIM: kept.claim_days,
        Duty.DEVICE: kept.device_days,
        Duty.KEPT: 0,
    }[duty]


def kept_by_law(records: Sequence[Record], bundle: Bundle, *, ceased: date | None, today: date) -> date | None:
    """Until when the law wants to know who the records are about; None where it does not (any more)."""
    duties = [(one.ended or ceased, duty_days(one.duty, bundle)) for one in records]
    untils = [end + timedelta(days=days) for end, days in duties if end and days]
    last = max(untils, default=None)
    return last if last and last >= today else None


def _stop(record: Record, facts: Facts) -> date | None:
    """The last day on which a function needs a record, by what ends all of them."""
    stops = [day for day in (facts.ceased, None if record.named else facts.ordered) if day is not None]
    return min(stops) - _DAY if stops else None


def _begins(record: Record, facts: Facts, bundle: Bundle) -> date | None:
    if record.duty is Duty.KEPT:
        return None
    stop = _plus(_stop(record, facts), 1)
    # A law counts from the true end, whatever was ordered before.
    return record.ended or stop if duty_days(record.duty, bundle) else _earlier(record.ended, stop)


def _plus(day: date | None, days: int) -> date | None:
    return None if day is None else day + timedelta(days=days)


def _earlier(day: date | None, stop: date | None) -> date | None:
    return stop if day is None else day if stop is None else min(day, stop)


def _last(days: Sequence[date | None]) -> date | None:
    """The last of some days; one of which nobody knows is later than all."""
    known = [day for day in days if day is not None]
    return max(known) if len(known) == len(days) else None


def _longest(candidates: Sequence[Candidate]) -> Candidate:
    """The first of the longest, in the order of `Criterion`. Raises ValueError where there is none."""
    return max(candidates, key=lambda one: one.until or date.max)
