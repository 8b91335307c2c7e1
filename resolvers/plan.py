"""The plan: an operation as one statement a level and, for every cell, how its column becomes the answer.

A plan depends on the document, the operation, the shape of its variables, the slice of the ruleset, the token's
categories and how it narrows; nothing of the caller's own is in it. Structure only: `compiler` makes it and `run`
executes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from authz.catalogue import Coordinate
from authz.category_masks import Mask
from authz.compile import EffectTable
from authz.narrowing import NarrowedTable
from authz.vocabulary import DataSubject, Reason
from models.disclosures import item_bit
from models.global_ids import NodeType
from resolvers.arguments import Arguments
from resolvers.asides import Asked, RootAside, RowAside
from resolvers.nouns import Convert, Noun, Order
from resolvers.selection import Selected
from resolvers.statements import Statement


@dataclass(frozen=True, slots=True)
class Constant:
    """A cell that is the same in every row: `__typename`."""

    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class IdCell:
    """The row's global id."""

    key: str
    index: int
    node_type: NodeType


@dataclass(frozen=True, slots=True)
class PublicCell:
    """A column shown as it is."""

    key: str
    index: int
    convert: Convert | None


@dataclass(frozen=True, slots=True)
class SensitiveCell:
    """A column disclosed row by row. Without `opens` it is not read: `refused` says why, or no rule shows it."""

    key: str
    coordinate: Coordinate
    pattern: str
    effects: EffectTable | NarrowedTable
    opens: "Sealed | None"
    refused: Reason | None


@dataclass(frozen=True, slots=True)
class Sealed:
    """Where a sealed value stands in a row, what it is bound to, and how its text becomes the answer."""

    index: int
    row_index: int
    label: bytes
    convert: Convert | None


@dataclass(frozen=True, slots=True)
class LinkCell:
    """At most one row of another level."""

    key: str
    index: int
    level: "Level"


@dataclass(frozen=True, slots=True)
class ListCell:
    """All rows of another level that stand below this one."""

    key: str
    index: int
    level: "Level"


@dataclass(frozen=True, slots=True)
class ConnectionCell:
    """One page of another level's rows below this one."""

    key: str
    index: int
    connection: "Connection"


@dataclass(frozen=True, slots=True)
class AsideCell:
    """A field of the row that is answered beside the plan, by the row's id."""

    key: str
    index: int
    aside: RowAside
    arguments: Arguments
    asked: Asked


Cell = Constant | IdCell | PublicCell | SensitiveCell | LinkCell | ListCell | ConnectionCell | AsideCell


@dataclass(frozen=True, slots=True)
class Shape:
    """The object that a row becomes: `make` puts one value of each cell under the cells' keys."""

    cells: tuple[Cell, ...]
    make: Callable[..., dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Witness:
    """Where the one record stands that witnesses pair bits: a letter of `ledger.rows.RECORDS`, bits, and its id."""

    letter: str
    bits: int
    id: int


@dataclass(frozen=True, slots=True)
class SituationColumns:
    """Where a row's situation stands: pair bits as numbers and record by record, and masks by category.

    `records` are the columns of records, by letter; `whole`: for some tokens the situation as all records witness it.
    """

    bits: tuple[int, ...] = ()
    witness: Witness | None = None
    records: tuple[tuple[str, int], ...] = ()
    masks: tuple[tuple[Mask, int], ...] = ()
    whole: "WholeColumns | None" = None
    covered: int | None = None
    """The categories that the notice which the data subject agreed to tells of, where that is not all."""

    @property
    def by_category(self) -> bool:
        """Has one row situations that differ by category?"""
        return bool(self.masks) or self.covered is not None

    def bit_of(self, coordinate: Coordinate) -> int:
        """What a mask opens a coordinate by: its category's bit, where one opens single items its own as well.

        0 where one row's situation is the same for all.
        """
        if not self.by_category:
            return 0
        by_item = any(mask.by_item for mask, _ in self.masks)
        return coordinate.category.bit | (item_bit(coordinate.name) if by_item else 0)

    @property
    def nothing(self) -> bool:
        """Is nothing computed, since no rule could tell?"""
        return not (self.bits or self.records or self.masks or self.covered is not None)


@dataclass(frozen=True, slots=True)
class WholeColumns:
    """Where a situation stands as all records witness it: as numbers only."""

    bits: int | None
    masks: tuple[tuple[Mask, int], ...]


@dataclass(frozen=True, slots=True)
class Read:
    """One statement and the meaning of its columns."""

    statement: Statement
    noun: Noun
    id_index: int
    parent_index: int | None
    wrapped_index: int | None
    owner_index: int | None
    sort_indexes: tuple[int, ...]
    situations: Mapping[DataSubject, SituationColumns]
    people: Mapping[DataSubject, int]
    """Where the person stands that each data subject is."""
    width: int
    """How many columns it gives."""
    places: dict[str, tuple[DataSubject | None, int]] = field(default_factory=dict, compare=False)
    """By coordinate, what its rows have one situation for: found when it is first needed."""


@dataclass(frozen=True, slots=True)
class Joined:
    """One statement for several levels: its one row holds the rows of each, an array or, without rows, null."""

    statement: Statement
    reads: tuple[Read, ...]


@dataclass(frozen=True, slots=True)
class Level:
    """Rows read by one statement, and the object each becomes."""

    read: Read
    shape: Shape


@dataclass(frozen=True, slots=True)
class EdgePart:
    """One field of an edge: its cursor, its node (then with the node's shape) or its type name."""

    key: str
    name: str
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class View:
    """One `edges` selection of a connection."""

    key: str
    parts: tuple[EdgePart, ...]


@dataclass(frozen=True, slots=True)
class PageInfoPart:
    """One `pageInfo` selection of a connection: response keys and names."""

    key: str
    names: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TotalPart:
    """A connection's `totalCount`."""

    key: str


@dataclass(frozen=True, slots=True)
class TypePart:
    """A connection's `__typename`."""

    key: str


Part = View | PageInfoPart | TotalPart | TypePart


@dataclass(frozen=True, slots=True)
class Connection:
    """A page of rows and everything around it."""

    coordinate: str
    type_name: str
    order: Order
    largest: int
    arguments: Arguments
    filters: tuple[tuple[str, Convert | None], ...]
    read: Read
    parts: tuple[Part, ...]
    count: Statement | None
    beyond: Statement | None
    """Are there rows on the other side of a bound? Read only where a bound is given."""
    looked_up: tuple[str, ...] = ()
    """The sensitive coordinates by whose full value rows are looked up."""


@dataclass(frozen=True, slots=True)
class RootRow:
    """A root field that is one row, by an id argument; `node_type`: what ids of it are under this purpose."""

    key: str
    arguments: Arguments
    node_type: NodeType
    level: Level
    joined: Joined | None


@dataclass(frozen=True, slots=True)
class RootConnection:
    """A root field that is a connection."""

    key: str
    connection: Connection


@dataclass(frozen=True, slots=True)
class RootViewer:
    """The viewer: the token's words, the caller's own person, and what is answered beside the plan.

    `besides` holds response key, field and what is asked of it.
    """

    key: str
    fields: tuple[tuple[str, str], ...]
    users: tuple[tuple[str, Level], ...]
    besides: tuple[tuple[str, str, Asked], ...]


@dataclass(frozen=True, slots=True)
class RootBeside:
    """A root field that is answered beside the plan."""

    key: str
    aside: RootAside
    arguments: Arguments
    asked: Asked


@dataclass(frozen=True, slots=True)
class RootConstant:
    """`__typename` of the root."""

    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class RootWritten:
    """The root field of a mutation: the row that it wrote."""

    key: str
    level: Level


Root = RootRow | RootConnection | RootViewer | RootBeside | RootConstant | RootWritten


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled operation: its planned roots, the root fields left to graphql-core, and the order of the answer."""

    roots: tuple[Root, ...]
    core: tuple[Selected, ...]
    keys: tuple[str, ...]
