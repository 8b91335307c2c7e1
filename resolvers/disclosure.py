"""Disclosure: the effect of every cell, and the only place that opens sealed values, and only those shown."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from authz.compile import DecisionFaultError
from authz.vocabulary import DataSubject, Effect, Reason
from resolvers.masks import Masks
from resolvers.plan import Sealed, SensitiveCell
from resolvers.rows import Occurrences, Rows
from vault.sealing import DataKey, SealedValueError, ShownAs, open_column

_log = logging.getLogger("needful.disclosure")

LIMITED = -1
"""Stands in a tally instead of the situation of a row beyond the token's ceiling."""
SPENT = -2
"""Stands in a tally instead of a situation that would reveal, where the subject's disclosure budget is spent."""
CEILINGS = frozenset({LIMITED, SPENT})
_NO_ROWS: frozenset[int] = frozenset()
_DENIED = frozenset({Effect.DENY})


@dataclass(frozen=True, slots=True)
class Beyond:
    """Rows of a level that are beyond a ceiling."""

    limited: frozenset[int] = _NO_ROWS
    """Beyond the token's: nothing of them is shown."""
    spent: Mapping[DataSubject, frozenset[int]] = field(default_factory=dict)
    """About persons beyond the disclosure budget, by data subject: what would be revealed of them is not shown."""


NOTHING_BEYOND = Beyond()


@dataclass(slots=True, eq=False)
class Ruled:
    """What the rules say of one cell of a shape, before any ceiling and before anything is opened."""

    cell: SensitiveCell
    situations: Sequence[int]
    """Of each row."""
    counts: Mapping[int, int]
    """Occurrences by situation."""
    effects: Mapping[int, Effect]
    """Effects by situation; a situation that could not be decided is in `faults` too."""
    faults: frozenset[int]


@dataclass(slots=True, eq=False)
class Tally:
    """What was decided about one cell of a shape: how often each situation stood in the answer."""

    cell: SensitiveCell
    rows: Rows
    situations: Sequence[int]
    counts: Mapping[int, int]
    """Occurrences by situation."""
    effects: Mapping[int, Effect]
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


def ruled(cell: SensitiveCell, rows: Rows) -> Ruled:
    """What the rules say of one column; a fault is DENY (DESIGN.md, "How a decision is made", 7)."""
    situations, counts = rows.judged(cell.coordinate)
    if cell.opens is None:
        return Ruled(cell, situations, counts, dict.fromkeys(counts, Effect.DENY), _NO_ROWS)
    table = cell.effects
    try:
        effects, faults = {situation: table[situation] for situation in counts}, _NO_ROWS
    except DecisionFaultError:
        effects, faults = _with_faults(cell, counts)
    return Ruled(cell, situations, counts, effects, faults)


def _with_faults(cell: SensitiveCell, situations: Iterable[int]) -> tuple[dict[int, Effect], frozenset[int]]:
    effects: dict[int, Effect] = {}
    faults = set()
    for situation in situations:
        try:
            effects[situation] = cell.effects[situation]
        except DecisionFaultError:
            effects[situation] = Effect.DENY
            faults.add(situation)
    return effects, frozenset(faults)


def disclose(
    said: Ruled, rows: Rows, *, masks: Masks, occurrences: Occurrences, beyond: Beyond = NOTHING_BEYOND
) -> tuple[Sequence[Any], Tally]:
    """One column as the caller may see it, and the tally of what was decided."""
    cell, situations, counts, effects, faults = said.cell, said.situations, said.counts, said.effects, said.faults
    if beyond is not NOTHING_BEYOND:
        limited, spent = beyond.limited, beyond.spent.get(cell.coordinate.of, _NO_ROWS)
        situations = [
            LIMITED
            if row in limited and situation not in faults
            else SPENT
            if row in spent and effects[situation] is Effect.REVEAL
            else situation
            for row, situation in enumerate(situations)
        ]
        counts = rows.counted(situations)
        effects = {**effects, LIMITED: Effect.DENY, SPENT: Effect.DENY}
    values, unopened = _values(cell, rows, situations, effects, masks)
    return values, Tally(cell, rows, situations, counts, effects, faults, unopened, rows.weights, occurrences)


def _values(
    cell: SensitiveCell, rows: Rows, situations: Sequence[int], effects: Mapping[int, Effect], masks: Masks
) -> tuple[Sequence[Any], tuple[int, ...]]:
    """The column as it is shown: what is denied stays closed, and so does what is masked once it is masked."""
    opens = cell.opens
    decided = set(effects.values())
    if opens is None or decided == _DENIED:
        return (None,) * rows.count, ()
    if len(decided) == 1:
        (effect,) = decided
        return _open(opens, rows, _shown_as(cell, opens, effect, masks))
    values: list[Any] = [None] * rows.count
    unopened: list[int] = []
    for effect in decided - _DENIED:
        alike = [row for row, situation in enumerate(situations) if effects[situation] is effect]
        found, closed = _open(opens, rows, _shown_as(cell, opens, effect, masks), some=alike)
        for row, value in zip(alike, found, strict=True):
            values[row] = value
        unopened += [alike[place] for place in closed]
    return values, tuple(sorted(unopened))


def _shown_as(cell: SensitiveCell, opens: Sealed, effect: Effect, masks: Masks) -> ShownAs | None:
    return _masked(masks[cell.coordinate.category], opens.convert) if effect is Effect.MASK else opens.convert


@cache
def _masked(mask: ShownAs, convert: ShownAs | None) -> ShownAs:
    """A mask, behind the conversion of a column if it has one: the same function for the same two."""
    if convert is None:
        return mask

    def converted(text: str) -> Any:  # noqa: ANN401 - any JSON
        value = convert(text)
        return None if value is None else mask(value)

    return converted


def _open(
    opens: Sealed, rows: Rows, shown_as: ShownAs | None, *, some: Sequence[int] | None = None
) -> tuple[list[Any], tuple[int, ...]]:
    """A column, or only `some` rows of it; and where among them a value cannot be opened."""
    blobs: Sequence[bytes | None] = rows.column(opens.index)
    keys: Sequence[DataKey | None] = rows.data_keys()
    ids: Sequence[bytes] = rows.id_bytes(opens.row_index)
    if some is not None:
        blobs, keys, ids = ([column[row] for row in some] for column in (blobs, keys, ids))  # type: ignore[assignment]
    try:
        return rows.keys.open_column(blobs, keys, ids, label=opens.label, shown_as=shown_as), ()
    except SealedValueError:
        values, unopened = _open_each(blobs, keys, ids, label=opens.label, shown_as=shown_as)
        _log.error("%d values of %s cannot be opened", len(unopened), opens.label.decode().rstrip("\0"))
        return values, unopened


def open_texts(
    blobs: Sequence[bytes | None], keys: Sequence[DataKey | None], ids: Sequence[bytes], *, label: bytes
) -> list[str | None]:
    """Open values that a decision itself needs (a ward's birth date) and nobody is shown; closed ones read as null."""
    return _open_each(blobs, keys, ids, label=label)[0]


def _open_each(
    blobs: Sequence[bytes | None],
    keys: Sequence[DataKey | None],
    ids: Sequence[bytes],
    *,
    label: bytes,
    shown_as: ShownAs | None = None,
) -> tuple[list[Any], tuple[int, ...]]:
    """Where one value cannot be opened, the others still can: the values, and the rows of those that cannot."""
    values: list[Any] = []
    unopened = []
    for row, cell in enumerate(zip(blobs, keys, ids, strict=True)):
        blob, key, row_id = cell
        try:
            values.extend(open_column([blob], [key], [row_id], label=label, shown_as=shown_as))
        except SealedValueError:
            values.append(None)
            unopened.append(row)
    return values, tuple(unopened)
