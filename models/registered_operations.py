"""Registered operations: the documents that anonymous callers may run, found by their hash."""

from tortoise import fields
from tortoise.models import Model


class RegisteredOperation(Model):
    """One document; `hash` is the hex SHA-256 of its UTF-8 text, byte for byte."""

    hash = fields.CharField(max_length=64, primary_key=True)
    name = fields.CharField(max_length=120)
    document = fields.TextField()
    registered_at = fields.DatetimeField()

    class Meta:
        table = "registered_operation"
