"""Permissions of the app and uses of cookies: what a person opted in to, one by one (C13-C15)."""

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model


class PermissionKind(StrEnum):
    """What a person may allow: five permissions of the app (C15) and four uses of cookies (C14)."""

    STORAGE = "STORAGE"
    PUSH = "PUSH"
    CAMERA = "CAMERA"
    CALL = "CALL"
    ALBUM = "ALBUM"
    COOKIE_PREFERENCES = "COOKIE_PREFERENCES"
    COOKIE_SECURITY = "COOKIE_SECURITY"
    COOKIE_EFFICIENCY = "COOKIE_EFFICIENCY"
    COOKIE_RESEARCH = "COOKIE_RESEARCH"


class Permission(Model):
    """A person's last word on one permission; without a row it was never given."""

    id = fields.UUIDField(primary_key=True)
    person = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT)
    kind = fields.CharEnumField(PermissionKind, max_length=24)
    granted = fields.BooleanField()
    decided_at = fields.DatetimeField()

    class Meta:
        table = "permission"
        unique_together = (("person_id", "kind"),)
