"""What is stored of a person and is no noun of the API, or stands in somebody else's record: read by the data map.

Casbin decides about each sealed column as it does about the field of its name: of oneself, or of a ward whose archive
was asked for. What the map does not know, or no field stands for, is not opened (C64).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from authz.compile import DecisionFaultError, Snapshot
from authz.situations import pair_bit
from authz.vocabulary import Basis, Effect, Reason, Relation
from models.cases import Aspect
from models.global_ids import NodeType, to_global
from models.vocabulary import Purpose, Retention, Role, from_bits
from privacy.holding import BENEFICIARY, PAYEE, REPORTER, Holding
from privacy.holdings import HOLDINGS, holding
from resolvers.nouns import Noun, SealedColumn
from resolvers.problems import unavailable
from resolvers.registry import NOUNS
from resolvers.times import in_shanghai
from vault.sealing import DataKey, KeyCache, SealedValueError, column_label, open_column

MOST_ROWS = 10_000
"""Of one table."""
_ELSEWHERE = frozenset({"ledger_access"})
"""Exported as what it means: the access history."""
_NOUNS: Mapping[str, Noun] = {noun.table: noun for noun in NOUNS.values() if noun.scoped}
_REACH = {"beneficiary": "t.holder_id = $1", "claim": "(t.holder_id = $1 OR t.insured_id = $1)"}
"""Which rows the API shows to the person as a whole; of the others, their own items in them and nothing else."""
_STOOD_FOR = {("virtual_phone", "number_sealed"): "User.virtualPhone", ("account", "username_sealed"): "User.username"}
"""The field that stands for a column of a table that is no noun."""
_BESIDE = {
    ("rights_request", "statement_sealed"): "Query.rightsRequests",
    ("rights_request", "answer_sealed"): "Query.rightsRequests",
}
"""The words of a request, which the API shows beside the plan: to the person and their guardian, and so to whoever has
this archive."""
_OF_ITS_ROW = {("correction", "earlier_sealed"): "coordinate"}
"""Where each row says of which field its value is: in which column."""
_IDS = {
    "policy_id": NodeType.POLICY,
    "claim_id": NodeType.CLAIM,
    "consent_id": NodeType.CONSENT,
}
_PERSONS = frozenset(
    {
        *("person_id", "holder_id", "insured_id", "guardian_id", "child_id", "withdrawn_by_id", "requester_id"),
        *("said_by", "allowed_by", "chosen_by", "withdrawn_by"),
    }
)
_ORGANIZATIONS = frozenset({"organization_id", "recipient_id", "source_id", "provider_id", "insurer_id", "receiver_id"})
_OWN_IDS = {noun.table: noun.node_type for noun in _NOUNS.values() if noun.node_type}

_ORGANIZATION = "SELECT id, code, name FROM organization"
_NOTICE = "SELECT number, version, digest FROM notice"
_ERASED = "SELECT retention FROM data_key WHERE person_id = $1 AND wrapped IS NULL"


@dataclass(frozen=True, slots=True)
class _Part:
    """Some columns of some rows of one table; `name`: of the file."""

    name: str
    of: Holding
    where: str
    plain: Sequence[str]
    sealed: Sequence[str]


_SOMEBODYS = (
    ("BeneficiaryElsewhere", "beneficiary", BENEFICIARY, ("relation", "position", "share", "person_verified_at")),
    ("ClaimReported", "claim", REPORTER, ("claim_number", "reporter_relation", "reporter_verified_at")),
    ("ClaimPaid", "claim", PAYEE, ("claim_number", "payee_verified_at")),
)
"""Who is named in somebody else's record: the file, whose items are theirs, and what in the clear belongs to them."""


def _parts() -> Iterator[_Part]:
    for one in HOLDINGS:
        if not one.exported or one.table in _ELSEWHERE:
            continue
        noun = _NOUNS.get(one.table)
        told = {} if noun is None else noun.fields
        opened = {each.column for each in told.values() if isinstance(each, SealedColumn) and each.table is None}
        plain = [column for column in one.plain if column not in one.withheld and _camel(column) not in told]
        sealed = [column for column in one.sealed if column not in {*one.withheld, *opened}]
        where = f"{one.given} AND {_REACH[one.table]}" if one.table in _REACH else one.given
        if plain or sealed:
            yield _Part(_name(one.table), one, where, plain, sealed)
    for name, table, whose, plain_columns in _SOMEBODYS:
        one = holding(table)
        mine = [column for column, of in one.sealed.items() if of == whose and column not in one.withheld]
        yield _Part(name, one, f"({whose}) = $1 AND NOT {_REACH[table]}", plain_columns, mine)


def _name(table: str) -> str:
    return "".join(word.capitalize() for word in table.split("_"))


def _camel(column: str) -> str:
    first, *others = column.removesuffix("_sealed").removesuffix("_id").split("_")
    return first + "".join(word.capitalize() for word in others)


_PARTS = tuple(_parts())


@dataclass(slots=True)
class Stored:
    """Rows by the name of their part; fields opened and denied; lists cut short; classes whose keys are destroyed."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    denied: dict[tuple[str, str], int] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)
    erased: frozenset[int] = frozenset()

    def deny(self, coordinate: str, reason: Reason) -> None:
        """Count a value that is not given."""
        place = coordinate, reason.name
        self.denied[place] = self.denied.get(place, 0) + 1


@dataclass(frozen=True, slots=True)
class Archivist:
    """Reads for one archive: for a person in `role`, themselves or as their guardian."""

    connection: Any
    snapshot: Snapshot
    keys: KeyCache
    role: Role

    async def read(self, person: UUID) -> Stored:
        """Everything of a person beside what the API says of them. Raises UNAVAILABLE, the database's errors."""
        found = Stored(erased=frozenset(row[0] for row in await self.connection.fetch(_ERASED, person)))
        names = _Names(
            {row["id"]: {"code": row["code"], "name": row["name"]} for row in await self._all(_ORGANIZATION)},
            {row["number"]: {"version": row["version"], "hash": row["digest"]} for row in await self._all(_NOTICE)},
        )
        for part in _PARTS:
            rows = await self.connection.fetch(_statement(part), person)
            if len(rows) > MOST_ROWS:
                found.cut.append(part.name)
            found.rows[part.name] = [self._row(part, row, person, names, found) for row in rows[:MOST_ROWS]]
        return found

    async def _all(self, text: str) -> Sequence[Any]:
        rows: Sequence[Any] = await self.connection.fetch(text)
        return rows

    def _row(self, part: _Part, row: Any, person: UUID, names: "_Names", found: Stored) -> dict[str, Any]:  # noqa: ANN401 - asyncpg's record
        table = part.of.table
        said: dict[str, Any] = {}
        # A row that has but a number is told of by what it belongs to.
        if "id" in part.of.inner and isinstance(row["id"], UUID):
            said["id"] = to_global(_OWN_IDS.get(table, NodeType.RECORD), _uuid(row["id"]))
        for column in part.plain:
            said[_camel(column)] = names.told(column, row[column], person)
        for column in part.sealed:
            said[_camel(column)] = self._value(part.of, column, row, found)
        return said

    def _value(self, of: Holding, column: str, row: Any, found: Stored) -> Any:  # noqa: ANN401 - as above
        blob = row[column]
        coordinate = _coordinate(of.table, column, row)
        if blob is None or coordinate is None:
            return None
        if (of.table, column) not in _BESIDE and not self._reveals(coordinate):
            found.deny(coordinate, Reason.RULE_DENIES)
            return None
        try:
            (value,) = open_column(
                [blob], [self._key(of, row)], [_uuid(row["id"]).bytes], label=column_label(of.table, column)
            )
        except SealedValueError:
            found.deny(coordinate, Reason.UNAVAILABLE)
            return None
        found.opened.add(coordinate)
        return orjson.loads(value) if coordinate == "User.tags" and value else value

    def _key(self, of: Holding, row: Any) -> DataKey | None:  # noqa: ANN401 - as above
        if of.retention is None or row["key_owner"] is None:
            return None
        return self.keys.find(row["key_wrapped"], person_id=row["key_owner"], retention=of.retention)

    def _reveals(self, coordinate: str) -> bool:
        compiled = self.snapshot.slice(self.role, Purpose.RIGHTS_REQUEST)
        if compiled.coordinate(coordinate) is None:
            return False
        try:
            return compiled.table(coordinate)[_SITUATIONS[self.role]] is Effect.REVEAL
        except DecisionFaultError as fault:
            raise unavailable() from fault


_SITUATIONS = {
    Role.CUSTOMER: pair_bit(Relation.SELF, Basis.REQUEST),
    Role.GUARDIAN: pair_bit(Relation.GUARDIAN_OF, Basis.REQUEST),
}
"""The request whose link is being used is open until the archive is given."""


def _coordinate(table: str, column: str, row: Any) -> str | None:  # noqa: ANN401 - as above
    """The field that a sealed value is one of; None for one that the API has no word for."""
    if (table, column) in _BESIDE:
        return _BESIDE[table, column]
    if (table, column) in _OF_ITS_ROW:
        told: str = row[_OF_ITS_ROW[table, column]]
        return told
    noun = _NOUNS.get(table)
    if noun is None:
        return _STOOD_FOR.get((table, column))
    fields = (name for name, one in noun.fields.items() if isinstance(one, SealedColumn) and one.column == column)
    name = next(fields, None)
    return name and f"{noun.name}.{name}"


def _statement(part: _Part) -> str:
    of = part.of
    columns = [f't."{column}"' for column in part.plain]
    columns += [f't."{_OF_ITS_ROW[of.table, one]}"' for one in part.sealed if (of.table, one) in _OF_ITS_ROW]
    # Whose value it is, is asked once more of each row: a row is one person's, its values may be several persons'.
    columns += [f'CASE WHEN ({of.sealed[column]}) = $1 THEN t."{column}" END AS "{column}"' for column in part.sealed]
    join, order = "", ""
    if "id" in of.inner:
        columns.append("t.id")
        order = " ORDER BY t.id"
    if part.sealed and of.owner and of.retention:
        columns += [f"{of.owner} AS key_owner", "k.wrapped AS key_wrapped"]
        join = f" LEFT JOIN data_key k ON k.person_id = {of.owner} AND k.retention = {int(of.retention)}"
    return f"SELECT {', '.join(columns)} FROM {of.table} t{join} WHERE {part.where}{order} LIMIT {MOST_ROWS + 1}"


@dataclass(frozen=True, slots=True)
class _Names:
    """What ids of rows that everybody may know stand for."""

    organizations: Mapping[UUID, Mapping[str, str]]
    notices: Mapping[int, Mapping[str, str]]

    def told(self, column: str, value: Any, person: UUID) -> Any:  # noqa: ANN401, PLR0911 - a table
        """A column in the clear as the archive has it: ids as the API's, somebody else as ANOTHER."""
        if value is None:
            return None
        if column in _PERSONS:
            return "SELF" if value == person else "ANOTHER"
        if column in _ORGANIZATIONS:
            return self.organizations.get(value)
        if column == "notice":
            return self.notices.get(value, value)
        if column == "categories":
            return [one.name for one in from_bits(value)]
        if column == "classes":
            return [Retention(one).name for one in value]
        if column == "retention":
            return Retention(value).name
        if column == "aspects":
            return [one.name for place, one in enumerate(Aspect) if value >> place & 1]
        if column.endswith("_id"):
            return to_global(_IDS.get(column, NodeType.RECORD), _uuid(value))
        return plain(value)


def plain(value: Any) -> Any:  # noqa: ANN401 - a database's value
    """A value of a column as JSON has it, in the API's formats."""
    if isinstance(value, datetime):
        return in_shanghai(value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value


def left_out() -> Iterable[tuple[str, str]]:
    """What is stored of persons and is in no archive, and why: a table, or a column of one."""
    for one in HOLDINGS:
        if one.why_not is not None:
            yield one.table, one.why_not
        yield from ((f"{one.table}.{column}", why) for column, why in one.withheld.items())


def _uuid(row: Any) -> UUID:  # noqa: ANN401 - asyncpg's UUID is not the standard one
    return UUID(bytes=row.bytes)
