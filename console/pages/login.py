"""Logging in and out: with the house's own login, with the issuer of staff, or in demo mode with a token (C49, C50)."""

import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from authz.tokens import LONGEST_TEXT, Token
from console.asking import Problem, Refused
from console.frame import (
    HEADERS,
    HOME,
    LANGUAGE_COOKIE,
    LOGIN,
    ROLES,
    SEE_OTHER,
    THEME_COOKIE,
    THEMES,
    Page,
    keep_choice,
    open_page,
    page,
    token_text,
)
from console.languages import Language
from console.visits import Visit
from models.vocabulary import Role
from resolvers.endpoint import within
from resolvers.oidc import LOGIN as OIDC_LOGIN
from resolvers.oidc import REDEEM, StaffLogin
from resolvers.problems import RequestRefusedError
from resolvers.registered import house_documents

_LOCAL = re.compile(r"/console(?:[/?][A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,500})?")
"""A page of the console: where a form may say that it leads."""
_OK = 200
_LOG_IN = next(text for text in house_documents().values() if text.startswith("mutation LogIn("))
"""What anybody may run, byte for byte."""


def local(path: str) -> str:
    """Where to go on to: a page of the console, the first one for anything else."""
    return path if _LOCAL.fullmatch(path) and not path.startswith(LOGIN) else HOME


async def _login_page(found: Page) -> Response:
    return _asked(found)


def _asked(found: Page, *, problem: str | Problem | None = None, status: int = 200) -> Response:
    """The page that asks who it is; the problem's code says what else to ask for."""
    query = parse_qs(urlsplit(str(found.http.url)).query)
    return found.render(
        "login.html",
        status=status,
        problem=problem,
        code=problem.code if isinstance(problem, Problem) else "",
        to=local(found.given("to") or HOME),
        over="over" in query,
        oidc=f"{OIDC_LOGIN}?return_to={LOGIN}" if found.console.issuer() else None,
        demo=found.console.demo,
        identifier=found.form.get("identifier", ""),
    )


async def _log_in(found: Page) -> Response:
    """With work name, password and second factor: the registered document that every client uses."""
    given = {name: found.form.get(name, "") for name in ("identifier", "password", "code", "new_password")}
    body = {
        "query": _LOG_IN,
        "variables": {
            "input": {
                "identifier": given["identifier"],
                "password": given["password"],
                "code": given["code"].replace(" ", "") or None,
                "newPassword": given["new_password"] or None,
                "role": "STAFF",
            }
        },
    }
    response = await found.console.endpoint(within(found.http, None, body))
    said = orjson.loads(response.body)
    if not said.get("data"):
        first = said["errors"][0]
        raise Refused(response.status_code, first["extensions"]["code"], first["message"])
    payload = said["data"]["logIn"]
    if "code" in payload:
        return _asked(found, problem=Problem(payload["code"], payload["message"]), status=400)
    return await _begun(found, payload["accessToken"])


async def _begun(found: Page, text: str, *, keep: bool = False) -> Response:
    """A visit for a token: by its session, or where it has none and `keep` by the token itself."""
    if len(text) > LONGEST_TEXT or not text.isascii():
        return _asked(found, problem=found.say("login.no_token"), status=400)
    try:
        token: Token = await found.console.endpoint.authentication.token(within(found.http, text, {}))
    except RequestRefusedError as refusal:
        return _asked(found, problem=Problem(refusal.code.name, refusal.errors[0]["message"]), status=400)
    session, role = token.subject.session, token.subject.role
    if role not in ROLES:
        await _ended(found, session, text)
        return found.render("forbidden.html", status=403, whose=role)
    if session is None and not keep:
        return _asked(found, problem=found.say("login.no_session"), status=400)
    visit = Visit(Visit.new().csrf, session, None if session else text)
    response = found.go(local(found.given("to") or HOME))
    if not found.console.cookies.keep(response, visit):
        return _asked(found, problem=found.say("login.too_large"), status=400)
    found.console.cookies.forget(response, nobodys=True)
    if found.visit.session != session:
        await _ended(found, found.visit.session, await token_text(found))
    return response


async def _ended(found: Page, session: UUID | None, text: str | None) -> None:
    """Let a session end now, that nobody holds any more; `text`: its token, None where it has ended by itself."""
    if session is not None and text is not None:
        await replace(found.ask, token=text, purpose=None)("LogOut")


async def _log_in_by_token(found: Page) -> Response:
    """In demo mode, a token of `scripts/needful token`."""
    if not found.console.demo:
        return _asked(found, problem=found.say("login.no_demo"), status=403)
    return await _begun(found, found.form.get("token", "").strip(), keep=True)


async def _log_in_by_code(found: Page) -> Response:
    """With the code that came back from the issuer of staff, which only this browser can use."""
    staff_login = found.console.issuer()
    if staff_login is None:
        return _asked(found, problem=found.say("login.no_issuer"), status=403)
    response = await _redeemed(staff_login, found.http, found.form.get("code", ""))
    said = orjson.loads(response.body)
    if response.status_code != _OK:
        first = said["errors"][0]
        return _asked(found, problem=Problem(first["extensions"]["code"], first["message"]), status=400)
    return await _begun(found, said["accessToken"])


async def _redeemed(staff_login: StaffLogin, http: Request, code: str) -> Response:
    cookies = [(name, value) for name, value in http.scope["headers"] if name == b"cookie"]
    sent = iter([{"type": "http.request", "body": orjson.dumps({"code": code}), "more_body": False}])

    async def receive() -> Message:
        return next(sent, {"type": "http.disconnect"})

    return await staff_login.redeem(Request({**http.scope, "path": REDEEM, "headers": cookies}, receive))


async def _log_out(found: Page) -> Response:
    """End the session; a token stays good until its time, but this browser forgets it."""
    await _ended(found, found.visit.session, found.text)
    response = Response(status_code=SEE_OTHER, headers={**HEADERS, "Location": LOGIN})
    found.console.cookies.forget(response)
    return response


async def _prefer(found: Page) -> Response:
    """Remember a language or a theme, and go back."""
    response = found.go(local(found.form.get("back", "")) if found.form.get("back") != LOGIN else LOGIN)
    secure = found.console.cookies.secure
    if found.form.get("language") in {one.value for one in Language}:
        keep_choice(response, LANGUAGE_COOKIE, found.form["language"], secure=secure)
    if found.form.get("theme") in THEMES:
        keep_choice(response, THEME_COOKIE, found.form["theme"], secure=secure)
    return response


ROUTES = (
    Route(LOGIN, open_page(_login_page), methods=["GET"]),
    Route(LOGIN, open_page(_log_in), methods=["POST"]),
    Route(f"{LOGIN}/token", open_page(_log_in_by_token), methods=["POST"]),
    Route(f"{LOGIN}/code", open_page(_log_in_by_code), methods=["POST"]),
    Route("/console/logout", page(_log_out, *Role), methods=["POST"]),
    Route("/console/preferences", open_page(_prefer), methods=["POST"]),
)
