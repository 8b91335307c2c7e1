"""Health services that come with a policy, carried out by a provider (C23)."""

from tortoise import fields
from tortoise.models import Model


class HealthService(Model):
    """One service by one provider; it runs from `starts_at` until `ends_at`, without one for good."""

    id = fields.UUIDField(primary_key=True)
    policy = fields.ForeignKeyField("models.Policy", on_delete=fields.RESTRICT)
    provider = fields.ForeignKeyField("models.Organization", on_delete=fields.RESTRICT)
    starts_at = fields.DatetimeField()
    ends_at = fields.DatetimeField(null=True)

    class Meta:
        table = "health_service"
        indexes = (("policy_id",), ("provider_id", "policy_id"))
