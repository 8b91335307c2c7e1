"""Staff log in with a real OpenID Connect issuer (npm's oidc-provider), through its log-in and its consent."""

import json
import re
import socket
import subprocess
import time
from contextlib import closing
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest

from authz.staff import OperatorRefusedError
from tests.conftest import ROOT, TLS, run_cli, running_server
from tests.test_http_audit import node

FOLDER = ROOT / "tests" / "oidc"
MISSING = "SECOND_FACTOR_MISSING"
SECRET = "a-secret-of-the-test-0123456789abcdef"


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Staffed:
    """The service with its issuer, and a browser's way through both."""

    def __init__(self, url: str, issuer: str) -> None:
        self.url, self.issuer = url, issuer

    def walk(self, browser, address, *, name, claims, amr):
        """Follow redirects, fill in forms, and stop at the first answer that is neither."""
        while True:
            response = browser.get(address)
            while "text/html" in response.headers.get("content-type", "") and urlsplit(address).path.startswith(
                "/inter"
            ):
                form = {"login": name, "claims": json.dumps(claims), "amr": amr}
                response = browser.post(address, data=form)
            if not response.is_redirect:
                return response
            address = urljoin(address, response.headers["location"])
            if "#" in address:
                return response

    def log_in(self, name, *, groups=("handlers",), amr="pwd otp", username=None, return_to=None, browser=None):
        claims = {"preferred_username": username or name, "groups": list(groups)}
        address = f"{self.url}/oidc/login" + (f"?return_to={return_to}" if return_to else "")
        if browser:
            return self.walk(browser, address, name=name, claims=claims, amr=amr)
        with httpx.Client(timeout=20, verify=TLS) as fresh:
            return self.walk(fresh, address, name=name, claims=claims, amr=amr)

    def ask(self, token, query="{ viewer { role } }"):
        sent = {"Authorization": f"Bearer {token}"}
        return httpx.post(f"{self.url}/graphql", json={"query": query}, headers=sent, verify=TLS)


@pytest.fixture(scope="module")
def staffed(server, tmp_path_factory):
    assert (FOLDER / "node_modules").is_dir(), "The issuer is not installed: run scripts/test, which installs it."
    port, ours = free_port(), free_port()
    issuer, folder = f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("oidc")
    command = [node(), "issuer.mjs", str(port), f"http://127.0.0.1:{ours}/oidc/callback"]
    log = (folder / "issuer.log").open("w")
    process = subprocess.Popen(command, cwd=FOLDER, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        for group, role in (("handlers", "claims_handler"), ("analysts", "risk_analyst")):
            server.operate("role-mapping", "add", issuer, "groups", group, role)
        environment = {
            "NEEDFUL_OIDC_ISSUER": issuer,
            "NEEDFUL_OIDC_CLIENT_ID": "needful",
            "NEEDFUL_OIDC_CLIENT_SECRET": SECRET,
        }
        with running_server(server.data_dir, folder / "log", "--port", str(ours), environment=environment) as url:
            yield Staffed(url, issuer)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
        log.close()


def test_a_stock_issuer_logs_staff_in_and_their_token_works(staffed):
    response = staffed.log_in("wang.first")
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    session = response.json()
    assert session["role"] == "claims_handler"
    claims = staffed.ask(session["accessToken"], "{ claims(first: 1) { edges { node { claimNumber } } } }")
    assert claims.status_code in (200, 403), claims.text


def test_the_same_person_is_the_same_member_of_staff_again(staffed, server):
    for _ in range(2):
        assert staffed.log_in("zhao.same").status_code == 200
    listed = server.operate("staff", "list")
    assert [one["role"] for one in listed if one["username"] == "zhao.same"] == ["claims_handler"]


def test_return_to_gets_a_code_in_the_fragment_that_is_good_once_and_in_that_browser_only(staffed):
    with httpx.Client(timeout=20, verify=TLS) as browser:
        response = staffed.log_in("li.return", return_to="/graphql", browser=browser)
        address = response.headers["location"]
        assert re.fullmatch(r"/graphql#code=[\w-]+", address)
        code = parse_qs(urlsplit(address).fragment)["code"][0]
        other = httpx.post(f"{staffed.url}/oidc/redeem", json={"code": code})
        assert other.json()["errors"][0]["extensions"]["reason"] == "CODE_REFUSED"
        redeemed = browser.post(f"{staffed.url}/oidc/redeem", json={"code": code})
        assert redeemed.json()["role"] == "claims_handler"
        assert staffed.ask(redeemed.json()["accessToken"], "{ __typename }").status_code == 200
        again = browser.post(f"{staffed.url}/oidc/redeem", json={"code": code})
        assert (again.status_code, again.json()["errors"][0]["extensions"]["reason"]) == (400, "CODE_REFUSED")


def test_the_console_takes_the_code_that_comes_back_once_and_from_that_browser(staffed):
    def code_form(browser, code):
        csrf = re.search('name="csrf" value="([^"]+)"', browser.get(f"{staffed.url}/console/login").text)[1]
        sent = {"Origin": staffed.url, "Sec-Fetch-Site": "same-origin"}
        return browser.post(f"{staffed.url}/console/login/code", data={"csrf": csrf, "code": code}, headers=sent)

    with httpx.Client(timeout=20, verify=TLS) as browser, httpx.Client(timeout=20, verify=TLS) as other:
        page = browser.get(f"{staffed.url}/console/login").text
        assert 'href="/oidc/login?return_to=/console/login"' in page
        response = staffed.log_in("zhou.console", return_to="/console/login", browser=browser)
        code = parse_qs(urlsplit(response.headers["location"]).fragment)["code"][0]
        assert code_form(other, code).status_code == 400
        refused = code_form(browser, code)
        # A claims handler has no business here: the session has ended already.
        assert (refused.status_code, "Claims handler" in refused.text) == (403, True)
        assert browser.get(f"{staffed.url}/console").headers["location"].startswith("/console/login")
        assert code_form(browser, code).status_code == 400


def test_a_role_that_changed_at_the_issuer_changes_here_and_ends_earlier_sessions(staffed):
    before = staffed.log_in("sun.changes").json()
    assert staffed.ask(before["accessToken"], "{ __typename }").status_code == 200
    after = staffed.log_in("sun.changes", groups=["analysts"]).json()
    assert after["role"] == "risk_analyst"
    ended = wait_for(lambda: staffed.ask(before["accessToken"], "{ __typename }").status_code == 401)
    assert ended
    assert staffed.ask(after["accessToken"], "{ __typename }").status_code == 200


def wait_for(condition) -> bool:
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    "groups, reason",
    [([], "NO_ROLE"), (["cleaners"], "NO_ROLE"), (["handlers", "analysts"], "SEVERAL_ROLES")],
)
def test_exactly_one_role_or_none(staffed, groups, reason):
    response = staffed.log_in(f"ma.{len(groups)}.{reason.lower()}", groups=groups)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["reason"]) == (401, reason)


def test_somebody_who_loses_every_role_at_the_issuer_loses_their_sessions_here(staffed):
    before = staffed.log_in("qian.loses").json()
    assert staffed.log_in("qian.loses", groups=[]).status_code == 401
    assert wait_for(lambda: staffed.ask(before["accessToken"], "{ __typename }").status_code == 401)


@pytest.mark.parametrize("amr", ["", "pwd", "sms pwd"])
def test_staff_without_a_second_factor_are_refused(staffed, amr):
    response = staffed.log_in("wu.weak", amr=amr)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["reason"]) == (
        401,
        "SECOND_FACTOR_MISSING",
    )


def test_a_leaver_is_refused_whatever_the_issuer_says(staffed, server):
    assert staffed.log_in("zhou.leaver").status_code == 200
    server.operate("staff", "leave", "zhou.leaver")
    response = staffed.log_in("zhou.leaver")
    assert (response.status_code, response.json()["errors"][0]["extensions"]["reason"]) == (401, "LEFT")


def test_a_work_name_that_is_taken_is_never_shared(staffed, server):
    (taken, *_) = server.operate("staff", "list")
    response = staffed.log_in("xu.thief", username=taken["username"])
    assert (response.status_code, response.json()["errors"][0]["extensions"]["reason"]) == (401, "USERNAME_TAKEN")


def test_without_an_issuer_the_routes_do_not_exist(server):
    for path in ("login", "callback"):
        assert server.client.get(server.url.replace("graphql", f"oidc/{path}")).status_code == 404
    assert server.client.post(server.url.replace("graphql", "oidc/redeem")).status_code == 404


def test_role_mappings_are_kept_from_the_command_line(server):
    added = ("https://other.example", "realm_access.roles", "clerk", "customer_service")
    server.operate("role-mapping", "add", *added)
    listed = json.loads(run_cli("--json", "role-mapping", "list", data_dir=server.data_dir).stdout)
    assert dict(zip(("issuer", "claim", "value", "role"), added, strict=True)) in listed
    again = run_cli("role-mapping", "add", *added, data_dir=server.data_dir, check=False)
    assert (again.returncode, "already" in again.stderr) == (1, True)
    server.operate("role-mapping", "remove", *added[:3])
    with pytest.raises(OperatorRefusedError, match="stands for no role"):
        server.operate("role-mapping", "remove", *added[:3])
    with pytest.raises(SystemExit):
        server.operate("role-mapping", "add", *added[:3], "insurer")
