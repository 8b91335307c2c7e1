"""Consents: what a person agreed to, and until when (C32, C82)."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models.vocabulary import Category, Purpose
from schema.fields import edge, public
from schema.nodes import Node
from schema.organizations import Organization

if TYPE_CHECKING:
    from schema.users import User

strawberry.enum(Purpose)


@strawberry.enum
class ConsentStatus(StrEnum):
    """Whether a consent counts now."""

    ACTIVE = "ACTIVE"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


@strawberry.type
class Consent(Node):
    """One consent; without `recipient` it is given to the brokerage itself."""

    user: Annotated["User", strawberry.lazy("schema.users")] | None = edge()
    purpose: Purpose = public()
    recipient: Organization | None = edge()
    categories: list[Category] = public()
    status: ConsentStatus = public()
    notice_version: str = public()
    notice_hash: str = public()
    given_by_guardian: bool = public(description="Did a guardian give it for a minor? (C71)")
    granted_at: datetime = public()
    withdrawn_at: datetime | None = public()
    expires_at: datetime | None = public()
