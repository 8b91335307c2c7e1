"""Who visits the console and for how long, and that nobody else acts in their name (C50, C53)."""

import re
import time
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pyotp
import pytest
from starlette.responses import Response

from console.visits import Cookies, Visit
from tests.accounts.conftest import authenticator
from tests.conftest import TLS
from tests.console.conftest import Visitor, as_owner, staff_of

PASSWORD = "a horse eats 9 apples"


@pytest.fixture(scope="module")
def admin(workbench) -> str:
    return workbench.token("security_admin", user=staff_of("security_admin", workbench.server)[0])


@pytest.fixture(scope="module")
def colleague(workbench) -> tuple[str, str, pyotp.TOTP]:
    """A new security_admin who has a password of their own: work name, password, second factor."""
    added = workbench.operate("staff", "add", "console.colleague", "--role", "security_admin")
    visitor, codes = Visitor(workbench.url), authenticator(added["uri"])
    given = {"identifier": "console.colleague", "password": added["password"]}
    assert "second factor" in visitor.post("/console/login", {**given, "csrf": visitor.csrf()}).text
    given["code"] = codes.now()
    asked = visitor.post("/console/login", {**given, "csrf": visitor.csrf()})
    assert 'name="new_password"' in asked.text
    done = visitor.post("/console/login", {**given, "new_password": PASSWORD, "csrf": visitor.csrf()})
    assert done.headers["location"] == "/console", done.text
    visitor.client.close()
    return "console.colleague", PASSWORD, codes


def test_nobody_in_particular_logs_in_first_and_then_comes_to_where_they_were_going(visitor, admin):
    response = visitor.get("/console/review?state=UNUSED")
    assert response.status_code == 303
    assert response.headers["location"] == "/console/login?to=%2Fconsole%2Freview%3Fstate%3DUNUSED"
    form = {"csrf": visitor.csrf(), "token": admin, "to": "/console/review?state=UNUSED"}
    assert visitor.post("/console/login/token", form).headers["location"] == "/console/review?state=UNUSED"
    assert visitor.get("/console/review").status_code == 200


@pytest.mark.parametrize(
    "to", ["https://evil.example", "//evil.example", "/console//../evil", "/graphql", "/console\\x"]
)
def test_logging_in_leads_nowhere_but_to_the_console(visitor, admin, to):
    found = visitor.post("/console/login/token", {"csrf": visitor.csrf(), "token": admin, "to": to})
    target = urlsplit(found.headers["location"])
    assert (target.scheme, target.netloc) == ("", "")
    assert target.path.startswith("/console")


def test_the_cookie_is_for_this_site_alone_and_out_of_reach_of_scripts(visitor, admin):
    response = visitor.post("/console/login/token", {"csrf": visitor.csrf(), "token": admin})
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("needful-console=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert admin not in cookie


def test_whoever_logs_in_gets_a_visit_that_no_earlier_page_knows(visitor, admin):
    before = visitor.csrf()
    visitor.log_in(admin)
    after = visitor.csrf("/console/review")
    assert before != after
    assert visitor.post("/console/logout", {"csrf": before}).status_code == 403


@pytest.mark.parametrize(
    "origin, site, csrf",
    [
        (None, "same-origin", "wrong"),
        (None, "same-origin", ""),
        (None, "cross-site", None),
        (None, "same-site", None),
        (None, "none-of-these", None),
        ("https://evil.example", "none", None),
        ("null", "none", None),
    ],
)
def test_a_form_that_is_not_ours_changes_nothing(visitor, admin, origin, site, csrf):
    visitor.log_in(admin)
    given = visitor.csrf("/console/review") if csrf is None else csrf
    response = visitor.post("/console/logout", {"csrf": given}, origin=origin, site=site)
    assert (response.status_code, "FORM_NOT_OURS" in response.text) == (403, True)
    assert visitor.get("/console/review").status_code == 200


def test_a_form_without_any_sign_of_where_it_comes_from_changes_nothing(visitor, admin):
    visitor.log_in(admin)
    given = visitor.csrf("/console/review")
    assert visitor.post("/console/logout", {"csrf": given}, origin="none", site="none").status_code == 403


def test_the_token_of_another_visit_does_not_do(visitor, workbench, admin):
    visitor.log_in(admin)
    other = Visitor(workbench.url)
    other.log_in(admin)
    assert visitor.post("/console/logout", {"csrf": other.csrf("/console/review")}).status_code == 403
    other.client.close()


def test_reading_changes_nothing_whatever_the_address_says(visitor, admin):
    visitor.log_in(admin)
    for path in ("/console/logout", "/console/preferences?theme=dark", "/console/login/token?token=x"):
        assert visitor.get(path).status_code == 405
    visitor.get("/console/review?act=lapse&holder=claims_handler&purpose=CLAIM_HANDLING&category=NAME")
    assert visitor.get("/console/review?state=LAPSED").text.count("<tr>") == 1


def test_an_altered_cookie_is_nobody(visitor, admin, workbench):
    visitor.log_in(admin)
    name, value = next(iter(visitor.client.cookies.items()))
    for altered in (
        value[:-2] + ("AA" if value[-2:] != "AA" else "BB"),
        value[:40],
        "x",
        "é".encode().decode("latin-1"),
    ):
        with httpx.Client(base_url=workbench.url, verify=TLS) as client:
            response = client.get("/console/review", headers={"Cookie": f"{name}={altered}".encode("latin-1")})
        assert (response.status_code, urlsplit(response.headers["location"]).path) == (303, "/console/login")


def test_staff_log_in_with_password_and_second_factor_and_log_out(workbench, colleague):
    name, password, codes = colleague
    workbench.execute("UPDATE login SET totp_step = totp_step - 5")
    visitor = Visitor(workbench.url)
    form = {"identifier": name, "password": password, "csrf": visitor.csrf()}
    assert visitor.post("/console/login", {**form, "password": "wrong", "code": codes.now()}).status_code == 400
    found = visitor.post("/console/login", {**form, "code": codes.now()})
    assert found.headers["location"] == "/console", found.text
    cookie = dict(visitor.client.cookies)
    assert visitor.get("/console/review").status_code == 200
    out = visitor.post("/console/logout", {"csrf": visitor.csrf("/console/review")})
    assert urlsplit(out.headers["location"]).path == "/console/login"
    with httpx.Client(base_url=workbench.url, cookies=cookie, verify=TLS) as thief:
        again = thief.get("/console/review")
    assert again.headers["location"] == "/console/login?to=%2Fconsole%2Freview&over=1"
    visitor.client.close()


def test_whoever_leaves_is_out_within_a_second(workbench, colleague):
    added = workbench.operate("staff", "add", "console.leaver", "--role", "auditor")
    codes, visitor = authenticator(added["uri"]), Visitor(workbench.url)
    form = {"identifier": "console.leaver", "password": added["password"], "new_password": PASSWORD}
    visitor.post("/console/login", {**form, "code": codes.now(), "csrf": visitor.csrf()})
    assert visitor.get("/console/review").status_code == 200
    workbench.operate("staff", "leave", "console.leaver")
    left = time.monotonic()
    while visitor.get("/console/review").status_code != 303:
        assert time.monotonic() < left + 5, "whoever has left is still let in"
        time.sleep(0.05)
    visitor.client.close()


@pytest.mark.parametrize("role", ["claims_handler", "customer_service"])
def test_the_console_is_not_for_others_and_keeps_nothing_of_them(visitor, workbench, role):
    purpose = {"claims_handler": "claim_handling", "customer_service": "policy_service"}[role]
    token = workbench.token(role, purposes=(purpose,))
    response = visitor.post("/console/login/token", {"csrf": visitor.csrf(), "token": token})
    assert (response.status_code, "not for you" in response.text) == (403, True)
    assert "/console/logout" not in response.text
    assert list(visitor.client.cookies) == ["needful-console-guest"]
    for path in ("/console", "/console/review", "/console/matrix"):
        assert urlsplit(visitor.get(path).headers["location"]).path == "/console/login"


def sessions_of(workbench, name) -> int:
    """How many of somebody's sessions have not ended."""
    counted = "SELECT count(*) FROM session s JOIN staff m ON m.id = s.staff_id WHERE m.username = $1"
    return as_owner(workbench.server, f"{counted} AND s.ended_at IS NULL", name)[0]["count"]


def test_the_session_of_somebody_whom_the_console_is_not_for_ends_at_once(workbench, visitor):
    added = workbench.operate("staff", "add", "console.handler", "--role", "claims_handler")
    form = {"identifier": "console.handler", "password": added["password"], "new_password": PASSWORD}
    code = authenticator(added["uri"]).now()
    response = visitor.post("/console/login", {**form, "code": code, "csrf": visitor.csrf()})
    assert (response.status_code, "not for you" in response.text) == (403, True)
    assert sessions_of(workbench, "console.handler") == 0


def test_logging_in_anew_ends_the_session_that_this_browser_had(workbench, colleague, visitor):
    name, password, codes = colleague
    for _ in range(2):
        workbench.execute("UPDATE login SET totp_step = totp_step - 5")
        before = sessions_of(workbench, name)
        form = {"identifier": name, "password": password, "code": codes.now(), "csrf": visitor.csrf()}
        assert visitor.post("/console/login", form).headers["location"] == "/console"
    assert sessions_of(workbench, name) == before
    assert visitor.get("/console/review").status_code == 200


def test_a_request_from_elsewhere_never_takes_the_place_of_who_is_logged_in(visitor, workbench, admin):
    visitor.log_in(admin)
    csrf, live = visitor.csrf("/console/review"), dict(visitor.client.cookies)
    # What SameSite=Strict withholds: a link from a chat, then the page to log in at.
    other = Visitor(workbench.url)
    asked = other.get("/console/review?state=UNUSED", **{"Sec-Fetch-Site": "cross-site"})
    assert asked.status_code == 200
    assert 'http-equiv="refresh" content="0; url=/console/review?state=UNUSED"' in asked.text
    other.get("/console/login")
    assert list(other.client.cookies) == ["needful-console-guest"]
    both = {**dict(other.client.cookies), **live}
    with httpx.Client(base_url=workbench.url, cookies=both, verify=TLS) as client:
        assert client.get("/console/review").status_code == 200
        assert csrf in client.get("/console/review").text
    # Of a page that asks for somebody, the token of nobody's visit does not do.
    guest, sent = other.csrf(), {"Origin": workbench.url, "Sec-Fetch-Site": "same-origin"}
    with httpx.Client(base_url=workbench.url, cookies=both, verify=TLS, headers=sent) as client:
        assert client.post("/console/logout", data={"csrf": guest}).status_code == 403
        prefer = client.post("/console/preferences", data={"csrf": guest, "theme": "dark"})
        assert prefer.status_code == 303
    other.client.close()


def test_a_sealed_cookie_is_good_under_its_own_name_alone(visitor, workbench, admin):
    visitor.log_in(admin)
    sealed = visitor.client.cookies["needful-console"]
    other = Visitor(workbench.url)
    other.get("/console/login")
    guest = other.client.cookies["needful-console-guest"]
    for cookies in ({"needful-console-guest": sealed}, {"needful-console": guest}):
        with httpx.Client(base_url=workbench.url, cookies=cookies, verify=TLS) as client:
            assert client.get("/console/review").headers["location"] == "/console/login?to=%2Fconsole%2Freview"
    other.client.close()


def test_no_link_says_that_something_was_done(visitor, admin):
    visitor.log_in(admin)
    assert visitor.csrf("/console/drafts?done=published")
    assert "Published. Every worker" not in visitor.get("/console/drafts?done=published").text
    form = {"csrf": visitor.csrf("/console/drafts"), "title": "Told once", "reason": "To be told once."}
    response = visitor.post("/console/drafts", form)
    assert "done=" not in response.headers["location"]
    assert "The draft is begun" in visitor.get(response.headers["location"]).text
    assert "The draft is begun" not in visitor.get(response.headers["location"]).text


def test_a_page_is_for_the_roles_that_the_api_answers(visitor, workbench):
    visitor.log_in(workbench.token("developer"))
    assert visitor.get("/console").headers["location"] == "/console/explain"
    assert visitor.get("/console/review").status_code == 403
    assert visitor.get("/console/drafts").status_code == 403
    assert visitor.get("/console/fields").status_code == 200


def test_every_page_comes_with_its_policy_and_is_kept_by_nobody(visitor, admin):
    visitor.log_in(admin)
    for path in ("/console/login", "/console/review", "/console"):
        response = visitor.get(path)
        headers = response.headers.get_list("content-security-policy")
        assert any("default-src 'none'; style-src 'self'; script-src 'self';" in one for one in headers)
        assert not any("unsafe" in one or "data:" in one for one in headers)
        assert response.headers["cache-control"] == "no-store"
        assert response.headers.get_list("referrer-policy")[-1] == "same-origin"
        assert "nosniff" in response.headers["x-content-type-options"]
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|https?://", response.text)


def test_its_files_may_be_kept_for_good_and_no_other_is_served(visitor):
    found = set(re.findall(r'(?:src|href)="(/console/assets/[^"]+)"', visitor.get("/console/login").text))
    assert len(found) == 3
    for address in found:
        assert "immutable" in visitor.get(address).headers["cache-control"]
    assert "immutable" not in visitor.get("/console/assets/style.css?v=another").headers["cache-control"]
    for name in ("LICENSES", "../frame.py", "..%2fframe.py", "nothing.js", ""):
        assert visitor.get(f"/console/assets/{name}").status_code == 404


@pytest.mark.parametrize(
    "accepted, language",
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("en-GB,zh;q=0.5", "en"),
        ("zh;q=0.2, en;q=0.9", "en"),
        ("fr, zh;q=x, zh-Hans;q=0.3", "zh-CN"),
        ("zh;q=0", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_the_readers(visitor, accepted, language):
    response = visitor.get("/console/login", **{"Accept-Language": accepted})
    assert f'<html lang="{language}">' in response.text
    assert response.headers["content-language"] == language


def test_language_and_theme_are_remembered(visitor):
    form = {"csrf": visitor.csrf(), "back": "/console/login", "language": "zh-CN"}
    assert visitor.post("/console/preferences", form).headers["location"] == "/console/login"
    visitor.post("/console/preferences", {**form, "language": "", "theme": "dark"})
    page = visitor.get("/console/login", **{"Accept-Language": "en"}).text
    assert '<html lang="zh-CN" data-theme="dark">' in page
    visitor.post("/console/preferences", {**form, "language": "xx", "theme": '"><script>'})
    assert '<html lang="zh-CN" data-theme="dark">' in visitor.get("/console/login").text


def test_over_https_the_cookie_is_bound_to_the_host():
    cookies, response = Cookies(b"k" * 32, "https://needful.example"), Response()
    assert cookies.keep(response, Visit("csrf", UUID(int=1)))
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-needful-console=")
    assert {"Secure", "HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie


def test_a_visit_says_nothing_of_what_it_holds():
    visit = Visit("the-csrf", None, "the-token")
    assert "the-" not in repr(visit)
    assert "kkk" not in repr(Cookies(b"k" * 32, "https://needful.example"))
