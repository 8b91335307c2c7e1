from tortoise import fields, migrations
from tortoise.fields.db_defaults import SqlDefault
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from models.ledger import ADD, EARLIER, KEPT, PARTITIONS, TABLES
from models.person_references import RANDOM
from models.reviews import TABLES as REVIEWS


class Migration(migrations.Migration):
    dependencies = [("models", "0005_writes")]

    initial = False

    operations = [
        ops.RunSQL(KEPT),
        ops.DeleteModel(name="LedgerRow"),
        ops.RunSQL([PARTITIONS, *TABLES, ADD, *REVIEWS]),
        ops.RunSQL(EARLIER),
        ops.CreateModel(
            name="PersonReference",
            fields=[
                ("person_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("reference", fields.BigIntField(db_default=SqlDefault(RANDOM), unique=True)),
            ],
            options={
                "table": "person_reference",
                "app": "models",
                "pk_attr": "person_id",
                "table_description": (
                    "Whom a reference of the ledger stands for. No key ties it to `person`: it may be a moment older"
                    " than its row."
                ),
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DisclosureLease",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("subject", fields.UUIDField()),
                ("role", fields.CharField(max_length=32)),
                ("purpose", fields.CharField(max_length=32)),
                ("span", fields.CharField(max_length=4)),
                ("begins_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ends_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("leased", fields.IntField()),
                ("granted", fields.IntField()),
                ("alarmed", fields.BooleanField(db_default=False)),
            ],
            options={
                "table": "disclosure_lease",
                "app": "models",
                "unique_together": (("subject", "role", "purpose", "span", "begins_at"),),
                "indexes": [Index(fields=["ends_at"])],
                "pk_attr": "id",
                "table_description": (
                    "One subject's hour or day for one purpose. `leased` only rises, up to the budget; `granted` is its"
                    " last step."
                ),
            },
            bases=["Model"],
        ),
    ]
