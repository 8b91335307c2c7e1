"""Refusals of whole requests: a code, a status, what to do (INTERFACE.md, "HTTP")."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from models.vocabulary import Purpose

NO_NUL = "Text must not contain the character U+0000. Leave it out."


class Code(StrEnum):
    """Every code that a whole request can be refused with."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    PURPOSE_REQUIRED = "PURPOSE_REQUIRED"
    PURPOSE_NOT_ALLOWED = "PURPOSE_NOT_ALLOWED"
    OPERATION_NOT_REGISTERED = "OPERATION_NOT_REGISTERED"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    BAD_REQUEST = "BAD_REQUEST"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    BAD_ID = "BAD_ID"
    BAD_CURSOR = "BAD_CURSOR"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    RATE_LIMITED = "RATE_LIMITED"
    STATISTICS_BUDGET = "STATISTICS_BUDGET"
    FILTER_DENIED = "FILTER_DENIED"
    FIELD_DENIED = "FIELD_DENIED"
    RULESET_BEHIND = "RULESET_BEHIND"
    NOT_SEALED = "NOT_SEALED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"

    @property
    def status(self) -> int:
        """The status with `application/graphql-response+json`."""
        return _STATUSES.get(self, 400)

    @property
    def always(self) -> bool:
        """Does `application/json` get this status as well, instead of 200?"""
        return self in _ALWAYS


_STATUSES = {
    Code.UNAUTHENTICATED: 401,
    Code.PURPOSE_REQUIRED: 403,
    Code.PURPOSE_NOT_ALLOWED: 403,
    Code.OPERATION_NOT_REGISTERED: 403,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.BODY_TOO_LARGE: 413,
    Code.RATE_LIMITED: 429,
    Code.STATISTICS_BUDGET: 429,
    Code.FILTER_DENIED: 403,
    Code.FIELD_DENIED: 403,
    Code.RULESET_BEHIND: 503,
    Code.NOT_SEALED: 404,
    Code.UNAVAILABLE: 503,
    Code.INTERNAL: 500,
}
"""By code; everything else is 400."""

_ALWAYS = frozenset(
    {
        Code.UNAUTHENTICATED,
        Code.PURPOSE_REQUIRED,
        Code.PURPOSE_NOT_ALLOWED,
        Code.OPERATION_NOT_REGISTERED,
        Code.UNSUPPORTED_MEDIA_TYPE,
        Code.METHOD_NOT_ALLOWED,
        Code.BAD_REQUEST,
        Code.BODY_TOO_LARGE,
        Code.RATE_LIMITED,
        Code.STATISTICS_BUDGET,
        Code.RULESET_BEHIND,
    },
)


class RequestRefusedError(Exception):
    """A request that is refused as a whole; nothing of it was answered."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        extensions: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Refuse with one error; `extensions` come beside its code, `headers` on the response."""
        super().__init__(message)
        self.code = code
        self.headers = dict(headers or {})
        self.errors: list[dict[str, Any]] = [
            {"message": message, "extensions": {"code": code.name, **(extensions or {})}},
        ]


def bad_id(argument: str) -> RequestRefusedError:
    """An id that cannot be: malformed, or of another type."""
    message = f"The argument {argument!r} is not an id of the type asked for. Use ids as the API returned them."
    return RequestRefusedError(Code.BAD_ID, message, extensions={"argument": argument})


def over_limit(limit: str, *, maximum: int, actual: int) -> RequestRefusedError:
    """A request that is too large in one respect."""
    message = f"Over the limit of {limit}: {actual}, where {maximum} is allowed. Ask for less at once."
    return RequestRefusedError(
        Code.LIMIT_EXCEEDED, message, extensions={"limit": limit, "max": maximum, "actual": actual}
    )


def unavailable() -> RequestRefusedError:
    """The database, a key or the ledger cannot be had; raise it from the fault."""
    return RequestRefusedError(Code.UNAVAILABLE, "The service cannot answer at the moment. Try again later.")


def bad_input(argument: str, message: str) -> RequestRefusedError:
    """A value that cannot be."""
    return RequestRefusedError(Code.BAD_USER_INPUT, message, extensions={"argument": argument})


def purpose_names(purposes: tuple[Purpose, ...]) -> list[str]:
    """The purposes as the header takes them."""
    return [purpose.value for purpose in purposes]
