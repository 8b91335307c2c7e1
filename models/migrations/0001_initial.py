from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.fields.db_defaults import Now
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from models.claims import ClaimStatus
from models.organizations import OrganizationKind
from models.people import IdType, PersonSource
from models.policies import PolicyStatus
from models.sealed import SealedField
from models.vocabulary import BlindColumn, Purpose, Retention, Role


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="AudienceUse",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("recipient", fields.CharField(max_length=40)),
                ("day", fields.DateField()),
                ("shown", fields.IntField()),
            ],
            options={
                "table": "audience_use",
                "app": "models",
                "unique_together": (("recipient", "day"),),
                "pk_attr": "id",
                "table_description": "The running count of one recipient's day.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DemoLoad",
            fields=[
                ("id", fields.SmallIntField(primary_key=True, generated=False, unique=True, db_index=True)),
                ("people", fields.IntField()),
                ("seed", fields.IntField()),
                ("loaded_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "demo_load",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The one load of demo data a database may hold: its size and seed.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="LedgerRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("decision_id", fields.UUIDField()),
                ("at", fields.DatetimeField(db_default=Now(), auto_now=False, auto_now_add=False)),
                (
                    "role",
                    fields.CharEnumField(
                        description="CUSTOMER: customer\nGUARDIAN: guardian\nBROKER_AGENT: broker_agent\nCUSTOMER_SERVICE: customer_service\nCLAIMS_HANDLER: claims_handler\nRISK_ANALYST: risk_analyst\nMARKETER: marketer\nANALYST: analyst\nPRIVACY_OFFICER: privacy_officer\nSECURITY_ADMIN: security_admin\nAUDITOR: auditor\nDEVELOPER: developer\nINSURER: insurer\nHEALTH_PROVIDER: health_provider\nLOSS_ADJUSTER: loss_adjuster\nAFFILIATE: affiliate\nSERVICE_PROVIDER: service_provider\nAD_PARTNER: ad_partner\nANONYMOUS: anonymous",
                        enum_type=Role,
                        max_length=20,
                    ),
                ),
                ("organization_id", fields.UUIDField(null=True)),
                ("subject_id", fields.UUIDField(null=True)),
                ("token_id", fields.CharField(max_length=64)),
                (
                    "purpose",
                    fields.CharEnumField(
                        description="ACCOUNT_SERVICE: account_service\nAPPLICATION: application\nPOLICY_SERVICE: policy_service\nCLAIM_HANDLING: claim_handling\nVERIFICATION: verification\nHEALTH_SERVICE: health_service\nSERVICE_MESSAGE: service_message\nMARKETING: marketing\nANALYTICS: analytics\nRESEARCH: research\nSECURITY: security\nRIGHTS_REQUEST: rights_request\nREGULATORY_DISCLOSURE: regulatory_disclosure\nPRODUCT_DISPLAY: product_display\nADMINISTRATION: administration",
                        enum_type=Purpose,
                        max_length=24,
                    ),
                ),
                ("operation_hash", fields.CharField(max_length=64)),
                ("operation_name", fields.CharField(null=True, max_length=120)),
                ("ruleset", fields.IntField()),
                ("ruleset_digest", fields.CharField(max_length=64)),
                ("entries", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={
                "table": "ledger",
                "app": "models",
                "indexes": [Index(fields=["at"]), Index(fields=["decision_id"])],
                "pk_attr": "id",
                "table_description": "One operation (C59). The application role can insert rows and neither change nor delete them.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Organization",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("code", fields.CharField(unique=True, max_length=32)),
                ("name", fields.CharField(max_length=120)),
                (
                    "kind",
                    fields.CharEnumField(
                        description="BROKER: BROKER\nINSURER: INSURER\nHEALTH_PROVIDER: HEALTH_PROVIDER\nLOSS_ADJUSTER: LOSS_ADJUSTER\nAFFILIATE: AFFILIATE\nSERVICE_PROVIDER: SERVICE_PROVIDER\nAD_PARTNER: AD_PARTNER",
                        enum_type=OrganizationKind,
                        max_length=20,
                    ),
                ),
            ],
            options={
                "table": "organization",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One legal entity, known by its code.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Person",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "source",
                    fields.CharEnumField(
                        description="DEMO: demo\nREGISTERED: registered",
                        enum_type=PersonSource,
                        max_length=12,
                    ),
                ),
                (
                    "id_type",
                    fields.CharEnumField(
                        null=True,
                        description="RESIDENT_ID: RESIDENT_ID\nPASSPORT: PASSPORT\nHK_MACAU_TAIWAN_PERMIT: HK_MACAU_TAIWAN_PERMIT\nFOREIGNER_PERMIT: FOREIGNER_PERMIT",
                        enum_type=IdType,
                        max_length=24,
                    ),
                ),
                ("name_sealed", SealedField()),
                ("id_number_sealed", SealedField()),
                ("gender_sealed", SealedField()),
                ("birth_date_sealed", SealedField()),
                ("phone_sealed", SealedField()),
                ("email_sealed", SealedField()),
                ("address_sealed", SealedField()),
                ("bank_card_sealed", SealedField()),
                ("occupation_sealed", SealedField()),
                ("health_declaration_sealed", SealedField()),
                ("region_sealed", SealedField()),
                ("nickname_sealed", SealedField()),
                ("tags_sealed", SealedField()),
            ],
            options={
                "table": "person",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A data subject: an account holder, policyholder or insured (C04, C05).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Account",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "person",
                    fields.OneToOneField(
                        "models.Person",
                        source_field="person_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="account",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("username_sealed", SealedField()),
                ("opened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "account",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A person's login (C01); its username is personal data, sealed and looked up blindly.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="BlindEntry",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "column",
                    fields.IntEnumField(
                        description="PHONE: 1\nID_NUMBER: 2\nBANK_CARD: 3\nUSERNAME: 4",
                        enum_type=BlindColumn,
                        generated=False,
                    ),
                ),
                ("digest", fields.BinaryField()),
                (
                    "person",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="person_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            options={
                "table": "blind_index",
                "app": "models",
                "indexes": [Index(fields=["column", "digest"]), Index(fields=["person_id"])],
                "pk_attr": "id",
                "table_description": "HMAC-SHA-256 of a normalised value under its column's key, for equality look-ups only.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Consent",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "person",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="person_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "purpose",
                    fields.CharEnumField(
                        description="ACCOUNT_SERVICE: account_service\nAPPLICATION: application\nPOLICY_SERVICE: policy_service\nCLAIM_HANDLING: claim_handling\nVERIFICATION: verification\nHEALTH_SERVICE: health_service\nSERVICE_MESSAGE: service_message\nMARKETING: marketing\nANALYTICS: analytics\nRESEARCH: research\nSECURITY: security\nRIGHTS_REQUEST: rights_request\nREGULATORY_DISCLOSURE: regulatory_disclosure\nPRODUCT_DISPLAY: product_display\nADMINISTRATION: administration",
                        enum_type=Purpose,
                        max_length=24,
                    ),
                ),
                (
                    "recipient",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="recipient_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("categories", fields.IntField()),
                ("notice_version", fields.CharField(max_length=24)),
                ("notice_hash", fields.CharField(max_length=64)),
                ("granted_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("withdrawn_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("audience_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "consent",
                "app": "models",
                "indexes": [
                    Index(fields=["person_id", "purpose"]),
                    Index(fields=["person_id", "id"]),
                    Index(fields=["recipient_id", "id"]),
                    Index(fields=["purpose", "recipient_id", "audience_id"]),
                ],
                "pk_attr": "id",
                "table_description": "One consent. No `recipient` means the brokerage itself; `categories` is a stored set (`to_bits`).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DataKey",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "person",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="person_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "retention",
                    fields.IntEnumField(
                        description="ACCOUNT: 1\nCONTRACT: 2\nCLAIM: 3\nDEVICE: 4",
                        enum_type=Retention,
                        generated=False,
                    ),
                ),
                ("wrapped", fields.BinaryField(null=True)),
            ],
            options={
                "table": "data_key",
                "app": "models",
                "unique_together": (("person_id", "retention"),),
                "pk_attr": "id",
                "table_description": "The key of one (person, retention class). Without `wrapped` it is destroyed and its data erased (C29).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Device",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "person",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="person_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("model_sealed", SealedField()),
                ("ip_address_sealed", SealedField()),
                ("push_id_sealed", SealedField()),
                ("last_seen_at_sealed", SealedField()),
            ],
            options={
                "table": "device",
                "app": "models",
                "indexes": [Index(fields=["person_id", "id"])],
                "pk_attr": "id",
                "table_description": "One device of one person.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="GuardianLink",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "guardian",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="guardian_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="wards",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "child",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="child_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="guardians",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("verified_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("revoked_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "guardian_link",
                "app": "models",
                "indexes": [Index(fields=["guardian_id", "child_id"]), Index(fields=["child_id"])],
                "pk_attr": "id",
                "table_description": "A guardian's tie to a child; it counts while verified, not revoked and the child under age.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Product",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("code", fields.CharField(unique=True, max_length=32)),
                ("name", fields.CharField(max_length=120)),
                (
                    "insurer",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="insurer_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            options={
                "table": "product",
                "app": "models",
                "indexes": [Index(fields=["insurer_id"])],
                "pk_attr": "id",
                "table_description": "One insurance product of one insurer.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Policy",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("policy_number", fields.CharField(unique=True, max_length=32)),
                (
                    "product",
                    fields.ForeignKeyField(
                        "models.Product",
                        source_field="product_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "insurer",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="insurer_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "status",
                    fields.CharEnumField(
                        description="DRAFT: DRAFT\nSUBMITTED: SUBMITTED\nUNDERWRITING: UNDERWRITING\nDECLINED: DECLINED\nAWAITING_PAYMENT: AWAITING_PAYMENT\nIN_FORCE: IN_FORCE\nGRACE: GRACE\nLAPSED: LAPSED\nSURRENDERED: SURRENDERED\nEXPIRED: EXPIRED\nTERMINATED: TERMINATED",
                        enum_type=PolicyStatus,
                        max_length=20,
                    ),
                ),
                (
                    "holder",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="holder_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="held_policies",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "insured",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="insured_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="insured_policies",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("currency", fields.CharField(max_length=3)),
                ("starts_on", fields.DateField(null=True)),
                ("ends_on", fields.DateField(null=True)),
                ("premium_sealed", SealedField()),
                ("sum_insured_sealed", SealedField()),
            ],
            options={
                "table": "policy",
                "app": "models",
                "indexes": [
                    Index(fields=["insurer_id", "policy_number"]),
                    Index(fields=["status", "policy_number"]),
                    Index(fields=["holder_id", "policy_number"]),
                    Index(fields=["insured_id", "policy_number"]),
                    Index(fields=["product_id"]),
                ],
                "pk_attr": "id",
                "table_description": "One policy; its sums are sealed under the holder's contract key.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Beneficiary",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "policy",
                    fields.ForeignKeyField(
                        "models.Policy",
                        source_field="policy_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "holder",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="holder_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="named_beneficiaries",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "person",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="person_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="benefits",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("person_verified_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("name_sealed", SealedField()),
                ("id_number_sealed", SealedField()),
                ("phone_sealed", SealedField()),
                ("relation", fields.CharField(max_length=24)),
                ("position", fields.SmallIntField()),
                ("share", fields.DecimalField(max_digits=5, decimal_places=2)),
            ],
            options={
                "table": "beneficiary",
                "app": "models",
                "indexes": [
                    Index(fields=["policy_id", "position", "id"]),
                    Index(fields=["holder_id"]),
                    Index(fields=["person_id"]),
                ],
                "pk_attr": "id",
                "table_description": "One beneficiary. `person` is who it is, and counts only once `person_verified_at` is set.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Claim",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("claim_number", fields.CharField(unique=True, max_length=32)),
                (
                    "policy",
                    fields.ForeignKeyField(
                        "models.Policy",
                        source_field="policy_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "insurer",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="insurer_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "holder",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="holder_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="claims_on_held",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "insured",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="insured_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="claims_as_insured",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "status",
                    fields.CharEnumField(
                        description="DRAFT: DRAFT\nREPORTED: REPORTED\nMATERIALS_PENDING: MATERIALS_PENDING\nSUBMITTED: SUBMITTED\nREVIEWING: REVIEWING\nINVESTIGATING: INVESTIGATING\nAPPROVED: APPROVED\nREJECTED: REJECTED\nPAID: PAID\nCLOSED: CLOSED\nWITHDRAWN: WITHDRAWN",
                        enum_type=ClaimStatus,
                        max_length=20,
                    ),
                ),
                (
                    "reporter",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="reporter_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="reported_claims",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("reporter_verified_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "payee",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="payee_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="paid_claims",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("payee_verified_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("reporter_name_sealed", SealedField()),
                ("reporter_phone_sealed", SealedField()),
                ("incident_date_sealed", SealedField()),
                ("incident_description_sealed", SealedField()),
                ("hospital_sealed", SealedField()),
                ("diagnosis_sealed", SealedField()),
                ("medical_record_sealed", SealedField()),
                ("expenses_sealed", SealedField()),
                ("amount_claimed_sealed", SealedField()),
                ("amount_paid_sealed", SealedField()),
                ("bank_card_sealed", SealedField()),
                ("reported_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("closed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "claim",
                "app": "models",
                "indexes": [
                    Index(fields=["policy_id", "claim_number"]),
                    Index(fields=["insurer_id", "claim_number"]),
                    Index(fields=["insurer_id", "reported_at", "id"]),
                    Index(fields=["holder_id", "claim_number"]),
                    Index(fields=["insured_id", "claim_number"]),
                    Index(fields=["status", "claim_number"]),
                    Index(fields=["reported_at", "id"]),
                    Index(fields=["reporter_id"]),
                    Index(fields=["payee_id"]),
                ],
                "pk_attr": "id",
                "table_description": "One claim. Insurer, holder and insured repeat its policy's, and a foreign key keeps them equal.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="HealthService",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "policy",
                    fields.ForeignKeyField(
                        "models.Policy",
                        source_field="policy_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "provider",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="provider_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("starts_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ends_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "health_service",
                "app": "models",
                "indexes": [Index(fields=["policy_id"]), Index(fields=["provider_id", "policy_id"])],
                "pk_attr": "id",
                "table_description": "One service by one provider; it runs from `starts_at` until `ends_at`, without one for good.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RightsRequest",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "person",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="person_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="rights_requests",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "requester",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="requester_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="requests_made",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("kind", fields.CharField(max_length=16)),
                ("opened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("closed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "rights_request",
                "app": "models",
                "indexes": [Index(fields=["person_id"]), Index(fields=["requester_id"])],
                "pk_attr": "id",
                "table_description": "A person's request about their own data, made by themselves or by `requester`, their guardian.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Staff",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("username", fields.CharField(unique=True, max_length=64)),
                (
                    "role",
                    fields.CharEnumField(
                        description="CUSTOMER: customer\nGUARDIAN: guardian\nBROKER_AGENT: broker_agent\nCUSTOMER_SERVICE: customer_service\nCLAIMS_HANDLER: claims_handler\nRISK_ANALYST: risk_analyst\nMARKETER: marketer\nANALYST: analyst\nPRIVACY_OFFICER: privacy_officer\nSECURITY_ADMIN: security_admin\nAUDITOR: auditor\nDEVELOPER: developer\nINSURER: insurer\nHEALTH_PROVIDER: health_provider\nLOSS_ADJUSTER: loss_adjuster\nAFFILIATE: affiliate\nSERVICE_PROVIDER: service_provider\nAD_PARTNER: ad_partner\nANONYMOUS: anonymous",
                        enum_type=Role,
                        max_length=20,
                    ),
                ),
                ("left_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "staff",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Someone who works for the brokerage under a work name; a leaver keeps the row and loses access (C47).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DisclosureCase",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("kind", fields.CharField(max_length=24)),
                (
                    "purpose",
                    fields.CharEnumField(
                        description="ACCOUNT_SERVICE: account_service\nAPPLICATION: application\nPOLICY_SERVICE: policy_service\nCLAIM_HANDLING: claim_handling\nVERIFICATION: verification\nHEALTH_SERVICE: health_service\nSERVICE_MESSAGE: service_message\nMARKETING: marketing\nANALYTICS: analytics\nRESEARCH: research\nSECURITY: security\nRIGHTS_REQUEST: rights_request\nREGULATORY_DISCLOSURE: regulatory_disclosure\nPRODUCT_DISPLAY: product_display\nADMINISTRATION: administration",
                        enum_type=Purpose,
                        max_length=24,
                    ),
                ),
                (
                    "recipient",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="recipient_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("authority", fields.CharField(max_length=120)),
                ("document", fields.CharField(null=True, max_length=120)),
                ("categories", fields.IntField()),
                (
                    "approved_by",
                    fields.ForeignKeyField(
                        "models.Staff",
                        source_field="approved_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("approved_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("closed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "disclosure_case",
                "app": "models",
                "indexes": [Index(fields=["recipient_id"]), Index(fields=["approved_by_id"])],
                "pk_attr": "id",
                "table_description": "A lawful exception in one case: document, scope, approver and expiry (C25, C33, C45).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DisclosurePerson",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "case",
                    fields.ForeignKeyField(
                        "models.DisclosureCase",
                        source_field="case_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "person",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="person_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            options={
                "table": "disclosure_person",
                "app": "models",
                "unique_together": (("person_id", "case_id"),),
                "indexes": [Index(fields=["case_id"])],
                "pk_attr": "id",
                "table_description": "One person within the scope of a disclosure case.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="VerificationCase",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "person",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="person_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "claim",
                    fields.ForeignKeyField(
                        "models.Claim",
                        source_field="claim_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "consent",
                    fields.ForeignKeyField(
                        "models.Consent",
                        source_field="consent_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("opened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("closed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "verification_case",
                "app": "models",
                "indexes": [
                    Index(fields=["person_id"]),
                    Index(fields=["claim_id"]),
                    Index(fields=["consent_id"]),
                ],
                "pk_attr": "id",
                "table_description": "A check of one person's data with a third party; live while it and the consent it names are.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Assignment",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "staff",
                    fields.ForeignKeyField(
                        "models.Staff",
                        source_field="staff_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "organization",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="organization_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "policy",
                    fields.ForeignKeyField(
                        "models.Policy",
                        source_field="policy_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "claim",
                    fields.ForeignKeyField(
                        "models.Claim",
                        source_field="claim_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "verification_case",
                    fields.ForeignKeyField(
                        "models.VerificationCase",
                        source_field="verification_case_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "rights_request",
                    fields.ForeignKeyField(
                        "models.RightsRequest",
                        source_field="rights_request_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "disclosure_case",
                    fields.ForeignKeyField(
                        "models.DisclosureCase",
                        source_field="disclosure_case_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("assigned_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "assignment",
                "app": "models",
                "indexes": [
                    Index(fields=["staff_id", "policy_id"]),
                    Index(fields=["staff_id", "claim_id"]),
                    Index(fields=["organization_id", "claim_id"]),
                    Index(fields=["policy_id"]),
                    Index(fields=["claim_id"]),
                    Index(fields=["verification_case_id"]),
                    Index(fields=["rights_request_id"]),
                    Index(fields=["disclosure_case_id"]),
                ],
                "pk_attr": "id",
                "table_description": "One piece of work of one member of staff or one organization; exactly one of each side is set.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="VirtualPhone",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "person",
                    fields.ForeignKeyField(
                        "models.Person",
                        source_field="person_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "organization",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="organization_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("number_sealed", SealedField()),
                ("issued_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "virtual_phone",
                "app": "models",
                "indexes": [
                    Index(fields=["person_id", "organization_id"]),
                    Index(fields=["organization_id"]),
                ],
                "pk_attr": "id",
                "table_description": "One relay number per (organization, person); no organization means the brokerage itself.",
            },
            bases=["Model"],
        ),
    ]
