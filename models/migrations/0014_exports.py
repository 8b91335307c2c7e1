from tortoise import migrations
from tortoise.migrations import operations as ops

from models.exports import TABLES


class Migration(migrations.Migration):
    dependencies = [("models", "0013_rights")]

    initial = False

    operations = [ops.RunSQL([*TABLES])]
