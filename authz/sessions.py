"""Sessions: one login in use, its short access tokens and its rotating refresh token (C50, C53; OAuth 2.0 BCP, 4.14).

Every function works on the caller's connection, inside the caller's transaction. Locks are taken in one order: the row
of an attempt, the login, the owner (account or member of staff), a refresh token, sessions. An ended session is revoked
as well, so that its access tokens die on every worker within a second.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from authz.default_rules import read_necessity
from authz.standing import revoke
from authz.subjects import Subject
from authz.token_keys import TokenKeys
from authz.tokens import LIFETIME, Grant, mint, new_subject
from models.logins import SessionEnd
from models.revocations import Revoked
from models.vocabulary import PERSON_ROLES, Category, Purpose, Role, to_bits

CLIENT = "needful"
"""The client of tokens that people and staff get here, as against a partner's (RFC 9068, `client_id`)."""
STEPPED_UP = timedelta(minutes=5)
"""How long a second factor counts once given."""
_TOKEN_BYTES = 32
_BEYOND_THE_MATRIX: Mapping[Role, tuple[Purpose, ...]] = {
    Role.ANALYST: (Purpose.ANALYTICS, Purpose.RESEARCH),
    Role.PRIVACY_OFFICER: (Purpose.ADMINISTRATION,),
    Role.SECURITY_ADMIN: (Purpose.ADMINISTRATION,),
    Role.AUDITOR: (Purpose.ADMINISTRATION,),
    Role.DEVELOPER: (Purpose.ADMINISTRATION,),
}
"""Purposes of work without anybody's data, which the matrix does not name."""

_LOCK_ACCOUNT = "SELECT person_id FROM account WHERE id = $1 FOR NO KEY UPDATE"
_LOCK_STAFF = "SELECT role FROM staff WHERE id = $1 AND left_at IS NULL FOR NO KEY UPDATE"
_LIVE = "ended_at IS NULL AND expires_at > $2 AND used_at > $3"
_OWN_LIVE = f"""
SELECT id, opened_at, used_at FROM session WHERE (account_id = $1 OR staff_id = $1) AND {_LIVE} ORDER BY used_at, id
"""
_FORGET = """
DELETE FROM refresh_token r USING session s WHERE s.id = r.session_id AND (s.account_id = $1 OR s.staff_id = $1)
AND (s.ended_at IS NOT NULL OR s.expires_at <= $2 OR s.used_at <= $3)
"""
_OPEN = """
INSERT INTO session (id, account_id, staff_id, role, opened_at, used_at, expires_at, second_factor_at)
VALUES ($1, $2, $3, $4, $5, $5, $6, $7)
"""
_ISSUE = "INSERT INTO refresh_token (digest, session_id, issued_at) VALUES ($1, $2, $3)"
_SPEND = "UPDATE refresh_token SET used_at = $2 WHERE digest = $1 AND used_at IS NULL RETURNING session_id"
_WHOSE = "SELECT session_id FROM refresh_token WHERE digest = $1"
_READ = """
SELECT s.id, s.account_id, s.staff_id, s.role, s.used_at, s.expires_at, s.second_factor_at, a.person_id
FROM session s LEFT JOIN account a ON a.id = s.account_id LEFT JOIN staff m ON m.id = s.staff_id
WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > $2
AND (s.staff_id IS NULL OR (m.left_at IS NULL AND m.role = s.role)) FOR NO KEY UPDATE OF s
"""
_USED = "UPDATE session SET used_at = $2 WHERE id = $1"
_STEPPED_UP = "UPDATE session SET second_factor_at = $2 WHERE id = $1"
_END = """
UPDATE session SET ended_at = $2, ended_because = $3
WHERE id = $1 AND ended_at IS NULL AND ($4::uuid IS NULL OR account_id = $4 OR staff_id = $4) RETURNING id
"""
_END_ALL = """
UPDATE session SET ended_at = $2, ended_because = $3
WHERE (account_id = $1 OR staff_id = $1) AND ended_at IS NULL AND id IS DISTINCT FROM $4::uuid RETURNING id
"""


class Refusal(StrEnum):
    """Why there is no session, or no longer one."""

    NOBODY = "NOBODY"
    """There is no such account, or the member of staff has left or has another role now."""
    CEILING = "CEILING"
    """The owner has as many sessions as are allowed, and the service is set to refuse one more (C53)."""
    ENDED = "ENDED"
    """The session is over, or the refresh token was never one. A used refresh token has just ended its session."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose session it is: exactly one of an account and a member of staff."""

    account: UUID | None = None
    staff: UUID | None = None

    @classmethod
    def of(cls, subject: Subject) -> "Owner | None":
        """The owner of the sessions of a caller: nobody for partners and the anonymous."""
        if subject.account is None:
            return None
        return cls(account=subject.account) if subject.role in PERSON_ROLES else cls(staff=subject.account)

    @property
    def id(self) -> UUID:
        """The row of the one that is set."""
        found = self.account or self.staff
        if found is None:
            message = "a session belongs to somebody"
            raise ValueError(message)
        return found


@dataclass(frozen=True, slots=True)
class Access:
    """An access token and when it expires."""

    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A session as its owner gets it: the refresh token is good once, until `expires_at` at the latest."""

    id: UUID
    access: Access
    refresh_token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OwnSession:
    """One live session in its owner's list."""

    id: UUID
    opened_at: datetime
    used_at: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """How long a session may last in all, and unused. Used means refreshed: every ten minutes in a busy one."""

    whole: timedelta
    idle: timedelta


PEOPLE = Span(timedelta(days=30), timedelta(days=7))
STAFF = Span(timedelta(hours=12), timedelta(hours=1))
"""Those who see other people's data prove themselves every working day (NIST SP 800-63B, AAL2)."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How many sessions one owner may have; one more ends the least recently used, or is refused (C53)."""

    sessions: int = 5
    refuse: bool = False


@dataclass(frozen=True, slots=True)
class _Session:
    id: UUID
    owner: Owner
    role: Role
    person: UUID | None
    expires_at: datetime
    second_factor_at: datetime | None


@cache
def purposes_of(role: Role) -> tuple[Purpose, ...]:
    """What somebody logged in may ask for: the purposes that the matrix names for the role, and its desk work."""
    named = {row.purpose for row in read_necessity() if row.role == role}
    return tuple(purpose for purpose in Purpose if purpose in named or purpose in _BEYOND_THE_MATRIX.get(role, ()))


@dataclass(frozen=True, slots=True)
class Sessions:
    """Opens, refreshes and ends sessions; `keys` gives the token keys of the moment, `issuer` stands in the tokens."""

    keys: Callable[[], TokenKeys]
    issuer: str
    ceiling: Ceiling = Ceiling()

    async def open(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg's proxy
        *,
        owner: Owner,
        role: Role,
        now: datetime,
        second_factor_at: datetime | None = None,
    ) -> Opened | Refusal:
        """Open a session in a role. For a member of staff the role must be the one they have."""
        known, person = await _lock(connection, owner, role)
        if not known:
            return Refusal.NOBODY
        span = _span(role)
        await connection.execute(_FORGET, owner.id, now, now - span.idle)
        live = await connection.fetch(_OWN_LIVE, owner.id, now, now - span.idle)
        too_many = len(live) - self.ceiling.sessions + 1
        if too_many > 0 and self.ceiling.refuse:
            return Refusal.CEILING
        for row in live[: max(0, too_many)]:
            await end(connection, row["id"], because=SessionEnd.REPLACED, now=now)
        session = _Session(uuid4(), owner, role, person, now + span.whole, second_factor_at)
        await connection.execute(
            _OPEN, session.id, owner.account, owner.staff, role.value, now, session.expires_at, second_factor_at
        )
        return await self._issue(connection, session, now)

    async def refresh(self, connection: Any, refresh_token: str, *, now: datetime) -> Opened | Refusal:  # noqa: ANN401
        """New tokens for a refresh token, which is spent by it. One that was spent before ends its session: theft.

        Of several at once exactly one is first. The refusal has to be committed, since the end of the session is.
        """
        digest = digest_of(refresh_token)
        spent = await connection.fetchval(_SPEND, digest, now)
        if spent is None:
            stolen = await connection.fetchval(_WHOSE, digest)
            if stolen is not None:
                await end(connection, stolen, because=SessionEnd.REFRESH_REUSED, now=now)
            return Refusal.ENDED
        session = await self._live(connection, spent, now)
        if session is None:
            return Refusal.ENDED
        await connection.execute(_USED, session.id, now)
        return await self._issue(connection, session, now)

    async def access(self, connection: Any, session_id: UUID, *, now: datetime) -> Access | Refusal:  # noqa: ANN401
        """A new access token of a session that lives, which counts as used by it."""
        session = await self._live(connection, session_id, now)
        if session is None:
            return Refusal.ENDED
        await connection.execute(_USED, session.id, now)
        return self._access(session, now)

    async def step_up(self, connection: Any, session_id: UUID, *, now: datetime) -> Access | Refusal:  # noqa: ANN401
        """Note that the second factor has just been given, and give an access token that says so."""
        session = await self._live(connection, session_id, now)
        if session is None:
            return Refusal.ENDED
        await connection.execute(_STEPPED_UP, session.id, now)
        renewed = _Session(session.id, session.owner, session.role, session.person, session.expires_at, now)
        return self._access(renewed, now)

    async def _live(self, connection: Any, session_id: UUID, now: datetime) -> _Session | None:  # noqa: ANN401
        row = await connection.fetchrow(_READ, session_id, now)
        if row is None or row["used_at"] <= now - _span(Role(row["role"])).idle:
            return None
        owner = Owner(account=row["account_id"], staff=row["staff_id"])
        role = Role(row["role"])
        return _Session(row["id"], owner, role, row["person_id"], row["expires_at"], row["second_factor_at"])

    async def _issue(self, connection: Any, session: _Session, now: datetime) -> Opened:  # noqa: ANN401
        refresh_token = secrets.token_urlsafe(_TOKEN_BYTES)
        await connection.execute(_ISSUE, digest_of(refresh_token), session.id, now)
        return Opened(session.id, self._access(session, now), refresh_token, session.expires_at)

    def _access(self, session: _Session, now: datetime) -> Access:
        until = session.second_factor_at and session.second_factor_at + STEPPED_UP
        subject = new_subject(
            session.role,
            purposes_of(session.role),
            categories=to_bits(set(Category)),
            account=session.owner.id,
            person=session.person if session.role in PERSON_ROLES else None,
            session=session.id,
            stepped_up_until=int(until.timestamp()) if until and until > now else 0,
        )
        lifetime = min(LIFETIME, session.expires_at - now)
        token = mint(self.keys(), subject, now=now, lifetime=lifetime, grant=Grant(self.issuer, CLIENT))
        return Access(token, now + lifetime)


async def own_sessions(
    fetch: Callable[..., Any],
    owner: Owner,
    *,
    role: Role,
    now: datetime,
) -> list[OwnSession]:
    """The owner's live sessions, the least recently used first; `fetch` is a connection's."""
    rows = await fetch(_OWN_LIVE, owner.id, now, now - _span(role).idle)
    return [OwnSession(row["id"], row["opened_at"], row["used_at"]) for row in rows]


async def end(
    connection: Any,  # noqa: ANN401 - asyncpg's proxy
    session_id: UUID,
    *,
    because: SessionEnd,
    now: datetime,
    owner: Owner | None = None,
) -> bool:
    """End a session, of this owner where one is given; did it still run?"""
    ended = await connection.fetchval(_END, session_id, now, because.value, owner and owner.id)
    if ended is None:
        return False
    await revoke(connection, Revoked.SESSION, ended)
    return True


async def end_all(
    connection: Any,  # noqa: ANN401 - asyncpg's proxy
    owner: Owner,
    *,
    because: SessionEnd,
    now: datetime,
    but: UUID | None = None,
) -> int:
    """End all sessions of an owner `but` one; how many there were. The statements are the same however many."""
    table = "account" if owner.account else "staff"
    await connection.execute(f"SELECT FROM {table} WHERE id = $1 FOR NO KEY UPDATE", owner.id)
    ended = await connection.fetch(_END_ALL, owner.id, now, because.value, but)
    await revoke(connection, Revoked.SESSION, *[row["id"] for row in ended])
    return len(ended)


def digest_of(token: str) -> str:
    """What is stored of a random secret: its SHA-256, in hex. A key would add nothing to 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


async def _lock(connection: Any, owner: Owner, role: Role) -> tuple[bool, UUID | None]:  # noqa: ANN401
    """Let nobody else open or end this owner's sessions: is there such an owner in this role, and their person."""
    if owner.account is not None:
        person = await connection.fetchval(_LOCK_ACCOUNT, owner.account)
        return person is not None and role in PERSON_ROLES, person
    return await connection.fetchval(_LOCK_STAFF, owner.id) == role.value, None


def _span(role: Role) -> Span:
    return PEOPLE if role in PERSON_ROLES else STAFF
