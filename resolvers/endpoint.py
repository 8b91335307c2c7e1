"""The endpoint: GraphQL over HTTP, both media types, nothing parsed before the caller is known."""

import logging
import secrets
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from authz.subjects import Subject
from authz.tokens import Refused, Verifier
from models.vocabulary import Purpose
from resolvers.limits import MAX_BODY
from resolvers.operations import Answer, Request, Service
from resolvers.problems import NO_NUL, Code, RequestRefusedError, bad_input, purpose_names

_log = logging.getLogger("needful.http")

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
MODE = "x-authorization-mode"
AT_LEAST = "x-ruleset-at-least"
_LONGEST_NUMBER = 18
_ONCE = ("authorization", "x-purpose", MODE, AT_LEAST, "content-type")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Answers `/graphql` requests with a service."""

    service: Service
    verifier: Verifier
    clock: Callable[[], datetime]
    partial_status: int = 200
    """Status of data with errors: 200, or 294 for those who want the newer recommendation."""

    async def __call__(self, http: HttpRequest) -> Response:
        """Answer one HTTP request; every refusal and fault has its code and status, none a traceback."""
        media = _media_type(http.headers.get("accept", ""))
        try:
            return await self._respond(http, media)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the client gets an id and nothing else
            return _fault(fault, media or JSON)

    async def _respond(self, http: HttpRequest, media: str | None) -> Response:
        try:
            answer = await self._answer(http, media)
        except RequestRefusedError as refusal:
            return _refused(refusal, media or JSON)
        if media != GRAPHQL:
            return _json(answer.body, 200, JSON)
        partial = answer.status == 200 and "errors" in answer.body and answer.body["data"] is not None  # noqa: PLR2004 - OK
        return _json(answer.body, self.partial_status if partial else answer.status, GRAPHQL)

    async def _answer(self, http: HttpRequest, media: str | None) -> Answer:
        if http.method not in ("GET", "POST"):
            message = "Use POST, or GET for queries."
            raise RequestRefusedError(Code.METHOD_NOT_ALLOWED, message, headers={"Allow": "GET, POST"})
        if media is None:
            message = f"This endpoint answers with {GRAPHQL} or {JSON}. Accept one of them."
            raise RequestRefusedError(Code.UNSUPPORTED_MEDIA_TYPE, message)
        _check_headers(http)
        body = await _body(http) if http.method == "POST" else b""
        subject = self._subject(http)
        purpose = _purpose(http.headers.get("x-purpose"), subject)
        self._check_ruleset(http.headers.get(AT_LEAST))
        request = _posted(http, body) if http.method == "POST" else _got(http)
        return await self.service.answer(request, subject, purpose)

    def _check_ruleset(self, wanted: str | None) -> None:
        """Raises RULESET_BEHIND if the ruleset in force is older than the client asks for."""
        if wanted is None:
            return
        if not (wanted.isascii() and wanted.isdecimal()):
            raise bad_input(AT_LEAST, "X-Ruleset-At-Least is the number of a ruleset.")
        number = self.service.snapshot().ruleset.number
        if int(wanted[:_LONGEST_NUMBER]) > number:
            message = f"The ruleset in force is {number}, older than asked for. Try again shortly."
            raise RequestRefusedError(
                Code.RULESET_BEHIND, message, extensions={"ruleset": number}, headers={"Retry-After": "1"}
            )

    def _subject(self, http: HttpRequest) -> Subject:
        scheme, _, token = http.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            message = "This endpoint needs an access token: Authorization: Bearer …"
            raise _unauthenticated(message, 'Bearer realm="needful"')
        found = self.verifier.verify(token.strip(), now=self.clock())
        if isinstance(found, Refused):
            challenge = f'Bearer realm="needful", error="invalid_token", error_description="{found.why}"'
            raise _unauthenticated(f"The access token is refused: {found.why}. Get a new one.", challenge)
        return found


_SAFE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def _json(body: Mapping[str, Any], status: int, media: str, *, headers: Mapping[str, str] | None = None) -> Response:
    sent = {**_SAFE, **(headers or {})}
    return Response(orjson.dumps(body), status, headers=sent, media_type=f"{media}; charset=utf-8")


def _check_headers(http: HttpRequest) -> None:
    """Raises BAD_REQUEST for a header of ours that stands twice: what is before us may have read the other one."""
    for name in _ONCE:
        if len(http.headers.getlist(name)) > 1:
            raise _bad_request(f"The header {name!r} stands twice.")
    if http.headers.get("content-encoding", "identity").lower() != "identity":
        message = "Send the request without a Content-Encoding."
        raise RequestRefusedError(Code.UNSUPPORTED_MEDIA_TYPE, message)


async def _body(http: HttpRequest) -> bytes:
    """The body, read no further than the limit."""
    declared = http.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY:
        raise _too_large()
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise _too_large()
    return bytes(body)


def _too_large() -> RequestRefusedError:
    # The connection stays: the server throws away what still comes. Closed at once, many clients lose the answer.
    message = f"The request is larger than {MAX_BODY} bytes. Send less."
    return RequestRefusedError(Code.BODY_TOO_LARGE, message, extensions={"max": MAX_BODY})


def _unauthenticated(message: str, challenge: str) -> RequestRefusedError:
    return RequestRefusedError(Code.UNAUTHENTICATED, message, headers={"WWW-Authenticate": challenge})


def _purpose(named: str | None, subject: Subject) -> Purpose | None:
    """The purpose that the header names. Raises PURPOSE_NOT_ALLOWED for one that is unknown or not the token's."""
    if named is None:
        return None
    for purpose in subject.purposes:
        if purpose.value == named.strip().lower():
            return purpose
    message = "X-Purpose names a purpose that this token does not allow."
    raise RequestRefusedError(
        Code.PURPOSE_NOT_ALLOWED, message, extensions={"allowed": purpose_names(subject.purposes)}
    )


def _posted(http: HttpRequest, body: bytes) -> Request:
    if not _is_json(http.headers.get("content-type", "")):
        message = f"Send the request as {JSON} in UTF-8."
        raise RequestRefusedError(Code.UNSUPPORTED_MEDIA_TYPE, message)
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _bad_request("The body is not JSON of valid Unicode.") from None
    if not isinstance(given, dict):
        raise _bad_request("The body must be a JSON object with a member 'query'.")
    return _request(given, strict=_strict(http), read_only=False)


def _is_json(content_type: str) -> bool:
    kind, *parameters = (piece.strip().lower() for piece in content_type.split(";"))
    charsets = [piece.removeprefix("charset=").strip('"') for piece in parameters if piece.startswith("charset=")]
    return kind == JSON and all(charset in ("utf-8", "utf8") for charset in charsets)


def _got(http: HttpRequest) -> Request:
    if len(http.url.query) > MAX_BODY:
        raise _too_large()
    texts = ("query", "operationName")
    given: dict[str, Any] = {name: http.query_params[name] for name in texts if name in http.query_params}
    for name in ("variables", "extensions"):
        text = http.query_params.get(name)
        if text:
            try:
                given[name] = orjson.loads(text)
            except orjson.JSONDecodeError:
                raise _bad_request(f"The parameter {name!r} is not JSON.") from None
    return _request(given, strict=_strict(http), read_only=True)


def _strict(http: HttpRequest) -> bool:
    mode = http.headers.get(MODE)
    if mode is None:
        return False
    if mode.strip().lower() != "strict":
        raise bad_input(MODE, "X-Authorization-Mode is 'strict' or absent.")
    return True


def _request(given: Mapping[str, Any], *, strict: bool, read_only: bool) -> Request:
    query, name = given.get("query"), given.get("operationName")
    variables, extensions = given.get("variables"), given.get("extensions")
    if not isinstance(query, str):
        raise _bad_request("The member 'query' must be a string.")
    if name is not None and not isinstance(name, str):
        raise _bad_request("The member 'operationName' must be a string or null.")
    if variables is not None and not isinstance(variables, dict):
        raise _bad_request("The member 'variables' must be an object or null.")
    if extensions is not None and not isinstance(extensions, dict):
        raise _bad_request("The member 'extensions' must be an object or null.")
    _check_text(variables or {})
    return Request(query, name or None, variables, strict=strict, read_only=read_only)


def _check_text(variables: Mapping[str, Any]) -> None:
    """Refuse text that the database cannot hold, however deep it stands."""
    for name, given in variables.items():
        waiting = [given]
        while waiting:
            value = waiting.pop()
            if isinstance(value, str) and "\0" in value:
                raise bad_input(name, NO_NUL)
            if isinstance(value, dict):
                waiting.extend(value.values())
            elif isinstance(value, list):
                waiting.extend(value)


def _bad_request(message: str) -> RequestRefusedError:
    return RequestRefusedError(Code.BAD_REQUEST, message)


def _media_type(accept: str) -> str | None:
    """The media type to answer in: the better liked of the two; JSON where both are equal or nothing is said."""
    liked: dict[str, float] = {}
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if kind:
            liked[kind] = max(liked.get(kind, 0.0), _quality(parameters))
    if not liked:
        return JSON
    wild = max(liked.get("*/*", 0.0), liked.get("application/*", 0.0))
    graphql, plain = liked.get(GRAPHQL, 0.0), liked.get(JSON, 0.0)
    if graphql and graphql >= plain:
        return GRAPHQL
    return JSON if plain or wild else None


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0


def _refused(refusal: RequestRefusedError, media: str) -> Response:
    code = refusal.code
    if code is Code.UNAVAILABLE:
        _log.error("unavailable: %s", _place(refusal.__cause__ or refusal))
    return _json({"errors": refusal.errors}, _status(code, media), media, headers=refusal.headers)


def _status(code: Code, media: str) -> int:
    return code.status if media == GRAPHQL or code.always else 200


def _fault(fault: Exception, media: str) -> Response:
    """A defect: the log has its place under an id; the client gets the id and nothing else."""
    fault_id = secrets.token_hex(8)
    _log.error("fault %s: %s", fault_id, _place(fault))
    error = {"message": "Something went wrong here.", "extensions": {"code": Code.INTERNAL.name, "id": fault_id}}
    return _json({"errors": [error]}, _status(Code.INTERNAL, media), media)


def _place(fault: BaseException) -> str:
    """Kind and place of an exception and of what led to it. Not its text, which may hold a caller's values."""
    lines = [type(fault).__name__, *traceback.format_tb(fault.__traceback__)]
    before = fault.__cause__ or fault.__context__
    return "\n".join([*lines, "after", _place(before)] if before else lines)
