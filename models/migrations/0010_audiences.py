from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from models.audiences import TABLES
from models.vocabulary import BlindColumn


class Migration(migrations.Migration):
    dependencies = [("models", "0009_consents")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Agreement",
            name="attested_until",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="VirtualPhone",
            name="number_digest",
            field=fields.BinaryField(null=True),
        ),
        ops.AlterField(
            model_name="BlindEntry",
            name="column",
            field=fields.IntEnumField(
                description="PHONE: 1\nID_NUMBER: 2\nBANK_CARD: 3\nUSERNAME: 4\nLOGIN_PHONE: 5\nTAG: 6",
                enum_type=BlindColumn,
                generated=False,
            ),
        ),
        ops.RunSQL([*TABLES]),
    ]
