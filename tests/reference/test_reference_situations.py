"""The reference's situations, clause by clause of `docs/decisions/001-situations.md`, in hand-made worlds."""

import pytest

from tests.reference.decide import Decision, decide, pairs
from tests.reference.tiny import FUTURE, PAST, Tiny, subject
from tests.reference.world import Row, World

CLAIM_STATES = [
    *("DRAFT", "REPORTED", "MATERIALS_PENDING", "SUBMITTED", "REVIEWING", "INVESTIGATING"),
    *("APPROVED", "REJECTED", "PAID", "CLOSED", "WITHDRAWN"),
]
POLICY_STATES = [
    *("DRAFT", "SUBMITTED", "UNDERWRITING", "DECLINED", "AWAITING_PAYMENT", "IN_FORCE"),
    *("GRACE", "LAPSED", "SURRENDERED", "EXPIRED", "TERMINATED"),
]
NOTHING = {("none", "none")}


@pytest.fixture
def tiny() -> Tiny:
    return Tiny()


def row(world: World, row_id: str) -> Row:
    return next(found for (_, name), found in world._named.items() if name == row_id)


def situation(tiny: Tiny, role: str, purpose: str, of: str, record: str, category: str = "name", **who) -> set:
    world = tiny.world()
    return set(pairs(subject(world, role, purpose, **who), of, row(world, record), category))


# --- Policies as witnesses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", ["policy_service", "service_message", "account_service"])
def test_a_policy_in_force_or_grace_is_open_for_service(tiny: Tiny, purpose: str) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    policies = {state: tiny.policy(person, person, insurer, state) for state in POLICY_STATES}
    found = {
        state
        for state, policy in policies.items()
        if ("none", "contract_open") in situation(tiny, "customer_service", purpose, "HOLDER", policy)
    }
    assert found == {"IN_FORCE", "GRACE"}


@pytest.mark.parametrize(
    "role, expected",
    [
        ("insurer", {"SUBMITTED", "UNDERWRITING", "AWAITING_PAYMENT"}),
        ("broker_agent", {"DRAFT", "SUBMITTED", "UNDERWRITING", "AWAITING_PAYMENT"}),
    ],
)
def test_an_application_is_open_until_payment_and_agents_also_see_drafts(tiny, role, expected) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    policies = {state: tiny.policy(person, person, insurer, state) for state in POLICY_STATES}
    who = {"org_code": "INS1"} if role == "insurer" else {}
    found = {
        state
        for state, policy in policies.items()
        if any(basis == "contract_open" for _, basis in situation(tiny, role, "application", "HOLDER", policy, **who))
    }
    assert found == expected


@pytest.mark.parametrize("purpose", ["verification", "security", "rights_request", "marketing", "research"])
def test_a_policy_opens_nothing_for_other_purposes(tiny: Tiny, purpose: str) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    policy = tiny.policy(person, person, insurer)
    assert situation(tiny, "customer_service", purpose, "HOLDER", policy) == NOTHING


def test_relation_and_basis_of_two_policies_never_join(tiny: Tiny) -> None:
    person, mine, other = tiny.user("zs"), tiny.organization("INS1"), tiny.organization("INS2")
    tiny.policy(person, person, mine, "LAPSED")
    tiny.policy(person, person, other, "IN_FORCE")
    found = situation(tiny, "insurer", "policy_service", "USER", person, org_code="INS1")
    assert found == {("underwriter", "none"), ("none", "contract_open")}


def test_an_underwriter_counts_for_every_data_subject_of_its_policy(tiny: Tiny) -> None:
    holder, insured, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    policy = tiny.policy(holder, insured, insurer)
    beneficiary = tiny.beneficiary(policy)
    cells = [("HOLDER", policy), ("BENEFICIARY", beneficiary), ("USER", holder), ("USER", insured)]
    for of, record in cells:
        found = situation(tiny, "insurer", "policy_service", of, record, org_code="INS1")
        assert found == {("underwriter", "contract_open")}


def test_another_insurer_is_no_underwriter(tiny: Tiny) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    tiny.organization("INS2")
    policy = tiny.policy(person, person, insurer)
    found = situation(tiny, "insurer", "policy_service", "HOLDER", policy, org_code="INS2")
    assert found == {("none", "contract_open")}


def test_an_assignment_ties_until_it_ends_and_only_the_one_assigned(tiny: Tiny) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    one, two = tiny.staff("agent1", "broker_agent"), tiny.staff("agent2", "broker_agent")
    policy = tiny.policy(person, person, insurer)
    tiny.assign("policy", policy, staff=one)
    tiny.assign("policy", policy, staff=two, ended=True)

    def find(username):
        return situation(tiny, "broker_agent", "policy_service", "HOLDER", policy, username=username)

    assert find("agent1") == {("assigned", "contract_open")}
    assert find("agent2") == {("none", "contract_open")}


def test_a_policy_ties_the_caller_to_its_holder_by_self_only_if_the_caller_holds_it(tiny: Tiny) -> None:
    holder, insured, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    policy = tiny.policy(holder, insured, insurer)

    def find(username):
        return situation(tiny, "customer", "account_service", "HOLDER", policy, username=username)

    assert find("zs") == {("self", "contract_open")}
    assert find("ls") == {("none", "contract_open")}


def test_holder_of_is_the_insured_and_the_beneficiaries_but_not_oneself(tiny: Tiny) -> None:
    holder, insured, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    policy = tiny.policy(holder, insured, insurer)
    stranger, unverified = tiny.beneficiary(policy), tiny.beneficiary(policy, holder)
    myself = tiny.beneficiary(policy, holder, verified=True)

    def find(of, record):
        return situation(tiny, "customer", "account_service", of, record, username="zs")

    assert find("BENEFICIARY", stranger) == {("holder_of", "contract_open")}
    assert find("BENEFICIARY", unverified) == {("holder_of", "contract_open")}
    assert find("BENEFICIARY", myself) == {("self", "contract_open")}
    assert find("USER", insured) == {("holder_of", "contract_open")}
    assert find("USER", holder) == {("self", "contract_open"), ("self", "none")}


def test_an_insured_is_no_holder_of(tiny: Tiny) -> None:
    holder, insured, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    policy = tiny.policy(holder, insured, insurer)
    beneficiary = tiny.beneficiary(policy)

    def find(of, record):
        return situation(tiny, "customer", "account_service", of, record, username="ls")

    assert find("USER", holder) == {("none", "contract_open")}
    assert find("BENEFICIARY", beneficiary) == {("none", "contract_open")}


# --- Claims as witnesses ------------------------------------------------------------------------------------


def test_a_claim_is_open_from_reported_to_approved_and_a_draft_is_no_witness(tiny: Tiny) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    policy = tiny.policy(person, person, insurer)
    claims = {state: tiny.claim(policy, state, closedAt=PAST) for state in CLAIM_STATES}
    withdrawn_draft = tiny.claim(policy, "WITHDRAWN", closedAt=None)

    def find(claim):
        return situation(tiny, "insurer", "claim_handling", "INSURED", claim, org_code="INS1")

    bases = {state: find(claim) for state, claim in claims.items()}
    assert bases.pop("DRAFT") == find(withdrawn_draft) == NOTHING
    opened = {state for state, found in bases.items() if found == {("underwriter", "contract_open")}}
    assert opened == set(CLAIM_STATES[1:7])
    assert all(bases[state] == {("underwriter", "none")} for state in CLAIM_STATES[7:])


def test_an_open_policy_opens_nothing_under_claim_handling(tiny: Tiny) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    policy = tiny.policy(person, person, insurer)
    beneficiary = tiny.beneficiary(policy)
    for of, record in [("HOLDER", policy), ("BENEFICIARY", beneficiary), ("USER", person)]:
        assert situation(tiny, "insurer", "claim_handling", of, record, org_code="INS1") == NOTHING


def test_under_claim_handling_each_claim_on_a_policy_witnesses_policy_beneficiaries_and_persons(tiny) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    clerk = tiny.staff("clerk", "claims_handler")
    policy = tiny.policy(person, person, insurer, "LAPSED")
    beneficiary = tiny.beneficiary(policy)
    tiny.assign("claim", tiny.claim(policy, "PAID"), staff=clerk)
    tiny.claim(policy, "REVIEWING")
    for of, record in [("HOLDER", policy), ("BENEFICIARY", beneficiary), ("USER", person)]:
        found = situation(tiny, "claims_handler", "claim_handling", of, record, username="clerk")
        assert found == {("assigned", "none"), ("none", "contract_open")}


def test_a_claims_own_fields_are_witnessed_by_that_claim_alone(tiny: Tiny) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    policy = tiny.policy(person, person, insurer)
    closed, _ = tiny.claim(policy, "CLOSED"), tiny.claim(policy, "REVIEWING")
    found = situation(tiny, "insurer", "claim_handling", "INSURED", closed, org_code="INS1")
    assert found == {("underwriter", "none")}


def test_outside_claim_handling_a_claims_fields_are_witnessed_by_its_policy(tiny: Tiny) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    claim = tiny.claim(tiny.policy(person, person, insurer), "CLOSED")
    found = situation(tiny, "customer", "account_service", "INSURED", claim, username="zs")
    assert found == {("self", "contract_open")}


def test_a_claim_assigned_to_an_organization_ties_it(tiny: Tiny) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    adjuster = tiny.organization("ADJ1", "LOSS_ADJUSTER")
    claim = tiny.claim(tiny.policy(person, person, insurer))
    tiny.assign("claim", claim, organization=adjuster)
    found = situation(tiny, "loss_adjuster", "claim_handling", "PAYEE", claim, org_code="ADJ1")
    assert found == {("assigned", "contract_open")}


def test_the_holder_is_holder_of_a_claims_insured_never_of_its_reporter_or_payee(tiny: Tiny) -> None:
    holder, insured, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    links = {"reporter": insured, "reporterVerifiedAt": PAST, "payee": insured, "payeeVerifiedAt": PAST}
    claim = tiny.claim(tiny.policy(holder, insured, insurer), **links)

    def find(of):
        return situation(tiny, "customer", "account_service", of, claim, username="zs")

    assert find("INSURED") == {("holder_of", "contract_open")}
    assert find("REPORTER") == find("PAYEE") == {("none", "contract_open")}


@pytest.mark.parametrize("verified", [PAST, None])
def test_reporter_and_payee_are_self_only_by_a_verified_link(tiny: Tiny, verified: str | None) -> None:
    person, other, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    links = {"reporter": person, "reporterVerifiedAt": verified, "payee": person, "payeeVerifiedAt": verified}
    claim = tiny.claim(tiny.policy(other, other, insurer), **links)
    for of in ("REPORTER", "PAYEE"):
        found = situation(tiny, "customer", "account_service", of, claim, username="zs")
        assert found == {("self" if verified else "none", "contract_open")}


# --- Health services ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "starts, ends, basis",
    [
        (PAST, None, "contract_open"),
        (PAST, FUTURE, "contract_open"),
        (PAST, PAST, "none"),
        (FUTURE, None, "none"),
    ],
)
def test_a_health_service_opens_while_it_runs(tiny: Tiny, starts, ends, basis) -> None:
    holder, insured, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    provider = tiny.organization("HP1", "HEALTH_PROVIDER")
    policy = tiny.policy(holder, insured, insurer)
    tiny.add("HealthService", policy=policy, provider=provider, startsAt=starts, endsAt=ends)

    def find(of, record):
        return situation(tiny, "health_provider", "health_service", of, record, org_code="HP1")

    assert find("USER", insured) == {("provider", basis)}
    assert find("HOLDER", policy) >= {("provider", basis)}


def test_a_health_service_is_no_witness_for_another_purpose_or_provider(tiny: Tiny) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    provider = tiny.organization("HP1", "HEALTH_PROVIDER")
    tiny.organization("HP2", "HEALTH_PROVIDER")
    policy = tiny.policy(person, person, insurer)
    tiny.add("HealthService", policy=policy, provider=provider, startsAt=PAST, endsAt=None)
    other = situation(tiny, "health_provider", "health_service", "USER", person, org_code="HP2")
    assert other == {("none", "contract_open")}
    assert situation(tiny, "health_provider", "security", "USER", person, org_code="HP1") == NOTHING


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


# --- Effects and reasons ------------------------------------------------------------------------------------


def decided(tiny: Tiny, coordinate: str, record: str, role: str, purpose: str, **who) -> Decision:
    world = tiny.world()
    return decide(subject(world, role, purpose, **who), coordinate, row(world, record))


def test_rows_of_the_matrix_that_fit_add_up(tiny: Tiny) -> None:
    holder, insurer = tiny.user("zs"), tiny.organization("INS1")
    open_one, closed_one = (tiny.claim(tiny.policy(holder, holder, insurer), state) for state in ("REVIEWING", "PAID"))
    clerk = tiny.staff("clerk", "claims_handler")
    for claim in (open_one, closed_one):
        tiny.assign("claim", claim, staff=clerk)

    def find(field, claim, name="clerk"):
        return decided(tiny, f"Claim.{field}", claim, "claims_handler", "claim_handling", username=name).effect

    assert find("diagnosis", open_one) == "REVEAL"
    assert find("diagnosis", closed_one) == "DENY"
    assert find("bankCard", closed_one) == "MASK"
    assert find("reporterName", open_one) == "REVEAL"
    assert find("reporterName", open_one, "another") == "MASK"


def test_a_reason_is_the_first_that_applies(tiny: Tiny) -> None:
    holder, insurer = tiny.user("zs"), tiny.organization("INS1")
    lapsed = tiny.policy(holder, holder, insurer, "LAPSED")
    claim = tiny.claim(lapsed, "PAID")
    tiny.organization("INS2")

    def find(coordinate, record, role, purpose, **who):
        return decided(tiny, coordinate, record, role, purpose, **who).reason

    narrow = {"org_code": "INS1", "categories": frozenset({"name"})}
    assert find("User.phone", holder, "insurer", "policy_service", **narrow) == "TOKEN_SCOPE"
    assert find("User.username", holder, "insurer", "policy_service", org_code="INS1") == "ROLE"
    assert find("Claim.diagnosis", claim, "insurer", "policy_service", org_code="INS1") == "PURPOSE"
    assert find("User.phone", holder, "insurer", "policy_service", org_code="INS2") == "RELATION"
    assert find("User.name", holder, "analyst", "analytics") == "ROLE"


def test_basis_is_told_to_those_it_concerns_and_to_the_privacy_officer_only(tiny: Tiny) -> None:
    guardian, child = tiny.user("mother"), tiny.user(None, birthDate="2015-01-01")
    insurer = tiny.organization("INS1")
    tiny.add("GuardianLink", guardian=guardian, child=child, verifiedAt=PAST, revokedAt=None)
    tiny.policy(child, child, insurer, "LAPSED")
    request = tiny.add("RightsRequest", user=child, requester=child, openedAt=PAST, closedAt=PAST)
    tiny.assign("rightsRequest", request, staff=tiny.staff("dpo", "privacy_officer"))

    def find(role, purpose, **who):
        return decided(tiny, "User.name", child, role, purpose, **who).reason

    assert find("insurer", "policy_service", org_code="INS1") == "RELATION"
    assert find("guardian", "rights_request", username="mother") == "BASIS"
    assert find("privacy_officer", "rights_request", username="dpo") == "BASIS"


def test_what_cannot_be_masked_is_revealed_or_denied(tiny: Tiny) -> None:
    holder, insurer = tiny.user("zs"), tiny.organization("INS1")
    policy = tiny.policy(holder, holder, insurer)
    assert decided(tiny, "Policy.premium", policy, "insurer", "policy_service", org_code="INS1").effect == "REVEAL"
    assert decided(tiny, "User.gender", holder, "broker_agent", "policy_service").effect == "DENY"
