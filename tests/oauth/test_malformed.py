"""Whatever is sent to the authorization server, it answers with a code that says what to do, and never with a fault."""

import asyncio
import base64
import json
import re
import string
from functools import partial

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request

from authz.oauth.endpoints import MAX_BODY, routes
from authz.oauth.metadata import Addresses
from authz.oauth.server import AuthorizationServer
from authz.standing import Standing
from authz.token_keys import TokenKeys
from authz.tokens import Verifier, utc_now
from ledger.recorder import Recorder
from models.database import connect_once
from resolvers.authentication import Authentication
from resolvers.problems import Code, RequestRefusedError
from tests.oauth.test_clients import refused
from tests.oauth.wire import API_URL, ISSUER, TOKEN_URL, Holder, sign

PATHS = ("/oauth/token", "/oauth/revoke")
DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+")
"""What an error_description may hold (RFC 6749, 5.2)."""
FORM = "application/x-www-form-urlencoded"


def send(pair, path, content, *, media=FORM, headers=None):
    return pair.http.post(
        f"{pair.urls[0]}{path}", content=content, headers={"Content-Type": media, **(headers or {})}
    )  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_post_is_answered(pair, insurer, path, method):
    response = pair.http.request(method, f"{pair.urls[0]}{path}", params=insurer.form())
    refused(response, "invalid_request", 405)
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("media", ["application/json", "text/plain", "", "multipart/form-data; boundary=x"])
def test_a_body_that_is_no_form_is_refused(pair, insurer, path, media):
    refused(send(pair, path, json.dumps(insurer.form()), media=media), "invalid_request", 400)


@pytest.mark.parametrize("path", PATHS)
def test_a_huge_body_is_refused_wherever_it_ends(pair, path):
    refused(send(pair, path, b"a=" + b"x" * MAX_BODY), "invalid_request", 413)
    chunks = (b"x" * 65536 for _ in range(64))
    refused(send(pair, path, chunks), "invalid_request", 413)


@pytest.mark.parametrize("name", ["grant_type", "client_assertion", "authorization_details", "anything"])
def test_a_parameter_that_stands_twice_is_refused(pair, insurer, name):
    form = insurer.form() | {"anything": "x"}
    pairs = [*form.items(), (name, form[name])]
    content = str(httpx.QueryParams(pairs))
    assert "twice" in refused(send(pair, "/oauth/token", content), "invalid_request", 400)


def test_parameters_in_the_address_are_not_looked_at(pair, insurer):
    response = pair.http.post(f"{pair.urls[0]}/oauth/token", params=insurer.form(), data={"x": "y"})
    assert "grant_type" in refused(response, "invalid_request", 400)


def test_a_parameter_that_is_not_known_is_ignored_and_an_empty_one_left_out(pair, insurer):
    form = insurer.form() | {"resource": API_URL, "client_secret": "", "scope": ""}
    assert pair.post("/oauth/token", form).status_code == 200


@pytest.mark.parametrize("grant", ["password", "authorization_code", "CLIENT_CREDENTIALS", "refresh_token"])
def test_another_grant_type_is_refused(pair, insurer, grant):
    refused(pair.post("/oauth/token", insurer.form() | {"grant_type": grant}), "unsupported_grant_type", 400)


def test_two_authorization_headers_are_refused(pair, insurer):
    headers = [("Authorization", "Basic eDp4"), ("Authorization", "Basic eTp5")]
    refused(pair.post("/oauth/token", {"grant_type": "client_credentials"}, headers=headers), "invalid_request", 400)


@pytest.mark.parametrize("content", [b"\xff=\xfe", b"a=%ff", b"a=%zz", b"&" * 2000, b"=" * 999, b"%00=%00", b""])
def test_bytes_that_are_no_form_are_refused(pair, content):
    for path in PATHS:
        assert 400 <= send(pair, path, content).status_code < 500


def check(response):
    assert response.status_code in {400, 401, 405, 413}, (response.status_code, response.text)
    assert DESCRIPTION.fullmatch(response.json()["error_description"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
members = st.dictionaries(
    st.sampled_from(
        ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "kid", "typ", "alg", "jwk", "crit", "htu", "htm"]
    ),
    json_values,
    min_size=1,
    max_size=3,
)
text = st.text(st.characters(codec="utf-8"), max_size=60)


@settings(max_examples=80, deadline=None)
@given(form=st.dictionaries(st.sampled_from(
    ["grant_type", "client_assertion", "client_assertion_type", "client_id", "client_secret", "authorization_details",
     "scope", "token", "token_type_hint"]) | text, text, max_size=6), authorization=st.none() | st.text(
    string.ascii_letters + string.digits + " =+/", max_size=30))  # fmt: skip
def test_no_form_breaks_it(pair, form, authorization):
    for path in PATHS:
        check(pair.post(path, form, headers=authorization and {"Authorization": authorization.strip()}))


@settings(max_examples=80, deadline=None)
@given(header=st.just({}) | members, claims=members)
def test_no_assertion_breaks_it(pair, insurer, header, claims):
    response = insurer.ask(assertion=insurer.assertion(header=header, claims=claims))
    if response.status_code != 200:  # a text as jti, or a time that can be, is no fault
        check(response)
    else:
        assert claims.keys() <= {"jti", "nbf", "iat", "exp", "kid", "typ", "alg", "htu", "htm", "jwk", "crit"}


@settings(max_examples=80, deadline=None)
@given(header=st.just({}) | members, claims=members)
def test_no_proof_breaks_either_endpoint(pair, insurer, header, claims):
    holder = Holder()
    bent = holder.proof("POST", TOKEN_URL, header=header, claims=claims)
    response = insurer.ask(["claim_handling"], proof=bent)
    if response.status_code != 200:
        check(response)
    token = insurer.token(["claim_handling"], holder=holder)
    answer = pair.call(token, scheme="DPoP", proof=holder.proof("POST", API_URL, token, header=header, claims=claims))
    assert answer.status_code in {200, 401}


@settings(max_examples=50, deadline=None)
@given(value=json_values)
def test_no_details_break_it(pair, insurer, value):
    form = insurer.form() | {"authorization_details": json.dumps([value])}
    refused(pair.post("/oauth/token", form), "invalid_authorization_details", 400)


def test_nonsense_in_place_of_a_jwt_is_refused(insurer):
    nested = base64.urlsafe_b64encode(b'{"alg":' * 300).decode()
    for nonsense in (
        "..",
        "a.b.c",
        "e30.e30.",
        f"{nested}.e30.e30",
        "A" * 9000,
        sign({"alg": "EdDSA"}, [], insurer.key),
    ):
        refused(insurer.ask(assertion=nonsense))


class Broken:
    """A database that does not answer."""

    async def fetchrow(self, *_: object):
        raise OSError

    execute = fetch = fetchrow


def ask_broken(pair, path, form, *, headers=None, demo=True):
    """The answer of a server whose database does not answer."""
    keys = TokenKeys.load(pair.installation.token_keys_path)

    async def unreachable():
        raise OSError

    app = Starlette(routes=routes())
    verifier, standing = Verifier(keys, issuers=frozenset({ISSUER})), Standing(unreachable)
    app.state.authorization_server = AuthorizationServer(
        Broken(), lambda: keys, verifier, standing, Addresses(ISSUER), utc_now, demo, Recorder(unreachable)
    )

    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://broken") as client:
            return await client.post(path, data=form, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", PATHS)
def test_while_the_database_does_not_answer_neither_does_it(pair, insurer, path):
    response = ask_broken(pair, path, insurer.form() | {"token": "x"})
    refused(response, "temporarily_unavailable", 503)
    assert response.headers["retry-after"] == "1"


def test_a_proof_that_cannot_be_checked_for_replay_is_not_taken_and_a_bearer_token_needs_no_such_check(pair, insurer):
    holder = Holder()
    bound, plain = insurer.token(["claim_handling"], holder=holder), insurer.token()
    verifier = Verifier(TokenKeys.load(pair.installation.token_keys_path), issuers=frozenset({ISSUER}))

    def request(scheme, token, **headers):
        named = {"authorization": f"{scheme} {token}", **headers}
        raw = [(name.encode(), value.encode()) for name, value in named.items()]
        return Request({"type": "http", "method": "POST", "headers": raw})

    async def run():
        standing = Standing(partial(connect_once, pair.database.application))
        authentication = Authentication(verifier, standing, utc_now, Broken(), API_URL)
        try:
            unbound = await authentication.token(request("Bearer", plain))
            await authentication.prove(request("Bearer", plain), unbound)
            assert unbound.subject.organization_code == insurer.code
            proven = request("DPoP", bound, dpop=holder.proof("POST", API_URL, bound))
            with pytest.raises(RequestRefusedError) as refusal:
                await authentication.prove(proven, await authentication.token(proven))
            assert refusal.value.code is Code.UNAVAILABLE
        finally:
            await standing.close()

    asyncio.run(run())


def test_no_token_assertion_proof_or_key_is_in_a_log(pair, insurer):
    holder, assertion = Holder(), insurer.assertion()
    proof = holder.proof("POST", TOKEN_URL)
    token = insurer.ask(["claim_handling"], proof=proof, assertion=assertion).json()["access_token"]
    other = holder.proof("POST", API_URL, token)
    assert pair.call(token, scheme="DPoP", proof=other).status_code == 200
    for _ in range(2):
        pair.call(token, scheme="DPoP", proof=other)
        insurer.ask(["claim_handling"], proof=proof, assertion=assertion)
    insurer.revoke(token)
    insurer.revoke(token + "x")
    logs = [*pair.logs, pair.installation.postgres_log_path]
    written = "".join(log.read_text() for log in logs)
    # A greeting in demo mode prints three tokens on purpose; of ours there is no trace, and no fault was met.
    for secret in (token, assertion, proof, other):
        assert not any(part in written for part in secret.split(".")[1:])
    assert insurer.key.as_dict(private=True)["d"] not in written
    assert insurer.key.as_dict(private=False)["x"] not in written
    for log in pair.logs:
        assert not re.search(r"\bfault:|unavailable:|Traceback", log.read_text())


@pytest.mark.parametrize("basic", [True, False])
def test_outside_demo_mode_a_shared_secret_is_refused_before_anything_is_looked_up(pair, insurer, basic):
    sent = {"grant_type": "client_credentials", "client_id": insurer.client_id, "client_secret": "x"}
    headers = {"Authorization": "Basic " + base64.b64encode(f"{insurer.client_id}:x".encode()).decode()}
    response = ask_broken(pair, "/oauth/token", {"grant_type": "client_credentials"} if basic else sent,
                          headers=headers if basic else None, demo=False)  # fmt: skip
    assert "private_key_jwt" in refused(response)
    assert ("www-authenticate" in response.headers) == basic
