"""Idempotency keys: which write a client's key stands for, for a day."""

from tortoise import fields
from tortoise.models import Model


class IdempotencyKey(Model):
    """One write done under a client's key. Key and request are kept as keyed hashes: a request holds personal data.

    `noun` and `row_id` are what was written; the answer to a repeated request is read from there anew. A write that is
    about no row of a noun keeps its `answer` itself (JSON), which holds nothing sensitive, under its decision's id.
    """

    id = fields.BigIntField(primary_key=True)
    client = fields.UUIDField()
    key_digest = fields.BinaryField()
    request_digest = fields.BinaryField()
    noun = fields.CharField(max_length=24)
    row_id = fields.UUIDField()
    answer = fields.TextField(null=True)
    expires_at = fields.DatetimeField()

    class Meta:
        table = "idempotency_key"
        unique_together = (("client", "key_digest"),)
        indexes = (("expires_at",),)
