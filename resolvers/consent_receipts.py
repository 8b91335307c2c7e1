"""Receipts of consents: for the person who agreed and their guardian, in the API and as a file to download."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from models.vocabulary import Role
from privacy.receipts import MEDIA_TYPE, STATEMENT
from resolvers.asides import Question, RowAside

_COORDINATE = "Consent.receipt"
_WEIGHT = 100


async def consent_receipts(question: Question, consents: Sequence[UUID]) -> Mapping[UUID, Any]:
    """The receipt of each consent of the caller's, or of a ward's. A narrowed token tells of no whole person."""
    people = _people(question)
    if not people or question.receipts is None:
        return {}
    rows = await question.fetch(STATEMENT, list(consents), people)
    question.notes.tell(_COORDINATE, {row["person_id"] for row in rows})
    made = {row["id"]: question.receipts.of(row) for row in rows}
    return {
        row: {"fileName": one.file_name, "mediaType": MEDIA_TYPE, "jws": one.jws, "document": one.document}
        for row, one in made.items()
    }


CONSENT_RECEIPT = RowAside(_COORDINATE, consent_receipts, 1, _WEIGHT)


def _people(question: Question) -> list[UUID]:
    subject = question.subject
    if question.narrowed:
        return []
    if subject.role == Role.GUARDIAN:
        return list(question.wards)
    return [subject.person] if subject.role == Role.CUSTOMER and subject.person else []
