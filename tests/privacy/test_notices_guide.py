"""The guide of notices names commands, fields, codes and words that there are."""

import re
import shlex

import pytest
from graphql import parse, validate

from cli import _parser
from models.organizations import OrganizationKind
from privacy.comparison import Ground
from resolvers.payloads import ProblemCode
from resolvers.registered import house_documents
from schema.build import build_schema
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "notices.md").read_text()
SCHEMA = build_schema()
COMMANDS = re.findall(r"scripts/needful (notices [^\n>]*)", GUIDE)
DOCUMENTS = re.findall(r"```graphql\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_of_the_guide_is_accepted(words):
    assert _parser().parse_args(shlex.split(words)).act


def test_the_guide_has_a_command_for_each_step():
    assert {shlex.split(one)[1] for one in COMMANDS} >= {"show", "check", "publish", "compare", "assess", "assessments"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_document_of_the_guide_is_valid(document):
    assert validate(SCHEMA, parse(document)) == []


def test_every_root_field_registered_operation_and_code_of_the_guide_exists():
    fields = {*SCHEMA.query_type.fields, *SCHEMA.mutation_type.fields}
    assert set(re.findall(r"`([a-z]+[A-Z][A-Za-z]+)\(", GUIDE)) <= fields
    codes = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", GUIDE)) - {one.value for one in OrganizationKind}
    assert codes - {"NOTICE_ASKED_FOR"} <= set(ProblemCode)
    assert {one.value for one in Ground} == set(re.findall(r"^\| `([A-Z]+)` \|", GUIDE, re.MULTILINE))
    assert all(f"`{one.value}`" in GUIDE for one in OrganizationKind)
    assert all(any(f"query {name} " in text for text in house_documents().values()) for name in ("PrivacyNotice",))
