"""The caller's own sessions, as `viewer.sessions` lists them."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from authz.sessions import Owner, own_sessions
from authz.subjects import Subject
from models.global_ids import NodeType, to_global
from resolvers.times import in_shanghai


async def sessions_of(
    fetch: Callable[..., Any], subject: Subject, asked: Iterable[tuple[str, str]], *, now: datetime
) -> list[dict[str, Any]]:
    """The sessions of the caller, with what is `asked` of each by response key; none for who cannot log in."""
    owner = Owner.of(subject)
    if owner is None:
        return []
    listed = []
    for one in await own_sessions(fetch, owner, role=subject.role, now=now):
        words = {
            "id": to_global(NodeType.SESSION, one.id),
            "openedAt": in_shanghai(one.opened_at),
            "lastUsedAt": in_shanghai(one.used_at),
            "current": one.id == subject.session,
            "__typename": "Session",
        }
        listed.append({key: words[name] for key, name in asked})
    return listed
