"""Who is given which policy, claim, case or request."""

from datetime import date, datetime
from enum import IntEnum
from uuid import UUID

from models.demo.books import Book
from models.demo.directory import Assignee
from models.demo.timeline import LAST_GRANT


class Target(IntEnum):
    """What can be assigned: the order of the columns."""

    POLICY = 0
    CLAIM = 1
    VERIFICATION_CASE = 2
    RIGHTS_REQUEST = 3
    DISCLOSURE_CASE = 4


def assign(book: Book, to: Assignee, *, target: Target, row: UUID, ended: bool = False) -> None:
    """Give one row to someone; an ended assignment ties nobody any more."""
    draws = book.draws
    targets: list[UUID | None] = [None] * len(Target)
    targets[target] = row
    assigned = draws.moment(date(2026, 2, 1), date(2026, 7, 31))
    over: datetime | None = draws.moment(date(2026, 8, 1), LAST_GRANT) if ended else None
    book.batch.add("assignment", draws.uuid(), plain=(to.staff, to.organization, *targets, assigned, over))
