"""One row and what stands below it, read by one statement: answered as if each level were read by its own."""

from unittest import mock
from uuid import UUID

import pytest
from graphql import get_named_type, is_leaf_type, is_required_argument

from models.global_ids import to_global
from resolvers import compiler
from resolvers.registry import NOUNS
from tests.inprocess import in_process, service_over
from tests.plain import lines

POLICY = """policyNumber status policyholder { name idNumber devices(first: 2) { edges { node { model } } } }
  insured { name phone } beneficiaries { name relation share }"""
DOCUMENTS = {
    "links and lists": f"query($id: ID!) {{ policy(id: $id) {{ {POLICY} }} }}",
    "pages that overflow": """query($id: ID!) { policy(id: $id) { claims(first: 1) {
      totalCount pageInfo { hasNextPage }
      edges { node { claimNumber diagnosis policy { policyNumber policyholder { name } } } } } } }""",
    "links back": """query($id: ID!) { policy(id: $id) { claims(first: 2) {
      pageInfo { hasPreviousPage } edges { node { claimNumber diagnosis policy { policyNumber } } } } } }""",
    "pages with a filter": """query($id: ID!) { policy(id: $id) { claims(first: 3, status: REVIEWING) {
      edges { node { claimNumber bankCard policy { policyNumber insured { name } } } } } } }""",
    "several roots": """query($id: ID!) { one: policy(id: $id) { insured { name } }
      two: policy(id: $id) { policyholder { phone policies(first: 2) { edges { node { policyNumber } } } } } }""",
    "twice the same link": """query($id: ID!) { policy(id: $id) { a: insured { name } b: insured { idNumber }
      claims(first: 5) { a: edges { node { diagnosis } } b: edges { node { policy { insured { phone } } } } } } }""",
    "nothing below": "query($id: ID!) { policy(id: $id) { policyNumber premium } }",
    "deep": f"""query($id: ID!) {{ policy(id: $id) {{ insured {{ policies(first: 3) {{ edges {{ node {{ {POLICY}
      claims(first: 2) {{ edges {{ node {{ diagnosis }} }} }} }} }} }} }} }} }}""",
}
CALLERS = {
    "handler": {"role": "claims_handler", "purposes": ["claim_handling"]},
    "insurer": {"role": "insurer", "purposes": ["claim_handling"]},
    "service": {"role": "customer_service", "purposes": ["policy_service"]},
    "customer": {"role": "customer", "purposes": ["account_service"]},
}


@pytest.fixture(scope="module")
def asked(server):
    with in_process(server) as found:
        yield found


@pytest.fixture(scope="module")
def level_by_level(server, asked):
    service = service_over(server, asked.pool)
    yield service
    asked.runner.run(service.recorder.close())


@pytest.fixture(scope="module")
def policies(server):
    """A few, among them one with several claims."""
    claims = [one["policy"] for one in lines(server.plaintext)["Claim"]]
    every = [one["id"] for one in lines(server.plaintext)["Policy"]]
    return [max(set(claims), key=claims.count), *every[:3]]


def told(body):
    """A body without what is new in every answer."""
    for one in body.get("errors", ()):
        one["extensions"].pop("decisionId", None)
    body["extensions"]["authorization"].pop("decisionId")
    return body


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("caller", CALLERS)
def test_what_is_read_at_once_is_answered_as_if_it_were_read_level_by_level(
    asked, level_by_level, policies, name, caller
):
    subject = asked.subject(**CALLERS[caller])
    for policy in policies:
        at_once = asked.body(subject, DOCUMENTS[name], {"id": policy})
        with mock.patch.object(compiler, "joined", return_value=None):
            alone = asked.body(subject, DOCUMENTS[name], {"id": policy}, service=level_by_level)
        assert told(at_once) == told(alone)


def test_a_row_that_does_not_exist_for_the_caller_is_a_miss_and_nothing_is_told_of_what_stands_below_it(asked, server):
    stranger = asked.subject(role="health_provider", purposes=["health_service"])
    theirs = asked.body(stranger, "{ policies(first: 100) { edges { node { id } } pageInfo { hasNextPage } } }", {})
    assert not theirs["data"]["policies"]["pageInfo"]["hasNextPage"]
    seen = {edge["node"]["id"] for edge in theirs["data"]["policies"]["edges"]}
    hidden = next(one["id"] for one in lines(server.plaintext)["Policy"] if one["id"] not in seen)
    body = asked.body(stranger, DOCUMENTS["deep"], {"id": hidden})
    assert body["data"] == {"policy": None}
    assert "errors" not in body


async def column_types(pool, reads):
    """Name and kind of every column's type."""
    async with pool.acquire() as connection:
        prepared = [await connection.prepare(read.statement.sql) for read in reads]
        return [(column.type.name, column.type.kind) for one in prepared for column in one.get_attributes()]


def selected(schema, declared, deep):
    """Every field of a type that needs no argument, connections a row each, and so on below as `deep` as is said."""
    found = []
    for name, one in declared.fields.items():
        below = get_named_type(one.type)
        paged = below.name.endswith("Connection")
        if any(map(is_required_argument, one.args.values())) or (not is_leaf_type(below) and not deep):
            continue
        if is_leaf_type(below):
            found.append(name)
        elif paged and below.name.removesuffix("Connection") in NOUNS:
            node = selected(schema, schema.type_map[below.name.removesuffix("Connection")], deep - 1)
            found.append(f"{name}(first: 1) {{ edges {{ node {{ {node} }} }} }}")
        elif below.name in NOUNS:
            found.append(f"{name} {{ {selected(schema, below, deep - 1)} }}")
    return " ".join(found)


@pytest.mark.parametrize("root", ["user", "policy", "beneficiary", "claim"])
@pytest.mark.parametrize("caller", [*CALLERS, "own data"])
def test_whatever_is_asked_for_the_driver_can_read_every_column_of_what_is_read_at_once(asked, root, caller):
    own = {"role": "customer", "purposes": ["rights_request"]}
    subject = asked.subject(**CALLERS.get(caller, own))
    schema = asked.service.schema
    document = (
        f"query Every($id: ID!) {{ {root}(id: $id) {{ {selected(schema, schema.type_map[root.capitalize()], 2)} }} }}"
    )
    body = asked.body(subject, document, {"id": to_global(NOUNS[root.capitalize()].node_type, UUID(int=1))})
    assert body["data"] == {root: None}
    (joined,) = [one.joined for one in next(reversed(asked.service.plans.values())).plan.roots]
    types = asked.runner.run(column_types(asked.pool, joined.reads))
    assert len(joined.reads) > 2
    assert {name for name, kind in types if kind != "scalar"} <= {"text[]"}, "asyncpg reads no other arrays in records"
