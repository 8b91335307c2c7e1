"""The frontend example does what it says: its types come from the published schema, its stories run to their end."""

import json
import re

import pytest

from cli import _parser
from tests.frontend_example import FOLDER, build, run
from tests.recorded import NAMED, said

TOKEN = re.compile(r"^export (\w+)=\$\(../../scripts/needful (token .*) \| tail -1\)$", re.MULTILINE)


def tokens(office):
    """The tokens that the example's README asks for."""
    found = {}
    for name, words in TOKEN.findall((FOLDER / "README.md").read_text()):
        asked = _parser().parse_args(words.split())
        found[name] = office.token(asked.role, org=asked.org, user=asked.user, purposes=asked.purpose)
    return found


@pytest.fixture(scope="module")
def story(office):
    """What the claim's story says, which begins with the application's: who, and what they do."""
    build()
    asked = tokens(office)
    assert len(asked) == 3
    lines = run("node", "dist/play.js", "claim", NEEDFUL_URL=office.url, **asked).splitlines()
    return [(line[:9].strip(), line[10:]) for line in lines]


def told(story, who):
    return "\n".join(what for one, what in story if one == who)


def test_a_whole_application_is_played(story):
    customer, insurer = told(story, "customer"), told(story, "insurer")
    assert re.search(r"drafts P\d+ and names an agent: DRAFT", customer)
    assert "AWAITING_PAYMENT" in insurer
    assert re.search(r"has P\d+: IN_FORCE from \d{4}-\d\d-\d\d", customer)


def test_a_whole_claim_is_played(story):
    handler, insurer = told(story, "handler"), told(story, "insurer")
    assert [word for word in ("REVIEWING", "MATERIALS_PENDING", "CLOSED") if word in handler] == [
        "REVIEWING",
        "MATERIALS_PENDING",
        "CLOSED",
    ]
    assert ("APPROVED" in insurer, "PAID" in insurer) == (True, True)
    assert story[-1] == ("customer", "got 3800.00 yuan: CLOSED")


def test_problems_stand_by_the_fields_that_they_are_about(story):
    marked = told(story, "")
    assert "policyholder.details.address: ITEM_MISSING (C04)" in marked
    assert "incidentDescription: NEVER_COLLECTED" in marked


def test_what_is_masked_or_denied_is_told_beside_the_data(story):
    agent = told(story, "agent")
    assert re.search(r"sees 陈静, \d\*+[\dX]; masked: policy\.policyholder\.idNumber", agent)
    assert "denied: policy.insured.healthDeclaration" in agent
    assert "version 2" in agent, "and the mask was not sent back as a number"


def test_an_answer_that_was_lost_is_asked_for_again_and_done_once(office, story):
    assert "loses the answer and asks again: SUBMITTED, version 3" in told(story, "customer")
    rows = said(office.rows(NAMED, "SubmitApplication"))
    assert [row["outcome"] for row in rows] == ["REFUSED", "DONE", "REPEATED"]


def test_what_the_example_installs_is_pinned_by_hash_and_names_no_registry():
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    installed = {name: one for name, one in lock["packages"].items() if name}
    assert installed
    assert [name for name, one in installed.items() if not one.get("integrity") or "resolved" in one] == []
    wanted = json.loads((FOLDER / "package.json").read_text())
    versions = {**wanted["dependencies"], **wanted["devDependencies"]}
    assert [name for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []
