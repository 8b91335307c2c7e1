"""Times as the brokerage tells them: RFC 3339 with the offset of its own time zone."""

from datetime import datetime
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def in_shanghai(moment: datetime) -> datetime:
    """The same moment, told in the brokerage's time zone."""
    return moment.astimezone(SHANGHAI)
