"""Ceilings: of a level's rows, those beyond the token's ceiling of rows, or beyond its subject's disclosure budget."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from authz.budget import Spending
from authz.vocabulary import DataSubject, Effect
from ledger.rows import Person
from resolvers.disclosure import NOTHING_BEYOND, Beyond, Ruled
from resolvers.gathering import persons_of
from resolvers.rows import Rows


async def rows_beyond(
    said: Sequence[Ruled], rows: Rows, count_rows: Callable[[int], Any] | None, spending: Spending
) -> Beyond:
    """What of these rows is beyond a ceiling. Whatever is not counts, before anything of it is opened."""
    limited = await _rows_limited(said, count_rows) if count_rows else NOTHING_BEYOND.limited
    spent = await _rows_spent(said, rows, spending, limited=limited)
    return Beyond(limited, spent) if limited or spent else NOTHING_BEYOND


async def _rows_limited(said: Iterable[Ruled], count_rows: Callable[[int], Any]) -> frozenset[int]:
    """Those after the last that the token's ceiling lets through."""
    shown = _rows_to_show(said)
    return frozenset(shown[await count_rows(len(shown)) :]) if shown else NOTHING_BEYOND.limited


def _rows_to_show(said: Iterable[Ruled]) -> list[int]:
    """The rows of which at least one sensitive cell would be disclosed, in their order."""
    shown: set[int] = set()
    for one in said:
        effects = one.effects
        shown.update(row for row, situation in enumerate(one.situations) if effects[situation])
    return sorted(shown)


async def _rows_spent(
    said: Iterable[Ruled], rows: Rows, spending: Spending, *, limited: frozenset[int]
) -> Mapping[DataSubject, frozenset[int]]:
    """By data subject, the rows whose persons the budget has no place for; the others of them count.

    One row may be about several persons, and each counts for themselves.
    """
    revealed = _revealed(said, rows)
    if not revealed:
        return NOTHING_BEYOND.spent
    people = {of: persons_of(rows, of) for of in revealed}
    wanted: list[Person] = []
    for of, found in revealed.items():
        whole = isinstance(found, range) and not limited
        wanted += people[of] if whole else [people[of][row] for row in sorted(found) if row not in limited]
    refused = await spending.beyond(wanted)
    if not refused:
        return NOTHING_BEYOND.spent
    return {of: frozenset(row for row, one in enumerate(found) if one in refused) for of, found in people.items()}


def _revealed(said: Iterable[Ruled], rows: Rows) -> dict[DataSubject, range | set[int]]:
    """By data subject, the rows of which at least one cell would be revealed, whether there is a value in it or not."""
    every = range(rows.count)
    found: dict[DataSubject, range | set[int]] = {}
    for one in said:
        of = one.cell.coordinate.of
        if one.cell.opens is None or found.get(of) is every:
            continue
        revealing = {situation for situation, effect in one.effects.items() if effect is Effect.REVEAL}
        if len(revealing) == len(one.effects):
            found[of] = every
        elif revealing:
            some = {row for row, situation in enumerate(one.situations) if situation in revealing}
            found[of] = some.union(found.get(of, ()))
    return found
