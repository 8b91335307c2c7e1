"""Corrections: what a person's datum was before, when it was corrected, and who may have had it (C64)."""

from tortoise import fields
from tortoise.models import Model

from models.sealed import SealedField


class Correction(Model):
    """One corrected datum; its earlier value is sealed under the person's account key."""

    id = fields.UUIDField(primary_key=True)
    person = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT)
    coordinate = fields.CharField(max_length=48)
    earlier_sealed = SealedField()
    corrected_at = fields.DatetimeField()

    class Meta:
        table = "correction"
        indexes = (("person_id", "corrected_at", "id"),)


class CorrectionRecipient(Model):
    """An organization that may have had the earlier value and has to be told."""

    id = fields.UUIDField(primary_key=True)
    correction = fields.ForeignKeyField("models.Correction", on_delete=fields.RESTRICT)
    organization = fields.ForeignKeyField("models.Organization", on_delete=fields.RESTRICT)

    class Meta:
        table = "correction_recipient"
        unique_together = (("correction_id", "organization_id"),)
        indexes = (("organization_id",),)
