"""What the guide for those who write says is true (docs/writing.md)."""

import json
import re
import shlex
import subprocess

from cli import _parser
from resolvers.payloads import ProblemCode
from resolvers.writes import RULE
from schema.build import build_schema
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "writing.md").read_text()
LOGGING_IN = (ROOT / "docs" / "frontend.md").read_text().split("\n## Logging in\n")[1].split("\n## ")[0]
SECURITY = (ROOT / "docs" / "security-team.md").read_text()
WORKBENCH, REFUSALS = SECURITY.split("\n### By GraphQL\n")[1].split("\n### Refusals\n")
REFUSALS = REFUSALS.split("\n## ")[0]
TOKEN = re.compile(r"^TOKEN=\$\(scripts/needful (token .*) \| tail -1\)$", re.MULTILINE)


def section(title):
    return GUIDE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(text):
    """What stands in backticks in the first column of a section's table."""
    return [
        name
        for line in text.splitlines()
        if line.startswith("|")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    ]


def test_the_guides_command_runs_and_answers_what_it_says(office):
    (command,) = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    (answer,) = map(json.loads, re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL))
    (words,) = TOKEN.findall(command)
    asked = _parser().parse_args(words.split())
    token = office.token(asked.role, org=asked.org, user=asked.user, purposes=asked.purpose)
    command = TOKEN.sub(f"TOKEN={shlex.quote(token)}", command).replace("http://127.0.0.1:8000/graphql", office.url)
    ran = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, check=True)
    given = json.loads(ran.stdout)
    assert {"data": given["data"]} == answer
    assert "errors" not in given


def test_the_guide_names_every_mutation_without_a_purpose_of_its_own_exactly_once():
    named = first_cells(section("Who does what")) + re.findall(r"^\| `(\w+)` \|", WORKBENCH, re.MULTILINE)
    fields = build_schema().mutation_type.fields.items()
    by_rule = {name for name, one in fields if one.extensions["strawberry-definition"].metadata[RULE].purpose is None}
    assert sorted(named) == sorted(by_rule)


def test_every_problem_is_explained_and_none_that_there_is_not():
    of_writes = first_cells(section("Problems")) + re.findall(r"^\| `([A-Z_]+)` \|", REFUSALS, re.MULTILINE)
    assert len(set(of_writes)) == len(of_writes)
    assert set(of_writes) <= set(ProblemCode)
    of_logins = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", LOGGING_IN))
    assert {*of_writes, *of_logins} == set(ProblemCode)
