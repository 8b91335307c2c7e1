"""Agreements: what a partner may be given at all, and which agreement one token is issued under (C31, C35, C38, C39).

A token stands on one agreement, so that its purposes and categories were agreed together and it dies with that
agreement. Of several valid ones it is the one that covers most of what is asked: most purposes, then most categories,
then the one that runs longest, then the greatest reference.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from authz.faults import answering
from authz.oauth.attestations import ATTESTED
from authz.oauth.details import Details
from models.vocabulary import Purpose, from_bits

VALID = (
    "a.ended_at IS NULL AND a.valid_from <= now() AND a.valid_to > now()"
    # An affiliate's agreement counts only with its attestation (C35).
    f" AND (o.kind <> 'AFFILIATE' OR {ATTESTED})"
)
"""SQL: does agreement `a` of organization `o` hold now, by the database's clock, the same for every worker?"""

_VALID_OF = f"""
SELECT a.id, a.reference, a.purposes, a.categories, a.valid_to
FROM agreement a JOIN organization o ON o.id = a.organization_id WHERE o.id = $1 AND {VALID}
"""


@dataclass(frozen=True, slots=True)
class Agreed:
    """One valid agreement; `categories` is a stored set (`to_bits`)."""

    id: UUID
    reference: str
    purposes: frozenset[Purpose]
    categories: int
    valid_to: datetime


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What is granted of what was asked, and the one agreement that it is granted under."""

    purposes: tuple[Purpose, ...]
    categories: int
    agreement: Agreed


async def valid_agreements(pool: Any, organization: UUID) -> list[Agreed]:  # noqa: ANN401 - asyncpg's pool
    """The organization's agreements that hold now. Raises UnavailableError."""
    async with answering():
        rows = await pool.fetch(_VALID_OF, organization)
    return [Agreed(row[0], row[1], frozenset(map(Purpose, json.loads(row[2]))), row[3], row[4]) for row in rows]


def narrow(asked: Details, agreements: Sequence[Agreed]) -> Narrowed:
    """What is asked, as far as the agreement that covers most of it goes; there must be one."""
    return max((_common(asked, agreed) for agreed in agreements), key=_extent)


def _common(asked: Details, agreed: Agreed) -> Narrowed:
    purposes = tuple(purpose for purpose in asked.purposes if purpose in agreed.purposes)
    return Narrowed(purposes, asked.categories & agreed.categories, agreed)


def _extent(found: Narrowed) -> tuple[int, int, datetime, str]:
    agreed = found.agreement
    return len(found.purposes), len(from_bits(found.categories)), agreed.valid_to, agreed.reference
