from tortoise import migrations
from tortoise.migrations import operations as ops

from models.statistics import TABLES


class Migration(migrations.Migration):
    dependencies = [("models", "0017_disclosures")]

    initial = False

    operations = [ops.RunSQL([*TABLES])]
