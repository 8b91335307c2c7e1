"""Notices: the privacy policy in force (C79, C82)."""

from datetime import date

import strawberry

from models.notices import CURRENT_NOTICE
from schema.fields import public


@strawberry.type
class Notice:
    """One version of the privacy policy."""

    version: str = public()
    effective_on: date = public()
    major: bool = public()
    summary: str = public()


IN_FORCE = Notice(
    version=CURRENT_NOTICE.version,
    effective_on=CURRENT_NOTICE.effective_on,
    major=True,
    summary=CURRENT_NOTICE.summary,
)
"""The version that the service carries out."""
