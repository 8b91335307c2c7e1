"""What a verified guardian's word counts for, and what of it an officer who ends their link takes back (C71, C72)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from authz.subjects import active
from models.vocabulary import Purpose
from privacy.relays import RELAYED, Relays, after_consent

STANDS = "g.verified_at IS NOT NULL AND g.revoked_at IS NULL"
"""SQL: does a link `g` stand?"""
HOLDING = (Purpose.ACCOUNT_SERVICE, Purpose.APPLICATION)
"""The purposes under which a child's data come on record."""

_GUARDS = f"SELECT TRUE FROM guardian_link g WHERE g.guardian_id = $1 AND g.child_id = $2 AND {STANDS} LIMIT 1"  # noqa: S608 - our own SQL
_TAKE_BACK = f"""
UPDATE consent c SET withdrawn_at = greatest($3, c.granted_at)
WHERE c.guardian_id = $1 AND c.person_id = ANY($2::uuid[]) AND {active("c")}
RETURNING c.person_id, c.purpose, c.recipient_id
"""  # noqa: S608 - as above


def agreed(purposes: str) -> str:
    """SQL: does the guardian of a link `g` agree that the brokerage processes for one of `purposes`, a text[]?"""
    return (
        "EXISTS (SELECT FROM consent c WHERE c.guardian_id = g.guardian_id AND c.person_id = g.child_id"
        f" AND c.purpose = ANY({purposes}) AND c.recipient_id IS NULL AND {active('c')})"
    )


async def guards(connection: Any, guardian: UUID, child: UUID) -> bool:  # noqa: ANN401 - asyncpg's proxy, here and below
    """Does a link of the two stand? It cannot be ended before the transaction ends."""
    return await connection.fetchval(f"{_GUARDS} FOR SHARE", guardian, child) is not None


async def take_back(
    connection: Any,  # noqa: ANN401
    relays: Relays,
    guardian: UUID,
    children: Sequence[UUID],
    *,
    now: datetime,
) -> None:
    """Take back all that a guardian agreed to for these children: whoever was no guardian could agree to nothing."""
    found = await connection.fetch(_TAKE_BACK, guardian, children, now)
    pairs = {(row["person_id"], row["recipient_id"]) for row in found if Purpose(row["purpose"]) in RELAYED}
    for person, recipient in sorted(pairs, key=str):
        await after_consent(connection, relays, person, recipient, now=now)
