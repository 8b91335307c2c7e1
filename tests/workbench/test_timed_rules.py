"""What begins or ends at a moment does so to the second; a worker that cannot tell what is in force shows nothing."""

import asyncio
import itertools
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import authz.rulesets
from authz.default_ruleset import default_content
from authz.enforce import Enforcer
from authz.rules import Rule, RulesetError, in_force, moment_text
from authz.rulesets import CONFIRM_SECONDS, FRESH_SECONDS, PREPARE, Rulesets
from authz.situations import NOTHING
from authz.vocabulary import ANY, Action, Effect, Reason, RuleEffect
from models.vocabulary import Purpose, Role
from schema.build import build_catalogue, build_schema

CATALOGUE = build_catalogue(build_schema())
PLACE = Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING
NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)
SECOND, INSTANT = timedelta(seconds=1), timedelta(microseconds=1)


class Hand:
    """Clocks that a test moves: the wall's, and the seconds that pass."""

    def __init__(self) -> None:
        self.now, self.seconds = NOON, 0.0

    def rulesets(self) -> Rulesets:
        return Rulesets(CATALOGUE, lambda: self.now, passed=lambda: self.seconds)


class Asked:
    """A database whose latest ruleset has this number."""

    def __init__(self, number: int) -> None:
        self.number = number

    async def fetchval(self, _: str) -> int:
        return self.number

    async def fetch(self, _: str) -> list[object]:
        """What its notices tell of: there are none."""
        return []


def ruleset(*rules: Rule, number: int = 1):
    given = default_content()
    return replace(given, rules=(*given.rules, *rules)).ruleset(number, CATALOGUE)


def timed(begin: datetime | None, end: datetime | None, *, effect=RuleEffect.ALLOW, obj="User.name") -> Rule:
    bounds = [moment_text(one) if one else "" for one in (begin, end)]
    return Rule(effect, *PLACE, ANY, ANY, Action.REVEAL, obj, "C55", *bounds)


def name_of(rulesets) -> Effect:
    return rulesets.snapshot().slice(*PLACE).table("User.name")[NOTHING]


@pytest.mark.parametrize("prepared", [False, True])
def test_a_rule_holds_from_its_first_second_until_just_before_its_end(prepared):
    hand = Hand()
    rulesets = hand.rulesets()
    begin, end = NOON + 10 * SECOND, NOON + 12 * SECOND
    rulesets.use(ruleset(timed(begin, end)))
    seen = []
    for moment in (NOON, begin - INSTANT, begin, end - INSTANT, end, end + 99 * SECOND):
        if prepared:
            hand.now = moment - SECOND
            asyncio.run(rulesets.prepare())
        hand.now = moment
        seen.append(name_of(rulesets).name)
    assert seen == ["MASK", "MASK", "REVEAL", "REVEAL", "MASK", "MASK"]


def test_what_begins_was_made_ready_and_warm_before_so_that_no_operation_waits(monkeypatch):
    hand = Hand()
    rulesets = hand.rulesets()
    begin = NOON + 60 * SECOND
    rulesets.use(ruleset(timed(begin, None)))
    assert name_of(rulesets) is Effect.MASK
    hand.now = begin - PREPARE - INSTANT
    asyncio.run(rulesets.prepare())
    assert rulesets._next is None, "what is not needed for long is not held"
    hand.now = begin - PREPARE
    asyncio.run(rulesets.prepare())
    monkeypatch.setattr(authz.rulesets, "compile_ruleset", None)
    monkeypatch.setattr(Enforcer, "allows", None)
    assert name_of(rulesets) is Effect.MASK
    hand.now = begin
    assert name_of(rulesets) is Effect.REVEAL


def test_what_knows_no_moment_is_the_same_before_and_after():
    hand = Hand()
    rulesets = hand.rulesets()
    rulesets.use(ruleset(timed(NOON + SECOND, None)))
    before = rulesets.snapshot()
    hand.now += SECOND
    after = rulesets.snapshot()
    changed = {place for place in before.slices if before.slices[place] is not after.slices[place]}
    assert PLACE in changed
    # Another purpose's slice knows whether the role is shown something for any purpose.
    assert {role for role, _ in changed} == {PLACE[0]}
    assert all(before.writes[place] is after.writes[place] for place in before.writes)


MOMENTS = st.integers(0, 8).map(lambda seconds: NOON + seconds * SECOND)
BOUNDS = st.tuples(MOMENTS, MOMENTS).filter(lambda pair: pair[0] < pair[1])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(BOUNDS, min_size=1, max_size=4, unique=True),
    st.lists(st.tuples(st.integers(0, 9000), st.booleans()), min_size=1, max_size=8),
)
def test_at_every_moment_exactly_what_holds_then_is_in_force(bounds, steps):
    whole = ruleset(*(timed(*pair) for pair in bounds))
    hand = Hand()
    rulesets = hand.rulesets()
    rulesets.use(whole)
    for milliseconds, prepares in sorted(steps):
        hand.now = NOON + timedelta(milliseconds=milliseconds)
        found = rulesets.snapshot().ruleset
        expected = in_force(whole, hand.now)
        assert (found.digest, found.rules) == (expected.digest, expected.rules)
        if prepares:
            asyncio.run(rulesets.prepare())


@pytest.mark.parametrize("prepared", [False, True])
def test_for_as_long_as_what_holds_cannot_be_used_everything_is_denied(prepared):
    hand = Hand()
    rulesets = hand.rulesets()
    rulesets.use(ruleset(timed(NOON + SECOND, NOON + 2 * SECOND, obj="demographic")))
    said = []
    for _ in range(3):
        said.append((name_of(rulesets).name, rulesets.closed_because is None))
        if prepared:
            asyncio.run(rulesets.prepare())
        hand.now += SECOND
    assert said == [("MASK", True), ("DENY", False), ("MASK", True)]


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("published", [False, True])
def test_once_what_holds_can_be_used_again_nobody_is_told_that_it_cannot(prepared, published):
    """A role without rules is denied for want of them, as one that is closed is not."""
    hand = Hand()
    rulesets = hand.rulesets()
    rulesets.use(ruleset(timed(NOON + SECOND, NOON + 2 * SECOND, obj="demographic")))
    hand.now += SECOND
    assert rulesets.snapshot().is_closed
    if prepared:
        asyncio.run(rulesets.prepare())
    if published:
        rulesets.use(ruleset(number=2))
    else:
        hand.now += SECOND
    found = rulesets.snapshot()
    assert not found.is_closed
    for place in itertools.product(Role, Purpose):
        for one in (found.slice(*place), found.writing(*place)):
            assert one.reason("User.name", NOTHING) is not Reason.UNAVAILABLE
            assert one.why_not_write("Mutation.closeClaim", NOTHING) is not Reason.UNAVAILABLE


def test_a_ruleset_that_takes_longer_to_compile_than_the_database_may_take_to_answer_is_taken_over(monkeypatch):
    rulesets = Hand().rulesets()
    rulesets.use(ruleset())

    class Fetched:
        def ruleset(self, _):
            time.sleep(0.2)
            return ruleset(number=2)

    async def fetched(_, number):
        assert number == 2
        return Fetched()

    monkeypatch.setattr(authz.rulesets, "_ASK_SECONDS", 0.05)
    monkeypatch.setattr(authz.rulesets, "_fetched", fetched)
    assert asyncio.run(rulesets.learn(Asked(2)))
    assert rulesets.number == 2


def test_a_later_ruleset_is_never_replaced_by_an_earlier_one():
    rulesets = Hand().rulesets()
    for number, there_is in ((2, 2), (1, 2), (5, 5), (4, 5)):
        rulesets.use(ruleset(number=number))
        assert (rulesets.number, rulesets.snapshot().ruleset.number) == (there_is, there_is)


def test_before_anything_was_learned_there_is_nothing_to_ask():
    with pytest.raises(RulesetError):
        Hand().rulesets().snapshot()


def test_a_worker_that_could_not_confirm_its_ruleset_for_five_seconds_denies_everything_until_it_can():
    hand = Hand()
    rulesets = hand.rulesets()
    rulesets.use(ruleset(number=3))
    said = []

    def say(seconds):
        hand.seconds += seconds
        said.append((rulesets.fresh(), name_of(rulesets).name, rulesets.closed_because is None))

    say(FRESH_SECONDS)
    say(0.1)
    say(CONFIRM_SECONDS - FRESH_SECONDS - 0.1)
    say(0.1)
    assert asyncio.run(rulesets.learn(Asked(3)))
    say(0)
    assert said == [
        (True, "MASK", True),
        (False, "MASK", True),
        (False, "MASK", True),
        (False, "DENY", False),
        (True, "MASK", True),
    ]


def test_of_a_database_that_was_put_back_to_an_earlier_ruleset_nothing_is_confirmed():
    hand = Hand()
    rulesets = hand.rulesets()
    rulesets.use(ruleset(number=3))
    hand.seconds += CONFIRM_SECONDS + 0.1
    assert not asyncio.run(rulesets.learn(Asked(2)))
    assert (rulesets.number, name_of(rulesets)) == (3, Effect.DENY)


def test_who_asks_while_nobody_can_tell_the_rules_is_denied_everything_for_that_reason():
    hand = Hand()
    rulesets = hand.rulesets()
    rulesets.use(ruleset())
    hand.seconds += CONFIRM_SECONDS + 0.1
    closed = rulesets.snapshot()
    for role, purpose in itertools.product(Role, Purpose):
        for one in (closed.slice(role, purpose), closed.writing(role, purpose)):
            for name in CATALOGUE:
                assert not one.could_show(name)
                assert (one.table(name)[NOTHING], one.table(name).reason(NOTHING)) == (Effect.DENY, Reason.UNAVAILABLE)
                assert not one.may_filter(name, NOTHING)
            for name in CATALOGUE.writes:
                assert not one.may_write(name, NOTHING)
                assert one.why_not_write(name, NOTHING) is Reason.UNAVAILABLE
    keys = {one.key for one in closed.slices.values()}
    assert len(keys) == len(Role) * len(Purpose), "no plan of one is taken for another's"
