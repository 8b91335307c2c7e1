"""Staff, as the operator keeps them: who joins, takes another role, leaves; and who is let in again (C47, C50, C58).

Every function works on the owner's connection, inside a transaction of its own.
"""

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from authz.attempts import code_key, password_key
from authz.commands import OperatorRefusedError
from authz.logins import identify
from authz.passwords import hash_now
from authz.second_factors import enrolment, new_secret, put
from authz.sessions import Owner, end_all
from authz.standing import revoke
from models.logins import SessionEnd
from models.revocations import Revoked
from models.vocabulary import STAFF_ROLES, BlindColumn, Role
from vault.blind import blind
from vault.keyring import Keyring

WORK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{1,63}")
"""As it is given here or by an identity provider, where it may be an address."""
_PASSWORD_BYTES = 15

_FIND = """
SELECT s.id, s.role, s.left_at, l.id AS login FROM staff s LEFT JOIN login l ON l.staff_id = s.id
WHERE s.username = $1 FOR NO KEY UPDATE OF s
"""
_STAFF_LOGIN = "SELECT l.id FROM login l JOIN staff s ON s.id = l.staff_id WHERE s.username = $1"
_ADD = "INSERT INTO staff (id, username, role) VALUES ($1, $2, $3)"
_ADD_LOGIN = """
INSERT INTO login (id, staff_id, password_hash, temporary, changed_at) VALUES ($1, $2, $3, TRUE, $4)
"""
_LEAVE = "UPDATE staff SET left_at = $2 WHERE id = $1"
_ROLE = "UPDATE staff SET role = $2 WHERE id = $1"
_LIST = """
SELECT s.username, s.role, s.left_at, l.id IS NOT NULL AS login, l.temporary, l.locked_until
FROM staff s LEFT JOIN login l ON l.staff_id = s.id ORDER BY s.username
"""
_ACCOUNT_LOGIN = """
SELECT l.id, a.id AS account, a.person_id FROM blind_index b JOIN account a ON a.person_id = b.person_id
JOIN login l ON l.account_id = a.id WHERE b."column" = $1 AND b.digest = $2
"""
_IDENTIFIERS = """SELECT encode(digest, 'hex') FROM blind_index WHERE person_id = $1 AND "column" = ANY($2)"""
_GIVE_PASSWORD = "UPDATE login SET password_hash = $2, temporary = TRUE, changed_at = $3 WHERE id = $1"  # noqa: S105
_UNLOCK = "UPDATE login SET locked_until = NULL WHERE id = $1"
_FORGET = "DELETE FROM failed_login WHERE identifier = ANY($1)"


@dataclass(frozen=True, slots=True)
class Added:
    """What a member of staff is handed, once: a password to replace at the first login, and a second factor."""

    password: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """One member of staff in the operator's list."""

    username: str
    role: str
    left_at: datetime | None
    login: bool
    temporary: bool | None
    locked_until: datetime | None


@dataclass(frozen=True, slots=True)
class _Account:
    id: UUID
    person: UUID
    login: UUID
    identifiers: list[str] = field(repr=False)
    """Under which its failures are counted."""


async def add(connection: Any, username: str, role: Role, *, keyring: Keyring, now: datetime) -> Added:  # noqa: ANN401
    """Let somebody join, or give a login to somebody who has none. Raises OperatorRefusedError."""
    if role not in STAFF_ROLES or not WORK_NAME.fullmatch(username):
        message = (
            "A work name has 2 to 64 letters, digits and ._-@, the first a letter or digit; the role is one of staff."
        )
        raise OperatorRefusedError(message)
    async with connection.transaction():
        known = await connection.fetchrow(_FIND, username)
        if known is not None and (known["login"] or known["left_at"] or known["role"] != role.value):
            message = f"There is, or was, a {username} with a login or another role: choose another work name."
            raise OperatorRefusedError(message)
        member = known["id"] if known else uuid4()
        if known is None:
            await connection.execute(_ADD, member, username, role.value)
        login, password = uuid4(), secrets.token_urlsafe(_PASSWORD_BYTES)
        await connection.execute(_ADD_LOGIN, login, member, hash_now(password), now)
        secret, sealed = new_secret(keyring, login)
        await put(connection, login, sealed)
    return Added(password, enrolment(secret, username))


async def leave(connection: Any, username: str, *, now: datetime) -> int:  # noqa: ANN401 - asyncpg
    """Somebody has left: no worker answers them from the next second on. How many sessions ended."""
    async with connection.transaction():
        member = await _present(connection, username)
        await connection.execute(_LEAVE, member, now)
        return await _shut_out(connection, member, SessionEnd.LEFT, now)


async def change_role(connection: Any, username: str, role: Role, *, now: datetime) -> int:  # noqa: ANN401 - asyncpg
    """Somebody takes another role: they log in anew. How many sessions ended."""
    if role not in STAFF_ROLES:
        message = f"{role.value} is no role of staff."
        raise OperatorRefusedError(message)
    async with connection.transaction():
        member = await _present(connection, username)
        await connection.execute(_ROLE, member, role.value)
        return await _shut_out(connection, member, SessionEnd.ROLE_CHANGED, now)


async def reset(connection: Any, username: str, *, keyring: Keyring, now: datetime) -> Added:  # noqa: ANN401 - asyncpg
    """Let in again whoever lost password or second factor, with new ones. Raises OperatorRefusedError.

    Their sessions end, and every token of before is dead within a second.
    """
    async with connection.transaction():
        login = await connection.fetchval(_STAFF_LOGIN, username)
        if login is None:
            raise _unknown(username)
        await _unlock(connection, login, [identify(username, staff=True, keyring=keyring).key])
        password = await _give_password(connection, login, now)
        secret, sealed = new_secret(keyring, login)
        await put(connection, login, sealed)
        await _shut_out(connection, await _present(connection, username), SessionEnd.RESET, now)
    return Added(password, enrolment(secret, username))


async def reset_account(
    connection: Any,  # noqa: ANN401 - asyncpg
    username: str,
    *,
    keyring: Keyring,
    now: datetime,
) -> tuple[UUID, str]:
    """Let in again a customer who lost password or second factor. Raises OperatorRefusedError.

    Gives the person and the password to replace. They have no second factor then, and their sessions end.
    """
    async with connection.transaction():
        found = await _account(connection, username, keyring)
        await _unlock(connection, found.login, found.identifiers)
        password = await _give_password(connection, found.login, now)
        await put(connection, found.login, None)
        await end_all(connection, Owner(account=found.id), because=SessionEnd.RESET, now=now)
    return found.person, password


async def unlock(connection: Any, username: str, *, keyring: Keyring) -> None:  # noqa: ANN401 - asyncpg
    """Let a member of staff try again at once. Raises OperatorRefusedError."""
    async with connection.transaction():
        login = await connection.fetchval(_STAFF_LOGIN, username)
        if login is None:
            raise _unknown(username)
        await _unlock(connection, login, [identify(username, staff=True, keyring=keyring).key])


async def unlock_account(connection: Any, username: str, *, keyring: Keyring) -> UUID:  # noqa: ANN401 - asyncpg
    """Let a customer try again at once, by username and by phone: the person. Raises OperatorRefusedError."""
    async with connection.transaction():
        found = await _account(connection, username, keyring)
        await _unlock(connection, found.login, found.identifiers)
    return found.person


async def member_named(connection: Any, username: str) -> UUID | None:  # noqa: ANN401 - asyncpg
    """The id of whoever works or worked here under that name."""
    found: UUID | None = await connection.fetchval("SELECT id FROM staff WHERE username = $1", username)
    return found


async def listed(connection: Any) -> list[Listed]:  # noqa: ANN401 - asyncpg
    """Everybody who works or worked here."""
    return [Listed(*row.values()) for row in await connection.fetch(_LIST)]


async def _account(connection: Any, username: str, keyring: Keyring) -> _Account:  # noqa: ANN401 - asyncpg
    digest = blind(keyring, "username", username)
    row = await connection.fetchrow(_ACCOUNT_LOGIN, int(BlindColumn.USERNAME), digest)
    if row is None:
        message = "No account with a login has that username: ask the customer for the one they chose at sign-up."
        raise OperatorRefusedError(message)
    columns = [int(BlindColumn.USERNAME), int(BlindColumn.LOGIN_PHONE)]
    found = await connection.fetch(_IDENTIFIERS, row["person_id"], columns)
    return _Account(row["account"], row["person_id"], row["id"], [one[0] for one in found])


async def _give_password(connection: Any, login: UUID, now: datetime) -> str:  # noqa: ANN401 - asyncpg
    """A password to replace at the next login, in place of the one before."""
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    await connection.execute(_GIVE_PASSWORD, login, hash_now(password), now)
    return password


async def _present(connection: Any, username: str) -> UUID:  # noqa: ANN401 - asyncpg
    known = await connection.fetchrow(_FIND, username)
    if known is None or known["left_at"]:
        raise _unknown(username)
    found: UUID = known["id"]
    return found


async def _shut_out(connection: Any, member: UUID, because: SessionEnd, now: datetime) -> int:  # noqa: ANN401
    await revoke(connection, Revoked.SUBJECT, member)
    return await end_all(connection, Owner(staff=member), because=because, now=now)


async def _unlock(connection: Any, login: UUID, identifiers: list[str]) -> None:  # noqa: ANN401 - asyncpg
    # In the order in which an attempt locks them.
    await connection.execute(_FORGET, [*identifiers, password_key(login), code_key(login)])
    await connection.execute(_UNLOCK, login)


def _unknown(username: str) -> OperatorRefusedError:
    return OperatorRefusedError(f"No {username} works here with a login: see `staff list`.")
