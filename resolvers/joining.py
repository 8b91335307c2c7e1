"""Joining the statements of a level and of those below it to one: every level's rows come as one array.

A level below reads for the rows of the level above, as its own statement would for the keys that it is given. So one
statement reads what several would have read, in one snapshot and one round trip. `array_agg` keeps the order in which
a materialized level was read. Of arrays inside records the driver reads none but those of text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from resolvers.plan import Cell, Connection, ConnectionCell, Joined, Level, LinkCell, ListCell, Read, Shape, View
from resolvers.statements import Statement, statement

_NUMBERED = re.compile(r"\$(\d+)")
_OWN = re.compile(r"(?:after|before|filter)_")
"""How the values begin that a page is bound to: each level has its own of the same names."""
_MOST_LEVELS = 12
"""Of one statement: the planner's time grows with each, before the plan is kept."""


def joined(level: Level) -> Joined | None:
    """One statement for the level of one row and what stands below it; None where nothing does that can be joined.

    For lists it does not pay: the driver takes longer to read records in arrays than rows.
    """
    work = _Work()
    work.level(level.read, None)
    work.below(level.shape, 0)
    if len(work.reads) == 1:
        return None
    arrays = ", ".join(f"(SELECT array_agg(l{place}) FROM l{place})" for place in range(len(work.reads)))
    return Joined(statement(f"WITH {', '.join(work.texts)} SELECT {arrays}"), tuple(work.reads))


@dataclass(slots=True)
class _Work:
    texts: list[str] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)

    def level(self, read: Read, keys: str | None) -> int:
        """Add a level, whose `:keys` are what the SQL `keys` gives; its place."""
        place = len(self.reads)
        named = _named(read.statement)
        if keys is not None:
            named = named.replace(":keys", f"({keys})")
        self.texts.append(f"l{place}({_columns(read.width)}) AS MATERIALIZED ({named})")
        self.reads.append(read)
        return place

    def below(self, shape: Shape, above: int) -> None:
        """Add the levels behind the cells of a shape, whose rows are those of level `above`."""
        for cell, read, shapes in _behind(shape.cells):
            own = any(_OWN.match(name) for name in read.statement.names)
            if own or len(self.reads) == _MOST_LEVELS or "keys" not in read.statement.names:
                continue
            column = f"k.c{cell.index}"
            keys = f"SELECT coalesce(array_agg(DISTINCT {column}), '{{}}') FROM l{above} k WHERE {column} IS NOT NULL"
            place = self.level(read, keys)
            for one in shapes:
                self.below(one, place)


def _behind(cells: tuple[Cell, ...]) -> Iterator[tuple[LinkCell | ListCell | ConnectionCell, Read, tuple[Shape, ...]]]:
    for cell in cells:
        if isinstance(cell, LinkCell | ListCell):
            yield cell, cell.level.read, (cell.level.shape,)
        elif isinstance(cell, ConnectionCell):
            yield cell, cell.connection.read, _shapes(cell.connection)


def _named(text: Statement) -> str:
    return _NUMBERED.sub(lambda found: f":{text.names[int(found.group(1)) - 1]}", text.sql)


def _columns(width: int) -> str:
    return ", ".join(f"c{place}" for place in range(width))


def _shapes(connection: Connection) -> tuple[Shape, ...]:
    """The shapes of a connection's nodes."""
    views = [part for part in connection.parts if isinstance(part, View)]
    return tuple(part.shape for view in views for part in view.parts if part.shape is not None)
