"""The reference's effects and reasons, in hand-made worlds."""

from tests.reference.decide import Decision, decide
from tests.reference.tiny import PAST, Tiny, row, subject


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
