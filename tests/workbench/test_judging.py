"""What it takes to approve a content: the privacy officer also where more persons are shown what is watched (C46)."""

import asyncio

import pytest

from authz.rules import Budget
from authz.workbench.acts import said
from authz.workbench.checks import check
from authz.workbench.findings import FindingKind, Severity, findings
from authz.workbench.judging import judge
from resolvers.aside_turns import judging_turn
from resolvers.problems import Code, RequestRefusedError
from tests.workbench.small import BUDGET, CATALOGUE, NOW, PURPOSE, ROLE, content

WATCHED = "allow assigned contract_open reveal health"
WATCHED_FIELD = "allow assigned contract_open reveal User.idNumber"


@pytest.mark.parametrize(
    "rule, hour, day, widens",
    [
        (WATCHED, 999_999_999, 999_999_999, True),
        (WATCHED, 10, 21, True),
        (WATCHED_FIELD, 11, 20, True),
        (WATCHED, 9, 20, False),
        (WATCHED, 10, 20, False),
        ("allow assigned contract_open reveal name", 11, 21, False),
        ("allow assigned contract_open mask government_id", 11, 21, False),
    ],
)
def test_a_larger_budget_takes_the_privacy_officer_where_a_watched_category_is_revealed(rule, hour, day, widens):
    rules = (rule, "allow any any reveal name")
    before, after = content(*rules), content(*rules, budgets=(Budget(ROLE, PURPOSE, hour, day, "C08"),))
    judged = judge(after, before, CATALOGUE, NOW)
    assert (judged.errors, judged.widens) == ((), widens)
    told = [one for one in findings(after, catalogue=CATALOGUE, parent=before, now=NOW) if not one.rule]
    assert [one.severity for one in told if "privacy officer" in one.message] == [Severity.WARNING] * widens
    assert [one.kind for one in told] == [FindingKind.WIDENED] * (hour > BUDGET.per_hour or day > BUDGET.per_day)


def test_what_cases_cover_is_worked_out_only_where_somebody_asks():
    given = content("allow any any reveal name")
    assert check(given, catalogue=CATALOGUE, now=NOW).coverage is not None
    assert check(given, catalogue=CATALOGUE, now=NOW, covering=False).coverage is None


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "a\x1b[2Kb", "a\u202eb", "a\u2028b", "a\x00b", "x" * 2_001])
def test_a_text_that_says_nothing_or_hides_something_is_refused(text):
    assert not said(text)
    assert said(text, least=0) is (text.strip() == "")


@pytest.mark.parametrize("text", ["Ticket 4711 (urgent).", "理赔员需要（C55）。", "x" * 2_000])
def test_a_line_of_any_language_is_a_text(text):
    assert said(text)


def test_one_content_at_a_time_is_judged_for_those_who_ask_over_the_api():
    async def run():
        async with judging_turn():
            with pytest.raises(RequestRefusedError) as refused:
                async with judging_turn():
                    pass
        async with judging_turn():
            return refused.value.code

    assert asyncio.run(run()) is Code.RATE_LIMITED
