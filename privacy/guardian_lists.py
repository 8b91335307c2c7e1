"""Guardian links as they stand: one's own from either side, all of them for whoever decides. No datum of anybody."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.guardian_links import EvidenceKind, LinkState

Fetch = Callable[..., Any]

# A link that no request asked for was made before there were any, or loaded.
_EVERY = """
SELECT r.id, r.guardian_id AS guardian, g.child_id AS child, r.evidence_kind AS kind, r.reference,
  r.requested_at, g.verified_at,
  coalesce(g.revoked_at, CASE WHEN r.state <> 'VERIFIED' THEN r.decided_at END) AS ended_at,
  CASE WHEN g.revoked_at IS NOT NULL THEN 'REVOKED' ELSE r.state END AS state, r.note
FROM guardian_request r LEFT JOIN guardian_link g ON g.request_id = r.id
UNION ALL
SELECT g.id, g.guardian_id, g.child_id, NULL, NULL, NULL, g.verified_at, g.revoked_at,
  CASE WHEN g.revoked_at IS NOT NULL THEN 'REVOKED' WHEN g.verified_at IS NULL THEN 'PENDING' ELSE 'VERIFIED' END, NULL
FROM guardian_link g WHERE g.request_id IS NULL
"""
_PAGE = f"""
SELECT * FROM ({_EVERY}) l
WHERE ($1::uuid IS NULL OR guardian = $1 OR child = $1) AND ($2::text IS NULL OR state = $2)
ORDER BY coalesce(requested_at, verified_at, ended_at) DESC NULLS LAST, id, child LIMIT $3
"""  # noqa: S608 - our own text


@dataclass(frozen=True, slots=True)
class Link:
    """One link or request; `child` is None as long as no link is made."""

    id: UUID
    state: LinkState
    guardian: UUID
    child: UUID | None
    kind: EvidenceKind | None
    reference: str | None
    requested_at: datetime | None
    verified_at: datetime | None
    ended_at: datetime | None
    note: str | None


async def links(fetch: Fetch, *, person: UUID | None, state: LinkState | None, most: int) -> list[Link]:
    """Links of a person from either side, or of everybody, the latest first. Raises the database's error."""
    found = await fetch(_PAGE, person, state and state.value, most)
    return [
        Link(
            row["id"],
            LinkState(row["state"]),
            row["guardian"],
            row["child"],
            row["kind"] and EvidenceKind(row["kind"]),
            row["reference"],
            row["requested_at"],
            row["verified_at"],
            row["ended_at"],
            row["note"],
        )
        for row in found
    ]
