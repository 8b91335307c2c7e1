"""Consents: what a person agreed to, and until when (C32, C82)."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

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
class ConsentReceipt:
    """What was agreed to, to keep: `jws` is `document` signed; the keys are public. As of now: ask again later."""

    file_name: str = public()
    media_type: str = public()
    jws: str = public(description="Compact, Ed25519, of the type `consent-receipt+jwt` (RFC 7515).")
    document: JSON = public(description="The names are those of Kantara's consent receipt, where it has one.")


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
    withdrawn_by_guardian: bool = public(description="Did a guardian take it back? (C71)")
    expires_at: datetime | None = public()
    receipt: ConsentReceipt | None = edge(description="For the person and their guardian; null for everybody else.")
