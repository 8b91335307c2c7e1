"""The data map against the catalogue of a live database: what a migration adds is in it, or this fails (C29, C64)."""

import asyncio
from collections import defaultdict

import pytest

from privacy.holdings import HOLDINGS, NOBODYS
from tests.writing.catalogue import Catalogue, read_catalogue, unknown_to

KNOWN = {one.table for one in HOLDINGS}


@pytest.fixture(scope="module")
def catalogue(office) -> Catalogue:
    return asyncio.run(office._as_owner(_read))


async def _read(owner) -> Catalogue:
    for one in HOLDINGS:
        # What it says in SQL is SQL.
        columns = ", ".join(one.sealed.values()) or "1"
        for rows in (one.person, one.given):
            await owner.fetch(f"SELECT {columns} FROM {one.table} t WHERE {rows}", _ID)  # noqa: S608 - our own names
    return await read_catalogue(owner)


_ID = "00000000-0000-4000-8000-000000000000"


def test_c64_every_table_and_column_of_the_database_stands_in_the_data_map(catalogue):
    assert unknown_to(catalogue, HOLDINGS, NOBODYS) == []


@pytest.mark.parametrize(
    "table, columns, references",
    [
        ("diary", {"id": "uuid", "person_id": "uuid", "text": "text"}, {"person_id": "person"}),
        ("diary_page", {"id": "uuid", "policy_id": "uuid"}, {"policy_id": "policy"}),
        ("campaign", {"notes_sealed": "bytea"}, {}),
        ("device", {"owner_id": "uuid"}, {"owner_id": "person"}),
        ("person", {"shoe_size": "integer"}, {}),
        ("staff", {"person_id": "uuid"}, {"person_id": "person"}),
    ],
)
def test_c64_what_a_later_migration_adds_is_missed(catalogue, table, columns, references):
    grown = Catalogue(
        {**catalogue.columns, table: {**catalogue.columns.get(table, {}), **columns}},
        defaultdict(dict, {**catalogue.references, table: {**catalogue.references.get(table, {}), **references}}),
    )
    assert any(table in complaint for complaint in unknown_to(grown, HOLDINGS, NOBODYS))
