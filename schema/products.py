"""Products: what can be bought."""

import strawberry

from schema.fields import edge, public
from schema.organizations import Organization


@strawberry.type
class Product:
    """One insurance product."""

    code: str = public()
    name: str = public()
    insurer: Organization = edge()
