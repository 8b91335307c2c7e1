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
    medical_record: str | None = sensitive(Category.HEALTH, of=DataSubject.INSURED)
    expenses: Decimal | None = sensitive(Category.EXPENSE, of=DataSubject.INSURED)
    amount_claimed: Decimal | None = sensitive(Category.FINANCIAL, of=DataSubject.INSURED)
    amount_paid: Decimal | None = sensitive(Category.FINANCIAL, of=DataSubject.INSURED)
    bank_card: str | None = sensitive(Category.BANK_ACCOUNT, of=DataSubject.PAYEE)
    reported_at: datetime = public()
    closed_at: datetime | None = public()
