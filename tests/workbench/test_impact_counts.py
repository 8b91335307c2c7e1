"""What of past operations would have come to something else under other rules, counted exactly (C46, C55)."""

import time
from dataclasses import replace
from random import Random
from uuid import UUID

import orjson
import pytest

from authz.replay import Replayer
from authz.vocabulary import ANY, Action, RuleEffect
from authz.workbench.impact import sealed_impact
from authz.workbench.impact_tally import Tally
from bench.impact import Draws, changed, held
from ledger.rows import Kind, Outcome, body_of
from models.vocabulary import Category, Purpose, Role, to_bits
from tests.workbench.made_up import (
    CLOSED,
    DEFAULT,
    EVERY,
    NOW,
    NUMBER,
    OPEN,
    REVEALED,
    compiled,
    nothing_planned,
    operation,
    rule,
    with_rules,
    without,
)


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


def seen(content, *operations):
    """The tally of some rows."""
    tally = Tally(compiled(content))
    for one in operations:
        tally.add(one if isinstance(one, str) else body_of(one, dict))
    return tally


def changes(content, *operations):
    """What changes: coordinate, before, after, certain, operations, persons."""
    return [
        (one.coordinate, one.before, one.after, one.certain, one.operations, one.persons)
        for one in seen(content, *operations).changes({})
    ]


# What is counted.


def test_an_operation_counts_once_a_person_once_and_whatever_stays_the_same_not_at_all():
    twice = operation(NUMBER, ("User.idNumber", "MASK", None, CLOSED, (0, 1)), persons=(7, 8))
    again = operation(NUMBER, ("User.name", "REVEAL", None, CLOSED, (0,)))
    same = operation(("User.idNumber", "REVEAL", None, OPEN, (0,)))
    assert changes(REVEALED, twice, again, same) == [("User.idNumber", "MASK", "REVEAL", True, 2, 2)]
    assert changes(DEFAULT, twice, again, same) == []


def test_both_sides_are_decided_anew_whatever_the_row_says():
    earlier = operation(("User.idNumber", "REVEAL", None, CLOSED, (0,)))
    assert changes(REVEALED, earlier) == [("User.idNumber", "MASK", "REVEAL", True, 1, 1)]


def test_consumers_are_told_apart_by_role_purpose_and_organization():
    other = operation(NUMBER, organization=UUID(int=2))
    policy = operation(NUMBER, purpose=Purpose.POLICY_SERVICE)
    found = seen(REVEALED, operation(NUMBER), other, policy).changes({str(UUID(int=1)): "INS01"})
    assert {(one.role, one.organization, one.purpose, one.operations) for one in found} == {
        ("insurer", "INS01", "claim_handling", 1),
        ("insurer", str(UUID(int=2)), "claim_handling", 1),
    }


def test_the_token_of_the_row_narrows_both_sides():
    masked = operation(NUMBER, scope={**EVERY, "most": "MASK"})
    unlisted = operation(NUMBER, scope={"categories": to_bits({Category.NAME})})
    assert changes(REVEALED, masked, unlisted) == []
    one = [("User.idNumber", "MASK", "REVEAL", True, 1, 1)]
    for rows in ((masked, unlisted, operation(NUMBER)), (operation(NUMBER), masked, unlisted)):
        assert changes(REVEALED, *rows) == one


def test_what_a_ceiling_a_fault_or_a_glass_decided_is_left_out_and_counted():
    limited = operation(("User.idNumber User.name", "DENY", "LIMIT", CLOSED, (0,)), NUMBER)
    broken = operation(NUMBER, break_glass="fire in the archive")
    tally = seen(REVEALED, limited, broken, operation(("User.phone", "DENY", "UNAVAILABLE", CLOSED, (0,))))
    assert (tally.taken, tally.glass) == (3, 1)
    assert [one.operations for one in tally.changes({})] == [1]
    assert tally.purposes == {"claim_handling": 2}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"kind": "READ", "entries": [[1]]}', '{"kind": "READ", "entries": [1], "role": 1}']
)
def test_a_text_that_is_no_row_is_counted_and_stops_nothing(text):
    tally = seen(REVEALED, text, operation(NUMBER))
    assert tally.unreadable == 1
    assert len(tally.changes({})) == 1


def test_a_look_up_and_a_write_that_are_allowed_no_more_break_the_operation():
    found = operation(
        ("User.phone", "FOUND", None, 0, (0,)),
        role=Role.CUSTOMER_SERVICE, purpose=Purpose.POLICY_SERVICE, organization=None,
    )  # fmt: skip
    content = without(Role.CUSTOMER_SERVICE, Purpose.POLICY_SERVICE, "phone", action=Action.FILTER)
    assert changes(content, found) == [("User.phone", "FOUND", "REFUSED", True, 1, 1)]
    wrote = {"kind": Kind.WRITE, "role": Role.CLAIMS_HANDLER, "organization": None}
    done = operation(("Mutation.assignClaim", "WRITE", None, 0, (0,)), **wrote)
    failed = replace(done, outcome=Outcome.REFUSED, code="NOT_FOUND")
    content = without(Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING, "Mutation.assignClaim")
    assert changes(content, done, failed) == [("Mutation.assignClaim", "WRITE", "REFUSED", True, 1, 1)]


# What rows do not hold.


def test_a_field_that_nobody_was_shown_may_be_shown_wherever_its_situation_was_not_computed():
    tags = operation(("User.tags", "DENY", "PURPOSE", 0, (0,)))
    tied = with_rules(rule("insurer", "claim_handling", "underwriter", "contract_open", "reveal", "tag"))
    always = with_rules(rule("insurer", "claim_handling", ANY, ANY, "reveal", "tag"))
    assert changes(tied, tags) == [("User.tags", "DENY", "REVEAL", False, 1, 1)]
    assert changes(always, tags) == [("User.tags", "DENY", "REVEAL", True, 1, 1)]
    beside = operation(("User.tags", "DENY", "PURPOSE", OPEN, (0,)))
    closed = operation(("User.tags", "DENY", "PURPOSE", CLOSED, (0,)))
    assert changes(tied, beside) == [("User.tags", "DENY", "REVEAL", True, 1, 1)]
    assert changes(tied, closed) == []


def test_a_basis_that_the_rules_did_not_ask_for_may_have_been_there():
    content = with_rules(rule("insurer", "claim_handling", ANY, "consent", "reveal", "User.idNumber"))
    assert changes(content, operation(NUMBER)) == [("User.idNumber", "MASK", "REVEAL", False, 1, 1)]
    assert changes(content, operation(("User.idNumber", "REVEAL", None, OPEN, (0,)))) == []


def test_counting_by_distinct_question_gives_what_replaying_each_row_gives():
    random = Random(11)  # noqa: S311 - the same every time
    content = with_rules(
        rule("insurer", "claim_handling", ANY, "contract_open", "mask", "phone", RuleEffect.DENY),
        content=changed(),
    )
    names = ("User.idNumber", "User.phone", "User.name", "Claim.diagnosis", "User.bankCard")
    rows = [
        operation(
            *(
                (random.choice(names), "DENY", "RELATION", random.choice((OPEN, CLOSED, OPEN | CLOSED, 1)), (place,))
                for place in range(random.randint(1, 3))
            ),
            persons=tuple(random.sample(range(9), 3)),
            organization=UUID(int=random.randint(1, 3)),
        )
        for _ in range(300)
    ]
    sides = compiled(content)
    replayers = Replayer(sides.before), Replayer(sides.after)
    expected = {}
    for row in rows:
        body = orjson.loads(body_of(row, dict))
        for before, after, entry in zip(*(one.replay(body) for one in replayers), row.entries, strict=True):
            if before.recomputed[0] != after.recomputed[0]:
                place = str(row.organization), before.coordinate, before.recomputed[0], after.recomputed[0]
                decisions, persons = expected.setdefault(place, (set(), set()))
                decisions.add(row.decision)
                persons.update(row.persons[one] for one in row.groups[entry.group][0])
    tally = seen(content, *rows)
    found = {
        (one.organization, one.coordinate, one.before, one.after): (one.operations, one.persons)
        for one in tally.changes({})
    }
    assert found == {place: (len(decisions), len(persons)) for place, (decisions, persons) in expected.items()}
    assert len(found) > 5
    assert tally.distinct < 100


# What it costs.


@pytest.mark.anyio
async def test_a_row_costs_a_fraction_of_what_a_hundred_thousand_may_and_nobody_waits_long_for_the_others():
    """100,000 rows in ten seconds are a tenth of a millisecond each; bench/impact.py prints the whole figure."""
    draws = Draws(7)
    bodies = [body_of(draws.operation(NOW), draws.references.__getitem__) for _ in range(4_000)]
    rows = [{"index": place, "at": NOW, "body": body} for place, body in enumerate(bodies)]

    async def fetch(statement, *values):
        if "ledger_record" in statement:
            size, before = values[-1], values[2]
            left = [row for row in rows if row["index"] < before]
            return left[: -size - 1 : -1]
        return [{"pending": 0}] if "pending" in statement else []

    sides, begun = compiled(changed()), time.process_time()
    async with held() as longest:
        found = await sealed_impact(fetch, sides, days=1, now=NOW, plan=nothing_planned, most=100_000)
    assert found.operations == 4_000
    assert found.limited is None
    assert {(one.coordinate, one.before, one.after) for one in found.changes} == {
        ("User.idNumber", "MASK", "REVEAL"),
        ("User.name", "REVEAL", "MASK"),
    }
    assert time.process_time() - begun < 4_000 * 0.0001 * 5
    assert max(longest) < 0.25
