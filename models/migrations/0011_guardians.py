from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from models.cases import VERIFICATION
from models.guardian_links import TABLES as GUARDIANS
from models.minor_cases import TABLES as MINORS


class Migration(migrations.Migration):
    dependencies = [("models", "0010_audiences")]

    initial = False

    operations = [
        ops.AddField(model_name="GuardianLink", name="request_id", field=fields.UUIDField(null=True)),
        ops.AddField(model_name="GuardianLink", name="verified_by", field=fields.CharField(null=True, max_length=36)),
        ops.AddField(model_name="GuardianLink", name="revoked_by", field=fields.CharField(null=True, max_length=36)),
        ops.AddIndex(model_name="GuardianLink", index=Index(fields=["request_id"])),
        ops.AddField(
            model_name="VerificationCase",
            name="policy",
            field=fields.ForeignKeyField(
                "models.Policy",
                source_field="policy_id",
                null=True,
                db_constraint=True,
                to_field="id",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        ops.AddField(
            model_name="VerificationCase",
            name="source",
            field=fields.ForeignKeyField(
                "models.Organization",
                source_field="source_id",
                null=True,
                db_constraint=True,
                to_field="id",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        ops.AddField(
            model_name="VerificationCase", name="source_name", field=fields.CharField(null=True, max_length=120)
        ),
        ops.AddField(model_name="VerificationCase", name="aspects", field=fields.IntField(null=True)),
        ops.AddField(model_name="VerificationCase", name="opened_by", field=fields.UUIDField(null=True)),
        ops.AddIndex(model_name="VerificationCase", index=Index(fields=["policy_id"])),
        ops.RunSQL([*GUARDIANS, *MINORS, *VERIFICATION]),
    ]
