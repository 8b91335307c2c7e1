"""Policies: always insurance policies."""

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated

import strawberry
from strawberry import UNSET

from authz.vocabulary import DataSubject
from models.claims import ClaimStatus
from models.policies import PolicyStatus
from models.vocabulary import Category
from schema.beneficiaries import Beneficiary
from schema.claims import Claim
from schema.connections import Connection
from schema.fields import edge, public, sensitive
from schema.nodes import Node
from schema.organizations import Organization
from schema.products import Product
from schema.users import User

strawberry.enum(PolicyStatus)


@strawberry.enum
class PolicyOrder(Enum):
    """What policies can be ordered by."""

    POLICY_NUMBER = "POLICY_NUMBER"
    STARTS_ON = "STARTS_ON"


@strawberry.type
class Policy(Node):
    """A contract between policyholder and insurer about an insured person."""

    policy_number: str = public()
    product: Product = edge()
    insurer: Organization = edge()
    status: PolicyStatus = public()
    premium: Decimal | None = sensitive(Category.FINANCIAL, of=DataSubject.HOLDER)
    sum_insured: Decimal | None = sensitive(Category.FINANCIAL, of=DataSubject.HOLDER)
    currency: str = public()
    starts_on: date | None = public()
    ends_on: date | None = public()
    version: int = public(
        description="Counts changes; as `ifVersion` it keeps a write from changing what changed meanwhile."
    )
    policyholder: User | None = edge()
    insured: User | None = edge()
    beneficiaries: list[Annotated["Beneficiary", strawberry.lazy("schema.beneficiaries")]] = edge()

    @edge
    def claims(
        self, first: int | None = UNSET, after: str | None = None, status: ClaimStatus | None = None
    ) -> Connection[Annotated["Claim", strawberry.lazy("schema.claims")]]:
        """Claims on the policy."""
