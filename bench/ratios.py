"""Ratios of two targets measured in the same rounds: their median, and how sure one can be of it.

Every ratio is taken within one round, since machines are noisy and noise of a round is much the same for both. The
interval is that of the sign test: two of the sorted ratios. It assumes nothing of how ratios are spread.
"""

import operator
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import comb

CONFIDENCE = 0.95
"""How sure an interval is to hold the true median, where there are rounds enough (six)."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of the rounds' ratios within `low` to `high`, which holds the true median so surely."""

    median: float
    low: float
    high: float
    confidence: float
    rounds: int


class Verdict(StrEnum):
    """What a ratio says of its aim."""

    MET = "met"
    """The whole interval is on the right side, and sure enough."""
    LIKELY = "met, not surely"
    UNLIKELY = "not met, not surely"
    MISSED = "not met"


@dataclass(frozen=True, slots=True)
class Aim:
    """What a ratio is to be: at least, or at most, so much."""

    value: float
    at_least: bool = True

    def judge(self, ratio: Ratio) -> Verdict:
        """Is the aim met, and is that sure?"""
        reaches: Callable[[float, float], bool] = operator.ge if self.at_least else operator.le
        met = reaches(ratio.median, self.value)
        agree = all(reaches(one, self.value) is met for one in (ratio.low, ratio.high))
        sure = agree and ratio.confidence >= CONFIDENCE
        if met:
            return Verdict.MET if sure else Verdict.LIKELY
        return Verdict.MISSED if sure else Verdict.UNLIKELY

    def __str__(self) -> str:
        """As it is printed."""
        return f"{'≥' if self.at_least else '≤'} {self.value:g}"


def ratio_of(ones: Sequence[float], others: Sequence[float]) -> Ratio:
    """How many times `others` the `ones` are, round by round. Raises ValueError for none, or for unlike numbers."""
    found = sorted(one / other for one, other in zip(ones, others, strict=True))
    if not found:
        message = "no round was measured"
        raise ValueError(message)
    place = _place(len(found))
    return Ratio(
        statistics.median(found), found[place], found[-1 - place], confidence(len(found), place), rounds=len(found)
    )


def confidence(rounds: int, place: int) -> float:
    """How surely the median lies between the sorted values number `place` and, from the end, `place`; from 0."""
    return 1 - 2 * sum(comb(rounds, below) for below in range(place + 1)) / 2**rounds


def _place(rounds: int) -> int:
    """The narrowest interval that is sure enough; with few rounds, the widest there is."""
    sure = [place for place in range((rounds - 1) // 2 + 1) if confidence(rounds, place) >= CONFIDENCE]
    return max(sure, default=0)
