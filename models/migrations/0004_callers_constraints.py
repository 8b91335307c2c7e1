from tortoise import migrations
from tortoise.migrations import operations as ops

from models.constraints import ON_CALLERS


class Migration(migrations.Migration):
    dependencies = [("models", "0003_callers")]

    operations = [ops.RunSQL(ON_CALLERS)]
