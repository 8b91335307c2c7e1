from tortoise import migrations
from tortoise.migrations import operations as ops

from models.rulesets import TABLES


class Migration(migrations.Migration):
    dependencies = [("models", "0006_ledger")]

    initial = False

    operations = [ops.RunSQL([*TABLES])]
