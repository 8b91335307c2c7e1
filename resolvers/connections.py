"""Pages of connections, at run time: what was asked of one, and the object that the rows read for it become."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resolvers.nouns import BlindFilter
from resolvers.paging import Cursors, Page, read_page
from resolvers.plan import Connection, PageInfoPart, Part, TotalPart, View
from resolvers.problems import bad_input
from resolvers.rows import Rows
from resolvers.statements import Statement, bind_name
from vault.blind import blind
from vault.keyring import Keyring

LONGEST_LOOKUP = 64
"""Characters of a value looked up blindly: normalising takes time that grows with the square of the length."""

Records = Callable[[Statement, Mapping[str, Any]], Awaitable[Sequence[Any]]]
"""The raw rows of a statement, bound to the caller's own values and these."""

Edges = Sequence[dict[str, Any]]
"""The edge of every row."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows in all, and whether some stand up to `after` and from `before` on."""

    total: int
    up_to: bool
    onward: bool


NO_ROWS = Counts(0, up_to=False, onward=False)


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around one page: what was counted, and whether there are `more` rows than it has room for."""

    counts: Counts
    more: bool


ALONE = Around(NO_ROWS, more=False)


class ConnectionPage:
    """One page of a connection; `caller` tells whose cursors it takes and gives."""

    def __init__(self, connection: Connection, arguments: Mapping[str, Any], *, caller: str, keyring: Keyring) -> None:
        """Read the arguments. Raises BAD_USER_INPUT, LIMIT_EXCEEDED or BAD_CURSOR."""
        self._connection = connection
        self._keyring = keyring
        order = ",".join(connection.order.keys)
        context = f"{connection.coordinate}|{order}|{caller}"
        self._cursors = Cursors(keyring.cursor, context.encode(), connection.order)
        self._page: Page = read_page(arguments, largest=connection.largest, cursors=self._cursors)
        self.local: dict[str, Any] = {**self._bounds(), **self._filters(arguments)}

    @property
    def backward(self) -> bool:
        """Are its rows read from the last to the first?"""
        return self._page.backward

    def overflows(self, records: Sequence[Any]) -> bool:
        """One row more than the page was asked for: is it there?"""
        return len(records) > self._page.size

    def kept(self, records: Sequence[Any]) -> Sequence[Any]:
        """The page itself, in the order of the answer."""
        kept = records[: self._page.size]
        return kept[::-1] if self._page.backward else kept

    async def counts(self, parents: list[Any] | None, records: Records) -> dict[Any, Counts]:
        """What stands around the page, by parent."""
        if self._connection.count is None and self._connection.beyond is None:
            return {}
        local = self.local if parents is None else {**self.local, "keys": parents}
        totals = await _by_parent(self._connection.count, local, records)
        sides = await _by_parent(self._connection.beyond, local, records)
        return {
            parent: Counts(
                total=totals[parent][0] if parent in totals else 0,
                up_to=parent in sides and sides[parent][0],
                onward=parent in sides and sides[parent][1],
            )
            for parent in {**totals, **sides}
        }

    def edges(self, view: View, rows: Rows, nodes: Mapping[str, Sequence[Any]]) -> Edges:
        """The edge of every row in one `edges` selection; `nodes` has the objects of its `node`s, by response key."""
        columns = [nodes[part.key] if part.shape is not None else self._beside(part.name, rows) for part in view.parts]
        if len(columns) == 1:
            (key,) = (part.key for part in view.parts)
            return [{key: value} for value in columns[0]]
        keys = [part.key for part in view.parts]
        return [dict(zip(keys, values, strict=True)) for values in zip(*columns, strict=True)]

    def answers(
        self, rows: Rows, places: Sequence[Sequence[int]], *, edges: Mapping[str, Edges], around: Sequence[Around]
    ) -> list[dict[str, Any]]:
        """The connection object below each parent: at these places stand its rows, and so much is around them.

        `edges` holds the edges of all rows, by the response key of each `edges` selection.
        """
        columns = [self._part(part, rows, places, edges, around) for part in self._connection.parts]
        if len(columns) == 1:
            (key,) = (part.key for part in self._connection.parts)
            return [{key: value} for value in columns[0]]
        keys = [part.key for part in self._connection.parts]
        return [dict(zip(keys, values, strict=True)) for values in zip(*columns, strict=True)]

    def _part(
        self,
        part: Part,
        rows: Rows,
        places: Sequence[Sequence[int]],
        edges: Mapping[str, Edges],
        around: Sequence[Around],
    ) -> Sequence[Any]:
        if isinstance(part, View):
            every = edges[part.key]
            return [[every[row] for row in kept] for kept in places]
        if isinstance(part, PageInfoPart):
            return [
                {key: self._info(name, rows, kept, one) for key, name in part.names}
                for kept, one in zip(places, around, strict=True)
            ]
        if isinstance(part, TotalPart):
            return [None if self._connection.count is None else one.counts.total for one in around]
        return [self._connection.type_name] * len(places)

    def _beside(self, name: str, rows: Rows) -> Sequence[str]:
        if name == "cursor":
            return [self._cursor(rows, row) for row in range(rows.count)]
        return [self._connection.type_name.replace("Connection", "Edge")] * rows.count

    def _info(self, name: str, rows: Rows, kept: Sequence[int], around: Around) -> Any:  # noqa: ANN401 - any JSON
        counts, more = around.counts, around.more
        if name == "startCursor":
            return self._cursor(rows, kept[0]) if kept else None
        if name == "endCursor":
            return self._cursor(rows, kept[-1]) if kept else None
        if name == "hasNextPage":
            return counts.onward if self._page.backward else more or counts.onward
        if name == "hasPreviousPage":
            return more or counts.up_to if self._page.backward else counts.up_to
        return "PageInfo"

    def _cursor(self, rows: Rows, row: int) -> str:
        return self._cursors.close([_plain(rows.column(index)[row]) for index in rows.read.sort_indexes])

    def _bounds(self) -> dict[str, Any]:
        bounds = {}
        for name, keys in (("after", self._page.after), ("before", self._page.before)):
            for place, key in enumerate(keys or ()):
                bounds[f"{name}_{place}"] = key
        return bounds

    def _filters(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        known = self._connection.read.noun.filters or {}
        filters = {}
        for name, convert in self._connection.filters:
            stored = known[name]
            value = arguments[name]
            if isinstance(stored, BlindFilter):
                if len(value) > LONGEST_LOOKUP:
                    raise bad_input(name, f"The argument {name!r} is longer than any such value.")
                value = blind(self._keyring, stored.key, stored.stored(value))
            elif convert is not None:
                value = convert(value)
            filters[bind_name(name)] = value
        return filters


async def _by_parent(text: Statement | None, local: Mapping[str, Any], records: Records) -> dict[Any, tuple[Any, ...]]:
    return {} if text is None else {row[0]: tuple(row)[1:] for row in await records(text, local)}


def _plain(key: Any) -> Any:  # noqa: ANN401 - asyncpg's UUID is not the standard one
    return str(key) if hasattr(key, "bytes") else key
