"""How rules decide: unknown is DENY, deny wins, masking is part of revealing, and a broken ruleset never loads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.catalogue import Catalogue, Coordinate
from authz.compile import DecisionFaultError, compile_ruleset, slice_of
from authz.enforce import Enforcer
from authz.rules import COLUMNS, Rule, RulesetError, make_ruleset, parse_rule, read_rules
from authz.situations import NOTHING, holds, pair_bit, pairs
from authz.vocabulary import ANY, Action, Basis, DataSubject, Effect, Reason, Relation
from models.vocabulary import Category, Purpose, Role

CATALOGUE = Catalogue(
    {
        "Claim.diagnosis": Coordinate("Claim.diagnosis", Category.HEALTH, DataSubject.INSURED),
        "User.idNumber": Coordinate("User.idNumber", Category.GOVERNMENT_ID, DataSubject.USER),
        "User.birthDate": Coordinate("User.birthDate", Category.DEMOGRAPHIC, DataSubject.USER),
        "User.name": Coordinate("User.name", Category.NAME, DataSubject.USER),
    },
    writes={"Mutation.submitClaim"},
)
OPEN = pair_bit(Relation.ASSIGNED, Basis.CONTRACT_OPEN)
TIED = pair_bit(Relation.ASSIGNED, Basis.NONE)


def rule(words):
    effect, relation, basis, action, obj = words.split()
    return parse_rule(
        [effect, "claims_handler", "claim_handling", relation, basis, action, obj, "C08"], place="the test"
    )


def claims_slice(*sentences):
    ruleset = make_ruleset(1, [rule(words) for words in sentences], catalogue=CATALOGUE)
    return slice_of(ruleset, Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING, catalogue=CATALOGUE)


def test_a_rule_allows_its_case_not_the_near_miss_and_not_another_purpose():
    compiled = claims_slice("allow assigned contract_open reveal health")
    assert compiled.decide("Claim.diagnosis", OPEN) is Effect.REVEAL
    assert compiled.decide("Claim.diagnosis", TIED) is Effect.DENY
    assert compiled.decide("User.name", OPEN) is Effect.DENY
    ruleset = make_ruleset(1, [rule("allow assigned contract_open reveal health")], catalogue=CATALOGUE)
    other = slice_of(ruleset, Role.CLAIMS_HANDLER, Purpose.RESEARCH, catalogue=CATALOGUE)
    assert other.decide("Claim.diagnosis", OPEN) is Effect.DENY


def test_halves_of_two_pairs_never_make_one():
    compiled = claims_slice("allow assigned contract_open reveal health")
    halves = TIED | pair_bit(Relation.NONE, Basis.CONTRACT_OPEN)
    assert compiled.decide("Claim.diagnosis", halves) is Effect.DENY


def test_a_deny_wins_over_every_allow_whichever_pair_it_fits():
    compiled = claims_slice("allow any any reveal health", "deny assigned any reveal health")
    assert compiled.decide("Claim.diagnosis", NOTHING) is Effect.REVEAL
    assert compiled.decide("Claim.diagnosis", OPEN | NOTHING) is Effect.DENY


def test_who_may_reveal_may_mask_and_denying_the_mask_denies_both():
    assert claims_slice("allow any any reveal name", "deny any any reveal name").decide("User.name", 1) is Effect.MASK
    assert claims_slice("allow any any reveal name", "deny any any mask name").decide("User.name", 1) is Effect.DENY
    assert claims_slice("allow any any mask name").decide("User.name", 1) is Effect.MASK


def test_what_has_no_masked_form_is_denied_instead():
    assert claims_slice("allow any any mask health").decide("Claim.diagnosis", 1) is Effect.DENY


def test_a_rule_may_name_one_coordinate():
    compiled = claims_slice("allow any any reveal User.name")
    assert compiled.decide("User.name", 1) is Effect.REVEAL
    assert compiled.decide("User.idNumber", 1) is Effect.DENY


def test_an_unknown_coordinate_role_purpose_or_action_is_refused():
    enforcer = Enforcer([rule("allow any any reveal name")], catalogue=CATALOGUE)
    ask = {"situation": 1, "coordinate": "User.name", "action": Action.REVEAL}
    assert enforcer.allows("claims_handler", "claim_handling", **ask)
    assert not enforcer.allows("claims_handler", "claim_handling", **{**ask, "coordinate": "User.shoeSize"})
    assert not enforcer.allows("janitor", "claim_handling", **ask)
    assert not enforcer.allows("claims_handler", "", **ask)
    assert not enforcer.allows("", "claim_handling", **ask)
    assert not enforcer.allows("claims_handler", "claim_handling", **{**ask, "action": Action.WRITE})


def test_a_slice_without_rules_denies_everything():
    ruleset = make_ruleset(1, [rule("allow any any reveal name")], catalogue=CATALOGUE)
    empty = slice_of(ruleset, Role.DEVELOPER, Purpose.ADMINISTRATION, catalogue=CATALOGUE)
    assert {empty.decide(name, 1) for name in CATALOGUE} == {Effect.DENY}


def test_a_fault_of_the_enforcer_is_told_and_never_remembered(monkeypatch):
    compiled = claims_slice("allow any any reveal name")
    table = compiled.table("User.name")
    with monkeypatch.context() as broken:
        broken.setattr(compiled, "_allows", lambda *_, **__: 1 / 0)
        with pytest.raises(DecisionFaultError):
            table[1]
    assert table[1] is Effect.REVEAL


GOOD = ["allow", "customer", "account_service", "self", "any", "reveal", "health", "C64"]


@pytest.mark.parametrize(
    "row",
    [
        GOOD[:-1],
        [*GOOD, "more"],
        [*GOOD[:-1], ""],
        ["Deny", *GOOD[1:]],
        ["dney", *GOOD[1:]],
        [GOOD[0], "customers", *GOOD[2:]],
        [*GOOD[:2], "fun", *GOOD[3:]],
        [*GOOD[:3], "friend", *GOOD[4:]],
        [*GOOD[:4], "mood", *GOOD[5:]],
        [*GOOD[:5], "steal", *GOOD[6:]],
        [" allow", *GOOD[1:]],
    ],
)
def test_a_row_that_is_not_wholly_valid_refuses_the_ruleset(row):
    with pytest.raises(RulesetError):
        parse_rule(row, place="the test")


def test_a_rule_on_an_unknown_object_a_doubled_rule_and_an_empty_ruleset_are_refused():
    with pytest.raises(RulesetError, match="neither"):
        make_ruleset(1, [rule("allow any any reveal shoes")], catalogue=CATALOGUE)
    with pytest.raises(RulesetError, match="twice"):
        make_ruleset(1, [rule("allow any any reveal name")] * 2, catalogue=CATALOGUE)
    with pytest.raises(RulesetError, match="without rules"):
        make_ruleset(1, [], catalogue=CATALOGUE)


def test_a_rule_file_with_another_header_is_refused(tmp_path):
    (tmp_path / "health.csv").write_text("a,b\n" + ",".join(GOOD) + "\n")
    with pytest.raises(RulesetError, match="first line"):
        list(read_rules(tmp_path))
    (tmp_path / "health.csv").write_text(",".join(COLUMNS) + "\n" + ",".join(GOOD) + "\n")
    assert [type(one) for one in read_rules(tmp_path)] == [Rule]


def test_birth_date_beside_a_masked_id_refuses_the_ruleset_but_for_oneself():
    def ruleset(relation):
        rows = [f"allow {relation} any mask government_id", f"allow {relation} any reveal demographic"]
        return make_ruleset(1, [rule(words) for words in rows], catalogue=CATALOGUE)

    with pytest.raises(RulesetError, match="beside a masked ID"):
        compile_ruleset(ruleset("assigned"), CATALOGUE)
    compile_ruleset(ruleset("self"), CATALOGUE)
    compile_ruleset(ruleset("guardian_of"), CATALOGUE)


def test_the_reason_is_the_first_that_applies():
    compiled = claims_slice("allow assigned contract_open reveal health", "deny underwriter any reveal health")
    assert compiled.reason("Claim.diagnosis", pair_bit(Relation.UNDERWRITER, Basis.NONE)) is Reason.RULE_DENIES
    assert compiled.reason("User.name", OPEN) is Reason.ROLE
    assert compiled.reason("Claim.diagnosis", NOTHING) is Reason.RELATION
    ruleset = make_ruleset(1, [rule("allow any any reveal health")], catalogue=CATALOGUE)
    other = slice_of(ruleset, Role.CLAIMS_HANDLER, Purpose.RESEARCH, catalogue=CATALOGUE)
    assert other.reason("Claim.diagnosis", OPEN) is Reason.PURPOSE


def test_a_missing_basis_is_told_to_oneself_only():
    compiled = claims_slice("allow assigned contract_open reveal health", "allow self request reveal health")
    assert compiled.reason("Claim.diagnosis", TIED) is Reason.RELATION
    assert compiled.reason("Claim.diagnosis", pair_bit(Relation.SELF, Basis.NONE)) is Reason.BASIS


WORDS = st.tuples(st.sampled_from([*Relation, ANY]), st.sampled_from([*Basis, ANY]))


@given(st.sets(st.tuples(st.sampled_from(Relation), st.sampled_from(Basis))), WORDS)
def test_a_rule_holds_exactly_where_one_pair_fits_both_its_words(held, words):
    relation, basis = words
    situation = sum(pair_bit(one, other) for one, other in held)
    held = held or {(Relation.NONE, Basis.NONE)}
    naive = any(relation in (ANY, one) and basis in (ANY, other) for one, other in held)
    assert holds(situation, relation, basis) == naive
    assert set(pairs(situation)) == held
