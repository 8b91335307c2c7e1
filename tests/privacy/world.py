"""Partners of their own, people who agree to their marketing, and what such a partner is told."""

import asyncio
import itertools
import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from authz.oauth.registration import Terms
from authz.oauth.registration import agree as record_agreement
from models.database import connect_once
from models.vocabulary import PARTNER_ROLES, BlindColumn, Category, Purpose, to_bits
from privacy.relay_numbers import DEMO_RANGE, RANGE, span_of
from privacy.relays import Relays, after_consent
from tests.conftest import Server
from tests.writing.conftest import Customer, Office
from vault.blind import audience_id, blind
from vault.keyring import load

MARKETING = (Category.NAME, Category.RELAY, Category.TAG)
KINDS = {role.value: role.name for role in PARTNER_ROLES}
AGREED = {
    "insurer": ("application", "policy_service", "claim_handling"),
    "health_provider": ("health_service",),
    "affiliate": ("verification",),
    "loss_adjuster": ("claim_handling",),
    "service_provider": ("verification",),
    "ad_partner": ("analytics",),
}
PAGE = "query($campaign: ID) { users(first: 10, campaign: $campaign) { edges { cursor node { id virtualPhone } } } }"
_numbers = itertools.count(int.from_bytes(secrets.token_bytes(3)))


def office_of(server: Server) -> Office:
    """A server of these tests, to write to."""
    given = (server.url, server.data_dir, server.plaintext, server.log, server.installation, server.database)
    return Office(*given, server.client, keyring=load(server.installation.keyring_path))


def relays_of(office: Office) -> Relays:
    """What the server makes numbers with."""
    return Relays(office.keyring, span_of({RANGE: DEMO_RANGE}, demo=True))


def partner(office: Office, role: str) -> str:
    """A new partner with an agreement, attested where it is an affiliate: its code."""
    code, now = f"Z{next(_numbers)}", datetime.now(UTC)
    processor = role == "service_provider"
    purposes = tuple(map(Purpose, AGREED[role] if processor else ("marketing", *AGREED[role])))
    ends = now + timedelta(days=365)
    terms = Terms(f"{code}-1", purposes, to_bits(set(Category)), now, ends, processor=processor, attested=True)
    insert = "INSERT INTO organization (id, code, name, kind) VALUES ($1, $2, $2, $3)"

    async def work(connection: Any) -> None:
        # Both at once: an affiliate that attests nothing yet is refused for as long as a worker believes so.
        await connection.execute(insert, uuid4(), code, KINDS[role])
        await record_agreement(connection, code, terms=terms, now=now - timedelta(seconds=1))

    transact(office, work)
    return code


def token_of(office: Office, role: str, code: str | None, *purposes: str) -> str:
    """A token for marketing, or for these purposes; without a code the brokerage's marketer's."""
    return office.token(role, org=code, purposes=purposes or ("marketing",))


def transact(office: Office, work: Any) -> Any:
    """Do something on the owner's connection, in one transaction."""

    async def run() -> Any:
        connection = await connect_once(office.database.owner)
        try:
            async with connection.transaction():
                return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def organization(office: Office, code: str | None) -> UUID | None:
    """The row of a partner."""
    return code and office.rows("SELECT id FROM organization WHERE code = $1", code)[0][0]


def agree(
    office: Office,
    person: UUID,
    code: str | None,
    *,
    categories: Iterable[Category] = MARKETING,
    purpose: str = "marketing",
    expires: timedelta | None = None,
) -> UUID:
    """A consent of somebody to a recipient, as `grantConsent` makes it: with what follows from it."""
    row, to = uuid4(), organization(office, code)
    statement = (
        "INSERT INTO consent (id, person_id, purpose, recipient_id, categories, notice_version, notice_hash,"
        " granted_at, expires_at, audience_id) VALUES ($1, $2, $3, $4, $5, '2020-10-26', '', now(), $6, $7)"
    )
    audience = audience_id(office.keyring, to, person) if purpose == "marketing" else None
    ends = expires and datetime.now(UTC) + expires

    async def work(connection: Any) -> None:
        await connection.execute(statement, row, person, purpose, to, to_bits(set(categories)), ends, audience)
        await after_consent(connection, relays_of(office), person, to, now=datetime.now(UTC))

    transact(office, work)
    return row


def withdraw(office: Office, person: UUID, code: str | None, consent: UUID) -> None:
    """As `withdrawConsent` does."""
    to = organization(office, code)

    async def work(connection: Any) -> None:
        await connection.execute("UPDATE consent SET withdrawn_at = now() WHERE id = $1", consent)
        await after_consent(connection, relays_of(office), person, to, now=datetime.now(UTC))

    transact(office, work)


def tagged(office: Office, person: UUID, *tags: str) -> None:
    """Put tags on somebody's record, and into the blind index."""
    office.know(person, tags=json.dumps(list(tags), ensure_ascii=False))
    for tag in tags:
        office.execute(
            'INSERT INTO blind_index ("column", digest, person_id) VALUES ($1, $2, $3)',
            *(int(BlindColumn.TAG), blind(office.keyring, "tag", tag), person),
        )


def audience(office: Office, count: int, code: str | None, *tags: str) -> list[Customer]:
    """So many new customers with these tags who agreed to a recipient's marketing."""
    made = [office.customer() for _ in range(count)]
    for one in made:
        tagged(office, one.person, *tags)
        agree(office, one.person, code)
    return made


def page(office: Office, token: str, campaign: str | None = None, **variables: Any) -> list[dict[str, Any]]:
    """The first page of an audience."""
    body = office.post(PAGE, {"campaign": campaign, **variables}, token=token).json()
    assert "data" in body, body
    return [edge["node"] for edge in body["data"]["users"]["edges"]]


def live(office: Office, person: UUID, code: str | None) -> list[UUID]:
    """The live numbers of a pair, by their rows."""
    statement = (
        "SELECT id FROM virtual_phone WHERE person_id = $1 AND organization_id IS NOT DISTINCT FROM $2"
        " AND ended_at IS NULL"
    )
    return [row[0] for row in office.rows(statement, person, organization(office, code))]
