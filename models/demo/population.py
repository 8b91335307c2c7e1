"""The whole population, household by household: the same people in the same order for every size of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from models.demo.books import Audience, Book
from models.demo.directory import PEOPLE_A_TEAM, Directory, Team, build_directory, build_team
from models.demo.draws import Draws
from models.demo.households import draw_household
from models.demo.relays import end_concluded
from models.demo.rows import Batch
from models.demo.scenarios import SCENARIOS

PEOPLE_A_BATCH = 1_000


@dataclass(slots=True)
class _Town:
    """Where the population grows: what earlier households fixed for later ones."""

    seed: int
    audience: Audience
    directory: Directory
    people: int = 0
    households: int = 0
    teams: dict[int, Team] = field(default_factory=dict)


def population(people: int, seed: int, *, audience: Audience) -> Iterator[Batch]:
    """Exactly so many people with everything of theirs, in batches of whole households.

    The guaranteed scenarios come first, as far as they fit; then ordinary households, the last one cut short.
    """
    batch = Batch()
    town = _Town(seed=seed, audience=audience, directory=build_directory(seed, batch))
    for scenario in SCENARIOS:
        if scenario.people <= people - town.people:
            _settle(town, batch, household=scenario.write)
    while town.people < people:
        if batch.people >= PEOPLE_A_BATCH:
            yield _whole(batch)
            batch = Batch()
        _settle(town, batch, household=partial(draw_household, limit=people - town.people))
    yield _whole(batch)


def _whole(batch: Batch) -> Batch:
    end_concluded(batch)
    return batch


def _settle(town: _Town, batch: Batch, *, household: Callable[[Book], None]) -> None:
    book = _open_book(town, batch)
    household(book)
    town.people += book.people
    town.households += 1


def _open_book(town: _Town, batch: Batch) -> Book:
    number = town.people // PEOPLE_A_TEAM
    if number not in town.teams:
        town.teams[number] = build_team(town.seed, number, batch=batch)
    return Book(
        draws=Draws(f"{town.seed}/household/{town.households}"),
        batch=batch,
        directory=town.directory,
        team=town.teams[number],
        audience=town.audience,
        first_person=town.people,
    )
