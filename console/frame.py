"""The frame of every page: who visits, in which language, which headers, and what a refusal looks like."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from authz.bodies import BodyTooLargeError, read_body
from authz.seen import seen_in
from authz.sessions import Refusal, Sessions
from authz.tokens import Token
from console.asking import Asker, Problem, Refused
from console.assets import address
from console.forms import fields_of
from console.languages import Language, Messages, messages, wanted
from console.visits import CSRF, Cookies, Visit
from models.faults import NO_ANSWER
from models.vocabulary import Role
from resolvers.endpoint import Endpoint, within
from resolvers.oidc import StaffLogin
from resolvers.problems import Code, RequestRefusedError

HOME, LOGIN = "/console", "/console/login"
ROLES = (Role.SECURITY_ADMIN, Role.PRIVACY_OFFICER, Role.AUDITOR, Role.DEVELOPER)
"""For whom the console is."""
EDITORS = (Role.SECURITY_ADMIN,)
WATCHERS = (Role.SECURITY_ADMIN, Role.PRIVACY_OFFICER, Role.AUDITOR)
NAVIGATION = (
    ("matrix", WATCHERS),
    ("drafts", WATCHERS),
    ("history", WATCHERS),
    ("explain", (Role.SECURITY_ADMIN, Role.AUDITOR, Role.DEVELOPER)),
    ("review", (Role.SECURITY_ADMIN, Role.AUDITOR)),
    ("glass", WATCHERS),
    ("fields", (Role.DEVELOPER, Role.SECURITY_ADMIN)),
    ("preview", (Role.DEVELOPER,)),
)
"""What stands at the top, for whom. What a page may show is the API's to say."""
MAX_FORM = 256 * 1024
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    # With `no-referrer` a browser says of no form where it comes from.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Cookie, Accept-Language",
}
THEMES = ("auto", "light", "dark")
LANGUAGE_COOKIE, THEME_COOKIE = "needful-language", "needful-theme"
SEE_OTHER = 303
_KEPT_SECONDS = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Console:
    """What the pages are made with."""

    endpoint: Endpoint
    sessions: Sessions
    issuer: Callable[[], StaffLogin | None]
    """Gives whom staff log in with elsewhere, where that is configured."""
    cookies: Cookies
    clock: Callable[[], datetime]
    demo: bool


@dataclass(frozen=True, slots=True)
class Page:
    """One request for a page: whose it is, and how its answer is written."""

    console: Console
    http: Request
    visit: Visit
    token: Token | None = None
    text: str | None = field(default=None, repr=False)
    """The token's text."""
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What was posted, checked to come from this visit."""

    @property
    def role(self) -> Role | None:
        """As what somebody visits."""
        return self.token.subject.role if self.token else None

    @property
    def say(self) -> Messages:
        """The messages of the reader's language."""
        return messages(wanted(self.http.cookies.get(LANGUAGE_COOKIE), self.http.headers.get("accept-language", "")))

    @property
    def ask(self) -> Asker:
        """Asks the API as whoever visits."""
        return Asker(self.console.endpoint, self.http, self.text)

    def given(self, name: str) -> str:
        """A field of the form, or a parameter of the address; empty where it is missing."""
        return self.form.get(name, "").strip() or self.http.query_params.get(name, "").strip()

    def refused(self, status: int, code: str, key: str) -> Refused:
        """A refusal of the console's own, by the key of what it says."""
        return Refused(status, code, self.say(key), ours=True)

    def render(self, name: str, *, status: int = 200, **given: Any) -> Response:  # noqa: ANN401 - what templates take
        """A page. Whoever has no cookie yet gets one."""
        theme = self.http.cookies.get(THEME_COOKIE, THEMES[0])
        role, say = self.role, self.say
        cookies = self.console.cookies
        done = cookies.told(self.http, self.visit)
        problem = given.pop("problem", None)
        text = _TEMPLATES.get_template(name).render(
            say=say,
            language=say.language,
            languages=Language,
            theme=theme if theme in THEMES else THEMES[0],
            themes=THEMES,
            ours=self._ours,
            role=role,
            edits=role in EDITORS,
            navigation=[one for one, roles in NAVIGATION if role in roles],
            path=self.http.url.path,
            here=self.http.url.path + (f"?{self.http.url.query}" if self.http.url.query else ""),
            done=done,
            problem=Problem("", problem) if isinstance(problem, str) else problem,
            **given,
        )
        response = HTMLResponse(text, status, headers={**HEADERS, "Content-Language": say.language})
        if not self.visit.known and cookies.nobodys(self.http) != self.visit:
            cookies.keep(response, self.visit)
        if done:
            cookies.told_once(response)
        return response

    def _ours(self) -> Markup:
        """What stands in every form."""
        return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF, self.visit.csrf)

    def go(self, path: str, *, done: str | None = None) -> Response:
        """On to another page after a form (RFC 9110, 303); `done` is the key of what is told there."""
        response = RedirectResponse(path, SEE_OTHER, headers=HEADERS)
        if done:
            self.console.cookies.tell(response, self.visit, done)
        return response


Answers = Callable[[Page], Awaitable[Response]]


def page(answer: Answers, *roles: Role) -> Callable[[Request], Awaitable[Response]]:
    """An address that answers `roles`: others read that it is not for them, and nobody in particular logs in first."""

    async def answered(http: Request) -> Response:
        console: Console = http.app.state.console
        visit = console.cookies.visit(http) or Visit.new()
        return await _guarded(Page(console, http, visit), lambda found: _known(found, answer, roles))

    return answered


def open_page(answer: Answers) -> Callable[[Request], Awaitable[Response]]:
    """An address that needs nobody in particular; a form still has to be ours."""

    async def answered(http: Request) -> Response:
        console: Console = http.app.state.console
        visit = console.cookies.visit(http) or Visit.new()
        return await _guarded(Page(console, http, visit), lambda found: _posted(found, answer))

    return answered


async def _known(found: Page, answer: Answers, roles: tuple[Role, ...]) -> Response:
    text = await token_text(found)
    if text is None:
        return _to_login(found)
    inner = within(found.http, text, {})
    token = await found.console.endpoint.authentication.token(inner)
    here = Page(found.console, found.http, found.visit, token, text)
    if here.role not in roles:
        return here.render("forbidden.html", status=403, whose=here.role)
    return await _posted(here, answer)


async def token_text(found: Page) -> str | None:
    """The access token of whoever visits; None for nobody, and for a session that has ended."""
    if found.visit.session is None:
        return found.visit.token
    console = found.console
    async with console.endpoint.service.pool.acquire() as connection:
        access = await console.sessions.access(connection, found.visit.session, now=console.clock())
    return None if isinstance(access, Refusal) else access.token


async def _posted(found: Page, answer: Answers) -> Response:
    """Whatever changes something is a form of this visit, sent by a page of ours."""
    if found.http.method != "POST":
        return await answer(found)
    try:
        form = fields_of(found.http, await read_body(found.http, most=MAX_FORM))
    except BodyTooLargeError:
        raise found.refused(413, "BODY_TOO_LARGE", "refusal.too_large") from None
    cookies, given = found.console.cookies, form.get(CSRF, "")
    # Where nobody in particular is asked for, a page may have been shown before somebody's cookie came along.
    nobodys = cookies.nobodys(found.http) if found.token is None else None
    if not any(cookies.ours(found.http, one, given) for one in (cookies.visit(found.http), nobodys)):
        seen_in(found.http.scope).code = Code.BAD_REQUEST.name
        raise found.refused(403, "FORM_NOT_OURS", "refusal.not_ours")
    return await answer(Page(found.console, found.http, found.visit, found.token, found.text, form))


async def _guarded(found: Page, answer: Answers) -> Response:
    try:
        return await answer(found)
    except RequestRefusedError as refusal:
        first = refusal.errors[0]
        return _refused(found, Refused(refusal.code.status, refusal.code.name, first["message"]))
    except Refused as refusal:
        return _refused(found, refusal)
    except NO_ANSWER:
        return _refused(found, found.refused(503, Code.UNAVAILABLE.name, "refusal.unavailable"))


def _refused(found: Page, refusal: Refused) -> Response:
    if refusal.code == Code.UNAUTHENTICATED.name:
        return _to_login(found)
    response = found.render("refused.html", status=refusal.status, refusal=refusal)
    if refusal.retry_after:
        response.headers["Retry-After"] = refusal.retry_after
    return response


def _to_login(found: Page) -> Response:
    """Whoever was somebody reads that it is over, and comes back to where they were."""
    asked = found.http.url.path + (f"?{found.http.url.query}" if found.http.url.query else "")
    if found.http.method == "GET" and found.http.headers.get("sec-fetch-site") == "cross-site":
        # A link from elsewhere comes without the cookie, even of somebody who is logged in: our own page asks again.
        return found.render("again.html", to=asked)
    to = f"?to={quote(asked, safe='')}" if found.http.method == "GET" and asked != HOME else "?"
    over = "&over=1" if found.visit.known else ""
    response = RedirectResponse(f"{LOGIN}{to}{over}".rstrip("?").replace("?&", "?"), SEE_OTHER, headers=HEADERS)
    if found.visit.known:
        found.console.cookies.forget(response)
    return response


def keep_choice(response: Response, name: str, value: str, *, secure: bool) -> None:
    """Let the browser remember a choice of language or theme."""
    response.set_cookie(name, value, max_age=_KEPT_SECONDS, secure=secure, httponly=True, samesite="strict")


def _moment(text: str | None) -> str:
    """A moment of the API, RFC 3339 in Shanghai's time, as people read it there."""
    return text[:19].replace("T", " ") if text else "–"


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["asset"] = address
_TEMPLATES.filters["moment"] = _moment
