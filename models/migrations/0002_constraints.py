from tortoise import migrations
from tortoise.migrations import operations as ops

from models.constraints import STATEMENTS


class Migration(migrations.Migration):
    dependencies = [("models", "0001_initial")]

    operations = [ops.RunSQL(STATEMENTS)]
