"""Accounts: the logins of people, and the staff who work with their data."""

from tortoise import fields
from tortoise.models import Model

from models.sealed import SealedField
from models.vocabulary import Role


class Account(Model):
    """A person's login (C01); its username is personal data, sealed and looked up blindly."""

    id = fields.UUIDField(primary_key=True)
    person = fields.OneToOneField("models.Person", on_delete=fields.RESTRICT, related_name="account")
    username_sealed = SealedField()
    opened_at = fields.DatetimeField()
    cancelled_at = fields.DatetimeField(null=True)
    """From then on nobody logs in and nothing more is written by it; what is left of it is erased (C70)."""

    class Meta:
        table = "account"


class Staff(Model):
    """Someone who works for the brokerage under a work name; a leaver keeps the row and loses access (C47)."""

    id = fields.UUIDField(primary_key=True)
    username = fields.CharField(max_length=64, unique=True)
    role = fields.CharEnumField(Role, max_length=20)
    left_at = fields.DatetimeField(null=True)

    class Meta:
        table = "staff"
