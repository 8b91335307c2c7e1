"""explain, reach and whoCanReach over HTTP: for the security team, auditors and developers, under any ruleset (C46)."""

import pytest

from models.vocabulary import Purpose, Role
from tests.recorded import ROW, as_owner, said

EXPLAIN = """query Why($role: String!, $purpose: Purpose!, $coordinate: String!, $pairs: [PairInput!], $ruleset: Int,
  $act: RuleAct) {
  explain(role: $role, purpose: $purpose, coordinate: $coordinate, pairs: $pairs, ruleset: $ruleset, act: $act) {
    act ruleset situation effect reason byRules clauses sentence
    candidates { holds failed sentence rule { sentence validFrom validUntil } }
    missing { gives pair purpose token sentence rule { sentence } } } }"""
REACH = """query Reach($role: String!, $purpose: Purpose!, $ruleset: Int) {
  reach(role: $role, purpose: $purpose, ruleset: $ruleset) {
    coordinate category act effect under { effect pairs } clauses rules { sentence } } }"""
WHO = """query Who($coordinate: String!, $ruleset: Int) {
  whoCanReach(coordinate: $coordinate, ruleset: $ruleset) { role purpose act effect under { effect pairs } } }"""
ALL = """{ explain(role: "insurer", purpose: CLAIM_HANDLING, coordinate: "Claim.diagnosis") { effect }
  reach(role: "insurer", purpose: CLAIM_HANDLING) { coordinate }
  whoCanReach(coordinate: "Claim.diagnosis") { role } }"""
DIAGNOSIS = {"role": "insurer", "purpose": "CLAIM_HANDLING", "coordinate": "Claim.diagnosis"}
TIED = [{"relation": "underwriter", "basis": "none"}]


@pytest.fixture(scope="module")
def developer(server):
    return server.token("developer", purposes=["administration"], categories=[])


def ask(server, token, document, **variables):
    body = server.post(document, variables, token=token).json()
    assert "errors" not in body, body
    (found,) = body["data"].values()
    return found


def test_why_an_insurer_is_not_shown_a_diagnosis_and_what_is_missing(server, developer):
    told = ask(server, developer, EXPLAIN, **DIAGNOSIS, pairs=TIED)
    assert (told["effect"], told["reason"], told["ruleset"], told["act"]) == ("DENY", "RELATION", 1, "SHOW")
    assert told["situation"] == ["underwriter/none"]
    nearest = told["candidates"][0]
    assert (nearest["holds"], nearest["failed"]) == (False, ["BASIS"])
    assert nearest["rule"] == {
        "sentence": ("allow insurer for claim_handling, when underwriter and contract_open, to reveal health (C38)"),
        "validFrom": None,
        "validUntil": None,
    }
    assert told["missing"] == {
        "gives": "REVEAL",
        "pair": "underwriter/contract_open",
        "purpose": None,
        "token": [],
        "sentence": "one record that witnesses underwriter/contract_open would give REVEAL",
        "rule": {"sentence": nearest["rule"]["sentence"]},
    }
    open_claim = ask(
        server, developer, EXPLAIN, **DIAGNOSIS, pairs=[{"relation": "underwriter", "basis": "contract_open"}]
    )
    assert (open_claim["effect"], open_claim["clauses"], open_claim["missing"]) == ("REVEAL", ["C38"], None)


def test_pairs_may_be_written_out_and_none_are_nothing(server, developer):
    document = """{ explain(role: "insurer", purpose: CLAIM_HANDLING, coordinate: "User.idNumber", act: SHOW,
      pairs: [{relation: "underwriter", basis: "none"}, {relation: "underwriter", basis: "none"}]) {
      effect situation } }"""
    assert ask(server, developer, document) == {"effect": "MASK", "situation": ["underwriter/none"]}
    assert ask(server, developer, EXPLAIN, **DIAGNOSIS)["situation"] == ["none/none"]


def test_a_write_is_explained_as_a_write(server, developer):
    given = {"role": "insurer", "purpose": "CLAIM_HANDLING", "coordinate": "Mutation.recordClaimDecision"}
    told = ask(server, developer, EXPLAIN, **given)
    assert (told["act"], told["effect"]) == ("WRITE", "DENY")
    assert told["missing"]["gives"] == "REVEAL"


def test_what_an_insurer_reaches_is_what_the_matrix_says(server, developer):
    found = {(one["coordinate"], one["act"]): one for one in ask(server, developer, REACH, **ROLE)}
    assert found["Claim.diagnosis", "SHOW"] == {
        "coordinate": "Claim.diagnosis",
        "category": "HEALTH",
        "act": "SHOW",
        "effect": "REVEAL",
        "under": [{"effect": "REVEAL", "pairs": ["underwriter/contract_open"]}],
        "clauses": ["C38"],
        "rules": [
            {"sentence": "allow insurer for claim_handling, when underwriter and contract_open, to reveal health (C38)"}
        ],
    }
    assert found["Mutation.recordClaimDecision", "WRITE"]["category"] is None
    assert ("User.tags", "SHOW") not in found


ROLE = {"role": "insurer", "purpose": "CLAIM_HANDLING"}


def test_who_can_reach_a_field_agrees_with_what_each_can_reach(server, developer):
    able = {(one["role"], one["purpose"]) for one in ask(server, developer, WHO, coordinate="Claim.diagnosis")}
    assert ("insurer", "CLAIM_HANDLING") in able
    for role, purpose in (("insurer", "CLAIM_HANDLING"), ("insurer", "MARKETING"), ("marketer", "MARKETING")):
        reached = ask(server, developer, REACH, role=role, purpose=purpose)
        assert ((role, purpose) in able) == ("Claim.diagnosis" in {one["coordinate"] for one in reached})


def test_only_who_watches_over_rules_or_builds_on_them_may_ask(server, handler):
    asking = {Role.SECURITY_ADMIN, Role.AUDITOR, Role.DEVELOPER}
    seen = set()
    for role in (*asking, Role.PRIVACY_OFFICER, Role.RISK_ANALYST):
        token = server.token(role, purposes=list(Purpose))
        for purpose in (Purpose.ADMINISTRATION, Purpose.SECURITY):
            data = server.post(ALL, token=token, purpose=purpose.value).json()["data"]
            assert len({found is None for found in data.values()}) == 1, "all of it or nothing"
            if data["explain"]:
                seen.add((role, purpose))
    assert seen == {(role, Purpose.ADMINISTRATION) for role in asking}
    nothing = {"explain": None, "reach": None, "whoCanReach": None}
    assert server.post(ALL, token=handler).json()["data"] == nothing


@pytest.mark.parametrize(
    "document,given,argument",
    [
        (EXPLAIN, {**DIAGNOSIS, "role": "nobody"}, "role"),
        (EXPLAIN, {**DIAGNOSIS, "coordinate": "Claim.id"}, "coordinate"),
        (EXPLAIN, {**DIAGNOSIS, "coordinate": "x" * 3_000}, "coordinate"),
        (EXPLAIN, {**DIAGNOSIS, "pairs": [{"relation": "any", "basis": "none"}]}, "pairs.relation"),
        (EXPLAIN, {**DIAGNOSIS, "pairs": [{"relation": "self", "basis": "any"}]}, "pairs.basis"),
        (EXPLAIN, {**DIAGNOSIS, "ruleset": 999_999}, "ruleset"),
        (REACH, {"role": "", "purpose": "CLAIM_HANDLING"}, "role"),
        (REACH, {**ROLE, "ruleset": 0}, "ruleset"),
        (REACH, {**ROLE, "ruleset": -1}, "ruleset"),
        (WHO, {"coordinate": "User.username.x"}, "coordinate"),
        (WHO, {"coordinate": "Claim.diagnosis", "ruleset": 2**31 - 1}, "ruleset"),
    ],
)
def test_what_there_is_not_is_refused_and_named(server, developer, document, given, argument):
    extensions = server.post(document, given, token=developer).json()["errors"][0]["extensions"]
    assert (extensions["code"], extensions["argument"]) == ("BAD_USER_INPUT", argument)


def test_a_question_about_rules_is_recorded_with_what_it_asked(server, developer):
    body = server.post(EXPLAIN, {**DIAGNOSIS, "pairs": TIED}, token=developer).json()
    decision = body["extensions"]["authorization"]["decisionId"]
    (row,) = said(as_owner(server, lambda one: one.fetch(ROW, decision)))
    assert row["detail"]["asked"] == [
        {
            "field": "Query.explain",
            "role": "insurer",
            "purpose": "claim_handling",
            "coordinate": "Claim.diagnosis",
            "act": "show",
            "pairs": ["underwriter/none"],
            "ruleset": 1,
        }
    ]
