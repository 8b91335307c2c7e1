"""Products: what an insurer sells through the brokerage."""

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
