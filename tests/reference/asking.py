"""What is asked of the reference, and what was decided on the way."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from models.global_ids import NodeType
from tests.reference.callers import Subject
from tests.reference.scope import Scope
from tests.reference.world import Row, World

PAGE = {"default": 20, "max": 100}
MARKETING_PAGE = {"default": 10, "max": 10}
NODE_TYPES = {
    NodeType.USER: "User",
    NodeType.AUDIENCE_USER: "User",
    NodeType.DEVICE: "Device",
    NodeType.POLICY: "Policy",
    NodeType.BENEFICIARY: "Beneficiary",
    NodeType.CLAIM: "Claim",
    NodeType.CONSENT: "Consent",
}

IMPLIED = {
    **{f"scalar {name}": f"scalar {name} " for name in ("Date", "DateTime", "Decimal", "JSON")},
    "type PageInfo": """type PageInfo {
        hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String
    }""",
    **{
        f"type {name}Connection": f"""
        type {name}Connection {{ edges: [{name}Edge!]! pageInfo: PageInfo! totalCount: Int }}
        type {name}Edge {{ cursor: String! node: {name}! }}"""
        for name in (
            *("User", "Device", "Policy", "Beneficiary", "Claim", "Consent", "Product"),
            *("Access", "AccessRecord", "AffectedPerson"),
        )
    },
}
"""What the contract leaves to Relay's specification and to the formats of the interface."""

Arguments = dict[str, Any]


class Code(StrEnum):
    """Why a whole request is refused (the interface's codes)."""

    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    BAD_ID = "BAD_ID"
    BAD_CURSOR = "BAD_CURSOR"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    FILTER_DENIED = "FILTER_DENIED"


class Refused(Exception):  # noqa: N818 - named for what happens to the request
    """The whole request is refused."""

    def __init__(self, code: Code) -> None:
        """Refuse with a code."""
        super().__init__(code)
        self.code = code


@dataclass
class Cell:
    """One occurrence of a sensitive field in an answer."""

    coordinate: str
    path: list[str | int]
    effect: str
    reason: str | None
    raw: Any

    @property
    def pattern(self) -> str:
        """The path with list positions left open."""
        return ".".join("@" if isinstance(step, int) else step for step in self.path)


@dataclass
class Context:
    """One operation: who asks, which rows exist, what has been decided so far."""

    world: World
    subject: Subject
    scope: Scope
    cells: list[Cell] = field(default_factory=list)

    def restrained(self, rows: list[Row]) -> bool:
        """Is this a list of a marketing operation, with its small pages and no total? Products are public."""
        return self.subject.purpose == "marketing" and not any(row.type == "Product" for row in rows)

    def visible(self, rows: Iterable[Row]) -> list[Row]:
        """Those of the rows that exist for the caller."""
        return [row for row in rows if self.scope.has(row)]

    def link(self, row: Row | None) -> Row | None:
        """A link to another row: null if it does not exist for the caller."""
        return row if self.scope.has(row) else None


@dataclass(frozen=True)
class Examined:
    """A response, and the raw values that it had to hide."""

    response: dict[str, Any]
    hidden: frozenset[str]
