"""Logins: found by what somebody types or by their session; what stands in them is read and changed here only."""

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from authz.second_factors import SealedSecret
from authz.sessions import Owner, end_all
from models.formats import FormatError, mobile_number
from models.logins import SessionEnd
from models.vocabulary import BlindColumn, Role
from vault.blind import blind
from vault.keyring import Keyring

LONGEST_IDENTIFIER = 64
_USERNAME = re.compile(r"[A-Za-z\u4e00-\u9fff][A-Za-z0-9_.\u4e00-\u9fff]{3,31}")

_COLUMNS = """
l.id, l.account_id, l.staff_id, l.password_hash, l.temporary, l.wrapped, l.totp_sealed, l.pending_wrapped,
l.pending_totp_sealed, l.locked_until
"""
_BY_BLIND = f"""
SELECT {_COLUMNS}, NULL AS role FROM blind_index b JOIN account a ON a.person_id = b.person_id
JOIN login l ON l.account_id = a.id WHERE b."column" = $1 AND b.digest = $2 FOR NO KEY UPDATE OF l
"""
_BY_STAFF = f"""
SELECT {_COLUMNS}, s.role FROM staff s JOIN login l ON l.staff_id = s.id WHERE s.username = $1 AND s.left_at IS NULL
FOR NO KEY UPDATE OF l
"""
_BY_SESSION = f"""
SELECT {_COLUMNS}, s.role FROM session s JOIN login l ON l.account_id = s.account_id OR l.staff_id = s.staff_id
WHERE s.id = $1 AND s.ended_at IS NULL
"""
_HOLD = "SELECT FROM login WHERE id = $1 FOR NO KEY UPDATE"
_SET_PASSWORD = "UPDATE login SET password_hash = $2, temporary = FALSE, changed_at = $3 WHERE id = $1"  # noqa: S105
_REHASHED = "UPDATE login SET password_hash = $2 WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Login:
    """One login; `role` is a member of staff's."""

    id: UUID
    owner: Owner
    role: Role | None
    password_hash: str = field(repr=False)
    temporary: bool
    secret: SealedSecret | None
    """Of the second factor, where there is one."""
    pending: SealedSecret | None
    """Of one that was set up, until its first code is given."""
    locked_until: datetime | None


@dataclass(frozen=True, slots=True)
class Identifier:
    """What was typed, as it is looked up and as failures are counted under it: a keyed hash, in hex."""

    key: str = field(repr=False)
    column: BlindColumn | None = None
    staff: str | None = field(default=None, repr=False)


def username_of(text: str) -> str | None:
    """A username as it is kept, or None: 4 to 32 letters, digits, dots and underscores, a letter first.

    So none looks like a phone number, and one that was typed is either.
    """
    if len(text) > LONGEST_IDENTIFIER:
        return None
    plain = unicodedata.normalize("NFKC", text.strip())
    return plain if _USERNAME.fullmatch(plain) else None


def identify(typed: str, *, staff: bool, keyring: Keyring) -> Identifier:
    """What somebody typed to log in: a phone or a username, for staff a work name."""
    text = typed[:LONGEST_IDENTIFIER]
    if staff:
        # No username of a person holds a colon.
        return Identifier(blind(keyring, "username", f"staff:{text}").hex(), staff=text)
    try:
        phone = mobile_number(text)
    except FormatError:
        return Identifier(blind(keyring, "username", text).hex(), BlindColumn.USERNAME)
    return Identifier(blind(keyring, "phone", phone).hex(), BlindColumn.LOGIN_PHONE)


async def find(connection: Any, identifier: Identifier) -> Login | None:  # noqa: ANN401 - asyncpg's proxy
    """The login of an identifier; leavers have none. It stays as it was read until the transaction ends."""
    if identifier.column is None:
        return _login(await connection.fetchrow(_BY_STAFF, identifier.staff))
    return _login(await connection.fetchrow(_BY_BLIND, int(identifier.column), bytes.fromhex(identifier.key)))


async def find_own(connection: Any, session: UUID) -> Login | None:  # noqa: ANN401 - asyncpg's proxy
    """The login behind a running session, unless an identity provider keeps it."""
    return _login(await connection.fetchrow(_BY_SESSION, session))


async def hold(connection: Any, login: Login) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Let nobody else change a login until the transaction ends. What was read of it before may be out of date."""
    await connection.execute(_HOLD, login.id)


async def set_password(
    connection: Any,  # noqa: ANN401 - asyncpg's proxy
    login: Login,
    password_hash: str,
    *,
    now: datetime,
    but: UUID | None = None,
) -> int:
    """Replace a password and end all sessions `but` one; how many ended."""
    await connection.execute(_SET_PASSWORD, login.id, password_hash, now)
    return await end_all(connection, login.owner, because=SessionEnd.PASSWORD_CHANGED, now=now, but=but)


async def rehashed(connection: Any, login: Login, password_hash: str) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Keep the same password under today's parameters."""
    await connection.execute(_REHASHED, login.id, password_hash)


def _login(row: Any) -> Login | None:  # noqa: ANN401 - asyncpg's record
    if row is None:
        return None
    return Login(
        id=row["id"],
        owner=Owner(account=row["account_id"], staff=row["staff_id"]),
        role=Role(row["role"]) if row["staff_id"] else None,
        password_hash=row["password_hash"],
        temporary=row["temporary"],
        secret=_secret(row, ""),
        pending=_secret(row, "pending_"),
        locked_until=row["locked_until"],
    )


def _secret(row: Any, which: str) -> SealedSecret | None:  # noqa: ANN401 - asyncpg's record
    wrapped, sealed = row[f"{which}wrapped"], row[f"{which}totp_sealed"]
    return None if wrapped is None or sealed is None else SealedSecret(row["id"], wrapped, sealed)
