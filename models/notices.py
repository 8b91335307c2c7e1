"""Notices: the version of the privacy policy in force, and the hash by which a consent names it (C79, C82)."""

import hashlib
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class NoticeVersion:
    """One version of the privacy policy, as it is served."""

    version: str
    effective_on: date
    summary: str

    @property
    def digest(self) -> str:
        """SHA-256 of what is served, in hex: what somebody agreed to."""
        text = f"{self.version}\n{self.effective_on.isoformat()}\n{self.summary}"
        return hashlib.sha256(text.encode()).hexdigest()


CURRENT_NOTICE = NoticeVersion(
    version="2020-10-26",
    effective_on=date(2020, 10, 26),
    summary="收集和使用个人信息的目的、范围、共享、存储、保护，以及您的权利。",
)
"""The version that the service carries out, as published."""
