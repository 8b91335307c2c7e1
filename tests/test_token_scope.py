"""Token scope × rules: what a token lets through of what the rules show, and never more than either."""
# ruff: noqa: S311 - seeded on purpose, to be the same every time

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from random import Random

import pytest

from authz.caveats import MaskOnly, OnlyPolicies, OnlyProducts, RowCeiling, Until, Use
from authz.compile import Slice, slice_of
from authz.narrowing import (
    Narrowing,
    Only,
    both,
    compares,
    effects_of,
    let_through,
    narrowing_of,
    refused,
    row_ceiling,
)
from authz.rules import make_ruleset, parse_rule
from authz.situations import pair_bit, pairs
from authz.subjects import Subject
from authz.vocabulary import ANY, MASKABLE, Basis, Effect, Reason, Relation
from models.vocabulary import Category, Purpose, Role, to_bits
from resolvers.endpoint import _purpose
from resolvers.problems import RequestRefusedError
from schema.build import build_catalogue, build_schema
from tests.rules import default_snapshot

PAIRS = 10_000
STEPPED = (Category.GOVERNMENT_ID, Category.BANK_ACCOUNT)
RULESETS = 150
NOW = datetime(2032, 1, 1, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ROLES = (Role.CUSTOMER, Role.GUARDIAN, Role.INSURER, Role.CLAIMS_HANDLER)
PURPOSES = (Purpose.RIGHTS_REQUEST, Purpose.POLICY_SERVICE, Purpose.CLAIM_HANDLING)
NUMBERS = ("P-1", "P-2", "P-3", "P-4")
CODES = ("A", "B")
RECORDS = [(number, code) for number in NUMBERS for code in CODES]


@cache
def catalogue():
    return build_catalogue(build_schema())


@cache
def default():
    return default_snapshot(build_schema())


@dataclass(frozen=True)
class Witness:
    """One record of a policy, and the pair it witnesses."""

    policy: str
    product: str
    relation: Relation
    basis: Basis

    @property
    def use(self) -> Use:
        return Use(policy=self.policy, product=self.product)


@dataclass(frozen=True)
class Pair:
    """One token and one ruleset, and the cell they are asked about."""

    subject: Subject
    purpose: Purpose
    rules: Slice
    witnesses: tuple[Witness, ...]
    coordinate: str
    shown: int
    """Rows shown over the token's life, with the cell's own."""

    @property
    def category(self) -> Category:
        return catalogue()[self.coordinate].category


def situation(witnesses) -> int:
    found = 0
    for one in witnesses:
        found |= pair_bit(one.relation, one.basis)
    return found


# The product's answer.


def answered(pair: Pair) -> Effect:
    try:
        _purpose(pair.purpose.value, pair.subject)
    except RequestRefusedError:
        return Effect.DENY
    narrowing = narrowing_of(pair.subject, pair.purpose, now=NOW)
    if refused(pair.category, pair.subject.categories, narrowing):
        return Effect.DENY
    ceiling = row_ceiling(pair.subject)
    if ceiling and not let_through(ceiling, shown=pair.shown, count=1):
        return Effect.DENY
    left = situation(one for one in pair.witnesses if _is_left(one, pair.subject))
    if compares(pair.rules, narrowing):
        left = both(left, situation(pair.witnesses))
    return effects_of(pair.rules, catalogue()[pair.coordinate], narrowing)[left]


def _is_left(witness: Witness, subject: Subject) -> bool:
    """What a narrowed statement leaves (tests/test_narrowing.py holds it to this)."""
    rows = [one for one in subject.caveats if isinstance(one, OnlyPolicies | OnlyProducts)]
    return all(one.verify(witness.use) is None for one in rows)


# The oracle: every rule and every caveat, one by one.


def by_rules(pair: Pair, witnesses) -> Effect:
    """What the rules show, read row by row."""
    held = {(one.relation, one.basis) for one in witnesses} or {(Relation.NONE, Basis.NONE)}
    matching = {
        (rule.effect.value, rule.action.value)
        for rule in pair.rules.rules
        if rule.object in (pair.coordinate, pair.category.value)
        and any(rule.relation in (ANY, relation) and rule.basis in (ANY, basis) for relation, basis in held)
    }
    if ("deny", "mask") in matching:
        return Effect.DENY
    if ("allow", "reveal") in matching and ("deny", "reveal") not in matching:
        return Effect.REVEAL
    maskable = pair.category in MASKABLE and matching & {("allow", "mask"), ("allow", "reveal")}
    return Effect.MASK if maskable else Effect.DENY


def by_token(pair: Pair) -> Effect:
    """The most that the token lets through of this category, whatever the rules say."""
    subject = pair.subject
    if pair.purpose not in subject.purposes or not subject.categories & pair.category.bit:
        return Effect.DENY
    record = {"policy": NUMBERS[0], "product": CODES[0]}
    for effect in (Effect.REVEAL, Effect.MASK):
        if effect is Effect.MASK and pair.category not in MASKABLE:
            continue
        within = [
            one.verify(Use(now=SECONDS, rows=pair.shown, effect=effect, **record)) is None
            for one in subject.caveats
            if not isinstance(one, OnlyPolicies | OnlyProducts)
        ]
        if all(within):
            return effect
    return Effect.DENY


def waits(pair: Pair) -> bool:
    """Is a second factor asked for and not given?"""
    return (
        pair.subject.role in (Role.CUSTOMER, Role.GUARDIAN)
        and pair.purpose == Purpose.RIGHTS_REQUEST
        and pair.category in STEPPED
        and not pair.subject.stepped_up_until > SECONDS
    )


def left_to(pair: Pair) -> list[Witness]:
    rows = [one for one in pair.subject.caveats if isinstance(one, OnlyPolicies | OnlyProducts)]
    return [one for one in pair.witnesses if all(row.verify(one.use) is None for row in rows)]


# The pairs.


@cache
def rulesets():
    random = Random(2)
    return [_ruleset(random, number) for number in range(1, RULESETS + 1)]


def _ruleset(random: Random, number: int):
    rows = set()
    # Few objects, so that several rules meet on one.
    objects = [*random.sample(list(Category), 5), *random.sample(list(catalogue()), 3), *STEPPED]
    for role in ROLES:
        for purpose in PURPOSES:
            for _ in range(random.randint(2, 12)):
                words = (
                    random.choices(("allow", "deny"), (5, 2))[0],
                    role.value,
                    purpose.value,
                    random.choice((ANY, *(one.value for one in Relation))),
                    random.choice((ANY, ANY, *(one.value for one in Basis))),
                    random.choice(("reveal", "reveal", "mask")),
                    random.choice(objects),
                    "C24",
                )
                rows.add(words)
    return make_ruleset(number, [parse_rule(words, place="the test") for words in rows], catalogue=catalogue())


@cache
def compiled(number: int | None, role: Role, purpose: Purpose) -> Slice:
    if number is None:
        return default().slice(role, purpose)
    return slice_of(rulesets()[number], role, purpose, catalogue=catalogue())


def a_pair(random: Random) -> Pair:
    role, purpose = random.choice(ROLES), random.choice(PURPOSES)
    rules = compiled(random.choice((None, random.randrange(RULESETS), random.randrange(RULESETS))), role, purpose)
    concerned = [name for name in catalogue() if rules.could_show(name)]
    coordinate = random.choice(concerned if concerned and random.random() < 0.9 else list(catalogue()))
    witnesses = _witnesses(random, rules, coordinate)
    return Pair(_a_subject(random, role), purpose, rules, witnesses, coordinate, random.randint(1, 9))


def _witnesses(random: Random, rules: Slice, coordinate: str) -> tuple[Witness, ...]:
    """A few records, mostly with pairs that some rule on the coordinate names."""
    objects = (coordinate, catalogue()[coordinate].category)
    named = [(rule.relation, rule.basis) for rule in rules.rules if rule.object in objects] or [(ANY, ANY)]
    found = []
    for _ in range(random.choice((0, 1, 2, 3, 3, 5))):
        relation, basis = random.choice(named) if random.random() < 0.8 else (ANY, ANY)
        relation = random.choice(list(Relation)) if relation == ANY else Relation(relation)
        basis = random.choice(list(Basis)) if basis == ANY else Basis(basis)
        found.append(Witness(*random.choice(RECORDS), relation, basis))
    return tuple(found)


def _a_subject(random: Random, role: Role) -> Subject:
    caveats = [
        random.choice(
            (
                None,
                OnlyPolicies(tuple(random.sample((*NUMBERS, "P-9"), random.randint(1, 4)))),
                OnlyProducts((random.choice((*CODES, "Z")),)),
            )
        ),
        random.choice((None, None, None, None, Until(SECONDS + random.choice((-1, 0, 1, 99))))),
        random.choice((None, None, RowCeiling(random.randint(0, 9)))),
        random.choice((None, None, MaskOnly())),
    ]
    return Subject(
        role=role,
        purposes=tuple(random.sample(PURPOSES, random.choice((2, 3, 3, 3, 3)))),
        categories=to_bits({category for category in Category if random.random() < 0.9}),
        token_id="t",
        caveats=tuple(one for one in caveats if one is not None),
        stepped_up_until=SECONDS + random.choice((-99, 0, 1, 99)),
    )


def test_token_scope_and_rules_10000_random_pairs_never_wider_than_either():
    random = Random(1)
    seen = Counter()
    for _ in range(PAIRS):
        pair = a_pair(random)
        shown, rules, token = answered(pair), by_rules(pair, pair.witnesses), by_token(pair)
        narrowed = by_rules(pair, left_to(pair))
        assert shown <= rules, pair
        assert shown <= token, pair
        waiting = waits(pair) and min(rules, narrowed) is Effect.REVEAL
        # Nor narrower than both of them make it.
        assert shown is (Effect.DENY if waiting else min(rules, token, narrowed)), pair
        seen[shown] += 1
        seen["narrowed"] += shown < rules
        seen["by the token"] += token < rules
        seen["by its rows"] += narrowed < rules
        seen["fewer witnesses would show more"] += narrowed > rules
        seen["step-up"] += waiting
        seen["default rules"] += pair.rules is compiled(None, pair.rules.role, pair.purpose)
    assert sum(seen[effect] for effect in Effect) == PAIRS
    assert min(seen.values()) > 50, seen


# One by one.


def a_slice(*sentences, role=Role.CUSTOMER, purpose=Purpose.RIGHTS_REQUEST):
    rows = []
    for sentence in sentences:
        effect, relation, basis, action, obj = sentence.split()
        words = [effect, role.value, purpose.value, relation, basis, action, obj, "C24"]
        rows.append(parse_rule(words, place="the test"))
    ruleset = make_ruleset(1, rows, catalogue=catalogue())
    return slice_of(ruleset, role, purpose, catalogue=catalogue())


def test_the_default_rules_never_ask_for_the_situation_of_all_records():
    for one in default().slices.values():
        assert not compares(one, Narrowing(Only.POLICIES))


def test_what_a_record_outside_the_token_denies_stays_denied():
    rules = a_slice("allow self any reveal name", "deny self request reveal name")
    narrowing = Narrowing(Only.POLICIES)
    left, closing = pair_bit(Relation.SELF, Basis.NONE), pair_bit(Relation.SELF, Basis.REQUEST)
    effects = effects_of(rules, catalogue()["User.name"], narrowing)
    assert compares(rules, narrowing)
    assert effects[both(left, left)] is Effect.REVEAL
    assert effects[both(left, left | closing)] is Effect.MASK
    rules = a_slice("allow self any reveal health", "deny self request reveal health")
    effects = effects_of(rules, catalogue()["User.healthDeclaration"], narrowing)
    assert effects[both(left, left | closing)] is Effect.DENY
    assert effects.reason(both(left, left | closing)) is Reason.RULE_DENIES


def test_what_is_shown_where_nothing_is_witnessed_is_not_shown_where_only_the_token_sees_nothing():
    rules = a_slice("allow none none reveal name")
    effects = effects_of(rules, catalogue()["User.name"], Narrowing(Only.PRODUCTS))
    tied = pair_bit(Relation.SELF, Basis.CONTRACT_OPEN)
    assert effects[both(0, 0)] is Effect.REVEAL
    assert effects[both(0, tied)] is Effect.DENY
    assert set(pairs(0)) == {(Relation.NONE, Basis.NONE)}


def test_a_second_factor_is_asked_for_only_where_the_rules_would_reveal():
    rules = a_slice(
        "allow self request reveal government_id", "allow any any mask government_id", "allow self any reveal name"
    )
    effects = effects_of(rules, catalogue()["User.idNumber"], Narrowing(step_up=True))
    tied = pair_bit(Relation.SELF, Basis.REQUEST)
    assert effects[tied] is Effect.DENY
    assert effects.reason(tied) is Reason.STEP_UP
    assert effects[pair_bit(Relation.SELF, Basis.NONE)] is Effect.MASK
    assert effects_of(rules, catalogue()["User.name"], Narrowing(step_up=True))[tied] is Effect.REVEAL
    denied = effects_of(
        a_slice("allow self request reveal bank_account"), catalogue()["User.bankCard"], Narrowing(step_up=True)
    )
    assert denied[1] is Effect.DENY
    assert denied.reason(1) is Reason.RELATION


@pytest.mark.parametrize("later, asked", [(-1, True), (0, True), (1, False)])
@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.GUARDIAN])
def test_a_second_factor_counts_until_its_time_and_no_longer(role, later, asked):
    subject = Subject(role, PURPOSES, 0, "t", stepped_up_until=SECONDS + later)
    assert narrowing_of(subject, Purpose.RIGHTS_REQUEST, now=NOW).step_up is asked
    assert not narrowing_of(subject, Purpose.POLICY_SERVICE, now=NOW).step_up


def test_staff_and_partners_are_asked_for_no_second_factor():
    for role in set(Role) - {Role.CUSTOMER, Role.GUARDIAN}:
        assert not narrowing_of(Subject(role, PURPOSES, 0, "t"), Purpose.RIGHTS_REQUEST, now=NOW).step_up


def test_a_token_that_names_policies_twice_answers_nothing():
    subject = Subject(Role.INSURER, PURPOSES, 0, "t", caveats=(OnlyPolicies(("P-1",)), OnlyPolicies(("P-2",))))
    with pytest.raises(ValueError, match="twice"):
        narrowing_of(subject, Purpose.POLICY_SERVICE, now=NOW)


def test_of_two_ceilings_the_lower_one_holds_and_it_holds_to_the_row():
    subject = Subject(Role.INSURER, PURPOSES, 0, "t", caveats=(RowCeiling(5), RowCeiling(3)))
    ceiling = row_ceiling(subject)
    assert [let_through(ceiling, shown=shown, count=2) for shown in (2, 3, 4, 5, 6)] == [2, 2, 1, 0, 0]
