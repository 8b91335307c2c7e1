"""What the guide about duties and incidents shows is what the service takes (docs/duties.md)."""

import re
import shlex

from graphql import parse, validate

from cli import _parser
from privacy.bundles import BundleName, read_bundle
from privacy.duty_catalogue import catalogue
from schema.build import build_schema
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "duties.md").read_text()


def test_c61_c63_every_operation_of_the_guide_is_one_of_the_schema():
    found = re.findall(r"```graphql\n(.*?)```", GUIDE, re.DOTALL)
    assert len(found) == 4
    for text in found:
        assert validate(build_schema(), parse(text)) == []


def test_c61_c63_every_command_of_the_guide_is_one():
    lines = [line.strip() for text in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) for line in text.splitlines()]
    lines += re.findall(r"`(incidents \w+ ID[^`]*)`", GUIDE)
    assert len(lines) > 18
    for line in filter(None, lines):
        plain = line.split("  #")[0].removeprefix("scripts/needful ").replace("…", "x")
        words = shlex.split(plain.replace(" ID", " 00000000-0000-0000-0000-000000000000"))
        assert _parser().parse_args(words).act


def test_c63_the_guides_hours_are_the_bundles():
    seed, pipl = read_bundle(BundleName.SEED).incidents, read_bundle(BundleName.PIPL).incidents
    rows = {
        name: tuple(map(int, hours))
        for name, *hours in re.findall(
            r"^\| (report, `GENERAL`|report, graver|letters) \| (\d+) \| (\d+) \|", GUIDE, re.MULTILINE
        )
    }
    assert rows == {
        "report, `GENERAL`": (seed.report_hours, pipl.report_hours),
        "report, graver": (seed.grave_report_hours, pipl.grave_report_hours),
        "letters": (seed.letter_hours, pipl.letter_hours),
    }


def test_c61_every_duty_that_the_guide_names_is_in_the_catalogue():
    named = re.findall(r"^\| `([a-z-]+)` \|", GUIDE, re.MULTILINE)
    assert len(named) == 4
    assert set(named) <= set(catalogue())
