"""A whole application and a whole claim, played over HTTP by four people, each with a token of their own."""

import secrets
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from tests.writing.applying import TODAY, beneficiary, cover, id_number
from tests.writing.conftest import Office

POLICY = "... on Policy { id status version startsOn endsOn premium }"
CLAIM = "... on Claim { id state: status version requestedItems amountPaid }"
HAPPENED = TODAY.isoformat()


@dataclass(frozen=True, repr=False)
class Actor:
    """Somebody who takes part, with a token and a purpose."""

    office: Office
    token: str
    purpose: str

    def writes(self, mutation: str, **given: Any) -> Any:
        """What a mutation answers: the same when it is asked for again under its key, whatever became of its row."""
        show = CLAIM if "Claim" in mutation or mutation == "requestMaterials" else POLICY
        sent = {"token": self.token, "purpose": self.purpose, "show": show, "Idempotency_Key": secrets.token_urlsafe(8)}
        answer, again = (self.office.write(mutation, given, **sent) for _ in range(2))
        assert again == answer
        return answer

    def reads(self, noun: str, row: str, fields: str) -> Any:
        """A policy or claim as this actor sees it; null if it does not exist for them."""
        document = f"query($id: ID!) {{ {noun}(id: $id) {{ {fields} }} }}"
        answer = self.office.post(document, {"id": row}, token=self.token, purpose=self.purpose).json()
        return answer["data"][noun]

    def me(self) -> str:
        """The id of the actor's own User."""
        answer = self.office.post("{ viewer { user { id } } }", token=self.token, purpose=self.purpose).json()
        found: str = answer["data"]["viewer"]["user"]["id"]
        return found


@dataclass(frozen=True)
class Company:
    """The four of the stories, and the agent's and the insurer's other hats."""

    customer: Actor
    agent: Actor
    underwriter: Actor
    policy_desk: Actor
    handler: Actor
    adjuster: Actor
    claims_desk: Actor


@pytest.fixture(scope="module")
def company(office):
    def staff(role, name, purpose):
        return Actor(office, office.token(role, user=name, purposes=[purpose]), purpose)

    def partner(role, code, purpose):
        return Actor(office, office.token(role, org=code, purposes=[purpose]), purpose)

    return Company(
        customer=Actor(office, office.customer().token, "account_service"),
        agent=staff("broker_agent", "agent01", "application"),
        underwriter=partner("insurer", "INS01", "application"),
        policy_desk=partner("insurer", "INS01", "policy_service"),
        handler=staff("claims_handler", "handler01", "claim_handling"),
        adjuster=partner("loss_adjuster", "LA01", "claim_handling"),
        claims_desk=partner("insurer", "INS01", "claim_handling"),
    )


@pytest.fixture(scope="module")
def running_policy(company):
    """The first story; the second one claims on what comes of it."""
    customer, agent, insurer = company.customer, company.agent, company.underwriter

    # The customer begins, names an agent, and says what an agent never learns: how healthy they are.
    number = id_number(date(1990, 6, 1))
    draft = customer.writes(
        "draftApplication",
        productCode="INS01-ACC",
        agent="agent01",
        policyholder={"details": {"name": "陈静", "idNumber": number, "occupation": "教师"}},
        insured={"id": customer.me(), "details": {"healthDeclaration": "健康，无既往病史"}},
    )
    policy = draft["id"]
    assert (draft["status"], draft["version"]) == ("DRAFT", 1)
    assert insurer.reads("policy", policy, "id") is None, "a draft is nobody's business yet"

    # Too early: what is missing is named, item by item, each with its clause.
    early = customer.writes("submitApplication", id=policy)
    assert (early["code"], early["clause"]) == ("ITEM_MISSING", "C04")
    assert {one["field"] for one in early["items"]} >= {"policyholder.details.address", "sumInsured"}
    assert early["consequence"]

    # The agent sees the ID number masked and no word about health, and adds what is missing.
    seen = agent.reads("policy", policy, "version policyholder { name idNumber phone } insured { healthDeclaration }")
    assert seen["policyholder"]["name"] == "陈静"
    assert (seen["policyholder"]["idNumber"][0], "*" in seen["policyholder"]["idNumber"]) == (number[0], True)
    assert seen["insured"]["healthDeclaration"] is None
    refused = agent.writes("draftApplication", id=policy, insured={"details": {"healthDeclaration": "健康"}})
    assert (refused["code"], refused["field"]) == ("WRITE_DENIED", "insured.details.healthDeclaration")
    completed = agent.writes(
        "draftApplication",
        id=policy,
        ifVersion=seen["version"],
        policyholder={
            "details": {
                "address": "上海市浦东新区世纪大道一百号",
                "bankCard": "6222020200112230",
                "email": "chenjing@example.com",
            }
        },
        beneficiaries=[beneficiary("60"), beneficiary("40", relation="SPOUSE")],
        sumInsured="500000",
    )
    assert (completed["status"], completed["version"]) == ("DRAFT", 2)

    # The customer submits; the insurer underwrites and sees what the matrix says, the ID number in full.
    assert customer.writes("submitApplication", id=policy, ifVersion=2)["status"] == "SUBMITTED"
    examined = insurer.reads(
        "policy",
        policy,
        "policyholder { idNumber bankCard } insured { healthDeclaration } beneficiaries { name share }",
    )
    assert examined["policyholder"] == {"idNumber": number, "bankCard": "6222020200112230"}
    assert examined["insured"] == {"healthDeclaration": "健康，无既往病史"}
    assert sorted(one["share"] for one in examined["beneficiaries"]) == ["40.00", "60.00"]
    assert insurer.writes("recordUnderwriting", id=policy, outcome="BEGIN")["status"] == "UNDERWRITING"
    accepted = insurer.writes("recordUnderwriting", id=policy, outcome="ACCEPT", premium="1280.50")
    assert (accepted["status"], accepted["premium"]) == ("AWAITING_PAYMENT", "1280.50")

    # It is paid, and with that no application any more: the insurer goes on under another purpose.
    assert insurer.writes("recordPayment", id=policy, **cover()) is None
    assert insurer.reads("policy", policy, "id") is None
    assert company.policy_desk.reads("policy", policy, "status insured { healthDeclaration }") == {
        "status": "IN_FORCE",
        "insured": {"healthDeclaration": None},
    }
    return policy


def test_an_application_from_the_first_word_to_the_policy_in_force(company, running_policy):
    seen = company.customer.reads("policy", running_policy, "status startsOn premium policyholder { bankCard }")
    assert (seen["status"], seen["startsOn"], seen["premium"]) == ("IN_FORCE", cover()["startsOn"], "1280.50")
    assert "*" in seen["policyholder"]["bankCard"]


def test_a_claim_from_the_report_to_the_payment(company, running_policy):
    customer, handler, insurer = company.customer, company.handler, company.claims_desk

    # The customer begins a claim and reports it too early.
    draft = customer.writes("draftClaim", policy=running_policy, incidentDate=HAPPENED, hospital="上海市第一人民医院")
    claim = draft["id"]
    assert draft["state"] == "DRAFT"
    assert handler.reads("claim", claim, "id") is None
    early = customer.writes("submitClaim", id=claim)
    assert early["code"] == "ITEM_MISSING"
    assert {"diagnosis", "bankCard", "expenses"} <= {one["field"] for one in early["items"]}

    # A card's verification code is never collected, wherever it is written.
    never = customer.writes("draftClaim", id=claim, incidentDescription="摔倒。卡的 CVV 是 123")
    assert (never["code"], never["field"]) == ("NEVER_COLLECTED", "incidentDescription")
    completed = customer.writes(
        "draftClaim",
        id=claim,
        incidentDescription="骑车时摔倒，右手撑地",
        occupation="教师",
        bankCard="6222020200112230",
        diagnosis="右桡骨远端骨折",
        medicalRecord="门诊号 20331",
        expenses="4200.00",
        amountClaimed="4000.00",
    )
    assert completed["state"] == "DRAFT"
    assert customer.writes("submitClaim", id=claim)["state"] == "REPORTED"

    # A handler takes it: before, little is to be seen of it; afterwards what handling it needs.
    before = handler.reads("claim", claim, "diagnosis policy { policyholder { name } }")
    assert before == {"diagnosis": None, "policy": {"policyholder": {"name": "陈*"}}}
    assert handler.writes("assignClaim", id=claim, handler="handler01")["state"] == "REVIEWING"
    taken = handler.reads("claim", claim, "diagnosis bankCard policy { policyholder { name } }")
    assert (taken["diagnosis"], taken["policy"]["policyholder"]["name"]) == ("右桡骨远端骨折", "陈静")
    assert "*" in taken["bankCard"]

    # The handler asks for more, the customer adds it.
    asked = handler.writes("requestMaterials", id=claim, items=["MEDICAL_RECORD"])
    assert (asked["state"], asked["requestedItems"]) == ("MATERIALS_PENDING", ["medicalRecord"])
    assert customer.writes("submitClaim", id=claim)["code"] == "ITEM_MISSING"
    customer.writes("draftClaim", id=claim, medicalRecord="住院号 7731；X 光片 2 张")
    handed_in = customer.writes("submitClaim", id=claim)
    assert (handed_in["state"], handed_in["requestedItems"]) == ("SUBMITTED", [])

    # A loss adjuster looks into it, and sees it only now.
    assert handler.writes("assignClaim", id=claim, handler="handler01")["state"] == "REVIEWING"
    assert company.adjuster.reads("claim", claim, "id") is None
    assert handler.writes("assignClaim", id=claim, lossAdjuster="LA01")["state"] == "INVESTIGATING"
    assert company.adjuster.reads("claim", claim, "incidentDescription") == {
        "incidentDescription": "骑车时摔倒，右手撑地"
    }

    # The insurer decides, it is paid, and the handler closes it.
    assert handler.writes("recordClaimDecision", id=claim, decision="APPROVE")["code"] == "WRITE_DENIED"
    assert insurer.writes("recordClaimDecision", id=claim, decision="APPROVE")["state"] == "APPROVED"
    assert insurer.writes("recordClaimPayment", id=claim, amount="3800.00")["state"] == "PAID"
    assert handler.writes("closeClaim", id=claim)["state"] == "CLOSED"
    assert customer.reads("claim", claim, "status amountPaid") == {"status": "CLOSED", "amountPaid": "3800.00"}
    assert insurer.reads("claim", claim, "diagnosis")["diagnosis"] is None, "what is over is seen no more"
