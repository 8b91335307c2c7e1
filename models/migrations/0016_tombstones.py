from tortoise import migrations
from tortoise.migrations import operations as ops

from models.tombstones import TABLES as TOMBSTONES
from models.wrapping_versions import TABLES as VERSIONS


class Migration(migrations.Migration):
    dependencies = [("models", "0015_retention")]

    initial = False

    operations = [ops.RunSQL([*TOMBSTONES, *VERSIONS])]
