"""The operators' guide knows every setting, and no other."""

import re

from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "operators.md").read_text()
ROOMS = ("authz", "ledger", "models", "resolvers", "schema", "vault")
SETTING = re.compile(r"NEEDFUL_[A-Z]+(?:_[A-Z]+)*")


def read_by_the_code() -> set[str]:
    files = [ROOT / "app.py", ROOT / "cli.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
    found = {name for path in files for name in SETTING.findall(path.read_text())}
    limits = {f"NEEDFUL_RATE_{kind}" for kind in ("SUBJECT", "ANONYMOUS", "TOKEN")}  # written as a family in the code
    return (found | limits) - {"NEEDFUL_RATE"}


def test_every_setting_is_documented():
    assert read_by_the_code() - set(SETTING.findall(GUIDE)) == set()


def test_every_documented_setting_exists():
    assert set(SETTING.findall(GUIDE)) - read_by_the_code() - {"NEEDFUL_OIDC"} == set()


def test_the_hardening_guide_names_only_settings_and_files_that_exist():
    text = (ROOT / "docs" / "hardening.md").read_text()
    assert set(SETTING.findall(text)) <= read_by_the_code()
    for name in re.findall(r"`(requirements\.lock|scripts/\w+)", text):
        assert (ROOT / name).exists()
