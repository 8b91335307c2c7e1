"""What a noun is to the plan: its table, and for every schema field the column, link or list that answers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models.global_ids import NodeType
from models.vocabulary import Retention
from resolvers.asides import RowAside

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Public:
    """A column that only structures the answer; `sql` speaks of the row as `t`."""

    sql: str
    convert: Convert | None = None


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A sealed column. `row` is the id its value is bound to; `join` names a further table it stands in."""

    column: str
    table: str | None = None
    alias: str = "t"
    join: str | None = None
    convert: Convert | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """To at most one row of another noun, found by its id in `sql`."""

    noun: str
    sql: str


@dataclass(frozen=True, slots=True)
class Children:
    """To many rows of another noun: those whose `parents` columns hold this row's id. `paged`: a connection."""

    noun: str
    parents: tuple[str, ...]
    paged: bool = True


@dataclass(frozen=True, slots=True)
class Order:
    """A total order to page by: SQL keys, the last one unique, and the SQL type of each for the cursor."""

    keys: tuple[str, ...]
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """A public filter: SQL with `{value}` for the argument; `convert` turns the argument into a bind value.

    `visible` names the noun that the argument is an id of: a row the caller cannot see matches nothing.
    """

    sql: str
    convert: Convert | None = None
    visible: str | None = None


@dataclass(frozen=True, slots=True)
class BlindFilter:
    """A filter by a sensitive coordinate, through the blind index; it needs the `filter` action.

    `canonical` gives the form in which such values are stored, or raises ValueError for what is none.
    """

    coordinate: str
    column: int
    key: str
    canonical: Callable[[str], str] | None = None

    def stored(self, value: str) -> str:
        """A value as it would be stored; what cannot be one is looked for as it is, and not found."""
        try:
            return value if self.canonical is None else self.canonical(value)
        except ValueError:
            return value


@dataclass(frozen=True, slots=True)
class CampaignFilter:
    """A filter by a campaign, which narrows an audience to those whom it meets; without an audience nothing matches."""

    convert: Convert


@dataclass(frozen=True, slots=True)
class Noun:
    """One noun of the schema and where it is stored."""

    name: str
    table: str
    fields: Mapping[str, Public | SealedColumn | Link | Children | RowAside]
    orders: Mapping[str | None, Order]
    node_type: NodeType | None = None
    retention: Retention | None = None
    key_owner: str | None = None
    """SQL of the person under whose data key this noun's values are sealed."""
    joins: Mapping[str, str] | None = None
    filters: Mapping[str, Filter | BlindFilter | CampaignFilter] | None = None
    scoped: bool = True
    """False for nouns that are public as a whole: products and organizations."""
