"""The law beside the rules changes exactly what it must, and is told in the right words (C24, C75)."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.compile import compile_ruleset
from authz.default_rules import read_necessity
from authz.default_ruleset import default_content
from authz.law import EVERY_CATEGORY, EVERYTHING, Law, Notices, recipient_of
from authz.narrowing import NarrowedTable, Narrowing, both
from authz.possible import NOT_TOLD, cases, effects
from authz.rules import Rule, make_ruleset
from authz.situations import NOTHING, UNCOVERED, UNTOLD, pair_bit, words
from authz.vocabulary import ANY, Action, Basis, DataSubject, Effect, Reason, Relation, RuleEffect
from authz.witnesses import situation_sql
from authz.workbench.explain import Failed, explain
from authz.workbench.impact_tally import _Moment
from authz.workbench.readings import Act
from authz.workbench.wording import answer_said, candidate_said, missing_said
from models.organizations import OrganizationKind
from models.vocabulary import PARTNER_ROLES, PERSON_ROLES, Category, Purpose, Role
from privacy.bundles import BundleName, read_bundle
from schema.build import build_catalogue, build_schema

CATALOGUE = build_catalogue(build_schema())
RULESET = default_content().ruleset(1, CATALOGUE)
PLACES = list(product(Role, Purpose))
FUNCTIONS = list(product(Purpose, OrganizationKind))
ALL = dict.fromkeys(FUNCTIONS, EVERY_CATEGORY)
TABLES = ("person", "policy", "beneficiary", "claim", "device")
BUNDLES = {name: compile_ruleset(RULESET, CATALOGUE, law=read_bundle(name).law) for name in BundleName}
PLAIN = compile_ruleset(RULESET, CATALOGUE, law=EVERYTHING)
WITHOUT_PHONE = {one: told & ~Category.PHONE.bit for one, told in ALL.items()}
"""A notice that tells of everything but phones."""


def under(*told):
    law = replace(read_bundle(BundleName.SEED).law, notices=Notices(dict(enumerate(told, start=1))))
    return compile_ruleset(RULESET, CATALOGUE, before=PLAIN, law=law)


TWO = under(WITHOUT_PHONE, ALL)


def statements(snapshot):
    """The SQL of every situation there is."""
    found = {}
    for place, table, of in product(PLACES, TABLES, DataSubject):
        for slices in (snapshot.slices, snapshot.writes):
            try:
                found[place, table, of, slices is snapshot.writes] = situation_sql(slices[place], table, of=of)
            except KeyError:
                continue
    return found


# What a notice costs where it changes nothing.


def test_where_every_notice_tells_of_all_there_is_no_statement_differs_from_those_without_a_law():
    plain = statements(PLAIN)
    assert statements(under(ALL)) == statements(under(ALL, ALL)) == statements(BUNDLES[BundleName.SEED]) == plain
    assert len(plain) > 1_000
    assert all(one.covered is None for one in plain.values())


def test_under_pipl_only_what_consents_open_is_computed_otherwise():
    for place, sql in statements(BUNDLES[BundleName.PIPL]).items():
        plain = statements_of_plain()[place]
        assert (sql.parts, sql.covered, sql.joins_policy) == (plain.parts, None, plain.joins_policy)
        differing = [one for one, other in zip(sql.masks, plain.masks, strict=True) if one != other]
        assert all(one.basis is Basis.CONSENT for one in differing)


def statements_of_plain():
    if not _PLAIN:
        _PLAIN.update(statements(PLAIN))
    return _PLAIN


_PLAIN: dict = {}


def test_a_notice_that_tells_less_concerns_only_those_who_could_be_shown_it_and_never_a_person_themselves():
    plain = statements_of_plain()
    for place, sql in statements(TWO).items():
        (role, purpose), _, _, writing = place
        concerned = not writing and role not in PERSON_ROLES and Category.PHONE in PLAIN.slice(role, purpose).shows
        assert (sql.covered is not None) == concerned, place
        assert replace(sql, covered=None) == plain[place]


def test_slices_whose_terms_are_the_same_are_taken_over_with_their_tables():
    again = compile_ruleset(RULESET, CATALOGUE, before=TWO, law=replace(TWO.law, notices=Notices({1: WITHOUT_PHONE})))
    for place, one in again.slices.items():
        assert (one is TWO.slices[place]) == (not one.terms.versions)


# What no notice tells of.


@settings(max_examples=150)
@given(place=st.sampled_from(PLACES), name=st.sampled_from(sorted(CATALOGUE)), bundle=st.sampled_from(list(BundleName)))
def test_c75_no_rule_shows_what_no_notice_tells_of_and_explain_says_what_the_answer_said(place, name, bundle):
    compiled = BUNDLES[bundle].slice(*place)
    assert compiled.table(name)[UNCOVERED] is Effect.DENY
    assert not compiled.may_filter(name, UNCOVERED)
    why = explain(BUNDLES[bundle], *place, name, UNCOVERED, act=Act.SHOW)
    assert (why.effect, why.pairs) == (Effect.DENY, ())
    assert why.reason is compiled.reason(name, UNCOVERED)
    assert all(one.failed for one in why.candidates)
    told = why.reason in (Reason.RELATION, Reason.BASIS)
    assert bool(why.missing and why.missing.notice) == told
    assert (why.clauses == ("C75",)) == told


def test_c75_the_words_say_that_a_notice_is_missing():
    why = explain(TWO, Role.INSURER, Purpose.POLICY_SERVICE, "User.phone", UNCOVERED)
    assert "no notice that the person agreed to tells of this use (RELATION, C75)" in answer_said(why)
    assert missing_said(why.missing, why.act) == (
        "a notice that tells of this use, agreed to by the person, would give more"
    )
    nearest = why.candidates[0]
    assert nearest.failed == (Failed.NOTICE,)
    assert candidate_said(nearest) == "no notice that the person agreed to tells of this use"
    assert words(UNCOVERED) == [UNTOLD]
    assert words(NOTHING) == words(0) == ["none/none"]


def test_a_token_narrowed_to_policies_is_shown_no_more_of_it():
    rules = PLAIN.slice(Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING).table("User.phone")
    narrowed = NarrowedTable(rules, Effect.REVEAL, step_up=False, compared=True)
    assigned = pair_bit(Relation.ASSIGNED, Basis.CONTRACT_OPEN)
    assert narrowed[both(assigned, assigned)] is Effect.REVEAL
    assert narrowed[both(UNCOVERED, UNCOVERED)] is Effect.DENY
    assert narrowed.reason(both(UNCOVERED, UNCOVERED)) is Reason.RELATION


def test_a_preview_tells_of_notices_where_they_part_people():
    compiled = TWO.slice(Role.INSURER, Purpose.POLICY_SERVICE)
    decide = compiled.table("User.phone").__getitem__
    assert effects(compiled, "User.phone", decide) == {Effect.REVEAL, Effect.DENY}
    assert [one.effect for one in cases(compiled, "User.phone", decide) if one.words == NOT_TOLD] == [Effect.DENY]
    assert all(one.words != NOT_TOLD for one in cases(compiled, "User.name", compiled.table("User.name").__getitem__))
    never = under(WITHOUT_PHONE).slice(Role.INSURER, Purpose.POLICY_SERVICE)
    assert effects(never, "User.phone", never.table("User.phone").__getitem__) == {Effect.DENY}


def test_a_partner_needs_a_notice_that_names_its_kind_and_everybody_else_acts_for_the_brokerage():
    assert {role for role in Role if recipient_of(role) is not OrganizationKind.BROKER} == PARTNER_ROLES


# What no rule gives (C24).


@pytest.mark.parametrize("bundle", BundleName)
def test_c24_every_sensitive_field_without_a_rule_for_a_purpose_is_denied(bundle):
    granted = {
        (row.role, row.purpose, category) for row in read_necessity() for category, level in row.levels.items() if level
    }
    for (role, purpose), compiled in BUNDLES[bundle].slices.items():
        for name, coordinate in CATALOGUE.items():
            given = (role, purpose, coordinate.category) in granted
            assert compiled.could_show(name) == given
            if not given:
                assert compiled.reason(name, NOTHING) in (Reason.ROLE, Reason.PURPOSE)


_PAIRS = [pair_bit(relation, basis) for relation, basis in product(Relation, Basis)]


@settings(max_examples=200)
@given(
    place=st.sampled_from(PLACES),
    name=st.sampled_from(sorted(CATALOGUE)),
    held=st.sets(st.sampled_from(_PAIRS), min_size=1, max_size=4),
    bundle=st.sampled_from(list(BundleName)),
)
def test_c24_whatever_ties_and_opens_a_use_beyond_the_declared_purposes_is_denied(place, name, held, bundle):
    compiled = BUNDLES[bundle].slice(*place)
    if not compiled.could_show(name):
        assert compiled.table(name)[sum(held)] is Effect.DENY


@pytest.mark.parametrize("bundle", BundleName)
def test_the_rules_of_a_release_rest_on_bases_that_are_lawful(bundle):
    law = read_bundle(bundle).law
    assert all(law.knows(Basis(rule.basis), rule.purpose) for rule in RULESET.rules if rule.basis != "any")
    assert not Law({}).knows(Basis.CONSENT, Purpose.MARKETING)


def test_the_impact_of_new_rules_does_not_count_those_whom_no_notice_told():
    more = Rule(
        RuleEffect.ALLOW, Role.INSURER, Purpose.POLICY_SERVICE, Relation.ASSIGNED, ANY, Action.REVEAL, "phone", "C38"
    )
    wider = make_ruleset(2, [*RULESET.rules, more], catalogue=CATALOGUE, budgets=default_content().budgets)
    after = compile_ruleset(wider, CATALOGUE, before=TWO)
    place = Role.INSURER, Purpose.POLICY_SERVICE
    moment = _Moment(
        TWO.slice(*place),
        (TWO.slice(*place), after.slice(*place)),
        (TWO.writing(*place), after.writing(*place)),
        CATALOGUE,
        EVERY_CATEGORY,
        Narrowing(),
    )
    assert list(moment.changes(("User.phone",), "DENY", NOTHING)) == [("User.phone", "DENY", "REVEAL", False)]
    assert list(moment.changes(("User.phone",), "DENY", UNCOVERED)) == []
