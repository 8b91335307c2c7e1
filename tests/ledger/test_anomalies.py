"""Anomalies of a partner's day: each kind is found where it is planted, its thresholds are what they say, and a quiet
history holds none.
"""

from dataclasses import replace
from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.anomalies import EARLIER_DAYS, RULES, Anomaly, Day, findings, rules_table
from tests.conftest import ROOT

TODAY = date(2026, 11, 20)
BY_NAME = {rule.name: rule for rule in RULES}
QUIET = Day(TODAY, operations=200, persons=80, most=20, outside=4, misses=3, refused=4, looked_up=12, reach=1_000)


def history(day=QUIET, days=EARLIER_DAYS):
    return [replace(day, day=TODAY - timedelta(days=before)) for before in range(1, days + 1)]


def found(today, earlier=None):
    days = history() if earlier is None else earlier
    return {one.rule.name: one for one in findings([*days, today], TODAY)}


# By hand: what is the greatest that is not yet an anomaly, after a quiet history and after none; and one more.
EDGES = {
    Anomaly.VOLUME_OPERATIONS: ({"operations": 800}, {"operations": 801}, {"operations": 500}, {"operations": 501}),
    Anomaly.VOLUME_PERSONS: (
        {"persons": 320, "reach": 10_000},
        {"persons": 321, "reach": 10_000},
        {"persons": 200, "reach": 10_000},
        {"persons": 201, "reach": 10_000},
    ),
    Anomaly.BREADTH_OPERATION: ({"most": 100}, {"most": 101}, {"most": 100}, {"most": 101}),
    Anomaly.BREADTH_REACH: (
        {"persons": 150, "reach": 300},
        {"persons": 151, "reach": 300},
        {"persons": 99, "reach": 100},
        {"persons": 100, "reach": 100},
    ),
    Anomaly.HOURS: ({"outside": 50}, {"outside": 51}, {"outside": 50}, {"outside": 51}),
    Anomaly.ENUMERATION_MISSES: ({"misses": 20}, {"misses": 21}, {"misses": 20}, {"misses": 21}),
    Anomaly.ENUMERATION_LOOKUPS: ({"looked_up": 60}, {"looked_up": 61}, {"looked_up": 60}, {"looked_up": 61}),
    Anomaly.REFUSALS: (
        {"operations": 200, "refused": 40},
        {"operations": 200, "refused": 41},
        {"operations": 30, "refused": 20},
        {"operations": 30, "refused": 21},
    ),
    Anomaly.STATISTICS_PROBING: ({"probed": 5}, {"probed": 6}, {"probed": 5}, {"probed": 6}),
}


def test_every_rule_has_its_edges_here():
    assert set(EDGES) == set(Anomaly) == set(BY_NAME)


@pytest.mark.parametrize("name", Anomaly)
def test_a_day_is_flagged_from_one_above_the_threshold_on_by_that_rule_alone(name):
    within, beyond, first_within, first_beyond = EDGES[name]
    assert found(replace(QUIET, **within)) == {}
    assert set(found(replace(QUIET, **beyond))) == {name}
    calm = replace(QUIET, refused=0, misses=0, outside=0)
    assert found(replace(calm, **first_within), []) == {}
    assert set(found(replace(calm, **first_beyond), [])) == {name}


@pytest.mark.parametrize(
    "name, usual, within, beyond",
    [
        (Anomaly.VOLUME_OPERATIONS, {"operations": 1_000}, 4_000, 4_001),
        (Anomaly.VOLUME_PERSONS, {"persons": 90}, 360, 361),
        (Anomaly.BREADTH_OPERATION, {"most": 60}, 240, 241),
        (Anomaly.ENUMERATION_MISSES, {"misses": 10}, 40, 41),
        (Anomaly.ENUMERATION_LOOKUPS, {"looked_up": 40}, 160, 161),
        (Anomaly.REFUSALS, {"refused": 15}, 60, 61),
    ],
)
def test_who_always_does_much_is_held_against_four_times_as_much(name, usual, within, beyond):
    earlier = history(replace(QUIET, reach=100_000, **usual))
    (figure,) = usual
    today = replace(QUIET, reach=100_000)
    assert name not in found(replace(today, **{figure: within}), earlier)
    assert found(replace(today, **{figure: beyond}), earlier)[name].threshold == within


def test_who_always_works_at_night_is_not_flagged_for_it_and_who_begins_to_is():
    night = replace(QUIET, outside=180)
    assert found(night, history(night)) == {}
    assert set(found(night)) == {Anomaly.HOURS}
    assert found(replace(QUIET, outside=100), history(replace(QUIET, outside=50))) == {}
    assert set(found(replace(QUIET, outside=101), history(replace(QUIET, outside=50)))) == {Anomaly.HOURS}


def test_few_operations_at_night_and_few_persons_of_a_small_reach_are_no_anomaly():
    assert found(replace(QUIET, operations=19, outside=19), []) == {}
    assert set(found(replace(QUIET, operations=20, outside=20, refused=0), [])) == {Anomaly.HOURS}
    assert found(replace(QUIET, persons=99, reach=99)) == {}


def test_many_refusals_are_one_only_where_they_are_a_share_of_what_is_done():
    assert found(replace(QUIET, operations=500, refused=100)) == {}
    assert set(found(replace(QUIET, operations=500, refused=101))) == {Anomaly.REFUSALS}


def test_days_without_operations_do_not_lower_what_a_partner_is_held_against():
    weekly = [one for one in history(replace(QUIET, operations=1_000)) if one.day.weekday() == TODAY.weekday()]
    assert len(weekly) == 4
    silent = [Day(TODAY - timedelta(days=before)) for before in range(1, 29)]
    days = {one.day: one for one in [*silent, *weekly]}
    assert found(replace(QUIET, operations=4_000), list(days.values())) == {}
    assert set(found(replace(QUIET, operations=4_001), list(days.values()))) == {Anomaly.VOLUME_OPERATIONS}


def test_only_the_28_days_before_count_and_neither_the_day_itself_nor_later_ones():
    long_ago = [replace(QUIET, day=TODAY - timedelta(days=29), operations=100_000)]
    assert set(found(replace(QUIET, operations=501), long_ago)) == {Anomaly.VOLUME_OPERATIONS}
    last = [replace(QUIET, day=TODAY - timedelta(days=28), operations=100_000)]
    assert found(replace(QUIET, operations=501), last) == {}
    later = [replace(QUIET, day=TODAY + timedelta(days=1))]
    assert found(replace(QUIET, operations=801), later)[Anomaly.VOLUME_OPERATIONS].day.day == TODAY


def test_days_before_the_period_are_measured_against_and_never_flagged():
    wild = history(replace(QUIET, operations=90_000, misses=500))
    assert list(findings(wild, TODAY)) == []
    assert {one.day.day for one in findings(wild, TODAY - timedelta(days=28))} == {TODAY - timedelta(days=28)}


def quiet_days(size, seed, *, at_night):
    """Eight weeks of a partner of this size that works as partners do: some days busier, some weekends off."""
    draws = Random(seed)  # noqa: S311 - made-up days
    for before in range(56):
        day = TODAY - timedelta(days=before)
        if day.weekday() >= 5 and draws.random() < 0.5:
            continue
        operations = round(size * draws.uniform(0.5, 1.6))
        persons = round(operations * draws.uniform(0.25, 0.3))
        yield Day(
            day,
            operations=operations,
            persons=persons,
            most=draws.randint(1, 50),
            outside=operations if at_night else round(operations * draws.uniform(0, 0.12)),
            misses=round(operations * draws.uniform(0.005, 0.006)),
            refused=round(operations * draws.uniform(0, 0.04)),
            looked_up=min(persons, round(size * draws.uniform(0.04, 0.09))),
            reach=size * 4,
        )


@settings(max_examples=40)
@given(st.integers(1, 5_000), st.integers(), st.booleans())
def test_a_quiet_history_is_never_flagged(size, seed, at_night):
    days = list(quiet_days(size, seed, at_night=at_night))
    # The first four weeks have too little before them to be held against.
    assert list(findings(days, TODAY - timedelta(days=27))) == []


@given(st.permutations(history(replace(QUIET, operations=150), 12)))
def test_the_order_in_which_days_come_makes_no_difference(days):
    today = replace(QUIET, operations=900, misses=90, outside=300)
    assert [one.rule.name for one in findings([today, *days], TODAY)] == [
        Anomaly.VOLUME_OPERATIONS,
        Anomaly.HOURS,
        Anomaly.ENUMERATION_MISSES,
    ]


def test_the_security_teams_guide_has_the_rules_as_they_are():
    guide = (ROOT / "docs" / "security-team.md").read_text(encoding="utf-8")
    assert "\n".join(rules_table()) in guide
