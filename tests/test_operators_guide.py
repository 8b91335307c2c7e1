"""The operators' guide knows every setting, alarm and task in the background, and no other."""

import importlib
import re

from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "operators.md").read_text()
ROOMS = ("authz", "ledger", "models", "privacy", "resolvers", "schema", "vault")
SETTING = re.compile(r"NEEDFUL_[A-Z]+(?:_[A-Z]+)*")
SOUNDED = re.compile(r"\bsound\(\s*([A-Z]+)\b")
TASK = re.compile(r'^ +(?:"(\w+)": (?:partial\(|operating\.|service\.)|tasks\["(\w+)"\] = )', re.MULTILINE)


def read_by_the_code() -> set[str]:
    files = [ROOT / "app.py", ROOT / "cli.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
    found = {name for path in files for name in SETTING.findall(path.read_text())}
    limits = {f"NEEDFUL_RATE_{kind}" for kind in ("SUBJECT", "ANONYMOUS", "TOKEN")}  # written as a family in the code
    return (found | limits) - {"NEEDFUL_RATE"}


def test_every_setting_is_documented():
    assert read_by_the_code() - set(SETTING.findall(GUIDE)) == set()


def test_every_documented_setting_exists():
    assert set(SETTING.findall(GUIDE)) - read_by_the_code() - {"NEEDFUL_OIDC"} == set()


def test_c57_c60_the_hardening_guide_names_only_settings_and_files_that_exist():
    text = (ROOT / "docs" / "hardening.md").read_text()
    assert set(SETTING.findall(text)) <= read_by_the_code()
    assert {"## Access", "## Network", "## Patching and watching"} <= set(text.splitlines())
    for name in re.findall(r"`(requirements\.lock|scripts/\w+)", text):
        assert (ROOT / name).exists()


def test_every_setting_has_one_row():
    rows = [
        name
        for line in GUIDE.splitlines()
        if line.startswith("| `NEEDFUL_")
        for name in SETTING.findall(line.split("|")[1])
    ]
    assert sorted(rows) == sorted(set(rows))


def test_every_alarm_that_is_sounded_by_name_is_explained():
    sounded = set()
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        names = SOUNDED.findall(path.read_text())
        if names:
            module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
            sounded |= {getattr(module, name) for name in names}
    assert {"MINOR_CASES_OVERDUE", "MINORS_UNREADABLE", "TASK_ENDED"} <= sounded
    assert {code for code in sounded if f"`{code}`" not in GUIDE} == set()


def test_every_task_in_the_background_is_named():
    tasks = {name for names in TASK.findall((ROOT / "app.py").read_text()) for name in names if name}
    (told,) = re.findall(r"a task that a worker has in the background\s+\((.*?)\)", GUIDE, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", told)) == tasks
    assert len(tasks) > 5
