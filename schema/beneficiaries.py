"""Beneficiaries: whom a policy pays."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import strawberry

from authz.vocabulary import DataSubject
from models.vocabulary import Category
from schema.fields import edge, public, sensitive
from schema.nodes import Node

if TYPE_CHECKING:
    from schema.policies import Policy


@strawberry.type
class Beneficiary(Node):
    """One beneficiary of one policy; `share` is a percentage."""

    policy: Annotated["Policy", strawberry.lazy("schema.policies")] | None = edge()
    name: str | None = sensitive(Category.NAME, of=DataSubject.BENEFICIARY)
    id_number: str | None = sensitive(Category.GOVERNMENT_ID, of=DataSubject.BENEFICIARY)
    phone: str | None = sensitive(Category.PHONE, of=DataSubject.BENEFICIARY)
    relation: str = public()
    order: int = public()
    share: Decimal = public()
