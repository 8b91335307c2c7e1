"""Every recorded decision, decided again from its row and its ruleset, is the same."""

import json
from random import Random

import pytest

from authz.caveats import MaskOnly, OnlyPolicies, RowCeiling
from authz.replay import Replayer
from schema.build import build_schema
from tests.conftest import demo_server
from tests.inprocess import handler, in_process
from tests.plain import lines
from tests.recorded import ALL, as_owner, said
from tests.reference.compare import Comparison
from tests.reference.world import load
from tests.rules import default_snapshot

OPERATIONS = 150
NARROWED = (
    "{ claims(first: 30) { edges { node { diagnosis bankCard reporterName policy { premium insured { name } } } } } }"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory, prepared):
    """A server of its own: tests that share one answer by rules that nobody published."""
    with demo_server(tmp_path_factory.mktemp("replayed"), prepared) as running:
        yield running


def replayed(server):
    """Every decision in the ledger, both ways."""
    replayer = Replayer(default_snapshot(build_schema()))
    for body in said(as_owner(server, lambda owner: owner.fetch(ALL))):
        if "digest" in body and "entries" in body:
            assert replayer.knows(body)
            yield from replayer.replay(body)


def test_every_recorded_decision_is_the_same_when_it_is_made_again(server):
    comparison = Comparison(server, load(server.plaintext), Random(17))  # noqa: S311 - the same every time
    for _ in range(OPERATIONS):
        comparison.step()
    with in_process(server) as asked:
        numbers = tuple(row["policyNumber"] for row in lines(server.plaintext)["Policy"][:40])
        for caveats in ((), (MaskOnly(),), (RowCeiling(7),), (OnlyPolicies(numbers),)):
            asked.body(handler(asked, *caveats), NARROWED)
    found = list(replayed(server))
    assert [one for one in found if not one.equal] == []
    kinds = {one.recorded for one in found}
    assert {effect for effect, _ in kinds} == {"REVEAL", "MASK", "DENY"}
    assert {reason for _, reason in kinds} >= {"ROLE", "PURPOSE", "RELATION", "TOKEN_SCOPE", "LIMIT"}
    assert len(found) > 300


def test_a_row_that_was_changed_does_not_replay(server):
    (row,) = said(
        as_owner(
            server,
            lambda owner: owner.fetch(
                "SELECT body FROM ledger WHERE body LIKE '%\"REVEAL\"%' AND body LIKE '%READ%' LIMIT 1"
            ),
        )
    )
    replayer = Replayer(default_snapshot(build_schema()))
    assert all(one.equal for one in replayer.replay(row))
    forged = json.loads(json.dumps(row).replace('"REVEAL"', '"MASK"'))
    assert not all(one.equal for one in replayer.replay(forged))
