from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from models.devices import PushIdKind
from models.people import PersonSource
from models.permissions import PermissionKind
from models.products import Part
from models.sealed import SealedField


class Migration(migrations.Migration):
    dependencies = [("models", "0004_callers_constraints")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Correction",
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
                ("coordinate", fields.CharField(max_length=48)),
                ("earlier_sealed", SealedField(null=True)),
                ("corrected_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "correction",
                "app": "models",
                "indexes": [Index(fields=["person_id", "corrected_at", "id"])],
                "pk_attr": "id",
                "table_description": "One corrected datum; its earlier value is sealed under the person's account key.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="CorrectionRecipient",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "correction",
                    fields.ForeignKeyField(
                        "models.Correction",
                        source_field="correction_id",
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
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            options={
                "table": "correction_recipient",
                "app": "models",
                "unique_together": (("correction_id", "organization_id"),),
                "indexes": [Index(fields=["organization_id"])],
                "pk_attr": "id",
                "table_description": "An organization that may have had the earlier value and has to be told.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("client", fields.UUIDField()),
                ("key_digest", fields.BinaryField()),
                ("request_digest", fields.BinaryField()),
                ("noun", fields.CharField(max_length=24)),
                ("row_id", fields.UUIDField()),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "idempotency_key",
                "app": "models",
                "unique_together": (("client", "key_digest"),),
                "indexes": [Index(fields=["expires_at"])],
                "pk_attr": "id",
                "table_description": "One write done under a client's key. Key and request are kept as keyed hashes: a request holds personal data.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Permission",
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
                    "kind",
                    fields.CharEnumField(
                        description="STORAGE: STORAGE\nPUSH: PUSH\nCAMERA: CAMERA\nCALL: CALL\nALBUM: ALBUM\nCOOKIE_PREFERENCES: COOKIE_PREFERENCES\nCOOKIE_SECURITY: COOKIE_SECURITY\nCOOKIE_EFFICIENCY: COOKIE_EFFICIENCY\nCOOKIE_RESEARCH: COOKIE_RESEARCH",
                        enum_type=PermissionKind,
                        max_length=24,
                    ),
                ),
                ("granted", fields.BooleanField()),
                ("decided_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "permission",
                "app": "models",
                "unique_together": (("person_id", "kind"),),
                "pk_attr": "id",
                "table_description": "A person's last word on one permission; without a row it was never given.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ProductItem",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
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
                    "part",
                    fields.CharEnumField(
                        description="POLICYHOLDER: policyholder\nINSURED: insured\nBENEFICIARY: beneficiary\nCLAIM: claim",
                        enum_type=Part,
                        max_length=12,
                    ),
                ),
                ("item", fields.CharField(max_length=32)),
                ("clause", fields.CharField(max_length=12)),
            ],
            options={
                "table": "product_item",
                "app": "models",
                "unique_together": (("product_id", "part", "item"),),
                "pk_attr": "id",
                "table_description": "One data item that a product needs, and the clause that lets the brokerage collect it (C04-C06, C08).",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Claim",
            name="diagnosis_code_sealed",
            field=SealedField(null=True),
        ),
        ops.AddField(
            model_name="Claim",
            name="reporter_relation",
            field=fields.CharField(null=True, max_length=24),
        ),
        ops.AddField(
            model_name="Claim",
            name="requested_items",
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name="Claim",
            name="version",
            field=fields.IntField(db_default=1),
        ),
        ops.AddField(
            model_name="Consent",
            name="guardian",
            field=fields.ForeignKeyField(
                "models.Person",
                source_field="guardian_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="consents_given_for_wards",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        ops.AddIndex(
            model_name="Consent",
            index=Index(fields=["guardian_id"]),
        ),
        ops.AddField(
            model_name="Device",
            name="push_id_kind",
            field=fields.CharEnumField(
                null=True,
                description="ANDROID_ID: ANDROID_ID\nIDFA: IDFA\nOAID: OAID",
                enum_type=PushIdKind,
                max_length=12,
            ),
        ),
        ops.AlterField(
            model_name="Person",
            name="source",
            field=fields.CharEnumField(
                description="DEMO: demo\nREGISTERED: registered\nAPPLICATION: application",
                enum_type=PersonSource,
                max_length=12,
            ),
        ),
        ops.AddField(
            model_name="Person",
            name="avatar_sealed",
            field=SealedField(null=True),
        ),
        ops.AddField(
            model_name="Person",
            name="profile_source_sealed",
            field=SealedField(null=True),
        ),
        ops.AddField(
            model_name="Person",
            name="version",
            field=fields.IntField(db_default=1),
        ),
        ops.AddField(
            model_name="Policy",
            name="version",
            field=fields.IntField(db_default=1),
        ),
        # A withdrawn claim without a time of closing is a withdrawn draft from now on.
        ops.RunSQL("UPDATE claim SET closed_at = reported_at WHERE status = 'WITHDRAWN' AND closed_at IS NULL"),
    ]
