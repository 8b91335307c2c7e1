"""Refusals of marketing: by a message or by a call, each taken back as it was said (C20). What was said stays (C68).

Who refused either is in no marketing audience from the next read on; their consents stay as they are, and count again
once they allow both.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from models.audiences import MarketingChannel
from privacy.relays import Relays, after_word

# A refusal given again is no new one.
_REFUSE = """
INSERT INTO marketing_refusal (person_id, channel, said_by, refused_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
# Only a person takes back their own word; a guardian, what a guardian said.
_ALLOW = """
UPDATE marketing_refusal SET allowed_at = greatest($4, refused_at), allowed_by = $3
WHERE person_id = $1 AND channel = $2 AND allowed_at IS NULL AND ($3::uuid IS NULL OR said_by IS NOT NULL)
"""


async def refuse_marketing(  # noqa: PLR0913 - who says what of whom
    connection: Any,  # noqa: ANN401 - asyncpg's proxy
    relays: Relays,
    person: UUID,
    channel: MarketingChannel,
    *,
    refused: bool,
    said_by: UUID | None,
    now: datetime,
) -> None:
    """Keep somebody's word on one channel; `said_by`: the guardian of whom it is not their own.

    A guardian's leave does not lift what the ward refused.
    """
    if refused:
        await connection.execute(_REFUSE, person, channel.value, said_by, now)
    else:
        await connection.execute(_ALLOW, person, channel.value, said_by, now)
    await after_word(connection, relays, person, now=now)
