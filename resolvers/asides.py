"""Fields answered beside the plan: what is asked of them, and plain values turned into the answer.

Such a field holds no sealed column of a row. A function answers it with mappings by the schema's names; the projector
gives them the operation's aliases and type names. Both know only the schema, so any object type can be answered so.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from graphql import GraphQLObjectType, GraphQLSchema, SelectionSetNode, get_named_type

from authz.compile import Snapshot
from authz.subjects import Subject
from ledger.rows import Named
from ledger.searches import Fetch
from models.vocabulary import Purpose
from privacy.bundles import Bundle
from privacy.receipts import Receipts
from privacy.statistics_releases import USUAL, StatisticsSettings
from resolvers.field_access import Planner
from resolvers.selection import Selected, Selector
from vault.keyring import Keyring


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operation selects of an object of one type."""

    type_name: str
    fields: tuple["AskedField", ...]

    @property
    def size(self) -> int:
        """How many fields that is, with all below."""
        return sum(1 + (one.below.size if one.below else 0) for one in self.fields)

    def find(self, *names: str) -> bool:
        """Is this path of fields selected, under whatever aliases?"""
        below = [one.below for one in self.fields if one.name == names[0]]
        return bool(below) and (len(names) == 1 or any(one.find(*names[1:]) for one in below if one))


@dataclass(frozen=True, slots=True)
class AskedField:
    """One field of an object: its response key, its name, and what is selected below it, if it is an object."""

    key: str
    name: str
    below: Asked | None


@dataclass(slots=True)
class Notes:
    """What the ledger is to know of what was answered beside the plan: of whom something was told, and what was asked.

    `told`: persons by coordinate, each once. `asked`: the arguments of each root field; never a value of a person.
    """

    told: dict[str, dict[Named, None]] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def tell(self, coordinate: str, persons: Iterable[Named]) -> None:
        """Something of these persons is told by this field."""
        self.told.setdefault(coordinate, {}).update(dict.fromkeys(persons))

    def ask(self, coordinate: str, given: Mapping[str, Any]) -> None:
        """This field is asked for with these arguments, which have been checked; each question is noted once."""
        asked = {"field": coordinate, **{name: value for name, value in given.items() if value not in (None, (), [])}}
        if asked not in self.asked:
            self.asked.append(asked)

    @property
    def detail(self) -> dict[str, Any]:
        """What a row's `detail` says of it."""
        return {"asked": self.asked} if self.asked else {}


@dataclass(frozen=True, slots=True)
class Question:
    """One field to answer for one caller: its arguments, what is selected of it, and how to read.

    `planner` plans operations of the schema; who asks without one can be answered nothing about operations.
    """

    fetch: Callable[..., Any]
    subject: Subject
    purpose: Purpose
    wards: Sequence[UUID]
    keyring: Keyring
    snapshot: Snapshot
    now: datetime
    bundle: Bundle
    arguments: Mapping[str, Any]
    asked: Asked
    notes: Notes = field(default_factory=Notes)
    planner: Planner | None = None
    receipts: Receipts | None = None
    statistics: StatisticsSettings = USUAL

    @property
    def narrowed(self) -> bool:
        """Is the token less than its subject? What the ledger tells knows no caveats: it is not for such a token."""
        return bool(self.subject.caveats) or not self.subject.categories


@dataclass(frozen=True, slots=True)
class Fetching:
    """One connection, of which a question has no more than `fetch`: what rooms below read with."""

    fetch: Fetch

    async def fetchrow(self, text: str, *values: object) -> Any:  # noqa: ANN401 - asyncpg's record
        """The first row, or None."""
        rows = await self.fetch(text, *values)
        return rows[0] if rows else None

    async def fetchval(self, text: str, *values: object) -> Any:  # noqa: ANN401 - a database's value
        """The first value of the first row, or None."""
        row = await self.fetchrow(text, *values)
        return row and row[0]


def _nothing_more(_: Asked, __: Mapping[str, Any]) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class RootAside:
    """A root field: `answer` gives its value, None where it is not for the caller; `largest`: rows of a page.

    `weight`: what it counts for, whatever is selected of it (`resolvers.limits.MAX_COST`); `more`: what it counts for
    besides, by what is selected and by its arguments.
    """

    coordinate: str
    answer: Callable[[Question], Awaitable[Any]]
    largest: int
    weight: int
    more: Callable[[Asked, Mapping[str, Any]], int] = _nothing_more


@dataclass(frozen=True, slots=True)
class RowAside:
    """A field of rows: `answer` is given the rows' ids and gives values by id; whoever is missing has null.

    `weight`: what it counts for by row.
    """

    coordinate: str
    answer: Callable[[Question, Sequence[UUID]], Awaitable[Mapping[UUID, Any]]]
    largest: int
    weight: int


def asked_of(schema: GraphQLSchema, selector: Selector, type_name: str, below: Sequence[SelectionSetNode]) -> Asked:
    """What is selected of an object type, with everything below."""
    declared = schema.type_map[type_name]
    if not isinstance(declared, GraphQLObjectType):
        message = f"{type_name} is no object type"
        raise TypeError(message)
    return Asked(
        type_name, tuple(_asked_field(schema, selector, declared, one) for one in selector.fields(type_name, below))
    )


def _asked_field(schema: GraphQLSchema, selector: Selector, declared: GraphQLObjectType, one: Selected) -> AskedField:
    if not one.below:
        return AskedField(one.key, one.name, None)
    return AskedField(
        one.key, one.name, asked_of(schema, selector, get_named_type(declared.fields[one.name].type).name, one.below)
    )


def project(asked: Asked, value: Any) -> Any:  # noqa: ANN401 - plain values, any JSON
    """The answer to a selection: of a mapping an object, of a sequence of them a list, of None null."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {one.key: _of(one, asked, value) for one in asked.fields}
    return [project(asked, one) for one in value]


def _of(one: AskedField, asked: Asked, value: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as above
    if one.name == "__typename":
        return asked.type_name
    return value[one.name] if one.below is None else project(one.below, value[one.name])
