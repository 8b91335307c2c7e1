"""Logging in and out, refreshing, changing a password, setting up and giving the second factor (C49, C50, C53, C58).

Whatever is wrong with identifier and password is one problem, `INVALID_CREDENTIALS`, after the same statements and
the same hashing: an identifier nobody has, a wrong password, an account without a login, a leaver, a locked login.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from authz.attempts import NOBODY, begin, code_key, failed, password_key, succeeded
from authz.logins import Login, find, find_own, hold, identify, rehashed, set_password
from authz.passwords import weakness
from authz.second_factors import confirm, enrolment, matching_step, new_secret, propose, spend
from authz.sessions import Access, Opened, Owner, Refusal, end
from models.logins import SessionEnd
from models.vocabulary import Role
from resolvers.accounts import names_of, weak_password
from resolvers.payloads import Problem, ProblemCode, Write

_GUARDS = """
SELECT EXISTS (SELECT FROM guardian_link g JOIN account a ON a.person_id = g.guardian_id
WHERE a.id = $1 AND g.verified_at IS NOT NULL AND g.revoked_at IS NULL)
"""
INVALID = Problem(
    ProblemCode.INVALID_CREDENTIALS,
    "The identifier or the password is wrong, or the account is locked.",
    clause="C49",
)
_NO_SESSION = Problem(ProblemCode.SESSION_REQUIRED, "Log in with your password first.", clause="C49")
_CODE_WRONG = Problem(
    ProblemCode.CODE_WRONG, "The code is wrong or was used before. Wait for the next one.", field="code", clause="C49"
)
_CODE_REQUIRED = Problem(
    ProblemCode.CODE_REQUIRED, "Give the code of your second factor as well.", field="code", clause="C49"
)
_NOT_SET_UP = Problem(
    ProblemCode.SECOND_FACTOR_NOT_SET_UP, "Set up a second factor first: setUpSecondFactor.", clause="C49"
)


class LogInAs(StrEnum):
    """As what somebody logs in; a member of staff in the one role they have."""

    CUSTOMER = "CUSTOMER"
    GUARDIAN = "GUARDIAN"
    STAFF = "STAFF"


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What somebody brings to log in."""

    identifier: str
    password: str
    code: str | None
    new_password: str | None
    as_role: LogInAs


async def log_in(write: Write, given: Credentials) -> Opened | Problem:
    """Check who it is and open a session."""
    typed = identify(given.identifier, staff=given.as_role is LogInAs.STAFF, keyring=write.accounts.keyring)
    early = await _too_early(write, typed.key)
    if early:
        return early
    login = await find(write.connection, typed)
    matches = await write.accounts.hasher.matches(login.password_hash if login else None, given.password)
    locked = login is not None and login.locked_until is not None and login.locked_until > write.now
    if login is None or not matches or locked:
        await _failed(write, typed.key, login, staff=typed.staff is not None)
        return INVALID
    step = _step(write, login, given.code)
    if step is None and given.code is None:
        return _CODE_REQUIRED
    problem = await _unready(write, login, given) if step is not None else None
    if problem:
        return problem
    if step is None or (step and not await spend(write.connection, login.id, step)):
        await _failed(write, typed.key, login)
        return _CODE_WRONG
    await succeeded(write.connection, typed.key)
    await _keep_password(write, login, given)
    return await _open(write, login, given.as_role, stepped_up=bool(step))


async def _unready(write: Write, login: Login, given: Credentials) -> Problem | None:
    """What somebody who proved who they are has to do first; nothing is used up by it."""
    if given.new_password is None and login.temporary:
        message = "This password was given to you. Log in again with newPassword to replace it."
        return Problem(ProblemCode.PASSWORD_CHANGE_REQUIRED, message, field="newPassword", clause="C58")
    if given.new_password is not None:
        weak = await _weakness(write, login, old=given.password, new=given.new_password)
        if weak:
            return weak_password(weak, "newPassword")
    if given.as_role is LogInAs.GUARDIAN and not await write.connection.fetchval(_GUARDS, login.owner.id):
        message = "No verified link to a child is known. Log in as a customer."
        return Problem(ProblemCode.NOT_A_GUARDIAN, message, field="role", clause="C73")
    return None


async def _keep_password(write: Write, login: Login, given: Credentials) -> None:
    """Replace the password if a new one was brought, and its hash if that was made with older parameters."""
    hasher = write.accounts.hasher
    if given.new_password is not None:
        await set_password(write.connection, login, await hasher.hash(given.new_password), now=write.now)
    elif hasher.outdated(login.password_hash):
        await rehashed(write.connection, login, await hasher.hash(given.password))


async def _open(write: Write, login: Login, as_role: LogInAs, *, stepped_up: bool) -> Opened | Problem:
    role = login.role or (Role.GUARDIAN if as_role is LogInAs.GUARDIAN else Role.CUSTOMER)
    opened = await write.accounts.sessions.open(
        write.connection,
        owner=login.owner,
        role=role,
        now=write.now,
        second_factor_at=write.now if stepped_up else None,
    )
    if opened is Refusal.CEILING:
        message = "You have as many sessions as are allowed. End one of them first."
        return Problem(ProblemCode.SESSION_CEILING, message, clause="C53")
    if isinstance(opened, Refusal):
        return INVALID
    write.actor = login.owner.id
    return opened


def _step(write: Write, login: Login, code: str | None) -> int | None:
    """The time step of a right code; 0 where none is needed; None where it is missing or wrong."""
    if login.secret is None:
        return None if login.owner.staff else 0
    if code is None:
        return None
    return matching_step(login.secret, code, keyring=write.accounts.keyring, now=write.now)


async def refresh(write: Write, *, refresh_token: str) -> Opened | Problem:
    """New tokens for a refresh token. One that was used before ends its session."""
    opened = await write.accounts.sessions.refresh(write.connection, refresh_token, now=write.now)
    return _session_ended() if isinstance(opened, Refusal) else opened


async def log_out(write: Write) -> UUID | Problem:
    """End the session of the token that asks."""
    session = write.subject.session
    if session is None:
        return _NO_SESSION
    await end(write.connection, session, because=SessionEnd.LOGGED_OUT, now=write.now)
    return session


async def end_session(write: Write, *, session: UUID | None) -> UUID | Problem:
    """End one of one's own sessions."""
    owner = Owner.of(write.subject) if write.subject.session else None
    if owner is None:
        return _NO_SESSION
    ended = session is not None and await end(
        write.connection, session, because=SessionEnd.LOGGED_OUT, now=write.now, owner=owner
    )
    if session is None or not ended:
        message = "You have no such session, or it has ended."
        return Problem(ProblemCode.SESSION_UNKNOWN, message, field="id", clause="C53")
    return session


async def change_password(write: Write, *, old: str, new: str, code: str | None) -> int | Problem:
    """Replace the password; all other sessions end. How many did. It takes a code where there is a second factor."""
    login = await _own_attempt(write, password_key, code_key)
    if isinstance(login, Problem):
        return login
    if not await write.accounts.hasher.matches(login.password_hash, old):
        await _failed(write, password_key(login.id), login)
        return Problem(ProblemCode.PASSWORD_WRONG, "The old password is wrong.", field="old", clause="C49")
    weak = await _weakness(write, login, old=old, new=new)
    if weak:
        return weak_password(weak, "new")
    problem = await _proved(write, login, code)
    if problem:
        return problem
    password_hash = await write.accounts.hasher.hash(new)
    return await set_password(write.connection, login, password_hash, now=write.now, but=write.subject.session)


async def set_up_second_factor(write: Write, *, password: str, code: str | None) -> str | Problem:
    """A new secret as an `otpauth:` address, for whoever knows the password and has the old factor, if there is one.

    The old factor counts until a code of the new one is given.
    """
    login = await _own_attempt(write, password_key, code_key)
    if isinstance(login, Problem):
        return login
    if not await write.accounts.hasher.matches(login.password_hash, password):
        await _failed(write, password_key(login.id), login)
        return Problem(ProblemCode.PASSWORD_WRONG, "The password is wrong.", field="password", clause="C49")
    problem = await _proved(write, login, code)
    if problem:
        return problem
    secret, sealed = new_secret(write.accounts.keyring, login.id)
    await propose(write.connection, sealed)
    return enrolment(secret, f"{write.subject.role.value}-{login.id.hex[:8]}")


async def confirm_second_factor(write: Write, *, code: str) -> Access | Problem:
    """The first code of a new secret: from now on one is asked for at every login."""
    login = await _own_attempt(write, code_key)
    if isinstance(login, Problem):
        return login
    if login.pending is None:
        return _NOT_SET_UP
    step = matching_step(login.pending, code, keyring=write.accounts.keyring, now=write.now)
    if step is None:
        return await _wrong_code(write, login)
    await succeeded(write.connection, code_key(login.id))
    await confirm(write.connection, login.id, step)
    return await _stepped_up(write)


async def step_up(write: Write, *, code: str) -> Access | Problem:
    """A code now: an access token that says so, for five minutes."""
    login = await _own_attempt(write, code_key)
    if isinstance(login, Problem):
        return login
    if login.secret is None:
        return _NOT_SET_UP
    problem = await _code_problem(write, login, code)
    return problem or await _stepped_up(write)


async def _stepped_up(write: Write) -> Access | Problem:
    session = write.subject.session
    access = session and await write.accounts.sessions.step_up(write.connection, session, now=write.now)
    return access if isinstance(access, Access) else _session_ended()


def try_later(seconds: int) -> Problem:
    """Too soon after failures."""
    message = "There were failures before. Wait, then try again."
    return Problem(ProblemCode.TRY_LATER, message, clause="C50", retry_after=seconds)


async def _own_attempt(write: Write, *keys: Callable[[UUID], str]) -> Login | Problem:
    """Begin an attempt with one's own login, under each of the keys; nobody changes the login that is given."""
    session = write.subject.session
    login = None if session is None else await find_own(write.connection, session)
    if session is None or login is None:
        return _NO_SESSION
    for key in keys:
        early = await _too_early(write, key(login.id))
        if early:
            return early
    await hold(write.connection, login)
    # Whoever was before us may have changed it, or ended the session.
    return await find_own(write.connection, session) or _session_ended()


async def _too_early(write: Write, key: str) -> Problem | None:
    """Begin an attempt under a key, unless it comes too soon after failures."""
    wait = await begin(write.connection, key, patience=write.accounts.patience, now=write.now)
    return try_later(wait) if wait else None


async def _proved(write: Write, login: Login, code: str | None) -> Problem | None:
    """The password was right: so has a code to be where there is a second factor. Forget the failures before."""
    if login.secret is not None:
        if code is None:
            return _CODE_REQUIRED
        problem = await _code_problem(write, login, code)
        if problem:
            return problem
    await succeeded(write.connection, password_key(login.id))
    return None


async def _code_problem(write: Write, login: Login, code: str) -> Problem | None:
    """Use up a code; a wrong or used one is a failure that counts until a right one."""
    secret = login.secret
    step = secret and matching_step(secret, code, keyring=write.accounts.keyring, now=write.now)
    if step and await spend(write.connection, login.id, step):
        await succeeded(write.connection, code_key(login.id))
        return None
    return await _wrong_code(write, login)


async def _wrong_code(write: Write, login: Login) -> Problem:
    await _failed(write, code_key(login.id), login)
    return _CODE_WRONG


async def _weakness(write: Write, login: Login, *, old: str, new: str) -> str | None:
    if new == old:
        return "It is the old one."
    return weakness(new, await names_of(write, login.owner))


async def _failed(write: Write, key: str, login: Login | None, *, staff: bool = False) -> None:
    """Count a failure, with the same statements where there is no login."""
    nobody = Owner(staff=NOBODY) if staff else Owner(account=NOBODY)
    await failed(
        write.connection,
        key,
        login=login.id if login else NOBODY,
        owner=login.owner if login else nobody,
        patience=write.accounts.patience,
        now=write.now,
    )


def _session_ended() -> Problem:
    return Problem(ProblemCode.SESSION_ENDED, "The session has ended. Log in again.", clause="C53")
