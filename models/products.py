"""Products: what an insurer sells through the brokerage."""

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model


class Product(Model):
    """One insurance product of one insurer."""

    id = fields.UUIDField(primary_key=True)
    code = fields.CharField(max_length=32, unique=True)
    name = fields.CharField(max_length=120)
    insurer = fields.ForeignKeyField("models.Organization", on_delete=fields.RESTRICT)

    class Meta:
        table = "product"
        indexes = (("insurer_id",),)


class Part(StrEnum):
    """Whose data an item is, or the claim's own."""

    POLICYHOLDER = "policyholder"
    INSURED = "insured"
    BENEFICIARY = "beneficiary"
    CLAIM = "claim"


class ProductItem(Model):
    """One data item that a product needs, and the clause that lets the brokerage collect it (C04-C06, C08)."""

    id = fields.UUIDField(primary_key=True)
    product = fields.ForeignKeyField("models.Product", on_delete=fields.RESTRICT)
    part = fields.CharEnumField(Part, max_length=12)
    item = fields.CharField(max_length=32)
    clause = fields.CharField(max_length=12)

    class Meta:
        table = "product_item"
        unique_together = (("product_id", "part", "item"),)
