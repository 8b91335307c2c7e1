"""A bound token is of no use without its key: every way around a DPoP proof is refused (RFC 9449)."""

import hashlib
import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.oauth.conftest import DOCUMENT
from tests.oauth.test_clients import refused
from tests.oauth.wire import API_URL, ISSUER, TOKEN_URL, Holder, new_key, pack, sign, unpack

CLAIMS = ("claim_handling",)
ALGORITHMS = "ES256 EdDSA Ed25519 RS256 PS256"


@pytest.fixture(scope="module")
def holder():
    return Holder()


@pytest.fixture(scope="module")
def bound(insurer, holder):
    return insurer.token(CLAIMS, holder=holder)


def denied(response, error="invalid_dpop_proof") -> str:
    """Why the API refused a proof, as its challenge says."""
    assert response.status_code == 401, response.text
    assert response.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
    challenge = response.headers["www-authenticate"]
    pattern = rf'DPoP realm="needful", error="{error}", error_description="([^"\\]+)", algs="{ALGORITHMS}"'
    found = re.fullmatch(pattern + '(?:, Bearer realm="needful")?', challenge)
    assert found, challenge
    return found[1]


def test_a_bound_token_and_its_proof_are_answered(pair, insurer, holder):
    response = insurer.ask(CLAIMS, proof=holder.proof("POST", TOKEN_URL))
    body = response.json()
    assert body["token_type"] == "DPoP"
    token = body["access_token"]
    assert unpack(token.split(".")[1])["cnf"] == {"jkt": holder.key.thumbprint()}
    for server in (0, 1):
        answer = pair.call(token, scheme="DPoP", proof=holder.proof("POST", API_URL, token), server=server)
        assert answer.json()["data"]["viewer"]["purposes"] == ["CLAIM_HANDLING"]


@pytest.mark.parametrize(
    "alg, make", [("ES256", lambda: ECKey.generate_key("P-256")), ("RS256", lambda: RSAKey.generate_key(2048)),
                  ("PS256", lambda: RSAKey.generate_key(2048)), ("Ed25519", new_key)]
)  # fmt: skip
def test_each_accepted_algorithm_proves_possession(pair, insurer, alg, make):
    holder = Holder(make(), alg)
    token = insurer.token(CLAIMS, holder=holder)
    assert pair.call(token, scheme="DPoP", proof=holder.proof("POST", API_URL, token)).status_code == 200


def test_a_query_by_get_is_proven_for_get_and_the_address_alone(pair, holder, bound):
    def get(proof):
        headers = {"Authorization": f"dpop {bound}", "DPoP": proof}
        return pair.http.get(f"{pair.urls[0]}/graphql", params={"query": DOCUMENT}, headers=headers)

    assert get(holder.proof("GET", API_URL, bound)).status_code == 200
    assert "method" in denied(get(holder.proof("POST", API_URL, bound)))


@pytest.mark.parametrize("purpose", ["claim_handling", "application"])
def test_tokens_for_claims_and_applications_are_not_given_without_a_proof(insurer, purpose):
    for purposes in ([purpose], ["policy_service", purpose]):
        assert "DPoP" in refused(insurer.ask(purposes), "invalid_dpop_proof", 400)


def test_a_token_for_another_purpose_is_bound_if_a_proof_is_sent(pair, insurer, holder):
    token = insurer.token(holder=holder)
    assert pair.call(token).status_code == 401
    assert pair.call(token, scheme="DPoP", proof=holder.proof("POST", API_URL, token)).status_code == 200


def test_a_stolen_bound_token_is_of_no_use_without_its_key(pair, bound):
    thief = Holder()
    assert pair.call(bound).status_code == 401
    denied(pair.call(bound, scheme="DPoP"))
    assert "another key" in denied(pair.call(bound, scheme="DPoP", proof=thief.proof("POST", API_URL, bound)))


def test_a_bound_token_is_no_bearer_token_even_with_a_proof(pair, holder, bound):
    for proof in (None, holder.proof("POST", API_URL, bound)):
        response = pair.call(bound, proof=proof)
        assert response.status_code == 401
        challenge = response.headers["www-authenticate"]
        assert challenge.startswith('Bearer realm="needful", error="invalid_token"')
        assert challenge.endswith(f'DPoP realm="needful", algs="{ALGORITHMS}"')


def test_an_unbound_token_is_no_dpop_token(pair, insurer, holder):
    token = insurer.token()
    proof = holder.proof("POST", API_URL, token)
    assert "not bound" in denied(pair.call(token, scheme="DPoP", proof=proof), "invalid_token")


def test_a_refused_token_is_told_of_both_schemes(pair, holder):
    response = pair.call("x.y.z", scheme="DPoP", proof=holder.proof("POST", API_URL, "x.y.z"))
    denied(response, "invalid_token")
    assert response.headers["www-authenticate"].endswith(', Bearer realm="needful"')


def test_whoever_brings_nothing_is_told_of_both_schemes(pair):
    response = pair.http.post(f"{pair.urls[0]}/graphql", json={"query": DOCUMENT})
    assert response.headers["www-authenticate"] == f'Bearer realm="needful", DPoP realm="needful", algs="{ALGORITHMS}"'


# What follows bends one thing in a proof that is otherwise good, at both endpoints.
def both(pair, insurer, holder, bound, make):
    """The answers of the token endpoint and of the API to a proof made by `make(method, url, token)`."""
    why = refused(insurer.ask(CLAIMS, proof=make("POST", TOKEN_URL, None)), "invalid_dpop_proof", 400)
    also = denied(pair.call(bound, scheme="DPoP", proof=make("POST", API_URL, bound)))
    assert why.rstrip(".").lower() == also.lower()
    return also


@pytest.mark.parametrize("method", ["GET", "post", "Post", "PUT", None, 1])
def test_a_proof_for_another_method_is_refused(pair, insurer, holder, bound, method):
    why = both(pair, insurer, holder, bound, lambda _, url, token: holder.proof(method, url, token))
    assert "method" in why


@pytest.mark.parametrize(
    "bend",
    [lambda url: url.replace("needful.test", "evil.test"), lambda url: url.replace("https", "http"),
     lambda url: url + "/", lambda url: url + "/x", lambda url: url + "?a=1", lambda url: url + "#f",
     lambda url: url.replace(".test", ".test:8443"), lambda url: url.replace("//", "//user@"),
     lambda _: ISSUER, lambda _: "", lambda _: None, lambda _: ["x"], lambda _: "https://[", lambda _: "/x",
     lambda url: url.replace(".test", ".test:99999")],
)  # fmt: skip
def test_a_proof_for_another_address_is_refused(pair, insurer, holder, bound, bend):
    why = both(pair, insurer, holder, bound, lambda method, url, token: holder.proof(method, bend(url), token))
    assert "address" in why


def test_the_address_is_the_public_one_whatever_the_host_header_says(pair, holder, bound):
    local = f"{pair.urls[0]}/graphql"
    proof = holder.proof("POST", local, bound)
    for host in (None, "needful.test", pair.urls[0].removeprefix("http://")):
        headers = {"Authorization": f"DPoP {bound}", "DPoP": proof, **({"Host": host} if host else {})}
        denied(pair.http.post(local, json={"query": DOCUMENT}, headers=headers))


def test_an_address_written_otherwise_is_the_same(pair, holder, bound):
    for url in ("HTTPS://Needful.TEST/graphql", "https://needful.test:443/graphql"):
        assert pair.call(bound, scheme="DPoP", proof=holder.proof("POST", url, bound)).status_code == 200


@pytest.mark.parametrize("offset", [-61, -3600, 7, 3600])
def test_a_proof_from_another_time_is_refused(pair, insurer, holder, bound, offset):
    def make(method, url, token):
        return holder.proof(method, url, token, claims={"iat": int(time.time()) + offset})

    assert "not from now" in both(pair, insurer, holder, bound, make)


@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat", "typ", "alg", "jwk"])
def test_a_proof_without_what_it_needs_is_refused(pair, insurer, holder, bound, name):
    both(pair, insurer, holder, bound, lambda *place: holder.proof(*place, leave_out=[name]))


@pytest.mark.parametrize("claims", [{"jti": "x" * 129}, {"jti": ""}, {"jti": 1}, {"iat": "now"}, {"iat": True}])
def test_claims_of_a_proof_that_cannot_be_are_refused(pair, insurer, holder, bound, claims):
    both(pair, insurer, holder, bound, lambda *place: holder.proof(*place, claims=claims))


def test_a_proof_is_good_once_at_the_api_across_server_processes(pair, holder, bound):
    proof = holder.proof("POST", API_URL, bound)
    assert pair.call(bound, scheme="DPoP", proof=proof, server=0).status_code == 200
    for server in (0, 1):
        assert "has been used" in denied(pair.call(bound, scheme="DPoP", proof=proof, server=server))


def test_of_many_at_once_one_uses_a_proof(pair, holder, bound):
    proof = holder.proof("POST", API_URL, bound)

    def call(number):
        return pair.call(bound, scheme="DPoP", proof=proof, server=number % 2).status_code

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(call, range(12))) == [200] + [401] * 11


def test_a_proof_is_good_once_at_the_token_endpoint_across_server_processes(insurer, holder):
    proof = holder.proof("POST", TOKEN_URL)
    assert insurer.ask(CLAIMS, proof=proof, server=0).status_code == 200
    for server in (0, 1):
        refused(insurer.ask(CLAIMS, proof=proof, server=server), "invalid_dpop_proof", 400)


def test_a_jti_with_anything_in_it_is_remembered(pair, holder, bound):
    for jti in ("\0", "\ud800", "é", "'; --", secrets.token_hex(64)):
        proof = holder.proof("POST", API_URL, bound, claims={"jti": jti})
        assert pair.call(bound, scheme="DPoP", proof=proof).status_code == 200
        denied(pair.call(bound, scheme="DPoP", proof=proof))


def test_a_proof_for_another_token_is_refused(pair, insurer, holder, bound):
    other = insurer.token(CLAIMS, holder=holder)
    assert "another token" in denied(pair.call(bound, scheme="DPoP", proof=holder.proof("POST", API_URL, other)))
    for claims in ({"ath": ""}, {"ath": None}, {"ath": hashlib.sha256(bound.encode()).hexdigest()}, {"ath": [1]}):
        proof = holder.proof("POST", API_URL, bound, claims=claims)
        assert "another token" in denied(pair.call(bound, scheme="DPoP", proof=proof))


def test_a_proof_made_for_a_token_request_is_no_proof_at_the_api(pair, holder, bound):
    denied(pair.call(bound, scheme="DPoP", proof=holder.proof("POST", TOKEN_URL)))


def test_a_proof_signed_by_another_key_than_it_names_is_refused(pair, insurer, holder, bound):
    both(pair, insurer, holder, bound, lambda *place: holder.proof(*place, key=new_key()))


def test_an_altered_proof_is_refused(pair, insurer, holder, bound):
    def make(*place):
        header, claims, signature = holder.proof(*place).split(".")
        altered = unpack(claims) | {"jti": secrets.token_hex(12)}
        return f"{header}.{pack(altered)}.{signature}"

    both(pair, insurer, holder, bound, make)


def test_a_proof_with_a_private_key_inside_is_refused(pair, insurer, holder, bound):
    private = {name: value for name, value in holder.key.as_dict(private=True).items() if name != "kid"}
    both(pair, insurer, holder, bound, lambda *place: holder.proof(*place, header={"jwk": private}))


@pytest.mark.parametrize("algorithm", ["HS256", "none", "ES384", "ES256", "RS256", None, 1])
def test_a_proof_of_another_algorithm_than_its_keys_is_refused(pair, insurer, holder, bound, algorithm):
    both(pair, insurer, holder, bound, lambda *place: holder.proof(*place, header={"alg": algorithm}))


def test_a_symmetric_proof_is_refused(pair, insurer, holder, bound):
    secret = OctKey.generate_key(256)

    def make(*place):
        claims = unpack(holder.proof(*place).split(".")[1])
        header = {"typ": "dpop+jwt", "alg": "HS256", "jwk": secret.as_dict(private=True)}
        return sign(header, claims, secret)

    both(pair, insurer, holder, bound, make)


def test_the_public_key_of_a_proof_is_not_taken_for_a_shared_secret(pair, insurer, holder, bound):
    raw = holder.key.public_key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    def make(*place):
        claims = holder.proof(*place).split(".")[1]
        header = unpack(holder.proof(*place).split(".")[0]) | {"alg": "HS256"}
        signed = f"{pack(header)}.{claims}"
        registry = jws.JWSRegistry(algorithms=["HS256"], strict_check_header=False)
        tag = registry.get_alg("HS256").sign(signed.encode(), OctKey.import_key(raw))
        return f"{signed}.{pack(tag)}"

    both(pair, insurer, holder, bound, make)


@pytest.mark.parametrize(
    "jwk",
    [None, {}, [], "x", {"kty": "oct", "k": "AAAA"}, {"kty": ["EC"]}, {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
     {"kty": "OKP", "crv": "X25519", "x": "A" * 43}, {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
     {"kty": "EC", "crv": "P-384", "x": "A" * 64, "y": "A" * 64}, {"kty": "RSA", "n": "A" * 342, "e": "AQAB"},
     {"kty": "RSA", "n": "_" * 342, "e": "Aw"}, {"kty": "RSA", "n": "_" * 171, "e": "AQAB"},
     {"kty": "RSA", "n": "_" * 342, "e": "_" * 342}, {"kty": "RSA", "n": 1, "e": 2}],
)  # fmt: skip
def test_a_proof_with_a_weak_or_impossible_key_is_refused(pair, insurer, holder, bound, jwk):
    for alg in ("EdDSA", "ES256", "RS256"):
        proof = holder.proof("POST", TOKEN_URL, header={"jwk": jwk, "alg": alg})
        refused(insurer.ask(CLAIMS, proof=proof), "invalid_dpop_proof", 400)
        denied(pair.call(bound, scheme="DPoP", proof=holder.proof("POST", API_URL, bound, header={"jwk": jwk})))


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "DPOP+JWT", "", None, ["dpop+jwt"]])
def test_a_jwt_of_another_type_is_no_proof(pair, insurer, holder, bound, typ):
    both(pair, insurer, holder, bound, lambda *place: holder.proof(*place, header={"typ": typ}))


def test_an_assertion_is_no_proof(pair, insurer, bound):
    refused(insurer.ask(CLAIMS, proof=insurer.assertion()), "invalid_dpop_proof", 400)
    denied(pair.call(bound, scheme="DPoP", proof=insurer.assertion()))


def test_a_proof_with_critical_extensions_is_refused(pair, insurer, holder, bound):
    for header in ({"crit": ["x"], "x": 1}, {"crit": []}, {"crit": ["b64"], "b64": False}):
        both(pair, insurer, holder, bound, lambda *place, header=header: holder.proof(*place, header=header))


def test_several_dpop_headers_are_refused(pair, insurer, holder, bound):
    proofs = [holder.proof("POST", API_URL, bound) for _ in range(2)]
    assert "exactly one" in denied(pair.call(bound, scheme="DPoP", proof=proofs))
    denied(pair.call(bound, scheme="DPoP", proof=", ".join(proofs)))
    asked = [("DPoP", holder.proof("POST", TOKEN_URL)) for _ in range(2)]
    refused(pair.post("/oauth/token", insurer.form(CLAIMS), headers=asked), "invalid_dpop_proof", 400)


@pytest.mark.parametrize("text", ["", "x", "..", "a.b.c", "e30.e30.e30", "W10.W10.W10", "A" * 9000, "\xff\xfe", "null"])
def test_what_is_no_proof_is_refused(pair, insurer, bound, text):
    denied(pair.call(bound, scheme="DPoP", proof=[text.encode("latin-1")]))
    response = pair.post("/oauth/token", insurer.form(CLAIMS), headers={b"DPoP": text.encode("latin-1")})
    refused(response, "invalid_dpop_proof", 400)
