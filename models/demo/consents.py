"""Consents: to whom, for what, for which categories, and whether they still hold."""

import hashlib
from datetime import date, datetime, timedelta
from enum import Enum, auto
from typing import NamedTuple
from uuid import UUID

from models.demo.books import Book
from models.demo.draws import Draws, weighted
from models.demo.people import Member, add_virtual_phone
from models.demo.timeline import FAR, LAST_GRANT, VERY_FAR
from models.notices import FIRST, NoticeName
from models.organizations import OrganizationKind
from models.vocabulary import Category, Purpose, to_bits


class State(Enum):
    """Whether a consent holds at the anchor, and then for years."""

    ACTIVE = auto()
    WITHDRAWN = auto()
    EXPIRED = auto()


class Grant(NamedTuple):
    """What is agreed to; no recipient means the brokerage, `categories` is a stored set."""

    purpose: Purpose
    recipient: UUID | None
    categories: int


Given = dict[tuple[Purpose, UUID | None], UUID]
"""A person's consents by purpose and recipient."""

ALL_CATEGORIES = to_bits(set(Category))
MARKETING = to_bits({Category.NAME, Category.RELAY, Category.TAG, Category.PROFILE})
IDENTITY = to_bits({Category.NAME, Category.GOVERNMENT_ID, Category.PHONE})
CHECKED = ALL_CATEGORIES & ~to_bits({Category.RELAY, Category.DEVICE, Category.TAG, Category.PROFILE, Category.ACCOUNT})
"""What a verification may look at."""

_USE = to_bits({Category.DEVICE, Category.PROFILE, Category.TAG})
_CONTACT = to_bits({Category.NAME, Category.PHONE, Category.EMAIL, Category.RELAY})

# Purpose, recipient's kind (None: the brokerage), categories -> how common among consents.
_OFFERS = weighted(
    {
        (Purpose.MARKETING, None, MARKETING): 14,
        (Purpose.MARKETING, OrganizationKind.INSURER, MARKETING): 14,
        (Purpose.MARKETING, OrganizationKind.HEALTH_PROVIDER, MARKETING): 6,
        (Purpose.MARKETING, OrganizationKind.AFFILIATE, MARKETING): 5,
        (Purpose.VERIFICATION, None, CHECKED): 9,
        (Purpose.VERIFICATION, OrganizationKind.SERVICE_PROVIDER, IDENTITY): 6,
        (Purpose.VERIFICATION, OrganizationKind.AFFILIATE, IDENTITY): 5,
        (Purpose.APPLICATION, OrganizationKind.INSURER, ALL_CATEGORIES): 12,
        (Purpose.APPLICATION, None, ALL_CATEGORIES): 8,
        (Purpose.HEALTH_SERVICE, OrganizationKind.HEALTH_PROVIDER, IDENTITY): 5,
        (Purpose.SERVICE_MESSAGE, None, _CONTACT): 7,
        (Purpose.ANALYTICS, None, _USE): 6,
        (Purpose.ANALYTICS, OrganizationKind.AD_PARTNER, _USE): 3,
    },
)
_FOR_MINORS = frozenset({Purpose.VERIFICATION, Purpose.APPLICATION, Purpose.HEALTH_SERVICE})
_LAST_END = date(2026, 9, 30)
_STATES = weighted({State.ACTIVE: 68, State.WITHDRAWN: 18, State.EXPIRED: 14})
_COUNTS = weighted({3: 6, 4: 10, 5: 16, 6: 20, 7: 20, 8: 16, 9: 8, 10: 4})
_COUNTS_MINORS = weighted({3: 30, 5: 40, 7: 30})

_FIRST_EFFECTIVE = date(2020, 10, 26)
_EARLIER = NoticeName("2015-06-01", hashlib.sha256("隐私政策 2015-06-01".encode()).hexdigest())
"""Of the policy before the first that is published here there is no text: this stands for it."""


def draw_consents(book: Book, member: Member) -> Given:
    """The consents of one person: never two for the same purpose and recipient, but for a withdrawn forerunner."""
    given: Given = {}
    for _ in range(book.draws.pick(_COUNTS_MINORS if member.minor else _COUNTS)):
        grant = _draw_grant(book)
        place = grant.purpose, grant.recipient
        if place not in given and not (member.minor and grant.purpose not in _FOR_MINORS):
            given[place] = draw_consent(book, member, grant=grant)
    return given


def _draw_grant(book: Book) -> Grant:
    purpose, kind, categories = book.draws.pick(_OFFERS)
    recipient = book.draws.one(book.directory.organizations[kind]) if kind else None
    if book.draws.chance(0.2):
        categories = narrowed(book.draws, categories)
    return Grant(purpose, recipient, categories)


def narrowed(draws: Draws, categories: int) -> int:
    """What is left where someone struck out items; one always stays."""
    kept = categories & draws.getrandbits(len(Category))
    return kept or categories & -categories


def draw_consent(book: Book, member: Member, *, grant: Grant) -> UUID:
    """One consent in any state, sometimes with a withdrawn forerunner, and the relay number that goes with it."""
    state = book.draws.pick(_STATES)
    consent = add_consent(book, member, grant=grant, state=state)
    if state is State.ACTIVE and book.draws.chance(0.06):
        add_consent(book, member, grant=grant, state=State.WITHDRAWN)
    partner = grant.purpose is Purpose.MARKETING and grant.recipient
    if partner and state is not State.EXPIRED and book.draws.chance(0.8):
        add_virtual_phone(book, member, organization=grant.recipient, ended=state is State.WITHDRAWN)
    return consent


def add_consent(book: Book, member: Member, *, grant: Grant, state: State) -> UUID:
    """Write one consent and tell its id."""
    draws, row_id = book.draws, book.draws.uuid()
    granted, withdrawn, expires = _course(draws, state, born=member.born)
    version, digest = _notice(granted)
    audience = book.audience(grant.recipient, member.id) if grant.purpose is Purpose.MARKETING else None
    plain = (
        member.id,
        grant.purpose,
        grant.recipient,
        grant.categories,
        version,
        digest,
        granted,
        withdrawn,
        expires,
        audience,
    )
    book.batch.add("consent", row_id, plain=plain)
    return row_id


def _course(
    draws: Draws,
    state: State,
    *,
    born: date,
) -> tuple[datetime, datetime | None, datetime | None]:
    first = born + timedelta(days=30)
    if state is State.EXPIRED:
        granted = draws.moment(max(date(2016, 1, 1), first), date(2025, 6, 30))
        return granted, None, draws.moment(granted.date() + timedelta(days=30), _LAST_END)
    expires = draws.moment(FAR, VERY_FAR) if draws.chance(0.4) else None
    if state is State.ACTIVE:
        return draws.moment(max(date(2021, 1, 1), first), LAST_GRANT), None, expires
    granted = draws.moment(max(date(2018, 1, 1), first), date(2026, 6, 30))
    return granted, draws.moment(granted.date() + timedelta(days=2), _LAST_END), expires


def _notice(granted: datetime) -> NoticeName:
    return _EARLIER if granted.date() < _FIRST_EFFECTIVE else FIRST
