"""Partners: the agreements that let an organization in, its clients and their public keys (C31, C35, C36, C38, C39)."""

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model


class Responsibility(StrEnum):
    """As what a partner processes data: on its own account, or for the brokerage only (C38, C39)."""

    INDEPENDENT_CONTROLLER = "INDEPENDENT_CONTROLLER"
    PROCESSOR = "PROCESSOR"


class Agreement(Model):
    """One recorded agreement with an organization: no token goes beyond it, and none outlives it (C38).

    `purposes` is a list of purposes, `categories` a stored set (`to_bits`). An affiliate's counts only with its
    attestation that its own policy protects equally (C35).
    """

    id = fields.UUIDField(primary_key=True)
    organization = fields.ForeignKeyField("models.Organization", on_delete=fields.RESTRICT)
    reference = fields.CharField(max_length=64, unique=True)
    responsibility = fields.CharEnumField(Responsibility, max_length=24)
    purposes = fields.JSONField()
    categories = fields.IntField()
    valid_from = fields.DatetimeField()
    valid_to = fields.DatetimeField()
    attested_at = fields.DatetimeField(null=True)
    attested_until = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "agreement"
        indexes = (("organization_id", "valid_to"),)


class PartnerClient(Model):
    """One machine client of a partner. `contact` reaches whoever runs it; a shared secret exists in demo mode only."""

    id = fields.CharField(max_length=40, primary_key=True)
    organization = fields.ForeignKeyField("models.Organization", on_delete=fields.RESTRICT)
    contact = fields.CharField(max_length=255)
    secret_hash = fields.CharField(max_length=64, null=True)
    registered_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "partner_client"
        indexes = (("organization_id",),)


class PartnerKey(Model):
    """A public key (JWK, RFC 7517) that a client signs its assertions with (RFC 7523)."""

    id = fields.BigIntField(primary_key=True)
    client = fields.ForeignKeyField("models.PartnerClient", on_delete=fields.RESTRICT)
    kid = fields.CharField(max_length=64)
    jwk = fields.JSONField()
    registered_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "partner_key"
        unique_together = (("client_id", "kid"),)
