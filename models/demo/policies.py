"""Policies and their beneficiaries."""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from models.demo.books import Book
from models.demo.directory import Product
from models.demo.draws import Draws, weighted
from models.demo.people import Home, Member, draw_outsider
from models.demo.timeline import FAR, LAST_END, LAST_START, MAJORITY, age, years_later
from models.demo.values import serial
from models.policies import PolicyStatus

APPLIED = frozenset({PolicyStatus.SUBMITTED, PolicyStatus.UNDERWRITING, PolicyStatus.AWAITING_PAYMENT})
UNISSUED = APPLIED | {PolicyStatus.DRAFT, PolicyStatus.DECLINED}
LIVE = frozenset({PolicyStatus.IN_FORCE, PolicyStatus.GRACE})

_STATUSES = weighted(
    {
        PolicyStatus.IN_FORCE: 55,
        PolicyStatus.GRACE: 4,
        PolicyStatus.LAPSED: 8,
        PolicyStatus.SURRENDERED: 5,
        PolicyStatus.EXPIRED: 12,
        PolicyStatus.TERMINATED: 4,
        PolicyStatus.DRAFT: 4,
        PolicyStatus.SUBMITTED: 2,
        PolicyStatus.UNDERWRITING: 2,
        PolicyStatus.AWAITING_PAYMENT: 2,
        PolicyStatus.DECLINED: 2,
    },
)
_FIRST_START = date(2014, 3, 1)
_LAST_ENDED_START = date(2025, 6, 1)
_LONG_TERMS = (10, 15, 20, 30)
_SHORT_TERMS = (1, 1, 1, 5)
_PREMIUM_AGE = 35
_OLDEST_PRICED = 70

SELF = "本人"
_RELATIONS = weighted({"配偶": 34, "子女": 38, "父母": 22, "兄弟姐妹": 4, "其他": 2})
_GENERATION = 16
_INSURED_THEMSELVES, _HOLDER_NAMED = 0.3, 0.55
_COUNTS = weighted({1: 30, 2: 45, 3: 20, 4: 5})
_WHOLE = Decimal("100.00")
_SHARES: dict[int, tuple[tuple[Decimal, ...], ...]] = {
    1: ((_WHOLE,),),
    2: tuple((Decimal(share), _WHOLE - Decimal(share)) for share in ("50.00", "60.00", "70.00")),
    3: ((Decimal("33.34"), Decimal("33.33"), Decimal("33.33")), (Decimal("50.00"), *[Decimal("25.00")] * 2)),
    4: ((Decimal("25.00"),) * 4, (Decimal("40.00"), *[Decimal("20.00")] * 3)),
}


class Contract(NamedTuple):
    """One policy as its beneficiaries, claims and services need it."""

    id: UUID
    holder: Member
    insured: Member
    product: Product
    status: PolicyStatus
    starts_on: date | None
    ends_on: date | None
    sum_insured: int


class Party(NamedTuple):
    """Whom a record names: a known person, and whether that was verified; or someone unknown."""

    person: Member | None
    verified: bool = False


class Place(NamedTuple):
    """A beneficiary's place in the order of payment."""

    relation: str
    order: int
    share: Decimal


UNKNOWN = Party(None)


def draw_product(book: Book, *, insurer: UUID | None = None) -> Product:
    """A product of an insurer, both by how common they are."""
    return book.draws.pick(book.directory.products[insurer or book.draws.pick(book.directory.market)])


def draw_status(draws: Draws) -> PolicyStatus:
    """A status, by how common it is."""
    return draws.pick(_STATUSES)


def add_policy(
    book: Book,
    holder: Member,
    *,
    insured: Member,
    status: PolicyStatus,
    product: Product | None = None,
) -> Contract:
    """Write one policy; one that cannot have ended yet is in force instead."""
    draws, product = book.draws, product or draw_product(book)
    first = _earliest_start(holder, insured)
    if first > _LAST_ENDED_START and status not in UNISSUED:
        status = PolicyStatus.IN_FORCE
    starts, ends = _term(draws, status, first=first)
    contract = Contract(
        id=draws.uuid(),
        holder=holder,
        insured=insured,
        product=product,
        status=status,
        starts_on=starts,
        ends_on=ends,
        sum_insured=draws.one(product.line.sums),
    )
    _add_policy_row(book, contract)
    return contract


def _add_policy_row(book: Book, contract: Contract) -> None:
    plain = (
        f"P{serial(book.next_policy())}",
        contract.product.id,
        contract.product.insurer,
        contract.status,
        contract.holder.id,
        contract.insured.id,
        "CNY",
        contract.starts_on,
        contract.ends_on,
    )
    texts = (_premium(book.draws, contract), f"{contract.sum_insured}.00")
    book.batch.rows["policy"].append((contract.id, contract.holder.id, plain, texts))


def _premium(draws: Draws, contract: Contract) -> str:
    """A year's premium: the product's rate for the sum, grown with the age at the start, a little either way."""
    line, starts = contract.product.line, contract.starts_on
    years = min(age(contract.insured.born, on=starts) if starts else age(contract.insured.born), _OLDEST_PRICED)
    grown = math.exp(line.growth * (years - _PREMIUM_AGE))
    return f"{contract.sum_insured / 1000 * line.rate * grown * (0.85 + 0.3 * draws.random()):.2f}"


def _earliest_start(holder: Member, insured: Member) -> date:
    born = holder.born + timedelta(days=30) if holder.minor else years_later(holder.born, MAJORITY)
    return max(_FIRST_START, insured.born + timedelta(days=30), born)


def _term(draws: Draws, status: PolicyStatus, *, first: date) -> tuple[date | None, date | None]:
    if status in UNISSUED:
        return None, None
    if status in LIVE:
        starts = draws.day(first, LAST_START)
        terms = [term for term in _LONG_TERMS if years_later(starts, term) >= FAR]
        return starts, years_later(starts, draws.one(terms))
    if status is PolicyStatus.EXPIRED:
        term = draws.one([term for term in _SHORT_TERMS if years_later(first, term) <= LAST_END])
        ends = draws.day(years_later(first, term), LAST_END)
        return years_later(ends, -term), ends
    starts = draws.day(first, _LAST_ENDED_START)
    return starts, draws.day(starts + timedelta(days=90), LAST_END)


def add_beneficiary(book: Book, contract: Contract, *, party: Party, place: Place, home: Home) -> None:
    """Write one beneficiary, with what the policyholder told about them."""
    draws, person = book.draws, party.person
    named = person or draw_outsider(draws, home=home, family_name=draws.chance(0.7))
    verified_at = draws.moment(date(2024, 1, 1), date(2026, 8, 31)) if party.verified else None
    plain = (
        contract.id,
        contract.holder.id,
        person.id if person else None,
        verified_at,
        place.relation,
        place.order,
        place.share,
    )
    texts = (named.name, named.id_number, named.phone)
    book.batch.rows["beneficiary"].append((draws.uuid(), contract.holder.id, plain, texts))


def draw_beneficiaries(book: Book, contract: Contract, *, household: Sequence[Member], home: Home) -> None:
    """The beneficiaries of one policy: one to four, whose shares of each order add up to 100."""
    draws = book.draws
    shares = draws.one(_SHARES[draws.pick(_COUNTS)])
    together = draws.chance(0.7)
    known = [member for member in household if member is not contract.holder and member is not contract.insured]
    for position, share in enumerate(shares, start=1):
        party = _draw_party(draws, contract, known=known) if position == 1 else _draw_relative(draws, known)
        place = Place(
            relation=_relation(draws, contract, person=party.person),
            order=1 if together else position,
            share=share if together else _WHOLE,
        )
        add_beneficiary(book, contract, party=party, place=place, home=home)


def _draw_party(draws: Draws, contract: Contract, *, known: list[Member]) -> Party:
    chance = draws.random()
    if chance < _INSURED_THEMSELVES:
        return Party(contract.insured, verified=draws.chance(0.85))
    if chance < _HOLDER_NAMED and contract.holder is not contract.insured:
        return Party(contract.holder, verified=draws.chance(0.85))
    return _draw_relative(draws, known)


def _draw_relative(draws: Draws, known: list[Member]) -> Party:
    # Neither holder nor insured: the link is a guess by name and number, and never verified. Each at most once.
    return Party(known.pop()) if known and draws.chance(0.5) else UNKNOWN


def _relation(draws: Draws, contract: Contract, *, person: Member | None) -> str:
    if person is None:
        return draws.pick(_RELATIONS)
    if person is contract.insured:
        return SELF
    years = age(contract.insured.born) - age(person.born)
    if abs(years) < _GENERATION:
        return "配偶"
    return "子女" if years > 0 else "父母"
