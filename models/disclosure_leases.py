"""How many persons each subject may still be revealed: what its budget has leased to the workers (authz/budget.py)."""

from tortoise import fields
from tortoise.models import Model


class DisclosureLease(Model):
    """One subject's hour or day for one purpose. `leased` only rises, up to the budget; `granted` is its last step."""

    id = fields.BigIntField(primary_key=True)
    subject = fields.UUIDField()
    role = fields.CharField(max_length=32)
    purpose = fields.CharField(max_length=32)
    span = fields.CharField(max_length=4)
    begins_at = fields.DatetimeField()
    ends_at = fields.DatetimeField()
    leased = fields.IntField()
    granted = fields.IntField()
    alarmed = fields.BooleanField(db_default=False)

    class Meta:
        table = "disclosure_lease"
        unique_together = (("subject", "role", "purpose", "span", "begins_at"),)
        indexes = (("ends_at",),)
