"""Only a partner's own key signs it in: each known attack on client assertions is refused (RFC 7523, 8725, 9700)."""

import base64
import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc.jwk import ECKey, RSAKey

from authz.oauth.registration import add_keys, end_key, register, withdraw
from authz.token_keys import TokenKeys
from authz.tokens import utc_now
from tests.oauth.wire import ISSUER, REVOKE_URL, TOKEN_URL, Holder, new_key, pack, unpack, without


def refused(response, code="invalid_client", status=401) -> str:
    """The description of a refusal."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error", "error_description"}
    assert body["error"] == code
    assert response.headers["cache-control"] == "no-store"
    return body["error_description"]


@pytest.fixture(scope="module")
def keys():
    return {
        "ES256": ECKey.generate_key("P-256", parameters={"kid": "e"}),
        "RS256": RSAKey.generate_key(2048, parameters={"kid": "r"}),
        "EdDSA": new_key("o"),
    }


@pytest.mark.parametrize(
    "alg, key",
    [("ES256", "ES256"), ("RS256", "RS256"), ("PS256", "RS256"), ("EdDSA", "EdDSA"), ("Ed25519", "EdDSA")],
)
def test_a_client_signs_in_with_each_accepted_algorithm(pair, keys, alg, key):
    partner = pair.partner(key=keys[key], alg=alg)
    response = partner.ask()
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "authorization_details"}
    assert body["token_type"] == "Bearer"
    assert 590 <= body["expires_in"] <= 600
    assert response.headers["cache-control"] == "no-store"
    viewer = pair.call(body["access_token"]).json()["data"]["viewer"]
    assert viewer == {"role": "insurer", "organization": partner.code, "purposes": ["POLICY_SERVICE"]}


def test_a_token_says_who_when_and_under_which_agreement(pair):
    partner = pair.partner()
    claims = unpack(partner.token().split(".")[1])
    row = pair.owner(
        lambda c: c.fetchrow("SELECT id, organization_id FROM agreement WHERE reference = $1", partner.reference)
    )
    assert claims["iss"] == ISSUER
    assert claims["client_id"] == partner.client_id
    assert (claims["agreement"], claims["sub"]) == (str(row[0]), str(row[1]))
    assert claims["exp"] - claims["iat"] <= 600
    assert "cnf" not in claims


@pytest.mark.parametrize("audience", [ISSUER, TOKEN_URL, [TOKEN_URL]])
def test_the_issuer_and_the_token_endpoint_are_good_audiences(insurer, audience):
    assert insurer.ask(assertion=insurer.assertion(claims={"aud": audience})).status_code == 200


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, 1, ["EdDSA"]])
def test_an_unsigned_assertion_is_refused(insurer, algorithm):
    header, claims, signature = insurer.assertion(header={"alg": algorithm}).split(".")
    for text in (f"{header}.{claims}.", f"{header}.{claims}.{signature}"):
        assert "sign the assertion" in refused(insurer.ask(assertion=text)).lower()


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_the_public_key_is_not_taken_for_a_shared_secret(insurer, algorithm):
    public = insurer.key.public_key
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signed = ".".join(insurer.assertion(header={"alg": algorithm}).split(".")[:2])
    for secret in (raw, pem, json.dumps(insurer.key.as_dict(private=False)).encode(), b""):
        digest = hmac.new(secret, signed.encode(), getattr(hashlib, f"sha{algorithm[2:]}")).digest()
        refused(insurer.ask(assertion=f"{signed}.{pack(digest)}"))


def test_an_algorithm_of_another_kind_of_key_is_refused(pair, keys):
    partner = pair.partner(key=keys["EdDSA"])
    for algorithm in ("ES256", "RS256", "PS256", "ES384", "RS512", "Ed448"):
        refused(partner.ask(assertion=partner.assertion(header={"alg": algorithm})))


def test_a_key_registered_for_one_algorithm_verifies_under_no_other(pair, keys):
    jwk = {**keys["RS256"].as_dict(private=True), "alg": "PS256"}
    partner = pair.partner(key=RSAKey.import_key(jwk), alg="PS256")
    assert partner.ask().status_code == 200
    partner.key, partner.alg = keys["RS256"], "RS256"
    refused(partner.ask())


@pytest.mark.parametrize("kid", ["other", "", "../../etc/passwd", "k1' OR '1'='1", "k1\0", "é"])
def test_a_key_id_that_names_no_registered_key_is_refused(insurer, kid):
    refused(insurer.ask(assertion=insurer.assertion(header={"kid": kid})))


@pytest.mark.parametrize("kid", [1, [], {}, True, ["k1"]])
def test_a_key_id_that_is_no_text_is_refused(insurer, kid):
    refused(insurer.ask(assertion=insurer.assertion(header={"kid": kid})))


def test_without_a_key_id_the_only_live_key_is_meant_and_of_two_neither(pair):
    partner = pair.partner()
    assert partner.ask(assertion=partner.assertion(leave_out=["kid"])).status_code == 200
    second = new_key("k2")
    pair.owner(lambda c: add_keys(c, partner.client_id, keys=second.as_dict(private=False), now=utc_now()))
    refused(partner.ask(assertion=partner.assertion(leave_out=["kid"])))
    assert partner.ask().status_code == 200
    assert partner.ask(assertion=partner.assertion(header={"kid": "k2"}, key=second)).status_code == 200


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_a_key_that_the_assertion_brings_along_is_not_followed(insurer, name):
    foreign = new_key()
    brought = {
        "jwk": foreign.as_dict(private=False),
        "jku": "http://127.0.0.1:9/jwks",
        "x5u": "http://127.0.0.1:9/x",
        "x5c": ["MII"],
    }
    for key in (foreign, insurer.key):
        refused(insurer.ask(assertion=insurer.assertion(header={name: brought[name]}, key=key)))


@pytest.mark.parametrize("header", [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"crit": ["b64"], "b64": False}])
def test_an_assertion_with_critical_extensions_is_refused(insurer, header):
    refused(insurer.ask(assertion=insurer.assertion(header=header)))


@pytest.mark.parametrize(
    "audience",
    ["https://another.test/token", f"{ISSUER}/", "needful-api", REVOKE_URL, f"{ISSUER}/graphql", [], None, 1,
     [TOKEN_URL, "https://another.test"], [[TOKEN_URL]]],
)  # fmt: skip
def test_an_assertion_for_another_server_is_refused(insurer, audience):
    assert "aud" in refused(insurer.ask(assertion=insurer.assertion(claims={"aud": audience})))


def test_an_assertion_for_revoking_gets_no_token(insurer):
    refused(insurer.ask(assertion=insurer.assertion(claims={"aud": REVOKE_URL})))


def test_an_access_token_is_no_assertion(insurer):
    refused(insurer.ask(assertion=insurer.token()))


def test_an_assertion_is_no_access_token(pair, insurer):
    for header in ({}, {"typ": "at+jwt"}):
        response = pair.call(insurer.assertion(header=header, claims={"aud": "needful-api"}))
        assert response.status_code == 401


def test_an_id_token_is_no_assertion(insurer):
    claims = {"iss": ISSUER, "aud": insurer.client_id, "nonce": "n"}
    refused(insurer.ask(assertion=insurer.assertion(claims=claims)))


def test_a_dpop_proof_is_no_assertion(insurer):
    holder = Holder(insurer.key)
    refused(insurer.ask(assertion=holder.proof("POST", TOKEN_URL)))
    now = int(time.time())
    claims = {"iss": insurer.client_id, "sub": insurer.client_id, "aud": TOKEN_URL, "exp": now + 60}
    refused(insurer.ask(assertion=holder.proof("POST", TOKEN_URL, header={"kid": "k1"}, claims=claims)))
    refused(insurer.ask(assertion=insurer.assertion(header={"typ": "dpop+jwt"})))


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "", 1, ["JWT"]])
def test_a_jwt_of_another_type_is_no_assertion(insurer, typ):
    refused(insurer.ask(assertion=insurer.assertion(header={"typ": typ})))


def test_an_assertion_is_good_once(insurer):
    assertion = insurer.assertion()
    assert insurer.ask(assertion=assertion).status_code == 200
    assert "has been used" in refused(insurer.ask(assertion=assertion))


def test_an_assertion_is_good_once_across_server_processes(insurer):
    assertion = insurer.assertion()
    assert insurer.ask(assertion=assertion, server=0).status_code == 200
    refused(insurer.ask(assertion=assertion, server=1))


def test_of_many_at_once_one_uses_an_assertion(insurer):
    assertion = insurer.assertion()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: insurer.ask(assertion=assertion, server=n % 2).status_code, range(12)))
    assert sorted(answers) == [200] + [401] * 11


def test_the_same_jti_of_another_client_is_another(pair, insurer):
    other = pair.partner()
    for partner in (insurer, other):
        assert partner.ask(assertion=partner.assertion(claims={"jti": "shared-by-two"})).status_code == 200


def times(**offsets):
    return {name: int(time.time()) + seconds for name, seconds in offsets.items()}


@pytest.mark.parametrize("offsets", [{"iat": -100, "exp": -1}, {"exp": 0}, {"exp": -(10**6)}])
def test_an_expired_assertion_is_refused(insurer, offsets):
    refused(insurer.ask(assertion=insurer.assertion(claims=times(**offsets))))


def test_an_assertion_counts_for_five_minutes_whatever_it_says(insurer):
    assert insurer.ask(assertion=insurer.assertion(claims=times(iat=-290, exp=3300))).status_code == 200
    refused(insurer.ask(assertion=insurer.assertion(claims=times(iat=-301, exp=3290))))


@pytest.mark.parametrize("offsets", [{"nbf": 120}, {"iat": 120, "exp": 240}])
def test_an_assertion_that_is_not_valid_yet_is_refused(insurer, offsets):
    assert "not valid yet" in refused(insurer.ask(assertion=insurer.assertion(claims=times(**offsets))))


@pytest.mark.parametrize("offsets, leave_out", [({"iat": 0, "exp": 3700}, ()), ({"exp": 400}, ("iat",))])
def test_an_assertion_that_lives_too_long_is_refused(insurer, offsets, leave_out):
    assertion = insurer.assertion(claims=times(**offsets), leave_out=leave_out)
    assert "too long" in refused(insurer.ask(assertion=assertion))


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "jti", "alg"])
def test_an_assertion_without_what_it_needs_is_refused(insurer, name):
    refused(insurer.ask(assertion=insurer.assertion(leave_out=[name])))


@pytest.mark.parametrize("name", ["exp", "iat", "nbf", "jti", "iss"])
@pytest.mark.parametrize("value", [None, [], {}, True, "", -1, 10**400])
def test_claims_of_wrong_types_are_refused(insurer, name, value):
    refused(insurer.ask(assertion=insurer.assertion(claims={name: value})))


def test_another_clients_key_signs_nobody_else_in(pair, insurer):
    other = pair.partner()
    refused(insurer.ask(assertion=insurer.assertion(key=other.key)))
    same_kid = other.assertion(claims={"iss": insurer.client_id, "sub": insurer.client_id})
    refused(insurer.ask(assertion=same_kid))


def test_a_client_cannot_speak_for_another(pair, insurer):
    other = pair.partner()
    refused(insurer.ask(assertion=insurer.assertion(claims={"sub": other.client_id})))
    form = insurer.form() | {"client_id": other.client_id}
    refused(pair.post("/oauth/token", form))
    assert pair.post("/oauth/token", insurer.form() | {"client_id": insurer.client_id}).status_code == 200


def test_unknown_ended_and_wrongly_signed_get_the_same_bytes(pair, insurer):
    unknown, ended, with_ended_key = insurer.assertion, pair.partner(), pair.partner()
    pair.owner(lambda c: withdraw(c, ended.client_id))
    pair.owner(lambda c: end_key(c, with_ended_key.client_id, kid="k1", lost=False))
    bodies = {
        insurer.ask(assertion=assertion).text
        for assertion in (
            unknown(claims={"iss": "partner-nobody", "sub": "partner-nobody"}),
            unknown(claims={"iss": "x" * 500, "sub": "x" * 500}),
            unknown(claims={"iss": "a\0b", "sub": "a\0b"}),
            unknown(claims={"iss": "\ud800", "sub": "\ud800"}),
            ended.assertion(),
            with_ended_key.assertion(),
            insurer.assertion(key=new_key()),
            insurer.assertion(header={"kid": "other"}),
            insurer.assertion()[:-4] + "AAAA",
        )
    }
    assert len(bodies) == 1


def test_two_ways_to_authenticate_at_once_are_refused(pair, insurer):
    secret = insurer.form() | {"client_secret": "x"}
    refused(pair.post("/oauth/token", secret), "invalid_request", 400)
    header = {"Authorization": "Basic eDp4"}
    refused(pair.post("/oauth/token", insurer.form(), headers=header), "invalid_request", 400)


@pytest.mark.parametrize(
    "names", [["client_assertion"], ["client_assertion_type"], ["client_assertion", "client_assertion_type"]]
)
def test_a_client_that_shows_nothing_is_refused(pair, insurer, names):
    refused(pair.post("/oauth/token", without(insurer.form(), names)))


@pytest.mark.parametrize("scheme", ["Bearer x", "Token x", "Basic", "basic !!", "Basic eA==", "Basic /w=="])
def test_other_credentials_are_refused_and_told_what_was_tried(pair, insurer, scheme):
    form = without(insurer.form(), ["client_assertion", "client_assertion_type"])
    response = pair.post("/oauth/token", form, headers={"Authorization": scheme})
    refused(response)
    assert response.headers["www-authenticate"] == 'Basic realm="needful"'


def secret_client(pair):
    code = pair.organization()
    pair.agree(code)
    return pair.owner(lambda c: register(c, code, contact="x", keys=None, now=utc_now()))


def test_a_shared_secret_signs_a_client_in_in_demo_mode(pair, insurer):
    done = secret_client(pair)
    form = without(insurer.form(), ["client_assertion", "client_assertion_type"])
    sent = form | {"client_id": done.client, "client_secret": done.secret}
    assert pair.post("/oauth/token", sent).status_code == 200
    refused(pair.post("/oauth/token", sent | {"client_secret": done.secret[:-1]}))
    basic = base64.b64encode(f"{done.client}:{done.secret}".encode()).decode()
    assert pair.post("/oauth/token", form, headers={"Authorization": f"Basic {basic}"}).status_code == 200
    assert done.secret not in repr(done)
    stored = pair.owner(lambda c: c.fetchval("SELECT secret_hash FROM partner_client WHERE id = $1", done.client))
    assert stored != done.secret


def test_a_client_with_a_key_has_no_secret_not_even_an_empty_one(pair, insurer):
    form = without(insurer.form(), ["client_assertion", "client_assertion_type"])
    for secret in ("x", "-", " "):
        refused(pair.post("/oauth/token", form | {"client_id": insurer.client_id, "client_secret": secret}))


def test_the_services_own_key_signs_no_client_in(pair, insurer):
    ours = TokenKeys.load(pair.installation.token_keys_path).signing(utc_now())
    for header in ({}, {"kid": ours.kid}):
        refused(insurer.ask(assertion=insurer.assertion(header=header, key=ours)))
