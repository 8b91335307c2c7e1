"""Guardian links: who acts for which child (C71, C73)."""

from tortoise import fields
from tortoise.models import Model


class GuardianLink(Model):
    """A guardian's tie to a child; it counts while verified, not revoked and the child under age."""

    id = fields.UUIDField(primary_key=True)
    guardian = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT, related_name="wards")
    child = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT, related_name="guardians")
    verified_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "guardian_link"
        indexes = (("guardian_id", "child_id"), ("child_id",))
