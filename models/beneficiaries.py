"""Beneficiaries of policies, sealed under the holder's contract key (C06)."""

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.sealed import SealedField


class RelationToInsured(StrEnum):
    """What somebody is to the insured, as it is stored."""

    SPOUSE = "配偶"
    CHILD = "子女"
    PARENT = "父母"
    SIBLING = "兄弟姐妹"
    OTHER = "其他"
    SELF = "本人"


class Beneficiary(Model):
    """One beneficiary. `person` is who it is, and counts only once `person_verified_at` is set."""

    id = fields.UUIDField(primary_key=True)
    policy = fields.ForeignKeyField("models.Policy", on_delete=fields.RESTRICT)
    holder = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT, related_name="named_beneficiaries")
    person = fields.ForeignKeyField(
        "models.Person",
        on_delete=fields.RESTRICT,
        related_name="benefits",
        null=True,
    )
    person_verified_at = fields.DatetimeField(null=True)
    name_sealed = SealedField()
    id_number_sealed = SealedField()
    phone_sealed = SealedField()
    relation = fields.CharField(max_length=24)
    position = fields.SmallIntField()
    share = fields.DecimalField(max_digits=5, decimal_places=2)

    class Meta:
        table = "beneficiary"
        indexes = (("policy_id", "position", "id"), ("holder_id",), ("person_id",))
