"""The reference's pages, filters and errors in hand-made worlds."""

from uuid import UUID

import pytest

from models.global_ids import NodeType, to_global
from tests.reference.server import examine, normalise
from tests.reference.tiny import NOW, PAST, Tiny, ask, caller
from tests.reference.world import row_bytes


def code(response: dict) -> str:
    assert response["data"] is None
    return response["errors"][0]["extensions"]["code"]


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
