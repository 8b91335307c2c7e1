"""Logins: what lets a person or a member of staff in, their sessions, and what was tried in vain (C49, C50, C53)."""

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.sealed import SealedField
from models.vocabulary import Role


class SessionEnd(StrEnum):
    """Why a session ended."""

    LOGGED_OUT = "LOGGED_OUT"
    REPLACED = "REPLACED"
    REFRESH_REUSED = "REFRESH_REUSED"
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105 - a reason, not a secret
    LOCKED = "LOCKED"
    ROLE_CHANGED = "ROLE_CHANGED"
    LEFT = "LEFT"
    RESET = "RESET"
    """By the operator, who has given a new password."""


class Login(Model):
    """The built-in login of one account or one member of staff; exactly one of the two is set.

    The password stands as an argon2id string, the second factor's secret (RFC 6238) sealed under a data key of its own.
    """

    id = fields.UUIDField(primary_key=True)
    account = fields.OneToOneField("models.Account", on_delete=fields.RESTRICT, related_name="login", null=True)
    staff = fields.OneToOneField("models.Staff", on_delete=fields.RESTRICT, related_name="login", null=True)
    password_hash = fields.CharField(max_length=160)
    temporary = fields.BooleanField()
    """Given by somebody else: the first login has to replace it (C58)."""
    wrapped = fields.BinaryField(null=True)
    totp_sealed = SealedField()
    pending_wrapped = fields.BinaryField(null=True)
    pending_totp_sealed = SealedField()
    """A secret that takes the place of the one before with its first code; until then it counts for nothing."""
    totp_step = fields.BigIntField(null=True)
    """The last time step a code was accepted for: none is accepted twice."""
    locked_until = fields.DatetimeField(null=True)
    changed_at = fields.DatetimeField()

    class Meta:
        table = "login"


class FailedLogin(Model):
    """Failures in a row under one identifier, whether or not there is a login of it (no enumeration)."""

    identifier = fields.CharField(max_length=64, primary_key=True)
    """Hex of a keyed hash of what was typed."""
    failures = fields.IntField()
    failed_at = fields.DatetimeField()
    locked_until = fields.DatetimeField(null=True)

    class Meta:
        table = "failed_login"
        indexes = (("failed_at",),)


class Session(Model):
    """One login in use: of an account or a member of staff, in one role."""

    id = fields.UUIDField(primary_key=True)
    account = fields.ForeignKeyField("models.Account", on_delete=fields.RESTRICT, null=True)
    staff = fields.ForeignKeyField("models.Staff", on_delete=fields.RESTRICT, null=True)
    role = fields.CharEnumField(Role, max_length=20)
    opened_at = fields.DatetimeField()
    used_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    second_factor_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)
    ended_because = fields.CharEnumField(SessionEnd, max_length=20, null=True)

    class Meta:
        table = "session"
        indexes = (("account_id", "ended_at"), ("staff_id", "ended_at"), ("expires_at",), ("ended_at",))


class RefreshToken(Model):
    """One refresh token of a session: good once. A second use is theft and ends the session (OAuth 2.0 BCP, 4.14)."""

    digest = fields.CharField(max_length=64, primary_key=True)
    session = fields.ForeignKeyField("models.Session", on_delete=fields.CASCADE)
    issued_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "refresh_token"
        indexes = (("session_id",),)


class StaffIdentity(Model):
    """A member of staff as an OpenID Connect issuer knows them."""

    id = fields.BigIntField(primary_key=True)
    issuer = fields.CharField(max_length=255)
    subject = fields.CharField(max_length=255)
    staff = fields.ForeignKeyField("models.Staff", on_delete=fields.RESTRICT)

    class Meta:
        table = "staff_identity"
        unique_together = (("issuer", "subject"),)
        indexes = (("staff_id",),)


class RoleMapping(Model):
    """Which role a claim's value of an issuer's ID token stands for; a member of staff has exactly one."""

    id = fields.BigIntField(primary_key=True)
    issuer = fields.CharField(max_length=255)
    claim = fields.CharField(max_length=64)
    value = fields.CharField(max_length=255)
    role = fields.CharEnumField(Role, max_length=20)

    class Meta:
        table = "role_mapping"
        unique_together = (("issuer", "claim", "value"),)
