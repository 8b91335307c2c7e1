"""A live database's catalogue, and what of it the data map does not know."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from privacy.holding import Holding

_COLUMNS = """
SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c
JOIN pg_class k ON k.relname = c.table_name AND k.relnamespace = 'public'::regnamespace
WHERE c.table_schema = 'public' AND k.relkind IN ('r', 'p') AND NOT k.relispartition
"""
_REFERENCES = """
SELECT k.conrelid::regclass::text AS tied, a.attname, k.confrelid::regclass::text AS other FROM pg_constraint k
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
WHERE k.contype = 'f' AND cardinality(k.conkey) = 1
"""


@dataclass(frozen=True)
class Catalogue:
    """By table: columns with their types; columns that refer to another table."""

    columns: Mapping[str, Mapping[str, str]]
    references: Mapping[str, Mapping[str, str]]

    def leads_to_a_person(self, table: str, seen: frozenset[str] = frozenset()) -> bool:
        return table == "person" or any(
            self.leads_to_a_person(other, seen | {table})
            for other in self.references.get(table, {}).values()
            if other not in seen
        )


async def read_catalogue(connection: Any) -> Catalogue:
    columns, references = defaultdict(dict), defaultdict(dict)
    for table, column, kind in await connection.fetch(_COLUMNS):
        columns[table][column] = kind
    for table, column, other in await connection.fetch(_REFERENCES):
        references[table][column] = other
    return Catalogue(columns, references)


def unknown_to(catalogue: Catalogue, holdings: Sequence[Holding], nobodys: Mapping[str, str]) -> list[str]:
    """What the map lacks, or has and the database does not, in words."""
    by_table = {one.table: one for one in holdings}
    found = [f"{table} stands nowhere" for table in catalogue.columns if table not in {*by_table, *nobodys}]
    found += [f"{table} is gone" for table in by_table if table not in catalogue.columns]
    found += [f"{table} stands twice" for table in by_table if table in nobodys]
    for table in nobodys:
        if catalogue.leads_to_a_person(table):
            found.append(f"{table} is tied to persons")
        found += [f"{table}.{one} is sealed" for one in catalogue.columns.get(table, {}) if one.endswith("_sealed")]
    for table, one in by_table.items():
        if table in catalogue.columns:
            found += _of_table(catalogue, one)
    return found


def _of_table(catalogue: Catalogue, one: Holding) -> list[str]:
    said = [*one.sealed, *one.plain, *one.inner]
    columns = set(catalogue.columns[one.table])
    found = [f"{one.table}.{column} stands nowhere" for column in columns - set(said)]
    found += [f"{one.table}.{column} is gone" for column in set(said) - columns]
    found += [f"{one.table}.{column} stands twice" for column in {column for column in said if said.count(column) > 1}]
    found += [f"{one.table}.{column} is sealed" for column in {*one.plain, *one.inner} if column.endswith("_sealed")]
    found += [f"{one.table}.{column}: withheld and unknown" for column in one.withheld if column not in said]
    found += [
        f"{one.table}.{column} ties a person whose row it is not"
        for column, other in catalogue.references.get(one.table, {}).items()
        if other == "person" and f"t.{column} = $1" not in one.person
    ]
    if (one.retention is None) != (one.owner is None):
        found.append(f"{one.table}: a class without a key's owner")
    if one.exported == (one.why_not is not None):
        found.append(f"{one.table}: exported or why not")
    return found
