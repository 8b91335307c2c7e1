"""C35: affiliates get only what is necessary, for their three purposes, while they attest to protect it equally."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from authz.commands import OperatorRefusedError
from authz.oauth.attestations import PURPOSES
from authz.rules import Rule
from authz.ruleset_store import Content
from authz.scope import scope_of
from authz.vocabulary import Action, RuleEffect
from authz.workbench.findings import FindingKind, Severity, findings
from models.vocabulary import Category, Purpose, Role
from schema.build import build_catalogue, build_schema
from tests.privacy.world import agree, office_of, partner, token_of

ASK = "{ users(first: 5) { edges { node { name } } } }"
WITHIN = 1.0
"""Seconds: a worker asks four times a second."""


def status(office, token, purpose):
    return office.post(ASK, token=token, purpose=purpose).status_code


def until(office, token, purpose, wanted):
    """Whether that status comes within a second."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        if status(office, token, purpose) == wanted:
            return True
        time.sleep(0.05)
    return False


def attest(office, code, *more):
    return office.operate("partner", "attest", "--reference", f"{code}-1", *more)


@pytest.mark.parametrize("purpose", ["marketing", "verification"])
def test_c35_without_an_attestation_the_tokens_already_out_are_refused_within_a_second(bundled, purpose):
    office = office_of(bundled.server)
    code = partner(office, "affiliate")
    token = token_of(office, "affiliate", code, "marketing", "verification")
    assert status(office, token, purpose) == 200
    attest(office, code, "--withdraw")
    assert until(office, token, purpose, 401)
    told = office.post(ASK, token=token, purpose=purpose).json()["errors"][0]
    assert (told["extensions"]["code"], "attested" in told["message"]) == ("UNAUTHENTICATED", True)
    with pytest.raises(Exception, match="no valid agreement"):
        token_of(office, "affiliate", code, purpose)
    (known,) = [one for one in office.operate("partner", "list") if one["org"] == code]
    assert known["agreements"][0]["attested"], "that it did, and until when, is kept"
    assert known["agreements"][0]["attested_until"]
    attest(office, code)
    assert until(office, token, purpose, 200), "it attests again, and the token lives yet"


def test_c35_an_attestation_that_runs_out_counts_no_more(bundled):
    office = office_of(bundled.server)
    code = partner(office, "affiliate")
    token = token_of(office, "affiliate", code)
    attest(office, code, "--until", (datetime.now(UTC) + timedelta(seconds=1)).isoformat())
    time.sleep(1)
    assert until(office, token, "marketing", 401)
    insurer = token_of(office, "insurer", partner(office, "insurer"))
    assert status(office, insurer, "marketing") == 200, "others attest nothing"


def test_c35_an_attestation_is_an_affiliates_and_ends_after_now(bundled):
    office = office_of(bundled.server)
    affiliate, insurer = partner(office, "affiliate"), partner(office, "insurer")
    with pytest.raises(OperatorRefusedError, match="no agreement"):
        attest(office, insurer)
    with pytest.raises(OperatorRefusedError, match="over already"):
        attest(office, affiliate, "--until", "2020-01-01")
    with pytest.raises(OperatorRefusedError, match="not both"):
        attest(office, affiliate, "--withdraw", "--until", "2033-01-01")
    (known,) = [one for one in office.operate("partner", "list") if one["org"] == affiliate]
    assert known["agreements"][0]["attested"]
    assert known["agreements"][0]["attested_until"] is None


def test_c35_items_beyond_the_necessary_are_denied(bundled):
    office = office_of(bundled.server)
    code, me = partner(office, "affiliate"), office.customer()
    office.know(me.person, name="王小明", email="wang@example.com", address="北京市朝阳区", occupation="教师")
    agree(office, me.person, code, purpose="verification", categories=list(Category))
    agree(office, me.person, code, categories=list(Category))
    token = token_of(office, "affiliate", code, "marketing", "verification")
    every = "name idNumber phone email address bankCard occupation healthDeclaration birthDate username nickname"
    document = f"{{ users(first: 5) {{ edges {{ node {{ {every} }} }} }} }}"
    shown = {
        "verification": {"name": "王小明", "phone": f"{me.phone[:3]}****{me.phone[-4:]}"},
        "marketing": {"name": "王*"},
    }
    for purpose, expected in shown.items():
        (edge,) = office.post(document, token=token, purpose=purpose).json()["data"]["users"]["edges"]
        found = {name: value for name, value in edge["node"].items() if value is not None}
        if purpose == "marketing":
            assert found.keys() == expected.keys()
        else:
            assert found == expected


def test_c35_there_are_three_purposes_and_no_fourth(bundled):
    office = office_of(bundled.server)
    assert {Purpose.MARKETING, Purpose.VERIFICATION, Purpose.SECURITY} == PURPOSES
    code = partner(office, "affiliate")
    terms = ("--org", code, "--reference", f"{code}-2", "--to", "2033-12-31", "--attested")
    with pytest.raises(OperatorRefusedError, match="C35"):
        office.operate("partner", "agree", *terms, "--purpose", "marketing", "policy_service")
    catalogue = build_catalogue(build_schema())
    for purpose in set(Purpose) - PURPOSES:
        assert not scope_of(Role.AFFILIATE, purpose), "no row exists for it, whatever a rule says"
        rule = Rule(RuleEffect.ALLOW, Role.AFFILIATE, purpose, "any", "any", Action.REVEAL, Category.NAME, "C35")
        found = findings(Content((rule,), ()), catalogue=catalogue, now=datetime.now(UTC))
        assert (FindingKind.UNREACHABLE, Severity.ERROR) in {(one.kind, one.severity) for one in found}
