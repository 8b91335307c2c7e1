"""What an operation would be shown, before any row is read: the words of a preview, and who makes one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from authz.catalogue import Catalogue
from authz.compile import Snapshot
from authz.subjects import Subject
from authz.vocabulary import Reason
from models.vocabulary import Category, Purpose, Role


class Shown(StrEnum):
    """What a field comes to: always the same, or it depends on the situation of each row."""

    REVEAL = "REVEAL"
    MASK = "MASK"
    DENY = "DENY"
    DEPENDS = "DEPENDS"


@dataclass(frozen=True, slots=True)
class FieldAccess:
    """One sensitive field of an operation, or the write that it is (then without category).

    `situations`, where it depends: lines such as `assigned + contract_open: REVEAL`, the last one `otherwise: …`.
    """

    coordinate: str
    pattern: str
    category: Category | None
    effect: Shown
    reason: Reason | None = None
    situations: tuple[str, ...] | None = None
    remedy: str | None = None
    clause: str | None = None

    def said(self) -> dict[str, Any]:
        """By the schema's names."""
        return {
            "coordinate": self.coordinate,
            "pathPattern": self.pattern,
            "category": self.category and self.category.name,
            "effect": self.effect.value,
            "reason": self.reason and self.reason.value,
            "situations": None if self.situations is None else list(self.situations),
            "remedy": self.remedy,
            "clause": self.clause,
        }


@dataclass(frozen=True, slots=True)
class Previewed:
    """An operation as somebody would ask it. What of its variables is not given may be anything."""

    document: str
    role: Role
    purpose: Purpose
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    subject: Subject | None = None
    """Whose token narrows it; None: it is asked for a role, with a token that lists every category."""


class Planner(Protocol):
    """Plans operations of the schema served, and runs none."""

    def check(self, text: str) -> tuple[str, ...]:
        """The names of a document's operations, validated and within the limits. Raises RequestRefusedError."""

    async def preview(self, previewed: Previewed, snapshot: Snapshot) -> list[FieldAccess]:
        """What the operation would be shown under some rules. Raises RequestRefusedError as running it would."""


Planning = Callable[[], tuple[Planner, Catalogue]]
"""What plans operations of the schema, and its catalogue: built when it is needed, for it takes a second."""
