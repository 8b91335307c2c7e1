"""The ledger's rows: who asked what, under which purpose and ruleset, and what was shown. Never a value."""

from tortoise import fields
from tortoise.fields.db_defaults import Now
from tortoise.models import Model

from models.vocabulary import Purpose, Role


class LedgerRow(Model):
    """One operation (C59). The application role can insert rows and neither change nor delete them.

    `entries` is a list of [coordinate, path pattern, effect, reason or null, count].
    """

    id = fields.BigIntField(primary_key=True)
    decision_id = fields.UUIDField()
    at = fields.DatetimeField(db_default=Now())
    role = fields.CharEnumField(Role, max_length=20)
    organization_id = fields.UUIDField(null=True)
    subject_id = fields.UUIDField(null=True)
    token_id = fields.CharField(max_length=64)
    purpose = fields.CharEnumField(Purpose, max_length=24)
    operation_hash = fields.CharField(max_length=64)
    operation_name = fields.CharField(max_length=120, null=True)
    ruleset = fields.IntField()
    ruleset_digest = fields.CharField(max_length=64)
    entries = fields.JSONField()

    class Meta:
        table = "ledger"
        indexes = (("at",), ("decision_id",))
