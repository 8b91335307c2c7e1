from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.fields.db_defaults import SqlDefault
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from models.logins import SessionEnd
from models.partners import Responsibility
from models.revocations import Revoked
from models.sealed import SealedField
from models.vocabulary import BlindColumn, Role


class Migration(migrations.Migration):
    dependencies = [("models", "0002_constraints")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Agreement",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "organization",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="organization_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("reference", fields.CharField(unique=True, max_length=64)),
                (
                    "responsibility",
                    fields.CharEnumField(
                        description="INDEPENDENT_CONTROLLER: INDEPENDENT_CONTROLLER\nPROCESSOR: PROCESSOR",
                        enum_type=Responsibility,
                        max_length=24,
                    ),
                ),
                ("purposes", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("categories", fields.IntField()),
                ("valid_from", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("valid_to", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("attested_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "agreement",
                "app": "models",
                "indexes": [Index(fields=["organization_id", "valid_to"])],
                "pk_attr": "id",
                "table_description": "One recorded agreement with an organization: no token goes beyond it, and none outlives it (C38).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="FailedLogin",
            fields=[
                ("identifier", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("failures", fields.IntField()),
                ("failed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("locked_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "failed_login",
                "app": "models",
                "indexes": [Index(fields=["failed_at"])],
                "pk_attr": "identifier",
                "table_description": "Failures in a row under one identifier, whether or not there is a login of it (no enumeration).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Login",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "account",
                    fields.OneToOneField(
                        "models.Account",
                        source_field="account_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="login",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "staff",
                    fields.OneToOneField(
                        "models.Staff",
                        source_field="staff_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="login",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("password_hash", fields.CharField(max_length=160)),
                ("temporary", fields.BooleanField()),
                ("wrapped", fields.BinaryField(null=True)),
                ("totp_sealed", SealedField(null=True)),
                ("pending_wrapped", fields.BinaryField(null=True)),
                ("pending_totp_sealed", SealedField(null=True)),
                ("totp_step", fields.BigIntField(null=True)),
                ("locked_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("changed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "login",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The built-in login of one account or one member of staff; exactly one of the two is set.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PartnerClient",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40)),
                (
                    "organization",
                    fields.ForeignKeyField(
                        "models.Organization",
                        source_field="organization_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("contact", fields.CharField(max_length=255)),
                ("secret_hash", fields.CharField(null=True, max_length=64)),
                ("registered_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "partner_client",
                "app": "models",
                "indexes": [Index(fields=["organization_id"])],
                "pk_attr": "id",
                "table_description": "One machine client of a partner. `contact` reaches whoever runs it; a shared secret exists in demo mode only.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PartnerKey",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "client",
                    fields.ForeignKeyField(
                        "models.PartnerClient",
                        source_field="client_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("kid", fields.CharField(max_length=64)),
                ("jwk", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("registered_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "partner_key",
                "app": "models",
                "unique_together": (("client_id", "kid"),),
                "pk_attr": "id",
                "table_description": "A public key (JWK, RFC 7517) that a client signs its assertions with (RFC 7523).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RateCount",
            fields=[
                ("key", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=200)),
                ("count", fields.IntField()),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "rate_count",
                "app": "models",
                "indexes": [Index(fields=["expires_at"])],
                "pk_attr": "key",
                "table_description": "Requests counted in one window of a rate limit, where the database keeps them.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RegisteredOperation",
            fields=[
                ("hash", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("name", fields.CharField(max_length=120)),
                ("document", fields.TextField(unique=False)),
                ("registered_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "registered_operation",
                "app": "models",
                "pk_attr": "hash",
                "table_description": "One document; `hash` is the hex SHA-256 of its UTF-8 text, byte for byte.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Revocation",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "kind",
                    fields.CharEnumField(
                        description="TOKEN: TOKEN\nSESSION: SESSION\nCLIENT: CLIENT\nCLIENT_KEY: CLIENT_KEY\nAGREEMENT: AGREEMENT\nSUBJECT: SUBJECT",
                        enum_type=Revoked,
                        max_length=12,
                    ),
                ),
                ("key", fields.CharField(max_length=64)),
                (
                    "revoked_at",
                    fields.DatetimeField(
                        db_default=SqlDefault("clock_timestamp()"), auto_now=False, auto_now_add=False
                    ),
                ),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "revocation",
                "app": "models",
                "indexes": [Index(fields=["revoked_at"]), Index(fields=["expires_at"])],
                "pk_attr": "id",
                "table_description": "One revocation; it can go once the last token it concerns has expired.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RoleMapping",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("issuer", fields.CharField(max_length=255)),
                ("claim", fields.CharField(max_length=64)),
                ("value", fields.CharField(max_length=255)),
                (
                    "role",
                    fields.CharEnumField(
                        description="CUSTOMER: customer\nGUARDIAN: guardian\nBROKER_AGENT: broker_agent\nCUSTOMER_SERVICE: customer_service\nCLAIMS_HANDLER: claims_handler\nRISK_ANALYST: risk_analyst\nMARKETER: marketer\nANALYST: analyst\nPRIVACY_OFFICER: privacy_officer\nSECURITY_ADMIN: security_admin\nAUDITOR: auditor\nDEVELOPER: developer\nINSURER: insurer\nHEALTH_PROVIDER: health_provider\nLOSS_ADJUSTER: loss_adjuster\nAFFILIATE: affiliate\nSERVICE_PROVIDER: service_provider\nAD_PARTNER: ad_partner\nANONYMOUS: anonymous",
                        enum_type=Role,
                        max_length=20,
                    ),
                ),
            ],
            options={
                "table": "role_mapping",
                "app": "models",
                "unique_together": (("issuer", "claim", "value"),),
                "pk_attr": "id",
                "table_description": "Which role a claim's value of an issuer's ID token stands for; a member of staff has exactly one.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Session",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "account",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="account_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
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
                    "role",
                    fields.CharEnumField(
                        description="CUSTOMER: customer\nGUARDIAN: guardian\nBROKER_AGENT: broker_agent\nCUSTOMER_SERVICE: customer_service\nCLAIMS_HANDLER: claims_handler\nRISK_ANALYST: risk_analyst\nMARKETER: marketer\nANALYST: analyst\nPRIVACY_OFFICER: privacy_officer\nSECURITY_ADMIN: security_admin\nAUDITOR: auditor\nDEVELOPER: developer\nINSURER: insurer\nHEALTH_PROVIDER: health_provider\nLOSS_ADJUSTER: loss_adjuster\nAFFILIATE: affiliate\nSERVICE_PROVIDER: service_provider\nAD_PARTNER: ad_partner\nANONYMOUS: anonymous",
                        enum_type=Role,
                        max_length=20,
                    ),
                ),
                ("opened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("used_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("second_factor_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "ended_because",
                    fields.CharEnumField(
                        null=True,
                        description="LOGGED_OUT: LOGGED_OUT\nREPLACED: REPLACED\nREFRESH_REUSED: REFRESH_REUSED\nPASSWORD_CHANGED: PASSWORD_CHANGED\nLOCKED: LOCKED\nROLE_CHANGED: ROLE_CHANGED\nLEFT: LEFT\nRESET: RESET",
                        enum_type=SessionEnd,
                        max_length=20,
                    ),
                ),
            ],
            options={
                "table": "session",
                "app": "models",
                "indexes": [
                    Index(fields=["account_id", "ended_at"]),
                    Index(fields=["staff_id", "ended_at"]),
                    Index(fields=["expires_at"]),
                    Index(fields=["ended_at"]),
                ],
                "pk_attr": "id",
                "table_description": "One login in use: of an account or a member of staff, in one role.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RefreshToken",
            fields=[
                ("digest", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                (
                    "session",
                    fields.ForeignKeyField(
                        "models.Session",
                        source_field="session_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("issued_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "refresh_token",
                "app": "models",
                "indexes": [Index(fields=["session_id"])],
                "pk_attr": "digest",
                "table_description": "One refresh token of a session: good once. A second use is theft and ends the session (OAuth 2.0 BCP, 4.14).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="StaffIdentity",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("issuer", fields.CharField(max_length=255)),
                ("subject", fields.CharField(max_length=255)),
                (
                    "staff",
                    fields.ForeignKeyField(
                        "models.Staff",
                        source_field="staff_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            options={
                "table": "staff_identity",
                "app": "models",
                "unique_together": (("issuer", "subject"),),
                "indexes": [Index(fields=["staff_id"])],
                "pk_attr": "id",
                "table_description": "A member of staff as an OpenID Connect issuer knows them.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TokenUse",
            fields=[
                ("token_id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("shown", fields.IntField()),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "token_use",
                "app": "models",
                "indexes": [Index(fields=["expires_at"])],
                "pk_attr": "token_id",
                "table_description": "How many rows with sensitive fields a token with a row ceiling has been shown.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="UsedProof",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "used_proof",
                "app": "models",
                "indexes": [Index(fields=["expires_at"])],
                "pk_attr": "id",
                "table_description": "The hash of an assertion's, proof's or code's identifier, kept while it could be replayed (RFC 9449, 11.1).",
            },
            bases=["Model"],
        ),
        ops.AlterField(
            model_name="BlindEntry",
            name="column",
            field=fields.IntEnumField(
                description="PHONE: 1\nID_NUMBER: 2\nBANK_CARD: 3\nUSERNAME: 4\nLOGIN_PHONE: 5",
                enum_type=BlindColumn,
                generated=False,
            ),
        ),
    ]
