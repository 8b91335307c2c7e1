from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0008_notices")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Consent",
            name="withdrawn_by",
            field=fields.ForeignKeyField(
                "models.Person",
                source_field="withdrawn_by_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="consents_taken_back",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        ops.AddIndex(model_name="Consent", index=Index(fields=["withdrawn_by_id"])),
    ]
