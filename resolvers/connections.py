"""Pages of connections, at run time: what was asked of one, and the object that the rows read for it become."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resolvers.nouns import BlindFilter
from resolvers.paging import Cursors, Page, read_page
from resolvers.plan import Connection, PageInfoPart, TotalPart, View
from resolvers.problems import bad_input
from resolvers.rows import Rows
from resolvers.statements import Statement, bind_name
from vault.blind import blind
from vault.keyring import Keyring

LONGEST_LOOKUP = 64
"""Characters of a value looked up blindly: normalising takes time that grows with the square of the length."""

Records = Callable[[Statement, Mapping[str, Any]], Awaitable[Sequence[Any]]]
"""The raw rows of a statement, bound to the caller's own values and these."""

Nodes = Mapping[str, Mapping[str, Sequence[Any]]]
"""By the response keys of `edges` and `node`: the object of every row."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows in all, and whether some stand up to `after` and from `before` on."""

    total: int
    up_to: bool
    onward: bool


NO_ROWS = Counts(0, up_to=False, onward=False)


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

    def overflows(self, records: Sequence[Any]) -> bool:
        """One row more than the page was asked for: is it there?"""
        return len(records) > self._page.size

    def kept(self, records: Sequence[Any]) -> Sequence[Any]:
        """The page itself, in the order of the answer."""
        kept = records[: self._page.size]
        return kept[::-1] if self._page.backward else kept

    async def counts(self, parents: list[Any] | None, records: Records) -> dict[Any, Counts]:
        """What stands around the page, by parent."""
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

    def answer(self, rows: Rows, kept: Sequence[int], *, nodes: Nodes, counts: Counts, more: bool) -> dict[str, Any]:
        """The connection object."""
        answer: dict[str, Any] = {}
        for part in self._connection.parts:
            if isinstance(part, View):
                answer[part.key] = [self._edge(part, rows, row, nodes[part.key]) for row in kept]
            elif isinstance(part, PageInfoPart):
                answer[part.key] = {key: self._info(name, rows, kept, counts, more=more) for key, name in part.names}
            elif isinstance(part, TotalPart):
                answer[part.key] = None if self._connection.count is None else counts.total
            else:
                answer[part.key] = self._connection.type_name
        return answer

    def _edge(self, view: View, rows: Rows, row: int, nodes: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        return {part.key: self._edge_part(part.name, rows, row, nodes.get(part.key)) for part in view.parts}

    def _edge_part(self, name: str, rows: Rows, row: int, objects: Sequence[Any] | None) -> Any:  # noqa: ANN401 - any JSON
        if objects is not None:
            return objects[row]
        if name == "cursor":
            return self._cursor(rows, row)
        return self._connection.type_name.replace("Connection", "Edge")

    def _info(self, name: str, rows: Rows, kept: Sequence[int], counts: Counts, *, more: bool) -> Any:  # noqa: ANN401
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
