"""Whether the smallest whole population holds every situation, judged from its plain lines alone.

A checker of its own: it knows docs/plaintext.md and docs/decisions/001-situations.md, and shares no code with them.
"""

import csv
import io
import json
from collections import defaultdict
from functools import partial
from pathlib import Path

import pytest

from models.demo.plaintext import PlainLines
from models.demo.population import population
from models.demo.scenarios import MINIMUM_PEOPLE
from vault.blind import audience_id
from vault.keyring import generate

MATRIX = Path(__file__).parents[2] / "authz" / "data" / "necessity.csv"
ROWS = list(csv.DictReader(line for line in MATRIX.read_text().splitlines() if not line.startswith("#")))
CATEGORIES = [name for name in ROWS[0] if name not in {"role", "purpose", "relation", "basis", "clause"}]
PERSONAL, STAFF = {"customer", "guardian"}, {"broker_agent", "customer_service", "claims_handler", "risk_analyst"}
STAFF |= {"marketer", "privacy_officer"}

LIVE = {"IN_FORCE", "GRACE"}
APPLIED = {"SUBMITTED", "UNDERWRITING", "AWAITING_PAYMENT"}
OPEN = {"REPORTED", "MATERIALS_PENDING", "SUBMITTED", "REVIEWING", "INVESTIGATING", "APPROVED"}
CONTRACT_OPEN = {
    "application": APPLIED,
    "policy_service": LIVE,
    "service_message": LIVE,
    "account_service": LIVE,
}
NOW = "2026-11-22"

ALL = {"User", "Policy", "Beneficiary", "Claim", "Device"}
NOUNS = {
    ("customer", "holder_of"): ALL - {"Policy", "Device"},
    ("customer", "self"): ALL,
    ("guardian", "guardian_of"): ALL,
    ("broker_agent", "assigned"): {"User", "Policy", "Beneficiary"},
    ("customer_service", "any"): ALL - {"Device"},
    ("claims_handler", "assigned"): ALL - {"Device"},
    ("claims_handler", "any"): ALL - {"Device"},
    ("risk_analyst", "assigned"): {"User", "Policy", "Claim", "Beneficiary"},
    ("risk_analyst", "any"): {"User", "Device"},
    ("privacy_officer", "assigned"): ALL,
    ("insurer", "underwriter"): {"User", "Policy", "Beneficiary"},
    ("health_provider", "provider"): {"User", "Policy"},
    ("loss_adjuster", "assigned"): {"User", "Policy", "Claim"},
    ("service_provider", "assigned"): {"User", "Policy", "Claim"},
}
FIELDS = {
    "User": {
        "name": ["name"],
        "government_id": ["idNumber"],
        "demographic": ["gender", "birthDate"],
        "phone": ["phone"],
        "email": ["email"],
        "address": ["address"],
        "bank_account": ["bankCard"],
        "occupation": ["occupation"],
        "health": ["healthDeclaration"],
        "profile": ["region", "nickname"],
        "account": ["username"],
        "tag": ["tags"],
    },
    "Policy": {"financial": ["premium", "sumInsured"]},
    "Beneficiary": {"name": ["name"], "government_id": ["idNumber"], "phone": ["phone"]},
    "Claim": {
        "name": ["reporterName"],
        "phone": ["reporterPhone"],
        "incident": ["incidentDate", "incidentDescription"],
        "health": ["hospital", "diagnosis", "medicalRecord"],
        "expense": ["expenses"],
        "financial": ["amountClaimed"],
        "bank_account": ["bankCard"],
    },
    "Device": {"device": ["model", "ipAddress", "pushId", "lastSeenAt"]},
}


class World:
    def __init__(self, people):
        stream, keyring = io.StringIO(), generate()
        lines = PlainLines(stream)
        for batch in population(people, 1, audience=partial(audience_id, keyring)):
            lines.write(batch)
        self.rows = defaultdict(list)
        for text in stream.getvalue().splitlines():
            line = json.loads(text)
            self.rows[line["type"]].append(line)
        self.ids = {line["id"]: line for kind in self.rows for line in self.rows[kind]}
        self.left = {line["username"] for line in self.rows["Staff"] if line["leftAt"]}
        self.assigned = defaultdict(set)
        for line in self.rows["Assignment"]:
            target = next(
                line[name]
                for name in ("policy", "claim", "verificationCase", "rightsRequest", "disclosureCase")
                if line[name]
            )
            if line["endedAt"] is None:
                self.assigned[target].add(line["staff"] or line["organization"])

    def callers(self, role):
        if role == "guardian":
            return sorted({link["guardian"] for link in self.rows["GuardianLink"]})
        if role == "customer":
            return [account["user"] for account in self.rows["Account"] if account["user"]]
        if role in STAFF:
            names = [line["username"] for line in self.rows["Staff"] if line["role"] == role]
            return [name for name in names if name not in self.left]
        kind = role.upper()
        return [line["code"] for line in self.rows["Organization"] if line["kind"] == kind]


@pytest.fixture(scope="module")
def world():
    return World(MINIMUM_PEOPLE)


class Judge:
    """The situations of one caller under one purpose, for a person and a record."""

    def __init__(self, world, role, purpose, caller):
        self.world, self.role, self.purpose, self.caller = world, role, purpose, caller
        self.recipient = None if role in PERSONAL | STAFF else caller

    def ties(self, person, policy, target):
        """Relations of a policy, or of a claim or service on it."""
        found = set()
        if self.caller in self.world.assigned[target] and self.role not in PERSONAL:
            found.add("assigned")
        if self.role == "insurer" and policy["insurer"] == self.caller:
            found.add("underwriter")
        if self.role == "customer" and person == self.caller:
            found.add("self")
        if self.role == "customer" and policy["policyholder"] == self.caller != person:
            found.add("holder_of")
        if self.role == "guardian" and person in self.children():
            found.add("guardian_of")
        return found or {"none"}

    def children(self):
        return {
            link["child"]
            for link in self.world.rows["GuardianLink"]
            if link["guardian"] == self.caller
            and link["verifiedAt"]
            and not link["revokedAt"]
            and self.world.ids[link["child"]]["birthDate"] > "2014"
        }

    def policy_pairs(self, person, policy):
        if self.purpose == "claim_handling":
            claims = [claim for claim in self.world.rows["Claim"] if claim["policy"] == policy["id"]]
            return {pair for claim in claims for pair in self.claim_pairs(person, claim)}
        if self.purpose == "health_service":
            services = [one for one in self.world.rows["HealthService"] if one["policy"] == policy["id"]]
            return {self.service_pair(service) for service in services}
        statuses = CONTRACT_OPEN.get(self.purpose, set())
        if (self.role, self.purpose) == ("broker_agent", "application"):
            statuses = statuses | {"DRAFT"}
        basis = "contract_open" if policy["status"] in statuses else "none"
        return {(relation, basis) for relation in self.ties(person, policy, policy["id"])}

    def service_pair(self, service):
        running = service["startsAt"] < NOW and (service["endsAt"] is None or service["endsAt"] > NOW)
        relation = "provider" if service["provider"] == self.caller else "none"
        return relation, "contract_open" if running else "none"

    def claim_pairs(self, person, claim):
        policy = self.world.ids[claim["policy"]]
        if self.purpose != "claim_handling":
            return self.policy_pairs(person, policy)
        if claim["status"] == "DRAFT":
            return set()
        basis = "contract_open" if claim["status"] in OPEN else "none"
        return {(relation, basis) for relation in self.ties(person, policy, claim["id"])}

    def person_pairs(self, person, record, categories):
        """Cases, requests, consents, links and identity of the person; those that cover the record."""
        rows = self.world.rows
        pairs = set()
        if self.role == "customer" and person == self.caller:
            pairs.add(("self", "none"))
        if self.role == "guardian" and person in self.children():
            pairs.add(("guardian_of", "none"))
        for case in rows["VerificationCase"]:
            if case["user"] == person and self.covers(case, record):
                live = case["closedAt"] is None and self.purpose == "verification"
                live = live and self.consents(self.world.ids[case["consent"]], categories)
                pairs.add((self.assigned(case), "consent" if live else "none"))
        for consent in rows["Consent"]:
            if consent["user"] == person:
                audience = consent["purpose"] == "MARKETING" and consent["recipient"] == self.recipient
                live = consent["purpose"].lower() == self.purpose and self.consents(consent, categories)
                pairs.add(("audience" if audience else "none", "consent" if live else "none"))
        return pairs | self.request_pairs(person) | self.disclosure_pairs(person, categories)

    def request_pairs(self, person):
        pairs = set()
        for request in self.world.rows["RightsRequest"] if self.purpose == "rights_request" else ():
            if request["user"] == person:
                basis = "none" if request["closedAt"] else "request"
                pairs.add((self.assigned(request), basis))
                if self.role == "guardian" and request["requester"] == self.caller and person in self.children():
                    pairs.add(("guardian_of", basis))
        return pairs

    def disclosure_pairs(self, person, categories):
        pairs = set()
        for case in self.world.rows["DisclosureCase"]:
            if person in case["users"]:
                live = case["approvedAt"] and not case["closedAt"] and case["expiresAt"] > NOW
                live = live and case["purpose"].lower() == self.purpose and case["recipient"] == self.recipient
                live = live and categories <= set(case["categories"])
                pairs.add((self.assigned(case), "exception" if live else "none"))
        return pairs

    def assigned(self, case):
        return "assigned" if self.caller in self.world.assigned[case["id"]] else "none"

    def covers(self, case, record):
        if record["type"] in {"User", "Device"}:
            return True
        claim = self.world.ids.get(case["claim"])
        return claim is not None and record["id"] in {claim["id"], claim["policy"]} | {
            one["id"] for one in self.world.rows["Beneficiary"] if one["policy"] == claim["policy"]
        }

    def consents(self, consent, categories):
        return (
            consent["withdrawnAt"] is None
            and (consent["expiresAt"] is None or consent["expiresAt"] > NOW)
            and consent["recipient"] == self.recipient
            and categories <= set(consent["categories"])
        )

    def pairs(self, record, categories):
        person = self.subject(record)
        pairs = self.person_pairs(person, record, categories)
        match record["type"]:
            case "Policy":
                pairs |= self.policy_pairs(person, record)
            case "Beneficiary":
                pairs |= self.policy_pairs(person, self.world.ids[record["policy"]])
            case "Claim":
                pairs |= self.claim_pairs(person, record)
            case _:
                for policy in self.world.rows["Policy"]:
                    if person in {policy["policyholder"], policy["insured"]}:
                        pairs |= self.policy_pairs(person, policy)
        return pairs or {("none", "none")}

    def subject(self, record):
        match record["type"]:
            case "User":
                return record["id"]
            case "Device":
                return record["user"]
            case "Policy":
                return record["policyholder"]
            case "Claim":
                return self.world.ids[record["policy"]]["insured"]
        return record["person"] if record["personVerifiedAt"] else None


def fits(row, pairs):
    return any(row["relation"] in {"any", relation} and row["basis"] in {"any", basis} for relation, basis in pairs)


def only(row, pairs):
    """The row holds, and no other of its role and purpose but those that `any` makes of it."""
    others = (other for other in ROWS if other is not row and fits(other, pairs))
    return fits(row, pairs) and not [
        other
        for other in others
        if (other["role"], other["purpose"]) == (row["role"], row["purpose"])
        and not (other["relation"] in {"any", row["relation"]} and other["basis"] in {"any", row["basis"]})
    ]


def granted(row):
    return [category for category in CATEGORIES if row[category] != "-"]


def filled(world, row, record):
    fields = FIELDS[record["type"]]
    for category in granted(row):
        if category == "relay" and record["type"] == "User":
            organization = None if row["role"] in PERSONAL | STAFF else row["caller"]
            if not has_relay(world, record["id"], organization):
                return False
        if not all(record[name] is not None for name in fields.get(category, ())):
            return False
    return True


def has_relay(world, person, organization):
    return any(
        phone["user"] == person and phone["organization"] == organization and phone["endedAt"] is None
        for phone in world.rows["VirtualPhone"]
    )


def nouns(row):
    found = NOUNS.get((row["role"], row["relation"]), {"User"})
    if row["role"] == "insurer" and row["purpose"] == "claim_handling":
        return found | {"Claim"}
    if row["role"] == "affiliate":
        return {"User"}
    return found


def found_for(world, row, caller):
    judge = Judge(world, row["role"], row["purpose"], caller)
    categories = {category.upper() for category in granted(row)}
    found = set()
    for noun in nouns(row):
        for record in world.rows[noun]:
            if record.get("status") == "DRAFT" and noun == "Claim":
                continue
            if only(row, judge.pairs(record, categories)) and filled(world, row | {"caller": caller}, record):
                found.add(noun)
                break
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(list(row.values())[:4]))
def test_one_caller_finds_every_noun_of_the_row(world, row):
    best = max((found_for(world, row, caller) for caller in world.callers(row["role"])), key=len)
    assert best == nouns(row)
