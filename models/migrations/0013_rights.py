from typing import Any

from tortoise import fields, migrations
from tortoise.fields.base import Field
from tortoise.migrations import operations as ops

from models.calendars import TABLES as CALENDAR
from models.rights import TABLES as RIGHTS
from models.sealed import SealedField

_ADDED: dict[str, Field[Any]] = {
    "state": fields.CharField(max_length=12, null=True),
    "deadline_days": fields.IntField(null=True),
    "due_on": fields.DateField(null=True),
    "provisional": fields.BooleanField(null=True),
    "extended_until": fields.DateField(null=True),
    "extension_reason": fields.CharField(max_length=200, null=True),
    "ground": fields.CharField(max_length=24, null=True),
    "matter": fields.CharField(max_length=24, null=True),
    "identity_checked_at": fields.DatetimeField(null=True),
    "statement_sealed": SealedField(),
    "answer_sealed": SealedField(),
    "decided_at": fields.DatetimeField(null=True),
    "decided_by": fields.UUIDField(null=True),
}


class Migration(migrations.Migration):
    dependencies = [("models", "0012_answers")]

    initial = False

    operations: list[ops.Operation] = [
        ops.AddField(model_name="Account", name="cancelled_at", field=fields.DatetimeField(null=True)),
        *(ops.AddField(model_name="RightsRequest", name=name, field=field) for name, field in _ADDED.items()),
        ops.RunSQL([*CALENDAR, *RIGHTS]),
    ]
