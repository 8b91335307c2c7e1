"""From an issuer's claims to a member of staff: the role mapping, and the row that is found or made (C47, C49, C51).

Exactly one role, or none is given. Somebody new gets a row under the work name in the claims; a name that is taken is
never shared, since whoever chooses names at the issuer would otherwise choose whom they are here. A role that changed
at the issuer changes here at the next log-in, and earlier sessions end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from authz.commands import OperatorRefusedError
from authz.sessions import Owner, end_all
from authz.staff import WORK_NAME
from models.logins import SessionEnd
from models.vocabulary import STAFF_ROLES, Role

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_MAPPINGS = "SELECT claim, value, role FROM role_mapping WHERE issuer = $1"
_FIND = """
SELECT s.id, s.role, s.left_at FROM staff_identity i JOIN staff s ON s.id = i.staff_id
WHERE i.issuer = $1 AND i.subject = $2 FOR NO KEY UPDATE OF s
"""
_ADD = "INSERT INTO staff (id, username, role) VALUES ($1, $2, $3) ON CONFLICT (username) DO NOTHING RETURNING id"
_KNOW = "INSERT INTO staff_identity (issuer, subject, staff_id) VALUES ($1, $2, $3)"
_ROLE = "UPDATE staff SET role = $2 WHERE id = $1"

_LONGEST, _LONGEST_CLAIM = 255, 64
_MAP = (
    "INSERT INTO role_mapping (issuer, claim, value, role) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING id"
)
_UNMAP = "DELETE FROM role_mapping WHERE issuer = $1 AND claim = $2 AND value = $3 RETURNING id"
_LIST = "SELECT issuer, claim, value, role FROM role_mapping ORDER BY issuer, claim, value"


class Unknown(StrEnum):
    """Why somebody whom the issuer knows is nobody here."""

    NO_ROLE = "NO_ROLE"
    SEVERAL_ROLES = "SEVERAL_ROLES"
    LEFT = "LEFT"
    USERNAME_INVALID = "USERNAME_INVALID"
    USERNAME_TAKEN = "USERNAME_TAKEN"


@dataclass(frozen=True, slots=True)
class Member:
    """A member of staff in the one role they have."""

    id: UUID
    role: Role


async def admit(
    connection: Any,  # noqa: ANN401 - asyncpg's proxy
    claims: Mapping[str, Any],
    *,
    username_claim: str,
    now: datetime,
) -> Member | Unknown:
    """The member of staff that believed claims speak of; inside the caller's transaction."""
    issuer, subject = claims["iss"], claims["sub"]
    # Two first log-ins of one person at once: the second finds what the first has made.
    await connection.execute(_LOCK, f"{issuer} {subject}")
    known = await connection.fetchrow(_FIND, issuer, subject)
    if known is not None and known["left_at"] is not None:
        return Unknown.LEFT
    role = _role(claims, await connection.fetch(_MAPPINGS, issuer))
    if isinstance(role, Unknown):
        if known is not None:
            await end_all(connection, Owner(staff=known["id"]), because=SessionEnd.ROLE_CHANGED, now=now)
        return role
    if known is None:
        return await _add(connection, claims, role, username_claim)
    if known["role"] != role.value:
        await connection.execute(_ROLE, known["id"], role.value)
        await end_all(connection, Owner(staff=known["id"]), because=SessionEnd.ROLE_CHANGED, now=now)
    return Member(known["id"], role)


def _role(claims: Mapping[str, Any], mappings: list[Any]) -> Role | Unknown:
    found = {Role(role) for claim, value, role in mappings if value in _values(claims, claim)}
    if not found & STAFF_ROLES:
        return Unknown.NO_ROLE
    if len(found) > 1:
        return Unknown.SEVERAL_ROLES
    return found.pop()


def _values(claims: Mapping[str, Any], claim: str) -> list[str]:
    """The texts of a claim, or of one within another: `realm_access.roles`."""
    found: Any = claims.get(claim)
    if found is None:
        found = claims
        for name in claim.split("."):
            found = found.get(name) if isinstance(found, dict) else None
    values = found if isinstance(found, list) else [found]
    return [one for one in values if isinstance(one, str)]


async def _add(connection: Any, claims: Mapping[str, Any], role: Role, username_claim: str) -> Member | Unknown:  # noqa: ANN401
    username = claims.get(username_claim)
    if not isinstance(username, str) or not WORK_NAME.fullmatch(username):
        return Unknown.USERNAME_INVALID
    added = await connection.fetchval(_ADD, uuid4(), username, role.value)
    if added is None:
        return Unknown.USERNAME_TAKEN
    await connection.execute(_KNOW, claims["iss"], claims["sub"], added)
    return Member(added, role)


async def map_role(connection: Any, issuer: str, claim: str, value: str, role: Role) -> None:  # noqa: ANN401 - asyncpg
    """A claim's value stands for a role from now on. Raises OperatorRefusedError."""
    if role not in STAFF_ROLES:
        message = f"{role.value} is no role of staff."
        raise OperatorRefusedError(message)
    for text, longest in ((issuer, _LONGEST), (claim, _LONGEST_CLAIM), (value, _LONGEST)):
        if not (text.strip() and text.isprintable() and len(text) <= longest):
            message = f"An issuer, claim or value has 1 to {longest} printable characters."
            raise OperatorRefusedError(message)
    if await connection.fetchval(_MAP, issuer, claim, value, role.value) is None:
        message = f"{claim}={value} of this issuer stands for a role already: remove that mapping first."
        raise OperatorRefusedError(message)


async def unmap_role(connection: Any, issuer: str, claim: str, value: str) -> None:  # noqa: ANN401 - asyncpg
    """A claim's value stands for nothing any more, from the next log-in on. Raises OperatorRefusedError."""
    if await connection.fetchval(_UNMAP, issuer, claim, value) is None:
        message = f"{claim}={value} of this issuer stands for no role: see `role-mapping list`."
        raise OperatorRefusedError(message)


async def mappings(connection: Any) -> list[dict[str, str]]:  # noqa: ANN401 - asyncpg
    """Every mapping there is."""
    return [dict(row) for row in await connection.fetch(_LIST)]
