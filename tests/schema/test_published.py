"""The schema as text: what generators of clients read is what is served."""

import json

from graphql import build_schema as parse_schema
from graphql import lexicographic_sort_schema, print_schema

from cli import main
from schema.build import build_schema
from tests.conftest import ROOT

PUBLISHED = ROOT / "docs" / "schema.graphql"


def test_the_published_schema_is_the_one_that_is_served(capsys):
    """After a change on purpose: scripts/needful schema > docs/schema.graphql"""
    assert main(["schema"]) == 0
    assert PUBLISHED.read_text() == capsys.readouterr().out
    assert main(["--json", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema": PUBLISHED.read_text().removesuffix("\n")}


def test_the_published_schema_is_read_as_what_it_describes():
    read = parse_schema(PUBLISHED.read_text())
    served = build_schema()
    assert set(read.type_map) == set(served.type_map)
    assert print_schema(lexicographic_sort_schema(read)) == print_schema(lexicographic_sort_schema(served))
