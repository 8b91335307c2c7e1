"""Drafts in the console: what reviewers are shown, rows and budgets taken and given, in the reader's language."""

import html
import json
import re

import pytest

from console.checking import rows_in
from tests.console.conftest import Visitor, staff_of

NEW_ROLE = "allow,auditor,research,any,any,reveal,tag,C55"
BUDGET = "auditor,research,10,20,C55"
CASE = ["auditor", "research", "none:none", "User.tags", "deny"]
CHINESE = {"Accept-Language": "zh-CN"}


@pytest.fixture(scope="module")
def admin(workbench):
    visitor = Visitor(workbench.url)
    visitor.log_in(workbench.token("security_admin", user=staff_of("security_admin", workbench.server)[0]))
    yield visitor
    visitor.client.close()


@pytest.fixture
def home(admin) -> str:
    """A new draft."""
    form = {"csrf": admin.csrf("/console/drafts"), "title": "Rows", "reason": "To see rows."}
    location = admin.post("/console/drafts", form).headers["location"]
    return f"/console/drafts/{re.search('draft=([^&]+)', location)[1]}"


def act(admin, home, name, **form):
    """Post a form of the draft, and follow it."""
    response = admin.post(f"{home}/{name}", {"csrf": admin.csrf(home), **form})
    if response.status_code == 303:
        return admin.get(response.headers["location"].split("#")[0])
    return response


def main(response) -> str:
    """What a page says, without its tags."""
    assert response.status_code == 200, response.text
    return html.unescape(response.text)


def test_a_first_reveal_is_drafted_with_its_budget_and_others_see_both(workbench, admin, home):
    said = main(act(admin, home, "rows", rows=NEW_ROLE))
    assert "BUDGET_MISSING" in said
    said = main(act(admin, home, "rows", rows=BUDGET))
    assert "BUDGET_MISSING" not in said
    assert f'<ins class="rule">{BUDGET}</ins>' in said
    officer = Visitor(workbench.url)
    officer.log_in(workbench.token("privacy_officer", user=staff_of("privacy_officer", workbench.server)[0]))
    for path in (home, f"{home}/approval"):
        shown = main(officer.get(path))
        assert f'<ins class="rule">{BUDGET}</ins>' in shown
        assert f'<ins class="rule">{NEW_ROLE}</ins>' in shown
        assert "take-back" not in shown
    author = staff_of("security_admin", workbench.server)[0]
    assert f"<dt>Author</dt><dd>{author}</dd>" in main(officer.get(f"{home}/approval"))
    officer.client.close()
    said = main(act(admin, home, "take-back", row=BUDGET))
    assert BUDGET not in said
    assert "BUDGET_MISSING" in said


def test_a_budget_of_the_parent_is_taken_away(admin, home):
    there = main(admin.get(f"{home}?role=claims_handler&purpose=claim_handling"))
    budget = re.search(r'name="row" value="(claims_handler,claim_handling,\d+,\d+,[^",]+)"', there)[1]
    said = main(act(admin, home, "take-away", row=budget, role="claims_handler", purpose="claim_handling"))
    assert f'<del class="rule">{budget}</del>' in said
    assert f'<del class="rule">{budget}</del>' in main(admin.get(f"{home}/approval"))
    assert f'name="row" value="{budget}" aria' not in said


@pytest.mark.parametrize("action", ["filter", "write"])
def test_rows_that_the_matrix_does_not_offer_are_taken_away(admin, home, action):
    place = ("customer", "account_service") if action == "write" else ("customer_service", "policy_service")
    there = main(admin.get(f"{home}?role={place[0]}&purpose={place[1]}"))
    rows = [row for row in re.findall(r'name="row" value="([^"]+)"', there) if row.split(",")[5:6] == [action]]
    assert rows, there
    said = main(act(admin, home, "take-away", row=rows[0], role=place[0], purpose=place[1]))
    assert f'<del class="rule">{rows[0]}</del>' in said


def test_a_deny_and_a_rule_about_a_field_are_taken_away_at_their_cell(admin, home):
    rows = [
        "deny,insurer,claim_handling,any,any,reveal,Claim.diagnosis,C38",
        "allow,insurer,claim_handling,underwriter,contract_open,reveal,Claim.diagnosis,C38",
    ]
    act(admin, home, "rows", rows="\n".join(rows))
    at = f"/console/matrix?draft={home.rsplit('/', 1)[1]}&purpose=claim_handling&cell=insurer.health"
    offered = main(admin.get(at))
    assert all(f'name="row" value="{row}"' in offered for row in rows)
    after = act(admin, home, "take-away", row=rows[0], purpose="claim_handling", **{"from": "matrix"})
    assert after.url.path == "/console/matrix"
    left = main(admin.get(at))
    assert (rows[0] in left, rows[1] in left) == (False, True)


def test_a_row_that_is_not_there_is_not_taken_away(admin, home):
    response = act(admin, home, "take-away", row=NEW_ROLE)
    assert (response.status_code, "not there any more" in response.text) == (400, True)


def test_whoever_approves_sees_which_cases_changed(workbench, admin, home):
    assert "The cases are those of the ruleset" in main(admin.get(f"{home}/approval"))
    text = html.unescape(re.search(r'name="cases"[^>]*>([^<]*)<', admin.get(f"{home}/cases").text)[1])
    groups = json.loads(text)
    gone, lesser = groups[0], groups[1]
    dropped = lesser[1].pop()
    edited = json.dumps([*groups[1:], ["An intent of this draft.", [CASE]]], separators=(",", ":"))
    assert main(act(admin, home, "cases", cases=edited))
    officer = Visitor(workbench.url)
    officer.log_in(workbench.token("privacy_officer", user=staff_of("privacy_officer", workbench.server)[0]))
    for tab in ("cases", "approval"):
        said = main(officer.get(f"{home}/{tab}"))
        assert "Cases differ under 3 intents" in said
        assert "An intent of this draft." in said
        assert gone[0] in said
        assert f'<ins class="rule">{", ".join(CASE)}</ins>' in said
        assert f'<del class="rule">{", ".join(dropped)}</del>' in said
    officer.client.close()


def test_lines_are_budgets_by_their_five_words():
    changes = rows_in(f"{NEW_ROLE}\n\n  {BUDGET}  \n")
    assert [one.line for one in changes.add] == [NEW_ROLE]
    assert [one.line for one in changes.add_budgets] == [BUDGET]


def test_in_chinese_what_has_a_code_is_said_in_chinese_beside_the_services_own_sentence(admin, home):
    act(admin, home, "rows", rows=NEW_ROLE)
    said = main(admin.get(home, **CHINESE))
    assert "没有额度，因此什么都不会显示" in said
    assert re.search(r'<details class="told"><summary>英文原文</summary><span lang="en">[^<]*budget', said)
    refused = admin.post(f"{home}/publish", {"csrf": admin.csrf(home)})
    assert refused.status_code == 400
    admin.client.headers.update(CHINESE)
    try:
        publish = admin.post(f"{home}/publish", {"csrf": admin.csrf(home)})
        assert "草案状态已变" in publish.text
        why = admin.get(
            "/console/explain?ask=why&role=claims_handler&purpose=claim_handling&coordinate=User.phone"
        ).text
        assert "允许 · 理赔员 · 理赔" in why
        assert "由同一记录证明" in why
    finally:
        del admin.client.headers["Accept-Language"]


@pytest.mark.parametrize(
    "path",
    [
        f"/console/review?days={'9' * 5000}",
        "/console/review?days=0001" + "0" * 5000,
        "/console/review?days=%C2%B2",
        f"{{home}}/impact?days={'1' * 5000}",
        f"/console/history?before={'9' * 5000}",
        "/console/history?before=999999999",
        "/console/matrix?purpose=%FF%00&cell=..%00",
        "{home}?role=%00&purpose=%F0%9F%92%A9",
    ],
)
def test_what_stands_in_an_address_never_breaks_a_page(admin, home, path):
    assert admin.get(path.format(home=home)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/console/drafts/%00", "/console/drafts/%FF%FE/cases", "/console/matrix?draft=%00", "{home}/nothing"]
)
def test_an_id_that_cannot_be_is_refused(admin, home, path):
    assert admin.get(path.format(home=home)).status_code in (400, 404)


def test_other_methods_and_giant_forms_are_refused(admin, home):
    assert admin.client.head(home).status_code == 200
    assert admin.client.options(home).status_code == 405
    giant = act(admin, home, "rows", rows="x" * 3_000_000)
    assert giant.status_code == 413
    many = {f"field{at}": "x" for at in range(2_000)}
    assert act(admin, home, "rows", **many).status_code == 403


@pytest.mark.parametrize("clause", ["C55,x", "=1+1", "C55\nallow"])
def test_a_cell_takes_a_clause_that_can_be(admin, home, clause):
    form = {"role": "auditor", "purpose": "research", "category": "tag", "relation": "any", "basis": "any"}
    for name in ("cell", "check-cell"):
        response = act(admin, home, name, **form, letter="R", clause=clause)
        assert "clause" in response.text.lower() or "words" in response.text
        assert response.status_code == (400 if name == "cell" else 200)


def test_a_pair_that_is_none_is_refused(admin, home):
    form = {"role": "auditor", "purpose": "research", "category": "tag", "clause": "C55", "pair.x.y": "R"}
    assert act(admin, home, "cell", **form).status_code == 400
    assert act(admin, home, "check-cell", **form).status_code == 200


@pytest.mark.parametrize("variables", ["[" * 5000 + "]" * 5000, "[" * 500 + "]" * 500, '"\\ud800"', "9" * 5000, "NaN"])
def test_variables_of_any_shape_are_refused_or_taken(workbench, variables):
    developer = Visitor(workbench.url)
    developer.log_in(workbench.token("developer"))
    form = {"csrf": developer.csrf("/console/preview"), "document": "{ __typename }", "purpose": "policy_service"}
    response = developer.post("/console/preview", {**form, "role": "insurer", "variables": variables})
    assert response.status_code in (200, 400)
    assert "INTERNAL" not in response.text
    developer.client.close()
