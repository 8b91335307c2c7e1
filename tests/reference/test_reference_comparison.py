"""The comparison finds what it is there to find, and the generator writes what the contract allows."""
# ruff: noqa: S311 - seeded on purpose, to be the same every time

import json
from collections.abc import Callable
from random import Random

import httpx
import pytest
from graphql import parse, validate

from tests.reference.callers import Caller
from tests.reference.compare import Comparison, DifferenceError
from tests.reference.fields import schema
from tests.reference.operations import Operation, Paging, callers, operation, pick
from tests.reference.server import answer
from tests.reference.tiny import PAST, Tiny, caller
from tests.reference.world import World

READ = Operation("{ policies { edges { node { premium policyholder { name phone idNumber address } } } } }")
CLERK = caller("customer_service", "policy_service", username="clerk", purposes=("policy_service",))


@pytest.fixture(scope="module")
def world() -> World:
    tiny = Tiny()
    insurer, provider = tiny.organization("INS1"), tiny.organization("HP1", "HEALTH_PROVIDER")
    clerk, handler = tiny.staff("clerk", "customer_service"), tiny.staff("handler", "claims_handler")
    tiny.staff("mk", "marketer")
    for number in range(6):
        person = tiny.user(f"u{number}", phone=f"1381234{number:04}", name="诸葛孔明")
        policy = tiny.policy(person, person, insurer)
        tiny.beneficiary(policy)
        tiny.assign("claim", tiny.claim(policy), staff=handler if number % 2 else clerk)
        tiny.consent(person, "MARKETING", insurer if number % 2 else None)
        tiny.add("HealthService", policy=policy, provider=provider, startsAt=PAST, endsAt=None)
        given = {"model": "Mate 60", "ipAddress": "10.0.0.1", "pushId": f"push-{number}", "lastSeenAt": PAST}
        tiny.add("Device", user=person, **given)
    return tiny.world()


class Twin:
    """A server that answers as the reference does, but for what `spoil` changes."""

    def __init__(self, world: World, spoil: Callable[[str], str] = str, **headers: str) -> None:
        self.world, self.spoil, self.headers = world, spoil, headers
        self.tokens: list[Caller] = []

    def token(self, *, role, org=None, user=None, purposes, categories=None) -> str:
        self.tokens.append(Caller(role, "", org, user, frozenset(categories), tuple(purposes)))
        return str(len(self.tokens) - 1)

    def post(self, document, variables=None, operation_name=None, *, token, purpose) -> httpx.Response:
        minted = self.tokens[int(token)]
        who = Caller(minted.role, purpose, minted.org_code, minted.username, minted.categories, minted.purposes)
        text = json.dumps(answer(self.world, who, document, variables, operation_name), ensure_ascii=False)
        return httpx.Response(200, text=self.spoil(text), headers=self.headers)


def test_a_server_that_answers_the_same_passes(world: World) -> None:
    comparison = Comparison(Twin(world), world, Random(1))
    for _ in range(60):
        comparison.step()
    assert comparison.requests >= 60
    assert comparison.cells > 100
    assert comparison.hidden


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("138****0000", "13812340000"),
        lambda text: text.replace('"MASK"', '"REVEAL"'),
        lambda text: text.replace('"count": 6', '"count": 5'),
        lambda text: text.replace('"诸葛孔明"', "null"),
        lambda _text: "[]",
        lambda _text: "Internal Server Error",
    ],
)
def test_a_server_that_answers_otherwise_fails(world: World, spoil: Callable[[str], str]) -> None:
    with pytest.raises(DifferenceError):
        Comparison(Twin(world, spoil), world, Random(1)).run(CLERK, READ)


def test_a_hidden_value_is_found_in_headers_and_in_what_is_not_compared(world: World) -> None:
    for twin in (
        Twin(world, **{"x-debug": "13812340001"}),
        Twin(world, lambda text: text[:-1] + ', "message": "110101199003074514"}'),
    ):
        with pytest.raises(DifferenceError, match="hidden values are in the response"):
            Comparison(twin, world, Random(1)).run(CLERK, READ)


def test_a_hidden_value_is_found_in_a_log(world: World) -> None:
    comparison = Comparison(Twin(world), world, Random(1))
    comparison.run(CLERK, READ)
    assert comparison.logged("GET /graphql 200") == 0
    assert comparison.logged("user 13812340001 asked") == 1


def test_each_side_goes_on_from_its_own_cursor(world: World) -> None:
    document = (
        "query($after: String) { policies(first: 2, after: $after) { edges { node { id } } pageInfo { endCursor } } }"
    )
    paged = Operation(document, paging=Paging("after", ("policies", "pageInfo", "endCursor")))
    comparison = Comparison(Twin(world), world, Random(1))
    comparison.run(CLERK, paged)
    assert comparison.requests == 3


def test_generated_operations_are_valid_and_the_same_for_the_same_seed(world: World) -> None:
    def generated() -> list[tuple[Caller, Operation]]:
        random = Random(4)
        known = callers(world, random)
        chosen = [pick(random, known) for _ in range(80)]
        return [(who, operation(world, who, random)) for who in chosen]

    first = generated()
    assert first == generated()
    assert all(not validate(schema(), parse(asked.document)) for _, asked in first)
    text = " ".join(asked.document for _, asked in first)
    for form in ("@skip", "@include", "fragment ", "... on ", "node(id", "first:", "last:", "$after", "__typename"):
        assert form in text
