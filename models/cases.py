"""Cases that decisions rest on: verification (C11), rights requests (C64, C65), disclosures (C25, C45)."""

from collections.abc import Mapping
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.sealed import SealedField
from models.vocabulary import Category, Purpose, to_bits


class Aspect(StrEnum):
    """What of a person is verified (C11). Order gives the bit: append only."""

    IDENTITY = "IDENTITY"
    ASSETS = "ASSETS"
    HEALTH = "HEALTH"


SHOWN: Mapping[Aspect, int] = {
    Aspect.IDENTITY: to_bits(
        {
            Category.NAME,
            Category.GOVERNMENT_ID,
            Category.DEMOGRAPHIC,
            Category.PHONE,
            Category.EMAIL,
            Category.ADDRESS,
            Category.OCCUPATION,
        }
    ),
    Aspect.ASSETS: to_bits(
        {Category.NAME, Category.BANK_ACCOUNT, Category.FINANCIAL, Category.EXPENSE, Category.OCCUPATION}
    ),
    Aspect.HEALTH: to_bits({Category.NAME, Category.HEALTH, Category.INCIDENT, Category.EXPENSE, Category.DEMOGRAPHIC}),
}
"""The most that a case about an aspect opens of what its consent does, as stored sets: who verifies assets sees no
diagnosis, whatever was agreed to (C16)."""


class VerificationOutcome(StrEnum):
    """What a source says of one aspect."""

    CONFIRMED = "CONFIRMED"
    CONTRADICTED = "CONTRADICTED"
    NOT_FOUND = "NOT_FOUND"


class VerificationCase(Model):
    """A check of one person's data with a third party; live while it and the consent it names are.

    It is about a claim or, for underwriting, a policy. The source is an organization or, by `source_name`, an authority
    or institution. `aspects` is a set by the order of `Aspect`; `opened_by` is an account's id.
    """

    id = fields.UUIDField(primary_key=True)
    person = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT)
    claim = fields.ForeignKeyField("models.Claim", on_delete=fields.RESTRICT, null=True)
    policy = fields.ForeignKeyField("models.Policy", on_delete=fields.RESTRICT, null=True)
    source = fields.ForeignKeyField("models.Organization", on_delete=fields.RESTRICT, null=True)
    source_name = fields.CharField(max_length=120, null=True)
    aspects = fields.IntField(null=True)
    opened_by = fields.UUIDField(null=True)
    consent = fields.ForeignKeyField("models.Consent", on_delete=fields.RESTRICT)
    opened_at = fields.DatetimeField()
    closed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "verification_case"
        indexes = (("person_id",), ("claim_id",), ("consent_id",), ("policy_id",))


VERIFICATION: tuple[str, ...] = (
    (
        "ALTER TABLE verification_case ADD CONSTRAINT verification_case_one_matter"
        " CHECK (num_nonnulls(claim_id, policy_id) < 2)"
    ),
    (
        "ALTER TABLE verification_case ADD CONSTRAINT verification_case_one_source"
        " CHECK (num_nonnulls(source_id, source_name) < 2)"
    ),
    (
        "CREATE TABLE verification_result (id uuid PRIMARY KEY, case_id uuid NOT NULL REFERENCES verification_case,"
        " aspect text NOT NULL CHECK (aspect IN ('IDENTITY', 'ASSETS', 'HEALTH')),"
        " outcome text NOT NULL CHECK (outcome IN ('CONFIRMED', 'CONTRADICTED', 'NOT_FOUND')), note text,"
        " recorded_at timestamptz NOT NULL, recorded_by uuid NOT NULL)"
    ),
    "CREATE INDEX verification_result_case ON verification_result (case_id, recorded_at)",
)
"""What comes with cases opened by the service: one matter, one source, and what the source said, never changed."""


class RightsRequest(Model):
    """A person's request about their own data, made by themselves or by `requester`, their guardian.

    `due_on` is the last day to answer (of a cancellation: to erase) in Shanghai, so many working days after receipt;
    what is null in requests that were loaded and not made is not known of them. Words are sealed under the person's
    account key. `decided_by` is an account's id.
    """

    id = fields.UUIDField(primary_key=True)
    person = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT, related_name="rights_requests")
    requester = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT, related_name="requests_made")
    kind = fields.CharField(max_length=16)
    opened_at = fields.DatetimeField()
    closed_at = fields.DatetimeField(null=True)
    state = fields.CharField(max_length=12, null=True)
    deadline_days = fields.IntField(null=True)
    due_on = fields.DateField(null=True)
    provisional = fields.BooleanField(null=True)
    extended_until = fields.DateField(null=True)
    extension_reason = fields.CharField(max_length=200, null=True)
    ground = fields.CharField(max_length=24, null=True)
    matter = fields.CharField(max_length=24, null=True)
    identity_checked_at = fields.DatetimeField(null=True)
    statement_sealed = SealedField()
    answer_sealed = SealedField()
    decided_at = fields.DatetimeField(null=True)
    decided_by = fields.UUIDField(null=True)

    class Meta:
        table = "rights_request"
        indexes = (("person_id",), ("requester_id",))


class DisclosureCase(Model):
    """A lawful exception in one case: document, scope, approver and expiry (C25, C33, C45)."""

    # `recipient` reads by itself, null: the brokerage does. `receiver` is the organization that the brokerage hands it
    # to, `authority` says it in words. `items` of a public case is a set of its own (`models.disclosures`). Until
    # `secret_until` its persons are not told. A case without `opened_by` was not opened here.
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
    exception = fields.CharField(max_length=24, null=True)
    document_kind = fields.CharField(max_length=24, null=True)
    filed = fields.CharField(max_length=64, null=True)
    justification = fields.CharField(max_length=200, null=True)
    basis = fields.CharField(max_length=12, null=True)
    undertaking = fields.CharField(max_length=64, null=True)
    manner = fields.CharField(max_length=16, null=True)
    items = fields.BigIntField(null=True)
    receiver = fields.ForeignKeyField(
        "models.Organization", on_delete=fields.RESTRICT, related_name="disclosures_received", null=True
    )
    opened_by = fields.ForeignKeyField(
        "models.Staff", on_delete=fields.RESTRICT, related_name="disclosures_opened", null=True
    )
    opened_at = fields.DatetimeField(null=True)
    rejected_by = fields.ForeignKeyField(
        "models.Staff", on_delete=fields.RESTRICT, related_name="disclosures_rejected", null=True
    )
    rejected_at = fields.DatetimeField(null=True)
    review_note = fields.CharField(max_length=200, null=True)
    closed_by = fields.ForeignKeyField(
        "models.Staff", on_delete=fields.RESTRICT, related_name="disclosures_closed", null=True
    )
    secret_until = fields.DatetimeField(null=True)
    secret_ground = fields.CharField(max_length=120, null=True)
    reminded_at = fields.DatetimeField(null=True)
    secrecy_ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "disclosure_case"
        indexes = (
            ("recipient_id",),
            ("approved_by_id",),
            ("receiver_id",),
            ("opened_by_id",),
            ("rejected_by_id",),
            ("closed_by_id",),
        )


class DisclosurePerson(Model):
    """One person within the scope of a disclosure case."""

    id = fields.UUIDField(primary_key=True)
    case = fields.ForeignKeyField("models.DisclosureCase", on_delete=fields.RESTRICT)
    person = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT)

    class Meta:
        table = "disclosure_person"
        unique_together = (("person_id", "case_id"),)
        indexes = (("case_id",),)
