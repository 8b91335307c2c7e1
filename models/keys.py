"""Data keys, wrapped, and the blind index: what opens sealed values and what finds them."""

from tortoise import fields
from tortoise.models import Model

from models.vocabulary import BlindColumn, Retention


class DataKey(Model):
    """The key of one (person, retention class). Without `wrapped` it is destroyed and its data erased (C29).

    `erased_at`: when, the last time. Who comes back later gets a new key, which an old tombstone leaves alone.
    """

    id = fields.BigIntField(primary_key=True)
    person = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT)
    retention = fields.IntEnumField(Retention)
    wrapped = fields.BinaryField(null=True)
    erased_at = fields.DatetimeField(null=True)

    class Meta:
        table = "data_key"
        unique_together = (("person_id", "retention"),)


class BlindEntry(Model):
    """HMAC-SHA-256 of a normalised value under its column's key, for equality look-ups only."""

    id = fields.BigIntField(primary_key=True)
    column = fields.IntEnumField(BlindColumn)
    digest = fields.BinaryField()
    person = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT)

    class Meta:
        table = "blind_index"
        indexes = (("column", "digest"), ("person_id",))
