"""What the guide about minors and verification shows is what the service takes (docs/minors-and-verification.md)."""

import re
import shlex

from graphql import parse, validate

from cli import _parser
from models.cases import SHOWN, Aspect
from models.vocabulary import from_bits
from privacy.verification import NEEDED
from schema.build import build_schema
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "minors-and-verification.md").read_text()


def test_c11_c73_every_operation_of_the_guide_is_one_of_the_schema():
    found = re.findall(r"```graphql\n(.*?)```", GUIDE, re.DOTALL)
    assert len(found) == 3
    for text in found:
        assert validate(build_schema(), parse(text)) == []
    for text in re.findall(r"`(guardianLinks\(.*?\}|minorCases\(.*?\}|\{ id user claim .*?\} \})`", GUIDE, re.DOTALL):
        whole = f"{{ verificationCases {text} }}" if text.startswith("{") else f"{{ {text} }}"
        assert validate(build_schema(), parse(whole)) == []


def test_c72_c73_every_command_of_the_guide_is_one():
    lines = [line for text in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) for line in text.splitlines()]
    assert len(lines) == 8
    for line in lines:
        words = shlex.split(line.split("  #")[0].replace(" ID", " 00000000-0000-0000-0000-000000000000"))
        assert words[0] == "scripts/needful"
        assert _parser().parse_args(words[1:]).act


def test_c11_the_guides_table_of_aspects_says_what_the_code_does():
    for aspect in Aspect:
        needed, shown = re.findall(rf"^\| `{aspect}` \| (.*?) \| (.*?) \|$", GUIDE, re.MULTILINE)[0]
        assert set(needed.split(", ")) == {one.value for one in from_bits(NEEDED[aspect])}
        told = set(shown.split(", ")) - {"these", "this"}
        assert told | set(needed.split(", ")) == {one.value for one in from_bits(SHOWN[aspect] | NEEDED[aspect])}
