"""Only tokens of this service open it: every way to forge, bend or widen one is refused (RFC 8725, RFC 9068)."""

import base64
import hashlib
import hmac
import json
import re
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.token_keys import TokenKeys
from authz.tokens import Verifier, mint, utc_now
from models.vocabulary import Role

DOCUMENT = "{ viewer { role organization purposes } }"
CHALLENGE = (
    r'Bearer realm="needful"(?:, error="invalid_token", error_description="([a-z\', ]+)")?'
    r', DPoP realm="needful", algs="[\w ]+"'
)


class Forge:
    """Makes tokens of any header and claims, from one that is good."""

    def __init__(self, server) -> None:
        self.server = server
        self.keys = TokenKeys.load_or_create(server.installation.token_keys_path)
        self.good = server.token("insurer", purposes=["policy_service"])
        self.header, self.claims = (unpack(part) for part in self.good.split(".")[:2])
        self.key = self.keys.signing(utc_now()).private_key

    def make(self, header=None, claims=None, *, key=None, without=()) -> str:
        """A token with these members besides, or instead of, the good ones, signed by the service's key."""
        parts = [{**self.header, **(header or {})}, {**self.claims, **(claims or {})}]
        signed = ".".join(pack({name: value for name, value in part.items() if name not in without}) for part in parts)
        return f"{signed}.{pack((key or self.key).sign(signed.encode()))}"

    def answer(self, token):
        return self.server.post(DOCUMENT, token=token)


def pack(value) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unpack(part: str):
    return json.loads(base64.urlsafe_b64decode(part + "=="))


@pytest.fixture(scope="module")
def forge(server):
    return Forge(server)


def refused(response) -> str:
    """Why a token was refused."""
    assert response.status_code == 401
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "UNAUTHENTICATED"}
    found = re.fullmatch(CHALLENGE, response.headers["www-authenticate"])
    return found[1] or ""


def test_a_token_made_as_the_service_makes_them_is_accepted(forge):
    viewer = forge.answer(forge.make()).json()["data"]["viewer"]
    assert viewer == {"role": "insurer", "organization": "INS01", "purposes": ["POLICY_SERVICE"]}


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Basic dXNlcjpwYXNz", "Token x", "bearer", "DPoP", "\xff"]
)
def test_without_a_bearer_token_the_client_is_told_to_bring_one(server, authorization):
    headers = {} if authorization is None else {"Authorization": authorization.encode("latin-1")}
    assert refused(server.post(DOCUMENT, headers=headers)) == ""


def test_a_token_in_the_address_or_the_body_is_not_looked_at(server, forge):
    address = f"{server.url}?access_token={forge.good}&token={forge.good}"
    response = server.client.post(address, json={"query": DOCUMENT, "access_token": forge.good})
    assert response.status_code == 401


@pytest.mark.parametrize(
    "text",
    ["x", ".", "..", "...", "a.b.c", "a.b", "{}.{}.{}", "null", "é.é.é".encode().decode("latin-1"), "A" * 5000,
     "e30.e30.e30", "W10.W10.W10", "MQ.MQ.MQ", "e30..", "....", "a.b.c.d.e"],
)  # fmt: skip
def test_what_is_no_token_is_refused(server, text):
    response = server.client.post(
        server.url, json={"query": DOCUMENT}, headers={"Authorization": f"Bearer {text}".encode("latin-1")}
    )
    assert refused(response)


@pytest.mark.parametrize(
    "header", [[], 1, "x", None, True, {}, b"", b"[[[", b"[" * 2900, b'{"alg":' * 500, b"\xff\xfe"]
)
def test_a_header_that_is_no_object_is_refused(forge, header):
    _, claims, signature = forge.good.split(".")
    assert refused(forge.answer(f"{pack(header)}.{claims}.{signature}"))


@pytest.mark.parametrize("claims", [[], 1, "x", None, b"", b"[[[", b"[" * 2000, b"\xff\xfe"])
def test_claims_that_are_no_object_are_refused_even_if_signed(forge, claims):
    signed = f"{pack(forge.header)}.{pack(claims)}"
    assert refused(forge.answer(f"{signed}.{pack(forge.key.sign(signed.encode()))}"))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, 1, ["EdDSA"]])
def test_an_unsigned_token_is_refused(forge, algorithm):
    header, claims = pack({**forge.header, "alg": algorithm}), pack(forge.claims)
    for signature in ("", forge.good.split(".")[2]):
        assert refused(forge.answer(f"{header}.{claims}.{signature}"))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_the_public_key_is_not_taken_for_a_shared_secret(forge, algorithm):
    public = forge.key.public_key()
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signed = f"{pack({**forge.header, 'alg': algorithm})}.{pack(forge.claims)}"
    for secret in (raw, pem, pack(raw).encode(), b""):
        digest = hmac.new(secret, signed.encode(), getattr(hashlib, f"sha{algorithm[2:]}")).digest()
        assert refused(forge.answer(f"{signed}.{pack(digest)}"))


def test_a_foreign_key_is_refused_under_our_key_id_and_under_its_own(forge):
    foreign = Ed25519PrivateKey.generate()
    for header in ({}, {"kid": "foreign"}, {"kid": ""}):
        assert refused(forge.answer(forge.make(header, key=foreign)))


def test_a_key_that_the_token_brings_along_is_not_followed(forge):
    foreign = Ed25519PrivateKey.generate()
    raw = foreign.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": pack(raw), "kid": forge.header["kid"]}
    for header in ({"jwk": jwk}, {"jku": "http://127.0.0.1:9/keys"}, {"x5u": "http://127.0.0.1:9/x"}, {"x5c": ["x"]}):
        for kid in (forge.header["kid"], "foreign"):
            assert refused(forge.answer(forge.make({**header, "kid": kid}, key=foreign)))


@pytest.mark.parametrize(
    "header",
    [{"kid": "unknown"}, {"kid": None}, {"kid": []}, {"kid": {}}, {"kid": "../../keyring.json"}, {"typ": "JWT"},
     {"typ": "at+JWT2"}, {"typ": None}, {"typ": ["at+jwt"]}, {"crit": ["x"], "x": 1}, {"crit": []},
     {"crit": ["b64"], "b64": False}, {"alg": "Ed448"}, {"alg": "ES256"}, {"alg": "RS256"}],
)  # fmt: skip
def test_a_header_that_this_service_does_not_write_is_refused_even_if_signed(forge, header):
    assert refused(forge.answer(forge.make(header)))


@pytest.mark.parametrize(
    "header", [{"alg": "dir", "enc": "A128GCM"}, {"alg": "ECDH-ES", "enc": "A128GCM", "zip": "DEF"}]
)
def test_an_encrypted_token_is_refused_and_not_unpacked(forge, header):
    for parts in ("..", ".x.y", ".AAAA.AAAA"):
        assert refused(forge.answer(forge.make(header) + parts))


@pytest.mark.parametrize("name", ["typ", "kid", "alg"])
def test_a_header_without_type_key_or_algorithm_is_refused(forge, name):
    assert refused(forge.answer(forge.make(without=[name])))


@pytest.mark.parametrize(
    "claims",
    [{"aud": "another-api"}, {"aud": ["needful-api", "another-api"]}, {"aud": None}, {"iss": "someone"}, {"iss": None},
     {"iss": ["needful"]}, {"iss": "needful/"}],
)  # fmt: skip
def test_a_token_of_another_issuer_or_for_another_service_is_refused(forge, claims):
    assert refused(forge.answer(forge.make(claims=claims))) == "the token is meant for another service"


def times(now, **offsets):
    return {name: int(now.timestamp()) + seconds for name, seconds in offsets.items()}


def test_an_expired_token_is_refused(forge):
    assert refused(forge.answer(forge.make(claims=times(utc_now(), iat=-600, exp=-1)))) == "the token has expired"


def test_a_token_ends_while_it_is_remembered(forge):
    now = utc_now()
    verifier = Verifier(forge.keys)
    token = forge.make(claims=times(now, iat=0, exp=60))
    assert verifier.verify(token, now=now).subject.role is Role.INSURER
    assert verifier.verify(token, now=now + timedelta(seconds=59)).subject.role is Role.INSURER
    assert verifier.verify(token, now=now + timedelta(seconds=61)).why == "the token has expired"


@pytest.mark.parametrize(
    "offsets",
    [{"iat": 0, "exp": 3601}, {"iat": 120, "exp": 3600}, {"iat": -(10**9), "exp": 60}, {"nbf": 120}, {"exp": 10**20}],
)
def test_a_token_that_lives_too_long_or_starts_later_is_refused(forge, offsets):
    assert refused(forge.answer(forge.make(claims=times(utc_now(), **offsets))))


@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
@pytest.mark.parametrize("value", [None, "2999999999", 2999999999.5, True, [], {}])
def test_times_that_are_no_whole_seconds_are_refused(forge, name, value):
    assert refused(forge.answer(forge.make(claims={name: value})))


@pytest.mark.parametrize(
    "name", ["iss", "aud", "sub", "iat", "exp", "jti", "role", "authorization_details", "organization"]
)
def test_a_token_without_one_of_its_claims_is_refused(server, forge, name):
    if name == "sub":  # a partner is its organization; of everyone else, sub is the account
        staff = server.token("claims_handler", purposes=["claim_handling"])
        claims = unpack(staff.split(".")[1])
        assert refused(forge.answer(forge.make(claims=claims, without=["sub", "organization"])))
        return
    assert refused(forge.answer(forge.make(without=[name])))


@pytest.mark.parametrize(
    "claims",
    [{"role": "root"}, {"role": "INSURER"}, {"role": None}, {"role": ["insurer"]}, {"role": "anonymous"},
     {"role": "customer"}, {"role": "customer", "person": 1}, {"role": "customer", "person": "x"}, {"jti": 1},
     {"jti": {}}, {"organization": None}, {"organization": "INS01"}, {"organization": {"id": "x", "code": "INS01"}},
     {"organization": {"id": [], "code": "INS01"}}, {"organization": {"code": "INS01"}},
     {"role": "claims_handler", "sub": "x"}, {"role": "claims_handler", "sub": 5}],
)  # fmt: skip
def test_claims_outside_the_vocabulary_are_refused(forge, claims):
    assert refused(forge.answer(forge.make(claims=claims)))


DETAIL = {"type": "insurance_data", "purposes": ["policy_service"], "categories": ["name"]}
BAD_DETAILS = {
    "none": None,
    "empty": [],
    "two": [DETAIL, DETAIL],
    "not a list": DETAIL,
    "text": "insurance_data",
    "of numbers": [1],
    "another type": [{**DETAIL, "type": "payment"}],
    "no type": [{name: value for name, value in DETAIL.items() if name != "type"}],
    "no purposes": [{name: value for name, value in DETAIL.items() if name != "purposes"}],
    "no categories": [{name: value for name, value in DETAIL.items() if name != "categories"}],
    "unknown purpose": [{**DETAIL, "purposes": ["policy_service", "curiosity"]}],
    "unknown category": [{**DETAIL, "categories": ["name", "everything"]}],
    "purposes as text": [{**DETAIL, "purposes": "policy_service"}],
    "categories as text": [{**DETAIL, "categories": "name"}],
    "categories as object": [{**DETAIL, "categories": {"name": True}}],
    "null categories": [{**DETAIL, "categories": None}],
    "nested": [{**DETAIL, "categories": [["name"]]}],
    "a restriction not understood": [{**DETAIL, "fields": ["P1"]}],
}


@pytest.mark.parametrize("details", BAD_DETAILS.values(), ids=BAD_DETAILS)
def test_a_scope_that_is_not_understood_whole_is_refused(forge, details):
    assert refused(forge.answer(forge.make(claims={"authorization_details": details})))


def test_a_token_that_lists_no_category_grants_none(server):
    token = server.token("insurer", purposes=["policy_service"], categories=[])
    body = server.post("{ policies(first: 1) { edges { node { premium } } } }", token=token).json()
    assert body["data"]["policies"]["edges"] == [{"node": {"premium": None}}]
    assert body["errors"][0]["extensions"]["reason"] == "TOKEN_SCOPE"


def test_a_token_that_lists_no_purpose_serves_none(forge):
    token = forge.make(claims={"authorization_details": [{**DETAIL, "purposes": []}]})
    response = forge.answer(token)
    assert response.status_code == 403
    assert response.json()["errors"][0]["extensions"] == {"code": "PURPOSE_REQUIRED", "allowed": []}


def test_a_minted_token_lives_an_hour_at_most(forge):
    now = utc_now()
    subject = Verifier(forge.keys).verify(forge.good, now=now).subject
    claims = unpack(mint(forge.keys, subject, now=now, lifetime=timedelta(days=365)).split(".")[1])
    assert claims["exp"] - claims["iat"] == 3600


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_token_altered_anywhere_is_refused(forge, data):
    place = data.draw(st.integers(0, len(forge.good) - 1))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/"))
    altered = forge.good[:place] + letter + forge.good[place + 1 :]
    if altered != forge.good:
        assert refused(forge.answer(altered))


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=300))
def test_no_text_breaks_the_verifier(forge, text):
    assert Verifier(forge.keys).verify(text, now=utc_now()).why
