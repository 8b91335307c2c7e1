"""Reach: how many persons exist for a partner at all, by the same wall that every statement has (C31, C41)."""

from uuid import UUID

from authz.scope import scope_of, sees_audience
from authz.subjects import active, recipient, willing
from ledger.searches import Fetch
from models.vocabulary import Purpose, Role

_KIND = "SELECT kind FROM organization WHERE id = $1"
_AUDIENCE = (
    "(EXISTS (SELECT FROM consent c WHERE c.person_id = t.id AND c.purpose = 'marketing' AND {0} AND {1})"
    f" AND {willing('t.id')})"
)


async def persons_within_reach(fetch: Fetch, organization: UUID) -> int:
    """Persons that exist for a partner under some purpose at the moment. Raises the database's error."""
    ((kind,),) = await fetch(_KIND, organization)
    role = Role[kind]
    rows = [one for one in (_persons(role, purpose) for purpose in Purpose) if one]
    if not rows:
        return 0
    where = " OR ".join(f"({one})" for one in rows).replace(":organization", "$1")
    ((found,),) = await fetch(f"SELECT count(*) FROM person t WHERE {where}", organization)
    return int(found)


def _persons(role: Role, purpose: Purpose) -> str | None:
    if sees_audience(role, purpose):
        return _AUDIENCE.format(recipient(role, "c.recipient_id"), active("c"))
    rows = scope_of(role, purpose).get("person")
    return rows.member if rows else None
