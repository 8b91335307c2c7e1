"""Assignments: who handles which policy, claim, case or request."""

from tortoise import fields
from tortoise.models import Model


class Assignment(Model):
    """One piece of work of one member of staff or one organization; exactly one of each side is set."""

    id = fields.UUIDField(primary_key=True)
    staff = fields.ForeignKeyField("models.Staff", on_delete=fields.RESTRICT, null=True)
    organization = fields.ForeignKeyField("models.Organization", on_delete=fields.RESTRICT, null=True)
    policy = fields.ForeignKeyField("models.Policy", on_delete=fields.RESTRICT, null=True)
    claim = fields.ForeignKeyField("models.Claim", on_delete=fields.RESTRICT, null=True)
    verification_case = fields.ForeignKeyField("models.VerificationCase", on_delete=fields.RESTRICT, null=True)
    rights_request = fields.ForeignKeyField("models.RightsRequest", on_delete=fields.RESTRICT, null=True)
    disclosure_case = fields.ForeignKeyField("models.DisclosureCase", on_delete=fields.RESTRICT, null=True)
    assigned_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "assignment"
        indexes = (
            ("staff_id", "policy_id"),
            ("staff_id", "claim_id"),
            ("organization_id", "claim_id"),
            ("policy_id",),
            ("claim_id",),
            ("verification_case_id",),
            ("rights_request_id",),
            ("disclosure_case_id",),
        )
