"""The records that decisions rest on: verification, rights requests, disclosures, health services."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from models.demo.books import Book
from models.demo.directory import Assignee
from models.demo.draws import weighted
from models.demo.people import Member
from models.demo.policies import Contract
from models.demo.timeline import FAR, LAST_GRANT, VERY_FAR
from models.vocabulary import Purpose

_OPENED = date(2026, 2, 1), date(2026, 6, 30)
_CLOSED = date(2026, 7, 1), date(2026, 9, 30)

RIGHTS = weighted({"access": 40, "correction": 25, "deletion": 20, "withdrawal": 10, "complaint": 5})
_AUTHORITIES = ("市公安局经济犯罪侦查支队", "人民法院执行局", "国家税务局稽查局", "金融监督管理局")


@dataclass(frozen=True, slots=True)
class Scope:
    """How far a disclosure case reaches: categories as a stored set, recipient (None: the brokerage)."""

    categories: int
    recipient: UUID | None = None
    purpose: Purpose = Purpose.REGULATORY_DISCLOSURE


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a disclosure case stands; it counts if approved, not closed and not expired."""

    approved_by: Assignee | None
    expired: bool = False
    closed: bool = False


def add_verification(
    book: Book,
    member: Member,
    *,
    claim: UUID | None,
    consent: UUID,
    closed: bool = False,
) -> UUID:
    """A check of one person's data; its recipient is that of the consent."""
    row_id = book.draws.uuid()
    plain = (member.id, claim, consent, book.draws.moment(*_OPENED), _closing(book, closed=closed))
    book.batch.add("verification_case", row_id, plain=plain)
    return row_id


def add_rights_request(book: Book, member: Member, *, requester: Member, closed: bool = False) -> UUID:
    """A request about one person's data, by themselves or a guardian."""
    row_id, kind = book.draws.uuid(), book.draws.pick(RIGHTS)
    plain = (member.id, requester.id, kind, book.draws.moment(*_OPENED), _closing(book, closed=closed))
    book.batch.add("rights_request", row_id, plain=plain)
    return row_id


def add_disclosure(book: Book, people: Sequence[Member], *, scope: Scope, standing: Standing) -> UUID:
    """A disclosure case about some people."""
    draws, row_id = book.draws, book.draws.uuid()
    approver = standing.approved_by.staff if standing.approved_by else None
    expires = (date(2026, 8, 1), date(2026, 9, 30)) if standing.expired else (FAR, VERY_FAR)
    plain = (
        draws.one(("subpoena", "inquiry_letter", "court_order")),
        scope.purpose,
        scope.recipient,
        draws.one(_AUTHORITIES),
        f"调证字〔2026〕{draws.number(1, 9_999):04d}号",
        scope.categories,
        approver,
        draws.moment(*_OPENED) if approver else None,
        draws.moment(*expires),
        _closing(book, closed=standing.closed),
    )
    book.batch.add("disclosure_case", row_id, plain=plain)
    for member in people:
        book.batch.add("disclosure_person", draws.uuid(), plain=(row_id, member.id))
    return row_id


def add_service(book: Book, contract: Contract, *, provider: UUID, running: bool) -> None:
    """A health service that comes with an issued policy."""
    draws = book.draws
    first = max(contract.starts_on or date(2024, 1, 1), date(2020, 1, 1))
    starts = draws.moment(first, date(2026, 6, 30))
    row = (contract.id, provider, starts, _service_end(book, starts, running=running))
    book.batch.add("health_service", draws.uuid(), plain=row)


def _service_end(book: Book, starts: datetime, *, running: bool) -> datetime | None:
    if running:
        return book.draws.moment(FAR, VERY_FAR) if book.draws.chance(0.5) else None
    return book.draws.moment(max(starts.date(), date(2026, 7, 1)), LAST_GRANT.replace(month=9))


def _closing(book: Book, *, closed: bool) -> datetime | None:
    return book.draws.moment(*_CLOSED) if closed else None
