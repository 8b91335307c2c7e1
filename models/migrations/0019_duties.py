from tortoise import migrations
from tortoise.migrations import operations as ops

from models.duties import TABLES as DUTIES
from models.incidents import TABLES as INCIDENTS


class Migration(migrations.Migration):
    dependencies = [("models", "0018_statistics")]

    initial = False

    operations = [ops.RunSQL([*INCIDENTS, *DUTIES])]
