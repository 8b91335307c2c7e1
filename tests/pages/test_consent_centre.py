"""The consent centre in a real browser: people decide on it, and the next read of everybody else knows."""

import json
import re
from urllib.parse import urlsplit

import httpx
import pytest
from joserfc.jwk import KeySet
from playwright.sync_api import expect

from privacy.receipts import KEYS_PATH, read_receipt
from resolvers.payloads import ProblemCode
from tests.browsers import chromium
from tests.conftest import ROOT
from tests.console.conftest import AXE
from tests.pages.conftest import HOSTILE, LATER, PASSWORD, USE

CONSENTS = (
    "{ viewer { user { consents(first: 20) { edges { node { id purpose status categories noticeVersion } } } } } }"
)
PERMISSIONS = "{ viewer { user { permissions { kind granted } } } }"


@pytest.fixture(scope="module")
def browser(centre):
    """Chromium; while it is open this thread has a running event loop, so the centre stands before."""
    expect.set_options(timeout=15_000)
    with chromium() as opened:
        yield opened


class Visit:
    """One profile of a browser at the page, and what it complains of."""

    def __init__(self, browser, centre, **profile) -> None:
        self.centre = centre
        self.context = browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1000, "height": 900}, **profile})
        self.context.set_default_timeout(15_000)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.asked: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(centre.address)

    def log_in(self, person, *, as_guardian=False):
        """Log in; the page is in English."""
        self.fill_in(person, as_guardian=as_guardian)
        self.told("Logged in.")
        return self.page

    def fill_in(self, person, *, as_guardian=False) -> None:
        """Fill in the form to log in, in whatever language, and send it."""
        form = self.page.locator("#login")
        form.get_by_role("checkbox").set_checked(as_guardian)
        form.locator("input[autocomplete=username]").fill(person.username)
        form.locator("input[type=password]").fill(PASSWORD)
        self.page.keyboard.press("Enter")

    def told(self, text) -> None:
        """Was this said to screen readers too?"""
        expect(self.page.get_by_role("status")).to_have_text(text)

    def grant(self, purpose, recipient, *categories) -> None:
        """Fill in the form and give the consent."""
        form = self.page.locator("#grant")
        form.get_by_label("Purpose").select_option(purpose)
        form.get_by_label("Recipient", exact=True).select_option(recipient)
        for category in categories:
            form.get_by_role("checkbox", name=category).check()
        form.get_by_role("button", name="Give consent").click()

    def tab_to(self, name) -> None:
        """Press Tab until a button has the focus."""
        wanted = self.page.get_by_role("button", name=name)
        for _ in range(60):
            self.page.keyboard.press("Tab")
            if wanted.evaluate("one => one === document.activeElement"):
                return
        pytest.fail(f"Tab never comes to {name}")


@pytest.fixture
def visits(browser, centre):
    opened = []

    def visit(**profile):
        opened.append(Visit(browser, centre, **profile))
        return opened[-1]

    yield visit
    for one in opened:
        one.context.close()


def consents(centre, person):
    found = centre.ask(CONSENTS, person.token)["viewer"]["user"]["consents"]["edges"]
    return [edge["node"] for edge in found]


def test_a_person_agrees_grants_and_withdraws_by_keyboard_and_the_insurers_next_read_knows(visits, centre):
    person, before = centre.earlier.pop(), centre.audience()
    visit = visits(accept_downloads=True)
    page = visit.log_in(person)

    notice = page.get_by_role("article", name=LATER)
    expect(notice).to_contain_text("Major change: whom they are shared with")
    expect(notice).to_contain_text(USE)
    expect(page.locator("#grant").get_by_label("Purpose")).to_contain_text("Marketing")
    notice.get_by_text("Read the whole text").click()
    expect(notice.get_by_role("heading", name="一(一)1")).to_be_visible()
    notice.get_by_role("button", name="Agree to this version").click()
    visit.told(f"Recorded: you agree to version {LATER}.")
    expect(page.locator("#notices")).to_contain_text(f"The version that applies to you: {LATER}")
    expect(page.get_by_role("article")).to_have_count(0)

    visit.grant("MARKETING", "INS01", "Name", "Virtual number", "Indirect tags")
    visit.told(re.compile("^Consented: Marketing – "))
    (granted,) = consents(centre, person)
    assert (granted["status"], granted["noticeVersion"]) == ("ACTIVE", LATER)
    assert granted["categories"] == ["NAME", "RELAY", "TAG"]
    (reached,) = centre.audience() - before

    with page.expect_download() as download:
        page.locator("#consents").get_by_role("button", name="Download receipt").click()
    keys = httpx.get(centre.server.url.replace("/graphql", KEYS_PATH)).json()
    receipt = read_receipt(download.value.path().read_text(), KeySet.import_key_set(keys))
    assert receipt["consentReceiptID"] == granted["id"]
    assert receipt["recipient"]["code"] == "INS01"

    page.locator("#consents-title").focus()
    visit.tab_to(re.compile("^Withdraw: Marketing"))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Withdraw this consent?")
    expect(dialog).to_contain_text("From the next read on they do not get these data")
    expect(dialog).to_contain_text("What was done before stays lawful")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert [one["status"] for one in consents(centre, person)] == ["ACTIVE"]
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Withdraw")).to_be_focused()
    page.keyboard.press("Enter")
    visit.told(re.compile("^Withdrawn: Marketing – "))
    assert reached not in centre.audience()
    expect(page.locator("#consents-title")).to_be_focused()
    expect(page.locator("#history")).to_contain_text("withdrawn")
    assert [one["status"] for one in consents(centre, person)] == ["WITHDRAWN"]
    assert visit.complaints == []


def test_who_says_not_now_keeps_the_earlier_terms_and_may_agree_later(visits, centre):
    visit = visits()
    page = visit.log_in(centre.earlier.pop())
    page.get_by_role("article", name=LATER).get_by_role("button", name="Not now").click()
    visit.told(re.compile("the terms before go on to apply to you"))
    expect(page.locator("#notices")).to_contain_text("The version that applies to you: 2020-10-26")
    expect(page.locator("#notices")).to_contain_text("No notice waits for your answer.")
    form = page.locator("#grant")
    form.get_by_label("Purpose").select_option("RESEARCH")
    expect(form).not_to_contain_text(USE)
    page.get_by_role("button", name="Agree to this version").click()
    visit.told(f"Recorded: you agree to version {LATER}.")
    form.get_by_label("Purpose").select_option("RESEARCH")
    form.get_by_label("Recipient", exact=True).select_option("Another recipient")
    expect(form).to_contain_text(USE)


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_no_state_of_the_page_has_a_barrier_light_or_dark(visits, centre, language):
    visit = visits(locale=language)
    page = visit.page
    assert barriers(page) == []
    visit.fill_in(centre.earlier.pop())
    expect(page.get_by_role("article", name=LATER)).to_be_visible()
    page.get_by_role("article").locator("summary").click()
    page.locator("#grant button.main").click()
    expect(page.locator("#grant fieldset[aria-invalid=true]")).to_be_visible()
    assert barriers(page) == []
    page.locator("#grant input[type=checkbox]").first.check()
    page.locator("#grant button.main").click()
    page.locator("#consents button.main").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.lang") == {"en-GB": "en"}.get(language, language)
    assert visit.complaints == []


def barriers(page):
    """What axe has against the page as it is now, whatever its weight."""
    page.evaluate(AXE.read_text())
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        violations = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        found += [(scheme, one["id"], one["nodes"][0]["html"]) for one in violations]
    return found


def test_sensitive_data_are_asked_for_by_themselves_where_the_law_wants_it(visits, centre):
    person, visit = centre.sign_up(), visits()
    page = visit.log_in(person)
    visit.grant("APPLICATION", "INS01", "Name", "Health")
    apart = page.get_by_role("group", name="Sensitive data need a consent of their own")
    expect(apart.get_by_role("checkbox", name="Health")).not_to_be_checked()
    assert consents(centre, person) == []
    apart.get_by_role("checkbox", name="Health").check()
    page.get_by_role("button", name="Consent to these alone").click()
    visit.told(re.compile("^Consented: Applying for insurance"))
    visit.grant("APPLICATION", "INS01", "Name")
    expect(page.locator("#consents li")).to_have_count(2)
    given = sorted(one["categories"] for one in consents(centre, person) if one["status"] == "ACTIVE")
    assert given == [["HEALTH"], ["NAME"]]
    assert visit.complaints == []


def test_what_the_api_refuses_stands_beside_the_field_by_code_and_message(visits, centre):
    person, visit = centre.sign_up(), visits()
    page = visit.log_in(person)
    form = page.locator("#grant")
    form.get_by_label("Ends on").fill("2090-01-01")
    visit.grant("MARKETING", "INS01", "Indirect tags")
    ends = form.get_by_label("Ends on")
    expect(ends).to_be_focused()
    expect(ends).to_have_accessible_description(re.compile("EXPIRY_INVALID: .*730 days"))
    ends.fill("")
    form.get_by_label("Recipient", exact=True).select_option("Another recipient")
    form.get_by_label("Code of the recipient").fill(HOSTILE)
    form.get_by_role("checkbox", name="Indirect tags").check()
    form.get_by_role("button", name="Give consent").click()
    expect(form.get_by_label("Recipient", exact=True)).to_have_accessible_description(re.compile("RECIPIENT_UNKNOWN: "))
    expect(ends).not_to_have_attribute("aria-invalid", "true")
    assert consents(centre, person) == []
    assert visit.complaints == []


def test_whatever_was_typed_or_published_stays_text(visits, centre):
    visit = visits()
    page = visit.page
    page.get_by_label("Phone number or username").fill(HOSTILE)
    page.get_by_label("Password").fill(HOSTILE)
    page.keyboard.press("Enter")
    expect(page.locator("#login")).to_contain_text("INVALID_CREDENTIALS")
    visit.log_in(centre.earlier.pop())
    notice = page.get_by_role("article", name=LATER)
    notice.locator("summary").click()
    expect(notice.get_by_text(HOSTILE)).to_have_count(2)
    assert page.evaluate("window.taken") is None
    assert page.locator("main :is(script, img)").count() == 0
    assert visit.complaints == []


def test_a_field_that_is_refused_is_said_to_be_and_breaks_nothing(visits, centre):
    visit = visits()
    page = visit.page

    def refuse(route):
        answer = route.fetch()
        body = answer.json()
        if "currentNotice" in body.get("data", {}):
            body["data"]["viewer"]["standingNotice"] = None
            told = {"code": "FIELD_DENIED", "pathPattern": "viewer.standingNotice", "reason": "TOKEN_SCOPE"}
            body["errors"] = [{"message": "Denied.", "path": ["viewer", "standingNotice"], "extensions": told}]
        route.fulfill(response=answer, body=json.dumps(body))

    page.route("**/graphql", refuse)
    visit.log_in(centre.sign_up())
    expect(page.get_by_text("Not shown here: viewer.standingNotice (TOKEN_SCOPE)")).to_be_visible()
    expect(page.locator("#consents")).to_contain_text("There are no consents in force.")
    page.get_by_role("button", name="Allow: Push messages").click()
    visit.told("Push messages: allowed.")
    assert visit.complaints == []


def test_permissions_and_cookies_are_set_each_for_itself(visits, centre):
    person, visit = centre.sign_up(), visits()
    page = visit.log_in(person)
    page.get_by_role("button", name="Allow: Camera").click()
    visit.told("Camera: allowed.")
    page.get_by_role("button", name="Refuse: Camera").click()
    visit.told("Camera: refused.")
    page.get_by_role("button", name="Allow: Efficiency").click()
    visit.told("Efficiency: allowed.")
    found = centre.ask(PERMISSIONS, person.token)["viewer"]["user"]["permissions"]
    assert {one["kind"]: one["granted"] for one in found} == {"CAMERA": False, "COOKIE_EFFICIENCY": True}


def test_who_refuses_calls_is_in_no_audience_and_keeps_the_consent(visits, centre):
    person, visit = centre.sign_up(), visits()
    page, before = visit.log_in(person), centre.audience()
    visit.grant("MARKETING", "INS01", "Indirect tags")
    visit.told(re.compile("^Consented: Marketing"))
    (reached,) = centre.audience() - before
    page.get_by_role("button", name="Refuse: Calls").click()
    visit.told("Calls: refused.")
    assert reached not in centre.audience()
    assert [one["status"] for one in consents(centre, person)] == ["ACTIVE"]


def test_a_guardian_decides_for_a_ward(visits, centre):
    guardian, visit = centre.guardian(), visits()
    page = visit.log_in(guardian, as_guardian=True)
    expect(page.get_by_label("Ward").locator("option")).not_to_have_count(0)
    page.get_by_role("button", name="Agree for").click()
    visit.told(f"Recorded: you agree to version {LATER}.")
    visit.grant("MARKETING", "INS01", "Indirect tags")
    visit.told(re.compile("^Consented: Marketing"))
    expect(page.locator("#consents")).to_contain_text("Given by a guardian")
    page.get_by_role("button", name="Refuse: Calls").click()
    visit.told("Calls: refused.")
    expect(page.locator("#permissions")).to_be_hidden()
    assert visit.complaints == []


def test_tokens_stay_in_memory_and_logging_out_ends_the_session(visits, centre):
    person, visit = centre.sign_up(), visits()
    page = visit.log_in(person)
    assert visit.context.storage_state() == {"cookies": [], "origins": []}
    assert page.evaluate("sessionStorage.length") == 0
    with page.expect_response(lambda response: "logOut" in (response.request.post_data or "")):
        page.get_by_role("button", name="Log out").click()
    visit.told("Logged out.")
    expect(page.locator("#centre")).to_be_hidden()
    visit.log_in(person)
    page.reload()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert {urlsplit(one).netloc for one in visit.asked} == {urlsplit(centre.address).netloc}


def test_an_access_token_that_runs_out_is_renewed_unnoticed(visits, centre):
    visit = visits()
    page = visit.page

    def short(route):
        answer = route.fetch()
        body = answer.json()
        if "logIn" in body.get("data", {}):
            body["data"]["logIn"]["accessExpiresAt"] = "2026-01-01T00:00:00Z"
        route.fulfill(response=answer, body=json.dumps(body))

    page.route("**/graphql", short)
    with page.expect_response(lambda response: '"refresh":' in response.text()):
        visit.log_in(centre.sign_up())
    page.get_by_role("button", name="Allow: Camera").click()
    visit.told("Camera: allowed.")


def test_the_page_allows_nothing_but_its_own_files(centre):
    response = httpx.get(centre.address)
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|https?://", response.text)
    for place in ("serve.mjs", "..%2fpackage.json", "page.js.map", "graphql/assets/page.html", "nothing"):
        assert httpx.get(centre.address + place).status_code == 404, place
    assert httpx.get(centre.address + "graphql").status_code == 404, "only POST is passed on"


def test_the_guides_chapter_runs_in_its_order(centre):
    chapter = (ROOT / "docs" / "frontend.md").read_text().split("\n## The consent centre\n")[1].split("\n## ")[0]
    found, acknowledge, grant, withdraw = re.findall(r"```graphql\n(.*?)```", chapter, re.DOTALL)
    token = centre.earlier.pop().token
    (pending,) = centre.ask(found, token)["viewer"]["pendingNotices"]
    assert centre.ask(acknowledge, token, hash=pending["hash"])["acknowledgeNotice"]["__typename"] == "User"
    viewer = centre.ask(found, token)["viewer"]
    assert (viewer["pendingNotices"], viewer["standingNotice"]["hash"]) == ([], pending["hash"])
    given = centre.ask(grant, token, hash=pending["hash"])["grantConsent"]
    assert given["receipt"]["fileName"].endswith(".jwt")
    assert centre.ask(withdraw, token, id=given["id"])["withdrawConsent"]["status"] == "WITHDRAWN"
    named = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", chapter.split("| problem |")[1]))
    assert named
    assert named <= set(ProblemCode)
