"""Look-ups by the full value of something sensitive: whoever is found has it confirmed, which is as good as revealed.

So they are counted by the disclosure budget, named in the row, and nobody is told of them whom no row names.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from authz.budget import Spending
from authz.vocabulary import DataSubject
from ledger.rows import Person
from resolvers.gathering import persons_of
from resolvers.problems import Code, RequestRefusedError
from resolvers.rows import Rows

_LATER = 3600
"""Seconds after which somebody without a budget may ask again, and get the same answer."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """By which coordinates was asked, and who was found."""

    coordinates: tuple[str, ...]
    persons: Sequence[Person]


async def looked_up(coordinates: tuple[str, ...], rows: Rows, spending: Spending) -> Lookup:
    """What a look-up found. Raises RATE_LIMITED where the budget has no place for everybody that it found."""
    persons = persons_of(rows, DataSubject.USER)
    if await spending.beyond(persons):
        again = spending.again
        wait = int((again - spending.clock()).total_seconds()) + 1 if again else _LATER
        message = "You have been shown as many persons as you may be for this purpose. Look nobody up until then."
        raise RequestRefusedError(Code.RATE_LIMITED, message, headers={"Retry-After": str(wait)})
    return Lookup(coordinates, persons)
