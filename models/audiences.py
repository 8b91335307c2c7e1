"""Audiences: how many people a recipient was shown on a day, who refused marketing, and campaigns (C20, C21)."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tortoise import fields
from tortoise.models import Model


class AudienceUse(Model):
    """The running count of one recipient's day."""

    id = fields.BigIntField(primary_key=True)
    recipient = fields.CharField(max_length=40)
    day = fields.DateField()
    shown = fields.IntField()

    class Meta:
        table = "audience_use"
        unique_together = (("recipient", "day"),)


class MarketingChannel(StrEnum):
    """By what marketing reaches somebody, each of which they can refuse (C20)."""

    SMS = "SMS"
    CALL = "CALL"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A stretch of time in which a recipient's audience is narrowed to those with one of some tags.

    No `recipient` means the brokerage itself.
    """

    id: UUID
    recipient: UUID | None
    tags: tuple[str, ...] = field(repr=False)
    opens_at: datetime
    closes_at: datetime
    ended_at: datetime | None


TABLES: tuple[str, ...] = (
    # What is known by no digest leads nowhere and might be given again: the next round replaces it.
    "UPDATE virtual_phone SET ended_at = greatest(now(), issued_at) WHERE ended_at IS NULL AND number_digest IS NULL",
    # A row not allowed since: refused; without one, marketing goes by the consents. `said_by`: the guardian who said so
    # for a ward, `allowed_by` the one who took it back; null: the person.
    (
        "CREATE TABLE marketing_refusal (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),"
        " person_id uuid NOT NULL REFERENCES person, channel text NOT NULL CHECK (channel IN ('SMS', 'CALL')),"
        " said_by uuid REFERENCES person, refused_at timestamptz NOT NULL,"
        " allowed_at timestamptz, allowed_by uuid REFERENCES person)"
    ),
    # A person's own word and their guardians' stand side by side.
    (
        "CREATE UNIQUE INDEX marketing_refusal_standing ON marketing_refusal (person_id, channel, (said_by IS NULL))"
        " WHERE allowed_at IS NULL"
    ),
    "CREATE INDEX marketing_refusal_person ON marketing_refusal (person_id)",
    "CREATE INDEX marketing_refusal_said_by ON marketing_refusal (said_by) WHERE said_by IS NOT NULL",
    # `tag_digests`: of `tags`, as the blind index has them.
    (
        "CREATE TABLE campaign (id uuid PRIMARY KEY, recipient_id uuid REFERENCES organization, tags text[] NOT NULL,"
        " tag_digests bytea[] NOT NULL, opens_at timestamptz NOT NULL, closes_at timestamptz NOT NULL,"
        " opened_by uuid NOT NULL, opened_at timestamptz NOT NULL, ended_at timestamptz, ended_by uuid,"
        " CHECK (closes_at > opens_at AND cardinality(tags) > 0 AND cardinality(tags) = cardinality(tag_digests)))"
    ),
    "CREATE INDEX campaign_recipient ON campaign (recipient_id)",
    "CREATE INDEX campaign_opened ON campaign (opened_at)",
    # A number is given once and never again, also to somebody else.
    "CREATE UNIQUE INDEX virtual_phone_number ON virtual_phone (number_digest)",
    "CREATE INDEX virtual_phone_live ON virtual_phone (issued_at) WHERE ended_at IS NULL",
)
