"""Guardian links: who acts for which child, and what was asked for before there was one (C71, C73).

A request names a child by what their document says, sealed under the guardian's own account key: whether such a child
is on record is looked up when somebody has seen the document, not before. `child_digest` is the blind index's.
Once it is decided neither is kept.
"""

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model


class EvidenceKind(StrEnum):
    """The document that shows who a child's guardian is."""

    HOUSEHOLD_REGISTER = "HOUSEHOLD_REGISTER"
    BIRTH_CERTIFICATE = "BIRTH_CERTIFICATE"
    ADOPTION_CERTIFICATE = "ADOPTION_CERTIFICATE"
    COURT_ORDER = "COURT_ORDER"


class LinkState(StrEnum):
    """How a link stands. Only a verified one gives anything."""

    PENDING = "PENDING"
    VERIFIED = "VERIFIED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    """Taken back by who asked, before anybody decided."""
    REVOKED = "REVOKED"


class GuardianLink(Model):
    """A guardian's tie to a child; it counts while verified, not revoked and the child under age.

    `verified_by` and `revoked_by`: an account's id, or `operator`.
    """

    id = fields.UUIDField(primary_key=True)
    guardian = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT, related_name="wards")
    child = fields.ForeignKeyField("models.Person", on_delete=fields.RESTRICT, related_name="guardians")
    request_id = fields.UUIDField(null=True)
    verified_at = fields.DatetimeField(null=True)
    verified_by = fields.CharField(max_length=36, null=True)
    revoked_at = fields.DatetimeField(null=True)
    revoked_by = fields.CharField(max_length=36, null=True)

    class Meta:
        table = "guardian_link"
        indexes = (("guardian_id", "child_id"), ("child_id",), ("request_id",))


TABLES: tuple[str, ...] = (
    (
        "CREATE TABLE guardian_request (id uuid PRIMARY KEY, guardian_id uuid NOT NULL REFERENCES person,"
        " child_digest bytea, stated_sealed bytea, differing smallint NOT NULL DEFAULT 0, evidence_kind text NOT NULL,"
        " reference text NOT NULL, requested_at timestamptz NOT NULL, decided_at timestamptz, decided_by text,"
        " state text NOT NULL CHECK (state IN ('PENDING', 'VERIFIED', 'REFUSED', 'WITHDRAWN')), note text,"
        " CHECK ((state = 'PENDING') = (decided_at IS NULL)),"
        " CHECK (num_nonnulls(child_digest, stated_sealed) = CASE state WHEN 'PENDING' THEN 2 ELSE 0 END))"
    ),
    # The same again is the same request.
    (
        "CREATE UNIQUE INDEX guardian_request_pending ON guardian_request (guardian_id, child_digest)"
        " WHERE state = 'PENDING'"
    ),
    "CREATE INDEX guardian_request_guardian ON guardian_request (guardian_id, requested_at)",
    "CREATE INDEX guardian_request_state ON guardian_request (state, requested_at)",
    (
        "ALTER TABLE guardian_link ADD CONSTRAINT guardian_link_request"
        " FOREIGN KEY (request_id) REFERENCES guardian_request"
    ),
)
