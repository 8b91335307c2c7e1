"""Claims: what happened, what it cost, what was paid (C08, C09)."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from authz.vocabulary import DataSubject
from models.claims import ClaimStatus
from models.vocabulary import Category
from schema.fields import edge, public, sensitive
from schema.nodes import Node

if TYPE_CHECKING:
    from schema.policies import Policy

strawberry.enum(ClaimStatus)


@strawberry.enum
class ClaimOrder(Enum):
    """What claims can be ordered by."""

    CLAIM_NUMBER = "CLAIM_NUMBER"
    REPORTED_AT = "REPORTED_AT"


@strawberry.type
class Claim(Node):
    """One claim on one policy."""

    claim_number: str = public()
    policy: Annotated["Policy", strawberry.lazy("schema.policies")] | None = edge()
    status: ClaimStatus = public()
    reporter_name: str | None = sensitive(Category.NAME, of=DataSubject.REPORTER)
    reporter_phone: str | None = sensitive(Category.PHONE, of=DataSubject.REPORTER)
    incident_date: date | None = sensitive(Category.INCIDENT, of=DataSubject.INSURED)
    incident_description: str | None = sensitive(Category.INCIDENT, of=DataSubject.INSURED)
    hospital: str | None = sensitive(Category.HEALTH, of=DataSubject.INSURED)
    diagnosis: str | None = sensitive(Category.HEALTH, of=DataSubject.INSURED)
    diagnosis_code: str | None = sensitive(Category.HEALTH, of=DataSubject.INSURED, description="ICD-10.")
    medical_record: str | None = sensitive(Category.HEALTH, of=DataSubject.INSURED)
    expenses: Decimal | None = sensitive(Category.EXPENSE, of=DataSubject.INSURED)
    amount_claimed: Decimal | None = sensitive(Category.FINANCIAL, of=DataSubject.INSURED)
    amount_paid: Decimal | None = sensitive(Category.FINANCIAL, of=DataSubject.INSURED)
    bank_card: str | None = sensitive(Category.BANK_ACCOUNT, of=DataSubject.PAYEE)
    reported_at: datetime = public(description="When it was reported; of a draft, when it was begun.")
    closed_at: datetime | None = public(
        description="When it was paid, rejected, withdrawn or closed, whatever came last; null for a draft withdrawn."
    )
    reporter_relation: str | None = public(description="The reporter's relation to the insured; null for the insured.")
    requested_items: list[str] = public(
        description="What is still to be added while materials are pending: names of fields of DraftClaimInput."
    )
    version: int = public(
        description="Counts changes; as `ifVersion` it keeps a write from changing what changed meanwhile."
    )
