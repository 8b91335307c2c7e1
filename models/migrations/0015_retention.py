from tortoise import fields, migrations
from tortoise.fields.db_defaults import SqlDefault
from tortoise.migrations import operations as ops

from models.retention import TABLES, TODAY
from models.vocabulary import Retention


class Migration(migrations.Migration):
    dependencies = [("models", "0014_exports")]

    initial = False

    operations = [
        ops.AlterField(
            model_name="DataKey",
            name="retention",
            field=fields.IntEnumField(
                description="ACCOUNT: 1\nCONTRACT: 2\nCLAIM: 3\nDEVICE: 4\nRESTRICTED: 5", enum_type=Retention
            ),
        ),
        ops.AddField(model_name="DataKey", name="erased_at", field=fields.DatetimeField(null=True)),
        *(
            ops.AddField(model_name=model, name="changed_on", field=fields.DateField(db_default=SqlDefault(TODAY)))
            for model in ("Policy", "Claim", "Device")
        ),
        ops.RunSQL([*TABLES]),
    ]
