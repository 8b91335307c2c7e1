from tortoise import migrations
from tortoise.migrations import operations as ops

from models.ceasings import TABLES as CEASING
from models.scheduling import TABLES as SCHEDULING


class Migration(migrations.Migration):
    dependencies = [("models", "0019_duties")]

    initial = False

    operations = [ops.RunSQL([*CEASING, *SCHEDULING])]
