"""What the guide for frontend teams says about logging in is true (docs/frontend.md)."""

import json
import re
import subprocess
from datetime import timedelta

from authz import passwords, sessions
from authz.tokens import LIFETIME
from resolvers.payloads import ProblemCode
from resolvers.serving.settings import Settings
from tests.accounts.conftest import HOUSE
from tests.conftest import ROOT

SECTION = (ROOT / "docs" / "frontend.md").read_text().split("\n## Logging in\n")[1].split("\n## ")[0]


def test_the_guide_lists_the_documents_of_the_house_with_their_hashes():
    assert dict(re.findall(r"^\| `(\w+)` \| `([0-9a-f]{64})` \|$", SECTION, re.MULTILINE)) == HOUSE


def test_the_guides_sign_up_runs_and_its_problem_comes_the_second_time(desk):
    (command,) = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)
    (problem,) = map(json.loads, re.findall(r"```json\n(.*?)```", SECTION, re.DOTALL))
    command = command.replace("http://127.0.0.1:8000/graphql", desk.url)
    first, second = (
        json.loads(subprocess.run(["bash", "-euc", command], capture_output=True, text=True, check=True).stdout)
        for _ in range(2)
    )
    assert first["data"]["register"]["__typename"] == "SessionTokens"
    assert second["data"]["register"] == problem


def test_the_guides_numbers_and_codes_are_those_of_the_code():
    defaults = Settings()
    assert (defaults.login_failures, defaults.lock_minutes, defaults.session_ceiling) == (5, 30, 5)
    assert "five in a\n  row lock the login for half an hour" in SECTION
    assert "There are five at most" in SECTION
    assert (timedelta(minutes=10), timedelta(minutes=5)) == (LIFETIME, sessions.STEPPED_UP)
    assert (sessions.PEOPLE.idle, sessions.PEOPLE.whole) == (timedelta(weeks=1), timedelta(days=30))
    assert (sessions.STAFF.idle, sessions.STAFF.whole) == (timedelta(hours=1), timedelta(hours=12))
    assert "Unused for a week, or after thirty days, a session ends; for staff after an hour, or twelve" in SECTION
    rule = (passwords.LONG_ENOUGH, passwords.SHORTEST, passwords.KINDS, passwords.LONGEST)
    assert rule == (12, 8, 3, 256)
    assert "12 characters, or 8 with three kinds" in SECTION
    assert "At most 256" in SECTION
    named = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", SECTION))
    assert named
    assert named <= set(ProblemCode)
