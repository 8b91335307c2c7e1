"""Every page: no barriers, in both languages, light and dark; by keyboard; without scripts; and nothing runs in it."""

import os
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.console.conftest import AXE, WIDTH, staff_of

HOSTILE = "<script>window.taken=1</script><img src=x onerror='window.taken=2'>{{7*7}}"
DOCUMENT = "{ policies(first: 1) { edges { node { policyNumber policyholder { name idNumber phone } } } } }"
ASKED = "query OpenClaims { claims(first: 10) { edges { node { policy { insured { name bankCard } } } } } }"
"""What impact and recent decisions tell of."""
WHY = "ask=why&role=claims_handler&purpose=claim_handling&coordinate=User.phone&relation1=assigned&basis1=contract_open"
TALLEST = 800
"""Of a picture."""
EXPECTED = ("Failed to load resource",)
"""What the browser says of a page whose status is a refusal."""
LOOKS = [("en-GB", "light"), ("zh-CN", "dark")]
SCREENSHOTS = os.environ.get("NEEDFUL_SCREENSHOTS")
"""A folder that takes a picture of every page; `scripts/screenshots` names docs/console."""


@pytest.fixture(scope="module")
def admin(workbench) -> str:
    return workbench.token("security_admin", user=staff_of("security_admin", workbench.server)[0])


def begun(workbench, admin, title: str, reason: str) -> str:
    """A draft of two rows."""
    later = "2027-01-01T00:00:00Z"
    rows = [
        ["allow", "claims_handler", "claim_handling", "assigned", "contract_open", "reveal", "bank_account", "C08"],
        ["deny", "insurer", "claim_handling", "any", "any", "reveal", "Claim.diagnosis", "C38", later, ""],
    ]
    document = "mutation($input: DraftRulesInput!) { draftRules(input: $input) { ... on DraftStanding { id } } }"
    said = workbench.ask(document, admin, variables={"input": {"title": title, "reason": reason, "add": rows}})
    return said["data"]["draftRules"]["id"]


@pytest.fixture(scope="module")
def draft(workbench, admin) -> str:
    handler = workbench.token("claims_handler", user="handler01", purposes=("claim_handling",))
    said = workbench.ask(ASKED, handler, purpose="claim_handling")
    assert said["data"]["claims"]["edges"]
    return begun(workbench, admin, "Bank accounts for those who pay a claim", "Hospitals are paid on the same day.")


@pytest.fixture(scope="module")
def hostile(workbench, admin) -> str:
    """A draft whose title and reason would like to be more than text."""
    return begun(workbench, admin, HOSTILE, f"Why: {HOSTILE}")


@pytest.fixture(scope="module")
def glass(workbench, admin) -> None:
    """A glass that is broken."""
    document = "mutation($input: BreakGlassInput!) { breakGlass(input: $input) { ... on GlassStanding { id } } }"
    given = {"username": "handler02", "purpose": "CLAIM_HANDLING", "categories": ["PHONE", "EMAIL"], "minutes": 5}
    said = workbench.ask(document, admin, variables={"input": {**given, "reason": "A flood; the hotline is down."}})
    assert said["data"]["breakGlass"]["id"]


def pages(draft: str) -> dict[str, str]:
    """Addresses of all pages for a security admin, by the name of their picture."""
    home = f"/console/drafts/{draft}"
    return {
        "matrix": "/console/matrix?purpose=claim_handling",
        "matrix-edit": f"/console/matrix?draft={draft}&purpose=claim_handling&cell=claims_handler.bank_account",
        "drafts": "/console/drafts",
        "draft": home,
        "draft-difference": f"{home}/difference",
        "draft-impact": f"{home}/impact",
        "draft-cases": f"{home}/cases",
        "draft-approval": f"{home}/approval",
        "history": "/console/history",
        "explain-why": f"/console/explain?{WHY}",
        "explain-reach": "/console/explain?ask=reach&role=loss_adjuster&purpose=claim_handling",
        "explain-who": "/console/explain?ask=who&coordinate=User.idNumber",
        "explain-decisions": "/console/explain?ask=decisions",
        "review": "/console/review?holder=HP02",
        "glass": "/console/glass",
        "fields": "/console/fields?category=health&field=Claim.diagnosis",
        "refused": "/console/drafts/none",
        "login": "/console/login",
    }


class Barriers:
    """Looks for barriers with axe, as it is published."""

    def __init__(self) -> None:
        self._axe = AXE.read_text()

    def of(self, page) -> list[str]:
        """What is serious or critical, with where it is."""
        page.evaluate(self._axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        grave = [one for one in found if one["impact"] in ("serious", "critical")]
        return [f"{one['id']}: {one['nodes'][0]['target']} {one['nodes'][0]['failureSummary']}" for one in grave]


def picture(page, name: str) -> None:
    """Take a picture of a page, if somebody asked for them."""
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        tall = page.evaluate("document.documentElement.scrollHeight")
        page.screenshot(
            path=f"{SCREENSHOTS}/{name}.png",
            full_page=True,
            clip={"x": 0, "y": 0, "width": WIDTH, "height": min(tall, TALLEST)},
        )


@pytest.mark.parametrize("language, scheme", LOOKS)
def test_no_page_has_a_serious_barrier_or_breaks_its_policy(workbench, desks, admin, draft, glass, language, scheme):
    desk, barriers, found = desks(admin, locale=language, color_scheme=scheme), Barriers(), {}
    suffix = "" if scheme == "light" else "-zh-dark"
    for name, address in pages(draft).items():
        assert desk.open(address).status == (400 if name == "refused" else 200), address
        html = desk.page.locator("html")
        assert html.get_attribute("lang") == {"en-GB": "en", "zh-CN": "zh-CN"}[language]
        grave = barriers.of(desk.page)
        if grave:
            found[name] = grave
        assert desk.page.evaluate("window.taken") is None
        if not suffix or name in ("matrix", "draft"):
            picture(desk.page, name + suffix)
    assert found == {}
    assert [one for one in desk.complaints if not one.startswith(EXPECTED)] == []


@pytest.mark.parametrize("language, scheme", LOOKS)
def test_a_developer_sees_fields_and_previews_without_a_barrier(workbench, desks, language, scheme):
    desk = desks(workbench.token("developer"), locale=language, color_scheme=scheme)
    desk.open("/console/fields?category=health")
    assert desk.page.locator("header nav a").count() == 3
    assert Barriers().of(desk.page) == []
    desk.open("/console/preview")
    desk.page.locator("textarea[name=document]").fill(DOCUMENT)
    desk.page.locator("select[name=role]").select_option("insurer")
    desk.page.locator("select[name=purpose]").select_option("policy_service")
    desk.page.locator("form[action='/console/preview'] button").click()
    expect(desk.page.locator("tbody tr")).to_have_count(3)
    assert Barriers().of(desk.page) == []
    assert desk.complaints == []
    if scheme == "light":
        picture(desk.page, "preview")


def test_whom_the_console_is_not_for_reads_so_without_a_barrier(workbench, desks):
    desk = desks(color_scheme="dark")
    desk.give(workbench.token("customer_service", purposes=("policy_service",)))
    expect(desk.page.locator("h1")).to_have_text("This page is not for you")
    assert Barriers().of(desk.page) == []


@pytest.mark.parametrize("role", ["auditor", "privacy_officer"])
def test_whoever_only_watches_has_nothing_to_edit_with(workbench, desks, draft, glass, role):
    desk = desks(workbench.token(role, user=staff_of(role, workbench.server)[0]))
    for name, address in pages(draft).items():
        if name.startswith(("matrix", "draft", "history", "glass")):
            assert desk.open(address).status == 200, address
            forms = [one.get_attribute("action") for one in desk.page.locator("main form[method=post]").all()]
            assert forms == [], (name, forms)


def test_what_is_typed_into_a_draft_stays_text(desks, admin, hostile):
    desk = desks(admin)
    for address in ("/console/drafts", f"/console/drafts/{hostile}", f"/console/matrix?draft={hostile}"):
        desk.open(address)
        assert HOSTILE in desk.page.locator("main").inner_text()
        assert desk.page.evaluate("window.taken") is None
    desk.open(f"/console/explain?ask=decision&decision={quote(HOSTILE)}")
    expect(desk.page.locator("input[name=decision]")).to_have_value(HOSTILE)
    assert desk.page.evaluate("window.taken") is None
    assert [one for one in desk.complaints if not one.startswith(EXPECTED)] == []


def test_the_page_finds_a_rule_that_cannot_be_while_it_is_typed(desks, admin, draft):
    desk = desks(admin)
    desk.open(f"/console/drafts/{draft}")
    told = desk.page.locator("#rows-findings")
    desk.page.locator("textarea[name=rows]").fill(
        "allow,claims_handler,claim_handling,assigned,contract_open,reveal,x,C1"
    )
    expect(told).to_contain_text("x")
    expect(told.locator(".badge.error")).to_have_count(1)
    desk.page.locator("textarea[name=rows]").fill("allow,nobody,claim_handling,any,any,reveal,name,C1")
    expect(told.locator(".message.refused")).to_contain_text("nobody")
    desk.page.locator("textarea[name=rows]").fill("allow,auditor,research,any,any,mask,tag,=1+1")
    expect(told.locator(".message.refused")).to_contain_text("clause")


def tab_to(page, selector: str) -> None:
    """Press Tab until an element has the focus; each one on the way is seen to have it."""
    for _ in range(400):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "(wanted) => { const at = document.activeElement; const style = getComputedStyle(at);"
            " return [at.matches(wanted), at === document.body || style.outlineStyle !== 'none'] }",
            selector,
        )
        assert focused[1], page.evaluate("document.activeElement.outerHTML")
        if focused[0]:
            return
    raise AssertionError(selector)


def test_a_cell_is_changed_by_keyboard_alone(desks, admin):
    desk = desks(admin)
    page = desk.page
    desk.open("/console/drafts")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    tab_to(page, "input[name=title]")
    page.keyboard.type("By keyboard")
    tab_to(page, "[name=reason]")
    page.keyboard.type("No mouse at hand.")
    tab_to(page, "form[action='/console/drafts'] button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/matrix?draft=*")
    tab_to(page, "a[aria-label='Change: Customer, Tag']")
    page.keyboard.press("Enter")
    page.wait_for_url("**cell=customer.tag*")
    for name, word in (("relation", "self"), ("basis", "any"), ("letter", "R")):
        tab_to(page, f"select[name={name}]")
        page.keyboard.type(word)
    tab_to(page, "input[name=clause]")
    page.keyboard.type("C64")
    page.keyboard.press("Enter")
    expect(page.locator("[role=status]").first).to_contain_text("Kept in the draft")
    tab_to(page, "td.changed summary")
    page.keyboard.press("Enter")
    expect(page.locator("td.changed details li")).to_contain_text("self")
    tab_to(page, "form[action='/console/logout'] button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/login*")


def test_everything_works_without_a_script(desks, admin):
    desk = desks(admin, java_script_enabled=False)
    page = desk.page
    desk.open("/console/matrix?purpose=security")
    page.get_by_text("Begin a draft").click()
    page.get_by_label("Title").fill("Without a script")
    page.get_by_label("Reason").fill("A browser that runs none.")
    page.get_by_role("button", name="Begin").click()
    page.locator("h1 a").click()
    page.locator("textarea[name=rows]").fill("allow,auditor,research,any,any,reveal,nothing,C1")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("ins.rule, [role=alert]").first).to_be_visible()
    page.locator("textarea[name=rows]").fill("allow,auditor,research,any,any,mask,profile,C1")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("ins.rule").first).to_contain_text("allow,auditor,research")
    page.get_by_role("button", name="Take back: allow,auditor,research,any,any,mask,profile,C1").click()
    page.get_by_role("button", name="Withdraw the draft").click()
    expect(page.locator(".badge").first).to_have_text("withdrawn")


def test_a_session_that_ended_leads_back_to_the_login(workbench, desks):
    name = staff_of("auditor", workbench.server)[0]
    desk = desks(workbench.token("auditor", user=name))
    desk.open("/console/history")
    expect(desk.page.locator("h1")).to_have_text("History")
    desk.context.clear_cookies()
    desk.page.get_by_role("link", name="Break glass").click()
    expect(desk.page.locator("h1")).to_have_text("Log in to the rules workbench")
    assert "to=%2Fconsole%2Fglass" in desk.page.url


def test_a_link_from_another_site_leads_whoever_is_logged_in_to_the_page(workbench, desks, admin):
    desk = desks(admin)
    link = f'<a href="{workbench.url}/console/history">Look</a>'
    desk.page.route("http://chat.example/", lambda route: route.fulfill(body=link, content_type="text/html"))
    desk.page.goto("http://chat.example/")
    before = desk.cookies()["needful-console"]
    desk.page.get_by_role("link", name="Look").click()
    expect(desk.page.locator("h1")).to_have_text("History")
    assert desk.cookies()["needful-console"] == before
