"""Sign-up: a person, their account, login and first session, in one transaction (C01, C03, C49)."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg

from authz.logins import username_of
from authz.passwords import weakness
from authz.sessions import Opened, Owner, Refusal
from models.formats import FormatError, mobile_number
from models.people import PersonSource
from models.vocabulary import BlindColumn, Retention, Role
from privacy.notices import collected_under
from resolvers.disclosure import open_texts
from resolvers.payloads import Problem, ProblemCode, Write
from vault.blind import blind
from vault.keyring import Keyring
from vault.sealing import column_label, new_data_key, seal

WITHOUT_ACCOUNT = "Without phone and username there is no account and no purchase; browsing products goes on."
"""What refusing the items of registration leads to (C03)."""
_CLAUSE = "C01"
_LABELS = (column_label("account", "username_sealed"), column_label("person", "phone_sealed"))

_TAKEN = 'SELECT "column" FROM blind_index WHERE ("column" = $1 AND digest = $2) OR ("column" = $3 AND digest = $4)'
_PERSON = "INSERT INTO person (id, source, phone_sealed) VALUES ($1, $2, $3)"
_DATA_KEY = "INSERT INTO data_key (person_id, retention, wrapped) VALUES ($1, $2, $3)"
_ACCOUNT = "INSERT INTO account (id, person_id, username_sealed, opened_at) VALUES ($1, $2, $3, $4)"
_BLIND = 'INSERT INTO blind_index ("column", digest, person_id) VALUES ($1, $2, $3)'
_LOGIN = """
INSERT INTO login (id, account_id, password_hash, temporary, changed_at) VALUES ($1, $2, $3, FALSE, $4)
"""
_NAMES = """
SELECT a.id, a.username_sealed, p.id, p.phone_sealed, k.wrapped FROM account a JOIN person p ON p.id = a.person_id
LEFT JOIN data_key k ON k.person_id = p.id AND k.retention = $2 WHERE a.id = $1
"""
_STAFF_NAME = "SELECT username FROM staff WHERE id = $1"


async def register(write: Write, *, phone: str | None, username: str | None, password: str | None) -> Opened | Problem:
    """Open an account for whoever brings a phone and a username that nobody has yet, and log them in."""
    wanted = _wanted(phone, username, password)
    if isinstance(wanted, Problem):
        return wanted
    digits, name, secret = wanted
    keyring = write.accounts.keyring
    taken = await _taken(write.connection, keyring, phone=digits, username=name)
    if taken:
        return taken
    password_hash = await write.accounts.hasher.hash(secret)
    try:
        async with write.connection.transaction():
            account = await _create(write, phone=digits, username=name, password_hash=password_hash)
    except asyncpg.UniqueViolationError:
        # Somebody else was first since we looked.
        taken = await _taken(write.connection, keyring, phone=digits, username=name)
        if taken is None:
            raise
        return taken
    write.actor = account
    opened = await write.accounts.sessions.open(
        write.connection, owner=Owner(account=account), role=Role.CUSTOMER, now=write.now
    )
    if isinstance(opened, Refusal):
        message = f"a new account cannot have a session: {opened.value}"
        raise TypeError(message)
    return opened


def _wanted(phone: str | None, username: str | None, password: str | None) -> tuple[str, str, str] | Problem:
    if not (phone and phone.strip()):
        return _refused(ProblemCode.PHONE_REQUIRED, "An account needs a mobile phone number.", "phone")
    if not (username and username.strip()):
        return _refused(ProblemCode.USERNAME_REQUIRED, "An account needs a username.", "username")
    try:
        digits = mobile_number(phone)
    except FormatError as expected:
        return _refused(ProblemCode.PHONE_INVALID, str(expected), "phone")
    name = username_of(username)
    if name is None:
        message = "A username has 4 to 32 letters, digits, dots and underscores and begins with a letter."
        return _refused(ProblemCode.USERNAME_INVALID, message, "username")
    if not password:
        message = "An account needs a password."
        return Problem(ProblemCode.PASSWORD_REQUIRED, message, field="password", clause="C57")
    weak = weakness(password, (digits, name))
    return weak_password(weak, "password") if weak else (digits, name, password)


def weak_password(why: str, field: str) -> Problem:
    """A password that the rules refuse (C57)."""
    return Problem(ProblemCode.PASSWORD_WEAK, f"Choose another password. {why}", field=field, clause="C57")


async def names_of(write: Write, owner: Owner) -> tuple[str, ...]:
    """What a password must not contain: the owner's username and phone, opened for that and shown to nobody."""
    if owner.account is None:
        return (await write.connection.fetchval(_STAFF_NAME, owner.id),)
    row = await write.connection.fetchrow(_NAMES, owner.account, int(Retention.ACCOUNT))
    account, username, person, phone, wrapped = row
    key = write.keys.find(wrapped, person_id=person, retention=Retention.ACCOUNT)
    found = [
        open_texts([blob], [key], [row_id.bytes], label=label)[0]
        for blob, row_id, label in zip((username, phone), (account, person), _LABELS, strict=True)
    ]
    return tuple(name for name in found if name)


async def _taken(connection: Any, keyring: Keyring, *, phone: str, username: str) -> Problem | None:  # noqa: ANN401
    rows = await connection.fetch(
        _TAKEN,
        int(BlindColumn.LOGIN_PHONE),
        blind(keyring, "phone", phone),
        int(BlindColumn.USERNAME),
        blind(keyring, "username", username),
    )
    columns = {row[0] for row in rows}
    if BlindColumn.LOGIN_PHONE in columns:
        message = (
            "There is an account of this phone number. Log in with it. A cancelled one keeps it until it is erased."
        )
        return _refused(ProblemCode.PHONE_TAKEN, message, "phone")
    if BlindColumn.USERNAME in columns:
        return _refused(ProblemCode.USERNAME_TAKEN, "Somebody has this username. Choose another.", "username")
    return None


async def _create(write: Write, *, phone: str, username: str, password_hash: str) -> UUID:
    keyring, connection = write.accounts.keyring, write.connection
    person, account = uuid4(), uuid4()
    key = new_data_key(keyring, person, retention=int(Retention.ACCOUNT))
    username_label, phone_label = _LABELS
    sealed_phone = seal(key, phone, label=phone_label, row=person.bytes)
    sealed_username = seal(key, username, label=username_label, row=account.bytes)
    await connection.execute(_PERSON, person, PersonSource.REGISTERED.value, sealed_phone)
    await collected_under(connection, person, now=write.now)
    await connection.execute(_DATA_KEY, person, int(Retention.ACCOUNT), key.wrapped)
    await connection.execute(_ACCOUNT, account, person, sealed_username, write.now)
    phone_digest = blind(keyring, "phone", phone)
    for column, digest in (
        (BlindColumn.LOGIN_PHONE, phone_digest),
        (BlindColumn.PHONE, phone_digest),
        (BlindColumn.USERNAME, blind(keyring, "username", username)),
    ):
        await connection.execute(_BLIND, int(column), digest, person)
    await connection.execute(_LOGIN, uuid4(), account, password_hash, write.now)
    return account


def _refused(code: ProblemCode, message: str, field: str) -> Problem:
    return Problem(code, message, field=field, clause=_CLAUSE, consequence=WITHOUT_ACCOUNT)
