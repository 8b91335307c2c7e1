from tortoise import migrations
from tortoise.migrations import operations as ops

from models.constraints import LISTS


class Migration(migrations.Migration):
    dependencies = [("models", "0021_policies_of_others")]

    initial = False

    operations = [ops.RunSQL([*LISTS])]
