"""What an operation would be shown, and the operations that client teams have registered."""

from datetime import datetime

import strawberry

from authz.vocabulary import Reason
from models.vocabulary import Category, Purpose
from resolvers.field_access import Shown
from schema.fields import public

strawberry.enum(Shown, name="Effect")


@strawberry.type
class FieldAccess:
    """One sensitive field of an operation, by path pattern; or the mutation that it is, whose category is null."""

    coordinate: str = public()
    path_pattern: str = public()
    category: Category | None = public()
    effect: Shown = public(description="Of a mutation, REVEAL: it may be run.")
    reason: Reason | None = public(description="Why it is denied, where it is.")
    situations: list[str] | None = public(
        description="Where it depends: lines such as `assigned + contract_open: REVEAL`, the last one `otherwise: …`."
    )
    remedy: str | None = public(description="What would change it.")
    clause: str | None = public(description="Of the privacy policy, or of the agreement: why it is so.")


@strawberry.type
class RegisteredOperation:
    """A document that somebody registered: a client team, or the operator for callers without a token."""

    hash: str = public(description="Hex SHA-256 of the document, by which it may be named.")
    name: str = public()
    team: str | None = public(description="Null for what anonymous callers may run.")
    role: str = public()
    purpose: Purpose = public()
    document: str = public()
    registered_at: datetime | None = public(description="Null for what comes with the service.")


strawberry.enum(Reason)
