"""Budgets are rules: typed, checked against the matrix, part of the digest; one that is not valid never loads."""

import pytest

from authz.default_rules import DATA, RULES, budgets, read_necessity
from authz.rules import BUDGET_COLUMNS, Budget, RulesetError, make_ruleset, parse_budget, read_budgets
from models.vocabulary import Purpose, Role
from schema.build import build_schema
from tests.rules import default_snapshot

SNAPSHOT = default_snapshot(build_schema())
GOOD = ["insurer", "claim_handling", "5000", "50000", "C41"]
NOT_NUMBERS = ["0", "-1", "+1", "1.0", "01", " 1", "1_000", "1e3", "ten", "١", "²", "1000000000"]


def digest(given):
    return make_ruleset(1, SNAPSHOT.ruleset.rules, catalogue=SNAPSHOT.catalogue, budgets=given).digest


def test_every_role_and_purpose_that_reveals_anything_has_a_budget_and_no_other_has():
    revealing = {
        key
        for key, rules in SNAPSHOT.slices.items()
        if any(rule.effect == "allow" and rule.action == "reveal" for rule in rules.rules)
    }
    assert set(SNAPSHOT.ruleset.budgets) == revealing


def test_budgets_are_positive_and_an_hours_is_no_more_than_a_days():
    for key, one in SNAPSHOT.ruleset.budgets.items():
        assert key == (one.role, one.purpose)
        assert 0 < one.per_hour <= one.per_day


def test_marketing_is_never_revealed_more_persons_than_a_recipient_is_shown():
    ceilings = [one.per_day for (_, purpose), one in SNAPSHOT.ruleset.budgets.items() if purpose == Purpose.MARKETING]
    assert len(ceilings) == 4
    assert max(ceilings) <= 2_000


def test_a_budget_reads_as_it_is_written():
    assert parse_budget(GOOD, place="it") == Budget(Role.INSURER, Purpose.CLAIM_HANDLING, 5000, 50000, "C41")


@pytest.mark.parametrize("place", [2, 3])
@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_what_is_no_number_of_persons_is_refused(place, text):
    row = [*GOOD[:place], text, *GOOD[place + 1 :]]
    with pytest.raises(RulesetError, match=r"it: .* is not a number of persons"):
        parse_budget(row, place="it")


@pytest.mark.parametrize(
    "row, why",
    [
        (["Insurer", *GOOD[1:]], "'Insurer' is not a valid Role"),
        ([GOOD[0], "claims", *GOOD[2:]], "'claims' is not a valid Purpose"),
        ([*GOOD[:2], "5001", "5000", "C41"], "5001 persons an hour are more than 5000 a day"),
        (GOOD[:4], "a budget has 5 words"),
        ([*GOOD, "C55"], "a budget has 5 words"),
        ([*GOOD[:4], ""], "none of them empty"),
    ],
)
def test_a_row_that_is_not_wholly_valid_is_refused(row, why):
    with pytest.raises(RulesetError, match=why):
        parse_budget(row, place="it")


def test_two_budgets_of_one_role_and_purpose_are_refused():
    two = [parse_budget(GOOD, place="it"), parse_budget([*GOOD[:3], "60000", "C41"], place="it")]
    with pytest.raises(RulesetError, match="two budgets"):
        make_ruleset(1, SNAPSHOT.ruleset.rules, catalogue=SNAPSHOT.catalogue, budgets=two)


def test_a_digest_names_the_budgets_too():
    given = list(SNAPSHOT.ruleset.budgets.values())
    assert digest(given) == digest(given[::-1]) == SNAPSHOT.ruleset.digest
    other = parse_budget([*GOOD[:3], "50001", "C41"], place="it")
    changed = [other if (one.role, one.purpose) == (other.role, other.purpose) else one for one in given]
    assert len({digest(given), digest(changed), digest(given[1:]), digest([])}) == 4


def test_a_folder_without_budgets_or_with_other_columns_is_refused(tmp_path):
    with pytest.raises(RulesetError, match=r"budget\.csv is missing"):
        list(read_budgets(tmp_path))
    (tmp_path / "budget.csv").write_text("role,purpose,per_day,per_hour,clause\n")
    with pytest.raises(RulesetError, match=f"the first line must be {','.join(BUDGET_COLUMNS)}"):
        list(read_budgets(tmp_path))
    (tmp_path / "budget.csv").write_text((RULES / "budget.csv").read_text() + ",".join(GOOD[:4]))
    with pytest.raises(RulesetError, match=r"budget\.csv line 26: a budget has 5 words"):
        list(read_budgets(tmp_path))


def test_a_budget_that_the_matrix_has_no_use_for_or_lacks_is_refused(tmp_path):
    matrix, source = read_necessity(), (DATA / "budget.csv").read_text()
    assert len(budgets(matrix)) == len(SNAPSHOT.ruleset.budgets)
    for text in (
        source.replace("affiliate,verification,500,2000,C35 C41\n", ""),
        source.replace("affiliate,verification,", "affiliate,verification research,"),
    ):
        (tmp_path / "budget.csv").write_text(text)
        with pytest.raises(RulesetError, match=r"see affiliate for (verification|research)"):
            budgets(matrix, tmp_path / "budget.csv")
