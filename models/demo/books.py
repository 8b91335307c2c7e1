"""The book in which one household's rows are written."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from models.demo.directory import Directory, Team
from models.demo.draws import Draws
from models.demo.rows import Batch

Audience = Callable[[UUID | None, UUID], UUID]
"""The id under which a recipient (None: the brokerage) knows a person."""

_NUMBERS_A_PERSON = 64


@dataclass(slots=True)
class Book:
    """Where rows go, whom they may name, and the next numbers, which no other household uses."""

    draws: Draws
    batch: Batch
    directory: Directory
    team: Team
    audience: Audience
    first_person: int
    people: int = 0
    _policies: int = 0
    _claims: int = 0

    def next_person(self) -> int:
        """The number of the next person, counted through the whole population."""
        self.people += 1
        self.batch.people += 1
        return self.first_person + self.people - 1

    def next_policy(self) -> int:
        """The number of the next policy."""
        self._policies += 1
        return self.first_person * _NUMBERS_A_PERSON + self._policies

    def next_claim(self) -> int:
        """The number of the next claim."""
        self._claims += 1
        return self.first_person * _NUMBERS_A_PERSON + self._claims
