"""Can a program single somebody out by statistics? `python -m bench.singling_out [TRIALS [QUESTIONS [HTTP]]]`.

TRIALS times, and for each strategy, a person is planted in a world or not, by the toss of a coin, and the program
guesses which. It knows everybody else: every other policy, whether it is there and where. It asks QUESTIONS overlapping
questions of what `privacy.statistics` makes of that world, as often and in as many forms as it likes, this month and in
months before and after. A coin is right half of the time. Against figures as they were counted, by a double of the
protecting function here and by no setting of the product, each strategy is right every time: the attack is real.

HTTP (by default 10,000) questions then go to a server as three tokens of one organization. Exit 1 where a strategy
beats the coin by more than chance explains, is not right without protection, or the server answers more than it may.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from math import sqrt
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from models.statistics import Counts, Dimension
from privacy.statistics import LEAST, PUBLISHED, Figure, Group, Protection, Table, picked, quarters, table_of
from privacy.statistics_releases import QUESTIONS as QUESTIONS_A_MONTH
from tests.conftest import run_cli, running_server

TRIALS, QUESTIONS, HTTP = 200, 10_000, 10_000
CHANCE = 3.3
"""Standard deviations of a coin: beyond it is one run in two thousand."""
MONTH = date(2026, 12, 1)
EARLIER = tuple(date(2026, month, 1) for month in range(1, 12))
LATER = (MONTH, *(date(2027, month, 1) for month in range(1, 13)))
INSURERS, PRODUCTS, STATUSES = ("I1", "I2"), ("A", "B", "C", "D"), ("IN_FORCE", "LAPSED", "EXPIRED", "GRACE")
RARE = {Dimension.PRODUCT: "D", Dimension.STATUS: "GRACE"}
"""A combination that nobody has but whoever is planted; and with nine others more, the smallest group and no more."""
Where = tuple[str, str, str, str]
"""Insurer, product, status, quarter: in the order of the dimensions."""
Given = Mapping[Dimension, str]
Protect = Callable[[Iterable[Group], date], Iterable[Figure]]
"""What makes a month's figures of groups."""


@dataclass(frozen=True, slots=True)
class World:
    """Everybody else: persons, each with one policy, by where they are; and where the planted one would be."""

    others: Mapping[Where, int]
    planted: Where
    known_cells: dict[Table, Counter[tuple[str, ...]]] = field(default_factory=dict)

    def groups(self, table: Table, given: Given, *, with_planted: bool) -> list[Group]:
        """What there is to count of one table where these values are given."""
        found = self.counted(table)
        if with_planted:
            found[_cell(table, self.planted)] += 1
        cells = list(found)
        chosen = [cells[at] for at in picked(table, cells, given)]
        return [Group(Counts.POLICIES, table, one, found[one], found[one], found[one]) for one in chosen]

    def counted(self, table: Table) -> Counter[tuple[str, ...]]:
        """How many others there are in each cell of a table."""
        if table not in self.known_cells:
            found: Counter[tuple[str, ...]] = Counter()
            for where, count in self.others.items():
                found[_cell(table, where)] += count
            self.known_cells[table] = found
        return Counter(self.known_cells[table])

    def known(self, table: Table) -> int:
        """How many others there are where the planted one would be."""
        return self.counted(table)[_cell(table, self.planted)]


def _cell(table: Table, where: Where) -> tuple[str, ...]:
    return tuple(where[list(Dimension).index(one)] for one in table)


def make_world(seed: int, *, beside: int = 0, most: int = 60) -> World:
    """A world of a few thousand persons; `beside`: how many have the planted one's rare combination."""
    chance = Random(seed)  # noqa: S311 - reproducible
    others = {}
    spans = quarters(MONTH)
    for product_, status, quarter in product(PRODUCTS, STATUSES, spans):
        if (product_, status) != (RARE[Dimension.PRODUCT], RARE[Dimension.STATUS]):
            others[INSURERS[product_ in "CD"], product_, status, quarter] = chance.randint(most // 3, most)
    planted = (INSURERS[1], RARE[Dimension.PRODUCT], RARE[Dimension.STATUS], spans[-2])
    return World(others | ({planted: beside} if beside else {}), planted)


@dataclass
class Program:
    """The attacker: what it knows, and what it may ask. Whether somebody is planted only answers tell it."""

    world: World
    answers: Callable[[Table, Given, date], list[Figure]]
    chance: Random
    questions: int
    asked: int = 0
    _heard: dict[Any, Mapping[tuple[str, ...], Figure]] = field(default_factory=dict)

    def ask(self, grouped: Iterable[Dimension], given: Given, month: date = MONTH) -> Mapping[tuple[str, ...], Figure]:
        """One question: the figures of the groups that are shown, by cell."""
        self.asked += 1
        table = table_of(list(grouped), list(given))
        if table is None:
            return {}
        # The same question has the same answer, which need not be worked out anew.
        place = (table, tuple(given.items()), month)
        if place not in self._heard:
            self._heard[place] = {one.cell: one for one in self.answers(table, given, month)}
        return self._heard[place]

    def deviations(self, month: date = MONTH, *, forms: bool = True) -> list[float]:
        """By how much what is said of the planted one's groups exceeds what is known of the others in them."""
        found: list[float] = []
        for table in PUBLISHED:
            cell, known = _cell(table, self.world.planted), self.world.known(table)
            for grouped, given in _forms(table, cell) if forms else [((), dict(zip(table, cell, strict=True)))]:
                figure = self.ask(grouped, given, month).get(cell)
                if figure is not None:
                    found += [figure.number - known, figure.persons - known]
        return found


def _forms(table: Table, cell: tuple[str, ...]) -> list[tuple[list[Dimension], dict[Dimension, str]]]:
    """Every form of the question for one cell: grouped by some of the dimensions, filtered by the others."""
    values = dict(zip(table, cell, strict=True))
    return [
        ([one for one in table if one not in filtered], {one: values[one] for one in filtered})
        for chosen in product((True, False), repeat=len(table))
        for filtered in [[one for one, taken in zip(table, chosen, strict=True) if taken]]
    ]


Strategy = Callable[[Program], bool]


def differences(program: Program) -> bool:
    """With and without: what is said of every group that the planted one is in, less everybody else."""
    return _mean(program.deviations()) > 1 / 2


def complements(program: Program) -> bool:
    """All, less every group that the planted one is not in, less those known beside it."""
    found: list[float] = []
    whole = program.ask((), {}).get(())
    for table in PUBLISHED[1:] if whole else ():
        own, groups = _cell(table, program.world.planted), program.ask(table, {})
        others = program.world.counted(table)
        known = others.pop(own, 0)
        rest = sum(groups[one].number if one in groups else count for one, count in others.items())
        found.append(whole.number - rest - known if whole else 0)
    return _mean(found) > 1 / 2


def intersections(program: Program) -> bool:
    """A group one short of the least, if nobody is planted: is it shown?"""
    rare = tuple(RARE.values())
    return any(rare in program.ask(grouped, given) for grouped, given in _forms(tuple(RARE), rare))


def repeats(program: Program) -> bool:
    """The same few questions thousands of times: what is noise averages out, if it is drawn anew."""
    found: list[float] = []
    while program.asked < program.questions:
        found.append(_mean(program.deviations()))
    return _mean(found) > 1 / 2


def series(program: Program) -> bool:
    """Months before and after the person came: what did not change falls away."""
    before = [one for month in EARLIER for one in program.deviations(month, forms=False)]
    after = [one for month in LATER for one in program.deviations(month, forms=False)]
    return _mean(after) - _mean(before) > 1 / 2


def least_squares(program: Program) -> bool:
    """Thousands of sums drawn at random, and the world that fits them best (Kaczmarz): is one more in the cell?"""
    cells = list(dict.fromkeys([*program.world.others, program.world.planted]))
    target = cells.index(program.world.planted)
    equations = _equations(program, cells)
    found = _solve(list(equations.items()), len(cells))
    # What the same sums come to where it is known that the planted one is there.
    ideal = _solve([(rows, float(target in rows)) for rows in equations], len(cells))
    return found[target] > ideal[target] / 2


def _equations(program: Program, cells: Sequence[Where]) -> dict[frozenset[int], float]:
    """Which cells are summed, by the sum that was told beyond what is known of them."""
    told: dict[tuple[str, ...], tuple[Table, float]] = {}
    while program.asked < program.questions:
        table = program.chance.choice(PUBLISHED)
        grouped, given = program.chance.choice(_forms(table, _cell(table, program.chance.choice(cells))))
        known = program.world.counted(table)
        for cell, figure in program.ask(grouped, given).items():
            told[*(one.value for one in table), *cell] = table, figure.number - known[cell]
    sums = {}
    for place, (table, value) in told.items():
        rows = frozenset(at for at, one in enumerate(cells) if _cell(table, one) == place[len(table) :])
        sums[rows] = value
    return sums


def _solve(sums: Sequence[tuple[frozenset[int], float]], unknowns: int, *, rounds: int = 6) -> list[float]:
    found = [0.0] * unknowns
    for _ in range(rounds):
        for rows, value in sums:
            step = (value - sum(found[at] for at in rows)) / len(rows)
            for at in rows:
                found[at] += step
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


STRATEGIES: tuple[Strategy, ...] = (differences, complements, intersections, repeats, series, least_squares)


def protected(key: bytes) -> Protect:
    """The product's own figures."""
    return lambda groups, month: Protection(key, month, LEAST).figures(groups)


def exposed(groups: Iterable[Group], _: date) -> Iterable[Figure]:
    """A double: what was counted, in every group that is not too small. That is all that many systems do."""
    return [Figure(one.counts, one.table, one.cell, one.number, one.persons) for one in groups if one.fewest >= LEAST]


def right(strategy: Strategy, *, trials: int, questions: int, protect: Protect | None = None, seed: int = 1) -> int:
    """How often a strategy guesses right whether somebody was planted; by default against the product's figures."""
    chance, found = Random(seed), 0  # noqa: S311 - reproducible
    worlds = [make_world(seed + one, beside=LEAST - 1 if strategy is intersections else 0) for one in range(5)]
    for trial in range(trials):
        planted, figures = chance.random() < 1 / 2, protect or protected(chance.randbytes(32))
        world = worlds[trial % len(worlds)]

        def answers(
            table: Table, given: Given, month: date, trial: tuple[World, bool, Protect] = (world, planted, figures)
        ) -> list[Figure]:
            world, planted, figures = trial
            return list(figures(world.groups(table, given, with_planted=planted and month >= MONTH), month))

        found += strategy(Program(world, answers, chance, questions)) is planted
    return found


def most_by_chance(trials: int) -> float:
    """How often a coin is right at most."""
    return trials / 2 + CHANCE * sqrt(trials) / 2


def over_http(questions: int) -> bool:
    """Ask a server of its own, as three tokens of one organization; is it no more than the budget, and consistent?"""
    with TemporaryDirectory() as folder:
        data = Path(folder, "data")
        run_cli("demo", "--people", "2000", data_dir=data)
        with running_server(data, Path(folder, "log")) as url:
            tokens = [
                run_cli(
                    "token", "--role", "ad_partner", "--org", "AD01", "--purpose", "analytics", data_dir=data
                ).stdout.split()[-1]
                for _ in range(3)
            ]
            return _asked(f"{url}/graphql", tokens, questions)


_DOCUMENT = """
query($by: [StatisticsDimension!], $where: PolicyStatisticsFilter) {
  policyStatistics(groupBy: $by, where: $where) {
    least groups { insurer product status quarter number persons }
  }
}
"""


def _asked(url: str, tokens: Sequence[str], questions: int) -> bool:
    chance, codes, heard, differing, small = Random(1), Counter[str](), {}, 0, 0  # noqa: S311 - reproducible
    months = quarters(MONTH)
    values = {
        Dimension.INSURER: [f"INS{one:02}" for one in range(1, 9)],
        Dimension.PRODUCT: [f"P{one:03}" for one in range(1, 40)],
        Dimension.STATUS: ["IN_FORCE", "LAPSED", "EXPIRED", "GRACE"],
        Dimension.QUARTER: months,
    }
    with httpx.Client(timeout=60, headers={"X-Purpose": "analytics"}) as client:
        for number in range(questions):
            table = chance.choice(PUBLISHED)
            filtered = [one for one in table if chance.random() < 1 / 2]
            given = {one.value.lower(): chance.choice(values[one]) for one in filtered}
            by = [one.value for one in table if one not in filtered]
            body = {"query": _DOCUMENT, "variables": {"by": by, "where": given}}
            sent = {"Authorization": f"Bearer {tokens[number % len(tokens)]}"}
            answer = client.post(url, json=body, headers=sent).json()
            if "errors" in answer:
                codes[answer["errors"][0]["extensions"]["code"]] += 1
                continue
            codes["answered"] += 1
            said = answer["data"]["policyStatistics"]
            place = (table, tuple(sorted(given.items())))
            differing += heard.setdefault(place, said) != said
            small += sum(one["persons"] < said["least"] for one in said["groups"])
    told = ", ".join(f"{count:,} {code}" for code, count in sorted(codes.items()))
    print(f"HTTP: {questions:,} questions as {len(tokens)} tokens: {told}; {len(heard)} different ones answered,")
    print(f"  {differing} of them differently when asked again, {small} groups below the least")
    return len(heard) <= QUESTIONS_A_MONTH and not differing and not small and codes["STATISTICS_BUDGET"] > 0


def main(trials: int = TRIALS, questions: int = QUESTIONS, http: int = HTTP) -> int:
    """Try every strategy with and without protection, and a server. Gives the exit code."""
    sound, most = True, most_by_chance(trials)
    print(f"{trials} trials a strategy, up to {questions:,} questions each; by chance at most {most:.0f} are right")
    for strategy in STRATEGIES:
        started = time.perf_counter()
        against = right(strategy, trials=trials, questions=questions)
        bare = right(strategy, trials=trials, questions=questions, protect=exposed)
        sound = sound and against <= most and bare == trials
        print(
            f"{strategy.__name__:<14} right {against:>4} of {trials}; without protection {bare:>4} of {trials}"
            f"  ({time.perf_counter() - started:.0f} s)"
        )
    return int(not ((not http or over_http(http)) and sound))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
