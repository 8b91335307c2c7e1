"""What the service says of itself is true, names the public address and holds nothing private (RFC 8414, 9728)."""

import json
import time

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from authz.token_keys import PUBLISHED_BEFORE, TokenKeys
from authz.tokens import utc_now
from tests.conftest import run_cli
from tests.oauth.wire import API_URL, ISSUER, REVOKE_URL, TOKEN_URL, unpack
from vault.files import replace_file

SERVER = "/.well-known/oauth-authorization-server"


def get(pair, path, server=0, headers=None):
    response = pair.http.get(f"{pair.urls[server]}{path}", headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"].startswith("public, max-age=")
    return response.json()


@pytest.mark.parametrize("headers", [None, {"Host": "evil.test"}, {"X-Forwarded-Host": "evil.test"}])
def test_the_servers_metadata_name_its_public_addresses(pair, headers):
    algorithms = ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"]
    methods = ["private_key_jwt", "client_secret_basic", "client_secret_post"]
    assert get(pair, SERVER, headers=headers) == {
        "issuer": ISSUER,
        "token_endpoint": TOKEN_URL,
        "revocation_endpoint": REVOKE_URL,
        "jwks_uri": f"{ISSUER}/oauth/jwks",
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": algorithms,
        "authorization_details_types_supported": ["insurance_data"],
    }


@pytest.mark.parametrize(
    "path", ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/graphql"]
)
def test_the_api_names_its_authorization_server(pair, path):
    said = get(pair, path)
    assert said["resource"] == API_URL
    assert said["authorization_servers"] == [ISSUER]


def test_the_published_keys_verify_a_token_and_hold_nothing_private(pair, insurer):
    keys = get(pair, "/oauth/jwks")
    for key in keys["keys"]:
        assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
    token = jwt.decode(insurer.token(), KeySet.import_key_set(keys), algorithms=["EdDSA"])
    assert token.claims["client_id"] == insurer.client_id
    assert token.header["typ"] == "at+jwt"


def test_keys_are_cached_for_less_than_a_new_one_is_published_before_it_signs(pair):
    cached = pair.http.get(f"{pair.urls[0]}/oauth/jwks").headers["cache-control"]
    assert int(cached.removeprefix("public, max-age=")) < PUBLISHED_BEFORE.total_seconds()


def kids(pair, server):
    return {key["kid"] for key in get(pair, "/oauth/jwks", server)["keys"]}


def kid(token):
    return unpack(token.split(".")[0])["kid"]


def answered(pair, token):
    return {pair.call(token, server=server).status_code for server in (0, 1)}


def rotate(pair, *arguments):
    done = run_cli("token-keys", "rotate", *arguments, "--json", data_dir=pair.installation.root)
    return json.loads(done.stdout)


def begin_earlier(path, seconds):
    """As if the newest key had been published so much earlier."""
    stored = json.loads(path.read_text())
    stored["keys"][-1]["signs_from"] -= int(seconds)
    draft = path.with_suffix(".test")
    draft.write_text(json.dumps(stored))
    draft.replace(path)


def test_keys_rotate_without_a_token_refused(pair, insurer):
    before = insurer.token()
    done = rotate(pair)
    new = done["signing"]
    deadline = time.monotonic() + 3
    while not all(new in kids(pair, server) for server in (0, 1)) and time.monotonic() < deadline:
        assert answered(pair, insurer.token()) == {200}
    assert all({kid(before), new} <= kids(pair, server) for server in (0, 1))
    # Published, and not signing yet: nobody meets a key that they cannot know.
    assert kid(insurer.token()) == kid(before)
    assert TokenKeys.load(pair.installation.token_keys_path).signing(utc_now() + PUBLISHED_BEFORE).kid == new
    begin_earlier(pair.installation.token_keys_path, seconds=PUBLISHED_BEFORE.total_seconds() - 2)
    deadline = time.monotonic() + 4
    while kid(after := insurer.token(server=1)) != new and time.monotonic() < deadline:
        assert answered(pair, after) == {200}
    assert kid(after) == new
    assert answered(pair, before) == answered(pair, after) == {200}


def test_keys_rotated_at_once_end_every_token_within_a_second(pair, insurer):
    before, old = insurer.token(), kids(pair, 0)
    done = rotate(pair, "--now")
    began = time.monotonic()
    while answered(pair, before) != {401}:
        assert time.monotonic() - began < 1
    assert done["verifying"] == [done["signing"]]
    assert all(kids(pair, server) == {done["signing"]} for server in (0, 1))
    assert done["signing"] not in old
    after = insurer.token()
    assert kid(after) == done["signing"]
    assert answered(pair, after) == {200}


def test_a_damaged_key_file_is_told_once_and_the_keys_read_before_go_on(pair, insurer):
    path, told = pair.installation.token_keys_path, "the token keys read before stay in use"
    kept, token = path.read_text(), insurer.token()
    before = [log.read_text().count(told) for log in pair.logs]
    for times in (1, 2):
        replace_file(path, '{"format": 2, "keys": [')
        time.sleep(0.8)
        assert answered(pair, token) == {200}
        replace_file(path, kept)
        time.sleep(0.4)
        assert [log.read_text().count(told) for log in pair.logs] == [count + times for count in before]
    assert answered(pair, insurer.token()) == {200}
    assert not any("Traceback" in log.read_text() for log in pair.logs)
