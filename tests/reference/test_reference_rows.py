"""Which rows exist for whom in the reference, in hand-made worlds."""

import pytest

from tests.reference.scope import NODES, scope
from tests.reference.tiny import FUTURE, PAST, Tiny, ask, subject


def rows(tiny: Tiny, role: str, purpose: str, **who) -> dict[str, set[str]]:
    """The ids of the rows that exist, by type."""
    found = scope(subject(tiny.world(), role, purpose, **who))
    return {kind: {row.id for row in found.rows[kind]} for kind in NODES if found.rows[kind]}


def test_a_customer_has_own_rows_the_insured_of_held_policies_and_own_claims_as_insured(tiny: Tiny) -> None:
    me, insured, other = tiny.user("zs"), tiny.user("ls"), tiny.user("ww")
    insurer = tiny.organization("INS1")
    held, insured_only = tiny.policy(me, insured, insurer), tiny.policy(other, me, insurer)
    tiny.policy(other, other, insurer)
    beneficiary, _ = tiny.beneficiary(held), tiny.beneficiary(insured_only, me, verified=True)
    claims = {tiny.claim(held, "DRAFT"), tiny.claim(insured_only)}
    consent, _ = tiny.consent(me, "MARKETING"), tiny.consent(insured, "MARKETING")
    device = tiny.add("Device", user=me)
    expected = {
        "User": {me, insured},
        "Policy": {held, insured_only},
        "Beneficiary": {beneficiary},
        "Claim": claims,
        "Consent": {consent},
        "Device": {device},
    }
    assert rows(tiny, "customer", "account_service", username="zs") == expected
    assert rows(tiny, "customer", "research", username="zs") == expected


def test_permissions_are_a_customers_own_corrections_a_guardians_too_and_a_version_nobody_elses(tiny: Tiny) -> None:
    mother, child = tiny.user("mother"), tiny.user("kid", birthDate="2015-01-01", version=3)
    tiny.add("GuardianLink", guardian=mother, child=child, verifiedAt=PAST, revokedAt=None)
    tiny.add("Permission", user=child, kind="PUSH", granted=False, decidedAt=PAST)
    tiny.add("Permission", user=child, kind="CALL", granted=True, decidedAt=PAST)
    for day in ("2026-05-02", "2026-05-01"):
        moment = f"{day}T08:00:00+08:00"
        tiny.add("Correction", user=child, coordinate=f"User.{day}", correctedAt=moment, recipients=["甲"])
    tiny.staff("risk01", "risk_analyst")
    document = f'{{ user(id: "{child}") {{ version permissions {{ kind granted }} corrections {{ coordinate }} }} }}'
    corrections = [{"coordinate": "User.2026-05-01"}, {"coordinate": "User.2026-05-02"}]
    permissions = [{"kind": "CALL", "granted": True}, {"kind": "PUSH", "granted": False}]
    own = ask(tiny, document, "customer", "account_service", username="kid")["data"]["user"]
    assert own == {"version": 3, "permissions": permissions, "corrections": corrections}
    guarded = ask(tiny, document, "guardian", "account_service", username="mother")["data"]["user"]
    assert guarded == {"version": 3, "permissions": [], "corrections": corrections}
    analysed = ask(tiny, document, "risk_analyst", "security", username="risk01")["data"]["user"]
    assert analysed == {"version": None, "permissions": [], "corrections": []}


def test_a_guardian_has_the_childs_rows_and_none_of_their_own(tiny: Tiny) -> None:
    guardian, child, grown = tiny.user("mother"), tiny.user(None, birthDate="2015-01-01"), tiny.user(None)
    for person in (child, grown):
        tiny.add("GuardianLink", guardian=guardian, child=person, verifiedAt=PAST, revokedAt=None)
    insurer = tiny.organization("INS1")
    policy = tiny.policy(guardian, child, insurer)
    tiny.policy(guardian, guardian, insurer)
    consent = tiny.consent(child, "APPLICATION")
    assert rows(tiny, "guardian", "rights_request", username="mother") == {
        "User": {child},
        "Policy": {policy},
        "Consent": {consent},
    }


def test_an_agent_has_assigned_policies_with_persons_beneficiaries_and_consents_for_application(tiny) -> None:
    holder, insured, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    agent = tiny.staff("agent", "broker_agent")
    mine, ended = tiny.policy(holder, insured, insurer, "DRAFT"), tiny.policy(holder, insured, insurer)
    tiny.assign("policy", mine, staff=agent)
    tiny.assign("policy", ended, staff=agent, ended=True)
    beneficiary, _ = tiny.beneficiary(mine), tiny.beneficiary(ended)
    tiny.claim(mine)
    tiny.add("Device", user=holder)
    consent, _ = tiny.consent(insured, "APPLICATION", insurer), tiny.consent(insured, "MARKETING")
    for purpose in ("application", "policy_service"):
        assert rows(tiny, "broker_agent", purpose, username="agent") == {
            "User": {holder, insured},
            "Policy": {mine},
            "Beneficiary": {beneficiary},
            "Consent": {consent},
        }
    assert rows(tiny, "broker_agent", "claim_handling", username="agent") == {}


@pytest.mark.parametrize(
    "role, purpose",
    [
        ("customer_service", "policy_service"),
        ("customer_service", "service_message"),
        ("claims_handler", "claim_handling"),
    ],
)
def test_service_and_claims_staff_have_all_policies_but_no_drafts_of_claims_consents_devices(
    tiny, role, purpose
) -> None:
    holder, bystander, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    policy = tiny.policy(holder, holder, insurer, "DRAFT")
    beneficiary, claim = tiny.beneficiary(policy, bystander, verified=True), tiny.claim(policy, "REPORTED")
    tiny.claim(policy, "DRAFT")
    tiny.consent(holder, "MARKETING")
    tiny.add("Device", user=holder)
    expected = {"User": {holder}, "Policy": {policy}, "Beneficiary": {beneficiary}, "Claim": {claim}}
    assert rows(tiny, role, purpose) == expected
    assert rows(tiny, role, "research") == {}


def test_a_risk_analyst_has_assigned_cases_or_all_users_and_devices(tiny: Tiny) -> None:
    person, other, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    policy, device = tiny.policy(other, person, insurer), tiny.add("Device", user=other)
    analyst = tiny.staff("ra", "risk_analyst")
    claims = {state: tiny.claim(policy, state) for state in ("DRAFT", "PAID")}
    consent = tiny.consent(person, "VERIFICATION")
    for claim in claims.values():
        links = {"user": person, "claim": claim, "consent": consent}
        tiny.assign("verificationCase", tiny.add("VerificationCase", closedAt=PAST, **links), staff=analyst)
    assert rows(tiny, "risk_analyst", "verification", username="ra") == {
        "User": {person},
        "Policy": {policy},
        "Claim": {claims["PAID"]},
    }
    assert rows(tiny, "risk_analyst", "security") == {"User": {person, other}, "Device": {device}}


def test_a_privacy_officer_has_the_persons_of_open_requests_with_everything_of_theirs(tiny: Tiny) -> None:
    person, other, closed = tiny.user("zs"), tiny.user("ls"), tiny.user("ww")
    insurer, officer = tiny.organization("INS1"), tiny.staff("dpo", "privacy_officer")
    held, insured = tiny.policy(person, other, insurer), tiny.policy(other, person, insurer)
    beneficiary, _ = tiny.beneficiary(held), tiny.beneficiary(insured)
    claims = {tiny.claim(held), tiny.claim(insured)}
    tiny.claim(held, "DRAFT")
    consent, device = tiny.consent(person, "MARKETING", insurer), tiny.add("Device", user=person)
    for who, ended in ((person, None), (closed, PAST)):
        request = tiny.add("RightsRequest", user=who, requester=who, openedAt=PAST, closedAt=ended)
        tiny.assign("rightsRequest", request, staff=officer)
    assert rows(tiny, "privacy_officer", "rights_request", username="dpo") == {
        "User": {person},
        "Policy": {held, insured},
        "Beneficiary": {beneficiary},
        "Claim": claims,
        "Consent": {consent},
        "Device": {device},
    }
    assert rows(tiny, "privacy_officer", "rights_request", username="another") == {}


@pytest.mark.parametrize(
    "change, there",
    [({}, True), ({"approvedAt": None}, False), ({"closedAt": PAST}, False), ({"expiresAt": PAST}, False)],
)
def test_a_privacy_officer_has_the_persons_of_live_disclosure_cases(tiny: Tiny, change, there) -> None:
    person = tiny.user("zs")
    case = {"approvedAt": PAST, "expiresAt": FUTURE, "closedAt": None, **change}
    case |= {"purpose": "REGULATORY_DISCLOSURE", "recipient": None, "categories": ["NAME"]}
    officer = tiny.staff("dpo", "privacy_officer")
    tiny.assign("disclosureCase", tiny.add("DisclosureCase", users=[person], **case), staff=officer)
    found = rows(tiny, "privacy_officer", "regulatory_disclosure", username="dpo")
    assert found == ({"User": {person}} if there else {})


def test_an_insurer_has_its_own_policies_by_purpose_and_consents_naming_it(tiny: Tiny) -> None:
    person, mine, other = tiny.user("zs"), tiny.organization("INS1"), tiny.organization("INS2")
    tiny.policy(person, person, other)
    applied, declined = tiny.policy(person, person, mine, "SUBMITTED"), tiny.policy(person, person, mine, "DECLINED")
    tiny.policy(person, person, mine, "DRAFT")
    issued, lapsed = tiny.policy(person, person, mine), tiny.policy(person, person, mine, "LAPSED")
    claim = tiny.claim(lapsed, "CLOSED")
    tiny.claim(issued, "DRAFT")
    beneficiary = tiny.beneficiary(lapsed)
    consent, _ = tiny.consent(person, "MARKETING", mine, withdrawnAt=PAST), tiny.consent(person, "MARKETING")
    rest = {"User": {person}, "Consent": {consent}}
    found = {
        purpose: rows(tiny, "insurer", purpose, org_code="INS1")
        for purpose in ("application", "policy_service", "claim_handling")
    }
    assert found["application"] == {"Policy": {applied, declined}, **rest}
    assert found["policy_service"] == {"Policy": {issued, lapsed}, "Beneficiary": {beneficiary}, **rest}
    assert found["claim_handling"] == {
        "Policy": {lapsed},
        "Beneficiary": {beneficiary},
        "Claim": {claim},
        **rest,
    }


def test_a_health_provider_has_the_policies_it_serves_without_beneficiaries_or_claims(tiny: Tiny) -> None:
    holder, insured, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    provider = tiny.organization("HP1", "HEALTH_PROVIDER")
    policy = tiny.policy(holder, insured, insurer)
    tiny.beneficiary(policy)
    tiny.claim(policy)
    tiny.add("HealthService", policy=policy, provider=provider, startsAt=PAST, endsAt=PAST)
    found = rows(tiny, "health_provider", "health_service", org_code="HP1")
    assert found == {"User": {holder, insured}, "Policy": {policy}}


def test_a_loss_adjuster_has_assigned_claims_a_service_provider_those_of_its_cases_too(tiny: Tiny) -> None:
    holder, insured, third = tiny.user("zs"), tiny.user("ls"), tiny.user("ww")
    insurer = tiny.organization("INS1")
    firm = tiny.organization("FIRM", "SERVICE_PROVIDER")
    one, two = tiny.policy(holder, insured, insurer), tiny.policy(insured, insured, insurer)
    assigned, draft, of_case = tiny.claim(one), tiny.claim(one, "DRAFT"), tiny.claim(two)
    for claim in (assigned, draft):
        tiny.assign("claim", claim, organization=firm)
    consent = tiny.consent(third, "VERIFICATION", firm)
    case = tiny.add("VerificationCase", user=third, claim=of_case, consent=consent, closedAt=None)
    tiny.assign("verificationCase", case, organization=firm)
    assert rows(tiny, "loss_adjuster", "claim_handling", org_code="FIRM") == {
        "User": {holder, insured},
        "Policy": {one},
        "Claim": {assigned},
    }
    assert rows(tiny, "service_provider", "verification", org_code="FIRM") == {
        "User": {holder, insured, third},
        "Policy": {one, two},
        "Claim": {assigned, of_case},
    }


def test_an_affiliate_has_the_persons_with_an_active_verification_consent_naming_it(tiny: Tiny) -> None:
    person, gone, other = tiny.user("zs"), tiny.user("ls"), tiny.user("ww")
    affiliate = tiny.organization("AF1", "AFFILIATE")
    tiny.consent(person, "VERIFICATION", affiliate)
    tiny.consent(gone, "VERIFICATION", affiliate, withdrawnAt=PAST)
    tiny.consent(other, "VERIFICATION")
    assert rows(tiny, "affiliate", "verification", org_code="AF1") == {"User": {person}}


@pytest.mark.parametrize("role", ["analyst", "security_admin", "auditor", "developer"])
def test_roles_without_personal_data_have_no_rows(tiny: Tiny, role: str) -> None:
    person = tiny.user("zs")
    tiny.policy(person, person, tiny.organization("INS1"))
    assert all(rows(tiny, role, purpose) == {} for purpose in ("analytics", "policy_service", "marketing"))
