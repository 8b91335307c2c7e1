"""When jobs are due: cron lines read in the time of Shanghai."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from croniter import croniter

from privacy.jobs import Job

_SHANGHAI = ZoneInfo("Asia/Shanghai")


def last_due(job: Job, now: datetime) -> datetime:
    """The last moment before `now` that a job was due at, in UTC."""
    return _at(croniter(job.cron, now.astimezone(_SHANGHAI)).get_prev(datetime))


def next_due(job: Job, now: datetime) -> datetime:
    """The first moment after `now` that a job is due at, in UTC."""
    return _at(croniter(job.cron, now.astimezone(_SHANGHAI)).get_next(datetime))


def _at(found: datetime) -> datetime:
    return found.astimezone(UTC)
