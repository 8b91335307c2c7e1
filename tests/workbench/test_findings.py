"""Findings: every one that is there, and none that is not (C24, C55, C56)."""

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.compile import compile_ruleset
from authz.default_ruleset import default_content
from authz.law import Law, Notices
from authz.rules import Budget, RulesetError, make_ruleset
from authz.situations import pair_bit
from authz.vocabulary import ANY, Action, Basis, Effect, Relation, RuleEffect
from authz.workbench.behaviours import behaviour, by_name, objects_of
from authz.workbench.findings import WATCHED, FindingKind, Severity, findings, refuses
from authz.workbench.reachable import _TABLES as TABLES
from authz.workbench.reachable import _WRITTEN, FILTERS, NEVER_GIVEN, reachable, witnessed
from models.organizations import OrganizationKind
from models.vocabulary import Category, Purpose, Role, to_bits
from privacy.bundles import BundleName, read_bundle
from resolvers.nouns import BlindFilter
from resolvers.registry import NOUNS
from schema.build import build_catalogue, build_schema
from tests.conftest import ROOT
from tests.workbench.small import (
    BUDGET,
    CATALOGUE,
    EVERY_SITUATION,
    MOMENTS,
    NOW,
    PURPOSE,
    ROLE,
    content,
    rule,
    rule_sets,
    snapshot,
)

WHOLE = build_catalogue(build_schema())
DEFAULT = default_content()
OBJECTS = objects_of(CATALOGUE)
UNLAWFUL = FindingKind.UNLAWFUL_BASIS
NAMES = (*CATALOGUE, *CATALOGUE.writes)
ACTIONS = {True: (Action.WRITE,), False: (Action.REVEAL, Action.FILTER)}


def found(*rules, catalogue=CATALOGUE, **given):
    return findings(content(*rules, **given), catalogue=catalogue, now=NOW)


def of_kind(some, kind):
    return [one for one in some if one.kind is kind]


def answers(rules, situations=EVERY_SITUATION):
    """What rules answer to everything."""
    by = by_name(rules, OBJECTS)
    said = {name: behaviour(by.get(name, ()), name, CATALOGUE) for name in NAMES}
    return [
        said[name].answer(action, situation)
        for name in NAMES
        for action in ACTIONS[name in CATALOGUE.writes]
        for situation in situations
    ]


@given(rule_sets(), st.sampled_from(EVERY_SITUATION))
@settings(max_examples=100, deadline=None)
def test_a_behaviour_says_of_every_situation_what_casbin_decides(rules, situation):
    compiled = snapshot(rules)
    by = by_name(rules, OBJECTS)
    for name in NAMES:
        said = behaviour(by.get(name, ()), name, CATALOGUE)
        if name in CATALOGUE.writes:
            assert said.answer(Action.WRITE, situation) == compiled.writing(ROLE, PURPOSE).may_write(name, situation)
        else:
            assert said.answer(Action.REVEAL, situation) is compiled.slice(ROLE, PURPOSE).decide(name, situation)
            assert said.answer(Action.FILTER, situation) == compiled.slice(ROLE, PURPOSE).may_filter(name, situation)


def test_the_guide_tells_every_finding_and_what_the_privacy_officer_watches():
    guide = (ROOT / "docs" / "security-team.md").read_text(encoding="utf-8").partition("## Rules as files")[2]
    assert [kind for kind in FindingKind if f"`{kind}`" not in guide] == []
    watched = guide.partition("The privacy officer watches ")[2].partition("**Cases**")[0]
    assert {category for category in Category if f"`{category}`" in watched} == WATCHED


def test_the_default_rules_have_no_finding():
    assert findings(DEFAULT, catalogue=WHOLE, parent=DEFAULT, now=NOW) == []


# --- Vocabulary, doubled, empty, budgets, time ----------------------------------------------------------------


def test_a_name_that_is_not_there_is_an_error_and_the_likely_one_is_named():
    (one,) = found("allow any any reveal Claim.diagnosi")
    assert (one.kind, one.severity, one.rule) == (
        FindingKind.VOCABULARY,
        Severity.ERROR,
        rule("allow any any reveal Claim.diagnosi"),
    )
    assert "Did you mean Claim.diagnosis?" in one.message
    assert refuses([one])


def test_a_write_that_is_to_be_read_is_an_error():
    (one,) = found("allow any any reveal Mutation.closeClaim", budgets=(BUDGET,))[:1]
    assert (one.kind, one.severity) == (FindingKind.VOCABULARY, Severity.ERROR)


def test_every_error_is_told_not_only_the_first():
    some = found("allow any any reveal nothing", "allow any any reveal never", "allow any any mask health")
    assert [one.rule.object for one in some if one.severity is Severity.ERROR] == ["nothing", "never", "health"]


def test_a_rule_that_stands_twice_is_an_error_also_under_another_clause():
    one = rule("allow assigned any reveal health")
    for other in (one, replace(one, clause="C09")):
        (twice,) = of_kind(found(one, other), FindingKind.DOUBLED)
        assert (twice.severity, twice.rule) == (Severity.ERROR, one)
    later = rule("allow assigned any reveal health", "2027-01-01T00:00:00Z", "")
    assert of_kind(found(one, later), FindingKind.DOUBLED) == []


def test_rules_without_a_rule_are_an_error():
    assert [one.kind for one in found(budgets=())] == [FindingKind.EMPTY]
    assert refuses(found(budgets=()))


def test_what_is_revealed_without_a_budget_is_an_error_and_a_budget_for_nothing_a_note():
    (missing,) = found("allow assigned any reveal health", budgets=())
    assert (missing.kind, missing.severity) == (FindingKind.BUDGET_MISSING, Severity.ERROR)
    (idle,) = found("allow assigned any mask name")
    assert (idle.kind, idle.severity) == (FindingKind.BUDGET_IDLE, Severity.NOTE)
    twice = found("allow assigned any reveal health", budgets=(BUDGET, replace(BUDGET, per_day=99)))
    assert [one.kind for one in twice] == [FindingKind.DOUBLED]


def test_a_rule_that_has_ended_is_told_and_one_that_has_not_begun_is_not():
    ended = rule("allow assigned any reveal health", "", "2026-11-23T00:00:00Z")
    assert [one.kind for one in found(ended)] == [FindingKind.EXPIRED]
    assert found(replace(ended, valid_until="2026-11-23T00:00:01Z")) == []
    assert found(rule("allow assigned any reveal health", "2027-01-01T00:00:00Z", "")) == []


# --- Shadowed and conflict ------------------------------------------------------------------------------------


def shadowed(some):
    return {one.rule for one in some if one.kind is FindingKind.SHADOWED}


@given(rule_sets(objects=("name", "User.name", "health", "Claim.diagnosis")))
@settings(max_examples=150, deadline=None)
def test_a_rule_is_shadowed_exactly_if_no_answer_changes_without_it(rules):
    some = findings(content(*rules), catalogue=CATALOGUE, now=NOW)
    dead = {one.rule for one in some if one.kind is FindingKind.UNREACHABLE}
    whole = answers(rules)
    needless = {one for one in rules if answers([other for other in rules if other != one]) == whole}
    assert shadowed(some) == needless - dead


@given(rule_sets(timed=True, objects=("name", "health")))
@settings(max_examples=100, deadline=None)
def test_a_rule_is_never_called_shadowed_where_at_some_moment_an_answer_needs_it(rules):
    for one in shadowed(findings(content(*rules), catalogue=CATALOGUE, now=NOW)):
        for moment in MOMENTS:
            held = [other for other in rules if other.holds_at(moment)]
            assert answers(held) == answers([other for other in held if other != one])


@pytest.mark.parametrize(
    "broader, narrower",
    [
        ("allow any any reveal health", "allow assigned any reveal health"),
        ("allow any contract_open reveal name", "allow assigned contract_open mask name"),
        ("allow assigned any reveal name", "allow assigned any reveal User.name"),
        ("deny any contract_open mask name", "deny assigned contract_open reveal User.name"),
    ],
)
def test_the_rule_that_covers_another_is_named(broader, narrower):
    allowed = ("allow any any reveal name",) if broader.startswith("deny") else ()
    (one,) = [one for one in found(broader, narrower, *allowed) if one.kind is FindingKind.SHADOWED and one.others]
    assert (one.rule, one.others, one.severity) == (rule(narrower), (rule(broader),), Severity.WARNING)
    assert f"`{rule(broader).line}` says as much" in one.message


def test_an_allow_to_reveal_that_is_denied_still_masks_and_is_no_shadow():
    rules = ("allow assigned any reveal name", "deny assigned any reveal name")
    assert shadowed(found(*rules)) == set()
    assert shadowed(found(*rules, "allow any any mask name")) == {rule(rules[0])}


def test_a_rule_is_covered_only_by_one_that_holds_as_long():
    short = ("2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z")
    narrow = rule("allow assigned any reveal health", *short)
    for bounds, is_covered in ((("2027-01-01T00:00:00Z", ""), True), (("", "2027-02-15T00:00:00Z"), False)):
        broad = rule("allow any any reveal health", *bounds)
        assert shadowed(found(broad, narrow)) == ({narrow} if is_covered else set())


def test_a_deny_without_anything_to_deny_is_a_note():
    some = of_kind(found("deny assigned any reveal health", "allow assigned any reveal name"), FindingKind.SHADOWED)
    assert [(one.severity, one.rule) for one in some] == [(Severity.NOTE, rule("deny assigned any reveal health"))]


@given(rule_sets(objects=("name", "User.name", "health")))
@settings(max_examples=100, deadline=None)
def test_a_conflict_is_told_of_exactly_the_denies_that_meet_an_allow(rules):
    some = of_kind(findings(content(*rules), catalogue=CATALOGUE, now=NOW), FindingKind.CONFLICT)
    dead = {r for r in rules if r.action == Action.MASK and r.effect == RuleEffect.ALLOW and r.object == "health"}
    # Nothing of this small world is looked up.
    dead |= {one for one in rules if one.action == Action.FILTER}
    warned = {one.rule for one in some if one.severity is Severity.WARNING}
    noted = {one.rule for one in some if one.severity is Severity.NOTE}
    meeting = {
        one for one in rules if one.effect == RuleEffect.DENY and any(_meets(one, o, at_once=True) for o in rules)
    }
    beside = {one for one in rules if one.effect == RuleEffect.DENY and any(_meets(one, o) for o in rules)}
    assert warned == meeting - dead
    assert noted == beside - meeting - dead


def _meets(deny, allow, *, at_once=False):
    if allow.effect != RuleEffect.ALLOW or not set(OBJECTS[deny.object]) & set(OBJECTS[allow.object]):
        return False
    speaks = {Action.MASK: {Action.MASK, Action.REVEAL}}.get(deny.action, {deny.action})
    fits = all(
        ANY in (mine, other) or mine == other
        for mine, other in ((deny.relation, allow.relation), (deny.basis, allow.basis))
    )
    return allow.action in speaks and (fits or not at_once)


def test_a_deny_and_an_allow_that_never_hold_at_once_are_no_conflict():
    deny = rule("deny assigned any reveal health", "", "2027-01-01T00:00:00Z")
    allow = rule("allow assigned any reveal health", "2027-01-01T00:00:00Z", "")
    assert of_kind(found(deny, allow), FindingKind.CONFLICT) == []
    longer = replace(deny, valid_until="2027-01-01T00:00:01Z")
    assert [one.rule for one in of_kind(found(longer, allow), FindingKind.CONFLICT)] == [longer]


# --- Unreachable ----------------------------------------------------------------------------------------------


def whole(effect, role, purpose, relation, basis, action, obj):
    return replace(rule(f"{effect} {relation} {basis} {action} {obj}"), role=Role(role), purpose=Purpose(purpose))


@pytest.mark.parametrize(
    "words, severity, says",
    [
        ("allow analyst analytics any any reveal tag", Severity.WARNING, "no rows"),
        ("allow auditor administration any any reveal name", Severity.WARNING, "no rows"),
        ("allow ad_partner marketing audience consent mask name", Severity.WARNING, "no rows"),
        ("allow insurer research underwriter any reveal name", Severity.WARNING, "no rows"),
        ("allow loss_adjuster claim_handling assigned any reveal device", Severity.WARNING, "no rows"),
        ("allow customer_service policy_service assigned request reveal name", Severity.WARNING, "No record"),
        ("allow insurer claim_handling provider contract_open reveal name", Severity.WARNING, "No record"),
        ("allow marketer marketing self any reveal name", Severity.WARNING, "No record"),
        ("deny claims_handler claim_handling assigned request reveal health", Severity.WARNING, "No record"),
        ("allow claims_handler claim_handling assigned any filter phone", Severity.WARNING, "before any"),
        ("allow claims_handler claim_handling any any filter health", Severity.WARNING, "looks nothing up"),
        ("allow claims_handler claim_handling assigned any mask health", Severity.ERROR, "no masked form"),
        ("allow customer account_service self any write tag", Severity.ERROR, "never given"),
        ("allow analyst analytics any any write name", Severity.WARNING, "no rows"),
    ],
)
def test_a_rule_that_nobody_can_ever_use_is_told_with_why(words, severity, says):
    one = whole(*words.split())
    budget = Budget(one.role, one.purpose, 1, 1, "C08")
    some = findings(content(one, budgets=(budget,)), catalogue=WHOLE, now=NOW)
    (never,) = of_kind(some, FindingKind.UNREACHABLE)
    assert (never.severity, never.rule) == (severity, one)
    assert says in never.message


@pytest.mark.parametrize("role", list(Role))
def test_whatever_a_statement_of_the_default_rules_can_witness_is_reachable(role):
    compiled = compile_ruleset(DEFAULT.ruleset(1, WHOLE), WHOLE)
    for purpose in Purpose:
        for name, one in WHOLE.items():
            table = TABLES[name.partition(".")[0]]
            possible = reachable(role, purpose, name, action=Action.REVEAL, catalogue=WHOLE)
            if possible:
                assert not witnessed(compiled.slice(role, purpose), table, one.of) & ~possible
        for table, of in _WRITTEN:
            possible = reachable(role, purpose, "User.name", action=Action.WRITE, catalogue=WHOLE)
            if possible:
                assert not witnessed(compiled.writing(role, purpose), table, of) & ~possible


@pytest.mark.parametrize(
    "role, purpose, name, expected",
    [
        (
            "customer",
            "account_service",
            "User.name",
            (
                "none:none none:contract_open none:consent self:none self:contract_open holder_of:none"
                " holder_of:contract_open"
            ),
        ),
        ("loss_adjuster", "claim_handling", "Claim.hospital", None),
        ("health_provider", "health_service", "User.name", None),
    ],
)
def test_pairs_are_read_off_the_statements(role, purpose, name, expected):
    found = reachable(Role(role), Purpose(purpose), name, action=Action.REVEAL, catalogue=WHOLE)
    if expected is not None:
        words = (word.split(":") for word in expected.split())
        assert found == sum(pair_bit(Relation(one), Basis(other)) for one, other in words)
    if role == "loss_adjuster":
        assert found & pair_bit(Relation.ASSIGNED, Basis.CONTRACT_OPEN)
        assert not found & pair_bit(Relation.ASSIGNED, Basis.REQUEST)
    if role == "health_provider":
        assert found & pair_bit(Relation.PROVIDER, Basis.CONTRACT_OPEN)
        assert not found & pair_bit(Relation.AUDIENCE, Basis.CONSENT)


def test_what_is_looked_up_and_what_is_given_are_what_the_api_declares():
    declared = {
        one.coordinate
        for noun in NOUNS.values()
        for one in (noun.filters or {}).values()
        if isinstance(one, BlindFilter)
    }
    assert declared == FILTERS
    given = {
        Category(one.object) for one in DEFAULT.rules if one.action == Action.WRITE and one.object in set(Category)
    }
    assert given == set(Category) - NEVER_GIVEN


# --- Birth date beside a masked ID number ---------------------------------------------------------------------


@given(rule_sets(objects=("government_id", "demographic", "User.idNumber"), most=5))
@settings(max_examples=100, deadline=None)
def test_a_birth_date_beside_a_masked_id_is_told_exactly_where_some_situation_shows_it(rules):
    told = bool(of_kind(findings(content(*rules), catalogue=CATALOGUE, now=NOW), FindingKind.SENSITIVE_PAIR))
    by = by_name(rules, OBJECTS)
    number, born = (behaviour(by.get(name, ()), name, CATALOGUE) for name in ("User.idNumber", "User.birthDate"))
    assert told == any(
        number.answer(Action.REVEAL, one) is Effect.MASK and born.answer(Action.REVEAL, one) is Effect.REVEAL
        for one in EVERY_SITUATION
    )
    if not told:
        compile_ruleset(make_ruleset(1, rules, catalogue=CATALOGUE), CATALOGUE)


def test_a_birth_date_beside_a_masked_id_is_told_of_every_role_and_of_times_to_come():
    rules = [rule("allow assigned any mask government_id"), rule("allow assigned any reveal demographic")]
    both = [*rules, *(replace(one, role=Role.INSURER) for one in rules)]
    budgets = (BUDGET, replace(BUDGET, role=Role.INSURER))
    assert len(of_kind(found(*both, budgets=budgets), FindingKind.SENSITIVE_PAIR)) == 2
    with pytest.raises(RulesetError):
        compile_ruleset(make_ruleset(1, both, catalogue=CATALOGUE), CATALOGUE)
    until = rule("allow assigned any reveal government_id", "", "2027-01-01T00:00:00Z")
    (one,) = of_kind(found(*rules, until), FindingKind.SENSITIVE_PAIR)
    assert one.severity is Severity.ERROR
    after = replace(rules[1], valid_until="2027-01-01T00:00:00Z")
    assert of_kind(found(rules[0], after, until), FindingKind.SENSITIVE_PAIR) == []


def test_oneself_sees_ones_birth_date_beside_ones_masked_id():
    rules = [
        whole("allow", "customer", "account_service", "self", "any", *words.split())
        for words in ("mask government_id", "reveal demographic")
    ]
    budgets = (Budget(Role.CUSTOMER, Purpose.ACCOUNT_SERVICE, 1, 1, "C64"),)
    assert found(*rules, catalogue=WHOLE, budgets=budgets) == []


# --- Widened, never used --------------------------------------------------------------------------------------


def widening(before, after):
    some = findings(content(*after), catalogue=CATALOGUE, parent=content(*before), now=NOW)
    return [(one.severity, one.rule, one.message) for one in some if one.kind is FindingKind.WIDENED]


def test_what_shows_more_is_told_and_a_watched_category_is_a_warning():
    before = ["allow assigned contract_open mask name", "allow assigned contract_open reveal health"]
    name, health = "allow assigned contract_open reveal name", "allow assigned any reveal health"
    ((severity, of, message),) = widening(before, [name, before[1]])
    assert (severity, of) == (Severity.NOTE, rule(name))
    assert "mask becomes reveal when assigned contract_open" in message
    ((severity, of, message),) = widening(before, [before[0], health])
    assert (severity, of) == (Severity.WARNING, rule(health))
    assert "privacy officer" in message
    assert "deny becomes reveal when assigned any but contract_open" in message


def test_what_shows_less_is_no_finding():
    assert widening(["allow assigned any reveal health"], ["allow assigned contract_open reveal health"]) == []


def test_a_deny_taken_away_widens_and_so_does_one_that_is_to_end():
    allow, deny = "allow any any reveal health", "deny assigned any reveal health"
    assert [severity for severity, *_ in widening([allow, deny], [allow])] == [Severity.WARNING]
    ends = rule(deny, "", "2027-01-01T00:00:00Z")
    assert [severity for severity, *_ in widening([allow, deny], [allow, ends])] == [Severity.WARNING]


def test_a_budget_that_is_raised_is_told():
    after = content("allow assigned any reveal name", budgets=(replace(BUDGET, per_day=21),))
    some = findings(after, catalogue=CATALOGUE, parent=content("allow assigned any reveal name"), now=NOW)
    assert [(one.kind, one.severity) for one in some] == [(FindingKind.WIDENED, Severity.NOTE)]
    assert "21" in some[0].message


def test_what_nobody_was_ever_shown_is_a_note_and_customers_are_not_counted():
    rules = content("allow assigned any reveal name", "allow assigned any reveal health").rules
    mine = whole("allow", "customer", "account_service", "self", "any", "reveal", "name")
    budgets = (BUDGET, Budget(Role.CUSTOMER, Purpose.ACCOUNT_SERVICE, 1, 1, "C64"))
    used = frozenset({(ROLE, PURPOSE, "User.name"), (Role.INSURER, PURPOSE, "Claim.diagnosis")})
    some = findings(content(*rules, mine, budgets=budgets), catalogue=CATALOGUE, now=NOW, used=used)
    assert [(one.kind, one.severity, one.rule) for one in some] == [(FindingKind.NEVER_USED, Severity.NOTE, rules[1])]


# --- Many rules -----------------------------------------------------------------------------------------------


def test_rules_that_differ_in_their_times_alone_take_no_more():
    rules = []
    for number in range(10_000):
        begin, end = (
            f"2027-01-{1 + second // 86_400:02}T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}Z"
            for second in (number * 4, number * 4 + 2)
        )
        rules += [rule("allow any any reveal name", begin, end), rule("deny any any reveal name", end, "")]
    began = time.process_time()
    findings(content(*dict.fromkeys(rules)), catalogue=CATALOGUE, parent=content("allow any any reveal name"), now=NOW)
    assert time.process_time() - began < 10


# The law beside the rules.


def test_a_rule_on_a_basis_that_is_not_lawful_for_its_purpose_is_told():
    allowed = "allow assigned contract_open reveal health"
    lawful = Law({PURPOSE: frozenset({Basis.CONTRACT_OPEN, Basis.NONE})})
    other = Law({PURPOSE: frozenset({Basis.NONE})})
    assert not of_kind(findings(content(allowed), catalogue=CATALOGUE, now=NOW, law=lawful), UNLAWFUL)
    assert not of_kind(found(allowed), UNLAWFUL)
    (one,) = of_kind(findings(content(allowed), catalogue=CATALOGUE, now=NOW, law=other), UNLAWFUL)
    assert (one.severity, one.rule.line) == (Severity.WARNING, rule(allowed).line)
    assert "contract_open is no lawful basis for claim_handling here" in one.message


def test_a_rule_that_shows_what_the_newest_notice_does_not_tell_of_is_told():
    function = PURPOSE, OrganizationKind.BROKER
    everything = to_bits(set(Category))
    old, new = {function: everything}, {function: everything & ~Category.HEALTH.bit}
    rules = (
        "allow assigned any reveal health",
        "allow assigned any reveal User.name",
        "deny any request reveal health",
    )

    def told(*versions):
        law = Law(notices=Notices(dict(enumerate(versions, start=1))))
        return of_kind(findings(content(*rules), catalogue=CATALOGUE, now=NOW, law=law), FindingKind.NOT_IN_NOTICE)

    assert told() == told(new, old) == []
    (one,) = told(old, new)
    assert (one.severity, one.rule.line) == (Severity.WARNING, rule(rules[0]).line)
    assert "The newest notice does not tell of health for claim_handling by BROKER" in one.message
    assert {each.rule.object for each in told(old, {})} == {"health", "User.name"}


@pytest.mark.parametrize("bundle", BundleName)
def test_the_default_rules_rest_on_lawful_bases_in_every_bundle(bundle):
    some = findings(DEFAULT, catalogue=WHOLE, now=NOW, law=read_bundle(bundle).law)
    assert not of_kind(some, UNLAWFUL)
    assert not of_kind(some, FindingKind.NOT_IN_NOTICE)
