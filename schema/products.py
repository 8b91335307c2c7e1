"""Products: what can be bought."""

import strawberry

from models.products import Part
from schema.fields import edge, public
from schema.organizations import Organization

strawberry.enum(Part, name="ProductPart")


@strawberry.type
class ProductItem:
    """One data item that a product needs: of whom, its name in the inputs, and the clause it is collected by."""

    part: Part = public()
    item: str = public()
    clause: str = public()


@strawberry.type
class Product:
    """One insurance product."""

    code: str = public()
    name: str = public()
    insurer: Organization = edge()
    items: list[ProductItem] = edge(description="What an application and a claim need, and nothing beyond (C04-C08).")
