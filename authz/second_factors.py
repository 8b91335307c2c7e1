"""Second factors: time-based codes (RFC 6238), of this half minute and its neighbours, each good once."""

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import pyotp

from models.vocabulary import Retention
from vault.keyring import Keyring
from vault.sealing import SealedValueError, column_label, new_data_key, open_column, seal, unwrap

STEP_SECONDS = 30
ISSUER = "Needful"
_AROUND = (0, -1, 1)
"""Clocks differ: the step before and the one after count as well (RFC 6238, 5.2)."""
_DIGITS = 6
_LABEL = column_label("login", "totp_sealed")
"""Of a pending secret as well: it becomes that column's value as it stands."""
_SPEND = "UPDATE login SET totp_step = $2 WHERE id = $1 AND (totp_step IS NULL OR totp_step < $2) RETURNING id"
_PUT = """
UPDATE login SET wrapped = $2, totp_sealed = $3, totp_step = NULL, pending_wrapped = NULL, pending_totp_sealed = NULL
WHERE id = $1
"""
_PROPOSE = "UPDATE login SET pending_wrapped = $2, pending_totp_sealed = $3 WHERE id = $1"
_CONFIRM = """
UPDATE login SET wrapped = pending_wrapped, totp_sealed = pending_totp_sealed, totp_step = $2, pending_wrapped = NULL,
pending_totp_sealed = NULL WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A second factor's secret as it stands in its login's row."""

    login: UUID
    wrapped: bytes = field(repr=False)
    blob: bytes = field(repr=False)


def new_secret(keyring: Keyring, login: UUID) -> tuple[str, SealedSecret]:
    """A new secret, in base 32 and sealed under a data key of the login's own."""
    secret = pyotp.random_base32()
    key = new_data_key(keyring, login, retention=Retention.ACCOUNT.value)
    blob = seal(key, secret, label=_LABEL, row=login.bytes)
    return secret, SealedSecret(login, key.wrapped, blob)


def enrolment(secret: str, name: str) -> str:
    """The `otpauth:` address that an authenticator app reads, as a QR code or by hand."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


async def put(connection: Any, login: UUID, sealed: SealedSecret | None) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Put a secret, or none, in place of the one before at once: for whom it is handed over."""
    await connection.execute(_PUT, login, sealed and sealed.wrapped, sealed and sealed.blob)


async def propose(connection: Any, sealed: SealedSecret) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Keep a secret beside the one in use, until it is confirmed."""
    await connection.execute(_PROPOSE, sealed.login, sealed.wrapped, sealed.blob)


async def confirm(connection: Any, login: UUID, step: int) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Put the proposed secret in place of the one before, and use up the step of its first code."""
    await connection.execute(_CONFIRM, login, step)


def matching_step(sealed: SealedSecret, code: str, *, keyring: Keyring, now: datetime) -> int | None:
    """The time step that a code is of, or None for a wrong code. Raises SealedValueError if the secret is lost."""
    given = code.replace(" ", "")
    if len(given) != _DIGITS or not (given.isascii() and given.isdecimal()):
        return None
    key = unwrap(keyring, sealed.wrapped, person_id=sealed.login, retention=Retention.ACCOUNT.value)
    (secret,) = open_column([sealed.blob], [key], [sealed.login.bytes], label=_LABEL)
    if secret is None:
        message = "a second factor without a secret"
        raise SealedValueError(message)
    codes = pyotp.TOTP(secret, digits=_DIGITS, interval=STEP_SECONDS)
    current = int(now.timestamp()) // STEP_SECONDS
    found = None
    for around in _AROUND:
        if hmac.compare_digest(codes.generate_otp(current + around), given) and found is None:
            found = current + around
    return found


async def spend(connection: Any, login: UUID, step: int) -> bool:  # noqa: ANN401 - asyncpg's proxy
    """Use up a step: False if it, or a later one, was used before."""
    return await connection.fetchval(_SPEND, login, step) is not None
