"""The security team's guide names commands, fields and codes that there are."""

import re

import pytest

from cli import _parser
from schema.build import build_schema
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "security-team.md").read_text()
CHAPTER = GUIDE[GUIDE.index("## The workbench") : GUIDE.index("## What always holds")]
COMMAND = re.compile(r"scripts/needful ((?:rules|glass) [^#\n]*)")
SOME_ID, SOME_DIGEST = "7f9f3f4e-0000-4000-8000-000000000000", "0" * 64


def commands():
    for found in COMMAND.findall(CHAPTER):
        words = re.findall(r'"[^"]*"|\S+', found)
        named = {"ID": SOME_ID, "DIGEST": SOME_DIGEST}
        yield [named.get(word, word.strip('"')) for word in words]


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_of_the_guide_is_accepted(words):
    assert _parser().parse_args(words).act


def test_every_subcommand_of_the_table_exists():
    found = set(re.findall(r"`rules ([a-z]+)", CHAPTER)) | {words[1] for words in commands() if words[0] == "rules"}
    assert {"import", "propose", "approve", "reject", "publish", "rollback", "withdraw", "show", "list"} <= found
    for name in found:
        with pytest.raises(SystemExit) as stop:
            _parser().parse_args(["rules", name, "--help"])
        assert stop.value.code == 0, name


def test_every_root_field_of_the_chapter_exists():
    schema = build_schema()
    fields = {*schema.query_type.fields, *schema.mutation_type.fields}
    named = set(re.findall(r"`([a-z]+[A-Z][A-Za-z]+)", CHAPTER)) - {"breakGlass", "accessHistory"}
    assert {"draftRules", "reviewRules", "rollBackRules", "brokenGlasses"} <= named
    assert named - fields == set()
