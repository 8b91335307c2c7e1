"""What a write works with and what it may answer: its result, or a problem that the client can act on."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from authz.attempts import Patience
from authz.passwords import Hasher
from authz.sessions import Sessions
from authz.subjects import Subject
from vault.keyring import Keyring
from vault.sealing import KeyCache


class ProblemCode(StrEnum):
    """Every problem that a payload may hold; more will come."""

    PHONE_REQUIRED = "PHONE_REQUIRED"
    PHONE_INVALID = "PHONE_INVALID"
    PHONE_TAKEN = "PHONE_TAKEN"
    USERNAME_REQUIRED = "USERNAME_REQUIRED"
    USERNAME_INVALID = "USERNAME_INVALID"
    USERNAME_TAKEN = "USERNAME_TAKEN"
    PASSWORD_REQUIRED = "PASSWORD_REQUIRED"  # noqa: S105 - a code, not a secret
    PASSWORD_WEAK = "PASSWORD_WEAK"  # noqa: S105 - as above
    PASSWORD_WRONG = "PASSWORD_WRONG"  # noqa: S105 - as above
    PASSWORD_CHANGE_REQUIRED = "PASSWORD_CHANGE_REQUIRED"  # noqa: S105 - as above
    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
    TRY_LATER = "TRY_LATER"
    CODE_REQUIRED = "CODE_REQUIRED"
    CODE_WRONG = "CODE_WRONG"
    SECOND_FACTOR_NOT_SET_UP = "SECOND_FACTOR_NOT_SET_UP"
    NOT_A_GUARDIAN = "NOT_A_GUARDIAN"
    SESSION_CEILING = "SESSION_CEILING"
    SESSION_ENDED = "SESSION_ENDED"
    SESSION_REQUIRED = "SESSION_REQUIRED"
    SESSION_UNKNOWN = "SESSION_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a write did nothing: what to do (`message`), which input, under which clause, and what follows from it."""

    code: ProblemCode
    message: str
    field: str | None = None
    clause: str | None = None
    consequence: str | None = None
    retry_after: int | None = None
    """Seconds until it makes sense to try again."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """What accounts and logins are kept with."""

    keyring: Keyring
    sessions: Sessions
    hasher: Hasher
    patience: Patience


@dataclass(slots=True)
class Write:
    """One mutation as it runs: its transaction's connection, the caller, the moment; and what came of it."""

    connection: Any
    subject: Subject
    now: datetime
    accounts: Accounts
    keys: KeyCache
    refused: ProblemCode | None = None
    actor: UUID | None = None
    """The account or member of staff that it turned out to be, for the ledger."""
