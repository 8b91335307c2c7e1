"""`rules explain|reach|who|decisions`: the same answers for operators, as JSON and as sentences."""

import json
import time
from uuid import uuid4

import pytest

from authz.commands import OperatorRefusedError
from authz.rules import RulesetError, parse_rule
from authz.tokens import utc_now
from authz.workbench.drafts import Changes, open_draft
from cli import main
from tests.conftest import run_cli
from tests.recorded import as_owner

CLAIMS = "{ claims(first: 5) { edges { node { diagnosis policy { insured { idNumber } } } } } }"
DENIED = ("rules", "explain", "insurer", "claim_handling", "Claim.diagnosis")


@pytest.fixture(scope="module")
def draft(server):
    """A draft under which insurers are not shown any diagnosis."""
    words = "deny insurer claim_handling any any reveal Claim.diagnosis C46"
    changes = Changes(add=(parse_rule(words.split(), place="the test"),))

    def opened(owner):
        return open_draft(
            owner, parent=1, author="operator", title="Fewer", reason="A test.", now=utc_now(), changes=changes
        )

    found = as_owner(server, opened)
    yield str(found)
    as_owner(server, lambda owner: owner.execute("DELETE FROM rule_draft WHERE id = $1", found))


def text_of(server, *arguments):
    """What a command prints for people, run in this process."""
    done = run_cli(*arguments, data_dir=server.data_dir)
    return done.stdout.splitlines()


def test_why_is_answered_in_sentences_and_as_json(server):
    told = server.operate(*DENIED, "--pair", "underwriter/none", "--pair", "none/consent")
    assert (told["effect"], told["reason"], told["situation"]) == (
        *("DENY", "RELATION", ["none/consent", "underwriter/none"]),
    )
    assert told["candidates"][0]["failed"] == ["BASIS"]
    assert told["missing"]["pair"] == "underwriter/contract_open"
    lines = text_of(server, *DENIED, "--pair", "underwriter/none")
    assert lines[0] == (
        "insurer for claim_handling, show Claim.diagnosis: DENY,"
        " since nothing ties the subject to the person as a rule asks (RELATION)"
    )
    assert "  what holds: underwriter/none" in lines
    assert (
        "  allow insurer for claim_handling, when underwriter and contract_open, to reveal health (C38):"
        " the basis is not open"
    ) in lines
    assert lines[-1] == "  one record that witnesses underwriter/contract_open would give REVEAL"


def test_reach_and_who_agree_and_read_as_sentences(server):
    reached = server.operate("rules", "reach", "insurer", "claim_handling")
    able = server.operate("rules", "who", "Claim.diagnosis")
    (one,) = [each for each in reached if each["coordinate"] == "Claim.diagnosis"]
    assert one in able
    assert one["under"] == {"REVEAL": ["underwriter/contract_open"]}
    assert server.operate("rules", "reach", "ad_partner", "marketing") == []


def test_a_draft_is_asked_before_it_is_anything(server, draft):
    open_claim = (*DENIED, "--pair", "underwriter/contract_open")
    assert server.operate(*open_claim)["effect"] == "REVEAL"
    under = server.operate(*open_claim, "--draft", draft)
    assert (under["effect"], under["reason"], under["clauses"]) == ("DENY", "RULE_DENIES", ["C46"])
    able = server.operate("rules", "who", "Claim.diagnosis", "--draft", draft)
    assert ("insurer", "claim_handling") not in {(one["role"], one["purpose"]) for one in able}
    assert server.operate(*open_claim, "--ruleset", "1")["effect"] == "REVEAL"


def test_a_decision_is_found_among_the_recent_ones_and_explained(server):
    token = server.token("insurer", org="INS01", purposes=["claim_handling"])
    for _ in range(2):
        decision = server.post(CLAIMS, token=token).json()["extensions"]["authorization"]["decisionId"]
    asked = ("rules", "decisions", "--org", "INS01", "--purpose", "claim_handling", "--coordinate", "Claim.diagnosis")
    deadline = time.monotonic() + 15
    while decision not in {one["decisionId"] for one in server.operate(*asked)["decisions"]}:
        assert time.monotonic() < deadline, "the index is behind"
        time.sleep(0.1)
    told = server.operate("rules", "explain", "--decision", decision)
    assert {one["agrees"] for one in told["entries"]} == {True}
    (first,) = server.operate(*asked, "--first", "1")["decisions"]
    page = server.operate(*asked, "--first", "1", "--before", str(first["index"]))
    assert all(one["index"] < first["index"] for one in page["decisions"])
    lines = text_of(server, "rules", "explain", "--decision", decision)
    assert lines[0].startswith(f"{decision}  ")
    assert lines[0].endswith("insurer for claim_handling, ruleset 1: READ DONE")
    assert any(line.startswith("Claim.diagnosis: ") for line in lines)
    listed = text_of(server, *asked, "--first", "1")
    assert "insurer  INS01  claim_handling  READ  DONE" in listed[0]
    assert listed[-1].startswith("There may be more: --before ")
    assert server.operate(*asked, "--from", "2100-01-01T00:00:00Z") == {"decisions": [], "before": None}


@pytest.mark.parametrize(
    "words,refusal,sentence",
    [
        (("explain",), OperatorRefusedError, "--decision"),
        (("explain", "insurer", "claim_handling", "Claim.id"), OperatorRefusedError, "public"),
        (("who", "nothing"), OperatorRefusedError, "public"),
        (("explain", "--decision", str(uuid4())), OperatorRefusedError, "sealed"),
        (("explain", "insurer", "--decision", str(uuid4())), OperatorRefusedError, "alone"),
        (("who", "Claim.diagnosis", "--draft", str(uuid4())), OperatorRefusedError, "draft"),
        (("who", "Claim.diagnosis", "--draft", str(uuid4()), "--ruleset", "1"), OperatorRefusedError, "not both"),
        (("who", "Claim.diagnosis", "--ruleset", "999999"), RulesetError, "no ruleset"),
        (("decisions", "--org", "NOBODY"), OperatorRefusedError, "organization"),
        (("decisions", "--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"), OperatorRefusedError, "--to"),
    ],
)
def test_what_there_is_not_is_refused_in_one_sentence(server, words, refusal, sentence):
    with pytest.raises(refusal, match=sentence):
        server.operate("rules", *words)


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "nobody", "claim_handling", "Claim.diagnosis"),
        ("explain", "insurer", "claim_handling", "Claim.diagnosis", "--pair", "any/any"),
        ("explain", "insurer", "claim_handling", "Claim.diagnosis", "--pair", "self"),
        ("explain", "--decision", "x"),
        ("reach", "insurer"),
        ("who", "Claim.diagnosis", "--ruleset", "0"),
        ("who", "Claim.diagnosis", "--ruleset", "9" * 30),
        ("decisions", "--first", "1001"),
        ("decisions", "--from", "2026-01-01"),
        ("decisions", "--from", "2026-01-01T00:00:00"),
        ("decisions", "--before", "-1"),
        ("decisions", "--effect", "reveal"),
        (),
    ],
)
def test_a_mistake_in_usage_ends_with_2(words, capsys):
    assert main(["rules", *words]) == 2
    assert capsys.readouterr().out == ""


def test_the_command_line_prints_json_and_refuses_with_1(server):
    done = run_cli(*DENIED, "--json", data_dir=server.data_dir)
    assert json.loads(done.stdout)["effect"] == "DENY"
    refused = run_cli("rules", "who", "Claim.id", data_dir=server.data_dir, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("'Claim.id' is no field that rules decide on")
