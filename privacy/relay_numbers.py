"""Relay numbers: the range they come from, and drawing one that nobody ever had (C21)."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from models.formats import FormatError, mobile_number
from models.installation import InstallationError
from vault.blind import blind
from vault.keyring import Keyring

RANGE = "NEEDFUL_RELAY_RANGE"
DEMO_RANGE = "16500000000-16599999999"
"""Of a virtual operator; outside demo mode the brokerage's own is set, or no number is given."""
_DIGITS = 11
_TRIES = 32
_WALK = 1_000
_MOST_WALKS = 100
"""A range of which 100,000 numbers in a row are used up is as good as used up."""

_TAKEN = "SELECT number_digest FROM virtual_phone WHERE number_digest = ANY($1::bytea[])"


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers from `first` to `last`, both among them."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many numbers that is."""
        return self.last - self.first + 1


def span_of(environ: Mapping[str, str], *, demo: bool) -> Span | None:
    """The range that is set; outside demo mode None without one. Raises InstallationError for one that cannot be."""
    text = environ.get(RANGE) or (DEMO_RANGE if demo else "")
    if not text:
        return None
    first, _, last = text.partition("-")
    try:
        if mobile_number(first) == first and mobile_number(last) == last and int(first) <= int(last):
            return Span(int(first), int(last))
    except FormatError:
        pass
    message = f"{RANGE} must be two mobile numbers of {_DIGITS} digits, such as {DEMO_RANGE}."
    raise InstallationError(message)


def relay_digest(keyring: Keyring, number: str) -> bytes:
    """By what a number is known for good, whatever becomes of its person."""
    return blind(keyring, "relay", number)


async def free_number(
    connection: Any,  # noqa: ANN401 - asyncpg's proxy
    keyring: Keyring,
    span: Span | None,
    *,
    thorough: bool,
    below: Callable[[int], int] = secrets.randbelow,
) -> str | None:
    """A number of the range that nobody has or had, as random as `below` is; None: none is found.

    Some are drawn and asked for at once. Only a `thorough` look goes on through the range, which takes a while.
    """
    if span is None:
        return None
    found = await _free(connection, keyring, (span.first + below(span.size) for _ in range(_TRIES)))
    start = below(span.size)
    walks = min(_MOST_WALKS, -(-span.size // _WALK)) if thorough else 0
    for walk in range(walks):
        if found:
            break
        places = range(walk * _WALK, min((walk + 1) * _WALK, span.size))
        found = await _free(connection, keyring, (span.first + (start + place) % span.size for place in places))
    return found


async def _free(connection: Any, keyring: Keyring, drawn: Iterable[int]) -> str | None:  # noqa: ANN401 - as above
    numbers = {relay_digest(keyring, str(number)): str(number) for number in drawn}
    for row in await connection.fetch(_TAKEN, list(numbers)):
        del numbers[row[0]]
    return next(iter(numbers.values()), None)
