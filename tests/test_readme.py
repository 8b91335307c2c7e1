"""The README is true: its commands run, its answer is the answer."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from tests.conftest import ROOT
from tests.warm import program

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
SHELL = [text for language, text in BLOCKS if language == "sh"]
(ANSWER,) = (json.loads(text) for language, text in BLOCKS if language == "json")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """`scripts/serve` as a newcomer runs it, on a free port with its own data."""
    folder = tmp_path_factory.mktemp("readme")
    environment = {**os.environ, "NEEDFUL_DATA": str(folder / "data")}
    log = folder / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            ["scripts/serve", "--port", "0"], cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT
        )
    deadline = time.monotonic() + 120
    while log.read_text().count("\ncurl ") < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.2)
    yield log.read_text(), environment
    process.send_signal(signal.SIGTERM)
    process.wait(20)


def shell(command, environment):
    done = subprocess.run(
        ["bash", "-euc", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_readme_is_short():
    assert len(README.splitlines()) < 140


def test_serve_prints_three_tokens_each_with_a_request_that_works(served):
    log, environment = served
    requests = re.findall(r"^curl (?:.*\\\n)*.*$", log, re.MULTILINE)
    assert len(requests) == 3
    for request in requests:
        body = json.loads(shell(request, environment))
        effects = {one["effect"] for one in body["extensions"]["authorization"]["fields"]}
        assert effects & {"REVEAL", "MASK"}, body


def test_the_readmes_request_gets_the_readmes_answer(served):
    log, environment = served
    address = re.search(r"http://127.0.0.1:\d+", log).group(0)
    command = next(text for text in SHELL if "TOKEN=" in text).replace("http://127.0.0.1:8000", address)
    body = json.loads(shell(command, environment))
    for error in body["errors"]:
        del error["extensions"]["decisionId"]
    assert {"data": body["data"], "errors": body["errors"]} == ANSWER
    effects = {one["effect"] for one in body["extensions"]["authorization"]["fields"]}
    assert effects == {"REVEAL", "MASK", "DENY"}


def test_the_readmes_write_is_done(served):
    log, environment = served
    address = re.search(r"http://127.0.0.1:\d+", log).group(0)
    command = next(text for text in SHELL if "mutation" in text).replace("http://127.0.0.1:8000", address)
    assert json.loads(shell(command, environment))["data"]["setPermission"] == {"kind": "CAMERA", "granted": True}


def test_a_registered_operation_runs_without_a_token_as_the_readme_says(served):
    log, environment = served
    address = re.search(r"http://127.0.0.1:\d+", log).group(0)
    command = next(text for text in SHELL if "HASH=" in text).replace("http://127.0.0.1:8000", address)
    assert json.loads(shell(command, environment))["data"]["currentNotice"]["version"]


def test_the_everyday_commands_run(served, tmp_path):
    _, environment = served
    commands = next(text for text in SHELL if "situations" in text).replace("fixtures.json", str(tmp_path / "fixtures"))
    # The requests above run the script itself.
    with program() as needful:
        shell(commands.replace("scripts/needful", needful), environment)
    assert len(json.loads((tmp_path / "fixtures").read_text())) == 29


def test_every_file_that_the_readme_names_exists():
    for name in re.findall(r"\]\(([^)#]+)\)", README):
        assert name.startswith("http") or (ROOT / name).exists(), name
    for name in re.findall(r"`((?:scripts|docs|bench|tests|schema|authz)/[\w/.-]+)`", README):
        assert (ROOT / name).exists(), name
