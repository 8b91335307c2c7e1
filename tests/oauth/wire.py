"""What goes over the wire between a partner and the service, made by hand so that anything in it can be bent."""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.jwk import OKPKey

ISSUER = "https://needful.test"
TOKEN_URL, REVOKE_URL, API_URL = (f"{ISSUER}{path}" for path in ("/oauth/token", "/oauth/revoke", "/graphql"))
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NAMES = ("name", "phone", "health")


def pack(value) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unpack(part: str):
    return json.loads(base64.urlsafe_b64decode(part + "=="))


def new_key(kid="k1"):
    return OKPKey.generate_key("Ed25519", parameters={"kid": kid})


def sign(header, claims, key) -> str:
    """A compact JWS of any header; what is signed by an Ed25519 key needs no library's consent."""
    if isinstance(key.private_key, Ed25519PrivateKey):
        signed = f"{pack(header)}.{pack(claims)}"
        return f"{signed}.{pack(key.private_key.sign(signed.encode()))}"
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    registry.max_header_length = 4096
    return jws.serialize_compact(header, json.dumps(claims), key, registry=registry)


def without(members, names):
    return {name: value for name, value in members.items() if name not in names}


@dataclass
class Holder:
    """Whoever holds a key and makes DPoP proofs with it."""

    key: object = field(default_factory=new_key)
    alg: str = "EdDSA"

    def proof(self, method, url, token=None, *, header=None, claims=None, leave_out=(), key=None) -> str:
        public = without(self.key.as_dict(private=False), ["kid"])
        made = {"typ": "dpop+jwt", "alg": self.alg, "jwk": public, **(header or {})}
        said = {"jti": secrets.token_hex(12), "htm": method, "htu": url, "iat": int(time.time())}
        if token is not None:
            said["ath"] = pack(hashlib.sha256(token.encode()).digest())
        said |= claims or {}
        return sign(without(made, leave_out), without(said, leave_out), key or self.key)


@dataclass
class Partner:
    """A partner's client as its own engineer has it: id, private key, and the service's addresses."""

    pair: object
    code: str
    reference: str | None
    client_id: str
    key: object
    alg: str = "EdDSA"

    def assertion(self, *, header=None, claims=None, leave_out=(), key=None) -> str:
        made = {"typ": "JWT", "alg": self.alg, "kid": self.key.kid, **(header or {})}
        now = int(time.time())
        said = {"iss": self.client_id, "sub": self.client_id, "aud": TOKEN_URL, "iat": now, "exp": now + 120}
        said |= {"jti": secrets.token_hex(12), **(claims or {})}
        return sign(without(made, leave_out), without(said, leave_out), key or self.key)

    def form(self, purposes=("policy_service",), categories=NAMES, *, assertion=None, **caveats):
        detail = {"type": "insurance_data", "purposes": list(purposes), "categories": list(categories), **caveats}
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion() if assertion is None else assertion,
            "authorization_details": json.dumps([detail]),
        }

    def ask(self, purposes=("policy_service",), categories=NAMES, *, proof=None, server=0, assertion=None, **caveats):
        """The answer to a token request."""
        headers = {} if proof is None else {"DPoP": proof}
        form = self.form(purposes, categories, assertion=assertion, **caveats)
        return self.pair.post("/oauth/token", form, headers=headers, server=server)

    def token(self, purposes=("policy_service",), categories=NAMES, *, holder=None, server=0, **caveats) -> str:
        proof = holder and holder.proof("POST", TOKEN_URL)
        response = self.ask(purposes, categories, proof=proof, server=server, **caveats)
        assert response.status_code == 200, response.text
        return response.json()["access_token"]

    def revoke(self, token, *, server=0):
        form = without(self.form(), ["grant_type", "authorization_details"]) | {"token": token}
        return self.pair.post("/oauth/revoke", form, server=server)
