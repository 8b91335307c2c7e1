"""What the guide about rights shows is what the service takes (docs/rights.md)."""

import re
import shlex

from graphql import parse, validate

from cli import _parser
from models.rights import BlockerKind, ComplaintMatter, DeletionGround, RightsRequestKind
from schema.build import build_schema
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "rights.md").read_text()


def test_c65_c69_c80_every_operation_of_the_guide_is_one_of_the_schema():
    found = re.findall(r"```graphql\n(.*?)```", GUIDE, re.DOTALL)
    assert len(found) == 5
    for text in found:
        assert validate(build_schema(), parse(text)) == []
    for name, given in re.findall(r"`(\w+)\(input: \{(.*?)\}\)`", GUIDE):
        text = f"mutation {{ {name}(input: {{{given}}}) {{ __typename }} }}"
        assert validate(build_schema(), parse(text)) == []


def test_c65_c80_every_command_of_the_guide_is_one():
    lines = [line for text in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) for line in text.splitlines()]
    assert len(lines) == 6
    for line in lines:
        words = shlex.split(line.replace(" ID", " 00000000-0000-0000-0000-000000000000"))
        assert words[0] == "scripts/needful"
        assert _parser().parse_args(words[1:]).act


def test_c65_c69_c80_the_guide_names_every_kind_ground_matter_and_blocker():
    words = set(re.findall(r"`([A-Z_]+)`", GUIDE))
    for kind in (*DeletionGround, *ComplaintMatter, *BlockerKind, *RightsRequestKind):
        assert kind.name in words or kind is RightsRequestKind.CANCELLATION
