"""The guide for frontend teams is true: its request runs, its numbers and codes are the code's."""

import json
import os
import re
import shlex
import subprocess

from authz.vocabulary import Reason
from resolvers import limits, paging, selection
from resolvers.access_history import ACCESS_HISTORY
from resolvers.client_operations import LONGEST_DOCUMENT, MOST_OF_A_TEAM
from resolvers.consent_receipts import CONSENT_RECEIPT
from resolvers.documents import MAX_ERRORS
from resolvers.problems import Code
from resolvers.registry import ASIDES
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "frontend.md").read_text()


def table(heading):
    """The cells of the table below a heading, without its first two rows."""
    part = GUIDE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_the_guides_limits_are_those_of_the_code():
    assert {row[0]: int(row[1]) for row in table("Limits")} == {
        "body": limits.MAX_BODY,
        "`tokens`": limits.MAX_TOKENS,
        "`depth`": limits.MAX_DEPTH,
        "`aliases`": limits.MAX_ALIASES,
        "`fields`": selection.MAX_FIELDS,
        "`repeats`": limits.MAX_REPEATS,
        "`page`": paging.LARGEST_PAGE,
        "`page` for marketing": paging.AUDIENCE_PAGE,
        "`cost`": limits.MAX_COST,
    }
    assert f"a\npage has {paging.DEFAULT_PAGE} rows" in GUIDE
    assert f"one in introspection counts for {limits.INTROSPECTION_WEIGHT} |" in GUIDE
    assert MAX_ERRORS == 5
    assert "the first five errors" in GUIDE


def test_the_guide_tells_what_every_field_beside_the_plan_counts_for():
    lines = GUIDE.split("What these fields count for towards `cost`")[1].split("\n* ")[1:]
    told = {}
    for line in lines:
        names, weight = re.match(r"(.*?): (\d+)[.;]", line, re.DOTALL).groups()
        told |= dict.fromkeys(re.findall(r"`(\w+)`", names), int(weight))
    assert told.pop("totalCount") == limits.COUNT_ESTIMATE
    assert told.pop("accessHistory") == ACCESS_HISTORY.weight
    assert told.pop("receipt") == CONSENT_RECEIPT.weight
    assert told == {name: one.weight for name, one in ASIDES.items()}


def test_the_guides_codes_and_statuses_are_those_of_the_code():
    told = {row[0].strip("`"): row[1] for row in table("Refusals")}
    assert told == {code.name: f"{code.status}{'*' if code.always else ''}" for code in Code}


def test_the_guide_explains_every_reason_that_can_occur_now():
    told = {row[0].strip("`") for row in table("Masked and refused are data")}
    assert told == {reason.name for reason in Reason} - {"RULE_DENIES"}


def test_the_guides_request_gets_an_answer_such_as_it_describes(server):
    # What stands under "Logging in" is tested with the accounts (tests/accounts/test_guide.py).
    guide = GUIDE.split("\n## Logging in\n")[0]
    (command,) = re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)
    (example,) = map(json.loads, re.findall(r"```json\n(.*?)```", guide, re.DOTALL))
    command = command.replace("http://127.0.0.1:8000/graphql", server.url)
    environment = {**os.environ, "NEEDFUL_DATA": str(server.data_dir)}
    done = subprocess.run(
        ["bash", "-euc", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )  # fmt: skip
    body = json.loads(done.stdout)
    (edge,) = body["data"]["policies"]["edges"]
    assert re.fullmatch(r"\d\*+[\dX]", edge["node"]["policyholder"]["idNumber"])
    assert edge["node"]["policyholder"]["occupation"] is None
    authorization = body["extensions"]["authorization"]
    assert set(authorization) == set(example)
    assert [field for field in authorization["fields"] if field in example["fields"]] == example["fields"]
    (error,) = [one for one in body["errors"] if one["extensions"]["coordinate"] == "User.occupation"]
    assert error["extensions"]["pathPattern"] == example["fields"][1]["pathPattern"]


def part(heading):
    return GUIDE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def blocks(kind, text):
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def test_the_guides_preview_says_what_it_shows_and_its_lines_for_ci_do_what_it_says(server, tmp_path):
    text = part("Before you ship")
    (query,), (example,), (commands,) = (blocks(kind, text) for kind in ("graphql", "json", "sh"))
    document = re.search(r"<<'GRAPHQL'\n(.*?)GRAPHQL\n", commands, re.DOTALL)[1]
    developer = server.token("developer", purposes=["administration"])
    answer = server.post(query, {"document": document}, token=developer, purpose="administration").json()
    assert json.loads(example) in answer["data"]["accessPreview"]
    (tmp_path / "card.graphql").write_text(document)
    lines = [line for line in commands.splitlines() if line.startswith("scripts/needful ")]
    done = [
        server.operate(*(str(tmp_path / word) if word.startswith("card.") else word for word in shlex.split(line)[1:]))
        for line in lines
    ]
    assert [one["changed"] for one in done[:2]] == [[], []]
    assert (tmp_path / "card.json").read_text().count("pathPattern") == len(done[0]["access"])
    (registered,) = done[2]
    assert registered["name"] == "card"
    assert f"at most {MOST_OF_A_TEAM}, of {LONGEST_DOCUMENT} characters" in text
    whose = ("--team", "claims desk", "--role", "insurer", "--purpose", "claim_handling")
    server.operate("operations", "unregister", registered["hash"], *whose)


def test_every_file_that_the_guide_names_exists():
    for name in re.findall(r"scripts/\w+", GUIDE):
        assert (ROOT / name).exists(), name
