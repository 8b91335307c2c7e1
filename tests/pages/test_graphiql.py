"""GraphiQL in a real browser: it comes from this server alone, and asks with the token and purpose typed above it."""

import json
import re
from urllib.parse import quote, urlencode, urlsplit

import pytest
from playwright.sync_api import expect

from resolvers.demo_tokens import demo_greeting
from tests.browsers import chromium
from tests.conftest import PRODUCTION, running_server

QUERY = "{ policies(first: 1) { edges { node { policyNumber policyholder { name idNumber } } } } }"


@pytest.fixture(scope="module")
def token(server):
    return server.token("customer_service", purposes=["policy_service", "service_message"])


@pytest.fixture(scope="module")
def browser(token):
    """Chromium; while it is open this thread has a running event loop, so tokens are made before."""
    with chromium() as opened:
        yield opened


class Visit:
    """One page in a profile of its own, high enough to show a whole result, and what it did."""

    def __init__(self, browser) -> None:
        self.context = browser.new_context(viewport={"width": 1300, "height": 3000})
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def ask(self) -> str:
        """Run the query in the editor; the result."""
        with self.page.expect_response(lambda response: response.request.method == "POST"):
            self.page.locator(".graphiql-execute-button").click()
        result = self.page.locator(".result-window")
        expect(result).to_contain_text('"extensions"')
        return result.inner_text()


@pytest.fixture
def visit(browser):
    visit = Visit(browser)
    yield visit
    visit.context.close()


def link(server, **fragment) -> str:
    return f"{server.url}#{urlencode(fragment, quote_via=quote)}"


def test_a_demo_link_opens_graphiql_ready_to_ask_and_shows_a_masked_value(server, visit, token):
    visit.page.goto(link(server, token=token, purpose="policy_service", query=QUERY))
    expect(visit.page.locator("#who")).to_contain_text("customer_service")
    expect(visit.page.locator("#purpose")).to_have_value("policy_service")
    assert re.search(r'"idNumber": "\d\*+[\dX]"', visit.ask())
    assert visit.complaints == []


def test_no_other_host_is_asked_for_anything(server, visit, token):
    visit.page.goto(link(server, token=token, purpose="policy_service", query=QUERY))
    visit.ask()
    visit.page.get_by_label("Show Documentation Explorer").click()
    expect(visit.page.locator(".graphiql-doc-explorer")).to_contain_text("Policy")
    assert {urlsplit(address).netloc for address in visit.requests if not address.startswith("data:")} == {
        urlsplit(server.url).netloc
    }
    assert visit.complaints == []


def test_every_corner_of_graphiql_works_under_the_pages_policy(server, visit, token):
    visit.page.goto(link(server, token=token, query=QUERY))
    for opened in ("Open settings dialog", "Open short keys dialog"):
        visit.page.get_by_label(opened).click()
        expect(visit.page.get_by_role("dialog")).to_be_visible()
        visit.page.keyboard.press("Escape")
    visit.page.get_by_label("Show History").click()
    visit.page.get_by_label("Prettify query (Shift-Ctrl-P)").click()
    visit.page.get_by_label("Re-fetch GraphQL schema").click()
    visit.page.get_by_role("button", name="Variables").click()
    visit.page.locator(".graphiql-query-editor .CodeMirror-line").first.hover()
    assert visit.complaints == []


def test_the_token_leaves_the_address_at_once_and_the_tab_when_it_closes(server, visit, token):
    visit.page.goto(link(server, token=token, purpose="policy_service", query=QUERY))
    expect(visit.page.locator("#token")).to_have_value(token)
    visit.ask()
    assert visit.page.url == server.url
    assert not any(token in address.split("#")[0] for address in visit.requests)
    kept = visit.context.storage_state()
    assert token not in json.dumps(kept)
    assert kept == {"cookies": [], "origins": []}
    visit.page.reload()
    expect(visit.page.locator("#token")).to_have_value(token)
    other = visit.context.new_page()
    other.goto(server.url)
    expect(other.locator("#who")).to_have_text("no token")


def test_token_and_purpose_may_be_typed(server, visit, token):
    visit.page.goto(server.url)
    expect(visit.page.locator("#who")).to_have_text("no token")
    assert not any("/graphql" in address and "assets" not in address for address in visit.requests[1:])
    visit.page.locator("#token").fill(token)
    visit.page.locator("#purpose").fill("service_message")
    visit.page.locator("#purpose").blur()
    expect(visit.page.locator("#who")).to_contain_text("customer_service")
    assert [option.get_attribute("value") for option in visit.page.locator("#purposes option").all()] == [
        "policy_service",
        "service_message",
    ]
    result = visit.ask()
    assert '"role": "customer_service"' in result
    assert '"purpose": "service_message"' in result


def test_the_page_allows_no_script_but_its_own(server):
    response = server.client.get(server.url, headers={"Accept": "text/html,*/*;q=0.8"})
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|https?://", response.text)
    assert response.headers["cache-control"] == "no-cache"


def test_its_files_may_be_kept_for_good(server):
    page = server.client.get(server.url, headers={"Accept": "text/html"}).text
    found = re.findall(r'(?:src|href)="(/graphql/assets/[^"]+)"', page)
    assert len(found) == 6
    for address in found:
        response = server.client.get(server.url.removesuffix("/graphql") + address)
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]


@pytest.mark.parametrize("name", ["LICENSES", "page.html", "../graphiql.py", "..%2f..%2fcli.py", "nothing.js", ""])
def test_no_other_file_is_served(server, name):
    assert server.client.get(f"{server.url}/assets/{name}").status_code == 404


@pytest.mark.parametrize("accept", ["application/json", "application/json, text/html", "*/*"])
def test_a_client_that_is_no_browser_gets_json(server, accept):
    response = server.client.get(server.url, params={"query": "{ __typename }"}, headers={"Accept": accept})
    assert response.headers["content-type"].startswith("application/json")


def test_outside_demo_mode_a_link_brings_no_token(server, prepared, visit, token, tmp_path):
    prepared.empty(tmp_path / "data")
    with running_server(tmp_path / "data", tmp_path / "log", environment=PRODUCTION) as address:
        visit.page.goto(f"{address}/graphql#{urlencode({'token': token})}")
        expect(visit.page.locator("#who")).to_have_text("no token")


def test_the_printed_links_open_what_they_promise(server, visit):
    lines = demo_greeting(server.installation, server.database, address=server.url.removesuffix("/graphql"))
    links = [line.removeprefix("GraphiQL: ") for line in lines if line.startswith("GraphiQL: ")]
    roles = []
    for address in links:
        visit.page.goto("about:blank")
        visit.page.goto(address)
        expect(visit.page.locator("#who")).to_contain_text("until")
        roles.append(visit.page.locator("#who").inner_text().split(",")[0])
        assert re.search(r'"(policyNumber|claimNumber)": "', visit.ask())
    assert roles == ["claims_handler", "insurer", "customer"]
    assert visit.complaints == []
