"""Ceilings: of a level's rows, those beyond the token's ceiling of rows, or beyond its subject's disclosure budget."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from authz.budget import Spending
from authz.vocabulary import DataSubject, Effect
from ledger.rows import Person
from resolvers.disclosure import NOTHING_BEYOND, Beyond, effects_of
from resolvers.gathering import persons_of
from resolvers.plan import Cell, SensitiveCell
from resolvers.rows import Rows


async def rows_beyond(
    cells: Sequence[Cell], rows: Rows, count_rows: Callable[[int], Any] | None, spending: Spending
) -> Beyond:
    """What of these rows is beyond a ceiling. Whatever is not counts, before anything of it is opened."""
    limited = await _rows_limited(cells, rows, count_rows) if count_rows else NOTHING_BEYOND.limited
    spent = await _rows_spent(cells, rows, spending, limited=limited)
    return Beyond(limited, spent) if limited or spent else NOTHING_BEYOND


async def _rows_limited(cells: Iterable[Cell], rows: Rows, count_rows: Callable[[int], Any]) -> frozenset[int]:
    """Those after the last that the token's ceiling lets through."""
    shown = _rows_to_show(cells, rows)
    return frozenset(shown[await count_rows(len(shown)) :]) if shown else NOTHING_BEYOND.limited


def _rows_to_show(cells: Iterable[Cell], rows: Rows) -> list[int]:
    """The rows of which at least one sensitive cell would be disclosed, in their order."""
    shown: set[int] = set()
    for cell in cells:
        if isinstance(cell, SensitiveCell):
            situations = rows.situations(cell.coordinate)
            effects, _ = effects_of(cell, dict.fromkeys(situations))
            shown.update(row for row, situation in enumerate(situations) if effects[situation])
    return sorted(shown)


async def _rows_spent(
    cells: Iterable[Cell], rows: Rows, spending: Spending, *, limited: frozenset[int]
) -> Mapping[DataSubject, frozenset[int]]:
    """By data subject, the rows whose persons the budget has no place for; the others of them count.

    One row may be about several persons, and each counts for themselves.
    """
    revealed = _revealed(cells, rows)
    people = {of: persons_of(rows, of) for of in revealed}
    wanted: list[Person] = []
    for of, found in revealed.items():
        whole = isinstance(found, range) and not limited
        wanted += people[of] if whole else [people[of][row] for row in sorted(found) if row not in limited]
    refused = await spending.beyond(wanted)
    if not refused:
        return NOTHING_BEYOND.spent
    return {of: frozenset(row for row, one in enumerate(found) if one in refused) for of, found in people.items()}


def _revealed(cells: Iterable[Cell], rows: Rows) -> dict[DataSubject, range | set[int]]:
    """By data subject, the rows of which at least one cell would be revealed, whether there is a value in it or not."""
    every = range(rows.count)
    found: dict[DataSubject, range | set[int]] = {}
    for cell in cells:
        if not isinstance(cell, SensitiveCell) or cell.opens is None or found.get(cell.coordinate.of) is every:
            continue
        situations = rows.situations(cell.coordinate)
        effects, _ = effects_of(cell, set(situations))
        revealing = {situation for situation, effect in effects.items() if effect is Effect.REVEAL}
        if len(revealing) == len(effects):
            found[cell.coordinate.of] = every
        elif revealing:
            some = {row for row, situation in enumerate(situations) if situation in revealing}
            found[cell.coordinate.of] = some.union(found.get(cell.coordinate.of, ()))
    return found
