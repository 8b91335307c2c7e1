"""Ratios within rounds: their interval holds the true median as surely as it says, and verdicts follow from it."""

import statistics
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.ratios import CONFIDENCE, Aim, Ratio, Verdict, confidence, ratio_of

RATES = st.lists(st.tuples(st.floats(0.1, 1e4), st.floats(0.1, 1e4)), min_size=1, max_size=30)


@given(RATES)
def test_the_median_is_that_of_the_rounds_ratios_and_lies_in_its_interval(rounds):
    found = ratio_of(*zip(*rounds, strict=True))
    ratios = [one / other for one, other in rounds]
    assert found.median == pytest.approx(statistics.median(ratios))
    assert found.low in ratios
    assert found.high in ratios
    assert found.low <= found.median <= found.high


@given(RATES, st.integers(1, 50))
def test_noise_that_a_whole_round_shares_changes_no_ratio(rounds, seed):
    chance = Random(seed)  # noqa: S311 - reproducible
    noise = [chance.choice((0.25, 0.5, 2.0)) for _ in rounds]
    noisy = [(one * by, other * by) for (one, other), by in zip(rounds, noise, strict=True)]
    assert ratio_of(*zip(*noisy, strict=True)) == ratio_of(*zip(*rounds, strict=True))


@given(st.integers(6, 200))
def test_from_six_rounds_on_an_interval_is_sure_enough_and_no_wider_than_that_takes(rounds):
    found = ratio_of(range(1, rounds + 1), [1] * rounds)
    assert found.confidence >= CONFIDENCE
    assert found.low + found.high == rounds + 1
    assert confidence(rounds, int(found.low)) < CONFIDENCE


@pytest.mark.parametrize("rounds, sure", [(1, 0.0), (2, 0.5), (3, 0.75), (5, 0.9375)])
def test_few_rounds_give_their_extremes_and_say_how_sure_that_is(rounds, sure):
    found = ratio_of(range(1, rounds + 1), [1] * rounds)
    assert (found.low, found.high, found.confidence) == (1, rounds, sure)


@pytest.mark.parametrize("rounds", [3, 6, 9, 15])
def test_the_true_median_is_in_the_interval_as_often_as_is_said(rounds):
    chance, trials = Random(7), 1_500  # noqa: S311 - reproducible
    held = said = 0.0
    for _ in range(trials):
        found = ratio_of([chance.lognormvariate(0, 0.3) for _ in range(rounds)], [1.0] * rounds)
        held += found.low <= 1 <= found.high
        said = found.confidence
    assert held / trials == pytest.approx(said, abs=0.04)


@pytest.mark.parametrize(
    "low, median, high, least, most",
    [
        (1.3, 1.4, 1.5, Verdict.MET, Verdict.UNLIKELY),
        (1.2, 1.4, 1.5, Verdict.LIKELY, Verdict.UNLIKELY),
        (1.1, 1.2, 1.5, Verdict.UNLIKELY, Verdict.LIKELY),
        (1.1, 1.2, 1.25, Verdict.MISSED, Verdict.MET),
    ],
)
def test_a_verdict_is_sure_only_where_the_whole_interval_is_on_one_side(low, median, high, least, most):
    found = Ratio(median, low, high, 0.97, 6)
    assert Aim(1.3).judge(found) is least
    assert Aim(1.3, at_least=False).judge(found) is most


def test_a_verdict_of_too_few_rounds_is_never_sure():
    assert Aim(1.3).judge(ratio_of([1.5] * 5, [1.0] * 5)) is Verdict.LIKELY
    assert Aim(1.3).judge(ratio_of([1.5] * 6, [1.0] * 6)) is Verdict.MET
    assert Aim(1.3).judge(ratio_of([1.2] * 5, [1.0] * 5)) is Verdict.UNLIKELY


def test_rounds_that_do_not_pair_up_have_no_ratio():
    with pytest.raises(ValueError, match="shorter"):
        ratio_of([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="no round"):
        ratio_of([], [])
