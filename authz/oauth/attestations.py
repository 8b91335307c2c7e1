"""Attestations: an affiliate is given data only while it attests that its policy protects equally (C35).

The tokens of one whose attestation is missing, withdrawn or over are refused within a second, and those minted on the
command line with them: each worker learns, as it learns of revocations, which agreements and affiliates lack one. Once
it attests again, a token that lives yet is good again.
"""

from typing import Any
from uuid import UUID

from authz.tokens import Token
from models.vocabulary import Purpose, Role

PURPOSES = frozenset({Purpose.MARKETING, Purpose.VERIFICATION, Purpose.SECURITY})
"""What the privacy policy shares with affiliates for: to recommend, to verify identity, to keep safe (C35)."""
ATTESTED = (
    "(a.attested_at IS NOT NULL AND a.attested_at <= now() AND (a.attested_until IS NULL OR a.attested_until > now()))"
)
"""SQL: is agreement `a` attested now?"""

# Of each affiliate the agreements that are not attested; and itself, where none of its running ones is.
_LACKING = f"""
SELECT o.id AS organization, NOT EXISTS (
  SELECT FROM agreement a WHERE a.organization_id = o.id AND a.ended_at IS NULL AND a.valid_to > now() AND {ATTESTED}
) AS wholly, ARRAY(SELECT a.id FROM agreement a WHERE a.organization_id = o.id AND NOT {ATTESTED}) AS agreements
FROM organization o WHERE o.kind = 'AFFILIATE'
"""
_WHY = "the affiliate has not attested that its own policy protects equally, or does so no more"


class Attestations:
    """What one worker knows of affiliates that lack an attestation."""

    def __init__(self) -> None:
        """Nobody lacks one that is known of; `learn` comes first (`Standing`)."""
        self._organizations: frozenset[UUID] = frozenset()
        self._agreements: frozenset[UUID] = frozenset()

    async def learn(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg's connection
        """Ask which lack one now. Raises the database's error."""
        rows = await connection.fetch(_LACKING)
        self._organizations = frozenset(row["organization"] for row in rows if row["wholly"])
        self._agreements = frozenset(one for row in rows for one in row["agreements"])

    def lacks(self, token: Token) -> str | None:
        """Why a token is refused; None where it is no affiliate's, or attested."""
        subject = token.subject
        if subject.role is not Role.AFFILIATE:
            return None
        # A token of the command line names no agreement: it stands on any that is attested.
        lacking = subject.organization in self._organizations or subject.agreement in self._agreements
        return _WHY if lacking else None
