"""The reference's situations, clause by clause of `docs/decisions/001-situations.md`, in hand-made worlds."""

import pytest

from tests.reference.tiny import FUTURE, NOTHING, PAST, Tiny, situation

CLAIM_STATES = [
    *("DRAFT", "REPORTED", "MATERIALS_PENDING", "SUBMITTED", "REVIEWING", "INVESTIGATING"),
    *("APPROVED", "REJECTED", "PAID", "CLOSED", "WITHDRAWN"),
]
POLICY_STATES = [
    *("DRAFT", "SUBMITTED", "UNDERWRITING", "DECLINED", "AWAITING_PAYMENT", "IN_FORCE"),
    *("GRACE", "LAPSED", "SURRENDERED", "EXPIRED", "TERMINATED"),
]


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
