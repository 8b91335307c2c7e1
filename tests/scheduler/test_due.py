"""Cron lines mean the time of Shanghai, whatever the machine's."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.due import last_due, next_due
from privacy.jobs import Job
from privacy.timetable import JOBS

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
"""In Shanghai."""


def job(cron):
    return Job("job", cron, None)


@pytest.mark.parametrize(
    "cron, last, following",
    [
        ("30 2 * * *", "2026-11-22T18:30:00+00:00", "2026-11-23T18:30:00+00:00"),
        ("0 0 1 * *", "2026-10-31T16:00:00+00:00", "2026-11-30T16:00:00+00:00"),
        # A Monday there begins on a Sunday here.
        ("0 6 * * 1", "2026-11-22T22:00:00+00:00", "2026-11-29T22:00:00+00:00"),
        ("*/5 * * * *", "2026-11-23T03:55:00+00:00", "2026-11-23T04:05:00+00:00"),
    ],
)
def test_a_line_is_read_in_shanghai(cron, last, following):
    assert (last_due(job(cron), NOON).isoformat(), next_due(job(cron), NOON).isoformat()) == (last, following)


@given(st.integers(0, 20 * 365 * 86_400), st.integers(0, 23))
def test_between_the_last_moment_and_the_next_there_is_none(seconds, hour):
    now = NOON + timedelta(seconds=seconds)
    daily = job(f"17 {hour} * * *")
    last, following = last_due(daily, now), next_due(daily, now)
    assert last < now < following or now in (last + timedelta(days=1), following - timedelta(days=1))
    assert following - last in (timedelta(days=1), timedelta(days=2))
    assert (last + timedelta(hours=8)).hour == hour


def test_every_job_of_the_timetable_has_a_name_of_its_own_and_a_line_that_can_be_read():
    assert len({one.name for one in JOBS}) == len(JOBS)
    for one in JOBS:
        assert last_due(one, NOON) < next_due(one, NOON)
