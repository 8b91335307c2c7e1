"""Running a plan: level by level, statement by statement, each column disclosed once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from authz.scope import sees_audience
from authz.subjects import Subject
from models.global_ids import to_global
from models.vocabulary import Purpose
from resolvers.disclosure import NONE_LIMITED, Tally, disclose, rows_beyond
from resolvers.global_ids import row_under
from resolvers.masks import Masks
from resolvers.nouns import BlindFilter
from resolvers.paging import Cursors, Page, read_page
from resolvers.plan import (
    Cell,
    Connection,
    ConnectionCell,
    Constant,
    IdCell,
    LinkCell,
    ListCell,
    PageInfoPart,
    Plan,
    PublicCell,
    Read,
    Root,
    RootConnection,
    RootConstant,
    RootRow,
    RootViewer,
    RootWritten,
    SensitiveCell,
    Shape,
    TotalPart,
    View,
)
from resolvers.problems import bad_input
from resolvers.rows import Occurrences, Path, Rows, at_root, linked, listed, listed_at_root
from resolvers.sessions import sessions_of
from resolvers.statements import Statement, bind_name
from vault.blind import blind
from vault.keyring import Keyring
from vault.sealing import KeyCache

Fetch = Callable[..., Any]

LONGEST_LOOKUP = 64
"""Characters of a value looked up blindly: normalising takes time that grows with the square of the length."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution: the connection's `fetch`, the caller, the variables, the keys, and what is tallied on the way."""

    fetch: Fetch
    subject: Subject
    purpose: Purpose
    ruleset: int
    caller: Mapping[str, Any]
    variables: Mapping[str, Any]
    keyring: Keyring
    keys: KeyCache
    masks: Masks
    now: datetime
    count_people: Callable[[int], Any]
    """Counts people shown to a marketing audience's recipient, or refuses (C21)."""
    count_rows: Callable[[int], Any] | None = None
    """Counts rows about to be shown, and gives how many of them the token's ceiling still lets through."""
    tallies: list[Tally] = field(default_factory=list)

    async def rows(self, read: Read, local: Mapping[str, Any], *, weights: list[int] | None = None) -> Rows:
        """Run one statement."""
        records = await self.records(read.statement, local)
        return Rows(read, records, keys=self.keys, weights=weights)

    async def records(self, text: Statement, local: Mapping[str, Any]) -> Sequence[Any]:
        """The raw rows of a statement, bound to the caller's and the level's own values."""
        found: Sequence[Any] = await self.fetch(text.sql, *text.values({**self.caller, **local}))
        return found


async def run_plan(plan: Plan, run: Run) -> dict[str, Any]:
    """The planned part of the answer, by root key."""
    return {root.key: await _root(root, run) for root in plan.roots}


async def run_written(plan: Plan, run: Run, row: Any) -> Any:  # noqa: ANN401 - an id, any JSON
    """The row that a mutation wrote, as its payload; None where it does not exist for the caller (any more)."""
    (root,) = plan.roots
    if not isinstance(root, RootWritten):
        message = "a plan that shows nothing written"
        raise TypeError(message)
    return await _one(root.level.read, root.level.shape, run, row=row, path=(root.key,))


async def _root(root: Root, run: Run) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(root, RootConstant):
        return root.value
    if isinstance(root, RootViewer):
        return await _viewer(root, run)
    if isinstance(root, RootConnection):
        return await _root_connection(root, run)
    if isinstance(root, RootWritten):
        message = "what a mutation wrote is shown by run_written"
        raise TypeError(message)
    return await _root_row(root, run)


async def _root_row(root: RootRow, run: Run) -> Any:  # noqa: ANN401 - any JSON
    row = row_under(root.arguments.values(run.variables)["id"], root.node_type, argument="id")
    return await _one(root.level.read, root.level.shape, run, row=row, path=(root.key,))


async def _one(read: Read, shape: Shape, run: Run, *, row: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON
    rows = await run.rows(read, {"id": row})
    if not rows.count:
        return None
    await _count_people(read, rows.count, run)
    (built,) = await _objects(shape, rows, run, at_root(path))
    return built


async def _viewer(root: RootViewer, run: Run) -> dict[str, Any]:
    users = {}
    for key, level in root.users:
        person = run.subject.person
        users[key] = person and await _one(level.read, level.shape, run, row=person, path=(root.key, key))
    sessions = {key: await sessions_of(run.fetch, run.subject, asked, now=run.now) for key, asked in root.sessions}
    words = {
        "role": run.subject.role.value,
        "organization": run.subject.organization_code,
        "purposes": [purpose.name for purpose in run.subject.purposes],
        "ruleset": run.ruleset,
        "pendingNotices": [],
        "__typename": "Viewer",
    }
    apart = {**users, **sessions}
    return {key: apart[key] if key in apart else words[name] for key, name in root.fields}


async def _root_connection(root: RootConnection, run: Run) -> dict[str, Any]:
    connection = root.connection
    page = _Page(connection, run)
    records = await run.records(connection.read.statement, page.local)
    rows = Rows(connection.read, page.kept(records), keys=run.keys, weights=None)
    await _count_people(connection.read, rows.count, run)
    counts = await page.counts(None)
    nodes = {
        view.key: await _nodes(view, rows, run, partial(listed_at_root, rows.count, (root.key, view.key)))
        for view in _views(connection)
    }
    around = counts.get(None, _NO_ROWS)
    return page.answer(rows, range(rows.count), nodes=nodes, counts=around, more=page.overflows(records))


async def _count_people(read: Read, count: int, run: Run) -> None:
    if count and read.noun.table == "person" and sees_audience(run.subject.role, run.purpose):
        await run.count_people(count)


async def _objects(shape: Shape, rows: Rows, run: Run, occurrences: Occurrences) -> list[dict[str, Any]]:
    """The object of each row."""
    if not rows.count:
        return []
    limited = await rows_beyond(shape.cells, rows, run.count_rows) if run.count_rows else NONE_LIMITED
    columns = [await _column(cell, rows, run, occurrences, limited) for cell in shape.cells]
    if not columns:
        return [{} for _ in range(rows.count)]
    return list(map(shape.make, *columns))


async def _column(  # noqa: PLR0911 - a table
    cell: Cell, rows: Rows, run: Run, occurrences: Occurrences, limited: frozenset[int]
) -> Sequence[Any]:
    if isinstance(cell, SensitiveCell):
        values, tally = disclose(cell, rows, masks=run.masks, occurrences=occurrences, limited=limited)
        run.tallies.append(tally)
        return values
    if isinstance(cell, PublicCell):
        column = rows.column(cell.index)
        convert = cell.convert
        return column if convert is None else [None if value is None else convert(value) for value in column]
    if isinstance(cell, IdCell):
        node_type = cell.node_type
        return [to_global(node_type, row) for row in rows.column(cell.index)]
    if isinstance(cell, Constant):
        return (cell.value,) * rows.count
    if isinstance(cell, LinkCell):
        return await _linked(cell, rows, run, occurrences)
    if isinstance(cell, ListCell):
        return await _lists(cell, rows, run, occurrences)
    return await _connections(cell, rows, run, occurrences)


async def _linked(cell: LinkCell, rows: Rows, run: Run, occurrences: Occurrences) -> Sequence[Any]:
    keys = rows.column(cell.index)
    distinct = list(dict.fromkeys(key for key in keys if key is not None))
    if not distinct:
        return (None,) * rows.count
    read = cell.level.read
    records = await run.records(read.statement, {"keys": distinct})
    found = {record[read.id_index]: place for place, record in enumerate(records)}
    weights = None
    if rows.weights is not None or len(distinct) != len(keys):
        times = _times(keys, rows.weights)
        weights = [times[record[read.id_index]] for record in records]
    level = Rows(read, records, keys=run.keys, weights=weights)
    objects = await _objects(cell.level.shape, level, run, linked(occurrences, keys, found, key=cell.key))
    return [objects[found[key]] if key in found else None for key in keys]


async def _lists(cell: ListCell, rows: Rows, run: Run, occurrences: Occurrences) -> Sequence[Any]:
    parents = rows.column(cell.index)
    level, groups, _ = await _below(cell.level.read, rows, parents, run, None)
    path = listed(occurrences, parents, groups, (cell.key,), ())
    objects = await _objects(cell.level.shape, level, run, path)
    return [[objects[row] for row in groups.get(parent, ())] for parent in parents]


async def _connections(cell: ConnectionCell, rows: Rows, run: Run, occurrences: Occurrences) -> Sequence[Any]:
    connection, parents = cell.connection, rows.column(cell.index)
    page = _Page(connection, run)
    level, groups, overflowing = await _below(connection.read, rows, parents, run, page)
    counts = await page.counts(list(dict.fromkeys(parents)))
    nodes = {
        view.key: await _nodes(
            view,
            level,
            run,
            partial(listed, occurrences, parents, groups, (cell.key, view.key)),
        )
        for view in _views(connection)
    }
    return [
        page.answer(
            level,
            groups.get(parent, ()),
            nodes=nodes,
            counts=counts.get(parent, _NO_ROWS),
            more=parent in overflowing,
        )
        for parent in parents
    ]


async def _below(
    read: Read, rows: Rows, parents: Sequence[Any], run: Run, page: "_Page | None"
) -> tuple[Rows, dict[Any, list[int]], set[Any]]:
    """The rows below some parents, which of them stand below which, and the parents with more than a page."""
    distinct = list(dict.fromkeys(parents))
    local = {**(page.local if page else {}), "keys": distinct}
    found: dict[Any, list[Any]] = {}
    for record in await run.records(read.statement, local) if distinct else ():
        found.setdefault(record[read.parent_index], []).append(record)
    overflowing = {parent for parent, records in found.items() if page and page.overflows(records)}
    records: list[Any] = []
    groups: dict[Any, list[int]] = {}
    for parent, group in found.items():
        kept = page.kept(group) if page else group
        groups[parent] = list(range(len(records), len(records) + len(kept)))
        records.extend(kept)
    weights = None
    if rows.weights is not None or len(distinct) != len(parents):
        times = _times(parents, rows.weights)
        weights = [times[record[read.parent_index]] for record in records]
    return Rows(read, records, keys=run.keys, weights=weights), groups, overflowing


def _times(keys: Sequence[Any], weights: list[int] | None) -> dict[Any, int]:
    """How often rows with each key stand in the answer."""
    times: dict[Any, int] = {}
    for key, weight in zip(keys, weights or (1,) * len(keys), strict=True):
        times[key] = times.get(key, 0) + weight
    return times


def _views(connection: Connection) -> Iterator[View]:
    return (part for part in connection.parts if isinstance(part, View))


async def _nodes(
    view: View, rows: Rows, run: Run, place: Callable[[Path], Occurrences]
) -> dict[str, list[dict[str, Any]]]:
    """The nodes of one `edges` selection, by response key."""
    return {
        part.key: await _objects(part.shape, rows, run, place((part.key,)))
        for part in view.parts
        if part.shape is not None
    }


Nodes = Mapping[str, Mapping[str, Sequence[Any]]]
"""By the response keys of `edges` and `node`: the object of every row."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows in all, and whether some stand up to `after` and from `before` on."""

    total: int
    up_to: bool
    onward: bool


_NO_ROWS = Counts(0, up_to=False, onward=False)


class _Page:
    """One page of a connection, at run time."""

    def __init__(self, connection: Connection, run: Run) -> None:
        self._connection = connection
        self._run = run
        arguments = connection.arguments.values(run.variables)
        subject = run.subject
        order = ",".join(connection.order.keys)
        context = f"{connection.coordinate}|{order}|{subject.role}|{run.purpose}|{subject.identity}"
        self._cursors = Cursors(run.keyring.cursor, context.encode(), connection.order)
        self._page: Page = read_page(arguments, largest=connection.largest, cursors=self._cursors)
        self.local: dict[str, Any] = {**self._bounds(), **self._filters(arguments)}

    def overflows(self, records: Sequence[Any]) -> bool:
        """One row more than the page was asked for: is it there?"""
        return len(records) > self._page.size

    def kept(self, records: Sequence[Any]) -> Sequence[Any]:
        """The page itself, in the order of the answer."""
        kept = records[: self._page.size]
        return kept[::-1] if self._page.backward else kept

    async def counts(self, parents: list[Any] | None) -> dict[Any, Counts]:
        """What stands around the page, by parent."""
        local = self.local if parents is None else {**self.local, "keys": parents}
        totals = await self._by_parent(self._connection.count, local)
        sides = await self._by_parent(self._connection.beyond, local)
        return {
            parent: Counts(
                total=totals[parent][0] if parent in totals else 0,
                up_to=parent in sides and sides[parent][0],
                onward=parent in sides and sides[parent][1],
            )
            for parent in {**totals, **sides}
        }

    async def _by_parent(self, text: Statement | None, local: Mapping[str, Any]) -> dict[Any, tuple[Any, ...]]:
        return {} if text is None else {row[0]: tuple(row)[1:] for row in await self._run.records(text, local)}

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
                value = blind(self._run.keyring, stored.key, stored.stored(value))
            elif convert is not None:
                value = convert(value)
            filters[bind_name(name)] = value
        return filters


def _plain(key: Any) -> Any:  # noqa: ANN401 - asyncpg's UUID is not the standard one
    return str(key) if hasattr(key, "bytes") else key
