from tortoise import migrations
from tortoise.migrations import operations as ops

from models.notices import TABLES


class Migration(migrations.Migration):
    dependencies = [("models", "0007_rulesets")]

    initial = False

    operations = [ops.RunSQL([*TABLES])]
