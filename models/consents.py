"""Consents: what a person agreed to, for which purpose, recipient and categories (C32, C82)."""

from tortoise import fields
from tortoise.models import Model

from models.vocabulary import Purpose


class Consent(Model):
    """One consent. No `recipient` means the brokerage itself; `categories` is a stored set (`to_bits`).

    `audience_id` is the only id under which a marketing recipient knows the person: a keyed hash of
    recipient and person, so that two recipients cannot match their lists (C21, C37). `guardian` is who
    agreed for a person under age (C71), `withdrawn_by` who took it back: the person, or a guardian of theirs.
    What was agreed to is never changed, only ended.
    """

    id = fields.UUIDField(primary_key=True)
    person = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT)
    guardian = fields.ForeignKeyField(
        "models.Person", on_delete=fields.RESTRICT, related_name="consents_given_for_wards", null=True
    )
    purpose = fields.CharEnumField(Purpose, max_length=24)
    recipient = fields.ForeignKeyField("models.Organization", on_delete=fields.RESTRICT, null=True)
    categories = fields.IntField()
    notice_version = fields.CharField(max_length=24)
    notice_hash = fields.CharField(max_length=64)
    granted_at = fields.DatetimeField()
    withdrawn_at = fields.DatetimeField(null=True)
    withdrawn_by = fields.ForeignKeyField(
        "models.Person", on_delete=fields.RESTRICT, related_name="consents_taken_back", null=True
    )
    expires_at = fields.DatetimeField(null=True)
    audience_id = fields.UUIDField(null=True)

    class Meta:
        table = "consent"
        indexes = (
            ("person_id", "purpose"),
            ("person_id", "id"),
            ("recipient_id", "id"),
            ("purpose", "recipient_id", "audience_id"),
            ("guardian_id",),
            ("withdrawn_by_id",),
        )
