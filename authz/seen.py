"""What is known of one HTTP request by now: for its line in the log, its counts and, where it is refused, its row."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from authz.subjects import Subject
from models.vocabulary import Purpose, Role

_KEY = "needful.seen"


@dataclass(slots=True)
class Seen:
    """What is known of a request by now. A subject or client stands here once it is authenticated, never before."""

    subject: Subject | None = field(default=None, repr=False)
    role: Role | None = None
    client: str | None = None
    agreement: UUID | None = None
    organization: UUID | None = None
    purpose: Purpose | None = None
    code: str | None = None
    """Why it is refused as a whole, if it is."""
    decision: str | None = None
    operation_hash: str | None = None
    cells: Mapping[tuple[str, str | None], int] = field(default_factory=dict)
    """How many were decided, by effect and reason."""
    recorded: bool = False
    """Has its refusal a row already?"""

    def known(self, subject: Subject) -> None:
        """Who asks has been authenticated."""
        self.subject, self.role = subject, subject.role
        self.client, self.agreement, self.organization = subject.client, subject.agreement, subject.organization


def seen_in(scope: MutableMapping[str, Any]) -> Seen:
    """What is known of the request of an ASGI scope."""
    seen: Seen | None = scope.get(_KEY)
    if seen is None:
        seen = scope[_KEY] = Seen()
    return seen
