"""What is said of an operation before it runs is what it gets: previews agree with answers, and read no data."""

import json
from dataclasses import replace
from random import Random
from uuid import UUID

import pytest

from authz.default_ruleset import default_content
from authz.rules import Rule
from authz.rulesets import Rulesets
from authz.tokens import utc_now
from authz.vocabulary import ANY, Action, RuleEffect
from models.global_ids import NodeType, to_global
from models.vocabulary import Category, Purpose, Role
from resolvers.field_access import Previewed
from resolvers.problems import RequestRefusedError
from resolvers.writes import rule_of
from schema.build import build_catalogue, build_schema
from tests.conftest import run_cli
from tests.inprocess import in_process
from tests.recorded import ROW, as_owner, said
from tests.reference.operations import callers, operation, pick
from tests.reference.world import load
from tests.rules import default_snapshot

OPERATIONS = 120
SCHEMA = build_schema()
SNAPSHOT = default_snapshot(SCHEMA)
PREVIEW = """query Preview($document: String!, $variables: JSON, $purpose: Purpose!, $asRole: String, $name: String) {
  accessPreview(document: $document, operationName: $name, variables: $variables, purpose: $purpose, asRole: $asRole) {
    coordinate pathPattern category effect reason situations remedy clause } }"""
CARD = "{ policies(first: 1) { edges { node { policyholder { name idNumber email occupation } } } } }"
HOLDER = "policies.edges.@.node.policyholder"


@pytest.fixture(scope="module")
def asked(server):
    with in_process(server) as found:
        yield found


@pytest.fixture(scope="module")
def developer(server):
    return server.token("developer", purposes=["administration"])


def previewed(asked, snapshot, **words):
    try:
        return asked.runner.run(asked.service.reader.planner.preview(Previewed(**words), snapshot))
    except RequestRefusedError as refusal:
        return refusal.code


def preview(server, token, document, purpose, *, own="administration", **given):
    words = {"document": document, "purpose": purpose, **given}
    return server.post(PREVIEW, words, token=token, purpose=own).json()


def fields(body):
    return {one["pathPattern"]: one for one in body["data"]["accessPreview"]}


# Agreement.


class Unrecorded:
    """Writes no rows: those of made-up rules are none of this ledger's."""

    async def record(self, _):
        """It is as if it were written."""


def denying():
    """The default rules and some that deny: what is allowed by one pair is denied by another."""
    given = default_content()
    words = (
        (Role.INSURER, Purpose.CLAIM_HANDLING, ANY, "contract_open", Action.MASK, "phone"),
        (Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING, "assigned", ANY, Action.REVEAL, "health"),
        (Role.CUSTOMER_SERVICE, Purpose.POLICY_SERVICE, ANY, "contract_open", Action.REVEAL, "name"),
        (Role.CUSTOMER, Purpose.ACCOUNT_SERVICE, "holder_of", "contract_open", Action.MASK, "User.phone"),
        (Role.BROKER_AGENT, Purpose.APPLICATION, "none", ANY, Action.REVEAL, "address"),
    )
    rules = tuple(Rule(RuleEffect.DENY, *one, "C55") for one in words)
    return replace(given, rules=given.rules + rules)


@pytest.mark.parametrize("content", [default_content(), denying()], ids=["default", "denying"])
def test_whatever_an_operation_is_shown_was_foreseen_and_what_does_not_depend_is_always_so(server, asked, content):
    random, world = Random(5), load(server.plaintext)  # noqa: S311 - the same every time
    catalogue = build_catalogue(asked.service.schema)
    rulesets = Rulesets(catalogue, utc_now, passed=lambda: 0.0)
    rulesets.use(content.ruleset(1, catalogue))
    service = replace(asked.service, rulesets=rulesets, recorder=Unrecorded())
    every, checked, effects, depended = callers(world, random), 0, set(), 0
    for _ in range(OPERATIONS):
        caller = pick(random, every)
        made = operation(world, caller, random)
        subject = asked.subject(
            caller.role,
            org=caller.org_code,
            user=caller.username,
            purposes=caller.purposes,
            categories=caller.categories,
        )
        own = {"document": made.document, "operation_name": made.operation_name, "variables": made.variables}
        own |= {"role": subject.role, "purpose": Purpose(caller.purpose)}
        body = asked.body(subject, made.document, made.variables, caller.purpose, made.operation_name, service=service)
        told = previewed(asked, service.snapshot(), **own, subject=subject)
        if "extensions" not in body and body["data"] is not None:
            assert told == [], "only introspection has no decisions"
            continue
        if body["data"] is None:
            (first, *_) = body["errors"]
            refused_by_data = first["extensions"]["code"] in ("BAD_ID", "BAD_CURSOR", "BAD_USER_INPUT")
            assert refused_by_data or told == first["extensions"]["code"], made.document
            continue
        limited = {
            error["extensions"]["pathPattern"]
            for error in body.get("errors", ())
            if error["extensions"]["reason"] in ("LIMIT", "UNAVAILABLE")
        }
        found = {(one.coordinate, one.pattern): one for one in told}
        as_role = {(one.coordinate, one.pattern): one for one in previewed(asked, service.snapshot(), **own)}
        for one in body["extensions"]["authorization"]["fields"]:
            if one["pathPattern"] in limited:
                continue
            shown, place = one["effect"], (one["coordinate"], one["pathPattern"])
            access = found[place]
            possible = {line.rsplit(": ")[-1] for line in access.situations or ()}
            assert shown == access.effect or (access.effect == "DEPENDS" and shown in possible), (caller, place, access)
            if subject.categories & Category(access.category).bit:
                assert as_role[place].effect in (shown, "DEPENDS")
            checked += 1
            effects.add(shown)
            depended += access.effect == "DEPENDS"
    assert effects == {"REVEAL", "MASK", "DENY"}
    assert checked > 200
    assert depended > 50


def test_every_denial_says_the_reason_that_the_answer_gives(server, asked):
    token = server.token("customer_service", purposes=["policy_service"])
    answer = server.post(CARD, token=token, purpose="policy_service").json()
    denied = {
        error["extensions"]["pathPattern"]: error["extensions"]["reason"]
        for error in answer["errors"]
        if error["extensions"]["coordinate"] == "User.occupation"
    }
    told = fields(preview(server, token, CARD, "POLICY_SERVICE", own="policy_service"))
    assert denied
    assert {place: told[place]["reason"] for place in denied} == denied


def test_a_write_is_denied_exactly_where_no_rule_allows_it_and_its_payload_is_foreseen_as_well(asked):
    allowed = {
        (rule.role, rule.purpose, rule.object) for rule in SNAPSHOT.ruleset.rules if rule.object.startswith("Mutation.")
    }
    looked, random = set(), Random(3)  # noqa: S311 - the same every time
    every = [(role, purpose) for role in Role for purpose in Purpose]
    for name, field in SCHEMA.mutation_type.fields.items():
        document = f"mutation M($i: {field.args['input'].type}) {{ {name}(input: $i) {{ __typename }} }}" \
            if "input" in field.args else f"mutation {{ {name} {{ __typename }} }}"  # fmt: skip
        may = [(role, purpose) for role, purpose, obj in allowed if obj == f"Mutation.{name}"]
        for role, purpose in (*sorted(may), *random.sample(every, 6)):
            told = previewed(asked, SNAPSHOT, document=document, role=role, purpose=purpose)
            if rule_of(SCHEMA, name).purpose is not None:
                assert told == []
                continue
            (one,) = told
            assert (one.coordinate, one.pattern, one.category) == (f"Mutation.{name}", name, None)
            assert (one.effect != "DENY") == ((role, purpose, one.coordinate) in allowed), (role, purpose, name)
            looked.add(one.effect)
    assert looked == {"REVEAL", "DENY", "DEPENDS"}
    document = "mutation M($i: RequestMaterialsInput!) { requestMaterials(input: $i) { ... on Claim { diagnosis } } }"
    asking = {"role": Role.CLAIMS_HANDLER, "purpose": Purpose.CLAIM_HANDLING}
    write, payload = previewed(asked, SNAPSHOT, document=document, **asking)
    assert (write.effect, write.situations) == ("DEPENDS", ("assigned + contract_open: REVEAL", "otherwise: DENY"))
    assert (payload.coordinate, payload.pattern) == ("Claim.diagnosis", "requestMaterials.diagnosis")


# What it says.


def test_a_developer_asks_as_any_role_and_reads_situations_reason_remedy_and_clause(server, developer):
    told = fields(preview(server, developer, CARD, "CLAIM_HANDLING", asRole="insurer"))
    number = told[f"{HOLDER}.idNumber"]
    assert number == {
        "coordinate": "User.idNumber",
        "pathPattern": f"{HOLDER}.idNumber",
        "category": "GOVERNMENT_ID",
        "effect": "DEPENDS",
        "reason": "RELATION",
        "situations": ["underwriter + contract_open: REVEAL", "underwriter: MASK", "otherwise: DENY"],
        "remedy": "Shown where this holds: underwriter + contract_open; underwriter.",
        "clause": "C38",
    }
    email = told[f"{HOLDER}.email"]
    assert (email["effect"], email["reason"], email["situations"]) == ("DENY", "PURPOSE", None)
    assert "application, policy_service" in email["remedy"]
    served = fields(preview(server, developer, CARD, "POLICY_SERVICE", asRole="customer_service"))
    assert served[f"{HOLDER}.idNumber"]["effect"] == "MASK"
    assert served[f"{HOLDER}.occupation"]["reason"] == "ROLE"


def test_everybody_else_asks_as_their_own_role_only_and_for_a_role_that_there_is(server, developer):
    handler = server.token("claims_handler", purposes=["claim_handling"])
    for own in ({}, {"asRole": "claims_handler"}):
        assert fields(preview(server, handler, CARD, "CLAIM_HANDLING", own="claim_handling", **own))
    for token, purpose, role in (
        (handler, "claim_handling", "insurer"),
        (handler, "claim_handling", "developer"),
        (developer, "administration", "nobody"),
        (server.token("auditor", purposes=["administration"]), "administration", "insurer"),
    ):
        body = preview(server, token, CARD, "CLAIM_HANDLING", own=purpose, asRole=role)
        assert "data" not in body
        assert body["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "argument": "asRole"}


def test_a_token_that_lists_a_category_not_is_told_so_and_a_role_is_told_of_every_category(server):
    narrow = server.token("claims_handler", purposes=["claim_handling"], categories=["name"])
    told = fields(preview(server, narrow, CARD, "CLAIM_HANDLING", own="claim_handling"))
    assert {one["reason"] for place, one in told.items() if not place.endswith(".name")} == {"TOKEN_SCOPE"}
    assert told[f"{HOLDER}.name"]["effect"] == "DEPENDS"


def test_what_waits_for_a_second_factor_says_so(server, developer):
    document = "{ viewer { user { name idNumber } } }"
    told = fields(preview(server, developer, document, "RIGHTS_REQUEST", asRole="customer"))
    assert told["viewer.user.name"]["effect"] == "REVEAL"
    number = told["viewer.user.idNumber"]
    assert (number["effect"], number["reason"]) == ("DEPENDS", "STEP_UP")
    assert number["situations"][-1] == "without a second factor: DENY"


def test_variables_that_are_not_given_may_be_anything_and_those_given_count(server, developer):
    document = """query Any($id: ID!, $card: Boolean!, $first: Int) {
      node(id: $id) { ... on User { name } ... on Claim { diagnosis } }
      policies(first: $first) { edges { node { policyholder @include(if: $card) { idNumber } } } } }"""
    told = fields(preview(server, developer, document, "CLAIM_HANDLING", asRole="insurer"))
    assert {"node.name", "node.diagnosis", f"{HOLDER}.idNumber"} == told.keys()
    policy = to_global(NodeType.CLAIM, UUID(int=7))
    told = fields(
        preview(
            server,
            developer,
            document,
            "CLAIM_HANDLING",
            asRole="insurer",
            variables={"id": policy, "card": False},
        )
    )
    assert told.keys() == {"node.diagnosis"}


@pytest.mark.parametrize(
    "document,purpose,code",
    [
        ("{", "CLAIM_HANDLING", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "CLAIM_HANDLING", "GRAPHQL_VALIDATION_FAILED"),
        ("{ policies(first: 101) { totalCount } }", "CLAIM_HANDLING", "LIMIT_EXCEEDED"),
        ('{ users(phone: "+86 139 1234 5678") { totalCount } }', "CLAIM_HANDLING", "FILTER_DENIED"),
        ("query A { viewer { role } } query B { viewer { role } }", "CLAIM_HANDLING", "BAD_USER_INPUT"),
    ],
)
def test_what_would_be_refused_as_a_whole_is_refused_with_the_same_code(server, developer, document, purpose, code):
    insurer = server.token("insurer", org="INS01", purposes=["claim_handling"])
    real = server.post(document, token=insurer, purpose="claim_handling").json()
    assert real["errors"][0]["extensions"]["code"] == code
    told = preview(server, developer, document, purpose, asRole="insurer")
    assert "data" not in told
    assert told["errors"][0]["extensions"]["code"] == code


def test_a_preview_reads_nobody_and_its_row_says_so(server, developer):
    body = preview(server, developer, CARD, "CLAIM_HANDLING", asRole="insurer")
    (row,) = said(as_owner(server, lambda one: one.fetch(ROW, body["extensions"]["authorization"]["decisionId"])))
    assert "persons" not in row
    assert "entries" not in row
    asked = {"field": "Query.accessPreview", "asRole": "insurer", "purpose": "claim_handling"}
    assert row["detail"] == {"asked": [asked]}


# In a client's CI.


def test_the_command_ends_with_one_where_something_changed_against_what_is_expected(server, tmp_path):
    document, expected = tmp_path / "card.graphql", tmp_path / "card.json"
    document.write_text(CARD)
    asked = ("preview", str(document), "--as", "customer_service", "--purpose", "policy_service")
    told = server.operate(*asked)
    assert told["ruleset"] >= 1
    assert {one["coordinate"] for one in told["access"]} == {
        "User.name", "User.idNumber", "User.email", "User.occupation"
    }  # fmt: skip
    missing = run_cli(*asked, "--expect", str(expected), data_dir=server.data_dir, check=False)
    assert (missing.returncode, missing.stdout) == (1, "")
    server.operate(*asked, "--expect", str(expected), "--update")
    assert server.operate(*asked, "--expect", str(expected))["changed"] == []
    expected.write_text(expected.read_text().replace('"MASK"', '"REVEAL"', 1))
    changed = run_cli(*asked, "--expect", str(expected), data_dir=server.data_dir, check=False)
    assert changed.returncode == 1
    before, after = changed.stdout.splitlines()
    assert (before[0], after[0]) == ("-", "+")
    assert json.loads(after[1:].rstrip(","))["effect"] == "MASK"
    refused = run_cli(*asked, "--update", data_dir=server.data_dir, check=False)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
