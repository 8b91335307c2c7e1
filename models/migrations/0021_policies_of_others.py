from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0020_scheduler")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Organization", name="privacy_policy", field=fields.CharField(null=True, max_length=200)
        ),
    ]
