"""From a registered key to the first answer: `first_answer.py SERVER CLIENT_ID PRIVATE_KEY_FILE`.

A plain token for policies, a token bound to a key for claims, a query with each, and the end of the first.
"""
# ruff: noqa: INP001, T201 - a program of its own, and what it prints is its result
# mypy: disable-error-code="import-untyped, no-any-unimported, misc"

import asyncio
import base64
import hashlib
import json
import secrets
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

with warnings.catch_warnings(record=True):  # Authlib would rather find httpx2
    from authlib.integrations.httpx_client import AsyncOAuth2Client
    from authlib.oauth2.rfc7523 import PrivateKeyJWT

POLICIES = "{ policies(first: 2, status: IN_FORCE) { edges { node { policyNumber policyholder { name phone } } } } }"
CLAIMS = "{ claims(first: 2) { edges { node { claimNumber status diagnosis } } } }"


def details(purpose: str, *categories: str) -> str:
    """What to ask for (RFC 9396): no more than the next queries need."""
    return json.dumps([{"type": "insurance_data", "purposes": [purpose], "categories": categories}])


def proof(key: ECKey, method: str, url: str, token: str | None = None) -> str:
    """A DPoP proof (RFC 9449), for one request: that its sender holds the key."""
    claims = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": url, "iat": int(time.time())}
    if token is not None:
        claims["ath"] = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, claims, key, algorithms=["ES256"])


def show(title: str, response: httpx.Response) -> None:
    """Print an answer."""
    body: dict[str, Any] = response.json()
    print(f"{title}: {response.status_code}")
    print(json.dumps(body.get("data") or body.get("errors"), ensure_ascii=False, indent=1))


async def main(server: str, client_id: str, key: ECKey) -> None:
    """Ask for tokens, use them, and revoke one."""
    method = PrivateKeyJWT(alg="ES256", headers={"kid": key.kid})
    async with AsyncOAuth2Client(
        client_id,
        key,
        token_endpoint_auth_method="private_key_jwt",  # noqa: S106 - a method's name
        revocation_endpoint_auth_method="private_key_jwt",
    ) as client:
        client.register_client_auth_method(method)
        metadata = (await client.get(f"{server}/.well-known/oauth-authorization-server", auth=None)).json()
        token_url, api = metadata["token_endpoint"], f"{metadata['issuer']}/graphql"

        # 1. A bearer token: Authlib does all of it.
        plain = await client.fetch_token(
            token_url, grant_type="client_credentials", authorization_details=details("policy_service", "name", "phone")
        )
        print(f"{plain['token_type']} token for {plain['expires_in']} s:", json.dumps(plain["authorization_details"]))
        show("policies", await client.post(api, json={"query": POLICIES}))

        # 2. A token bound to a key, as claims and applications need. The key lives no longer than this program.
        bound_key = ECKey.generate_key("P-256")
        bound = await client.fetch_token(
            token_url,
            grant_type="client_credentials",
            authorization_details=details("claim_handling", "health"),
            headers={"DPoP": proof(bound_key, "POST", token_url)},
        )
        print(f"{bound['token_type']} token for {bound['expires_in']} s:", json.dumps(bound["authorization_details"]))
        text = bound["access_token"]
        headers = {"Authorization": f"DPoP {text}", "DPoP": proof(bound_key, "POST", api, text)}
        show("claims", await client.post(api, json={"query": CLAIMS}, headers=headers, auth=None))

        # 3. Done with the first token: it ends everywhere within a second.
        revoked = await client.revoke_token(metadata["revocation_endpoint"], token=plain["access_token"])
        print("revoked:", revoked.status_code)
        await asyncio.sleep(1)
        headers = {"Authorization": f"Bearer {plain['access_token']}"}
        show("policies", await client.post(api, json={"query": POLICIES}, headers=headers, auth=None))


if __name__ == "__main__":
    _, address, own_id, key_file = sys.argv
    asyncio.run(main(address, own_id, ECKey.import_key(json.loads(Path(key_file).read_text()))))
