"""The register of the operator's duties: what is due when, what is overdue, and that it was done (C41, C46, C47, C61).

When a duty is due follows from when it was last done. The access review and the officer's place have their truth
elsewhere: the register only shows what follows from it (C46, C56).
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from authz.reviews import progress
from authz.unused_grants import NOTICE
from models.vocabulary import Role
from privacy.duty_catalogue import Duty, DutyKind, catalogue, duty_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
EARLIEST = date(2000, 1, 1)
DRILL = "incident-drill"
"""The duty that a drill of an incident fulfils."""
_MONTHS = 12

_BEGIN = "INSERT INTO duty (code, since) SELECT c, $2 FROM unnest($1::text[]) c ON CONFLICT DO NOTHING"
_ALL = "SELECT code, since, retired_on, title, clause, every_months, lead_days, who FROM duty ORDER BY code"
_LAST = "SELECT duty, max(done_on) AS last_on FROM duty_done WHERE staff_id IS NULL GROUP BY duty"
_STAFF = """
SELECT s.id, s.username, d.since, (SELECT max(n.done_on) FROM duty_done n WHERE n.duty = $1 AND n.staff_id = s.id)
  AS last_on
FROM staff s LEFT JOIN duty_staff d ON d.staff_id = s.id AND d.duty = $1
WHERE s.left_at IS NULL ORDER BY s.username
"""
_SEE = """
INSERT INTO duty_staff (duty, staff_id, since) SELECT $1, id, $2 FROM staff WHERE left_at IS NULL ON CONFLICT DO NOTHING
"""
_MEMBER = "SELECT id FROM staff WHERE username = $1 AND left_at IS NULL"
_DONE = """
INSERT INTO duty_done (id, duty, staff_id, due_on, done_on, evidence, incident_id, recorded_at, recorded_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (duty, incident_id) WHERE incident_id IS NOT NULL DO NOTHING
"""
_ADD = """
INSERT INTO duty (code, since, title, clause, every_months, lead_days, who) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING RETURNING code
"""
_RETIRE = "UPDATE duty SET retired_on = $2 WHERE code = $1 AND retired_on IS NULL RETURNING code"
_RESUME = "UPDATE duty SET retired_on = NULL WHERE code = $1 AND retired_on IS NOT NULL RETURNING code"
_OFFICER = "SELECT EXISTS (SELECT FROM staff WHERE role = $1 AND left_at IS NULL)"
_LEFT = "SELECT max(left_at) FROM staff WHERE role = $1"


class DutyState(StrEnum):
    """How a duty stands today."""

    DONE = "DONE"
    DUE = "DUE"
    """Within its days of warning."""
    OVERDUE = "OVERDUE"
    RETIRED = "RETIRED"


class DutyRefusal(StrEnum):
    """Why nothing was recorded."""

    DUTY_UNKNOWN = "DUTY_UNKNOWN"
    DUTY_FOLLOWED = "DUTY_FOLLOWED"
    DUTY_MEMBER = "DUTY_MEMBER"
    MEMBER_UNKNOWN = "MEMBER_UNKNOWN"
    DAY_INVALID = "DAY_INVALID"

    @property
    def message(self) -> str:
        """What to do."""
        return _MESSAGES[self]


_MESSAGES = {
    DutyRefusal.DUTY_UNKNOWN: "There is no such duty in force: take a code of the register.",
    DutyRefusal.DUTY_FOLLOWED: (
        "This duty is followed from where it is done: decide on grants in the access review, or let a privacy officer"
        " join the staff."
    ),
    DutyRefusal.DUTY_MEMBER: "Name a member of staff for a duty of each of them, and for no other.",
    DutyRefusal.MEMBER_UNKNOWN: "Nobody of that work name works here.",
    DutyRefusal.DAY_INVALID: f"It was done on a day from {EARLIEST} up to today.",
}


@dataclass(frozen=True, slots=True)
class Member:
    """How a duty of each member of staff stands for one of them."""

    id: UUID
    work_name: str
    last_on: date | None
    due_on: date


@dataclass(frozen=True, slots=True)
class Standing:
    """How one duty stands; `due_on` is null where nothing is due until something happens."""

    duty: Duty
    state: DutyState
    last_on: date | None
    due_on: date | None
    waiting: int = 0
    """Of how many members of staff, or grants, it is due or overdue."""
    members: tuple[Member, ...] = ()

    def days(self, today: date) -> int:
        """Days until it is due; less than none once it is overdue."""
        return (self.due_on - today).days if self.due_on else 0


@dataclass(frozen=True, slots=True)
class Fact:
    """That a duty was done: which, when, by what it is shown, and by whom it is recorded."""

    duty: str
    done_on: date
    evidence: str
    by: str
    member: str | None = None
    """A work name, for a duty of each member of staff."""
    incident: UUID | None = None


def today_of(now: datetime) -> date:
    """The day it is where the brokerage is."""
    return now.astimezone(SHANGHAI).date()


def months_later(day: date, months: int) -> date:
    """The same day of a later month; its last one where there is none such."""
    place = day.year * _MONTHS + day.month - 1 + months
    year, month = place // _MONTHS, place % _MONTHS + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


async def keep_duties(connection: Any, *, now: datetime) -> None:  # noqa: ANN401 - asyncpg's, here and below
    """Let the catalogue's duties begin that have not yet. `connection` is the owner's. Raises the database's error."""
    await connection.execute(_BEGIN, list(catalogue()), today_of(now))


async def see_staff(connection: Any, *, now: datetime) -> None:  # noqa: ANN401
    """Note who works here for the first time. `connection` is the owner's."""
    for duty in await duties(connection):
        if duty.kind is DutyKind.STAFF:
            await connection.execute(_SEE, duty.code, today_of(now))


async def duties(connection: Any) -> list[Duty]:  # noqa: ANN401
    """Every duty, retired ones too; one that a later release's catalogue tells is left out."""
    known = catalogue()
    found = []
    for row in await connection.fetch(_ALL):
        told = known.get(row["code"])
        if told is None and row["title"] is not None:
            names = ("title", "clause", "every_months", "lead_days", "who")
            told = {**{name: row[name] for name in names}, "kind": DutyKind.RECORDED}
        if told is not None:
            found.append(duty_of(row["code"], told, since=row["since"], retired_on=row["retired_on"]))
    return found


async def register(connection: Any, *, now: datetime) -> list[Standing]:  # noqa: ANN401
    """How every duty stands, the first due before all, and retired ones last. Raises the database's error."""
    today = today_of(now)
    last = dict(await connection.fetch(_LAST))
    found = [await _standing(connection, duty, last.get(duty.code), today) for duty in await duties(connection)]
    return sorted(found, key=lambda one: (one.state is DutyState.RETIRED, one.due_on or date.max, one.duty.code))


async def _standing(connection: Any, duty: Duty, last: date | None, today: date) -> Standing:  # noqa: ANN401
    if duty.retired_on is not None:
        return Standing(duty, DutyState.RETIRED, last, None)
    if duty.kind is DutyKind.STAFF:
        return await _of_staff(connection, duty, today)
    if duty.kind is DutyKind.GRANTS:
        return await _of_grants(connection, duty, today)
    if duty.kind is DutyKind.OFFICER:
        return await _of_officer(connection, duty, today)
    due = _due(duty, last, duty.since)
    return Standing(duty, _state(duty, due, today), last, due)


async def _of_staff(connection: Any, duty: Duty, today: date) -> Standing:  # noqa: ANN401
    rows = await connection.fetch(_STAFF, duty.code)
    members = tuple(
        Member(row["id"], row["username"], row["last_on"], _due(duty, row["last_on"], row["since"] or today))
        for row in rows
    )
    due = min((one.due_on for one in members), default=None)
    waiting = sum(_state(duty, one.due_on, today) is not DutyState.DONE for one in members)
    last = min((one.last_on for one in members if one.last_on), default=None)
    return Standing(duty, _state(duty, due, today), last, due, waiting, members)


async def _of_grants(connection: Any, duty: Duty, today: date) -> Standing:  # noqa: ANN401
    found = await progress(connection.fetch)
    last = found.last_at and today_of(found.last_at)
    due = _due(duty, last, duty.since)
    if found.first_at is not None:
        # The first grant lapses then, unless somebody decides on it.
        due = min(due, today_of(found.first_at + NOTICE))
    return Standing(duty, _state(duty, due, today), last, due, found.waiting)


async def _of_officer(connection: Any, duty: Duty, today: date) -> Standing:  # noqa: ANN401
    if await officer_appointed(connection):
        return Standing(duty, DutyState.DONE, None, None)
    left = await connection.fetchval(_LEFT, Role.PRIVACY_OFFICER.value)
    due = min(today - timedelta(days=1), today_of(left) if left else duty.since)
    return Standing(duty, DutyState.OVERDUE, None, due, 1)


async def officer_appointed(connection: Any) -> bool:  # noqa: ANN401
    """Does somebody of the staff have the role of the personal-information officer (C46)?"""
    found: bool = await connection.fetchval(_OFFICER, Role.PRIVACY_OFFICER.value)
    return found


def _due(duty: Duty, last: date | None, since: date) -> date:
    return months_later(last, duty.every_months) if last else since + timedelta(days=duty.lead_days)


def _state(duty: Duty, due: date | None, today: date) -> DutyState:
    if due is None or due > today + timedelta(days=duty.lead_days):
        return DutyState.DONE
    return DutyState.OVERDUE if due < today else DutyState.DUE


async def record(connection: Any, fact: Fact, *, now: datetime) -> Standing | DutyRefusal:  # noqa: ANN401
    """Record that a duty was done; how it stands then. A drill counts once, however often it is told."""
    before = {one.duty.code: one for one in await register(connection, now=now)}.get(fact.duty)
    if before is None or before.state is DutyState.RETIRED:
        return DutyRefusal.DUTY_UNKNOWN
    kind = before.duty.kind
    if kind in (DutyKind.GRANTS, DutyKind.OFFICER):
        return DutyRefusal.DUTY_FOLLOWED
    if (kind is DutyKind.STAFF) is (fact.member is None):
        return DutyRefusal.DUTY_MEMBER
    if not EARLIEST <= fact.done_on <= today_of(now):
        return DutyRefusal.DAY_INVALID
    member, due = None, before.due_on
    if fact.member is not None:
        member = await connection.fetchval(_MEMBER, fact.member)
        if member is None:
            return DutyRefusal.MEMBER_UNKNOWN
        due = next(one.due_on for one in before.members if one.id == member)
    words = (fact.evidence, fact.incident, now, fact.by)
    await connection.execute(_DONE, uuid4(), fact.duty, member, due, fact.done_on, *words)
    return next(one for one in await register(connection, now=now) if one.duty.code == fact.duty)


async def add(connection: Any, duty: Duty) -> bool:  # noqa: ANN401
    """Add a duty of the operator's own; False where there is, or was, one of that code."""
    words = (duty.title, duty.clause, duty.every_months, duty.lead_days, duty.who.value)
    return bool(await connection.fetchval(_ADD, duty.code, duty.since, *words))


async def retire(connection: Any, code: str, *, now: datetime) -> bool:  # noqa: ANN401
    """Let a duty be due no more; False where there is no such duty in force."""
    return bool(await connection.fetchval(_RETIRE, code, today_of(now)))


async def resume(connection: Any, code: str) -> bool:  # noqa: ANN401
    """Let a retired duty be due again; False where there is none."""
    return bool(await connection.fetchval(_RESUME, code))
