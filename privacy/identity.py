"""The identity check: whoever uses a right of a person has just proved to be them (C64, C65, C69).

A second factor given a moment ago (`stepUp`) is proof. Without one the password is given again; who has set up a
second factor uses it, so that a password that was seen and a session that was left open are not enough together.
Wrong passwords count for the login's lock, as any others (C50).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from authz.attempts import Patience, begin, failed, password_key, succeeded
from authz.logins import Login, find_own, hold
from authz.passwords import Hasher
from authz.subjects import Subject


class Doubt(StrEnum):
    """Why somebody is not taken for the one they say they are."""

    NOT_PROVED = "NOT_PROVED"
    PASSWORD_WRONG = "PASSWORD_WRONG"  # noqa: S105 - a reason, not a secret
    SECOND_FACTOR = "SECOND_FACTOR"
    """They have one, so it is asked for."""
    TOO_EARLY = "TOO_EARLY"


@dataclass(frozen=True, slots=True)
class Doubted:
    """A check that was not passed; seconds until it makes sense to try again."""

    doubt: Doubt
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """With what wrong passwords are counted, and right ones told."""

    hasher: Hasher
    patience: Patience


async def check_identity(
    connection: Any,  # noqa: ANN401 - asyncpg's connection or proxy, in a transaction that is committed either way
    subject: Subject,
    password: str | None,
    *,
    proof: Proof,
    now: datetime,
) -> Doubted | None:
    """None: it is them. A failure is counted in the caller's transaction. Raises the database's errors."""
    if subject.stepped_up_until > now.timestamp():
        return None
    session = subject.session
    login = None if session is None or password is None else await find_own(connection, session)
    if session is None or login is None or password is None:
        return Doubted(Doubt.NOT_PROVED)
    wait = await begin(connection, password_key(login.id), patience=proof.patience, now=now)
    if wait:
        return Doubted(Doubt.TOO_EARLY, wait)
    await hold(connection, login)
    # Whoever was before us may have changed it, or ended the session.
    login = await find_own(connection, session)
    doubt = Doubt.NOT_PROVED if login is None else await _doubt(connection, login, password, proof=proof, now=now)
    return None if doubt is None else Doubted(doubt)


async def _doubt(connection: Any, login: Login, password: str, *, proof: Proof, now: datetime) -> Doubt | None:  # noqa: ANN401
    key = password_key(login.id)
    if not await proof.hasher.matches(login.password_hash, password):
        await failed(connection, key, login=login.id, owner=login.owner, patience=proof.patience, now=now)
        return Doubt.PASSWORD_WRONG
    if login.secret is not None:
        return Doubt.SECOND_FACTOR
    await succeeded(connection, key)
    return None
