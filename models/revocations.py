"""What is taken back before its time, and what must not be used twice: shared by every worker."""

from enum import StrEnum

from tortoise import fields
from tortoise.fields.db_defaults import SqlDefault
from tortoise.models import Model


class Revoked(StrEnum):
    """What a revocation takes back."""

    TOKEN = "TOKEN"  # noqa: S105 - a kind, not a secret
    SESSION = "SESSION"
    CLIENT = "CLIENT"
    CLIENT_KEY = "CLIENT_KEY"
    """What a client's key brought: the hash of both (`client_key`)."""
    AGREEMENT = "AGREEMENT"
    SUBJECT = "SUBJECT"
    """An account, member of staff or organization: their tokens issued up to now, to the second."""


class Revocation(Model):
    """One revocation; it can go once the last token it concerns has expired."""

    id = fields.BigIntField(primary_key=True)
    kind = fields.CharEnumField(Revoked, max_length=12)
    key = fields.CharField(max_length=64)
    revoked_at = fields.DatetimeField(db_default=SqlDefault("clock_timestamp()"))
    expires_at = fields.DatetimeField()

    class Meta:
        table = "revocation"
        indexes = (("revoked_at",), ("expires_at",))


class UsedProof(Model):
    """The hash of an assertion's, proof's or code's identifier, kept while it could be replayed (RFC 9449, 11.1)."""

    id = fields.CharField(max_length=64, primary_key=True)
    expires_at = fields.DatetimeField()

    class Meta:
        table = "used_proof"
        indexes = (("expires_at",),)


class TokenUse(Model):
    """How many rows with sensitive fields a token with a row ceiling has been shown."""

    token_id = fields.CharField(max_length=64, primary_key=True)
    shown = fields.IntField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "token_use"
        indexes = (("expires_at",),)


class RateCount(Model):
    """Requests counted in one window of a rate limit, where the database keeps them."""

    key = fields.CharField(max_length=200, primary_key=True)
    count = fields.IntField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "rate_count"
        indexes = (("expires_at",),)
