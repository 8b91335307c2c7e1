"""The authorization server over HTTP: forms in, JSON out, nothing cached but what is public."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from authz.bodies import BodyTooLargeError, read_body
from authz.faults import UnavailableError
from authz.oauth.clients import Shown
from authz.oauth.metadata import (
    API_PATH,
    KEYS_PATH,
    RESOURCE_PATH,
    REVOCATION_PATH,
    SERVER_PATH,
    TOKEN_PATH,
    resource_metadata,
    server_metadata,
)
from authz.oauth.problems import OAuthRefusedError, Problem
from authz.oauth.server import AuthorizationServer
from authz.seen import seen_in
from models.faults import place

MAX_BODY = 32 * 1024
_MOST_PARAMETERS = 32
_FORM = "application/x-www-form-urlencoded"
_SAFE = {"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"}
_KEYS_SECONDS = 5
"""Less than a new key is published before it signs (`PUBLISHED_BEFORE`)."""
_METADATA_SECONDS = 300
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]

_log = logging.getLogger("needful.oauth")


def routes() -> list[Route]:
    """The routes; the server they speak for is the application's `state.authorization_server`."""
    return [
        Route(TOKEN_PATH, _answering(_token), methods=_METHODS),
        Route(REVOCATION_PATH, _answering(_revoke), methods=_METHODS),
        Route(KEYS_PATH, _keys),
        Route(SERVER_PATH, _server_metadata),
        Route(RESOURCE_PATH, _resource_metadata),
        Route(RESOURCE_PATH + API_PATH, _resource_metadata),
    ]


def _server(request: Request) -> AuthorizationServer:
    server: AuthorizationServer = request.app.state.authorization_server
    return server


async def _token(request: Request) -> Response:
    shown = await _shown(request)
    proofs = request.headers.getlist("dpop")
    return _json(await _server(request).token(shown, proofs, seen_in(request.scope)))


async def _revoke(request: Request) -> Response:
    await _server(request).revoke(await _shown(request), seen_in(request.scope))
    return Response(status_code=200, headers=_SAFE)


async def _keys(request: Request) -> Response:
    server = _server(request)
    return _public(server.keys().public(server.clock()), _KEYS_SECONDS)


async def _server_metadata(request: Request) -> Response:
    server = _server(request)
    return _public(server_metadata(server.addresses, secrets=server.demo), _METADATA_SECONDS)


async def _resource_metadata(request: Request) -> Response:
    return _public(resource_metadata(_server(request).addresses), _METADATA_SECONDS)


def _answering(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Every refusal and fault has its code and status (RFC 6749, 5.2), none a traceback."""

    async def guarded(request: Request) -> Response:
        try:
            return await answer(request)
        except OAuthRefusedError as known:
            refusal = known
        except UnavailableError as fault:
            _log.error("unavailable: %s", place(fault))
            message = "The service cannot answer at the moment. Try again later."
            refusal = OAuthRefusedError(Problem.UNAVAILABLE, message, headers={"Retry-After": "1"})
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the client gets a code and nothing else
            _log.error("fault: %s", place(fault))
            refusal = OAuthRefusedError(Problem.INTERNAL, "Something went wrong here.")
        seen_in(request.scope).code = refusal.problem.name
        return _refused(refusal)

    return guarded


async def _shown(request: Request) -> Shown:
    """What the client sent. Raises OAuthRefusedError for what is no form."""
    if request.method != "POST":
        raise OAuthRefusedError(Problem.METHOD_NOT_ALLOWED, "Use POST.", headers={"Allow": "POST"})
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise _bad_request(f"Send the parameters as {_FORM} in the body.")
    authorization = request.headers.getlist("authorization")
    if len(authorization) > 1:
        raise _bad_request("The header Authorization stands twice.")
    return Shown(_parameters(await _body(request)), authorization[0] if authorization else None)


async def _body(request: Request) -> bytes:
    try:
        return await read_body(request, most=MAX_BODY)
    except BodyTooLargeError:
        raise OAuthRefusedError(Problem.TOO_LARGE, f"The body is larger than {MAX_BODY} bytes. Send less.") from None


def _parameters(body: bytes) -> dict[str, str]:
    """The form's parameters; one without a value counts as left out (RFC 6749, 3.2). Raises OAuthRefusedError."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise _bad_request(f"The body is not a form of at most {_MOST_PARAMETERS} parameters in UTF-8.") from None
    if len({name for name, _ in pairs}) < len(pairs):
        raise _bad_request("A parameter stands twice.")
    return {name: value for name, value in pairs if value}


def _bad_request(description: str) -> OAuthRefusedError:
    return OAuthRefusedError(Problem.INVALID_REQUEST, description)


def _json(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(body, status, headers={**_SAFE, **(headers or {})})


def _refused(refusal: OAuthRefusedError) -> Response:
    body = {"error": refusal.problem.code, "error_description": refusal.description}
    return _json(body, refusal.problem.status, refusal.headers)


def _public(body: Mapping[str, Any], seconds: int) -> Response:
    headers = {"Cache-Control": f"public, max-age={seconds}", "X-Content-Type-Options": "nosniff"}
    return JSONResponse(body, headers=headers)
