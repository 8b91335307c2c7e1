"""Corrections: which datum of a person was corrected when, and who may have been given what it was before (C64)."""

from datetime import datetime

import strawberry

from schema.fields import public


@strawberry.type
class Correction:
    """One corrected datum; what it was before is kept sealed and shown to nobody here."""

    coordinate: str = public(description="The field, such as `User.address`.")
    corrected_at: datetime = public()
    recipients: list[str] = public(description="Names of the organizations that may have had the earlier value.")
