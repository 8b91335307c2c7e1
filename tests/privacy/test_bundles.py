"""Bundles are data: each says all it must, configuration chooses one, and what cannot be read starts nothing."""

import json
import tomllib

import pytest

from authz.vocabulary import Basis
from models.installation import InstallationError
from models.vocabulary import Category, Purpose
from privacy import bundles
from privacy.bundles import BUNDLE, BundleName, bundle_of, read_bundle
from resolvers.serving.settings import Settings
from tests.conftest import run_cli


def test_configuration_chooses_a_bundle_and_the_seeds_is_the_default():
    assert bundle_of({}).name is BundleName.SEED
    assert Settings.read({BUNDLE: "pipl"}).bundle is read_bundle(BundleName.PIPL)
    with pytest.raises(InstallationError, match="NEEDFUL_BUNDLE must be one of: seed, pipl"):
        bundle_of({BUNDLE: "gdpr"})


def test_the_two_differ_in_ages_consents_and_periods_as_they_say():
    seed, pipl = read_bundle(BundleName.SEED), read_bundle(BundleName.PIPL)
    assert (seed.age_of_majority, pipl.age_of_majority) == (18, 14)
    assert not seed.consent.apart
    assert {Category.HEALTH, Category.GOVERNMENT_ID, Category.BANK_ACCOUNT} <= pipl.consent.apart
    assert (seed.consent.longest_days, pipl.consent.longest_days) == (0, 730)
    assert (seed.deadlines.minor_case_days, pipl.deadlines.minor_case_days) == (15, 5)
    assert (seed.retention.claim_days, pipl.retention.claim_days) == (3653, 1827)


@pytest.mark.parametrize("name", BundleName)
def test_the_command_tells_every_member_of_the_bundle_in_force_and_needs_no_database(name, tmp_path):
    environment = {"NEEDFUL_BUNDLE": name, "NEEDFUL_AGE_OF_MAJORITY": "16"}
    found = run_cli("bundle", "--json", data_dir=tmp_path / "none", environment=environment)
    said = json.loads(found.stdout)
    told = tomllib.loads((bundles._FOLDER / f"{name}.toml").read_text())
    assert said.pop("name") == name
    assert said["minors"] == {"age_of_majority": 16}, "as the installation sets it"
    for table in (said, told):
        table["minors"] = None
        table["consent"]["apart"].sort()
        table["bases"] = {purpose: sorted(bases) for purpose, bases in table["bases"].items()}
    assert said == told
    assert not list(tmp_path.rglob("PG_VERSION"))


@pytest.mark.parametrize("name", BundleName)
def test_marketing_and_research_rest_on_consent_alone_and_every_purpose_is_named(name):
    bases = read_bundle(name).bases
    assert set(bases) == set(Purpose)
    assert bases[Purpose.MARKETING] == bases[Purpose.RESEARCH] == {Basis.CONSENT}


@pytest.mark.parametrize(
    "found, put",
    [
        ("marketing = ", "advertising = "),
        ('marketing = ["consent"]\n', ""),
        ('["consent"]', '["interest"]'),
        ("age_of_majority = 18", "age_of_majority = -1"),
        ("age_of_majority = 18", "age_of_majority = true"),
        ("claim_days = 3653\n", ""),
        ("[deadlines]", "[deadlines]\nnever = 1"),
        ("longest_days = 0", 'longest_days = "no"'),
    ],
)
def test_a_bundle_that_does_not_say_all_it_must_and_only_that_is_refused(tmp_path, monkeypatch, found, put):
    text = (bundles._FOLDER / "seed.toml").read_text()
    assert found in text
    (tmp_path / "seed.toml").write_text(text.replace(found, put))
    monkeypatch.setattr(bundles, "_FOLDER", tmp_path)
    with pytest.raises(InstallationError, match="The bundle seed cannot be read"):
        read_bundle.__wrapped__(BundleName.SEED)
