"""Cases that decisions rest on: verification (C11), rights requests (C64, C65), disclosures (C25, C45)."""

from tortoise import fields
from tortoise.models import Model

from models.vocabulary import Purpose


class VerificationCase(Model):
    """A check of one person's data with a third party; live while it and the consent it names are."""

    id = fields.UUIDField(primary_key=True)
    person = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT)
    claim = fields.ForeignKeyField("models.Claim", on_delete=fields.RESTRICT, null=True)
    consent = fields.ForeignKeyField("models.Consent", on_delete=fields.RESTRICT)
    opened_at = fields.DatetimeField()
    closed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "verification_case"
        indexes = (("person_id",), ("claim_id",), ("consent_id",))


class RightsRequest(Model):
    """A person's request about their own data, made by themselves or by `requester`, their guardian."""

    id = fields.UUIDField(primary_key=True)
    person = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT, related_name="rights_requests")
    requester = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT, related_name="requests_made")
    kind = fields.CharField(max_length=16)
    opened_at = fields.DatetimeField()
    closed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "rights_request"
        indexes = (("person_id",), ("requester_id",))


class DisclosureCase(Model):
    """A lawful exception in one case: document, scope, approver and expiry (C25, C33, C45)."""

    id = fields.UUIDField(primary_key=True)
    kind = fields.CharField(max_length=24)
    purpose = fields.CharEnumField(Purpose, max_length=24)
    recipient = fields.ForeignKeyField("models.Organization", on_delete=fields.RESTRICT, null=True)
    authority = fields.CharField(max_length=120)
    document = fields.CharField(max_length=120, null=True)
    categories = fields.IntField()
    approved_by = fields.ForeignKeyField("models.Staff", on_delete=fields.RESTRICT, null=True)
    approved_at = fields.DatetimeField(null=True)
    expires_at = fields.DatetimeField()
    closed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "disclosure_case"
        indexes = (("recipient_id",), ("approved_by_id",))


class DisclosurePerson(Model):
    """One person within the scope of a disclosure case."""

    id = fields.UUIDField(primary_key=True)
    case = fields.ForeignKeyField("models.DisclosureCase", on_delete=fields.RESTRICT)
    person = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT)

    class Meta:
        table = "disclosure_person"
        unique_together = (("person_id", "case_id"),)
        indexes = (("case_id",),)
