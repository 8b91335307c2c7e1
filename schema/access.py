"""Answers from the ledger: who looked at a person's data, the auditor's records, and whom an incident befell."""

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry
from strawberry.scalars import JSON

from models.vocabulary import Purpose
from schema.connections import Connection
from schema.fields import edge, private_input, public
from schema.organizations import Organization


@strawberry.enum
class AccessGroundKind(Enum):
    """What an access can rest on."""

    POLICY = "POLICY"
    CLAIM = "CLAIM"
    CONSENT = "CONSENT"
    CASE = "CASE"
    REQUEST = "REQUEST"
    SERVICE = "SERVICE"


@strawberry.type
class AccessGround:
    """The contract, claim, consent or case under which data were shown; only what the person may know of."""

    kind: AccessGroundKind = public()
    number: str | None = public(description="Of a policy or claim; of a health service, its policy's.")
    id: strawberry.ID | None = public(description="Of a policy, claim or consent.")


@strawberry.type
class Access:
    """One operation that showed or changed something of the person; what was refused is not among them."""

    at: datetime = public()
    decision_id: str | None = public(description="What to quote when asking about it.")
    role: str | None = public(description="What the other acted as; null for an operator's command.")
    organization: Organization | None = public(description="Of the other; null for the brokerage and for persons.")
    purpose: Purpose | None = public()
    revealed: list[str] = public(description="Fields shown in clear, such as `User.idNumber`.")
    masked: list[str] = public()
    changed: list[str] = public(description="What was changed, by the name of the mutation.")
    under: list[AccessGround] = edge()
    own: bool = public(description="Was it the person themselves, or whoever asks?")


@strawberry.type
class AccessEntry:
    """What one operation decided alike: fields, effect, and of whom."""

    coordinates: list[str] = public()
    effect: str = public(description="REVEAL, MASK, DENY, or WRITE for what was changed.")
    reason: str | None = public()
    situation: list[str] = public(description="Pairs `relation/basis` that held.")
    persons: list[str] = public(description="References, or the words that stand for somebody without one.")
    records: list[str] = public(description="What witnessed it: kind and id.")


@strawberry.type
class AccessRecord:
    """One row of the ledger, as it was sealed. Never a value, never a person's id."""

    index: str = public(description="Which leaf of the tree it is, a whole number: by it, it is proved.")
    at: datetime = public()
    kind: str = public()
    outcome: str | None = public()
    code: str | None = public()
    decision_id: str | None = public()
    role: str | None = public()
    organization: Organization | None = public()
    account: strawberry.ID | None = public(description="Opaque; the same account has the same everywhere here.")
    token_id: str | None = public()
    client: str | None = public()
    purpose: Purpose | None = public()
    operation_name: str | None = public()
    operation_hash: str | None = public()
    ruleset: int | None = public()
    digest: str | None = public()
    scope: JSON | None = public(description="How the token narrowed.")
    coordinates: list[str] = public()
    entries: list[AccessEntry] = edge()
    text: str = public(description="Exactly what was hashed as the leaf: writer, sequence and the row.")


@private_input
class IncidentInput:
    """What is known of a breach: a span of at most 400 days, and whatever else narrows it down.

    `organization`: its code; `account`, `token`, `client`: as records give them; `coordinates`: any of these fields.
    """

    from_: Annotated[datetime, strawberry.argument(name="from")] = strawberry.field(name="from")
    to: datetime
    organization: str | None = None
    account: strawberry.ID | None = None
    token: str | None = None
    client: str | None = None
    role: str | None = None
    purpose: Purpose | None = None
    coordinates: list[str] | None = None
    decision: str | None = None


@strawberry.type
class AffectedPerson:
    """Somebody of whom something left, or was changed: what, from when to when, in how many operations."""

    reference: str | None = public(description="Null for somebody without one: see `standIn`.")
    user: strawberry.ID | None = public(description="For the privacy officer alone; null once the person is erased.")
    stand_in: str | None = public(description="A beneficiary, reporter or payee who is no user, and of which record.")
    revealed: list[str] = public()
    masked: list[str] = public()
    changed: list[str] = public()
    first: datetime = public()
    last: datetime = public()
    times: int = public()


@strawberry.type
class AffectedPersons:
    """Everybody whom an incident befell, and in how many rows of the ledger it shows.

    `pending`: rows of the ledger that are not sealed and indexed yet, of any time; while there are some, ask again.
    """

    total: int = public()
    records_total: int = public()
    pending: int = public()
    persons: Connection[AffectedPerson] = edge()
