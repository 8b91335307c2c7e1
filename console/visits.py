"""Who visits the console: a session kept in a sealed cookie, and that a form came from a page of ours (C50, C53).

The cookie names a session, or in demo mode holds a token. It is good for nothing by itself: at each page the session
has to live and its token to stand, as at the API. `csrf` stands in every form of the same visit. Nobody in particular
has a cookie of another name: however a page was come by, it never takes the place of somebody's.
"""

import hmac
import json
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from vault.messages import close_message, open_message

CSRF = "csrf"
"""The field of a form that shows it is ours."""
_COOKIE, _NOBODYS, _DONE = "needful-console", "needful-console-guest", "needful-console-done"
_CONTEXTS = {_COOKIE: b"console visit", _NOBODYS: b"console guest", _DONE: b"console done"}
_DONE_SECONDS = 60
_LONGEST = 4_000
"""Of a cookie, in bytes: what browsers keep."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One browser: nobody yet, or somebody by a session or by a token."""

    csrf: str = field(repr=False)
    session: UUID | None = None
    token: str | None = field(default=None, repr=False)

    @classmethod
    def new(cls) -> "Visit":
        """Of nobody."""
        return cls(secrets.token_urlsafe(24))

    @property
    def known(self) -> bool:
        """Has somebody logged in?"""
        return self.session is not None or self.token is not None


@dataclass(frozen=True, slots=True)
class Cookies:
    """Puts visits into cookies and takes them out again."""

    key: bytes = field(repr=False)
    public_url: str
    """Where clients reach this service: over HTTPS a cookie says so, and is bound to the host."""

    @property
    def secure(self) -> bool:
        """Is the service reached over HTTPS?"""
        return self.public_url.startswith("https://")

    def visit(self, http: Request) -> Visit | None:
        """The visit that a request belongs to, somebody's first; None for none, or a cookie that is not ours."""
        return self._read(http, _COOKIE) or self.nobodys(http)

    def nobodys(self, http: Request) -> Visit | None:
        """The visit of this browser before anybody logs in."""
        return self._read(http, _NOBODYS)

    def _read(self, http: Request, name: str) -> Visit | None:
        message = self._opened(http, name)
        if message is None:
            return None
        found = json.loads(message)
        session = found["session"] and UUID(found["session"])
        return Visit(found["csrf"], session, found["token"])

    def keep(self, response: Response, visit: Visit) -> bool:
        """Let the browser keep a visit until it is closed; False if it is too large for one."""
        said = {"csrf": visit.csrf, "session": visit.session and str(visit.session), "token": visit.token}
        return self._set(response, _COOKIE if visit.known else _NOBODYS, json.dumps(said))

    def forget(self, response: Response, *, nobodys: bool = False) -> None:
        """Nobody is logged in any more; or, `nobodys`, somebody is."""
        self._delete(response, _NOBODYS if nobodys else _COOKIE)

    def tell(self, response: Response, visit: Visit, done: str) -> None:
        """Let the next page of this visit say what was done."""
        self._set(response, _DONE, json.dumps([visit.csrf, done]), seconds=_DONE_SECONDS)

    def told(self, http: Request, visit: Visit) -> str | None:
        """What the page before did: the service itself said so, to this very visit."""
        message = self._opened(http, _DONE)
        csrf, done = json.loads(message) if message else ("", None)
        return done if csrf == visit.csrf else None

    def told_once(self, response: Response) -> None:
        """It has been said."""
        self._delete(response, _DONE)

    def _named(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name

    def _opened(self, http: Request, name: str) -> bytes | None:
        text = http.cookies.get(self._named(name), "")
        return open_message(self.key, text, context=_CONTEXTS[name]) if text.isascii() else None

    def _set(self, response: Response, name: str, text: str, *, seconds: int | None = None) -> bool:
        sealed = close_message(self.key, text.encode(), context=_CONTEXTS[name])
        if len(sealed) > _LONGEST:
            return False
        named, secure = self._named(name), self.secure
        response.set_cookie(named, sealed, max_age=seconds, secure=secure, httponly=True, samesite="strict")
        return True

    def _delete(self, response: Response, name: str) -> None:
        response.delete_cookie(self._named(name), secure=self.secure, httponly=True, samesite="strict")

    def ours(self, http: Request, visit: Visit | None, given: str) -> bool:
        """Did this form come from a page of this very visit? Its token has to fit, and the browser must not say no."""
        if visit is None or not hmac.compare_digest(given.encode(), visit.csrf.encode()):
            return False
        site = http.headers.get("sec-fetch-site")
        if site is not None and site != "same-origin":
            return False
        origin = http.headers.get("origin")
        if origin is None:
            return site is not None
        return origin in (_origin(self.public_url), f"{http.url.scheme}://{http.headers.get('host', '')}")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
