"""Policies: underwritten, paid, withdrawn, surrendered, each by whoever may and in no other status (C16, C38)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest

from models.global_ids import NodeType, to_global
from tests.writing.applying import CHILD, TODAY, Desk, application, beneficiary, code, cover, id_number, policyholder
from tests.writing.conftest import row_id

STATUSES = [
    *("DRAFT", "SUBMITTED", "UNDERWRITING", "DECLINED", "AWAITING_PAYMENT"),
    *("IN_FORCE", "GRACE", "LAPSED", "SURRENDERED", "EXPIRED", "TERMINATED"),
]
TELLING = ["DRAFT", "AWAITING_PAYMENT", "IN_FORCE"]
"""Those that are tried where no status should make a difference."""
ISSUED = {"IN_FORCE", "GRACE", "LAPSED", "SURRENDERED", "EXPIRED", "TERMINATED"}
ID = "... on Policy { id }"
SEEN = "query($id: ID!) { policy(id: $id) { status } node(id: $id) { id } }"


@pytest.fixture(scope="module")
def desk(office):
    return Desk(office)


@pytest.fixture(scope="module")
def anne(office):
    return office.customer()


# Who may do what, and in which statuses: written down by hand, and not from the tables that decide it.
MAY = {
    ("draftApplication", "holder"): "DRAFT",
    ("draftApplication", "guardian"): "DRAFT",
    ("draftApplication", "agent"): "DRAFT",
    ("submitApplication", "holder"): "DRAFT",
    ("submitApplication", "guardian"): "DRAFT",
    ("withdrawApplication", "holder"): "DRAFT SUBMITTED UNDERWRITING AWAITING_PAYMENT",
    ("withdrawApplication", "guardian"): "DRAFT SUBMITTED UNDERWRITING AWAITING_PAYMENT",
    ("withdrawApplication", "agent"): "DRAFT SUBMITTED UNDERWRITING AWAITING_PAYMENT",
    ("setBeneficiaries", "holder"): "DRAFT IN_FORCE GRACE",
    ("setBeneficiaries", "guardian"): "DRAFT IN_FORCE GRACE",
    ("surrenderPolicy", "holder"): "IN_FORCE GRACE",
    ("surrenderPolicy", "guardian"): "IN_FORCE GRACE",
    ("recordUnderwriting", "insurer"): "SUBMITTED UNDERWRITING",
    ("recordPayment", "insurer"): "AWAITING_PAYMENT",
    ("recordPayment", "insurer afterwards"): "GRACE",
    ("recordPayment", "agent"): "AWAITING_PAYMENT",
}
SEES = {
    "holder": set(STATUSES),
    "holder for rights": set(STATUSES),
    "guardian": set(STATUSES),
    "insured": set(STATUSES),
    "agent": set(STATUSES),
    "agent afterwards": set(STATUSES),
    "insurer": {"SUBMITTED", "UNDERWRITING", "DECLINED", "AWAITING_PAYMENT"},
    "insurer afterwards": ISSUED,
    "insurer's claims": set(),
    "customer_service": set(STATUSES),
    "claims_handler": set(STATUSES),
}
"""Everybody else sees nothing of it."""
_OF_HOLDERS = "draftApplication submitApplication withdrawApplication setBeneficiaries surrenderPolicy"
DOES = {
    **dict.fromkeys(("holder", "insured", "stranger", "guardian", "guardian of nobody"), _OF_HOLDERS),
    **dict.fromkeys(("agent", "other agent"), "draftApplication withdrawApplication recordPayment"),
    **dict.fromkeys(("insurer", "other insurer"), "recordUnderwriting recordPayment"),
    **dict.fromkeys(("insurer afterwards", "other insurer afterwards"), "recordPayment"),
}
"""What each does for this purpose to some policy or other; who does not is told so, whatever the row."""
WRITES = {
    "draftApplication": {"sumInsured": "1000"},
    "submitApplication": {},
    "withdrawApplication": {},
    "setBeneficiaries": {"beneficiaries": []},
    "surrenderPolicy": {},
    "recordUnderwriting": {"outcome": "ACCEPT", "premium": "10"},
    "recordPayment": cover(),
}


@pytest.fixture(scope="module")
def callers(office, desk):
    """Everybody by name: token and purpose; and the two policies, one of a grown-up and one of a ward."""
    child = office.customer()
    office.know(child.person, birthDate=CHILD.isoformat())
    guardian, holder, insured = office.guardian(child.person), office.customer(), office.customer()
    details = {"idNumber": id_number(), "name": "赵六六", "occupation": "司机", "healthDeclaration": "健康"}
    office.know(insured.person, **details, birthDate="1988-03-14")
    of_ward = {"id": child.id, "details": policyholder(idNumber=id_number(CHILD))}
    policies = {"ward": {}, "grown-up": {}}
    for status in STATUSES:
        given = application(policyholder=of_ward, agent="agent01")
        policies["ward"][status] = desk.as_customer(guardian, "draftApplication", given)["id"]
        policies["grown-up"][status] = policy = desk.drafted(holder, agent="agent01")["id"]
        office.execute("UPDATE policy SET insured_id = $2 WHERE id = $1", row_id(policy), insured.person)
        for one in policies.values():
            put_into(office, one[status], status)

    def token(role, purpose, **more):
        return office.token(role, purposes=[purpose], **more), purpose

    found = {
        "holder": (holder.token, "account_service"),
        "holder for rights": token("customer", "rights_request", user=holder.username),
        "insured": (insured.token, "account_service"),
        "stranger": (office.customer().token, "account_service"),
        "guardian": (guardian.token, "account_service"),
        "guardian of nobody": (office.guardian().token, "account_service"),
        "agent": token("broker_agent", "application", user="agent01"),
        "agent afterwards": token("broker_agent", "policy_service", user="agent01"),
        "other agent": token("broker_agent", "application", user="agent02"),
        "insurer": token("insurer", "application", org="INS01"),
        "insurer afterwards": token("insurer", "policy_service", org="INS01"),
        "insurer's claims": token("insurer", "claim_handling", org="INS01"),
        "other insurer": token("insurer", "application", org="INS02"),
        "other insurer afterwards": token("insurer", "policy_service", org="INS02"),
        "customer_service": token("customer_service", "policy_service"),
        "claims_handler": token("claims_handler", "claim_handling"),
        "risk_analyst": token("risk_analyst", "verification"),
        "privacy_officer": token("privacy_officer", "rights_request"),
        "developer": token("developer", "administration"),
        "health_provider": token("health_provider", "health_service", org="HP01"),
        "loss_adjuster": token("loss_adjuster", "claim_handling", org="LA01"),
    }
    return found, policies


def put_into(office, policy, status):
    """Let a policy be in a status, with dates if it has begun by then."""
    dates = (TODAY, TODAY + timedelta(days=90)) if status in ISSUED else (None, None)
    statement = "UPDATE policy SET status = $2, starts_on = $3, ends_on = $4 WHERE id = $1"
    office.execute(statement, row_id(policy), status, *dates)


ROLES = [
    *("holder", "holder for rights", "insured", "stranger", "guardian", "guardian of nobody"),
    *("agent", "agent afterwards", "other agent", "customer_service", "claims_handler"),
    *("insurer", "insurer afterwards", "insurer's claims", "other insurer", "other insurer afterwards"),
    *("risk_analyst", "privacy_officer", "developer", "health_provider", "loss_adjuster"),
]


@pytest.mark.parametrize("who", ROLES)
def test_who_may_write_what_in_which_status_and_nobody_else_in_any(office, callers, who):
    tokens, policies = callers
    token, purpose = tokens[who]
    own = policies["ward" if who == "guardian" else "grown-up"]
    unknown = to_global(NodeType.POLICY, uuid4())
    for name, given in WRITES.items():
        allowed = MAY.get((name, who))
        for status in STATUSES if allowed else TELLING:
            more = {} if (name, status) == ("recordPayment", "GRACE") else given
            done = office.write(name, {"id": own[status], **more}, token=token, purpose=purpose, show=ID)
            place = (name, status, done)
            if name not in DOES.get(who, "").split():
                assert (done["code"], done["reason"]) in (("WRITE_DENIED", "ROLE"), ("WRITE_DENIED", "PURPOSE")), place
            elif status not in SEES.get(who, ()):
                assert done["code"] == "NOT_FOUND", place
                assert done == office.write(name, {"id": unknown, **more}, token=token, purpose=purpose), place
            elif allowed is None:
                assert done["code"] == "WRITE_DENIED", place
            elif status in allowed.split():
                assert code(done) in ("Policy", None), place
                put_into(office, own[status], status)
            else:
                assert done["code"] in ("WRONG_STATUS", "WRITE_DENIED"), place
                assert done.get("reason") in (None, "BASIS"), place


def test_underwriting_takes_an_application_on_and_accepts_it_at_a_premium_that_its_holder_reads(office, desk, anne):
    made = desk.submitted(anne)
    begun = desk.as_insurer("recordUnderwriting", {"id": made["id"], "outcome": "BEGIN"})
    assert (begun["status"], begun["version"], begun["premium"]) == ("UNDERWRITING", 3, None)
    accepted = desk.as_insurer("recordUnderwriting", {"id": made["id"], "outcome": "ACCEPT", "premium": "1234.5"})
    assert (accepted["status"], accepted["premium"]) == ("AWAITING_PAYMENT", "1234.50")
    assert office.stored("Policy", row_id(made["id"]), owner=anne.person)["premium"] == "1234.50"
    again = desk.as_insurer("recordUnderwriting", {"id": made["id"], "outcome": "DECLINE"})
    assert (again["code"], again["allowed"]) == ("WRONG_STATUS", ["SUBMITTED", "UNDERWRITING"])


def test_a_declined_application_is_at_its_end(desk, anne):
    made = desk.submitted(anne)
    assert desk.as_insurer("recordUnderwriting", {"id": made["id"], "outcome": "DECLINE"})["status"] == "DECLINED"
    again = desk.as_insurer("recordUnderwriting", {"id": made["id"], "outcome": "ACCEPT", "premium": 5})
    assert (again["code"], again["reason"]) == ("WRITE_DENIED", "BASIS")
    assert code(desk.as_customer(anne, "withdrawApplication", {"id": made["id"]})) == "WRONG_STATUS"


@pytest.mark.parametrize(
    "outcome,premium",
    [
        *(("ACCEPT", premium) for premium in (None, "0", "-1", "NaN", "Infinity", "1.001", "1E+99999", "9" * 30)),
        *((outcome, "5") for outcome in ("BEGIN", "DECLINE")),
    ],
)
def test_a_premium_comes_with_acceptance_and_only_then(desk, anne, outcome, premium):
    made = desk.submitted(anne)
    refused = desk.as_insurer("recordUnderwriting", {"id": made["id"], "outcome": outcome, "premium": premium})
    assert (refused["code"], refused["field"]) == ("ITEM_INVALID", "premium")
    assert desk.seen(anne, made["id"])["version"] == 2


@pytest.mark.parametrize(
    "given,field",
    [
        ({}, "startsOn"),
        ({"startsOn": TODAY.isoformat()}, "endsOn"),
        ({"endsOn": TODAY.isoformat()}, "startsOn"),
        ({"startsOn": TODAY.isoformat(), "endsOn": (TODAY - timedelta(days=1)).isoformat()}, "endsOn"),
        ({"startsOn": "2020-01-01", "endsOn": "2050-01-01"}, "startsOn"),
        ({"startsOn": "9999-12-30", "endsOn": "9999-12-31"}, "startsOn"),
        ({"startsOn": TODAY.isoformat(), "endsOn": "9999-12-31"}, "endsOn"),
    ],
)
def test_a_first_payment_begins_a_cover_that_can_be(desk, anne, given, field):
    made = desk.accepted(anne)
    refused = desk.as_insurer("recordPayment", {"id": made["id"], **given})
    assert (refused["code"], refused["field"]) == ("ITEM_INVALID", field)
    assert desk.seen(anne, made["id"])["status"] == "AWAITING_PAYMENT"


def test_a_payment_in_grace_goes_on_with_the_cover_and_may_prolong_it_but_not_move_it(desk, anne):
    policy = desk.in_force(anne)
    grace = {"id": policy["id"]}

    def paid(**given):
        desk.move(policy["id"], "GRACE")
        return desk.as_insurer("recordPayment", {**grace, **given}, purpose="policy_service")

    assert (paid()["status"], paid()["endsOn"]) == ("IN_FORCE", policy["endsOn"])
    longer = (TODAY + timedelta(days=700)).isoformat()
    assert paid(endsOn=longer)["endsOn"] == longer
    assert paid(startsOn=policy["startsOn"])["startsOn"] == policy["startsOn"]
    for given, field in (
        ({"endsOn": longer}, "endsOn"),
        ({"endsOn": policy["endsOn"]}, "endsOn"),
        ({"endsOn": "9999-12-31"}, "endsOn"),
        ({"startsOn": (TODAY - timedelta(days=1)).isoformat()}, "startsOn"),
    ):
        refused = paid(**given)
        assert (refused["code"], refused["field"]) == ("ITEM_INVALID", field)


def test_an_agent_records_the_payment_of_an_application_they_look_after(desk, anne):
    made = desk.accepted(anne, agent="agent01")
    assert code(desk.as_agent("recordPayment", {"id": made["id"], **cover()}, agent="agent02")) == "NOT_FOUND"
    assert desk.as_agent("recordPayment", {"id": made["id"], **cover()})["status"] == "IN_FORCE"
    assert code(desk.as_agent("recordPayment", {"id": made["id"]})) == "WRITE_DENIED"


def seen_by_insurer(office, policy, *people):
    """What an insurer's purposes show of a policy and its people."""
    found = []
    for purpose in ("application", "policy_service", "claim_handling"):
        token = office.token("insurer", org="INS01", purposes=[purpose])
        for document, one in ((SEEN, policy), *(("query($id: ID!) { user(id: $id) { id } }", one) for one in people)):
            data = office.post(document, {"id": one}, token=token, purpose=purpose).json()["data"]
            found += [value for value in data.values() if value]
    return found


@pytest.mark.parametrize("until", ["DRAFT", "SUBMITTED", "AWAITING_PAYMENT"])
def test_a_withdrawn_application_exists_for_no_insurer(office, desk, until):
    applicant = office.customer()
    steps = {"DRAFT": desk.drafted, "SUBMITTED": desk.submitted, "AWAITING_PAYMENT": desk.accepted}
    made = steps[until](applicant)
    people = (applicant.id, made["insured"]["id"])
    if until == "DRAFT":
        desk.as_customer(applicant, "draftApplication", {"id": made["id"], "sumInsured": 9})
        assert seen_by_insurer(office, made["id"], *people) == []
    else:
        assert seen_by_insurer(office, made["id"], *people)
    gone = desk.as_customer(applicant, "withdrawApplication", {"id": made["id"]})
    assert (gone["status"], gone["startsOn"]) == ("TERMINATED", None)
    assert seen_by_insurer(office, made["id"], *people) == []
    listed = "{ policies(status: TERMINATED, first: 100) { edges { node { id startsOn } } } }"
    token = office.token("insurer", org="INS01", purposes=["policy_service"])
    edges = office.post(listed, token=token, purpose="policy_service").json()["data"]["policies"]["edges"]
    assert all(edge["node"]["startsOn"] for edge in edges)


def test_a_surrendered_policy_ends_today(desk, anne):
    policy = desk.in_force(anne)
    done = desk.as_customer(anne, "surrenderPolicy", {"id": policy["id"], "ifVersion": policy["version"]})
    assert (done["status"], done["endsOn"]) == ("SURRENDERED", TODAY.isoformat())


def test_a_surrender_prolongs_no_cover_and_begins_none(office, desk, anne):
    over, ahead = desk.in_force(anne), desk.in_force(anne)
    dates = "UPDATE policy SET starts_on = $2, ends_on = $3 WHERE id = $1"
    office.execute(dates, row_id(over["id"]), TODAY - timedelta(days=400), TODAY - timedelta(days=40))
    office.execute(dates, row_id(ahead["id"]), TODAY + timedelta(days=30), TODAY + timedelta(days=300))
    ended = desk.as_customer(anne, "surrenderPolicy", {"id": over["id"]})
    assert ended["endsOn"] == (TODAY - timedelta(days=40)).isoformat()
    ended = desk.as_customer(anne, "surrenderPolicy", {"id": ahead["id"]})
    assert (ended["startsOn"], ended["endsOn"]) == ((TODAY + timedelta(days=30)).isoformat(),) * 2


def test_only_the_insurer_lets_cover_begin_in_the_past(desk, anne):
    made = desk.accepted(anne, agent="agent01")
    past = {"id": made["id"], "startsOn": (TODAY - timedelta(days=1)).isoformat(), "endsOn": cover()["endsOn"]}
    refused = desk.as_agent("recordPayment", past)
    assert (refused["code"], refused["field"]) == ("ITEM_INVALID", "startsOn")
    assert desk.as_insurer("recordPayment", past) is None, "paid, so no application any more"


def at_once(work, times):
    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(work, range(times)))


def test_of_many_who_submit_at_once_exactly_one_does(desk, anne):
    made = desk.drafted(anne)
    found = at_once(lambda _: code(desk.as_customer(anne, "submitApplication", {"id": made["id"]})), 8)
    assert sorted(found) == ["Policy"] + ["WRONG_STATUS"] * 7
    assert desk.seen(anne, made["id"])["version"] == 2


def test_of_many_who_change_the_same_version_at_once_exactly_one_does(desk, anne):
    made = desk.drafted(anne)

    def edited(turn):
        given = {"id": made["id"], "ifVersion": 1, "sumInsured": turn + 1}
        return code(desk.as_customer(anne, "draftApplication", given))

    found = at_once(edited, 8)
    assert sorted(found) == ["Policy"] + ["VERSION_CONFLICT"] * 7
    after = desk.seen(anne, made["id"])
    assert (after["version"], after["sumInsured"]) == (2, f"{found.index('Policy') + 1}.00")


def test_withdrawing_and_accepting_at_once_leaves_one_of_the_two(desk, anne):
    for _ in range(3):
        made = desk.submitted(anne)

        def either(turn, policy=made["id"]):
            if turn:
                return code(desk.as_customer(anne, "withdrawApplication", {"id": policy}))
            return code(desk.as_insurer("recordUnderwriting", {"id": policy, "outcome": "ACCEPT", "premium": 7}))

        accepted, withdrawn = at_once(either, 2)
        after = desk.seen(anne, made["id"])
        assert withdrawn == "Policy"
        assert after["status"] == "TERMINATED"
        assert (accepted, after["version"]) in (("Policy", 4), ("NOT_FOUND", 3))


def test_a_write_once_done_is_told_only_to_whom_the_policy_still_exists(desk, anne):
    made = desk.accepted(anne)
    paid = {"id": made["id"], **cover()}
    assert desk.as_insurer("recordPayment", paid) is None
    assert code(desk.as_insurer("recordPayment", {"id": made["id"]}, purpose="policy_service")) == "WRONG_STATUS"
    assert desk.as_insurer("recordPayment", paid)["code"] == "NOT_FOUND"


def test_a_strict_denial_of_what_is_shown_takes_the_draft_back(office, anne):
    document = (
        "mutation($input: DraftApplicationInput!) { draftApplication(input: $input)"
        " { ... on Policy { id insured { name } } } }"
    )
    before = office.rows("SELECT count(*) FROM policy")[0][0]
    given = {"input": application(beneficiaries=[beneficiary()])}
    headers = {"X_Authorization_Mode": "strict"}
    answer = office.post(document, given, token=anne.token, purpose="account_service", **headers)
    assert (answer.status_code, answer.json()["data"]) == (403, None)
    assert office.rows("SELECT count(*) FROM policy")[0][0] == before
