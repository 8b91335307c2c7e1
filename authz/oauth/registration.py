"""Registration: the operator records agreements, clients and keys, and ends them (C31, C35, C38, C39).

Everything here is done on the owner's connection: the service itself can only read these tables.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from authz.commands import OperatorRefusedError
from authz.oauth.agreements import VALID
from authz.oauth.attestations import ATTESTED
from authz.oauth.clients import secret_hash
from authz.oauth.keys import BadKeyError, read_key
from authz.oauth.server import FORBIDDEN, NEVER
from authz.standing import revoke
from authz.tokens import client_key
from models.organizations import OrganizationKind
from models.partners import Responsibility
from models.revocations import Revoked
from models.vocabulary import Purpose

LONGEST_AGREEMENT = timedelta(days=3660)
"""Ten years: whatever runs longer is a slip of the keyboard."""
_LONGEST_REFERENCE = 64
_LONGEST_CONTACT = 255
_LONGEST_KID = 64
_MOST_KEYS = 10


@dataclass(frozen=True, slots=True)
class Terms:
    """What an agreement says; `categories` is a stored set (`to_bits`)."""

    reference: str
    purposes: tuple[Purpose, ...]
    categories: int
    valid_from: datetime
    valid_to: datetime
    processor: bool
    attested: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """A new client. The secret, in demo mode only, is shown this once."""

    client: str
    kids: tuple[str, ...]
    secret: str | None = field(default=None, repr=False)


async def agree(connection: Any, code: str, *, terms: Terms, now: datetime) -> UUID:  # noqa: ANN401 - asyncpg
    """Record an agreement. Raises OperatorRefusedError."""
    organization, kind = await _partner(connection, code)
    _check_terms(terms, kind, now)
    agreement = uuid4()
    try:
        await connection.execute(
            "INSERT INTO agreement (id, organization_id, reference, responsibility, purposes, categories, valid_from,"
            " valid_to, attested_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            agreement,
            organization,
            terms.reference,
            (Responsibility.PROCESSOR if terms.processor else Responsibility.INDEPENDENT_CONTROLLER).value,
            json.dumps([purpose.value for purpose in terms.purposes]),
            terms.categories,
            terms.valid_from,
            terms.valid_to,
            now if terms.attested else None,
        )
    except asyncpg.UniqueViolationError:
        raise OperatorRefusedError(
            f"There is an agreement {terms.reference!r} already: choose another --reference."
        ) from None
    return agreement


def _check_terms(terms: Terms, kind: OrganizationKind, now: datetime) -> None:
    if not _plain(terms.reference, _LONGEST_REFERENCE):
        raise OperatorRefusedError(f"A reference has 1 to {_LONGEST_REFERENCE} printable characters.")
    if terms.valid_to <= max(terms.valid_from, now):
        raise OperatorRefusedError("The agreement would be over before it begins: check --from and --to.")
    if terms.valid_to - terms.valid_from > LONGEST_AGREEMENT:
        raise OperatorRefusedError("An agreement runs ten years at most: check --from and --to.")
    if kind is OrganizationKind.SERVICE_PROVIDER and not terms.processor:
        raise OperatorRefusedError("A service provider acts for the brokerage only (C39): give --processor.")
    if FORBIDDEN.get(kind, frozenset()) & set(terms.purposes):
        raise OperatorRefusedError(f"{NEVER[kind]} Leave other purposes out.")


async def attest(connection: Any, reference: str, *, until: datetime | None, now: datetime) -> None:  # noqa: ANN401
    """Record an affiliate's attestation, from now on, or anew with another end. Raises OperatorRefusedError (C35)."""
    if until is not None and until <= now:
        raise OperatorRefusedError("The attestation would be over already: check --until.")
    await _attested(
        connection,
        f"UPDATE agreement a SET attested_at = CASE WHEN {ATTESTED} THEN a.attested_at ELSE now() END,"
        " attested_until = $2",
        reference,
        until,
    )


async def withdraw_attestation(connection: Any, reference: str) -> None:  # noqa: ANN401 - asyncpg
    """An affiliate attests no more: within a second every token that stands on it is refused (C35).

    That it did, and until when, stays (C41). Raises OperatorRefusedError.
    """
    await _attested(connection, "UPDATE agreement a SET attested_until = least(a.attested_until, now())", reference)


async def _attested(connection: Any, change: str, reference: str, *values: object) -> None:  # noqa: ANN401
    done = await connection.execute(
        f"{change} FROM organization o WHERE a.reference = $1 AND a.ended_at IS NULL AND o.id = a.organization_id"
        " AND o.kind = 'AFFILIATE'",
        reference,
        *values,
    )
    if done == "UPDATE 0":
        message = f"There is no agreement {reference!r} of an affiliate that has not ended: see `partner list`."
        raise OperatorRefusedError(message)


async def end_agreement(connection: Any, reference: str) -> None:  # noqa: ANN401 - asyncpg
    """End an agreement, and within a second every token that stands on it. Raises OperatorRefusedError.

    Demo tokens name no agreement: they end with the organization's last one.
    """
    async with connection.transaction():
        ended = await connection.fetchrow(
            "UPDATE agreement SET ended_at = now() WHERE reference = $1 AND ended_at IS NULL"
            " RETURNING id, organization_id",
            reference,
        )
        if ended is None:
            raise OperatorRefusedError(f"There is no agreement {reference!r} that has not ended: see `partner list`.")
        await revoke(connection, Revoked.AGREEMENT, ended[0])
        if not await connection.fetchval(
            "SELECT EXISTS (SELECT FROM agreement a JOIN organization o ON o.id = a.organization_id"
            f" WHERE o.id = $1 AND {VALID})",
            ended[1],
        ):
            await revoke(connection, Revoked.SUBJECT, ended[1])


async def register(
    connection: Any,  # noqa: ANN401 - asyncpg
    code: str,
    *,
    contact: str,
    keys: object | None,
    now: datetime,
) -> Registered:
    """Register a client with the public keys of a JWK or JWK Set; without keys, one with a shared secret.

    Raises OperatorRefusedError.
    """
    if not _plain(contact, _LONGEST_CONTACT):
        raise OperatorRefusedError(f"A contact has 1 to {_LONGEST_CONTACT} printable characters.")
    read = () if keys is None else _read_keys(keys)
    secret = secrets.token_urlsafe(32) if keys is None else None
    client = f"partner-{secrets.token_hex(10)}"
    async with connection.transaction():
        organization, _ = await _partner(connection, code)
        await connection.execute(
            "INSERT INTO partner_client (id, organization_id, contact, secret_hash, registered_at)"
            " VALUES ($1, $2, $3, $4, $5)",
            client,
            organization,
            contact,
            secret and secret_hash(secret),
            now,
        )
        await _add(connection, client, read, now)
    return Registered(client, tuple(kid for kid, _ in read), secret)


async def add_keys(connection: Any, client: str, *, keys: object, now: datetime) -> tuple[str, ...]:  # noqa: ANN401
    """Register further public keys of a client, and give their ids. Raises OperatorRefusedError."""
    read = _read_keys(keys)
    async with connection.transaction():
        await _live_client(connection, client)
        await _add(connection, client, read, now)
    return tuple(kid for kid, _ in read)


async def end_key(connection: Any, client: str, *, kid: str, lost: bool) -> None:  # noqa: ANN401 - asyncpg
    """End a key: it signs in nobody from now on. Raises OperatorRefusedError.

    What it brought lives out its ten minutes, unless the key was `lost`: then that is dead within a second.
    """
    async with connection.transaction():
        await _live_client(connection, client)
        done = await connection.execute(
            "UPDATE partner_key SET ended_at = now() WHERE client_id = $1 AND kid = $2 AND ended_at IS NULL",
            client,
            kid,
        )
        if done == "UPDATE 0":
            raise OperatorRefusedError(f"The client has no key {kid!r} that has not ended: see `partner list`.")
        if lost:
            await revoke(connection, Revoked.CLIENT_KEY, client_key(client, kid))


async def withdraw(connection: Any, client: str) -> None:  # noqa: ANN401 - asyncpg
    """End a client for good, and within a second every token of it. Raises OperatorRefusedError."""
    async with connection.transaction():
        await _live_client(connection, client)
        await connection.execute("UPDATE partner_client SET ended_at = now() WHERE id = $1", client)
        await revoke(connection, Revoked.CLIENT, client)


async def _partner(connection: Any, code: str) -> tuple[UUID, OrganizationKind]:  # noqa: ANN401 - asyncpg
    row = await connection.fetchrow("SELECT id, kind FROM organization WHERE code = $1", code)
    if row is None or row[1] == OrganizationKind.BROKER:
        raise OperatorRefusedError(f"There is no partner organization {code!r}: see `partner list`.")
    return row[0], OrganizationKind(row[1])


async def _live_client(connection: Any, client: str) -> UUID:  # noqa: ANN401 - asyncpg
    """The organization of a client that has not ended, whose row is locked."""
    organization: UUID | None = await connection.fetchval(
        "SELECT organization_id FROM partner_client WHERE id = $1 AND ended_at IS NULL FOR UPDATE", client
    )
    if organization is None:
        raise OperatorRefusedError(f"There is no client {client!r} that has not ended: see `partner list`.")
    return organization


def _read_keys(keys: object) -> tuple[tuple[str, str], ...]:
    """Key ids and public keys (JSON). Raises OperatorRefusedError for any that must not be registered."""
    listed = keys.get("keys") if isinstance(keys, dict) and "keys" in keys else [keys]
    if not isinstance(listed, list) or not 0 < len(listed) <= _MOST_KEYS:
        raise OperatorRefusedError(f"The file must hold a JWK or a JWK Set of 1 to {_MOST_KEYS} keys (RFC 7517).")
    read = tuple(_read(jwk) for jwk in listed)
    if len({kid for kid, _ in read}) < len(read):
        raise OperatorRefusedError("Two of the keys have the same kid: give each its own.")
    return read


def _read(jwk: object) -> tuple[str, str]:
    try:
        key = read_key(jwk)
    except BadKeyError as refusal:
        raise OperatorRefusedError(str(refusal)) from None
    # `read_key` took it, so it is an object.
    given = jwk.get("kid") if isinstance(jwk, dict) else None
    kid = key.thumbprint if given is None else given
    if not isinstance(kid, str) or not _plain(kid, _LONGEST_KID):
        raise OperatorRefusedError(f"A kid has 1 to {_LONGEST_KID} printable characters.")
    chosen = {"alg": key.algorithms[0]} if len(key.algorithms) == 1 else {}
    return kid, json.dumps({**key.jwk, **chosen, "kid": kid})


async def _add(
    connection: Any,  # noqa: ANN401 - asyncpg
    client: str,
    read: Sequence[tuple[str, str]],
    now: datetime,
) -> None:
    live = await connection.fetchval(
        "SELECT count(*) FROM partner_key WHERE client_id = $1 AND ended_at IS NULL", client
    )
    if live + len(read) > _MOST_KEYS:
        raise OperatorRefusedError(f"A client has {_MOST_KEYS} keys at most: end one first.")
    for kid, jwk in read:
        try:
            await connection.execute(
                "INSERT INTO partner_key (client_id, kid, jwk, registered_at) VALUES ($1, $2, $3, $4)",
                client,
                kid,
                jwk,
                now,
            )
        except asyncpg.UniqueViolationError:
            raise OperatorRefusedError(
                f"The client has had a key {kid!r} already: give the new one a kid of its own."
            ) from None


def _plain(text: str, longest: int) -> bool:
    return 0 < len(text) <= longest and text.isprintable() and text.strip() == text
