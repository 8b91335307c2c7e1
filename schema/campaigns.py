"""Campaigns: a recipient's audience narrowed by tags for a time, as the brokerage's marketers see them (C20, C21)."""

from datetime import datetime

import strawberry

from schema.fields import edge, public
from schema.organizations import Organization


@strawberry.type
class Campaign:
    """One campaign; without `recipient` it is the brokerage's own. Its recipient names its `id` in `users`."""

    id: strawberry.ID = public()
    recipient: Organization | None = edge()
    tags: list[str] = public(description="Who has one of these is met.")
    opens_at: datetime = public()
    closes_at: datetime = public()
    ended_at: datetime | None = public(description="When somebody ended it before its time.")
