"""SQL text of the plan: one statement a level, named parameters, nothing of the caller's own in the text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authz.narrowing import Only, narrow
from authz.scope import Scope, audience, sees_audience
from authz.subjects import recipient
from models.vocabulary import Purpose, Role
from resolvers.nouns import Children, Noun, Order

_NAMED = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")
_RECIPIENT = re.compile(r"\{recipient:([a-z_.]+)\}")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with positional parameters, and the name of the value that each takes."""

    sql: str
    names: tuple[str, ...]

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """The values in the statement's order."""
        return [given[name] for name in self.names]


def statement(text: str) -> Statement:
    """Number the named parameters (`:person`) of a text."""
    names: dict[str, int] = {}

    def numbered(match: re.Match[str]) -> str:
        return f"${names.setdefault(match.group(1), len(names) + 1)}"

    sql = _NAMED.sub(numbered, text)
    return Statement(sql, tuple(names))


@dataclass(slots=True)
class Columns:
    """The columns a level reads, each once."""

    positions: dict[str, int] = field(default_factory=dict)
    joins: dict[str, str] = field(default_factory=dict)

    def add(self, sql: str) -> int:
        """The position of a column, adding it at its first use."""
        return self.positions.setdefault(sql, len(self.positions))


@dataclass(frozen=True, slots=True)
class Reach:
    """Which rows a caller of one (role, purpose) can reach, noun by noun, and which policies the token leaves."""

    role: Role
    purpose: Purpose
    scope: Scope
    only: Only = Only.ALL

    def statement(self, text: str) -> Statement:
        """A statement that reads nothing which the token's caveats leave out."""
        return statement(narrow(text, self.only))

    def source(self, noun: Noun) -> str:
        """The noun's rows, before any condition."""
        if self.marketing and noun.table == "person":
            people = f"person t JOIN {audience(self.role)} audience ON audience.person_id = t.id"
            return f"SELECT t.*, audience.audience_id FROM {people}"
        return f"SELECT t.* FROM {noun.table} t"

    def member(self, noun: Noun, *, listing: bool, parent: str | None = None) -> str:
        """The condition that a row exists for the caller; a link from an existing row of `parent` may settle it."""
        if not noun.scoped:
            return "TRUE"
        rows = self.scope.get(noun.table)
        if rows is None:
            return "FALSE"
        if parent in rows.within:
            return "TRUE"
        return rows.for_lists if listing else rows.member

    @property
    def marketing(self) -> bool:
        """Do people go by audience ids here?"""
        return sees_audience(self.role, self.purpose)

    def join(self, text: str) -> str:
        """A noun's further join, with the caller's recipient condition filled in."""
        return _RECIPIENT.sub(lambda match: recipient(self.role, match.group(1)), text)


def by_id(reach: Reach, noun: Noun, columns: Columns) -> Statement:
    """The row with the id `:id`."""
    key = "audience.audience_id" if reach.marketing and noun.table == "person" else "t.id"
    rows = f"({reach.source(noun)} WHERE {key} = :id::uuid AND {reach.member(noun, listing=False)}) t"
    return _select(reach, columns, rows)


def one_of(reach: Reach, noun: Noun) -> str:
    """The row with the id `{value}`, if it exists for the caller."""
    return f"{reach.source(noun)} WHERE t.id = {{value}}::uuid AND {reach.member(noun, listing=False)}"


def by_ids(reach: Reach, noun: Noun, columns: Columns, *, parent: str | None = None) -> Statement:
    """The rows with the ids `:keys`, found in rows of `parent`."""
    condition = f"t.id = ANY(:keys::uuid[]) AND {reach.member(noun, listing=False, parent=parent)}"
    return _select(reach, columns, f"({reach.source(noun)} WHERE {condition}) t")


def whole_lists(  # noqa: PLR0913 - a list's place and order
    reach: Reach, noun: Noun, columns: Columns, *, children: Children, order: Order, parent: str
) -> Statement:
    """All rows below each of the parents `:keys`, existing rows of `parent`."""
    member = reach.member(noun, listing=False, parent=parent)
    condition = f"t.{children.parents[0]} = ANY(:keys::uuid[]) AND {member}"
    return _select(reach, columns, f"({reach.source(noun)} WHERE {condition}) t", order_by=", ".join(order.keys))


@dataclass(frozen=True, slots=True)
class Listing:
    """A connection's rows: its filters as SQL, its order, and below which parents they stand (None: at the root)."""

    noun: Noun
    order: Order
    filters: tuple[str, ...]
    children: Children | None

    def rows(self, reach: Reach, *more: str) -> str:
        """The source with every condition."""
        conditions = [reach.member(self.noun, listing=self.children is None), *self.filters, *more]
        if self.children:
            either = " OR ".join(f"t.{parent} = k.id" for parent in self.children.parents)
            conditions.append(f"({either})")
        return f"{reach.source(self.noun)} WHERE {' AND '.join(conditions)}"


def page_of(  # noqa: PLR0913 - a page's bounds each change the text
    reach: Reach, listing: Listing, columns: Columns, *, size: int, after: bool, before: bool, backward: bool
) -> Statement:
    """One page, for every parent its own (`:keys`), of at most `size` rows and one, to see that there are more."""
    keyset = [_beyond(listing.order, ">", "after")] if after else []
    keyset += [_beyond(listing.order, "<", "before")] if before else []
    keys = listing.order.keys
    direction = " DESC" if backward else ""
    order_by = ", ".join(key + direction for key in keys)
    rows = f"({listing.rows(reach, *keyset)} ORDER BY {order_by} LIMIT {size + 1}) t"
    outer = ", ".join(key.replace("audience.", "t.") + direction for key in keys)
    if listing.children:
        return _select(reach, columns, f"unnest(:keys::uuid[]) k(id) CROSS JOIN LATERAL {rows}", order_by=outer)
    return _select(reach, columns, rows, order_by=outer)


def count_of(reach: Reach, listing: Listing) -> Statement:
    """How many rows there are in all: one number at the root, else one a parent."""
    count = f"(SELECT count(*) FROM ({listing.rows(reach)}) t)"
    return _per_parent(reach, listing, count)


def beyond_of(reach: Reach, listing: Listing, *, after: bool, before: bool) -> Statement:
    """Are there rows up to `after`, and from `before` on?"""
    up_to = f"EXISTS ({listing.rows(reach, _beyond(listing.order, '<=', 'after'))})" if after else "FALSE"
    onward = f"EXISTS ({listing.rows(reach, _beyond(listing.order, '>=', 'before'))})" if before else "FALSE"
    return _per_parent(reach, listing, f"{up_to}, {onward}")


def _per_parent(reach: Reach, listing: Listing, columns: str) -> Statement:
    if listing.children:
        return reach.statement(f"SELECT k.id, {columns} FROM unnest(:keys::uuid[]) k(id)")
    return reach.statement(f"SELECT NULL, {columns}")


def audience_order(reach: Reach, noun: Noun, order: Order) -> Order:
    """The order of a connection; an audience is listed by the ids that only its recipient knows."""
    return Order(("audience.audience_id",), ("uuid",)) if reach.marketing and noun.table == "person" else order


def _beyond(order: Order, comparison: str, bound: str) -> str:
    keys = ", ".join(order.keys)
    values = ", ".join(f":{bound}_{place}::{kind}" for place, kind in enumerate(order.types))
    return f"({keys}) {comparison} ({values})"


def _select(reach: Reach, columns: Columns, source: str, *, order_by: str | None = None) -> Statement:
    joins = " ".join(columns.joins.values())
    tail = f" ORDER BY {order_by}" if order_by else ""
    return reach.statement(f"SELECT {', '.join(columns.positions)} FROM {source} {joins}{tail}")


def bind_name(argument: str) -> str:
    """The parameter name of a filter argument."""
    return "filter_" + "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in argument)
