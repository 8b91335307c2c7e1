"""OAuth refusals: code, status and a description that says what to do (RFC 6749, 5.2).

Nothing that a client sent comes back in a description, and none tells whether a client exists.
"""

from collections.abc import Mapping
from enum import Enum


class Problem(Enum):
    """An error code and the status it is sent with."""

    INVALID_REQUEST = ("invalid_request", 400)
    INVALID_CLIENT = ("invalid_client", 401)
    INVALID_GRANT = ("invalid_grant", 400)
    INVALID_SCOPE = ("invalid_scope", 400)
    UNAUTHORIZED_CLIENT = ("unauthorized_client", 400)
    UNSUPPORTED_GRANT_TYPE = ("unsupported_grant_type", 400)
    INVALID_DETAILS = ("invalid_authorization_details", 400)
    """RFC 9396, 5."""
    INVALID_PROOF = ("invalid_dpop_proof", 400)
    """RFC 9449, 5."""
    METHOD_NOT_ALLOWED = ("invalid_request", 405)
    TOO_LARGE = ("invalid_request", 413)
    UNAVAILABLE = ("temporarily_unavailable", 503)
    INTERNAL = ("server_error", 500)

    @property
    def code(self) -> str:
        """The `error` member."""
        return self.value[0]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value[1]


class OAuthRefusedError(Exception):
    """A request to the authorization server that is refused; nothing was issued."""

    def __init__(self, problem: Problem, description: str, *, headers: Mapping[str, str] | None = None) -> None:
        """Refuse; the description is ASCII without quotes and backslashes (RFC 6749, 5.2)."""
        super().__init__(description)
        self.problem = problem
        self.description = description
        self.headers = dict(headers or {})
