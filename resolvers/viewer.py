"""What the viewer is told beside the plan: own sessions, and notices to be shown and agreed to."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from resolvers.asides import Question
from resolvers.notices import pending_notices, standing_notice
from resolvers.sessions import sessions_of


async def _sessions(question: Question) -> list[dict[str, Any]]:
    return await sessions_of(question.fetch, question.subject, now=question.now)


BESIDE_VIEWER: Mapping[str, Callable[[Question], Awaitable[Any]]] = {
    "pendingNotices": pending_notices,
    "sessions": _sessions,
    "standingNotice": standing_notice,
}
"""By field of the viewer, what answers it."""
