"""The reference's situations by cases, requests, consents and guardians, in hand-made worlds."""

import pytest

from tests.reference.tiny import FUTURE, NOTHING, PAST, Tiny, situation

# --- Verification cases -------------------------------------------------------------------------------------


def verification(tiny: Tiny, *, closed: str | None = None, **consent) -> dict[str, str]:
    """A case about one of a person's two claims, assigned to the risk analyst `ra`."""
    made = {"person": tiny.user("zs"), "insurer": tiny.organization("INS1")}
    made["policy"] = tiny.policy(made["person"], made["person"], made["insurer"])
    made["claim"], made["other claim"] = tiny.claim(made["policy"]), tiny.claim(made["policy"])
    made["other policy"] = tiny.policy(made["person"], made["person"], made["insurer"])
    made["consent"] = tiny.consent(consent.pop("of", made["person"]), consent.pop("purpose", "VERIFICATION"), **consent)
    links = {"user": made["person"], "claim": made["claim"], "consent": made["consent"]}
    made["case"] = tiny.add("VerificationCase", openedAt=PAST, closedAt=closed, **links)
    tiny.assign("verificationCase", made["case"], staff=tiny.staff("ra", "risk_analyst"))
    return made


def test_a_verification_case_covers_its_person_its_claim_and_that_claims_policy_only(tiny: Tiny) -> None:
    made = verification(tiny)
    beneficiary = tiny.beneficiary(made["policy"], made["person"], verified=True)
    live = ("assigned", "consent")

    def find(of, record):
        return situation(tiny, "risk_analyst", "verification", of, record, username="ra")

    assert live in find("USER", made["person"])
    assert live in find("INSURED", made["claim"])
    assert live in find("HOLDER", made["policy"])
    assert live in find("BENEFICIARY", beneficiary)
    assert live not in find("INSURED", made["other claim"])
    assert live not in find("HOLDER", made["other policy"])


def test_a_verification_case_covers_no_other_person_of_its_claim(tiny: Tiny) -> None:
    made = verification(tiny)
    other = tiny.user("ls")
    stranger = tiny.beneficiary(made["policy"], other, verified=True)
    unlinked = tiny.beneficiary(made["policy"], made["person"])
    for record in (stranger, unlinked):
        assert situation(tiny, "risk_analyst", "verification", "BENEFICIARY", record, username="ra") == NOTHING


@pytest.mark.parametrize(
    "broken",
    [
        {"closed": PAST},
        {"withdrawnAt": PAST},
        {"expiresAt": PAST},
        {"purpose": "SECURITY"},
        {"categories": ["PHONE"]},
    ],
)
def test_a_case_needs_itself_and_its_consent_live(tiny: Tiny, broken) -> None:
    made = verification(tiny, **broken)
    found = situation(tiny, "risk_analyst", "verification", "USER", made["person"], username="ra")
    assert ("assigned", "none") in found
    assert all(basis == "none" or relation == "none" for relation, basis in found)


def test_a_case_naming_another_persons_consent_is_not_live(tiny: Tiny) -> None:
    made = verification(tiny, of=tiny.user("ls"))
    found = situation(tiny, "risk_analyst", "verification", "USER", made["person"], username="ra")
    assert ("assigned", "consent") not in found


def test_a_case_whose_consent_is_for_another_recipient_is_not_live(tiny: Tiny) -> None:
    made = verification(tiny, recipient=tiny.organization("SP1", "SERVICE_PROVIDER"))
    tiny.assign("verificationCase", made["case"], organization="SP1")
    staff = situation(tiny, "risk_analyst", "verification", "USER", made["person"], username="ra")
    provider = situation(tiny, "service_provider", "verification", "USER", made["person"], org_code="SP1")
    assert ("assigned", "consent") not in staff
    assert ("assigned", "consent") in provider


# --- Rights requests and disclosure cases -------------------------------------------------------------------


@pytest.mark.parametrize("closed, basis", [(None, "request"), (PAST, "none")])
def test_a_rights_request_ties_its_officer_its_person_and_the_guardian_who_made_it(tiny, closed, basis) -> None:
    guardian, child = tiny.user("mother"), tiny.user("child", birthDate="2015-01-01")
    officer = tiny.staff("dpo", "privacy_officer")
    tiny.add("GuardianLink", guardian=guardian, child=child, verifiedAt=PAST, revokedAt=None)
    request = tiny.add("RightsRequest", user=child, requester=guardian, openedAt=PAST, closedAt=closed)
    tiny.assign("rightsRequest", request, staff=officer)

    def find(role, username):
        return situation(tiny, role, "rights_request", "USER", child, username=username)

    assert find("privacy_officer", "dpo") == {("assigned", basis)}
    assert find("guardian", "mother") == {("guardian_of", basis), ("guardian_of", "none")}
    assert find("customer", "child") == {("self", basis), ("self", "none")}


def test_a_request_that_another_made_ties_no_guardian(tiny: Tiny) -> None:
    guardian, child = tiny.user("mother"), tiny.user("child", birthDate="2015-01-01")
    tiny.add("GuardianLink", guardian=guardian, child=child, verifiedAt=PAST, revokedAt=None)
    tiny.add("RightsRequest", user=child, requester=child, openedAt=PAST, closedAt=None)
    found = situation(tiny, "guardian", "rights_request", "USER", child, username="mother")
    assert found == {("none", "request"), ("guardian_of", "none")}


def test_a_rights_request_is_no_witness_for_another_purpose(tiny: Tiny) -> None:
    person, officer = tiny.user("zs"), tiny.staff("dpo", "privacy_officer")
    request = tiny.add("RightsRequest", user=person, requester=person, openedAt=PAST, closedAt=None)
    tiny.assign("rightsRequest", request, staff=officer)
    found = situation(tiny, "privacy_officer", "regulatory_disclosure", "USER", person, username="dpo")
    assert found == NOTHING


def test_a_request_covers_everything_of_its_person_and_nothing_of_others(tiny: Tiny) -> None:
    person, other, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    request = tiny.add("RightsRequest", user=person, requester=person, openedAt=PAST, closedAt=None)
    tiny.assign("rightsRequest", request, staff=tiny.staff("dpo", "privacy_officer"))
    held, insured = tiny.policy(person, other, insurer), tiny.policy(other, person, insurer)
    covered = [("HOLDER", held), ("INSURED", tiny.claim(insured))]
    covered += [("BENEFICIARY", tiny.beneficiary(insured, person, verified=True))]
    bare = [("HOLDER", insured), ("INSURED", tiny.claim(held)), ("USER", other)]
    bare += [("BENEFICIARY", tiny.beneficiary(held, person)), ("REPORTER", tiny.claim(held, reporter=person))]

    def find(of, record):
        return situation(tiny, "privacy_officer", "rights_request", of, record, username="dpo")

    assert all(("assigned", "request") in find(of, record) for of, record in covered)
    assert all(find(of, record) == NOTHING for of, record in bare)


DISCLOSURE = {
    "purpose": "REGULATORY_DISCLOSURE",
    "recipient": None,
    "categories": ["NAME"],
    "approvedAt": PAST,
    "expiresAt": FUTURE,
    "closedAt": None,
}


@pytest.mark.parametrize(
    "change, basis",
    [
        ({}, "exception"),
        ({"approvedAt": None}, "none"),
        ({"closedAt": PAST}, "none"),
        ({"expiresAt": PAST}, "none"),
        ({"categories": ["PHONE"]}, "none"),
    ],
)
def test_a_disclosure_case_is_an_exception_while_approved_open_and_in_its_scope(tiny, change, basis) -> None:
    person, other = tiny.user("zs"), tiny.user("ls")
    case = tiny.add("DisclosureCase", users=[person], **{**DISCLOSURE, **change})
    tiny.assign("disclosureCase", case, staff=tiny.staff("dpo", "privacy_officer"))

    def find(who):
        return situation(tiny, "privacy_officer", "regulatory_disclosure", "USER", who, username="dpo")

    assert find(person) == {("assigned", basis)}
    assert find(other) == NOTHING


def test_a_disclosure_case_for_another_recipient_is_no_exception(tiny: Tiny) -> None:
    person, organization = tiny.user("zs"), tiny.organization("INS1")
    case = tiny.add("DisclosureCase", users=[person], **{**DISCLOSURE, "recipient": organization})
    tiny.assign("disclosureCase", case, staff=tiny.staff("dpo", "privacy_officer"))
    found = situation(tiny, "privacy_officer", "regulatory_disclosure", "USER", person, username="dpo")
    assert found == {("assigned", "none")}


# --- Consents, guardians, identity --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, basis",
    [
        ({}, "consent"),
        ({"expiresAt": FUTURE}, "consent"),
        ({"withdrawnAt": PAST}, "none"),
        ({"expiresAt": PAST}, "none"),
        ({"categories": ["TAG"]}, "none"),
    ],
)
def test_a_marketing_consent_ties_its_recipient_and_opens_while_active_for_its_categories(tiny, change, basis):
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    tiny.organization("INS2")
    tiny.consent(person, "MARKETING", insurer, **change)

    def find(org):
        return situation(tiny, "insurer", "marketing", "USER", person, org_code=org)

    assert find("INS1") == {("audience", basis)}
    assert find("INS2") == NOTHING


def test_the_brokerages_own_marketing_needs_a_consent_without_recipient(tiny: Tiny) -> None:
    person, other, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    tiny.staff("mk", "marketer")
    tiny.consent(person, "MARKETING")
    tiny.consent(other, "MARKETING", insurer)
    assert situation(tiny, "marketer", "marketing", "USER", person, username="mk") == {("audience", "consent")}
    assert situation(tiny, "marketer", "marketing", "USER", other, username="mk") == NOTHING


def test_a_disclosure_case_for_another_purpose_is_no_witness(tiny: Tiny) -> None:
    person = tiny.user("zs")
    case = tiny.add("DisclosureCase", users=[person], **{**DISCLOSURE, "purpose": "SECURITY"})
    tiny.assign("disclosureCase", case, staff=tiny.staff("dpo", "privacy_officer"))
    found = situation(tiny, "privacy_officer", "regulatory_disclosure", "USER", person, username="dpo")
    assert found == {("none", "none")}


def test_a_consent_for_another_purpose_opens_nothing(tiny: Tiny) -> None:
    person, affiliate = tiny.user("zs"), tiny.organization("AF1", "AFFILIATE")
    tiny.consent(person, "VERIFICATION", affiliate)

    def find(purpose):
        return situation(tiny, "affiliate", purpose, "USER", person, org_code="AF1")

    assert find("verification") == {("none", "consent")}
    assert find("marketing") == {("none", "none")}


def test_a_consent_covers_everything_of_its_person(tiny: Tiny) -> None:
    person, other, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    tiny.organization("AF1", "AFFILIATE")
    tiny.consent(person, "VERIFICATION", "AF1")
    policy = tiny.policy(person, other, insurer)

    def find(of, record):
        return situation(tiny, "affiliate", "verification", of, record, org_code="AF1")

    assert ("none", "consent") in find("HOLDER", policy)
    assert find("INSURED", tiny.claim(policy)) == NOTHING


@pytest.mark.parametrize(
    "birth_date, verified, revoked, counts",
    [
        ("2015-01-01", PAST, None, True),
        ("2015-01-01", None, None, False),
        ("2015-01-01", PAST, PAST, False),
        ("2008-06-02", PAST, None, True),
        ("2008-06-01", PAST, None, False),
        (None, PAST, None, False),
    ],
)
def test_a_guardian_link_counts_while_verified_not_revoked_and_the_child_under_18(
    tiny, birth_date, verified, revoked, counts
) -> None:
    guardian, child = tiny.user("mother"), tiny.user(None, birthDate=birth_date)
    tiny.add("GuardianLink", guardian=guardian, child=child, verifiedAt=verified, revokedAt=revoked)

    def find(role, person):
        return situation(tiny, role, "account_service", "USER", person, username="mother")

    assert find("guardian", child) == ({("guardian_of", "none")} if counts else NOTHING)
    assert find("customer", child) == NOTHING
    assert find("guardian", guardian) == NOTHING


def test_a_guardian_is_tied_to_a_childs_records_but_is_nobodys_holder(tiny: Tiny) -> None:
    guardian, child = tiny.user("mother"), tiny.user(None, birthDate="2015-01-01")
    insurer = tiny.organization("INS1")
    tiny.add("GuardianLink", guardian=guardian, child=child, verifiedAt=PAST, revokedAt=None)
    policy = tiny.policy(guardian, child, insurer)
    claim = tiny.claim(policy)

    def find(of, record):
        return situation(tiny, "guardian", "account_service", of, record, username="mother")

    assert find("INSURED", claim) == {("guardian_of", "contract_open")}
    assert find("HOLDER", policy) == {("none", "contract_open")}


def test_identity_is_self_for_customers_only(tiny: Tiny) -> None:
    person = tiny.user("zs")
    assert situation(tiny, "customer", "account_service", "USER", person, username="zs") == {("self", "none")}
    assert situation(tiny, "guardian", "account_service", "USER", person, username="zs") == NOTHING
