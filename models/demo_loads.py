"""What demo data a database holds, so that it is replaced and never mixed with any other."""

from tortoise import fields
from tortoise.models import Model


class DemoLoad(Model):
    """The one load of demo data a database may hold: its size and seed."""

    id = fields.SmallIntField(primary_key=True, generated=False)
    people = fields.IntField()
    seed = fields.IntField()
    loaded_at = fields.DatetimeField()

    class Meta:
        table = "demo_load"
