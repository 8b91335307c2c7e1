"""A row says exactly who had what revealed: compared, person by person, with the answer and the data in the clear."""

import json

import pytest

from authz.vocabulary import DataSubject
from ledger.rows import decided
from models.global_ids import from_global
from models.vocabulary import Category
from schema.build import build_catalogue, build_schema
from tests.plain import OPEN_CLAIM, OPEN_POLICY, by_id
from tests.recorded import ROW, as_owner, said, unwritable
from tests.rules import default_snapshot

USER = "__typename id name idNumber gender birthDate phone email address bankCard occupation healthDeclaration region"
BENEFICIARIES = "beneficiaries { __typename id name idNumber phone }"
POLICY = f"__typename id premium sumInsured policyholder {{ {USER} }} insured {{ {USER} tags username }}"
CLAIM = (
    "__typename id reporterName reporterPhone incidentDate incidentDescription hospital diagnosis medicalRecord"
    " expenses amountClaimed amountPaid bankCard"
)
DOCUMENTS = {
    "claims": f"{{ claims(first: 20) {{ edges {{ node {{ {CLAIM} policy {{ {POLICY} {BENEFICIARIES} }} }} }} }} }}",
    "policies": f"{{ policies(first: 15) {{ edges {{ node {{ {POLICY} {BENEFICIARIES}"
    f" claims(first: 5) {{ edges {{ node {{ {CLAIM} }} }} }} }} }} }} }}",
    "users": f"{{ users(first: 15) {{ edges {{ node {{ {USER} nickname devices {{ edges {{ node {{ __typename id model"
    " ipAddress } } } } } } }",
    "viewer": f"{{ viewer {{ user {{ {USER} policies(first: 5) {{ edges {{ node {{ {POLICY} }} }} }} }} }} }}",
}
CALLERS = {
    "handler": ({"role": "claims_handler", "user": "handler01"}, "claim_handling"),
    "service": ({"role": "customer_service", "user": "service01"}, "policy_service"),
    "insurer's claims": ({"role": "insurer", "org": "INS01"}, "claim_handling"),
    "insurer's policies": ({"role": "insurer", "org": "INS01"}, "policy_service"),
    "adjuster": ({"role": "loss_adjuster", "org": "LA01"}, "claim_handling"),
    "provider": ({"role": "health_provider", "org": "HP01"}, "health_service"),
    "analyst": ({"role": "risk_analyst", "user": "risk01"}, "verification"),
    "officer": ({"role": "privacy_officer", "user": "privacy01"}, "rights_request"),
    "discloser": ({"role": "privacy_officer", "user": "privacy01"}, "regulatory_disclosure"),
    "agent": ({"role": "broker_agent", "user": "agent01"}, "policy_service"),
}
CATALOGUE = build_catalogue(build_schema())


def uuid(global_id):
    return from_global(global_id)[1]


class Plain:
    """The data in the clear, and whose datum each field is by them."""

    def __init__(self, path):
        self._path = path

    def row(self, kind, global_id):
        return by_id(self._path, kind)[global_id]

    def person(self, kind, row, of):
        policy = row if kind == "Policy" else self.row("Policy", row["policy"]) if "policy" in row else None
        if of is DataSubject.USER:
            return str(uuid(row["id"] if kind == "User" else row["user"]))
        if of in (DataSubject.HOLDER, DataSubject.INSURED):
            return str(uuid(policy["policyholder" if of is DataSubject.HOLDER else "insured"]))
        word = {DataSubject.BENEFICIARY: "person", DataSubject.REPORTER: "reporter", DataSubject.PAYEE: "payee"}[of]
        if row[f"{word}VerifiedAt"]:
            return str(uuid(row[word]))
        return f"{of.value.lower()} {uuid(row['id']).hex}"


def shown(plain, answer):
    """(coordinate, effect, person) of every sensitive cell; those whose stored value is null apart."""
    certain, nulls = set(), set()
    waiting = [answer]
    while waiting:
        one = waiting.pop()
        waiting.extend(one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
        kind = one.get("__typename") if isinstance(one, dict) else None
        for name, value in one.items() if kind else ():
            coordinate = CATALOGUE.get(f"{kind}.{name}")
            if coordinate is None:
                continue
            row = plain.row(kind, one["id"])
            person = plain.person(kind, row, coordinate.of)
            if row.get(name) is None:
                nulls.add((coordinate.name, person))
            else:
                effect = "DENY" if value is None else "REVEAL" if value == row[name] else "MASK"
                certain.add((coordinate.name, effect, person))
    return certain, nulls


def recorded(server, body):
    """What the row says: (coordinate, effect, person), and of what was revealed (coordinate, person, record)."""
    (row,) = said(as_owner(server, lambda owner: owner.fetch(ROW, body["extensions"]["authorization"]["decisionId"])))
    found = as_owner(server, lambda owner: owner.fetch("SELECT reference, person_id FROM person_reference"))
    people = {one["reference"]: str(one["person_id"]) for one in found}
    decisions, witnessed = set(), set()
    for entry, of in decided(row):
        for person, record in of:
            whom = person if isinstance(person, str) else people[person]
            decisions.update((coordinate, entry.effect, whom) for coordinate in entry.coordinates)
            if entry.effect == "REVEAL":
                witnessed.update((coordinate, whom, record) for coordinate in entry.coordinates)
    return row, decisions, witnessed


@pytest.mark.parametrize("noun", [name for name in DOCUMENTS if name != "viewer"])
@pytest.mark.parametrize("caller", CALLERS)
def test_a_row_names_exactly_the_persons_of_whom_each_field_was_shown_or_denied(server, caller, noun):
    who, purpose = CALLERS[caller]
    body = server.post(DOCUMENTS[noun], token=server.token(**who, purposes=[purpose])).json()
    certain, nulls = shown(Plain(server.plaintext), body["data"])
    _, decisions, _ = recorded(server, body)
    assert certain <= decisions
    beyond = {(coordinate, person) for coordinate, _, person in decisions - certain}
    assert beyond <= nulls, "nobody and nothing that was not in the answer"


def test_a_customers_row_names_the_customer_and_those_insured_by_them(server, username):
    token = server.token("customer", user=username, purposes=["account_service"])
    body = server.post(DOCUMENTS["viewer"], token=token).json()
    certain, nulls = shown(Plain(server.plaintext), body["data"])
    _, decisions, _ = recorded(server, body)
    assert certain <= decisions
    assert {(coordinate, person) for coordinate, _, person in decisions - certain} <= nulls


@pytest.fixture
def username(server):
    holders = {row["policyholder"] for row in by_id(server.plaintext, "Policy").values()}
    users = by_id(server.plaintext, "User")
    return next(users[one]["username"] for one in sorted(holders) if users[one].get("username"))


@pytest.mark.parametrize("caller, noun, statuses", [
    ("insurer's claims", "claims", OPEN_CLAIM), ("insurer's policies", "policies", OPEN_POLICY),
])  # fmt: skip
def test_what_was_revealed_to_a_partner_was_witnessed_by_a_record_that_opens_it(server, caller, noun, statuses):
    who, purpose = CALLERS[caller]
    body = server.post(DOCUMENTS[noun], token=server.token(**who, purposes=[purpose])).json()
    _, _, witnessed = recorded(server, body)
    policies = {uuid(row["id"]).hex: row for row in by_id(server.plaintext, "Policy").values()}
    claims = {uuid(row["id"]).hex: row for row in by_id(server.plaintext, "Claim").values()}
    beneficiaries = by_id(server.plaintext, "Beneficiary").values()
    assert {row["status"] for row in claims.values()} - statuses
    assert witnessed
    for coordinate, person, record in witnessed:
        letter, row_id = record[0], record[1:]
        row = (claims if letter == "c" else policies)[row_id]
        policy = policies[uuid(row["policy"]).hex] if letter == "c" else row
        assert policy["insurer"] == "INS01"
        # Names and sums are an underwriter's whatever the claim's state (necessity.csv).
        assert row["status"] in statuses or CATALOGUE[coordinate].category in (Category.NAME, Category.FINANCIAL)
        whose = {str(uuid(policy["policyholder"])), str(uuid(policy["insured"]))}
        named = {Plain(server.plaintext).person("Beneficiary", one, DataSubject.BENEFICIARY)
                 for one in beneficiaries if one["policy"] == policy["id"]}  # fmt: skip
        if letter == "c":
            named |= {Plain(server.plaintext).person("Claim", row, of)
                      for of in (DataSubject.REPORTER, DataSubject.PAYEE)}  # fmt: skip
            named |= {f"{word} {uuid(one['id']).hex}" for one in claims.values()
                      if one["policy"] == policy["id"] for word in ("reporter", "payee")}  # fmt: skip
        assert person in whose | named


def test_an_id_that_does_not_exist_for_the_caller_is_counted_and_not_named(server):
    token = server.token("insurer", org="INS01", purposes=["claim_handling"])
    foreign = next(row["id"] for row in by_id(server.plaintext, "Policy").values() if row["insurer"] != "INS01")
    document = f'{{ a: policy(id: "{foreign}") {{ id premium }} b: policy(id: "{foreign}") {{ premium }} }}'
    row, decisions, _ = recorded(server, server.post(document, token=token).json())
    assert (row["misses"], decisions) == (2, set())
    assert uuid(foreign).hex not in json.dumps(row).replace("-", "")


def test_a_row_says_by_which_rules_and_how_the_token_narrowed(server):
    token = server.token("insurer", org="INS01", purposes=["claim_handling"], categories=["name"])
    row, _, _ = recorded(server, server.post(DOCUMENTS["claims"], token=token).json())
    ruleset = default_snapshot(build_schema()).ruleset
    assert (row["ruleset"], row["digest"]) == (ruleset.number, ruleset.digest)
    assert row["scope"] == {"categories": 1}
    assert {reason for _, effect, reason, *_ in row["entries"] if effect == "DENY"} >= {"TOKEN_SCOPE"}


@pytest.fixture
def desk(server):
    """Customer service, who may look people up."""
    return server.token("customer_service", user="service01", purposes=["policy_service"])


def test_who_is_found_by_a_full_number_is_named_and_who_is_not_is_counted(server, desk):
    policy = next(iter(by_id(server.plaintext, "Policy").values()))
    user = by_id(server.plaintext, "User")[policy["policyholder"]]
    document = "query($phone: String) { users(phone: $phone) { totalCount } }"
    found = server.post(document, {"phone": user["phone"]}, token=desk).json()
    row, _, _ = recorded(server, found)
    assert found["data"]["users"]["totalCount"] == 1
    assert [entry[:3] for entry in row["entries"]] == [[["User.phone"], "FOUND", None]]
    _, decisions, _ = recorded(server, found)
    assert decisions == {("User.phone", "FOUND", str(uuid(user["id"])))}
    nobody = server.post(document, {"phone": "13900000000"}, token=desk).json()
    row, decisions, _ = recorded(server, nobody)
    assert (nobody["data"]["users"]["totalCount"], row["misses"], decisions) == (0, 1, set())


def test_nobody_is_found_whom_no_row_names(server, desk):
    user = by_id(server.plaintext, "User")[next(iter(by_id(server.plaintext, "Policy").values()))["policyholder"]]
    document = "query($phone: String) { users(phone: $phone) { totalCount edges { node { id } } } }"
    with unwritable(server):
        response = server.post(document, {"phone": user["phone"]}, token=desk)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
    assert "data" not in response.json()
