"""Claims: what happened, what it cost, who reported it and who is paid."""

from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from models.claims import ClaimStatus
from models.demo.books import Book
from models.demo.draws import Draws, weighted
from models.demo.people import Home, draw_outsider
from models.demo.policies import UNKNOWN, Contract, Party
from models.demo.timeline import CHINA, LAST_CLOSED_REPORT, LAST_REPORT, RECENTLY
from models.demo.values import bank_card, serial
from models.demo.vocabulary import DIAGNOSES, HOSPITALS

OPEN = frozenset(
    {
        ClaimStatus.REPORTED,
        ClaimStatus.MATERIALS_PENDING,
        ClaimStatus.SUBMITTED,
        ClaimStatus.REVIEWING,
        ClaimStatus.INVESTIGATING,
        ClaimStatus.APPROVED,
    },
)
CLOSED = frozenset({ClaimStatus.REJECTED, ClaimStatus.PAID, ClaimStatus.CLOSED, ClaimStatus.WITHDRAWN})
_EARLY = frozenset({ClaimStatus.DRAFT, ClaimStatus.REPORTED})

_STATUSES = weighted(
    {
        ClaimStatus.PAID: 36,
        ClaimStatus.CLOSED: 9,
        ClaimStatus.REJECTED: 9,
        ClaimStatus.WITHDRAWN: 4,
        ClaimStatus.REPORTED: 8,
        ClaimStatus.MATERIALS_PENDING: 7,
        ClaimStatus.SUBMITTED: 6,
        ClaimStatus.REVIEWING: 7,
        ClaimStatus.INVESTIGATING: 4,
        ClaimStatus.APPROVED: 5,
        ClaimStatus.DRAFT: 5,
    },
)
_INSURED, _HOLDER, _UNVERIFIED = 0.55, 0.75, 0.85
_LONGEST_HANDLING = 150
_LAST_CLOSING = datetime(2026, 10, 30, 17, tzinfo=CHINA)


class Event(NamedTuple):
    """What is claimed for, before it is written. `complete`: nothing is missing yet to be told."""

    status: ClaimStatus
    reporter: Party
    payee: Party
    complete: bool


class Course(NamedTuple):
    """When it happened, was reported and closed."""

    happened: date
    reported: datetime
    closed: datetime | None


def draw_claim(book: Book, contract: Contract, *, home: Home) -> tuple[UUID, ClaimStatus]:
    """One claim on an issued policy; tells its id and status."""
    draws = book.draws
    event = Event(
        status=draws.pick(_STATUSES),
        reporter=_draw_party(draws, contract),
        payee=_draw_party(draws, contract),
        complete=draws.chance(0.7),
    )
    return add_claim(book, contract, event=event, home=home)


def _draw_party(draws: Draws, contract: Contract) -> Party:
    chance = draws.random()
    known = contract.holder if contract.insured.minor else contract.insured
    if chance < _INSURED:
        return Party(known, verified=True)
    if chance < _HOLDER:
        return Party(contract.holder, verified=True)
    return Party(known) if chance < _UNVERIFIED else UNKNOWN


def add_claim(book: Book, contract: Contract, *, event: Event, home: Home) -> tuple[UUID, ClaimStatus]:
    """Write one claim; its status gives way where the policy's dates leave no room for it."""
    draws, row_id = book.draws, book.draws.uuid()
    status, course = _course(draws, contract, status=event.status)
    plain = (
        f"C{serial(book.next_claim())}",
        contract.id,
        contract.product.insurer,
        contract.holder.id,
        contract.insured.id,
        status,
        *_link(event.reporter, course),
        *_link(event.payee, course),
        course.reported,
        course.closed,
    )
    reporter = event.reporter.person or draw_outsider(draws, home=home, family_name=draws.chance(0.3))
    texts = (
        reporter.name,
        reporter.phone,
        *_story(draws, course, home=home, complete=event.complete),
        *_money(draws, contract, status=status, complete=event.complete),
        _card(draws, event.payee),
    )
    book.batch.rows["claim"].append((row_id, contract.insured.id, plain, texts))
    return row_id, status


def _course(draws: Draws, contract: Contract, *, status: ClaimStatus) -> tuple[ClaimStatus, Course]:
    starts, ends = contract.starts_on, contract.ends_on
    if starts is None or ends is None:
        message = "a claim needs an issued policy"
        raise ValueError(message)
    first, last = starts + timedelta(days=20), min(ends, LAST_REPORT)
    if status not in CLOSED and last < RECENTLY:
        status = ClaimStatus.PAID
    if status in CLOSED:
        reported = draws.moment(first, min(last, LAST_CLOSED_REPORT))
        closed = reported + timedelta(days=draws.number(3, _LONGEST_HANDLING), seconds=draws.number(0, 20_000))
        return status, Course(_before(draws, reported), reported, min(closed, _LAST_CLOSING))
    reported = draws.moment(max(first, RECENTLY), last)
    return status, Course(_before(draws, reported), reported, None)


def _before(draws: Draws, reported: datetime) -> date:
    return reported.date() - timedelta(days=draws.number(0, 15))


def _link(party: Party, course: Course) -> tuple[UUID | None, datetime | None]:
    if party.person is None:
        return None, None
    return party.person.id, course.reported + timedelta(days=1) if party.verified else None


def _story(draws: Draws, course: Course, *, home: Home, complete: bool) -> tuple[str | None, ...]:
    diagnosis, what = draws.pick(DIAGNOSES)
    happened = course.happened
    hospital = f"{home.district.city}{draws.one(HOSPITALS)}"
    record = (
        f"住院号{draws.digits(8)}；{happened.year}年{happened.month}月{happened.day}日因{what}就诊；"
        f"诊断：{diagnosis}；住院{draws.number(1, 18)}天，病情好转出院"
    )
    return happened.isoformat(), what, hospital, diagnosis, record if complete else None


def _money(
    draws: Draws,
    contract: Contract,
    *,
    status: ClaimStatus,
    complete: bool,
) -> tuple[str | None, str | None, str | None]:
    """Expenses log-normal around the product's mean; claimed at most the sum insured, paid at most what is claimed."""
    if status in _EARLY and not complete:
        return None, None, None
    line = contract.product.line
    expenses = round(draws.lognormvariate(line.expense_log_mean, line.expense_log_spread), 2)
    claimed = min(round(expenses * draws.uniform(0.6, 1.0), 2), contract.sum_insured)
    settled = status is ClaimStatus.PAID or (status is ClaimStatus.CLOSED and draws.chance(0.5))
    paid = f"{claimed * draws.uniform(0.5, 1.0):.2f}" if settled else None
    return f"{expenses:.2f}", f"{claimed:.2f}", paid


def _card(draws: Draws, payee: Party) -> str:
    known = payee.person.bank_card if payee.person else None
    return known or bank_card(draws)
