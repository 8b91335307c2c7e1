"""Virtual phone numbers: how a recipient reaches a person without knowing the number (C21)."""

from tortoise import fields
from tortoise.models import Model

from models.sealed import SealedField


class VirtualPhone(Model):
    """One relay number per (organization, person); no organization means the brokerage itself.

    `number_digest` (HMAC-SHA-256) outlives the number, so that it is never given again.
    """

    id = fields.UUIDField(primary_key=True)
    person = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT)
    organization = fields.ForeignKeyField("models.Organization", on_delete=fields.RESTRICT, null=True)
    number_sealed = SealedField()
    number_digest = fields.BinaryField(null=True)
    issued_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "virtual_phone"
        indexes = (("person_id", "organization_id"), ("organization_id",))
