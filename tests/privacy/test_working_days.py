"""Working days are the State Council's: by an independent table for 2019 to 2026, and a naive count (C65, C70, C80)."""

from datetime import date, datetime, timedelta

import pytest
from chinese_calendar.constants import holidays
from hypothesis import given
from hypothesis import strategies as st

from privacy.bundles import BundleName, read_bundle
from privacy.calendars import CalendarError, parse_year, shipped_years
from privacy.working_days import Calendar, Due, shanghai_day
from tests.privacy.holiday_notices import works

SHIPPED = shipped_years()
CALENDAR = Calendar(
    {day: worked for one in SHIPPED for day, worked in one.moved.items()}, frozenset(one.year for one in SHIPPED)
)
FIRST, LAST = date(2019, 1, 1), date(2026, 12, 31)
DAYS = [FIRST + timedelta(days=place) for place in range((LAST - FIRST).days + 1)]
AHEAD = [FIRST + timedelta(days=place) for place in range((LAST - FIRST).days + 120)]


def test_c65_every_day_from_2019_to_2026_is_worked_as_the_state_council_announced():
    assert [day for day in DAYS if CALENDAR.is_working(day) != works(day)] == []
    assert len(DAYS) == 2922


def test_c65_from_every_day_from_2019_to_2026_one_to_forty_working_days_end_where_a_naive_count_does():
    worked = [day for day in AHEAD if works(day)]
    place, wrong = 0, 0
    for received in DAYS:
        while worked[place] <= received:
            place += 1
        for days in range(1, 41):
            day = worked[place + days - 1]
            wrong += CALENDAR.due(received, days) != Due(day, provisional=day.year > 2026)
    assert wrong == 0


@pytest.mark.parametrize("bundle", list(BundleName))
@given(received=st.dates(FIRST, LAST))
def test_c65_both_deadlines_of_both_bundles_end_on_a_working_day_with_as_many_between(bundle, received):
    deadlines = read_bundle(bundle).deadlines
    for days in (deadlines.answer_working_days, deadlines.erasure_working_days):
        due = CALENDAR.due(received, days).day
        between = [received + timedelta(days=n) for n in range(1, (due - received).days + 1)]
        assert works(due)
        assert sum(map(works, between)) == days


def test_c65_the_seed_promises_fifteen_working_days_for_an_answer_and_fifteen_for_an_erasure():
    deadlines = read_bundle(BundleName.SEED).deadlines
    assert (deadlines.answer_working_days, deadlines.erasure_working_days) == (15, 15)
    # Received before the National Day of 2025, with Mid-Autumn in it and make-up days on both sides.
    assert CALENDAR.due(date(2025, 9, 26), 15) == Due(date(2025, 10, 23), provisional=False)


@pytest.mark.parametrize(
    "moment, day",
    [
        ("2026-11-23T15:59:59+00:00", date(2026, 11, 23)),  # 23:59:59 in Shanghai
        ("2026-11-23T16:00:00+00:00", date(2026, 11, 24)),  # midnight there
        ("2026-11-23T23:59:00+08:00", date(2026, 11, 23)),
        ("2026-11-23T00:00:00+08:00", date(2026, 11, 23)),
        ("2026-11-22T23:59:00-10:00", date(2026, 11, 23)),
    ],
)
def test_c65_the_day_of_receipt_is_shanghais_and_does_not_count(moment, day):
    received = shanghai_day(datetime.fromisoformat(moment))
    assert received == day
    assert CALENDAR.due(received, 1).day > day


def test_c65_beyond_the_last_announced_year_weekends_alone_count_and_the_day_is_provisional():
    assert max(CALENDAR.announced) == max(day.year for day in holidays) == 2026
    assert CALENDAR.due(date(2026, 12, 30), 1) == Due(date(2026, 12, 31), provisional=False)
    assert CALENDAR.due(date(2026, 12, 31), 1) == Due(date(2027, 1, 1), provisional=True)
    assert CALENDAR.due(date(2026, 12, 25), 15) == Due(date(2027, 1, 15), provisional=True)
    # A gap on the way is as uncertain as an end beyond.
    gap = Calendar({}, frozenset({2026, 2028}))
    assert gap.due(date(2026, 12, 31), 300).provisional


def test_c65_no_deadline_is_of_no_working_day():
    with pytest.raises(ValueError, match="one working day"):
        CALENDAR.due(FIRST, 0)


ORDINARY = [
    f"2027-{month:02d}-{day:02d},no" for month, day in ((1, 1), (2, 8), (2, 9), (2, 10), (4, 5), (5, 3), (10, 1))
]
MORE = [f"2027-10-{day:02d},no" for day in (4, 5, 6, 7)]


@pytest.mark.parametrize(
    "lines, why",
    [
        (["day,works", *ORDINARY, *MORE], "first line"),
        (["day,working"], "one year"),
        (["day,working", *ORDINARY, *MORE, "2028-01-03,no"], "one year"),
        (["day,working", *ORDINARY, *MORE, ORDINARY[0]], "twice"),
        (["day,working", "2027-02-30,no"], "Line 2"),
        (["day,working", "2027-02-08,perhaps"], "Line 2"),
        (["day,working", "2027-02-08"], "Line 2"),
        (["day,working", "2027-01-01,no"], "260 working days"),
        (["day,working", *(f"2027-03-{day:02d},no" for day in range(1, 32))], "238 working days"),
    ],
)
def test_c65_a_file_that_is_no_year_is_refused_with_what_is_wrong(lines, why):
    with pytest.raises(CalendarError, match=why):
        parse_year(lines)


def test_c65_a_year_may_name_the_days_that_differ_or_every_day():
    given_days = parse_year(["day,working", *ORDINARY, *MORE, "2027-09-26,yes"])
    whole = Calendar(given_days.moved, ())
    days = [date(2027, 1, 1) + timedelta(days=n) for n in range(365)]
    every = parse_year(["day,working", *(f"{day},{'yes' if whole.is_working(day) else 'no'}" for day in days)])
    assert [Calendar(every.moved, ()).is_working(day) for day in days] == [whole.is_working(day) for day in days]
