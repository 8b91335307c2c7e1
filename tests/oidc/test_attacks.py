"""Log-ins that are not what they seem: each ID token and each callback that an attacker could bring is refused."""

import asyncio
import json
import secrets
import socket
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import psutil
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from models.database import connect_once
from models.installation import InstallationError
from resolvers.serving.settings import Settings
from tests.conftest import TLS, running_server
from tests.recorded import NAMED, said

SECRET = "a-secret-of-the-test-0123456789abcdef"
CLIENT = "needful"


def key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, parameters={"kid": kid, "use": "sig", "alg": "RS256"})


class FakeIssuer:
    """An issuer that says whatever a test wants it to say."""

    def __init__(self) -> None:
        self.key, self.stranger = key("known"), key("stranger")
        self.published = [self.key]
        self.fetched = 0
        self.id_token = self.signed
        self.codes: dict[str, dict] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/jwks":
                    issuer.fetched += 1
                    self.say({"keys": [one.as_dict(private=False) for one in issuer.published]})
                elif self.path == "/.well-known/openid-configuration":
                    self.say({
                        "issuer": issuer.url,
                        "authorization_endpoint": f"{issuer.url}/auth",
                        "token_endpoint": f"{issuer.url}/token",
                        "jwks_uri": f"{issuer.url}/jwks",
                        "authorization_response_iss_parameter_supported": True,
                    })  # fmt: skip
                else:
                    self.send_error(404)

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                asked = issuer.codes.pop(form["code"][0], None)
                verifier = form.get("code_verifier", [""])[0]
                challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
                if asked is None or asked["code_challenge"] != challenge:
                    self.say({"error": "invalid_grant"}, 400)
                    return
                self.say(
                    {"access_token": "x", "token_type": "Bearer", "id_token": issuer.id_token(issuer.claims(asked))}
                )

            def say(self, body: object, status: int = 200) -> None:
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def claims(self, asked: dict) -> dict:
        now = int(time.time())
        return {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "someone",
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + 300,
            "amr": ["mfa"],
            "groups": ["handlers"],
            "preferred_username": "someone.fake",
        }

    def signed(self, claims: dict, *, by=None, alg: str = "RS256", **header) -> str:
        by = by or self.key
        return jwt.encode({"alg": alg, "kid": by.kid, **header}, claims, by, algorithms=[alg])

    def authorize(self, address: str) -> dict:
        """The browser's visit to the issuer: parameters of the answer, with a fresh code."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.url}


class Running(NamedTuple):
    """The server and its issuer."""

    issuer: FakeIssuer
    url: str
    process: int
    log: Path


@pytest.fixture(scope="module")
def running(server, tmp_path_factory):
    issuer = FakeIssuer()
    server.operate("role-mapping", "add", issuer.url, "groups", "handlers", "claims_handler")
    environment = {
        "NEEDFUL_OIDC_ISSUER": issuer.url,
        "NEEDFUL_OIDC_CLIENT_ID": CLIENT,
        "NEEDFUL_OIDC_CLIENT_SECRET": SECRET,
        "NEEDFUL_OIDC_ACR": "urn:strong urn:stronger",
    }
    log = tmp_path_factory.mktemp("fake") / "log"
    started = running_server(server.data_dir, log, environment=environment)
    with started as url:
        yield Running(issuer, url, started.process.pid, log)
    issuer.server.shutdown()
    issuer.server.server_close()


@pytest.fixture
def issuer(running):
    """The fake issuer, honest again."""
    found = running.issuer
    found.published = [found.key]
    found.id_token = found.signed
    return found


@pytest.fixture
def browser(running):
    with httpx.Client(base_url=running.url, timeout=20, verify=TLS) as opened:
        yield opened


def begin(browser, issuer, **asked) -> dict:
    response = browser.get("/oidc/login", params=asked)
    assert response.status_code == 303, response.text
    return issuer.authorize(response.headers["location"])


def callback(browser, answer: dict) -> httpx.Response:
    return browser.get("/oidc/callback", params=answer)


def log_in(browser, issuer) -> httpx.Response:
    return callback(browser, begin(browser, issuer))


def refused(response, reason: str, status: int = 400) -> str:
    assert response.status_code == status, response.text
    (error,) = response.json()["errors"]
    assert error["extensions"]["reason"] == reason
    assert "accessToken" not in response.text
    return error["message"]


def test_the_honest_issuer_is_believed(browser, issuer):
    assert log_in(browser, issuer).json()["role"] == "claims_handler"


def altered(**changes):
    return lambda claims: {name: value for name, value in {**claims, **changes}.items() if value is not None}


ELSEWHERE = [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "graphql",
    "/x\r\nSet-Cookie: a=b",
    "/x#y",
    "javascript:1",
    "",
]
WRONG = {
    "wrong audience": (altered(aud="another"), "another client"),
    "audiences without azp": (altered(aud=[CLIENT, "another"]), "another client"),
    "azp of another client": (altered(azp="another"), "another client"),
    "no audience": (altered(aud=None), "another client"),
    "wrong issuer": (altered(iss="https://evil.example"), "another issuer"),
    "wrong nonce": (altered(nonce="other"), "another log-in"),
    "no nonce": (altered(nonce=None), "another log-in"),
    "nonce of another type": (altered(nonce=1), "another log-in"),
    "expired": (altered(exp=int(time.time()) - 120), "expired"),
    "issued long ago": (altered(iat=int(time.time()) - 3600), "expired"),
    "issued in the future": (altered(iat=int(time.time()) + 3600), "not valid yet"),
    "not before later": (altered(nbf=int(time.time()) + 3600), "not valid yet"),
    "no expiry": (altered(exp=None), "no times"),
    "no time of issue": (altered(iat=None), "no times"),
    "expiry in words": (altered(exp="tomorrow"), "no times"),
    "expiry that is no number": (altered(exp=float("nan")), "no times"),
    "expiry at no time": (altered(exp=float("inf")), "no times"),
    "not before that is no number": (altered(nbf=float("nan")), "no times"),
    "nobody": (altered(sub=None), "nobody"),
    "an empty name": (altered(sub=""), "nobody"),
    "a number for a name": (altered(sub=7), "nobody"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_id_token_with_wrong_claims_is_refused(browser, issuer, name):
    change, why = WRONG[name]
    issuer.id_token = lambda claims: issuer.signed(change(claims))
    assert why in refused(log_in(browser, issuer), "ID_TOKEN_REFUSED")


def part(content: object) -> str:
    return urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def hs256(secret: str, claims: dict) -> str:
    shared = OctKey.import_key(secret, {"kid": "known"})
    return jwt.encode({"alg": "HS256", "kid": "known"}, claims, shared, algorithms=["HS256"])


FORGED = {
    "alg none": lambda _, claims: f"{part({'alg': 'none', 'kid': 'known'})}.{part(claims)}.",
    "alg None": lambda _, claims: f"{part({'alg': 'None'})}.{part(claims)}.",
    "HS256 with the client secret": lambda _, claims: hs256(SECRET, claims),
    "HS256 with the public key": lambda issuer, claims: hs256(json.dumps(issuer.key.as_dict(private=False)), claims),
    "a key of its own under a known id": lambda issuer, claims: issuer.signed(claims, by=issuer.stranger, kid="known"),
    "a key of its own in the header": lambda issuer, claims: issuer.signed(
        claims, by=issuer.stranger, jwk=issuer.stranger.as_dict(private=False)
    ),
    "an unknown key id": lambda issuer, claims: issuer.signed(claims, by=issuer.stranger),
    "an altered claim": lambda issuer, claims: swapped(issuer.signed(claims)),
    "no signature": lambda issuer, claims: issuer.signed(claims).rsplit(".", 1)[0] + ".",
    "no token": lambda *_: "nonsense",
    "too long": lambda issuer, claims: issuer.signed({**claims, "more": "x" * 20_000}),
}


def swapped(text: str) -> str:
    header, payload, signature = text.split(".")
    claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return f"{header}.{part({**claims, 'groups': ['handlers', 'more']})}.{signature}"


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_an_id_token_that_the_issuer_did_not_sign_is_refused(browser, issuer, name):
    issuer.id_token = partial(FORGED[name], issuer)
    refused(log_in(browser, issuer), "ID_TOKEN_REFUSED")


def test_a_rotated_key_is_found_and_unknown_keys_do_not_make_the_service_ask_again_and_again(browser, issuer):
    log_in(browser, issuer)
    new = key(secrets.token_hex(4))
    issuer.published = [issuer.key, new]
    issuer.id_token = lambda claims: issuer.signed(claims, by=new)
    deadline = time.monotonic() + 6  # five seconds are the least time between two fetches
    while log_in(browser, issuer).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    before = issuer.fetched
    issuer.id_token = lambda claims: issuer.signed(claims, by=issuer.stranger)
    for _ in range(5):
        refused(log_in(browser, issuer), "ID_TOKEN_REFUSED")
    assert issuer.fetched == before


def test_a_code_without_the_browser_that_asked_for_it_is_refused(running, browser, issuer):
    answer = begin(browser, issuer)
    with httpx.Client(base_url=running.url) as other:
        refused(callback(other, answer), "STATE_MISMATCH")
        begin(other, issuer)
        refused(callback(other, answer), "STATE_MISMATCH")


def test_a_stolen_code_injected_into_another_log_in_is_refused(running, browser, issuer):
    stolen = begin(browser, issuer)["code"]
    with httpx.Client(base_url=running.url) as other:
        refused(callback(other, {**begin(other, issuer), "code": stolen}), "CODE_REFUSED")


def test_a_callback_is_good_once(browser, issuer):
    answer = begin(browser, issuer)
    kept = dict(browser.cookies)
    assert callback(browser, answer).status_code == 200
    assert dict(browser.cookies) == {}
    browser.cookies.update(kept)
    refused(callback(browser, answer), "REPLAYED")
    browser.cookies.update(kept)
    refused(callback(browser, {**answer, "code": "another"}), "REPLAYED")


@pytest.mark.parametrize("state", ["", "x", None])
def test_a_wrong_or_missing_state_is_refused(browser, issuer, state):
    answer = {**begin(browser, issuer), "state": state}
    refused(callback(browser, {name: value for name, value in answer.items() if value is not None}), "STATE_MISMATCH")


def test_a_cookie_that_was_altered_or_made_up_is_refused(browser, issuer):
    answer = begin(browser, issuer)
    ((name, value),) = browser.cookies.items()
    for forged in (value[:-4] + "AAAA", "x", ""):
        browser.cookies.clear()
        browser.cookies.set(name, forged)
        refused(callback(browser, answer), "STATE_MISMATCH")


@pytest.mark.parametrize("named", ["https://evil.example", None])
def test_the_answer_of_another_issuer_is_refused_before_its_code_is_used(browser, issuer, named):
    answer = {**begin(browser, issuer), "iss": named}
    refused(callback(browser, {name: value for name, value in answer.items() if value is not None}), "ISSUER_MISMATCH")
    assert answer["code"] in issuer.codes


def test_an_error_of_the_issuer_and_a_parameter_given_twice_are_refused(browser, issuer):
    answer = begin(browser, issuer)
    refused(
        callback(browser, {"error": "access_denied", "state": answer["state"], "iss": issuer.url}), "ISSUER_REFUSED"
    )
    answer = begin(browser, issuer)
    refused(browser.get(f"/oidc/callback?{urlencode(answer)}&state=x"), "PARAMETER_TWICE")


def resident(process: int) -> int:
    """Megabytes that a process and its children have in memory."""
    family = [psutil.Process(process), *psutil.Process(process).children(recursive=True)]
    return sum(one.memory_info().rss for one in family) >> 20


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_of_any_size_is_refused_and_not_kept(running, browser, declared):
    before, size = resident(running.process), 64 << 20
    chunk = bytes(1 << 20)
    body = chunk * 64 if declared else (chunk for _ in range(size // len(chunk)))
    response = browser.post("/oidc/redeem", content=body)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (413, "BODY_TOO_LARGE")
    assert resident(running.process) - before < 20


def test_a_browser_that_leaves_in_the_middle_of_its_request_leaves_no_trace(running):
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(b"POST /oidc/redeem HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
    assert httpx.get(f"{running.url}/livez").status_code == 200
    assert "Traceback" not in running.log.read_text()


def test_a_log_in_does_not_hold_up_everybody_else(running, browser, issuer):
    took = []
    for _ in range(20):
        started = time.monotonic()
        begin(browser, issuer)
        took.append(time.monotonic() - started)
    assert min(took) < 0.02


@pytest.mark.parametrize("path", ELSEWHERE)
def test_return_to_is_never_another_host(browser, path):
    refused(browser.get("/oidc/login", params={"return_to": path}), "RETURN_TO")


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser, issuer):
    sent = browser.get("/oidc/login").headers["set-cookie"].lower()
    assert "httponly" in sent
    assert "samesite=lax" in sent
    assert "max-age=600" in sent


def test_behind_https_the_cookie_is_bound_to_the_host(server, running, tmp_path):
    environment = {
        "NEEDFUL_OIDC_ISSUER": running.issuer.url,
        "NEEDFUL_OIDC_CLIENT_ID": CLIENT,
        "NEEDFUL_PUBLIC_URL": "https://api.example.cn",
    }
    with running_server(server.data_dir, tmp_path / "log", environment=environment) as url:
        response = httpx.get(f"{url}/oidc/login")
    sent = response.headers["set-cookie"]
    assert sent.startswith("__Host-needful-oidc=")
    assert "; Secure" in sent
    assert "; Path=/" in sent
    assert "domain" not in sent.lower()
    asked = parse_qs(urlsplit(response.headers["location"]).query)
    assert asked["redirect_uri"] == ["https://api.example.cn/oidc/callback"]


@pytest.mark.parametrize(
    "claims, believed",
    [
        ({"amr": ["mfa"]}, True),
        ({"amr": ["otp", "pwd"]}, True),
        ({"amr": ["hwk", "pwd"]}, True),
        ({"amr": ["hwk", "fpt"]}, True),
        ({"amr": ["otp"]}, False),
        ({"amr": ["hwk"]}, False),
        ({"amr": ["otp", "hwk"]}, False),
        ({"amr": ["pwd", "pin"]}, False),
        ({"amr": ["pwd", "sms"]}, False),
        ({"amr": None, "acr": "urn:strong"}, True),
        ({"amr": None}, False),
        ({"amr": "mfa"}, False),
        ({"amr": ["pwd"], "acr": "urn:weak"}, False),
        ({"amr": ["sms"]}, False),
        ({"amr": [["mfa"]]}, False),
    ],
)
def test_a_second_factor_is_what_the_issuer_says_it_is(browser, issuer, claims, believed):
    issuer.id_token = lambda found: issuer.signed(altered(**claims)(found))
    response = log_in(browser, issuer)
    if believed:
        assert response.status_code == 200
    else:
        refused(response, "SECOND_FACTOR_MISSING", 401)


def test_an_operator_may_trust_an_issuer_that_always_asks_for_a_second_factor(server, running, issuer, tmp_path):
    environment = {"NEEDFUL_OIDC_ISSUER": issuer.url, "NEEDFUL_OIDC_CLIENT_ID": CLIENT, "NEEDFUL_OIDC_TRUST_MFA": "1"}
    issuer.id_token = lambda claims: issuer.signed(altered(amr=None)(claims))
    with (
        running_server(server.data_dir, tmp_path / "log", environment=environment) as url,
        httpx.Client(base_url=url) as browser,
    ):
        assert log_in(browser, issuer).status_code == 200


def test_an_issuer_that_does_not_answer_is_unavailable_and_nothing_else(server, tmp_path):
    environment = {"NEEDFUL_OIDC_ISSUER": "http://127.0.0.1:9", "NEEDFUL_OIDC_CLIENT_ID": CLIENT}
    with running_server(server.data_dir, tmp_path / "log", environment=environment) as url:
        response = httpx.get(f"{url}/oidc/login")
    assert response.status_code == 503
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


def test_every_log_in_and_every_refusal_of_somebody_leaves_its_row(server, browser, issuer):
    log_in(browser, issuer)
    issuer.id_token = lambda claims: issuer.signed(altered(groups=[])(claims))
    refused(log_in(browser, issuer), "NO_ROLE", 401)

    async def rows() -> list:
        connection = await connect_once(server.database.owner)
        found = said(await connection.fetch(NAMED, "/oidc/%"))[-2:]
        await connection.close()
        return [(one["role"], one["kind"], one["outcome"], one.get("code"), "account" in one) for one in found]

    assert asyncio.run(rows()) == [
        ("claims_handler", "LOGIN", "DONE", None, True),
        ("anonymous", "LOGIN", "REFUSED", "NO_ROLE", False),
    ]


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"NEEDFUL_OIDC_ISSUER": "http://issuer.example"}, "NEEDFUL_OIDC_ISSUER must be the https://"),
        ({"NEEDFUL_OIDC_ISSUER": "nonsense"}, "NEEDFUL_OIDC_ISSUER must be the https://"),
        ({"NEEDFUL_OIDC_CLIENT_ID": ""}, "NEEDFUL_OIDC_CLIENT_ID must say"),
        ({"NEEDFUL_OIDC_TRUST_MFA": "yes"}, "NEEDFUL_OIDC_TRUST_MFA must be 0 or 1"),
        ({"NEEDFUL_OIDC_SCOPE": "profile"}, "scope openid"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, told):
    environ = {"NEEDFUL_OIDC_ISSUER": "https://issuer.example", "NEEDFUL_OIDC_CLIENT_ID": CLIENT}
    assert Settings.read(environ).oidc.issuer == "https://issuer.example"
    with pytest.raises(InstallationError, match=told):
        Settings.read({**environ, **changes})


def test_the_client_secret_is_in_no_repr():
    environ = {"NEEDFUL_OIDC_ISSUER": "https://i.example", "NEEDFUL_OIDC_CLIENT_ID": CLIENT}
    assert SECRET not in repr(Settings.read({**environ, "NEEDFUL_OIDC_CLIENT_SECRET": SECRET}))
