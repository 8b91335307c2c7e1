"""The endpoint: GraphQL over HTTP, both media types, nothing parsed before the caller is known."""

import logging
import secrets
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
from resolvers.problems import Code, RequestRefusedError, bad_input, purpose_names

_log = logging.getLogger("needful.http")

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
MODE = "x-authorization-mode"
PARTIAL_STATUS = 294


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
            answer = await self._answer(http, media)
        except RequestRefusedError as refusal:
            return _refused(refusal, media or JSON)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:  # noqa: BLE001 - whatever it is, the client gets an id and nothing else
            return _fault(media or JSON)
        return self._respond(answer, media or JSON)

    async def _answer(self, http: HttpRequest, media: str | None) -> Answer:
        if http.method not in ("GET", "POST"):
            message = "Use POST, or GET for queries."
            raise RequestRefusedError(Code.METHOD_NOT_ALLOWED, message, headers={"Allow": "GET, POST"})
        if media is None:
            message = f"This endpoint answers with {GRAPHQL} or {JSON}. Accept one of them."
            raise RequestRefusedError(Code.UNSUPPORTED_MEDIA_TYPE, message)
        body = await _body(http) if http.method == "POST" else b""
        subject = self._subject(http)
        purpose = _purpose(http.headers.get("x-purpose"), subject)
        request = _posted(http, body) if http.method == "POST" else _got(http)
        return await self.service.answer(request, subject, purpose)

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

    def _respond(self, answer: Answer, media: str) -> Response:
        status = answer.status if media == GRAPHQL else 200
        if status == 200 and "errors" in answer.body and answer.body.get("data") is not None:  # noqa: PLR2004 - HTTP's OK
            status = self.partial_status
        return Response(orjson.dumps(answer.body), status, headers=_SAFE, media_type=f"{media}; charset=utf-8")


_SAFE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def _body(http: HttpRequest) -> bytes:
    """The body, read no further than the limit."""
    declared = http.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MAX_BODY:
        raise _too_large(int(declared))
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise _too_large(len(body))
    return bytes(body)


def _too_large(actual: int) -> RequestRefusedError:
    message = f"The body is larger than {MAX_BODY} bytes. Send less."
    # What the client still sends is not read, so the connection cannot be used again.
    extensions = {"max": MAX_BODY, "actual": actual}
    return RequestRefusedError(Code.BODY_TOO_LARGE, message, extensions=extensions, headers={"Connection": "close"})


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
    kind, _, parameters = http.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() != JSON or charset not in ("", "utf-8", "utf8"):
        message = f"Send the request as {JSON} in UTF-8."
        raise RequestRefusedError(Code.UNSUPPORTED_MEDIA_TYPE, message)
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _bad_request("The body is not JSON.") from None
    if not isinstance(given, dict):
        raise _bad_request("The body must be a JSON object with a member 'query'.")
    return _request(given, strict=_strict(http), read_only=False)


def _got(http: HttpRequest) -> Request:
    texts = ("query", "operationName")
    given: dict[str, Any] = {name: http.query_params[name] for name in texts if name in http.query_params}
    for name in ("variables", "extensions"):
        text = http.query_params.get(name)
        if text:
            try:
                given[name] = orjson.loads(text)
            except orjson.JSONDecodeError:
                raise _bad_request(f"The parameter {name!r} is not JSON.") from None
    if len(given.get("query", "")) > MAX_BODY:
        raise _too_large(len(given["query"]))
    given["operationName"] = given.get("operationName") or None
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
    return Request(query, name, variables, strict=strict, read_only=read_only)


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
    status = code.status if media == GRAPHQL or code.always else 200
    headers = {**_SAFE, **refusal.headers}
    body = orjson.dumps({"errors": refusal.errors})
    return Response(body, status, headers=headers, media_type=f"{media}; charset=utf-8")


def _fault(media: str) -> Response:
    """A defect: the log has it under an id, without the request; the client gets the id and nothing else."""
    fault_id = secrets.token_hex(8)
    _log.exception("fault %s", fault_id)
    error = {"message": "Something went wrong here.", "extensions": {"code": Code.INTERNAL.name, "id": fault_id}}
    status = Code.INTERNAL.status
    return Response(orjson.dumps({"errors": [error]}), status, headers=_SAFE, media_type=f"{media}; charset=utf-8")
