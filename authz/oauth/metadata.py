"""What the authorization server and the API say of themselves (RFC 8414, RFC 9728); every address is the public one."""

from dataclasses import dataclass
from typing import Any

from authz.oauth.keys import ALGORITHMS
from authz.tokens import DETAIL_TYPE

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
REVOCATION_PATH = "/oauth/revoke"
KEYS_PATH = "/oauth/jwks"
API_PATH = "/graphql"
SERVER_PATH = "/.well-known/oauth-authorization-server"
RESOURCE_PATH = "/.well-known/oauth-protected-resource"
_SECRETS = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where clients reach this service. Never what a request's Host header says."""

    issuer: str

    @property
    def token(self) -> str:
        """The token endpoint."""
        return self.issuer + TOKEN_PATH

    @property
    def revocation(self) -> str:
        """The revocation endpoint."""
        return self.issuer + REVOCATION_PATH

    @property
    def keys(self) -> str:
        """The keys that verify tokens."""
        return self.issuer + KEYS_PATH

    @property
    def api(self) -> str:
        """The GraphQL endpoint."""
        return self.issuer + API_PATH


def server_metadata(addresses: Addresses, *, secrets: bool) -> dict[str, Any]:
    """The authorization server's metadata (RFC 8414); `secrets`: are shared secrets taken?"""
    methods = ["private_key_jwt", *(_SECRETS if secrets else ())]
    return {
        "issuer": addresses.issuer,
        "token_endpoint": addresses.token,
        "revocation_endpoint": addresses.revocation,
        "jwks_uri": addresses.keys,
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "authorization_details_types_supported": [DETAIL_TYPE],
    }


def resource_metadata(addresses: Addresses) -> dict[str, Any]:
    """The API's metadata as a protected resource (RFC 9728)."""
    return {
        "resource": addresses.api,
        "authorization_servers": [addresses.issuer],
        "jwks_uri": addresses.keys,
        "bearer_methods_supported": ["header"],
        "authorization_details_types_supported": [DETAIL_TYPE],
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
    }
