"""Cancelling an account: all that stands in its way at once; else it ends now and is erased in time (C69, C70).

What stands in the way is the privacy policy's own list: a purchase, a claim, a policy in force, a health service.
Who is insured under another's policy is within its validity as much as who holds it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from authz.sessions import Owner, end_all
from authz.standing import revoke
from authz.subjects import active
from models.logins import SessionEnd
from models.revocations import Revoked
from models.rights import BlockerKind
from models.vocabulary import Purpose, Retention
from privacy.orders import order_erasure
from privacy.relays import RELAYED, Relays, after_consent
from privacy.working_days import due_after

CLASSES = frozenset({Retention.ACCOUNT, Retention.CONTRACT, Retention.CLAIM, Retention.DEVICE})
"""What a cancellation asks to be erased: all there is, but for what the law keeps."""
GROUND = "CANCELLATION"

_PARTY = "$1 IN (holder_id, insured_id)"
_BLOCKERS = f"""
SELECT 'PURCHASE_OPEN' AS kind, p.id AS policy, NULL::uuid AS claim, p.policy_number AS reference, p.status AS state,
  NULL AS provider
FROM policy p WHERE {_PARTY} AND p.status IN ('SUBMITTED', 'UNDERWRITING', 'AWAITING_PAYMENT')
UNION ALL
SELECT 'CLAIM_OPEN', c.policy_id, c.id, c.claim_number, c.status, NULL
FROM claim c WHERE {_PARTY}
  AND c.status IN ('REPORTED', 'MATERIALS_PENDING', 'SUBMITTED', 'REVIEWING', 'INVESTIGATING', 'APPROVED')
UNION ALL
SELECT 'POLICY_IN_FORCE', p.id, NULL, p.policy_number, p.status, NULL
FROM policy p WHERE {_PARTY} AND p.status IN ('IN_FORCE', 'GRACE')
UNION ALL
SELECT 'HEALTH_SERVICE_RUNNING', p.id, NULL, p.policy_number, p.status, o.name
FROM health_service h JOIN policy p ON p.id = h.policy_id JOIN organization o ON o.id = h.provider_id
WHERE {_PARTY} AND (h.ends_at IS NULL OR h.ends_at > $2)
ORDER BY kind, reference
"""  # noqa: S608 - our own text
# In the order of whoever submits one: the application, then the person.
_LOCK_DRAFTS = f"""
WITH drafts AS MATERIALIZED (SELECT id FROM policy WHERE {_PARTY} AND status = 'DRAFT' ORDER BY id FOR NO KEY UPDATE)
SELECT count(*) FROM drafts
"""  # noqa: S608 - as above
_LOCK_CLAIM_DRAFTS = _LOCK_DRAFTS.replace("FROM policy", "FROM claim")
# A draft is nobody's business but its drafters': it goes as if they had withdrawn it.
_DROP_DRAFTS = (
    "UPDATE policy SET status = 'TERMINATED', version = version + 1 WHERE holder_id = $1 AND status = 'DRAFT'"
)
_DROP_CLAIM_DRAFTS = f"""
UPDATE claim SET status = 'WITHDRAWN', version = version + 1 WHERE {_PARTY} AND status = 'DRAFT'
"""  # noqa: S608 - as above
_ACCOUNT = "SELECT id, cancelled_at FROM account WHERE person_id = $1 FOR NO KEY UPDATE"
_CANCEL = "UPDATE account SET cancelled_at = $2 WHERE id = $1"
_NO_LOGIN = "DELETE FROM login WHERE account_id = $1"
_CONSENTS = f"""
UPDATE consent c SET withdrawn_at = greatest($2, c.granted_at), withdrawn_by_id = $3
WHERE c.person_id = $1 AND {active("c")} RETURNING c.purpose, c.recipient_id
"""  # noqa: S608 - as above
_LINKS = """
UPDATE guardian_link SET revoked_at = $2, revoked_by = $3
WHERE guardian_id = $1 AND verified_at IS NOT NULL AND revoked_at IS NULL
"""
_LINK_REQUESTS = """
UPDATE guardian_request SET state = 'WITHDRAWN', decided_at = $2, decided_by = $3, stated_sealed = NULL,
child_digest = NULL WHERE guardian_id = $1 AND state = 'PENDING'
"""
_REQUEST = """
INSERT INTO rights_request (id, person_id, requester_id, kind, opened_at, closed_at, state, deadline_days, due_on,
provisional, identity_checked_at, decided_at)
VALUES ($1, $2, $3, 'cancellation', $4, $4, 'GRANTED', $5, $6, $7, $4, $4)
"""
_EARLIER = """
SELECT id, due_on, provisional FROM rights_request
WHERE person_id = $1 AND kind = 'cancellation' AND state = 'GRANTED' ORDER BY opened_at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Blocker:
    """One thing that stands in the way: what, and which; `reference` is the number of a policy or claim."""

    kind: BlockerKind
    reference: str
    state: str
    policy: UUID
    claim: UUID | None
    provider: str | None
    """By whom a health service is carried out."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """An account that has ended: its request, and the last day for the erasure."""

    request: UUID
    due_on: date
    provisional: bool


async def blockers_of(connection: Any, person: UUID, *, now: datetime) -> list[Blocker]:  # noqa: ANN401 - asyncpg's proxy
    """All that keeps a person's account from being cancelled. Raises the database's error."""
    return [
        Blocker(BlockerKind(row["kind"]), row["reference"], row["state"], row["policy"], row["claim"], row["provider"])
        for row in await connection.fetch(_BLOCKERS, person, now)
    ]


async def lock_drafts(connection: Any, person: UUID) -> None:  # noqa: ANN401 - as above
    """Let nobody submit a draft of this person's until the transaction ends; before the person's row is locked."""
    await connection.fetchval(_LOCK_DRAFTS, person)
    await connection.fetchval(_LOCK_CLAIM_DRAFTS, person)


async def cancel(  # noqa: PLR0913 - what a cancellation is made of
    connection: Any,  # noqa: ANN401 - as above
    person: UUID,
    *,
    requester: UUID,
    erasure_days: int,
    relays: Relays,
    now: datetime,
) -> Cancelled | list[Blocker] | None:
    """End an account whose person's row is locked, or give all that stands in the way; None where there is none.

    Cancelled already: as it was then. What the person agreed to, and their office as guardian, ends with it.
    """
    account = await connection.fetchrow(_ACCOUNT, person)
    if account is None:
        return None
    if account["cancelled_at"] is not None:
        earlier = await connection.fetchrow(_EARLIER, person)
        return Cancelled(earlier["id"], earlier["due_on"], earlier["provisional"])
    blockers = await blockers_of(connection, person, now=now)
    if blockers:
        return blockers
    await _end(connection, account["id"], person, requester=requester, relays=relays, now=now)
    due = await due_after(connection, now, erasure_days)
    request = uuid4()
    await connection.execute(_REQUEST, request, person, requester, now, erasure_days, due.day, due.provisional)
    await order_erasure(connection, person, CLASSES, ground=GROUND, request=request, due=due.day, now=now)
    return Cancelled(request, due.day, due.provisional)


async def _end(  # noqa: PLR0913 - as above
    connection: Any,  # noqa: ANN401 - as above
    account: UUID,
    person: UUID,
    *,
    requester: UUID,
    relays: Relays,
    now: datetime,
) -> None:
    await connection.execute(_DROP_DRAFTS, person)
    await connection.execute(_DROP_CLAIM_DRAFTS, person)
    await end_all(connection, Owner(account=account), because=SessionEnd.LEFT, now=now)
    await revoke(connection, Revoked.SUBJECT, account)
    await connection.execute(_NO_LOGIN, account)
    await connection.execute(_CANCEL, account, now)
    await connection.execute(_LINKS, person, now, str(account))
    await connection.execute(_LINK_REQUESTS, person, now, str(account))
    ended = await connection.fetch(_CONSENTS, person, now, requester)
    recipients = {row["recipient_id"] for row in ended if Purpose(row["purpose"]) in RELAYED}
    for recipient in sorted(recipients, key=str):
        await after_consent(connection, relays, person, recipient, now=now)
