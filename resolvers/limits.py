"""Limits, checked before any data is read: each names itself, its maximum and what was asked."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from resolvers.paging import page_size
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
    RootWritten,
    Shape,
    View,
)
from resolvers.problems import over_limit
from resolvers.selection import MAX_FIELDS

BESIDE_VIEWER_WEIGHT = 100
"""What a list counts for that the viewer is told beside the plan."""

MAX_BODY = 256 * 1024
MAX_TOKENS = 2_000
MAX_DEPTH = 20
MAX_ALIASES = 100
INTROSPECTION_WEIGHT = 10
"""How many aliases one in introspection counts for: each reads the schema once more."""

MAX_REPEATS = 2_000
"""Pairs of fields under one response key, and of fragments in one selection: validation compares every two."""

MAX_COST = 100_000
"""Rows times fields, with a page counted at its full size."""

LIST_ESTIMATE = 4
"""How many rows a whole list (a policy's beneficiaries) counts for."""

COUNT_ESTIMATE = 2_000
"""What a root connection's `totalCount` counts for: it looks at every row of the caller's scope."""


_COUNTED_TO = 1_000_000
"""Fragments can multiply without end; beyond this it is just too much."""

_INTROSPECTION = frozenset({"__schema", "__type"})

_Fragments = Mapping[str, FragmentDefinitionNode]


@dataclass(frozen=True, slots=True)
class Measure:
    """The size of a selection with its fragments expanded; `fields` counts every selection."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0


def check_size(operation: OperationDefinitionNode, fragments: _Fragments) -> None:
    """Refuse an operation that is too large. Its fragments must be known and hold no cycle; nothing else is assumed.

    Fragments are measured once; they are expanded only when the sum is known to be small.
    """
    measured = _Measuring(fragments).selections(operation.selection_set)
    if measured.depth > MAX_DEPTH:
        raise over_limit("depth", maximum=MAX_DEPTH, actual=measured.depth)
    if measured.aliases > MAX_ALIASES:
        raise over_limit("aliases", maximum=MAX_ALIASES, actual=measured.aliases)
    if measured.fields > MAX_FIELDS:
        raise over_limit("fields", maximum=MAX_FIELDS, actual=measured.fields)
    repeats = _repeats((operation.selection_set,), fragments)
    if repeats > MAX_REPEATS:
        raise over_limit("repeats", maximum=MAX_REPEATS, actual=repeats)


class _Measuring:
    def __init__(self, fragments: _Fragments) -> None:
        self._fragments = fragments
        self._known: dict[str, Measure] = {}

    def selections(self, selection_set: SelectionSetNode) -> Measure:
        depth = aliases = fields = 0
        for node in selection_set.selections:
            found = self._one(node)
            depth = max(depth, found.depth)
            aliases += found.aliases
            fields += found.fields + 1
        return Measure(depth, min(aliases, _COUNTED_TO), min(fields, _COUNTED_TO))

    def _one(self, node: Any) -> Measure:  # noqa: ANN401 - graphql-core's selection nodes
        if isinstance(node, FragmentSpreadNode):
            return self._fragment(node.name.value)
        if isinstance(node, InlineFragmentNode):
            return self.selections(node.selection_set)
        return self._field(node)

    def _field(self, node: FieldNode) -> Measure:
        below = self.selections(node.selection_set) if node.selection_set else Measure()
        aliases = below.aliases + (node.alias is not None)
        if node.name.value in _INTROSPECTION:
            aliases *= INTROSPECTION_WEIGHT
        return Measure(below.depth + 1, aliases, below.fields)

    def _fragment(self, name: str) -> Measure:
        if name not in self._known:
            self._known[name] = self.selections(self._fragments[name].selection_set)
        return self._known[name]


def _repeats(merged: Iterable[SelectionSetNode], fragments: _Fragments) -> int:
    """How many pairs validation compares where these selections meet in one object, and below it."""
    spreads: set[str] = set()
    keys: Counter[str] = Counter()
    below: dict[str, list[SelectionSetNode]] = {}
    for node in _fields(merged, fragments, spreads):
        key = node.alias.value if node.alias else node.name.value
        keys[key] += 1
        if node.selection_set:
            below.setdefault(key, []).append(node.selection_set)
    here = sum(_pairs(count) for count in keys.values()) + _pairs(len(spreads))
    return here + sum(_repeats(sets, fragments) for sets in below.values())


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


def _fields(merged: Iterable[SelectionSetNode], fragments: _Fragments, spreads: set[str]) -> Iterator[FieldNode]:
    """The fields of some selections, each fragment once, its name added to `spreads`."""
    waiting = list(merged)
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in spreads:
                spreads.add(node.name.value)
                waiting.append(fragments[node.name.value].selection_set)


def check_cost(plan: Plan, variables: Mapping[str, Any]) -> None:
    """Refuse a plan that could read too many cells."""
    cost = 0
    for root in plan.roots:
        if isinstance(root, RootRow | RootWritten):
            cost += _shape(root.level.shape, 1, variables)
        elif isinstance(root, RootConnection):
            cost += _connection(root.connection, 1, variables)
            cost += COUNT_ESTIMATE if root.connection.count else 0
        elif isinstance(root, RootViewer):
            cost += sum(_shape(level.shape, 1, variables) for _, level in root.users)
            cost += sum(BESIDE_VIEWER_WEIGHT + asked.size for _, _, asked in root.besides)
        elif isinstance(root, RootBeside):
            cost += _aside(root, 1, variables) + root.aside.more(root.asked, root.arguments.values(variables))
    if cost > MAX_COST:
        raise over_limit("cost", maximum=MAX_COST, actual=cost)


def is_measured_once(plan: Plan) -> bool:
    """Does its cost depend on nothing but its structure and whole numbers, which every plan is made for?"""
    return not any(isinstance(root, RootBeside) for root in plan.roots)


def _connection(connection: Connection, parents: int, variables: Mapping[str, Any]) -> int:
    size = page_size(connection.arguments.values(variables), largest=connection.largest)
    shapes = [
        edge.shape
        for part in connection.parts
        if isinstance(part, View)
        for edge in part.parts
        if edge.shape is not None
    ]
    rows = parents * size
    edges = sum(len(part.parts) for part in connection.parts if isinstance(part, View))
    return rows * (1 + edges) + sum(_shape(shape, rows, variables) for shape in shapes)


def _aside(aside: RootBeside | AsideCell, parents: int, variables: Mapping[str, Any]) -> int:
    size = page_size(aside.arguments.values(variables), largest=aside.aside.largest)
    return parents * (aside.aside.weight + size * aside.asked.size)


def _shape(shape: Shape, rows: int, variables: Mapping[str, Any]) -> int:
    cost = rows * len(shape.cells)
    for cell in shape.cells:
        if isinstance(cell, LinkCell):
            cost += _shape(cell.level.shape, rows, variables)
        elif isinstance(cell, ListCell):
            cost += _shape(cell.level.shape, rows * LIST_ESTIMATE, variables)
        elif isinstance(cell, ConnectionCell):
            cost += _connection(cell.connection, rows, variables)
        elif isinstance(cell, AsideCell):
            cost += _aside(cell, rows, variables)
    return cost
