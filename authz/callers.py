"""Callers by name: the account, member of staff or organization that a demo token is made for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from authz.oauth.agreements import VALID
from authz.subjects import Subject
from authz.tokens import new_subject
from models.organizations import OrganizationKind
from models.vocabulary import PARTNER_ROLES, PERSON_ROLES, BlindColumn, Purpose, Role
from vault.blind import blind
from vault.keyring import Keyring

_ACCOUNT = """
SELECT a.id, a.person_id FROM account a JOIN blind_index b ON b.person_id = a.person_id
WHERE b."column" = $1 AND b.digest = $2
"""
_ANY_ACCOUNT = "SELECT a.id, a.person_id FROM account a ORDER BY a.opened_at, a.id LIMIT 1"
_ANY_GUARDIAN = """
SELECT a.id, a.person_id FROM account a JOIN guardian_link g ON g.guardian_id = a.person_id
WHERE g.verified_at IS NOT NULL AND g.revoked_at IS NULL ORDER BY a.opened_at, a.id LIMIT 1
"""
_STAFF = """
SELECT id FROM staff WHERE role = $1 AND left_at IS NULL AND ($2::text IS NULL OR username = $2)
ORDER BY username LIMIT 1
"""
_ORGANIZATION = f"""
SELECT o.id, o.code, EXISTS (SELECT FROM agreement a WHERE a.organization_id = o.id AND {VALID}) AS agreed
FROM organization o WHERE o.kind = $1 AND ($2::text IS NULL OR o.code = $2) ORDER BY agreed DESC, o.code LIMIT 1
"""


class UnknownCallerError(Exception):
    """There is nobody to make this token for; the message says what to name instead."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who a token is for, in the words of the command line, and what it lets them do."""

    role: Role
    purposes: Sequence[Purpose]
    categories: int
    organization: str | None = None
    username: str | None = None


async def find_caller(connection: Any, wanted: Wanted, *, keyring: Keyring) -> Subject:  # noqa: ANN401 - asyncpg
    """The subject meant; without a name, the first there is. Raises UnknownCallerError."""
    who = await _who(connection, wanted, keyring)
    return new_subject(wanted.role, wanted.purposes, categories=wanted.categories, **who)


async def _who(connection: Any, wanted: Wanted, keyring: Keyring) -> dict[str, Any]:  # noqa: ANN401 - asyncpg
    if wanted.role == Role.ANONYMOUS:
        message = "anonymous callers have no token"
        raise UnknownCallerError(message)
    if wanted.role in PERSON_ROLES:
        row = await _account(connection, wanted, keyring)
        return {"account": row[0], "person": row[1]}
    if wanted.role in PARTNER_ROLES:
        kind = OrganizationKind[wanted.role.name]
        row = await connection.fetchrow(_ORGANIZATION, kind.value, wanted.organization)
        if row is None:
            message = f"there is no organization {wanted.organization!r} of kind {kind.value}: see --org"
            raise UnknownCallerError(message)
        if not row[2]:
            message = f"the organization {row[1]} has no valid agreement, so no token: see `partner agree` (C38)"
            raise UnknownCallerError(message)
        return {"organization": row[0], "organization_code": row[1]}
    row = await connection.fetchrow(_STAFF, wanted.role.value, wanted.username)
    if row is None:
        message = f"there is no member of staff {wanted.username!r} with the role {wanted.role.value}: see --user"
        raise UnknownCallerError(message)
    return {"account": row[0]}


async def _account(connection: Any, wanted: Wanted, keyring: Keyring) -> Any:  # noqa: ANN401 - asyncpg
    if wanted.username is None:
        row = await connection.fetchrow(_ANY_GUARDIAN if wanted.role == Role.GUARDIAN else _ANY_ACCOUNT)
    else:
        digest = blind(keyring, "username", wanted.username)
        row = await connection.fetchrow(_ACCOUNT, int(BlindColumn.USERNAME), digest)
    if row is None:
        message = "there is no account of that username: see --user"
        raise UnknownCallerError(message)
    return row
