"""The caller's own sessions, as `viewer.sessions` lists them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from authz.sessions import Owner, own_sessions
from authz.subjects import Subject
from models.global_ids import NodeType, to_global
from resolvers.times import in_shanghai


async def sessions_of(fetch: Callable[..., Any], subject: Subject, *, now: datetime) -> list[dict[str, Any]]:
    """The sessions of the caller; none for who cannot log in."""
    owner = Owner.of(subject)
    if owner is None:
        return []
    return [
        {
            "id": to_global(NodeType.SESSION, one.id),
            "openedAt": in_shanghai(one.opened_at),
            "lastUsedAt": in_shanghai(one.used_at),
            "current": one.id == subject.session,
        }
        for one in await own_sessions(fetch, owner, role=subject.role, now=now)
    ]
