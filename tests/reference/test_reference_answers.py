"""The reference's rows, pages, filters, errors and masks in hand-made worlds."""

from uuid import UUID

import pytest

from models.global_ids import NodeType, to_global
from tests.reference.decide import mask
from tests.reference.scope import NODES, scope
from tests.reference.server import examine, normalise
from tests.reference.tiny import FUTURE, NOW, PAST, Tiny, caller, subject
from tests.reference.world import row_bytes


@pytest.fixture
def tiny() -> Tiny:
    return Tiny()


def rows(tiny: Tiny, role: str, purpose: str, **who) -> dict[str, set[str]]:
    """The ids of the rows that exist, by type."""
    found = scope(subject(tiny.world(), role, purpose, **who))
    return {kind: {row.id for row in found.rows[kind]} for kind in NODES if found.rows[kind]}


def ask(tiny: Tiny, document: str, role: str, purpose: str, variables=None, **who) -> dict:
    return examine(tiny.world(), caller(role, purpose, **who), document, variables, at=NOW).response


def code(response: dict) -> str:
    assert response["data"] is None
    return response["errors"][0]["extensions"]["code"]


# --- Rows -----------------------------------------------------------------------------------------------------


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


# --- Marketing ------------------------------------------------------------------------------------------------


def test_a_marketing_recipient_knows_persons_by_ids_of_its_own_and_nothing_else(tiny: Tiny) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    tiny.policy(person, person, insurer)
    tiny.consent(tiny.user("ls"), "MARKETING", insurer, expiresAt=PAST)
    consent = tiny.consent(person, "MARKETING", insurer)
    known = next(line["audienceId"] for line in tiny.lines if line["id"] == consent)
    document = (
        "query($known: ID!, $id: ID!) { users { totalCount edges { node { id } } } known: user(id: $known) { id }"
    )
    document += " plain: user(id: $id) { id } policies { edges { node { id } } } consents { edges { node { id } } } }"
    given = {"known": known, "id": person}
    data = ask(tiny, document, "insurer", "marketing", given, org_code="INS1")["data"]
    assert data["users"] == {"totalCount": None, "edges": [{"node": {"id": known}}]}
    assert data["known"] == {"id": known}
    assert data["plain"] is None
    assert data["policies"] == data["consents"] == {"edges": []}
    elsewhere = ask(tiny, document, "insurer", "policy_service", given, org_code="INS1")["data"]
    assert elsewhere["known"] is None
    assert elsewhere["plain"] == {"id": person}


def test_a_marketing_page_has_ten_at_most_ordered_by_audience_id(tiny: Tiny) -> None:
    tiny.staff("mk", "marketer")
    for number in range(12):
        tiny.consent(tiny.user(f"u{number}"), "MARKETING")
    known = sorted((line["audienceId"] for line in tiny.lines if line["type"] == "Consent"), key=row_bytes)
    document = "query($first: Int) { users(first: $first) { edges { node { id } } pageInfo { hasNextPage } } }"
    users = ask(tiny, document, "marketer", "marketing", username="mk")["data"]["users"]
    assert [edge["node"]["id"] for edge in users["edges"]] == known[:10]
    assert users["pageInfo"] == {"hasNextPage": True}
    assert code(ask(tiny, document, "marketer", "marketing", {"first": 11}, username="mk")) == "LIMIT_EXCEEDED"


def test_products_are_public_and_paged_the_same_under_marketing(tiny: Tiny) -> None:
    tiny.staff("mk", "marketer")
    for number in range(12):
        tiny.add("Product", code=f"{number:02}", name="意外险", insurer=tiny.organization(f"I{number}"))
    document = "{ products { totalCount edges { cursor } } }"
    products = ask(tiny, document, "marketer", "marketing", username="mk")["data"]["products"]
    assert (products["totalCount"], len(products["edges"])) == (12, 12)


# --- Pages, orders, filters, ids ------------------------------------------------------------------------------


def page(tiny: Tiny, arguments: str) -> tuple[list[str], bool, bool]:
    selection = "edges { node { policyNumber } } pageInfo { hasPreviousPage hasNextPage }"
    document = f"{{ policies({arguments}) {{ {selection} }} }}"
    found = ask(tiny, document, "customer_service", "policy_service")["data"]["policies"]
    numbers = [edge["node"]["policyNumber"] for edge in found["edges"]]
    return numbers, found["pageInfo"]["hasPreviousPage"], found["pageInfo"]["hasNextPage"]


def test_pages_are_exact_in_both_directions(tiny: Tiny) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    for _ in range(5):
        tiny.policy(person, person, insurer)
    numbers = page(tiny, "first: 100")[0]
    assert numbers == sorted(numbers)
    assert page(tiny, "first: 2") == (numbers[:2], False, True)
    assert page(tiny, 'first: 2, after: "1"') == (numbers[2:4], True, True)
    assert page(tiny, 'first: 2, after: "3"') == (numbers[4:], True, False)
    assert page(tiny, "last: 2") == (numbers[3:], True, False)
    assert page(tiny, 'last: 9, before: "3"') == (numbers[:3], False, True)
    assert page(tiny, 'first: 2, after: "4"') == ([], True, False)
    assert page(tiny, "first: 0") == ([], False, True)


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ("first: 1, last: 1", "BAD_USER_INPUT"),
        ("first: -1", "BAD_USER_INPUT"),
        ("last: 101", "LIMIT_EXCEEDED"),
        ('after: "x"', "BAD_CURSOR"),
    ],
)
def test_a_page_that_cannot_be_is_refused(tiny: Tiny, arguments: str, expected: str) -> None:
    document = f"{{ policies({arguments}) {{ totalCount }} }}"
    assert code(ask(tiny, document, "customer_service", "policy_service")) == expected


def test_twenty_rows_are_given_when_no_number_is_asked_for(tiny: Tiny) -> None:
    for number in range(21):
        tiny.add("Product", code=f"{number:02}", name="意外险", insurer=tiny.organization(f"I{number}"))
    document = "{ products { totalCount edges { node { code } } } }"
    products = ask(tiny, document, "developer", "analytics")["data"]["products"]
    assert products["totalCount"] == 21
    assert [edge["node"]["code"] for edge in products["edges"]] == [f"{number:02}" for number in range(20)]


def test_policies_are_ordered_by_start_with_those_without_one_last(tiny: Tiny) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    days = ["2026-03-01", None, "2026-01-01", "2026-03-01", None]
    ids = [tiny.policy(person, person, insurer, startsOn=day) for day in days]
    document = "{ policies(orderBy: STARTS_ON) { edges { node { id } } } }"
    edges = ask(tiny, document, "customer_service", "policy_service")["data"]["policies"]["edges"]
    assert [edge["node"]["id"] for edge in edges] == [ids[2], ids[0], ids[3], ids[1], ids[4]]


def test_claims_are_ordered_by_when_they_were_reported(tiny: Tiny) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    policy = tiny.policy(person, person, insurer)
    times = ["2026-03-01T08:00:00+08:00", "2026-03-01T00:30:00+00:00", "2026-02-28T23:00:00+00:00"]
    ids = [tiny.claim(policy, reportedAt=time) for time in times]
    document = "{ claims(orderBy: REPORTED_AT) { edges { node { id } } } }"
    edges = ask(tiny, document, "claims_handler", "claim_handling")["data"]["claims"]["edges"]
    assert [edge["node"]["id"] for edge in edges] == [ids[2], ids[0], ids[1]]


def test_users_are_filtered_by_a_phone_however_it_is_written_where_granted(tiny: Tiny) -> None:
    person, insurer = tiny.user("zs", phone="13811112222"), tiny.organization("INS1")
    tiny.policy(person, tiny.user("ls"), insurer)
    document = '{ users(phone: " 138-1111 2222") { totalCount } }'
    found = ask(tiny, document, "customer_service", "policy_service")
    assert found["data"]["users"]["totalCount"] == 1
    assert code(ask(tiny, document, "insurer", "policy_service", org_code="INS1")) == "FILTER_DENIED"
    narrow = frozenset({"name"})
    assert code(ask(tiny, document, "customer_service", "policy_service", categories=narrow)) == "FILTER_DENIED"


def test_consents_are_filtered_by_what_they_are_now(tiny: Tiny) -> None:
    person = tiny.user("zs")
    tiny.consent(person, "MARKETING")
    tiny.consent(person, "MARKETING", withdrawnAt=PAST, expiresAt=PAST)
    expired = tiny.consent(person, "VERIFICATION", expiresAt=PAST)
    document = "{ consents(status: EXPIRED) { edges { node { id status } } } consents2: consents(purpose: MARKETING)"
    document += " { edges { node { status } } } }"
    data = ask(tiny, document, "customer", "account_service", username="zs")["data"]
    assert data["consents"]["edges"] == [{"node": {"id": expired, "status": "EXPIRED"}}]
    assert [edge["node"]["status"] for edge in data["consents2"]["edges"]] == ["ACTIVE", "WITHDRAWN"]


def test_an_invisible_row_is_like_an_unknown_one_and_a_wrong_id_is_refused(tiny: Tiny) -> None:
    person, insurer = tiny.user("zs"), tiny.organization("INS1")
    hidden = tiny.policy(person, person, tiny.organization("INS2"))
    unknown = to_global(NodeType.POLICY, UUID(int=77))
    document = "query($id: ID!) { policy(id: $id) { id } node(id: $id) { id } }"
    for given in (hidden, unknown):
        answered = ask(tiny, document, "insurer", "policy_service", {"id": given}, org_code=insurer)
        assert answered["data"] == {"policy": None, "node": None}
    for given in (person, "nonsense"):
        answered = ask(tiny, document, "insurer", "policy_service", {"id": given}, org_code=insurer)
        assert code(answered) == "BAD_ID"


def test_a_link_to_a_row_that_does_not_exist_for_the_caller_is_null(tiny: Tiny) -> None:
    holder, me, insurer = tiny.user("zs"), tiny.user("ls"), tiny.organization("INS1")
    tiny.beneficiary(tiny.policy(holder, me, insurer))
    document = "{ policies { edges { node { policyholder { id } insured { id } beneficiaries { id } } } } }"
    edges = ask(tiny, document, "customer", "account_service", username="ls")["data"]["policies"]["edges"]
    assert edges == [{"node": {"policyholder": None, "insured": {"id": me}, "beneficiaries": []}}]


def test_the_viewer_is_the_caller_and_their_person_if_that_exists(tiny: Tiny) -> None:
    person = tiny.user("zs")
    tiny.organization("INS1")
    document = "{ viewer { role organization purposes ruleset user { id } pendingNotices { version } } }"
    customer = ask(tiny, document, "customer", "research", username="zs")["data"]["viewer"]
    insurer = ask(tiny, document, "insurer", "research", org_code="INS1")["data"]["viewer"]
    assert customer["user"] == {"id": person}
    assert insurer == {
        "role": "insurer",
        "organization": "INS1",
        "purposes": ["RESEARCH"],
        "ruleset": 1,
        "user": None,
        "pendingNotices": [],
    }
    assert ask(tiny, document, "guardian", "research", username="zs")["data"]["viewer"]["user"] is None


# --- Responses ------------------------------------------------------------------------------------------------


def test_denied_cells_make_one_error_for_a_coordinate_pattern_and_reason(tiny: Tiny) -> None:
    insurer, clerk = tiny.organization("INS1"), tiny.staff("clerk", "claims_handler")
    person = tiny.user("zs")
    claims = [tiny.claim(tiny.policy(person, person, insurer), state) for state in ("REVIEWING", "PAID", "REVIEWING")]
    for claim in claims[:1]:
        tiny.assign("claim", claim, staff=clerk)
    document = (
        "{ all: claims { edges { node { ...F what: diagnosis } } } } fragment F on Claim { what: diagnosis bankCard }"
    )
    response = ask(tiny, document, "claims_handler", "claim_handling", username="clerk")
    normal, node, first = normalise(response), "all.edges.@.node", ["all", "edges", 1, "node"]
    assert normal["denied"] == [
        [
            "Claim.bankCard",
            "bank_account",
            f"{node}.bankCard",
            2,
            "RELATION",
            "claim_handling",
            1,
            [*first, "bankCard"],
        ],
        ["Claim.diagnosis", "health", f"{node}.what", 2, "RELATION", "claim_handling", 1, [*first, "what"]],
    ]
    assert normal["authorization"] == {
        "purpose": "claim_handling",
        "ruleset": 1,
        "fields": [
            ("Claim.bankCard", "all.edges.@.node.bankCard", "DENY", 2),
            ("Claim.bankCard", "all.edges.@.node.bankCard", "MASK", 1),
            ("Claim.diagnosis", "all.edges.@.node.what", "DENY", 2),
            ("Claim.diagnosis", "all.edges.@.node.what", "REVEAL", 1),
        ],
    }


def test_a_field_without_a_value_counts_all_the_same(tiny: Tiny) -> None:
    tiny.user("zs", email=None)
    tiny.staff("ra", "risk_analyst")
    response = ask(tiny, "{ users { edges { node { email } } } }", "risk_analyst", "security", username="ra")
    assert response["data"]["users"]["edges"] == [{"node": {"email": None}}]
    assert normalise(response)["authorization"]["fields"] == [("User.email", "users.edges.@.node.email", "MASK", 1)]


def test_hidden_are_the_raw_values_of_what_is_masked_or_denied(tiny: Tiny) -> None:
    tiny.user("zs", phone="13811112222", occupation="消防员", nickname="小张")
    document = "{ users { edges { node { phone occupation nickname gender } } } }"
    examined = examine(tiny.world(), caller("risk_analyst", "security"), document, at=NOW)
    assert examined.hidden == {"13811112222", "消防员", "MALE"}


def test_the_virtual_phone_is_the_one_of_the_callers_organization(tiny: Tiny) -> None:
    person, insurer, other = tiny.user("zs"), tiny.organization("INS1"), tiny.organization("INS2")
    for organization, number in ((None, "17000000001"), (insurer, "17000000002"), (other, "17000000003")):
        tiny.add("VirtualPhone", user=person, organization=organization, number=number, issuedAt=PAST, endedAt=None)
    tiny.consent(person, "MARKETING", insurer)
    document = "{ users { edges { node { virtualPhone } } } }"
    response = ask(tiny, document, "insurer", "marketing", org_code="INS1")
    assert response["data"]["users"]["edges"] == [{"node": {"virtualPhone": "17000000002"}}]


# --- Masks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "category, value, masked",
    [
        ("name", "张三", "张*"),
        ("name", "张三丰", "张*"),
        ("name", "欧阳修", "欧阳*"),
        ("name", "欧阳", "欧*"),
        ("name", "买买提·阿不都拉", "买*"),
        ("name", "John Smith", "J*"),
        ("government_id", "110101199003074514", "1****************4"),
        ("government_id", "EA1234567", "E****************7"),
        ("phone", "13812341234", "138****1234"),
        ("bank_account", "6222020000000000018", "***************0018"),
        ("email", "zhang@example.com", "z***@example.com"),
        ("address", "浙江省杭州市西湖区文三路1号", "浙江省杭州市西湖区***"),
        ("address", "北京市密云县鼓楼东大街3号", "北京市密云县***"),
        ("address", "广东省东莞市鸿福路99号", "广东省东莞市***"),
        ("address", "somewhere", "***"),
        ("occupation", "会计", "***"),
        ("profile", "小张", "***"),
        ("account", "zhangsan", "***"),
        ("relay", "17000000001", "***"),
    ],
)
def test_a_mask_leaves_what_its_category_allows(category: str, value: str, masked: str) -> None:
    assert mask(category, value) == masked
