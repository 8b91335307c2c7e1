"""The verifier finds nothing in a ledger that is as it was sealed, and says what is wrong with any other."""

import subprocess
import sys

import pytest

from ledger import verify
from tests.conftest import ROOT
from tests.ledger.battery.program import Program
from tests.ledger.battery.whole import cases

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_it_says_what_is_wrong_and_nothing_else(case):
    case.run(verify)


def test_the_program_shows_what_it_found_and_ends_with_its_code(tmp_path):
    Program(tmp_path).run(verify)


def test_it_runs_without_the_rest_of_the_project(tmp_path):
    Program(tmp_path)
    program = (tmp_path / "alone.py").absolute()
    program.write_text((ROOT / "ledger" / "verify.py").read_text())
    # -I: no environment, no folder of the project on the path.
    command = [sys.executable, "-I", program, tmp_path / "good", "--heads", tmp_path / "heads"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:7], done.stderr) == (0, "Intact:", "")
    wrong = subprocess.run(command[:-2], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "--heads" in wrong.stderr
