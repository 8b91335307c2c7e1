"""How many people a marketing recipient has been shown on a day (C21: no bulk page, no enumeration)."""

from tortoise import fields
from tortoise.models import Model


class AudienceUse(Model):
    """The running count of one recipient's day."""

    id = fields.BigIntField(primary_key=True)
    recipient = fields.CharField(max_length=40)
    day = fields.DateField()
    shown = fields.IntField()

    class Meta:
        table = "audience_use"
        unique_together = (("recipient", "day"),)
