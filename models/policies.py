"""Insurance policies: the contract between holder and insurer about an insured person."""

from enum import StrEnum

from tortoise import fields
from tortoise.fields.db_defaults import SqlDefault
from tortoise.models import Model

from models.retention import TODAY
from models.sealed import SealedField


class PolicyStatus(StrEnum):
    """Where a policy stands, from draft to its end."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    UNDERWRITING = "UNDERWRITING"
    DECLINED = "DECLINED"
    AWAITING_PAYMENT = "AWAITING_PAYMENT"
    IN_FORCE = "IN_FORCE"
    GRACE = "GRACE"
    LAPSED = "LAPSED"
    SURRENDERED = "SURRENDERED"
    EXPIRED = "EXPIRED"
    TERMINATED = "TERMINATED"


class Policy(Model):
    """One policy; its sums are sealed under the holder's contract key."""

    id = fields.UUIDField(primary_key=True)
    policy_number = fields.CharField(max_length=32, unique=True)
    product = fields.ForeignKeyField("models.Product", on_delete=fields.RESTRICT)
    insurer = fields.ForeignKeyField("models.Organization", on_delete=fields.RESTRICT)
    status = fields.CharEnumField(PolicyStatus, max_length=20)
    holder = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT, related_name="held_policies")
    insured = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT, related_name="insured_policies")
    currency = fields.CharField(max_length=3)
    starts_on = fields.DateField(null=True)
    ends_on = fields.DateField(null=True)
    version = fields.IntField(db_default=1)
    changed_on = fields.DateField(db_default=SqlDefault(TODAY))
    premium_sealed = SealedField()
    sum_insured_sealed = SealedField()

    class Meta:
        table = "policy"
        indexes = (
            ("insurer_id", "policy_number"),
            ("status", "policy_number"),
            ("holder_id", "policy_number"),
            ("insured_id", "policy_number"),
            ("product_id",),
        )
