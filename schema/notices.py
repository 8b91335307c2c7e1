"""Notices: the privacy policy in force (C79, C82)."""

from datetime import date

import strawberry

from schema.fields import public


@strawberry.type
class Notice:
    """One version of the privacy policy."""

    version: str = public()
    effective_on: date = public()
    major: bool = public()
    summary: str = public()


FIRST_NOTICE = Notice(
    version="2020-10-26",
    effective_on=date(2020, 10, 26),
    major=True,
    summary="收集和使用个人信息的目的、范围、共享、存储、保护，以及您的权利。",
)
"""The version that the service carries out, as published."""
