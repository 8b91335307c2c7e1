"""Running a plan: level by level, statement by statement, each column disclosed once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from authz.budget import Spending
from authz.compile import Snapshot
from authz.scope import sees_audience
from authz.subjects import Subject
from models.global_ids import to_global
from models.vocabulary import Purpose
from privacy.bundles import Bundle
from privacy.receipts import Receipts
from privacy.statistics_releases import USUAL, StatisticsSettings
from resolvers.arguments import NO_ARGUMENTS, Arguments
from resolvers.asides import Asked, Notes, Question, project
from resolvers.ceilings import rows_beyond
from resolvers.connections import ALONE, NO_ROWS, Around, ConnectionPage, Edges
from resolvers.disclosure import NOTHING_BEYOND, Tally, disclose, ruled
from resolvers.field_access import Planner
from resolvers.global_ids import row_under
from resolvers.lookups import Lookup, looked_up
from resolvers.masks import Masks
from resolvers.plan import (
    AsideCell,
    Connection,
    ConnectionCell,
    Constant,
    IdCell,
    Joined,
    Level,
    LinkCell,
    ListCell,
    Plan,
    PublicCell,
    Read,
    Root,
    RootBeside,
    RootConnection,
    RootConstant,
    RootRow,
    RootViewer,
    RootWritten,
    SensitiveCell,
    Shape,
    View,
)
from resolvers.rows import Occurrences, Path, Rows, at_root, linked, listed, listed_at_root
from resolvers.statements import Statement
from resolvers.viewer import BESIDE_VIEWER
from vault.keyring import Keyring
from vault.sealing import KeyCache

Fetch = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Run:
    """One execution: the connection's `fetch`, the caller, the variables, the keys, and what is tallied on the way."""

    fetch: Fetch
    subject: Subject
    purpose: Purpose
    snapshot: Snapshot
    caller: Mapping[str, Any]
    variables: Mapping[str, Any]
    keyring: Keyring
    keys: KeyCache
    masks: Masks
    now: datetime
    bundle: Bundle
    count_people: Callable[[int], Any]
    """Counts people shown to a marketing audience's recipient, or refuses (C21)."""
    spending: Spending
    count_rows: Callable[[int], Any] | None = None
    """Counts rows about to be shown, and gives how many of them the token's ceiling still lets through."""
    tallies: list[Tally] = field(default_factory=list)
    missed: list[Path] = field(default_factory=list)
    """Where ids or full values were asked for that do not exist for the caller."""
    lookups: list[Lookup] = field(default_factory=list)
    at_hand: dict[int, Sequence[Any]] = field(default_factory=dict, repr=False)
    """Rows that were read ahead, by the id of their `Read`."""
    notes: Notes = field(default_factory=Notes)
    """What was told beside the plan."""
    planner: Planner | None = None
    """Plans what a field beside the plan asks about, and runs none of it."""
    receipts: Receipts | None = None
    """Signs what a person agreed to, for the person."""
    statistics: StatisticsSettings = USUAL
    """The least group of statistics, and the questions of a month."""

    def question(self, arguments: Arguments, asked: Asked) -> Question:
        """A field that is answered beside the plan."""
        return Question(
            fetch=self.fetch,
            subject=self.subject,
            purpose=self.purpose,
            wards=self.caller["wards"],
            keyring=self.keyring,
            snapshot=self.snapshot,
            now=self.now,
            bundle=self.bundle,
            arguments=arguments.values(self.variables),
            asked=asked,
            notes=self.notes,
            planner=self.planner,
            receipts=self.receipts,
            statistics=self.statistics,
        )

    async def joined(self, joined: Joined, local: Mapping[str, Any]) -> None:
        """Read several levels at once: the rows of each are at hand when its turn comes."""
        ((*levels,),) = await self.records(joined.statement, local)
        for one, records in zip(joined.reads, levels, strict=True):
            self.at_hand[id(one)] = records or ()

    async def below(self, read: Read, local: Mapping[str, Any], index: int) -> Sequence[Any]:
        """The raw rows of a level for the keys of `local`, each of which has one of them in the column at `index`."""
        records = self.at_hand.pop(id(read), None)
        if records is None:
            return await self.records(read.statement, local)
        # What was read at once was read for all rows above, also for those that no page has room for.
        keys = frozenset(local["keys"])
        return [record for record in records if record[index] in keys]

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
    return await _one(root.level, run, row=row, path=(root.key,))


async def _root(root: Root, run: Run) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(root, RootConstant):
        return root.value
    if isinstance(root, RootViewer):
        return await _viewer(root, run)
    if isinstance(root, RootConnection):
        return await _root_connection(root, run)
    if isinstance(root, RootBeside):
        return project(root.asked, await root.aside.answer(run.question(root.arguments, root.asked)))
    if isinstance(root, RootWritten):
        message = "what a mutation wrote is shown by run_written"
        raise TypeError(message)
    return await _root_row(root, run)


async def _root_row(root: RootRow, run: Run) -> Any:  # noqa: ANN401 - any JSON
    row = row_under(root.arguments.values(run.variables)["id"], root.node_type, argument="id")
    if root.joined is not None:
        await run.joined(root.joined, {"id": row})
    return await _one(root.level, run, row=row, path=(root.key,))


async def _one(level: Level, run: Run, *, row: Any, path: Path) -> Any:  # noqa: ANN401 - an id, any JSON
    read, shape = level.read, level.shape
    records = run.at_hand.pop(id(read), None)
    if records is None:
        records = await run.records(read.statement, {"id": row})
    rows = Rows(read, records, keys=run.keys, weights=None)
    if not rows.count:
        run.missed.append(path)
        return None
    await _count_people(read, rows.count, run)
    (built,) = await _objects(shape, rows, run, at_root(path))
    return built


async def _viewer(root: RootViewer, run: Run) -> dict[str, Any]:
    users = {}
    for key, level in root.users:
        person = run.subject.person
        users[key] = person and await _one(level, run, row=person, path=(root.key, key))
    besides = {
        key: project(asked, await BESIDE_VIEWER[name](run.question(NO_ARGUMENTS, asked)))
        for key, name, asked in root.besides
    }
    words = {
        "role": run.subject.role.value,
        "organization": run.subject.organization_code,
        "purposes": [purpose.name for purpose in run.subject.purposes],
        "ruleset": run.snapshot.ruleset.number,
        "__typename": "Viewer",
    }
    apart = {**users, **besides}
    return {key: apart[key] if key in apart else words[name] for key, name in root.fields}


async def _root_connection(root: RootConnection, run: Run) -> dict[str, Any]:
    connection = root.connection
    page = _page(connection, run)
    records = await run.records(connection.read.statement, page.local)
    rows = Rows(connection.read, page.kept(records), keys=run.keys, weights=None)
    await _count_people(connection.read, rows.count, run)
    if connection.looked_up and rows.count:
        run.lookups.append(await looked_up(connection.looked_up, rows, run.spending))
    elif connection.looked_up:
        run.missed.append((root.key,))
    counts = await page.counts(None, run.records)
    around = Around(counts.get(None, NO_ROWS), page.overflows(records))
    edges = {
        view.key: await _edges(page, view, rows, run, partial(listed_at_root, rows.count, (root.key, view.key)))
        for view in _views(connection)
    }
    (answer,) = page.answers(rows, (range(rows.count),), edges=edges, around=(around,))
    return answer


async def _count_people(read: Read, count: int, run: Run) -> None:
    if count and read.noun.table == "person" and sees_audience(run.subject.role, run.purpose):
        await run.count_people(count)


async def _objects(shape: Shape, rows: Rows, run: Run, occurrences: Occurrences) -> Sequence[dict[str, Any]]:
    """The object of each row."""
    if not rows.count:
        return ()
    said = [ruled(cell, rows) for cell in shape.cells if isinstance(cell, SensitiveCell)]
    beyond = await rows_beyond(said, rows, run.count_rows, run.spending) if said else NOTHING_BEYOND
    rulings = iter(said)
    columns: list[Sequence[Any]] = []
    for cell in shape.cells:
        if isinstance(cell, SensitiveCell):
            values, tally = disclose(next(rulings), rows, masks=run.masks, occurrences=occurrences, beyond=beyond)
            run.tallies.append(tally)
            columns.append(values)
        elif isinstance(cell, PublicCell | IdCell | Constant):
            columns.append(_plain(cell, rows))
        else:
            columns.append(await _below(cell, rows, run, occurrences))
    if not columns:
        return [{} for _ in range(rows.count)]
    return list(map(shape.make, *columns))


def _plain(cell: PublicCell | IdCell | Constant, rows: Rows) -> Sequence[Any]:
    """A column that nothing is decided about."""
    if isinstance(cell, PublicCell):
        column, convert = rows.column(cell.index), cell.convert
        return column if convert is None else [None if value is None else convert(value) for value in column]
    if isinstance(cell, IdCell):
        node_type = cell.node_type
        return [to_global(node_type, row) for row in rows.column(cell.index)]
    return (cell.value,) * rows.count


async def _below(
    cell: LinkCell | AsideCell | ListCell | ConnectionCell, rows: Rows, run: Run, occurrences: Occurrences
) -> Sequence[Any]:
    """A column of what stands behind the rows: read by a statement of its own."""
    if isinstance(cell, LinkCell):
        return await _linked(cell, rows, run, occurrences)
    if isinstance(cell, AsideCell):
        return await _beside(cell, rows, run)
    if isinstance(cell, ListCell):
        return await _lists(cell, rows, run, occurrences)
    return await _connections(cell, rows, run, occurrences)


async def _beside(cell: AsideCell, rows: Rows, run: Run) -> Sequence[Any]:
    parents = rows.column(cell.index)
    values = await cell.aside.answer(run.question(cell.arguments, cell.asked), list(dict.fromkeys(parents)))
    return [project(cell.asked, values.get(parent)) for parent in parents]


async def _linked(cell: LinkCell, rows: Rows, run: Run, occurrences: Occurrences) -> Sequence[Any]:
    keys = rows.column(cell.index)
    distinct = list(dict.fromkeys(key for key in keys if key is not None))
    if not distinct:
        return (None,) * rows.count
    read = cell.level.read
    records = await run.below(read, {"keys": distinct}, read.id_index)
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
    level, groups, _ = await _children(cell.level.read, rows, parents, run, None)
    path = listed(occurrences, parents, groups, (cell.key,), ())
    objects = await _objects(cell.level.shape, level, run, path)
    return [[objects[row] for row in groups.get(parent, ())] for parent in parents]


async def _connections(cell: ConnectionCell, rows: Rows, run: Run, occurrences: Occurrences) -> Sequence[Any]:
    connection, parents = cell.connection, rows.column(cell.index)
    page = _page(connection, run)
    level, groups, overflowing = await _children(connection.read, rows, parents, run, page)
    counts = await page.counts(list(dict.fromkeys(parents)), run.records)
    edges = {
        view.key: await _edges(
            page, view, level, run, partial(listed, occurrences, parents, groups, (cell.key, view.key))
        )
        for view in _views(connection)
    }
    around = [
        Around(counts.get(parent, NO_ROWS), parent in overflowing) if counts or overflowing else ALONE
        for parent in parents
    ]
    return page.answers(level, [groups.get(parent, ()) for parent in parents], edges=edges, around=around)


async def _children(
    read: Read, rows: Rows, parents: Sequence[Any], run: Run, page: ConnectionPage | None
) -> tuple[Rows, dict[Any, list[int]], set[Any]]:
    """The rows below some parents, which of them stand below which, and the parents with more than a page."""
    parent_index = _parent_index(read)
    distinct = list(dict.fromkeys(parents))
    local = {**(page.local if page else {}), "keys": distinct}
    records = await run.below(read, local, parent_index) if distinct else ()
    groups: dict[Any, list[int]] = {}
    for place, record in enumerate(records):
        groups.setdefault(record[parent_index], []).append(place)
    overflowing: set[Any] = set()
    if page is not None:
        overflowing = {parent for parent, places in groups.items() if page.overflows(places)}
        if overflowing or page.backward:
            groups = {parent: list(page.kept(places)) for parent, places in groups.items()}
            records, groups = _kept(records, groups)
    weights = None
    if rows.weights is not None or len(distinct) != len(parents):
        times = _times(parents, rows.weights)
        weights = [times[record[parent_index]] for record in records]
    return Rows(read, records, keys=run.keys, weights=weights), groups, overflowing


def _parent_index(read: Read) -> int:
    if read.parent_index is None:
        message = "a level that stands below nothing"
        raise TypeError(message)
    return read.parent_index


def _kept(records: Sequence[Any], groups: Mapping[Any, list[int]]) -> tuple[list[Any], dict[Any, list[int]]]:
    """Of some records those that stand in a group, group by group, and where they stand now."""
    kept: list[Any] = []
    placed: dict[Any, list[int]] = {}
    for parent, places in groups.items():
        placed[parent] = list(range(len(kept), len(kept) + len(places)))
        kept += [records[place] for place in places]
    return kept, placed


def _times(keys: Sequence[Any], weights: list[int] | None) -> dict[Any, int]:
    """How often rows with each key stand in the answer."""
    times: dict[Any, int] = {}
    for key, weight in zip(keys, weights or (1,) * len(keys), strict=True):
        times[key] = times.get(key, 0) + weight
    return times


def _page(connection: Connection, run: Run) -> ConnectionPage:
    caller = f"{run.subject.role}|{run.purpose}|{run.subject.identity}"
    return ConnectionPage(connection, connection.arguments.values(run.variables), caller=caller, keyring=run.keyring)


def _views(connection: Connection) -> Iterator[View]:
    return (part for part in connection.parts if isinstance(part, View))


async def _edges(page: ConnectionPage, view: View, rows: Rows, run: Run, place: Callable[[Path], Occurrences]) -> Edges:
    """The edges of one `edges` selection."""
    nodes = {
        part.key: await _objects(part.shape, rows, run, place((part.key,)))
        for part in view.parts
        if part.shape is not None
    }
    return page.edges(view, rows, nodes)
