"""What a correction leaves behind: its history, sealed, and the organizations that have to be told (C64)."""

from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import pytest

from models.vocabulary import Category, Retention, to_bits
from tests.plain import by_id, lines
from tests.writing.applying import Desk
from tests.writing.conftest import row_id
from tests.writing.test_profile import CHILD, update
from vault.sealing import KeyCache, column_label, open_column

CORRECTIONS = "corrections { coordinate correctedAt recipients }"
NOW = datetime.now(UTC)


def corrections(office, person, token, purpose="account_service"):
    answer = office.post(
        f"query($id: ID!) {{ user(id: $id) {{ {CORRECTIONS} }} }}", {"id": person}, token=token, purpose=purpose
    ).json()
    return answer["data"]["user"]["corrections"]


def customers(office):
    rows = lines(office.plaintext)
    agreed = {link["child"] for link in rows["GuardianLink"]}
    return [one for one in rows["User"] if one["username"] and one["id"] not in agreed]


def applied(office, me, *, submitted=True):
    """An application to the first insurer by somebody, taken back."""
    desk = Desk(office)
    policy = (desk.submitted if submitted else desk.drafted)(me)
    assert desk.as_customer(me, "withdrawApplication", {"id": policy["id"]})["status"] == "TERMINATED"


def drafted(office, me):
    """An application to the first insurer that is a draft."""
    Desk(office).drafted(me)


def organization(office, code):
    return office.rows("SELECT id FROM organization WHERE code = $1", code)[0]["id"]


def consented(office, me, *, categories, purpose="marketing", recipient=None):
    """A consent, withdrawn since; its id."""
    consent, bits = uuid4(), to_bits({Category(one) for one in categories})
    office.execute(
        "INSERT INTO consent (id, person_id, purpose, recipient_id, categories, notice_version, notice_hash,"
        " granted_at, withdrawn_at) VALUES ($1, $2, $3, $4, $5, '1', '', $6, $6)",
        *(consent, me.person, purpose, recipient and organization(office, recipient), bits, NOW),
    )
    return consent


def verified(office, me):
    """A verification case that the service provider worked on; it is closed, and the work ended."""
    case, consent = uuid4(), consented(office, me, categories=("name",), purpose="verification")
    office.execute(
        "INSERT INTO verification_case (id, person_id, consent_id, opened_at, closed_at) VALUES ($1, $2, $3, $4, $4)",
        *(case, me.person, consent, NOW),
    )
    office.execute(
        "INSERT INTO assignment (id, organization_id, verification_case_id, assigned_at, ended_at)"
        " VALUES ($1, $2, $3, $4, $4)",
        *(uuid4(), organization(office, "SP01"), case, NOW),
    )


def disclosed(office, me, *, categories, approved=True):
    """A disclosure of some categories to the second insurer; its time is over."""
    case, bits = uuid4(), to_bits({Category(one) for one in categories})
    office.execute(
        "INSERT INTO disclosure_case (id, kind, purpose, recipient_id, authority, categories, approved_at, expires_at)"
        " VALUES ($1, 'subpoena', 'regulatory_disclosure', $2, 'court', $3, $4, $5)",
        *(case, organization(office, "INS02"), bits, NOW if approved else None, NOW),
    )
    office.execute(
        "INSERT INTO disclosure_person (id, case_id, person_id) VALUES ($1, $2, $3)", uuid4(), case, me.person
    )


def served(office, me):
    """A policy of the first insurer with a health service that ended, and with a claim that an adjuster looked into."""
    policy = row_id(Desk(office).in_force(me)["id"])
    office.execute(
        "INSERT INTO health_service (id, policy_id, provider_id, starts_at, ends_at) VALUES ($1, $2, $3, $4, $4)",
        *(uuid4(), policy, organization(office, "HP01"), NOW),
    )
    claim = uuid4()
    office.execute(
        "INSERT INTO claim (id, claim_number, policy_id, insurer_id, holder_id, insured_id, status, reported_at)"
        " SELECT $2, $3, id, insurer_id, holder_id, insured_id, 'CLOSED', $4 FROM policy WHERE id = $1",
        *(policy, claim, f"C{claim.hex[:20]}", NOW),
    )
    office.execute(
        "INSERT INTO assignment (id, organization_id, claim_id, assigned_at, ended_at) VALUES ($1, $2, $3, $4, $4)",
        *(uuid4(), organization(office, "LA01"), claim, NOW),
    )


def nothing(_office, _me):
    """Nothing at all."""


# By hand, from the matrix of what each kind of organization needs: what happened, what is corrected, who is told.
TOLD = [
    (nothing, "phone", ""),
    (drafted, "phone", ""),
    (applied, "phone", "INS01"),
    (applied, "nickname", ""),
    # That it was never submitted is not stored.
    (partial(applied, submitted=False), "phone", "INS01"),
    (verified, "phone", "SP01"),
    (verified, "address", ""),
    (partial(disclosed, categories=("phone", "profile")), "phone", "INS02"),
    (partial(disclosed, categories=("phone", "profile")), "nickname", "INS02"),
    (partial(disclosed, categories=("phone", "profile")), "address", ""),
    (partial(disclosed, categories=("phone",), approved=False), "phone", ""),
    (served, "phone", "HP01 INS01 LA01"),
    (served, "occupation", "INS01 LA01"),
    (served, "email", "INS01"),
    (served, "region", ""),
    (partial(consented, categories=("name", "phone"), recipient="AF01"), "phone", "AF01"),
    (partial(consented, categories=("name",), recipient="AF01"), "phone", ""),
    (partial(consented, categories=("name", "address"), recipient="AF01"), "address", ""),
]
BEFORE = {"address": "浙江省杭州市西湖区文三路1号", "occupation": "会计", "email": "zhang@example.com"}
AFTER = {"address": "北京市海淀区中关村大街2号", "occupation": "司机", "email": "li@example.com"}


def situation(one):
    happened = getattr(one, "func", one)
    return (
        None if not callable(one) else "-".join([happened.__name__, *map(str, getattr(one, "keywords", {}).values())])
    )


@pytest.mark.parametrize("happened, item, codes", TOLD, ids=situation)
def test_c64_recipients_are_those_who_may_have_had_the_very_datum(office, happened, item, codes):
    me = office.customer()
    happened(office, me)
    before = office.stored("User", me.person, owner=me.person)[item]
    if before is None:
        update(office, me.token, **{item: BEFORE.get(item, "one")})
    elsewhere = f"175{me.phone[3:]}" if item == "phone" else "two"
    assert update(office, me.token, **{item: AFTER.get(item, elsewhere)})["__typename"] == "User"
    found = corrections(office, me.id, me.token)[-1]
    names = {row["code"]: row["name"] for row in office.rows("SELECT code, name FROM organization")}
    assert (found["coordinate"], found["recipients"]) == (f"User.{item}", sorted(names[one] for one in codes.split()))


def test_c64_the_history_is_whole_in_order_and_sealed_under_the_persons_own_key(office):
    me = office.customer()
    for name in ("first", "second", "third"):
        update(office, me.token, nickname=name)
    rows = office.rows("SELECT * FROM correction WHERE person_id = $1 ORDER BY corrected_at", me.person)
    wrapped = office.rows(
        "SELECT wrapped FROM data_key WHERE person_id = $1 AND retention = $2", me.person, Retention.ACCOUNT
    )
    key = KeyCache(office.keyring).get(wrapped[0][0], person_id=me.person, retention=Retention.ACCOUNT)
    label = column_label("correction", "earlier_sealed")
    earlier = [open_column([row["earlier_sealed"]], [key], [row["id"].bytes], label=label)[0] for row in rows]
    assert earlier == ["first", "second"]
    shown = corrections(office, me.id, me.token)
    assert [one["correctedAt"] for one in shown] == sorted(one["correctedAt"] for one in shown)
    assert len(shown) == 2


def test_c64_a_guardian_sees_what_was_corrected_of_a_ward(office):
    child = office.customer()
    office.know(child.person, birthDate=CHILD, nickname="kid")
    mother, other = office.guardian(child.person), office.guardian()
    update(office, mother.token, user=child.id, nickname="big kid")
    assert [one["coordinate"] for one in corrections(office, child.id, mother.token)] == ["User.nickname"]
    answer = office.post(
        f"query($id: ID!) {{ user(id: $id) {{ {CORRECTIONS} }} }}",
        {"id": child.id},
        token=other.token,
        purpose="account_service",
    )
    assert answer.json()["data"]["user"] is None


def in_hand(office):
    """A privacy officer, and somebody with an account whose open request is theirs."""
    rows = lines(office.plaintext)
    requests, users = by_id(office.plaintext, "RightsRequest"), by_id(office.plaintext, "User")
    for work in rows["Assignment"]:
        request = requests.get(work["rightsRequest"])
        if request and request["closedAt"] is None and work["endedAt"] is None:
            user = users[request["user"]]
            if user["username"] and user in customers(office):
                return work["staff"], user
    raise AssertionError("nobody of the demo data asked for anything")


def test_c64_a_privacy_officer_sees_the_corrections_of_those_in_hand_for_their_request_only(office):
    officer, user = in_hand(office)
    own = office.token("customer", user=user["username"], purposes=["account_service"])
    update(office, own, region="海南")
    token = office.token("privacy_officer", user=officer, purposes=["rights_request"])
    assert "User.region" in [one["coordinate"] for one in corrections(office, user["id"], token, "rights_request")]
    others = {one["username"] for one in lines(office.plaintext)["Staff"] if one["role"] == "privacy_officer"}
    for other in others - {officer}:
        token = office.token("privacy_officer", user=other, purposes=["rights_request"])
        answer = office.post(
            f"query($id: ID!) {{ user(id: $id) {{ {CORRECTIONS} }} }}",
            {"id": user["id"]},
            token=token,
            purpose="rights_request",
        ).json()
        assert answer["data"]["user"] is None


@pytest.mark.parametrize(
    "role, purpose",
    [("customer_service", "policy_service"), ("claims_handler", "claim_handling"), ("risk_analyst", "security")],
)
def test_nobody_else_sees_what_was_corrected(office, role, purpose):
    user = customers(office)[0]
    own = office.token("customer", user=user["username"], purposes=["account_service"])
    update(office, own, region=f"region {role}")
    token = office.token(role, purposes=[purpose])
    answer = office.post("{ users(first: 90) { edges { node { id corrections { coordinate } } } } }", token=token)
    nodes = {edge["node"]["id"]: edge["node"] for edge in answer.json()["data"]["users"]["edges"]}
    assert nodes
    assert not any(node["corrections"] for node in nodes.values())


def test_c64_a_holder_does_not_see_what_an_insured_corrected(office):
    users = by_id(office.plaintext, "User")
    policy = next(
        one
        for one in lines(office.plaintext)["Policy"]
        if one["policyholder"] != one["insured"]
        and users[one["policyholder"]]["username"]
        and users[one["insured"]] in customers(office)
    )
    insured, holder = users[policy["insured"]], users[policy["policyholder"]]
    own = office.token("customer", user=insured["username"], purposes=["account_service"])
    update(office, own, region="西藏")
    assert corrections(office, insured["id"], own)
    token = office.token("customer", user=holder["username"], purposes=["account_service"])
    assert corrections(office, insured["id"], token) == []
    assert office.rows("SELECT FROM correction WHERE person_id = $1", row_id(insured["id"]))
