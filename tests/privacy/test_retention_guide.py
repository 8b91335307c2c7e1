"""What the guide about retention shows is what the service takes (docs/retention.md)."""

import re
import shlex

from graphql import parse, validate

from cli import _parser
from privacy.retention import Criterion
from schema.build import build_schema
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "retention.md").read_text()
ID = "00000000-0000-0000-0000-000000000000"


def test_c27_c28_every_operation_of_the_guide_is_one_of_the_schema():
    found = re.findall(r"```graphql\n(.*?)```", GUIDE, re.DOTALL)
    assert len(found) == 5
    for text in found:
        assert validate(build_schema(), parse(text)) == []


def test_c27_c28_every_command_of_the_guide_is_one():
    lines = [line for text in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) for line in text.splitlines()]
    commands = [one for line in lines for one in line.split(" ; ")]
    assert len(commands) == 12
    for one in commands:
        words = [ID if word in ("ID", "HOLD", "ORDER") else word for word in shlex.split(one, comments=True)]
        assert words[0] == "scripts/needful"
        assert _parser().parse_args(words[1:]).act


def test_c27_the_guide_names_every_criterion():
    assert {one.name for one in Criterion} <= set(re.findall(r"^\| `([A-Z]+)` \|", GUIDE, re.MULTILINE))
