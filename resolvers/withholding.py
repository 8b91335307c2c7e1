"""Taking everything sensitive out of an answer that is otherwise finished: it could not be recorded (C59)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from resolvers.plan import (
    AsideCell,
    Connection,
    ConnectionCell,
    LinkCell,
    ListCell,
    Plan,
    RootBeside,
    RootConnection,
    RootRow,
    RootViewer,
    SensitiveCell,
    Shape,
    View,
)
from resolvers.rows import Path


@dataclass(frozen=True, slots=True)
class Lost:
    """A field answered beside the plan that held something and was taken out: how often, and where first."""

    coordinate: str
    pattern: str
    path: Path
    count: int


def withhold(plan: Plan, data: dict[str, Any]) -> tuple[Lost, ...]:
    """Put null in the place of every sensitive value of an answer, whatever was decided about it.

    And of what is told from the ledger itself: that is given back, lest it look like something nobody may see.
    """
    found: dict[tuple[str, str], list[Path]] = {}
    for coordinate, path in _roots(plan, data):
        pattern = ".".join("@" if isinstance(part, int) else part for part in path)
        found.setdefault((coordinate, pattern), []).append(path)
    return tuple(Lost(coordinate, pattern, paths[0], len(paths)) for (coordinate, pattern), paths in found.items())


_Told = Iterator[tuple[str, Path]]
"""Coordinate and place of what was told beside the plan."""
_Objects = Iterable[tuple[Path, dict[str, Any] | None]]


def _roots(plan: Plan, data: dict[str, Any]) -> _Told:
    for root in plan.roots:
        if isinstance(root, RootRow):
            yield from _objects(root.level.shape, [((root.key,), data[root.key])])
        elif isinstance(root, RootConnection):
            yield from _connection(root.connection, (root.key,), data[root.key])
        elif isinstance(root, RootViewer):
            for key, level in root.users:
                yield from _objects(level.shape, [((root.key, key), data[root.key][key])])
        elif isinstance(root, RootBeside):
            yield from _aside(root, (), data)


def _aside(aside: RootBeside | AsideCell, path: Path, within: dict[str, Any]) -> _Told:
    if within[aside.key] is not None:
        within[aside.key] = None
        yield aside.aside.coordinate, (*path, aside.key)


def _objects(shape: Shape, objects: _Objects) -> _Told:
    for path, found in objects:
        if found is None:
            continue
        for cell in shape.cells:
            if isinstance(cell, SensitiveCell):
                found[cell.key] = None
            elif isinstance(cell, AsideCell):
                yield from _aside(cell, path, found)
            elif isinstance(cell, LinkCell):
                yield from _objects(cell.level.shape, [((*path, cell.key), found[cell.key])])
            elif isinstance(cell, ListCell):
                below = enumerate(found[cell.key])
                yield from _objects(cell.level.shape, [((*path, cell.key, place), one) for place, one in below])
            elif isinstance(cell, ConnectionCell):
                yield from _connection(cell.connection, (*path, cell.key), found[cell.key])


def _connection(connection: Connection, path: Path, found: Mapping[str, Any]) -> _Told:
    for view in connection.parts:
        if isinstance(view, View):
            for part in view.parts:
                if part.shape is not None:
                    edges = enumerate(found[view.key])
                    nodes = [((*path, view.key, place, part.key), edge[part.key]) for place, edge in edges]
                    yield from _objects(part.shape, nodes)
