"""Devices people use, for security and push (C12, C13), sealed under their device key."""

from enum import StrEnum

from tortoise import fields
from tortoise.fields.db_defaults import SqlDefault
from tortoise.models import Model

from models.retention import TODAY
from models.sealed import SealedField


class PushIdKind(StrEnum):
    """What a push identifier is (C13)."""

    ANDROID_ID = "ANDROID_ID"
    IDFA = "IDFA"
    OAID = "OAID"


class Device(Model):
    """One device of one person."""

    id = fields.UUIDField(primary_key=True)
    person = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT)
    model_sealed = SealedField()
    ip_address_sealed = SealedField()
    push_id_sealed = SealedField()
    push_id_kind = fields.CharEnumField(PushIdKind, max_length=12, null=True)
    last_seen_at_sealed = SealedField()
    changed_on = fields.DateField(db_default=SqlDefault(TODAY))

    class Meta:
        table = "device"
        indexes = (("person_id", "id"),)
