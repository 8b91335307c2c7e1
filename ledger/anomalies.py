"""Anomalies: by which rules a partner's day is out of the ordinary (C41). Figures in, findings out; no clock, no store.

A figure is held against what the partner itself did on the days with operations among the 28 before: it is an anomaly
where it is greater than `least` and greater than `times` that. Who did nothing before is held against `least` alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from statistics import median

EARLIER_DAYS = 28
WORK_BEGINS, WORK_ENDS = 7, 21
"""Hours of the day in Shanghai; who works at 21:00 works outside of them."""
NARROW = 3
"""Persons that a look-up of one policy or claim shows at most: holder, insured, and one more."""


PROBED = "STATISTICS_BUDGET"
"""The code of such a refusal."""


class Anomaly(StrEnum):
    """Every kind of anomaly; more may come."""

    VOLUME_OPERATIONS = "VOLUME_OPERATIONS"
    VOLUME_PERSONS = "VOLUME_PERSONS"
    BREADTH_OPERATION = "BREADTH_OPERATION"
    BREADTH_REACH = "BREADTH_REACH"
    HOURS = "HOURS"
    ENUMERATION_MISSES = "ENUMERATION_MISSES"
    ENUMERATION_LOOKUPS = "ENUMERATION_LOOKUPS"
    REFUSALS = "REFUSALS"
    STATISTICS_PROBING = "STATISTICS_PROBING"


@dataclass(frozen=True, slots=True)
class Day:
    """What one partner did on one day."""

    day: date
    operations: int = 0
    """Reads and writes, those refused included."""
    persons: int = 0
    """Distinct persons of whom something was shown."""
    most: int = 0
    """Persons of whom one operation showed something, at most."""
    outside: int = 0
    """Operations outside working hours."""
    misses: int = 0
    """Ids asked for that do not exist for it."""
    refused: int = 0
    """Operations and tokens refused."""
    probed: int = 0
    """Statistics refused since the month's budget of questions was spent (C40)."""
    looked_up: int = 0
    """Persons seen for the first time by look-ups, in the hour in which they were most."""
    looked_up_at: datetime | None = None
    """When that hour began."""
    reach: int | None = None
    """Persons within its reach at all, where somebody has counted."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: which figure of a day, above what, and when it is not looked at."""

    name: Anomaly
    figure: str
    """In words."""
    measure: Callable[[Day], float]
    least: float
    times: float = 0
    earlier: str = "–"
    """What of the days before, in words."""
    before: Callable[[Sequence[Day], Callable[[Day], float]], float] = lambda _, __: 0.0
    only_if: str = "–"
    """In words."""
    applies: Callable[[Day], bool] = lambda _: True
    example: str = "TRUE"
    """SQL: is this row of `ledger_record` an example of it? `hour` is the one in Shanghai."""

    def threshold(self, earlier: Sequence[Day]) -> float:
        """What a figure must exceed, given the days with operations before."""
        return max(self.least, self.times * self.before(earlier, self.measure))


@dataclass(frozen=True, slots=True)
class Finding:
    """One anomaly: the figure, what it exceeds, and the day of it."""

    rule: Rule
    figure: float
    threshold: float
    day: Day


def _median(days: Sequence[Day], measure: Callable[[Day], float]) -> float:
    return float(median(map(measure, days))) if days else 0.0


def _greatest(days: Sequence[Day], measure: Callable[[Day], float]) -> float:
    return max(map(measure, days), default=0.0)


def _share_outside(days: Sequence[Day], _: Callable[[Day], float]) -> float:
    return _share(sum(one.outside for one in days), sum(one.operations for one in days))


def _share(part: int, whole: int | None) -> float:
    return part / whole if whole else 0.0


_LEAST_OUTSIDE = 20
_LEAST_PERSONS = 100
_REFUSED_SHARE = 0.2

RULES: tuple[Rule, ...] = (
    Rule(
        Anomaly.VOLUME_OPERATIONS,
        "operations",
        lambda day: day.operations,
        least=500,
        times=4,
        earlier="their median",
        before=_median,
    ),
    Rule(
        Anomaly.VOLUME_PERSONS,
        "distinct persons shown",
        lambda day: day.persons,
        least=200,
        times=4,
        earlier="their median",
        before=_median,
        example="shown > 0",
    ),
    Rule(
        Anomaly.BREADTH_OPERATION,
        "persons shown by one operation, at most",
        lambda day: day.most,
        least=100,
        times=4,
        earlier="their median",
        before=_median,
        example="shown > 0",
    ),
    Rule(
        Anomaly.BREADTH_REACH,
        "share of all persons within its reach that it was shown",
        lambda day: _share(day.persons, day.reach),
        least=0.5,
        only_if=f"at least {_LEAST_PERSONS} persons",
        applies=lambda day: day.persons >= _LEAST_PERSONS,
        example="shown > 0",
    ),
    Rule(
        Anomaly.HOURS,
        f"share of operations outside {WORK_BEGINS:02}:00–{WORK_ENDS:02}:00",
        lambda day: _share(day.outside, day.operations),
        least=0.25,
        times=2,
        earlier="that share of all of them",
        before=_share_outside,
        only_if=f"at least {_LEAST_OUTSIDE} such operations",
        applies=lambda day: day.outside >= _LEAST_OUTSIDE,
        example=f"hour NOT BETWEEN {WORK_BEGINS} AND {WORK_ENDS - 1}",
    ),
    Rule(
        Anomaly.ENUMERATION_MISSES,
        "ids asked for that do not exist for it",
        lambda day: day.misses,
        least=20,
        times=4,
        earlier="their median",
        before=_median,
        example="misses > 0",
    ),
    Rule(
        Anomaly.ENUMERATION_LOOKUPS,
        f"persons first shown to it by look-ups of at most {NARROW} persons, in one hour",
        lambda day: day.looked_up,
        least=60,
        times=4,
        earlier="the greatest",
        before=_greatest,
        example=f"shown BETWEEN 1 AND {NARROW}",
    ),
    Rule(
        Anomaly.REFUSALS,
        "operations and tokens refused",
        lambda day: day.refused,
        least=20,
        times=4,
        earlier="their median",
        before=_median,
        only_if="more than a fifth of all operations",
        applies=lambda day: _share(day.refused, max(day.operations, day.refused)) > _REFUSED_SHARE,
        example="outcome = 'REFUSED'",
    ),
    Rule(
        Anomaly.STATISTICS_PROBING,
        "statistics refused since the month's questions are spent",
        lambda day: day.probed,
        least=5,
        example=f"code = '{PROBED}'",
    ),
)
"""Every rule with its thresholds; docs/security-team.md has the same table."""


def findings(days: Sequence[Day], since: date) -> Iterator[Finding]:
    """The anomalies of the days from `since` on; `days` are one partner's, with the 28 before, in any order."""
    active = sorted((one for one in days if one.operations or one.refused), key=lambda one: one.day)
    for day in active:
        if day.day < since:
            continue
        earlier = [one for one in active if 0 < (day.day - one.day).days <= EARLIER_DAYS]
        for rule in RULES:
            figure, threshold = float(rule.measure(day)), rule.threshold(earlier)
            if rule.applies(day) and figure > threshold:
                yield Finding(rule, figure, threshold, day)


def rules_table() -> list[str]:
    """The rules as rows of a table in Markdown."""
    return [
        "| rule | figure of a day | more than | and than | only if |",
        "|---|---|---|---|---|",
        *(
            f"| `{one.name}` | {one.figure} | {one.least:g} |"
            f" {f'{one.times:g} × {one.earlier}' if one.times else '–'} | {one.only_if} |"
            for one in RULES
        ),
    ]
