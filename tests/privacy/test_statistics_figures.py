"""The figures of statistics: none of a small group, none exact, and nobody is singled out by thousands (C40)."""

from datetime import date
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.singling_out import STRATEGIES, exposed, intersections, least_squares, most_by_chance, repeats, right
from models.statistics import Counts, Dimension
from privacy.statistics import (
    FIRST,
    LEAST,
    PUBLISHED,
    STEP,
    Group,
    Protection,
    nodes,
    number_of,
    picked,
    question_text,
    table_of,
)

months = st.dates(FIRST, date(2060, 1, 1)).map(lambda day: day.replace(day=1))
cells = st.builds(
    Group,
    st.just(Counts.POLICIES),
    st.just((Dimension.PRODUCT,)),
    st.tuples(st.text(min_size=1, max_size=5)),
    st.integers(0, 5_000),
    st.integers(0, 2_000),
    st.integers(0, 2_000),
)


# What is published, and with which noise.


@settings(max_examples=40)
@given(cells, st.binary(min_size=32, max_size=32), months, st.integers(5, 500))
def test_c40_no_group_of_fewer_persons_than_the_least_is_ever_shown_and_no_figure_is_exact(group, key, month, least):
    protection = Protection(key, month, least)
    for figure in protection.figures([group]):
        assert group.fewest >= least
        assert figure.persons >= least
        assert figure.number % STEP == figure.persons % STEP == 0
        assert (figure.number, figure.persons) == (
            max(0, STEP * round((group.number + protection.noise(group, "number")) / STEP)),
            max(0, STEP * round((group.persons + protection.noise(group, "persons")) / STEP)),
        )


@pytest.mark.parametrize("size", [0, 1, LEAST - 1])
def test_c40_a_small_group_is_hidden_whatever_the_noise(size):
    group = Group(Counts.CLAIMS, (), (), 10_000, 10_000, size)
    for seed in range(500):
        assert not list(Protection(seed.to_bytes(32), date(2026, 12, 1)).figures([group]))


def test_c40_whether_a_group_has_one_person_more_than_the_least_is_not_told_by_its_being_shown():
    """Who knows nine of ten would learn of the tenth: so near the least nothing is shown, but by a rare draw."""
    shown = 0
    for seed in range(1_000):
        one = Group(Counts.POLICIES, (), (), LEAST, LEAST, LEAST)
        shown += len(list(Protection(seed.to_bytes(32), date(2026, 12, 1)).figures([one])))
    assert shown <= 8, "one in seven hundred, by three standard deviations"


def test_c40_one_holder_more_than_the_least_does_not_show_a_group_of_many_insured():
    """An operator may set a high least: then the fewer of both decide, and are as inexact as what is shown."""
    least, seeds = 400, [seed.to_bytes(32) for seed in range(60)]

    def shown(fewest):
        group = Group(Counts.CLAIMS, (), (), 5 * least, 5 * least, fewest)
        return [len(list(Protection(key, date(2026, 12, 1), least).figures([group]))) for key in seeds]

    assert sum(shown(least - 1)) == 0
    assert sum(shown(least)) <= 2, "by three standard deviations"
    assert sum(shown(2 * least)) == len(seeds)


def test_c40_noise_depends_on_the_place_of_a_figure_and_never_on_what_was_counted():
    """If it did, two days' figures would tell that something in a group has changed, or that nothing has."""
    protection = Protection(b"k" * 32, date(2026, 12, 1))
    one, other = (Group(Counts.POLICIES, (Dimension.STATUS,), ("LAPSED",), *size) for size in ((500,) * 3, (501,) * 3))
    assert protection.noise(one, "number") == protection.noise(other, "number")
    assert protection.noise(one, "number") != protection.noise(one, "persons")
    claims = Group(Counts.CLAIMS, (Dimension.STATUS,), ("LAPSED",), 500, 500, 500)
    assert protection.noise(one, "number") != protection.noise(claims, "number")


@given(months)
def test_c40_each_month_is_made_of_few_draws_that_tile_all_months_before_it(month):
    spans = sorted(nodes(month))
    assert spans[0][0] == 0
    assert spans[-1][1] == number_of(month)
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    assert len(spans) <= number_of(month).bit_length()


def test_c40_what_happens_once_is_in_no_more_draws_than_the_months_have_digits():
    drawn = {span for n in range(1, 121) for span in nodes(date(2025 + (n + 11) // 12, (n - 1) % 12 + 1, 1))}
    for n in range(1, 121):
        assert sum(first < n <= last for first, last in drawn) <= (120).bit_length()


@given(st.sets(st.sampled_from(Dimension)), st.sets(st.sampled_from(Dimension)))
def test_c40_a_question_is_answered_from_a_published_table_or_not_at_all(grouped, filtered):
    table = table_of(list(grouped), list(filtered))
    assert (table is not None) == (grouped | filtered in [set(one) for one in PUBLISHED])
    if table is not None:
        values = dict.fromkeys(filtered, "x")
        assert question_text(Counts.CLAIMS, table, values) == question_text(Counts.CLAIMS, table, values)
        assert picked(table, [("x",) * len(table), ("y",) * len(table)], values) == ([0] if filtered else [0, 1])


# The attack. `python -m bench.singling_out` is the whole of it.

SHORT = {repeats: (200, 120), least_squares: (20, 150)}
"""Trials and questions of those that take long; here they are the same attack on less."""


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: one.__name__)
def test_c40_an_attackers_program_guesses_no_better_than_a_coin_whether_somebody_is_there(strategy):
    trials, questions = SHORT.get(strategy, (200, 1_000))
    assert right(strategy, trials=trials, questions=questions) <= most_by_chance(trials)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: one.__name__)
def test_c40_the_same_program_is_right_every_time_where_figures_are_as_they_were_counted(strategy):
    trials, questions = 12, SHORT.get(strategy, (0, 1_000))[1]
    if strategy is least_squares:
        trials, questions = 4, 600
    assert right(strategy, trials=trials, questions=questions, protect=exposed) == trials
    assert intersections in STRATEGIES, "a least group alone betrays somebody too"


def test_every_pair_of_tables_is_published_once():
    assert all(set(one) != set(other) for one, other in combinations(PUBLISHED, 2))
