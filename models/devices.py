"""Devices people use, for security and push (C12, C13), sealed under their device key."""

from tortoise import fields
from tortoise.models import Model

from models.sealed import SealedField


class Device(Model):
    """One device of one person."""

    id = fields.UUIDField(primary_key=True)
    person = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT)
    model_sealed = SealedField()
    ip_address_sealed = SealedField()
    push_id_sealed = SealedField()
    last_seen_at_sealed = SealedField()

    class Meta:
        table = "device"
        indexes = (("person_id", "id"),)
