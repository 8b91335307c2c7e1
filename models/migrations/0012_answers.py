from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0011_guardians")]

    initial = False

    operations = [
        ops.AddField(model_name="IdempotencyKey", name="answer", field=fields.TextField(null=True)),
    ]
