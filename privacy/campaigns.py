"""Campaigns: for a time a recipient's audience is narrowed to those with one of some tags (C20, C21).

The brokerage's marketers open them, for the brokerage or for a partner. A recipient that names a campaign of its own
sees of its audience those whose consent covers tags and who have one of the campaign's; never the tags themselves
by it. `authz.scope.targeted` is that as SQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from models.audiences import Campaign
from privacy.tags import LONGEST_TAG, MOST_TAGS, tidy
from vault.blind import blind
from vault.keyring import Keyring

LEAST_AUDIENCE = 10
"""A campaign that meets fewer people than this shows nobody: so few would be singled out by their tags (C21)."""
LONGEST = timedelta(days=366)

_MARKETS = ("INSURER", "HEALTH_PROVIDER", "AFFILIATE")
"""Kinds of partners that have an audience at all (C35, C37)."""
_RECIPIENT = "SELECT id FROM organization WHERE code = $1 AND kind = ANY($2::text[])"
_COLUMNS = "id, recipient_id, tags, opens_at, closes_at, ended_at"
_OPEN = """
INSERT INTO campaign (id, recipient_id, tags, tag_digests, opens_at, closes_at, opened_by, opened_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
# To end what has ended changes nothing.
_END = f"""
UPDATE campaign SET ended_at = coalesce(ended_at, $2), ended_by = coalesce(ended_by, $3) WHERE id = $1
RETURNING {_COLUMNS}
"""  # noqa: S608 - our own names
_SOME = f"""
SELECT {_COLUMNS}, opened_at FROM campaign WHERE $1::timestamptz IS NULL OR (opened_at, id) < ($1, $2::uuid)
ORDER BY opened_at DESC, id DESC LIMIT $3
"""  # noqa: S608 - our own names


class CampaignRefusal(StrEnum):
    """Why a campaign is not opened or ended, and what to do."""

    RECIPIENT_UNKNOWN = "There is no insurer, health provider or affiliate of that code."
    TAGS_INVALID = f"Give 1 to {MOST_TAGS} different tags, each of 1 to {LONGEST_TAG} printable characters."
    TIMES_INVALID = (
        "A campaign begins within a year, ends after that, not in the past, and runs a year at most. Give times with an"
        " offset, such as 2027-01-31T18:00:00+08:00."
    )
    CAMPAIGN_UNKNOWN = "There is no such campaign. Use an id as the API returned it to you."


@dataclass(frozen=True, slots=True)
class Wanted:
    """A campaign to open; `recipient` is a partner's code, None the brokerage itself."""

    recipient: str | None
    tags: Sequence[str] = field(repr=False)
    opens_at: datetime | None
    closes_at: datetime


async def open_campaign(
    connection: Any,  # noqa: ANN401 - asyncpg's proxy, here and below
    keyring: Keyring,
    wanted: Wanted,
    *,
    by: UUID,
    now: datetime,
) -> Campaign | CampaignRefusal:
    """Open one, from now on or later."""
    tags = tidy(wanted.tags)
    if not tags:
        return CampaignRefusal.TAGS_INVALID
    opens = wanted.opens_at or now
    if None in (opens.tzinfo, wanted.closes_at.tzinfo) or not _fit(opens, wanted.closes_at, now):
        return CampaignRefusal.TIMES_INVALID
    recipient = None
    if wanted.recipient is not None:
        recipient = await connection.fetchval(_RECIPIENT, wanted.recipient, list(_MARKETS))
        if recipient is None:
            return CampaignRefusal.RECIPIENT_UNKNOWN
    made = Campaign(uuid4(), recipient, tags, opens, wanted.closes_at, None)
    digests = [blind(keyring, "tag", tag) for tag in tags]
    await connection.execute(_OPEN, made.id, recipient, list(tags), digests, opens, wanted.closes_at, by, now)
    return made


def _fit(opens: datetime, closes: datetime, now: datetime) -> bool:
    return opens - now <= LONGEST and max(opens, now) < closes and closes - opens <= LONGEST


async def end_campaign(
    connection: Any,  # noqa: ANN401
    campaign: UUID | None,
    *,
    by: UUID,
    now: datetime,
) -> Campaign | CampaignRefusal:
    """End one before its time, from the next read on."""
    row = await connection.fetchrow(_END, campaign, now, by)
    return CampaignRefusal.CAMPAIGN_UNKNOWN if row is None else _campaign(row)


async def some(
    connection: Any,  # noqa: ANN401
    *,
    after: tuple[datetime, UUID] | None,
    most: int,
) -> list[tuple[datetime, Campaign]]:
    """Campaigns with when they were opened, the last opened first."""
    rows = await connection.fetch(_SOME, *(after or (None, None)), most)
    return [(row["opened_at"], _campaign(row)) for row in rows]


def _campaign(row: Any) -> Campaign:  # noqa: ANN401 - asyncpg's row
    return Campaign(row[0], row[1], tuple(row[2]), row[3], row[4], row[5])
