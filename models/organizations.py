"""Organizations: the brokerage and everyone it shares data with."""

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model


class OrganizationKind(StrEnum):
    """What an organization is to the brokerage."""

    BROKER = "BROKER"
    INSURER = "INSURER"
    HEALTH_PROVIDER = "HEALTH_PROVIDER"
    LOSS_ADJUSTER = "LOSS_ADJUSTER"
    AFFILIATE = "AFFILIATE"
    SERVICE_PROVIDER = "SERVICE_PROVIDER"
    AD_PARTNER = "AD_PARTNER"


class Organization(Model):
    """One legal entity, known by its code."""

    id = fields.UUIDField(primary_key=True)
    code = fields.CharField(max_length=32, unique=True)
    name = fields.CharField(max_length=120)
    kind = fields.CharEnumField(OrganizationKind, max_length=20)
    privacy_policy = fields.CharField(max_length=200, null=True)
    """Where its own privacy policy is published (C74)."""

    class Meta:
        table = "organization"
