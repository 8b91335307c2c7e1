"""Claims on policies, sealed under the insured's claim key (C08, C09)."""

from enum import StrEnum

from tortoise import fields
from tortoise.fields.db_defaults import SqlDefault
from tortoise.models import Model

from models.retention import TODAY
from models.sealed import SealedField


class ClaimStatus(StrEnum):
    """Where a claim stands, from draft to its end."""

    DRAFT = "DRAFT"
    REPORTED = "REPORTED"
    MATERIALS_PENDING = "MATERIALS_PENDING"
    SUBMITTED = "SUBMITTED"
    REVIEWING = "REVIEWING"
    INVESTIGATING = "INVESTIGATING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    PAID = "PAID"
    CLOSED = "CLOSED"
    WITHDRAWN = "WITHDRAWN"


class ClaimItem(StrEnum):
    """What a customer can be asked to add to a claim: names of input fields, as they are stored (C08)."""

    INCIDENT_DATE = "incidentDate"
    INCIDENT_DESCRIPTION = "incidentDescription"
    HOSPITAL = "hospital"
    OCCUPATION = "occupation"
    BANK_CARD = "bankCard"
    DIAGNOSIS = "diagnosis"
    DIAGNOSIS_CODE = "diagnosisCode"
    MEDICAL_RECORD = "medicalRecord"
    EXPENSES = "expenses"
    AMOUNT_CLAIMED = "amountClaimed"


class Claim(Model):
    """One claim. Insurer, holder and insured repeat its policy's, and a foreign key keeps them equal."""

    id = fields.UUIDField(primary_key=True)
    claim_number = fields.CharField(max_length=32, unique=True)
    policy = fields.ForeignKeyField("models.Policy", on_delete=fields.RESTRICT)
    insurer = fields.ForeignKeyField("models.Organization", on_delete=fields.RESTRICT)
    holder = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT, related_name="claims_on_held")
    insured = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT, related_name="claims_as_insured")
    status = fields.CharEnumField(ClaimStatus, max_length=20)
    reporter = fields.ForeignKeyField(
        "models.Person",
        on_delete=fields.RESTRICT,
        related_name="reported_claims",
        null=True,
    )
    reporter_relation = fields.CharField(max_length=24, null=True)
    reporter_verified_at = fields.DatetimeField(null=True)
    payee = fields.ForeignKeyField(
        "models.Person",
        on_delete=fields.RESTRICT,
        related_name="paid_claims",
        null=True,
    )
    payee_verified_at = fields.DatetimeField(null=True)
    reporter_name_sealed = SealedField()
    reporter_phone_sealed = SealedField()
    incident_date_sealed = SealedField()
    incident_description_sealed = SealedField()
    hospital_sealed = SealedField()
    diagnosis_sealed = SealedField()
    diagnosis_code_sealed = SealedField()
    medical_record_sealed = SealedField()
    expenses_sealed = SealedField()
    amount_claimed_sealed = SealedField()
    amount_paid_sealed = SealedField()
    bank_card_sealed = SealedField()
    reported_at = fields.DatetimeField()
    closed_at = fields.DatetimeField(null=True)
    requested_items = fields.JSONField(null=True)
    """What the customer is asked to add while materials are pending: names of input fields."""
    version = fields.IntField(db_default=1)
    changed_on = fields.DateField(db_default=SqlDefault(TODAY))

    class Meta:
        table = "claim"
        indexes = (
            ("policy_id", "claim_number"),
            ("insurer_id", "claim_number"),
            ("insurer_id", "reported_at", "id"),
            ("holder_id", "claim_number"),
            ("insured_id", "claim_number"),
            ("status", "claim_number"),
            ("reported_at", "id"),
            ("reporter_id",),
            ("payee_id",),
        )
