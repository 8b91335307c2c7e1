"""A token narrowed to policies or products is answered as if nothing else were stored: the naive reference agrees."""
# ruff: noqa: S311 - seeded on purpose, to be the same every time

from dataclasses import replace
from random import Random

import httpx
import orjson
import pytest

from authz.caveats import OnlyPolicies, OnlyProducts
from tests.inprocess import in_process
from tests.plain import lines
from tests.reference import operations as reference_operations
from tests.reference import scope as reference_scope
from tests.reference import server as reference_server
from tests.reference.compare import Comparison
from tests.reference.world import World

OPERATIONS = 100
POLICIES = 90


@pytest.fixture(scope="module")
def asked(server):
    with in_process(server) as found:
        yield found


class Narrowed:
    """The service as a server for the comparison, every token with the same caveats."""

    def __init__(self, asked, *caveats):
        self.asked, self.caveats, self.subjects = asked, caveats, []

    def token(self, *, role, org=None, user=None, purposes, categories=None):
        found = self.asked.subject(role, org=org, user=user, purposes=purposes, categories=categories)
        self.subjects.append(replace(found, caveats=self.caveats, stepped_up_until=2**40))
        return str(len(self.subjects) - 1)

    def post(self, document, variables=None, operation_name=None, *, token, purpose):
        body = self.asked.body(self.subjects[int(token)], document, variables, purpose, operation_name)
        return httpx.Response(200, content=orjson.dumps(body))


def left_of(server, chosen) -> tuple[World, set[str]]:
    """A world of nothing but some policies and what hangs on them, and the ids of the people who exist in it."""
    numbers = {one["id"] for one in chosen}
    people = {one[party] for one in chosen for party in ("policyholder", "insured")}
    claims = {one["id"] for one in lines(server.plaintext)["Claim"] if one["policy"] in numbers}
    kept = {
        "Policy": lambda one: one["id"] in numbers,
        "Claim": lambda one: one["policy"] in numbers,
        "Beneficiary": lambda one: one["policy"] in numbers,
        "HealthService": lambda one: one["policy"] in numbers,
        "Device": lambda one: one["user"] in people,
        "Consent": lambda one: one["user"] in people,
        "RightsRequest": lambda one: one["user"] in people,
        "VerificationCase": lambda one: one["user"] in people and (one["claim"] is None or one["claim"] in claims),
    }
    found = [one for kind, rows in lines(server.plaintext).items() for one in rows if kept.get(kind, bool)(one)]
    ids = {(one["type"], one.get("id")) for one in found}
    targets = {
        "policy": "Policy",
        "claim": "Claim",
        "verificationCase": "VerificationCase",
        "rightsRequest": "RightsRequest",
    }
    dangling = [
        one
        for one in lines(server.plaintext)["Assignment"]
        if any(one[link] is not None and (kind, one[link]) not in ids for link, kind in targets.items())
    ]
    return World(_within(one, people) for one in found if one not in dangling), people


def _within(line, people):
    """A disclosure case reaches only those of its people who exist."""
    if line["type"] != "DisclosureCase":
        return line
    return {**line, "users": [user for user in line["users"] if user in people]}


@pytest.mark.parametrize("kind", ["policies", "products"])
def test_a_narrowed_token_is_answered_as_if_nothing_else_were_stored(server, asked, monkeypatch, kind):
    random = Random(3)
    if kind == "policies":
        chosen = random.sample(lines(server.plaintext)["Policy"], POLICIES)
        caveat = OnlyPolicies((*(one["policyNumber"] for one in chosen), "P-0000000000"))
    else:
        codes = random.sample(sorted({one["product"] for one in lines(server.plaintext)["Policy"]}), 8)
        chosen = [one for one in lines(server.plaintext)["Policy"] if one["product"] in codes]
        caveat = OnlyProducts((*codes, "NO-SUCH"))
    world, people = left_of(server, chosen)
    every = reference_scope.scope

    def scope(subject):
        found = every(subject)
        found.rows["User"] = {one for one in found.rows["User"] if one.id in people}
        return found

    monkeypatch.setattr(reference_server, "scope", scope)
    monkeypatch.setattr(reference_operations, "scope", scope)
    comparison = Comparison(Narrowed(asked, caveat), world, random)
    for _ in range(OPERATIONS):
        comparison.step()
    assert comparison.cells > 300, comparison
    assert comparison.hidden
