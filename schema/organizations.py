"""Organizations: insurers and the other partners."""

import strawberry

from models.organizations import OrganizationKind
from schema.fields import public

strawberry.enum(OrganizationKind)


@strawberry.type
class Organization:
    """One legal entity."""

    code: str = public()
    name: str = public()
    kind: OrganizationKind = public()
    privacy_policy: str | None = public(
        description="Where its own privacy policy is published, by which it acts (C74)."
    )
