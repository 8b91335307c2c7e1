"""Disclosure: the effect of every cell, and the only place that opens sealed values, and only those shown."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from authz.compile import DecisionFaultError
from authz.vocabulary import DataSubject, Effect, Reason
from resolvers.masks import Masks
from resolvers.plan import Sealed, SensitiveCell
from resolvers.rows import Occurrences, Rows
from vault.sealing import DataKey, SealedValueError, open_column

_log = logging.getLogger("needful.disclosure")

LIMITED = -1
"""Stands in a tally instead of the situation of a row beyond the token's ceiling."""
SPENT = -2
"""Stands in a tally instead of a situation that would reveal, where the subject's disclosure budget is spent."""
CEILINGS = frozenset({LIMITED, SPENT})
_NO_ROWS: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Beyond:
    """Rows of a level that are beyond a ceiling."""

    limited: frozenset[int] = _NO_ROWS
    """Beyond the token's: nothing of them is shown."""
    spent: Mapping[DataSubject, frozenset[int]] = field(default_factory=dict)
    """About persons beyond the disclosure budget, by data subject: what would be revealed of them is not shown."""


NOTHING_BEYOND = Beyond()


@dataclass(frozen=True, slots=True)
class Tally:
    """What was decided about one cell of a shape: how often each situation stood in the answer."""

    cell: SensitiveCell
    rows: Rows
    situations: Sequence[int]
    counts: dict[int, int]
    """Occurrences by situation."""
    effects: dict[int, Effect]
    """Effects by situation; a situation that could not be decided is in `faults` too."""
    faults: frozenset[int]
    unopened: tuple[int, ...]
    """Rows whose value was to be shown and could not be opened."""
    weights: list[int] | None
    occurrences: Occurrences


def reason_of(tally: Tally, situation: int) -> Reason:
    """Why the cells of a situation are denied."""
    if situation in tally.faults:
        return Reason.UNAVAILABLE
    if situation in CEILINGS:
        return Reason.LIMIT
    return tally.cell.refused or tally.cell.effects.reason(situation)


def disclose(
    cell: SensitiveCell, rows: Rows, *, masks: Masks, occurrences: Occurrences, beyond: Beyond = NOTHING_BEYOND
) -> tuple[Sequence[Any], Tally]:
    """One column as the caller may see it, and the tally of what was decided."""
    situations = rows.situations(cell.coordinate)
    counts = _counts(situations, rows.weights)
    effects, faults = effects_of(cell, counts)
    limited, spent = beyond.limited, beyond.spent.get(cell.coordinate.of, _NO_ROWS)
    if limited or spent:
        situations = [
            LIMITED
            if row in limited and situation not in faults
            else SPENT
            if row in spent and effects[situation] is Effect.REVEAL
            else situation
            for row, situation in enumerate(situations)
        ]
        counts = _counts(situations, rows.weights)
        effects |= {LIMITED: Effect.DENY, SPENT: Effect.DENY}
    values, unopened = _values(cell, rows, situations, effects, masks)
    tally = Tally(cell, rows, situations, counts, effects, faults, unopened, rows.weights, occurrences)
    return values, tally


def _counts(situations: Sequence[int], weights: list[int] | None) -> dict[int, int]:
    if weights is None:
        return Counter(situations)
    counts: dict[int, int] = {}
    for situation, weight in zip(situations, weights, strict=True):
        counts[situation] = counts.get(situation, 0) + weight
    return counts


def effects_of(cell: SensitiveCell, situations: Iterable[int]) -> tuple[dict[int, Effect], frozenset[int]]:
    """The effect of each situation that occurs; a fault is DENY (DESIGN.md, "How a decision is made", 7)."""
    if cell.opens is None:
        return dict.fromkeys(situations, Effect.DENY), frozenset()
    effects: dict[int, Effect] = {}
    faults = set()
    for situation in situations:
        try:
            effects[situation] = cell.effects[situation]
        except DecisionFaultError:
            effects[situation] = Effect.DENY
            faults.add(situation)
    return effects, frozenset(faults)


def _values(
    cell: SensitiveCell, rows: Rows, situations: Sequence[int], effects: dict[int, Effect], masks: Masks
) -> tuple[Sequence[Any], tuple[int, ...]]:
    opens = cell.opens
    if opens is None or not any(effects.values()):
        return (None,) * rows.count, ()
    blobs: Sequence[bytes | None] = rows.column(opens.index)
    if not all(effects.values()):
        blobs = [blob if effects[situation] else None for blob, situation in zip(blobs, situations, strict=True)]
    values, unopened = _open(opens, blobs, rows)
    if opens.convert is not None:
        convert = opens.convert
        values = [None if value is None else convert(value) for value in values]
    if Effect.MASK in effects.values():
        mask = masks[cell.coordinate.category]
        values = [
            mask(value) if value is not None and effects[situation] is Effect.MASK else value
            for value, situation in zip(values, situations, strict=True)
        ]
    return values, unopened


def _open(opens: Sealed, blobs: Sequence[bytes | None], rows: Rows) -> tuple[list[Any], tuple[int, ...]]:
    keys, ids = rows.data_keys(), rows.id_bytes(opens.row_index)
    try:
        return open_column(blobs, keys, ids, label=opens.label), ()
    except SealedValueError:
        values, unopened = _open_each(blobs, keys, ids, label=opens.label)
        _log.error("%d values of %s cannot be opened", len(unopened), opens.label.decode().rstrip("\0"))
        return values, unopened


def open_texts(
    blobs: Sequence[bytes | None], keys: Sequence[DataKey | None], ids: Sequence[bytes], *, label: bytes
) -> list[str | None]:
    """Open values that a decision itself needs (a ward's birth date) and nobody is shown; closed ones read as null."""
    return _open_each(blobs, keys, ids, label=label)[0]


def _open_each(
    blobs: Sequence[bytes | None], keys: Sequence[DataKey | None], ids: Sequence[bytes], *, label: bytes
) -> tuple[list[str | None], tuple[int, ...]]:
    """Where one value cannot be opened, the others still can: the values, and the rows of those that cannot."""
    values: list[str | None] = []
    unopened = []
    for row, cell in enumerate(zip(blobs, keys, ids, strict=True)):
        blob, key, row_id = cell
        try:
            values.extend(open_column([blob], [key], [row_id], label=label))
        except SealedValueError:
            values.append(None)
            unopened.append(row)
    return values, tuple(unopened)
