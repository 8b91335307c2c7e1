"""What the guide about disclosures shows is what the service takes (docs/disclosures.md)."""

import re

from graphql import parse, validate

from models.disclosures import DisclosureKind, LawfulException, PublicManner
from privacy.disclosure_job import ENDED, EXPIRING, UNREVIEWED
from schema.build import build_schema
from tests.conftest import ROOT, run_cli

GUIDE = (ROOT / "docs" / "disclosures.md").read_text()
SCHEMA = build_schema()


def test_every_operation_of_the_guide_is_the_schemas():
    (document,) = re.findall(r"```graphql\n(.*?)```", GUIDE, re.DOTALL)
    assert validate(SCHEMA, parse(document)) == []
    named = set(re.findall(r"`(\w+)\(input:", GUIDE))
    assert len(named) == 5
    assert named <= set(SCHEMA.mutation_type.fields)


def test_every_kind_exception_manner_and_alarm_is_told():
    assert re.findall(r"^\| `([A-Z]+)` \|", GUIDE, re.MULTILINE) == list(DisclosureKind)
    told = {one: f"`{one}`\\s+{one.clause}" for one in LawfulException}
    assert [one for one, pattern in told.items() if not re.search(pattern, GUIDE)] == []
    assert all(f"`{one}`" in GUIDE for one in (*PublicManner, UNREVIEWED, EXPIRING, ENDED))


def test_every_command_of_the_guide_exists(tmp_path):
    for name in set(re.findall(r"scripts/needful disclosures (\w+)", GUIDE)):
        assert run_cli("disclosures", name, "--help", data_dir=tmp_path).returncode == 0
