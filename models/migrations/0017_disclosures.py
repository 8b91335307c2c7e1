from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from models.disclosures import TABLES

_WORDS = (
    ("exception", 24),
    ("document_kind", 24),
    ("filed", 64),
    ("justification", 200),
    ("basis", 12),
    ("undertaking", 64),
    ("manner", 16),
    ("review_note", 200),
    ("secret_ground", 120),
)
_MOMENTS = ("opened_at", "rejected_at", "secret_until", "reminded_at", "secrecy_ended_at")
_LINKS = (
    ("receiver", "Organization", "disclosures_received"),
    ("opened_by", "Staff", "disclosures_opened"),
    ("rejected_by", "Staff", "disclosures_rejected"),
    ("closed_by", "Staff", "disclosures_closed"),
)
"""Columns of words with their lengths, of moments, and links with the other side's name."""


class Migration(migrations.Migration):
    dependencies = [("models", "0016_tombstones")]

    initial = False

    operations = [
        *(
            ops.AddField(model_name="DisclosureCase", name=name, field=fields.CharField(null=True, max_length=length))
            for name, length in _WORDS
        ),
        *(
            ops.AddField(model_name="DisclosureCase", name=name, field=fields.DatetimeField(null=True))
            for name in _MOMENTS
        ),
        ops.AddField(model_name="DisclosureCase", name="items", field=fields.BigIntField(null=True)),
        *(
            ops.AddField(
                model_name="DisclosureCase",
                name=name,
                field=fields.ForeignKeyField(
                    f"models.{model}",
                    source_field=f"{name}_id",
                    null=True,
                    db_constraint=True,
                    to_field="id",
                    related_name=related,
                    on_delete=OnDelete.RESTRICT,
                ),
            )
            for name, model, related in _LINKS
        ),
        *(ops.AddIndex(model_name="DisclosureCase", index=Index(fields=[f"{name}_id"])) for name, _, _ in _LINKS),
        ops.RunSQL([*TABLES]),
    ]
