"""Compiling operations to plans, for one (role, purpose, token categories, narrowing) under one snapshot."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema, SelectionSetNode, get_named_type

from authz.catalogue import Coordinate
from authz.compile import Snapshot
from authz.narrowing import Narrowing, compares, effects_of, refused, whole
from authz.scope import scope_of, targeted
from authz.vocabulary import DataSubject, Effect
from authz.witnesses import covered_sql, situation_sql
from models.global_ids import NodeType, from_global
from models.vocabulary import Purpose, Role
from resolvers import statements
from resolvers.arguments import Arguments, read_arguments
from resolvers.asides import Asked, RowAside, asked_of
from resolvers.joining import joined
from resolvers.levels import LevelWork
from resolvers.nouns import BlindFilter, CampaignFilter, Children, Convert, Link, Noun, Public, SealedColumn
from resolvers.paging import AUDIENCE_PAGE, LARGEST_PAGE, page_size
from resolvers.plan import (
    AsideCell,
    Cell,
    Connection,
    ConnectionCell,
    Constant,
    EdgePart,
    IdCell,
    Level,
    LinkCell,
    ListCell,
    PageInfoPart,
    Part,
    Plan,
    PublicCell,
    Root,
    RootBeside,
    RootConnection,
    RootConstant,
    RootRow,
    RootViewer,
    RootWritten,
    SensitiveCell,
    Shape,
    TotalPart,
    TypePart,
    View,
)
from resolvers.problems import Code, RequestRefusedError, bad_id, unavailable
from resolvers.registry import ASIDES, NOUNS
from resolvers.selection import Selected, Selector
from resolvers.statements import Listing, Reach, bind_name
from resolvers.viewer import BESIDE_VIEWER

_NAME = re.compile("[_A-Za-z][_0-9A-Za-z]*")

CORE_FIELDS = frozenset({"__schema", "__type", "permissionCatalogue"})
"""Root fields that graphql-core runs; everything else is the plan's."""

_SINGLE = {"user": "User", "policy": "Policy", "beneficiary": "Beneficiary", "claim": "Claim"}
_MANY = {
    "users": "User",
    "policies": "Policy",
    "beneficiaries": "Beneficiary",
    "claims": "Claim",
    "consents": "Consent",
    "products": "Product",
}
NODES = {noun.node_type: noun for noun in NOUNS.values() if noun.node_type}


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles operations for one (role, purpose, token categories, narrowing) under one snapshot."""

    schema: GraphQLSchema
    snapshot: Snapshot
    role: Role
    purpose: Purpose
    categories: int
    narrowing: Narrowing = field(default_factory=Narrowing)

    @property
    def place(self) -> tuple[Any, ...]:
        """What the plans of one document depend on besides its variables."""
        return self.categories, self.narrowing, self.snapshot.slice(self.role, self.purpose).key

    def compile(self, selector: Selector, variables: Mapping[str, Any]) -> Plan:
        """The plan of an operation. `variables` tell which arguments are given, the order, and a node's type."""
        selected = selector.root()
        work = _Work(self, selector, variables)
        roots = [work.root(field) for field in selected if field.name not in CORE_FIELDS]
        return Plan(
            roots=tuple(roots),
            core=tuple(field for field in selected if field.name in CORE_FIELDS),
            keys=tuple(field.key for field in selected),
        )

    def compile_written(self, selector: Selector, variables: Mapping[str, Any], field: Selected, noun: Noun) -> Plan:
        """The plan that shows the row which a mutation's root field wrote."""
        level = _Work(self, selector, variables).row(noun, field.below, field.key)
        return Plan(roots=(RootWritten(field.key, level),), core=(), keys=(field.key,))


class _Work:
    """One compilation."""

    def __init__(self, compiler: Compiler, selector: Selector, variables: Mapping[str, Any]) -> None:
        self._schema = compiler.schema
        self._catalogue = compiler.snapshot.catalogue
        self._slice = compiler.snapshot.slice(compiler.role, compiler.purpose)
        self._categories = compiler.categories
        self._narrowing = compiler.narrowing
        self._selector = selector
        self._variables = variables
        scope = scope_of(compiler.role, compiler.purpose)
        self._reach = Reach(compiler.role, compiler.purpose, scope, compiler.narrowing.only)

    def root(self, field: Selected) -> Root:
        if field.name == "__typename":
            return RootConstant(field.key, "Query")
        if field.name == "viewer":
            return self._viewer(field)
        arguments = read_arguments(self._field("Query", field.name), field.node)
        if field.name in _MANY:
            connection = self._connection(field, NOUNS[_MANY[field.name]], "Query", None, field.key)
            return RootConnection(field.key, connection)
        if field.name in ASIDES:
            return RootBeside(field.key, ASIDES[field.name], arguments, self._asked("Query", field))
        noun = self._noun_of_node(arguments) if field.name == "node" else NOUNS[_SINGLE[field.name]]
        level = self.row(noun, field.below, field.key)
        return RootRow(field.key, arguments, self._node_type(noun), level, joined(level))

    def _noun_of_node(self, arguments: Arguments) -> Noun:
        """The noun that a `node` id names: part of the plan's key, since it decides what is selected."""
        found = from_global(arguments.values(self._variables)["id"])
        node_type = NodeType.USER if found and found[0] == NodeType.AUDIENCE_USER else found and found[0]
        if node_type not in NODES:
            raise bad_id("id")
        return NODES[node_type]

    def _node_type(self, noun: Noun) -> NodeType:
        if self._reach.marketing and noun.table == "person":
            return NodeType.AUDIENCE_USER
        if noun.node_type is None:
            message = f"{noun.name} has no global ids"
            raise TypeError(message)
        return noun.node_type

    def _viewer(self, field: Selected) -> RootViewer:
        fields, users, besides = [], [], []
        for selected in self._selector.fields("Viewer", field.below):
            if selected.name == "user":
                pattern = f"{field.key}.{selected.key}"
                users.append((selected.key, self.row(NOUNS["User"], selected.below, pattern)))
            if selected.name in BESIDE_VIEWER:
                besides.append((selected.key, selected.name, self._asked("Viewer", selected)))
            fields.append((selected.key, selected.name))
        return RootViewer(field.key, tuple(fields), tuple(users), tuple(besides))

    def row(self, noun: Noun, below: Sequence[SelectionSetNode], pattern: str) -> Level:
        build = LevelWork(noun, self._reach)
        shape = self._shape(build, noun, below, pattern)
        return Level(build.read(statements.by_id(self._reach, noun, build.columns)), shape)

    def _shape(self, build: LevelWork, noun: Noun, below: Sequence[SelectionSetNode], pattern: str) -> Shape:
        cells = [
            self._cell(build, noun, selected, f"{pattern}.{selected.key}")
            for selected in self._selector.fields(noun.name, below)
        ]
        return Shape(tuple(cells), _maker([cell.key for cell in cells]))

    def _cell(  # noqa: PLR0911 - a table
        self, build: LevelWork, noun: Noun, selected: Selected, pattern: str
    ) -> Cell:
        if selected.name == "__typename":
            return Constant(selected.key, noun.name)
        if selected.name == "id":
            index = build.columns.add("t.audience_id" if self._renamed(noun) else "t.id")
            return IdCell(selected.key, index, self._node_type(noun))
        stored = noun.fields[selected.name]
        if isinstance(stored, Public):
            return PublicCell(selected.key, build.columns.add(stored.sql), stored.convert)
        if isinstance(stored, SealedColumn):
            return self._sensitive(build, stored, f"{noun.name}.{selected.name}", selected.key, pattern)
        if isinstance(stored, Link):
            level = self._linked(NOUNS[stored.noun], selected.below, pattern, parent=noun.table)
            return LinkCell(selected.key, build.columns.add(stored.sql), level)
        index = build.columns.add("t.id")
        if isinstance(stored, RowAside):
            arguments = read_arguments(self._field(noun.name, selected.name), selected.node)
            return AsideCell(selected.key, index, stored, arguments, self._asked(noun.name, selected))
        if not stored.paged:
            return ListCell(
                selected.key, index, self._listed(stored, selected.below, f"{pattern}.@", parent=noun.table)
            )
        connection = self._connection(selected, NOUNS[stored.noun], noun.name, stored, pattern)
        return ConnectionCell(selected.key, index, connection)

    def _renamed(self, noun: Noun) -> bool:
        return self._reach.marketing and noun.table == "person"

    def _sensitive(self, build: LevelWork, stored: SealedColumn, name: str, key: str, pattern: str) -> SensitiveCell:
        coordinate = self._catalogue[name]
        out_of_token = refused(coordinate.category, self._categories, self._narrowing)
        shown = out_of_token is None and self._slice.could_show(name)
        if out_of_token is None and (shown or self._slice.denies_somewhere(name)):
            sql = situation_sql(self._slice, build.noun.table, of=coordinate.of)
            build.situation(coordinate.of, sql, whole(sql) if compares(self._slice, self._narrowing) else None)
        build.person(coordinate.of)
        return SensitiveCell(
            key=key,
            coordinate=coordinate,
            pattern=pattern,
            effects=effects_of(self._slice, coordinate, self._narrowing),
            opens=build.sealed(stored) if shown else None,
            refused=out_of_token,
        )

    def _linked(self, noun: Noun, below: Sequence[SelectionSetNode], pattern: str, *, parent: str) -> Level:
        build = LevelWork(noun, self._reach)
        shape = self._shape(build, noun, below, pattern)
        return Level(build.read(statements.by_ids(self._reach, noun, build.columns, parent=parent)), shape)

    def _listed(self, children: Children, below: Sequence[SelectionSetNode], pattern: str, *, parent: str) -> Level:
        noun = NOUNS[children.noun]
        build = LevelWork(noun, self._reach)
        build.parent = build.columns.add(f"t.{children.parents[0]}")
        shape = self._shape(build, noun, below, pattern)
        order = noun.orders["POSITION"]
        text = statements.whole_lists(self._reach, noun, build.columns, children=children, order=order, parent=parent)
        return Level(build.read(text), shape)

    def _connection(
        self, field: Selected, noun: Noun, parent_type: str, children: Children | None, pattern: str
    ) -> Connection:
        declared = self._field(parent_type, field.name)
        arguments = read_arguments(declared, field.node)
        given = arguments.values(self._variables)
        order_name = given.get("orderBy")
        order = statements.audience_order(self._reach, noun, noun.orders[order_name])
        known = noun.filters or {}
        filters = tuple(self._filter(noun, name) for name in given if name in known)
        looked_up = tuple(one.coordinate for name in given if isinstance(one := known.get(name), BlindFilter))
        listing = Listing(noun, order, tuple(sql for sql, _, _ in filters), children)
        build = LevelWork(noun, self._reach)
        if children:
            build.parent = build.columns.add("k.id")
        if looked_up:
            build.person(DataSubject.USER)
        build.sort = tuple(build.columns.add(key.replace("audience.", "t.")) for key in order.keys)
        selected = self._selector.fields(f"{noun.name}Connection", field.below)
        parts = tuple(self._part(build, noun, part, f"{pattern}.{part.key}") for part in selected)
        bounds = {"after": "after" in given, "before": "before" in given}
        largest = AUDIENCE_PAGE if self._restrained(noun) else LARGEST_PAGE
        size = page_size(given, largest=largest)
        page = statements.page_of(self._reach, listing, build.columns, size=size, backward="last" in given, **bounds)
        counted = any(isinstance(part, TotalPart) for part in parts) and not self._restrained(noun)
        return Connection(
            coordinate=f"{parent_type}.{field.name}",
            type_name=f"{noun.name}Connection",
            order=order,
            largest=largest,
            arguments=arguments,
            filters=tuple((name, convert) for _, name, convert in filters),
            read=build.read(page),
            parts=parts,
            count=statements.count_of(self._reach, listing) if counted else None,
            beyond=statements.beyond_of(self._reach, listing, **bounds)
            if any(bounds.values()) and _asks_beyond(parts)
            else None,
            looked_up=looked_up,
        )

    def _restrained(self, noun: Noun) -> bool:
        """Is this an audience: small pages, no totals? (C21)"""
        return self._reach.marketing and noun.scoped

    def _part(self, build: LevelWork, noun: Noun, field: Selected, pattern: str) -> Part:
        if field.name == "edges":
            edges = self._selector.fields(f"{noun.name}Edge", field.below)
            return View(field.key, tuple(self._edge_part(build, noun, edge, f"{pattern}.@") for edge in edges))
        if field.name == "pageInfo":
            names = self._selector.fields("PageInfo", field.below)
            return PageInfoPart(field.key, tuple((info.key, info.name) for info in names))
        return TotalPart(field.key) if field.name == "totalCount" else TypePart(field.key)

    def _edge_part(self, build: LevelWork, noun: Noun, field: Selected, pattern: str) -> EdgePart:
        if field.name != "node":
            return EdgePart(field.key, field.name, None)
        return EdgePart(field.key, "node", self._shape(build, noun, field.below, f"{pattern}.{field.key}"))

    def _filter(self, noun: Noun, name: str) -> tuple[str, str, Convert | None]:
        """SQL, argument name and converter of a filter. Raises FILTER_DENIED without the `filter` action."""
        known = (noun.filters or {})[name]
        if isinstance(known, CampaignFilter):
            if not self._restrained(noun):
                return "FALSE", name, known.convert
            # To be met tells of a tag, which is no less than to show it.
            tags = self._catalogue["User.tags"]
            self._demand(name, tags, allowed=self._slice.reveals_to_audience(tags.name))
            sql = targeted(self._reach.role, f":{bind_name(name)}::uuid", ":audience_least::bigint")
            return sql + self._told_of(tags), name, known.convert
        if not isinstance(known, BlindFilter):
            sql = known.sql
            if known.visible:
                sql += f" AND EXISTS ({statements.one_of(self._reach, NOUNS[known.visible])})"
            return sql.replace("{value}", f":{bind_name(name)}"), name, known.convert
        coordinate = self._catalogue[known.coordinate]
        # A look-up by the full value confirms it, which is no less than to reveal it.
        self._demand(name, coordinate, allowed=self._slice.may_filter(known.coordinate, 0))
        sql = (
            f'EXISTS (SELECT 1 FROM blind_index b WHERE b."column" = {int(known.column)}'
            f" AND b.digest = :{bind_name(name)}::bytea AND b.person_id = t.id)"
        )
        return sql + self._told_of(coordinate), name, None

    def _demand(self, argument: str, coordinate: Coordinate, *, allowed: bool) -> None:
        """Raises FILTER_DENIED unless rules (`allowed`) and token let this be told of by whom is found."""
        if self._slice.closed:
            raise unavailable()
        revealing = self._narrowing.most is Effect.REVEAL and self._categories & coordinate.category.bit
        if not (revealing and allowed):
            message = f"Filtering by {coordinate.name} is not allowed here. Leave out the argument {argument!r}."
            raise RequestRefusedError(
                Code.FILTER_DENIED, message, extensions={"argument": argument, "category": coordinate.category.value}
            )

    def _told_of(self, coordinate: Coordinate) -> str:
        """SQL that is added: nobody is found by what no notice that they agreed to says they are looked up by (C75)."""
        covered = covered_sql(self._slice, "t.id")
        return f" AND {covered} & {coordinate.category.bit} <> 0" if covered else ""

    def _asked(self, parent: str, field: Selected) -> Asked:
        declared = get_named_type(self._field(parent, field.name).type)
        return asked_of(self._schema, self._selector, declared.name, field.below)

    def _field(self, type_name: str, name: str) -> Any:  # noqa: ANN401 - graphql-core's own field type
        declared = self._schema.type_map[type_name]
        if not isinstance(declared, GraphQLObjectType):
            message = f"{type_name} is no object type"
            raise TypeError(message)
        return declared.fields[name]


def _maker(keys: Sequence[str]) -> Callable[..., dict[str, Any]]:
    """A function that makes a dict of these keys: written out, it takes a quarter of the time of dict(zip(…))."""
    if not all(_NAME.fullmatch(key) for key in keys):
        message = "a response key that is no GraphQL name"
        raise ValueError(message)
    names = [f"v{place}" for place in range(len(keys))]
    pairs = ", ".join(f"{key!r}: {name}" for key, name in zip(keys, names, strict=True))
    made: Callable[..., dict[str, Any]] = eval(f"lambda {', '.join(names)}: {{{pairs}}}")  # noqa: S307 - names only
    return made


def _asks_beyond(parts: tuple[Part, ...]) -> bool:
    asked = {name for part in parts if isinstance(part, PageInfoPart) for _, name in part.names}
    return bool(asked & {"hasNextPage", "hasPreviousPage"})
