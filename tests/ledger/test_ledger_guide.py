"""The guide to the ledger: its commands run as they stand, and its alarms are those there are."""

import os
import re
import subprocess
import sys

from tests.conftest import ROOT, run_cli

GUIDE = (ROOT / "docs" / "ledger.md").read_text()
ALARM = re.compile(r"\bLEDGER_[A-Z_]+\b")
SEALING = ("heads", "sealer", "strays", "process")


def test_the_commands_to_verify_run_as_they_stand(server, tmp_path):
    (block,) = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    run_cli("ledger", "export", str(tmp_path / "earlier.jsonl"), data_dir=server.data_dir)
    environment = {**os.environ, "NEEDFUL_DATA": str(server.data_dir)}
    for line in block.splitlines():
        if line.startswith("scripts/needful"):
            words = [str(tmp_path / word) if word.endswith(".jsonl") else word for word in line.split()[1:]]
            run_cli(*words, data_dir=server.data_dir)
        else:
            command = line.replace("python ledger", f"{sys.executable} {ROOT}/ledger")
            subprocess.run(command, shell=True, cwd=tmp_path, env=environment, check=True)  # noqa: S602 - the guide's own


def test_every_alarm_of_the_sealer_is_explained_and_no_other():
    sources = "".join((ROOT / "ledger" / f"{name}.py").read_text() for name in SEALING)
    said = set(re.findall(r'"(LEDGER_[A-Z_]+)"', sources))
    assert {name for name in ALARM.findall(GUIDE) if not name.startswith("NEEDFUL")} >= said
    assert set(re.findall(r"`(LEDGER_[A-Z_]+)`", GUIDE)) <= said
