"""A token narrowed to policies or products, over real data: nothing else exists for it, nor witnesses for it."""

from dataclasses import replace
from types import SimpleNamespace
from uuid import UUID

import pytest

from authz.caveats import OnlyPolicies, OnlyProducts
from authz.compile import compile_ruleset
from authz.default_rules import RULES
from authz.rules import make_ruleset, parse_rule, read_budgets, read_rules
from models.global_ids import NodeType, to_global
from schema.build import build_catalogue, build_schema
from tests.inprocess import effects, handler, in_process, reasons
from tests.plain import OPEN_POLICY, by_id, claims_of, lines

NO_SUCH = "P-0000000000"
PERSON = "name idNumber phone address birthDate"
PAGE = f"""{{ policies(first: 30) {{ totalCount edges {{ node {{ policyNumber premium policyholder {{ {PERSON} }}
  beneficiaries {{ name }} claims(first: 5) {{ totalCount edges {{ node {{ claimNumber diagnosis }} }} }} }} }} }}
  claims(first: 30) {{ totalCount edges {{ node {{ claimNumber diagnosis policy {{ policyNumber }} }} }} }}
  users(first: 30) {{ totalCount edges {{ node {{ id {PERSON} policies(first: 9) {{ totalCount edges {{ node
  {{ policyNumber }} }} }} }} }} }} }}"""


@pytest.fixture(scope="module")
def asked(server):
    with in_process(server) as found:
        yield found


def policies(server):
    return sorted(lines(server.plaintext)["Policy"], key=lambda one: one["policyNumber"])


def only(*chosen):
    return OnlyPolicies(tuple(one["policyNumber"] for one in chosen))


def numbers(data) -> set[str]:
    """The numbers of the policies that stand anywhere in an answer."""
    if isinstance(data, list):
        return set().union(*map(numbers, data)) if data else set()
    if isinstance(data, dict):
        own = {data["policyNumber"]} if data.get("policyNumber") else set()
        return own.union(*map(numbers, data.values()))
    return set()


# One policy, some products.

PARTNERS = [
    ("insurer", "INS01", "application"),
    ("insurer", "INS01", "policy_service"),
    ("insurer", "INS01", "claim_handling"),
    ("health_provider", "HP01", "health_service"),
    ("loss_adjuster", "LA01", "claim_handling"),
    ("service_provider", "SP01", "verification"),
    ("affiliate", "AF01", "verification"),
]


@pytest.mark.parametrize("role, org, purpose", PARTNERS)
def test_a_partner_narrowed_to_a_policy_is_shown_nothing_that_it_was_not_shown_before(
    server, asked, role, org, purpose
):
    wide = asked.subject(role, org=org, purposes=[purpose])
    before = asked.body(wide, PAGE)["data"]
    seen = numbers(before) or {one["policyNumber"] for one in policies(server)}
    checked = 0
    for policy in [one for one in policies(server) if one["policyNumber"] in seen][:8]:
        parties = {policy["policyholder"], policy["insured"]}
        for caveat in (only(policy), OnlyProducts((policy["product"],))):
            found = asked.body(replace(wide, caveats=(caveat,)), PAGE)["data"]
            if isinstance(caveat, OnlyPolicies):
                assert numbers(found) <= {policy["policyNumber"]}
                assert {edge["node"]["id"] for edge in found["users"]["edges"]} <= parties
                assert found["policies"]["totalCount"] <= 1
                checked += len(found["users"]["edges"])
            else:
                products = {one["policyNumber"] for one in policies(server) if one["product"] == policy["product"]}
                assert numbers(found) <= products
            people = {edge["node"]["id"]: edge["node"] for edge in before["users"]["edges"]}
            for edge in found["users"]["edges"]:
                wider = people.get(edge["node"]["id"], {})
                assert all(edge["node"][name] in (None, wider.get(name)) for name in PERSON.split() if wider)
    assert checked


def test_a_live_policy_outside_the_token_opens_nothing_for_the_lapsed_one_inside(server, asked):
    checked = 0
    document = f"query($id: ID!) {{ user(id: $id) {{ {PERSON} policies(first: 9) {{ totalCount }} }} }}"
    for lapsed in policies(server):
        holder, insurer = lapsed["policyholder"], lapsed["insurer"]
        live = [
            one
            for one in policies(server)
            if holder in (one["policyholder"], one["insured"])
            and one["insurer"] == insurer
            and one["status"] in OPEN_POLICY
        ]
        if lapsed["status"] != "LAPSED" or not live:
            continue
        wide = asked.subject("insurer", org=insurer, purposes=["policy_service"])
        assert asked.body(wide, document, {"id": holder})["data"]["user"]["name"]
        narrow = asked.body(replace(wide, caveats=(only(lapsed),)), document, {"id": holder})
        assert not any(narrow["data"]["user"][name] for name in PERSON.split())
        assert narrow["data"]["user"]["policies"]["totalCount"] == 1
        assert reasons(narrow)["User.name"] == {"RELATION"}
        both = asked.body(replace(wide, caveats=(only(lapsed, live[0]),)), document, {"id": holder})
        assert both["data"]["user"]["name"]
        checked += 1
    assert checked


def answered(body):
    """All of an answer but what differs from one operation to the next."""
    body.get("extensions", {}).get("authorization", {}).pop("decisionId", None)
    return body


@pytest.mark.parametrize(
    "declared, selection",
    [
        ("$id: ID!", "node(id: $id) { ... on Policy { policyNumber premium } }"),
        ("$id: ID!", "policy(id: $id) { policyNumber claims { totalCount } }"),
        ("$id: ID!", "beneficiaries(policy: $id) { totalCount edges { node { name relation } } }"),
        ("$number: String!", "policies(policyNumber: $number) { totalCount edges { cursor node { premium } } }"),
        ("$number: String!", "policies(policyNumber: $number, last: 5) { pageInfo { startCursor hasPreviousPage } }"),
        (
            "$claim: String!",
            "claims(claimNumber: $claim) { totalCount edges { node { diagnosis policy { premium } } } }",
        ),
    ],
)
def test_another_policy_is_answered_as_one_that_does_not_exist(server, asked, declared, selection):
    document, name = f"query({declared}) {{ {selection} }}", declared[1:].split(":")[0]
    described = {one["policy"] for one in lines(server.plaintext)["Beneficiary"]}
    inside, outside = [
        one for one in policies(server) if one["id"] in described and claims_of(server.plaintext, one["id"])
    ][:2]
    own, other = ({name: _named(server, one)[name]} for one in (inside, outside))
    no_such = {"id": to_global(NodeType.POLICY, UUID(int=7)), "number": NO_SUCH, "claim": "C-0000000000"}
    narrow = handler(asked, only(inside))
    nothing = answered(asked.body(narrow, document, {name: no_such[name]}))
    assert answered(asked.body(narrow, document, other)) == nothing
    assert answered(asked.body(narrow, document, own)) != nothing
    assert answered(asked.body(handler(asked), document, other)) != nothing


def _named(server, policy):
    claim = claims_of(server.plaintext, policy["id"])[0]
    return {"id": policy["id"], "number": policy["policyNumber"], "claim": claim["claimNumber"]}


def test_a_cursor_of_a_wide_token_leads_a_narrow_one_to_its_own_rows_only(server, asked):
    wide = handler(asked)
    first = "{ policies(first: 5) { edges { cursor node { policyNumber } } } }"
    edges = asked.body(wide, first)["data"]["policies"]["edges"]
    chosen = [one for one in policies(server) if one["policyNumber"] == edges[0]["node"]["policyNumber"]]
    chosen.append(policies(server)[-1])
    document = """query($after: String) { policies(first: 5, after: $after) { totalCount
      pageInfo { hasNextPage hasPreviousPage } edges { node { policyNumber } } } }"""
    found = asked.body(handler(asked, only(*chosen)), document, {"after": edges[3]["cursor"]})["data"]["policies"]
    assert numbers(found) == {policies(server)[-1]["policyNumber"]}
    assert found["totalCount"] == 2
    assert found["pageInfo"] == {"hasNextPage": False, "hasPreviousPage": True}


def test_a_case_about_a_claim_outside_the_token_opens_nothing(server, asked):
    """A risk analyst's case on one policy's claim does not show its person through another policy."""
    by_claim = by_id(server.plaintext, "Claim")
    document = "query($id: ID!) { user(id: $id) { name } }"
    checked = 0
    staff = by_id(server.plaintext, "VerificationCase")
    for work in lines(server.plaintext)["Assignment"]:
        case = staff.get(work["verificationCase"] or "")
        if case is None or work["staff"] is None or case["claim"] is None or work["endedAt"]:
            continue
        concerned = [one for one in policies(server) if case["user"] in (one["policyholder"], one["insured"])]
        others = [one for one in concerned if one["id"] != by_claim[case["claim"]]["policy"]]
        subject = asked.subject("risk_analyst", user=work["staff"], purposes=["verification"])
        if others and asked.body(subject, document, {"id": case["user"]})["data"]["user"]:
            narrow = replace(subject, caveats=(only(*others),))
            left = asked.body(narrow, document, {"id": case["user"]})["data"]["user"]
            elsewhere = [one for one in staff.values() if one["user"] == case["user"] and one is not case]
            assert left is None or elsewhere
            checked += left is None
    assert checked


# A custom ruleset: what denies through a row outside the token goes on denying.


def test_what_another_policy_denies_stays_denied_for_a_token_that_does_not_see_it(server, asked):
    words = ["deny", "insurer", "policy_service", "underwriter", "none", "reveal", "name", "C24"]
    schema = build_schema()
    catalogue = build_catalogue(schema)
    rules = [*read_rules(RULES), parse_rule(words, place="it")]
    strict = compile_ruleset(make_ruleset(2, rules, catalogue=catalogue, budgets=read_budgets(RULES)), catalogue)
    service = replace(
        asked.service, rulesets=SimpleNamespace(snapshot=lambda: strict), plans=type(asked.service.plans)()
    )
    document = "query($id: ID!) { user(id: $id) { name phone } }"
    checked = 0
    for live in policies(server):
        holder, insurer = live["policyholder"], live["insurer"]
        lapsed = [
            one
            for one in policies(server)
            if holder in (one["policyholder"], one["insured"])
            and one["insurer"] == insurer
            and one["status"] not in OPEN_POLICY
        ]
        if live["status"] not in OPEN_POLICY or not lapsed:
            continue
        narrow = asked.subject("insurer", org=insurer, purposes=["policy_service"], caveats=(only(live),))
        assert (
            asked.body(narrow, document, {"id": holder})["data"]["user"]["name"]
            == by_id(server.plaintext, "User")[holder]["name"]
        )
        body = asked.body(narrow, document, {"id": holder}, service=service)
        assert body["data"]["user"]["phone"]
        assert effects(body)["User.name"] == {"MASK"}
        checked += 1
    assert checked
