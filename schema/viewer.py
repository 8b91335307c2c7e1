"""The viewer: what the caller's token says of the caller."""

from datetime import datetime

import strawberry

from models.vocabulary import Purpose
from schema.fields import edge, public
from schema.notices import Notice
from schema.users import User


@strawberry.type
class Session:
    """One running session of the caller's; `current` is the one that asks."""

    id: strawberry.ID = public()
    opened_at: datetime = public()
    last_used_at: datetime = public()
    current: bool = public()


@strawberry.type
class Viewer:
    """The caller. `user` is the caller's own person, where there is one."""

    role: str = public()
    organization: str | None = public()
    purposes: list[Purpose] = public()
    ruleset: int = public()
    user: User | None = edge()
    pending_notices: list[Notice] = edge(description="What the caller still has to be shown (C78).")
    standing_notice: Notice | None = edge(description="Whose terms hold for the caller; null: for no person (C75).")
    sessions: list[Session] = edge()
