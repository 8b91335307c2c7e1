"""The whole way of a change in a real browser: edited, checked, proposed, approved by others, live, rolled back."""

import re
import time

import pytest
from playwright.sync_api import expect

from tests.console.conftest import staff_of

QUERY = "{ claims(first: 20) { edges { node { policy { insured { idNumber } } } } } }"


@pytest.fixture(scope="module")
def people(workbench) -> dict[str, str]:
    """Tokens of two security admins, the privacy officer, and the handler who is shown something."""
    first, second = staff_of("security_admin", workbench.server)[:2]
    return {
        "author": workbench.token("security_admin", user=first),
        "second": workbench.token("security_admin", user=second),
        "officer": workbench.token("privacy_officer", user=staff_of("privacy_officer", workbench.server)[0]),
        "handler": workbench.token("claims_handler", user="handler01", purposes=("claim_handling",)),
    }


def shown(workbench, people) -> tuple[list[str], int]:
    """ID numbers as the handler is shown them, and under which ruleset."""
    said = workbench.ask(QUERY, people["handler"], purpose="claim_handling")
    nodes = [edge["node"]["policy"]["insured"] for edge in said["data"]["claims"]["edges"]]
    texts = [one["idNumber"] for one in nodes if one and one["idNumber"]]
    return texts, said["extensions"]["authorization"]["ruleset"]


def approve(desk, home, note) -> None:
    """Look at what is proposed, and approve it."""
    desk.open(f"{home}/approval")
    desk.page.get_by_label("Note").fill(note)
    desk.page.get_by_role("button", name="Approve", exact=True).click()
    expect(desk.page.locator("[role=status]").first).to_contain_text("Your verdict is kept")


def approved_by_others(second, officer, home) -> None:
    """Another security admin, and where it is asked for the privacy officer."""
    approve(second, home, "Looked at it.")
    if "privacy_officer" in second.page.locator("main").inner_text():
        approve(officer, home, "Necessary.")


def live(workbench, people, number) -> list[str]:
    """What the handler is shown, as soon as a ruleset is in force; the second is another test's, of an idle machine."""
    deadline = time.monotonic() + 5
    while True:
        texts, ruleset = shown(workbench, people)
        if ruleset == number:
            return texts
        assert time.monotonic() < deadline, f"ruleset {number} is not in force"
        time.sleep(0.05)


def test_a_change_is_seen_checked_approved_by_others_live_and_rolled_back(  # noqa: PLR0915 - one whole way
    workbench, people, desks
):
    before, first = shown(workbench, people)
    assert before
    assert all(re.fullmatch(r"\d\*+[\dX]", text) for text in before)
    author, second, officer = (desks(people[name]) for name in ("author", "second", "officer"))
    page = author.page

    # Edit: a cell of the matrix, with findings while it is changed.
    author.open("/console/drafts")
    page.get_by_label("Title").fill("ID numbers for those who handle the claim")
    page.get_by_label("Reason").fill("The hospital asks for the whole number.")
    page.get_by_role("button", name="Begin").click()
    page.get_by_role("link", name="Change: Claims handler, Government ID").click()
    page.locator(".editor [name=relation]").select_option("assigned")
    page.locator(".editor [name=basis]").select_option("contract_open")
    page.locator(".editor [name=letter]").select_option("R")
    page.get_by_label("Clause").fill("C08")
    expect(page.locator("#cell-findings")).to_contain_text("WIDENED")
    page.get_by_role("button", name="Keep in the draft").click()
    expect(page.locator("[role=status]").first).to_contain_text("Kept in the draft")
    expect(page.locator("td.changed")).to_have_count(1)
    page.locator("h1 a").click()
    home = page.url.removeprefix(workbench.url).split("?")[0]
    expect(page.locator("ins.rule")).to_contain_text(
        "allow,claims_handler,claim_handling,assigned,contract_open,reveal"
    )
    expect(page.locator("del.rule")).to_have_count(0)
    assert shown(workbench, people) == (before, first)

    # Difference, impact and cases say what it would do.
    page.get_by_role("link", name="Difference").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("Claims handler")
    for _ in range(50):
        page.get_by_role("link", name="Impact").click()
        if "User.idNumber" in page.locator("main").inner_text():
            break
        time.sleep(0.1)  # a row is looked at once it has been sealed
    expect(page.locator("main")).to_contain_text("User.idNumber")
    page.get_by_role("link", name="Approval").click()
    page.get_by_role("button", name="Propose").click()
    expect(page.locator("[role=alert]")).to_contain_text("mend")
    page.get_by_role("link", name="Cases").click()
    expect(page.locator(".badge.error").first).to_be_visible()
    page.get_by_role("button", name="Expect what came").click()
    expect(page.locator(".badge.error")).to_have_count(0)

    # Nobody approves what they wrote; it is not published before others have.
    page.get_by_role("link", name="Approval").click()
    page.get_by_role("button", name="Propose").click()
    expect(page.locator("[role=status]").first).to_contain_text("Proposed")
    expect(page.locator("main")).to_contain_text("Impact, as proposed")
    page.get_by_label("Note").fill("Mine is fine.")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.locator("[role=alert]")).to_contain_text("ask a colleague")
    page.get_by_role("button", name="Publish").click()
    expect(page.locator("[role=alert]")).to_contain_text("Not enough people")
    assert shown(workbench, people) == (before, first)
    approved_by_others(second, officer, home)
    author.open(f"{home}/approval")
    page.get_by_role("button", name="Publish").click()
    expect(page.locator("[role=status]").first).to_contain_text("Published")

    # Live: the API answers otherwise, and the console says why.
    after = live(workbench, people, first + 1)
    assert len(after) == len(before)
    assert any("*" not in text for text in after)
    author.open(
        "/console/explain?ask=why&role=claims_handler&purpose=claim_handling&coordinate=User.idNumber"
        "&relation1=assigned&basis1=contract_open"
    )
    expect(page.locator("main")).to_contain_text(f"Ruleset\n{first + 1}", use_inner_text=True)

    # Rolled back, with others' eyes as well; the answer is as before.
    author.open("/console/history")
    page.get_by_text(f"Roll back to this {first}", exact=True).click()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=str(first), exact=True))
    row.get_by_label("Reason").fill("The hospital takes masked numbers after all.")
    row.get_by_role("button").click()
    back = page.url.removeprefix(workbench.url).split("/approval")[0]
    approved_by_others(second, officer, back)
    author.open(f"{back}/approval")
    page.get_by_role("button", name="Publish").click()
    expect(page.locator("[role=status]").first).to_contain_text("Published")
    assert live(workbench, people, first + 2) == before
    author.open("/console/history")
    expect(page.locator("tbody tr").first).to_contain_text("restores")
    allowed = "Failed to load resource"  # a refusal has its status
    assert [one for desk in (author, second, officer) for one in desk.complaints if allowed not in one] == []
