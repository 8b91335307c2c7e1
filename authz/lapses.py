"""Lapses: which grants have lapsed, known to every worker within a second, as revocations are (C56).

A lapsed grant narrows like a token that does not list the category for that purpose: it is refused with TOKEN_SCOPE,
and the ledger keeps the categories that were left, so that a decision can be made again from its row.
"""

from typing import Any

from authz.grants import Holder
from authz.subjects import Subject
from models.reviews import Decision, HolderKind
from models.vocabulary import PARTNER_ROLES, STAFF_ROLES, Category, Purpose

# Numbers are given under one lock (`authz.reviews`): whoever has seen one has missed none before it.
_NEW = "SELECT id, holder_kind, holder, purpose, category, decision FROM grant_review WHERE id > $1 ORDER BY id"


class Lapses:
    """What one worker knows of lapsed grants."""

    def __init__(self) -> None:
        """Nothing has lapsed that is known of; `learn` comes first (`Standing`)."""
        self._bits: dict[tuple[Holder, Purpose], int] = {}
        self._seen = 0

    async def learn(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg's connection
        """Take over what has been decided since. Raises the database's error."""
        for row in await connection.fetch(_NEW, self._seen):
            number, kind, key, purpose, category, decision = row
            place = Holder(HolderKind(kind), key), Purpose(purpose)
            bit, bits = Category(category).bit, self._bits.get(place, 0)
            self._bits[place] = bits | bit if decision == Decision.LAPSED else bits & ~bit
            self._seen = number

    def left(self, subject: Subject, purpose: Purpose) -> int:
        """The categories that are left to a subject for a purpose: a stored set, of those its token lists."""
        if not self._bits:
            return subject.categories
        holder = _holder(subject)
        return subject.categories & ~self._bits.get((holder, purpose), 0) if holder else subject.categories


def _holder(subject: Subject) -> Holder | None:
    """Whose grants a subject uses; a customer or guardian has rights instead."""
    if subject.role in PARTNER_ROLES:
        return Holder(HolderKind.ORGANIZATION, str(subject.organization))
    return Holder(HolderKind.ROLE, subject.role.value) if subject.role in STAFF_ROLES else None
