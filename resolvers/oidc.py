"""Staff log in with their OpenID Connect issuer: `/oidc/login`, `/oidc/callback` and `/oidc/redeem` (C49, C51).

What a log-in has to remember meanwhile travels in a sealed, short-lived cookie; each one ends once, well or not. With
`return_to` the browser comes back to a page of this service with a code that is good once, for a minute.
"""

import hashlib
import hmac
import json
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from authz.bodies import BodyTooLargeError, read_body
from authz.compile import Snapshot
from authz.faults import UnavailableError
from authz.oidc.id_tokens import Disbelieved, Expected, believe, has_second_factor
from authz.oidc.issuer import CodeRefusedError, Issuer, IssuerUnavailableError
from authz.oidc.members import Member, Unknown, admit
from authz.seen import seen_in
from authz.sessions import Opened, Owner, Refusal, Sessions
from authz.used_proofs import proof_id, use
from ledger.append import add_alone
from ledger.rows import Kind, Operation, Outcome
from models.faults import NO_ANSWER
from models.vocabulary import Purpose, Role
from resolvers.problems import Code, RequestRefusedError
from vault.messages import close_message, open_message

LOGIN, CALLBACK, REDEEM = "/oidc/login", "/oidc/callback", "/oidc/redeem"
_LASTS = timedelta(minutes=10)
_CODE_LASTS = timedelta(seconds=60)
_COOKIE = "needful-oidc"
_PENDING, _CODE = b"oidc log-in", b"oidc code"
_LONGEST_CODE = 4096
_MAX_BODY = 2 * _LONGEST_CODE
"""Bytes of a request to redeem a code."""
_LOCAL_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,500}")
"""A path of this very service: `//host` and `/\\host` are other hosts to a browser."""
_SAFE = {"Cache-Control": "no-store"}
_ROLE_OF = "SELECT role FROM staff WHERE id = $1"
_AGAIN = f"Begin again at {LOGIN}."
_MESSAGES = {
    Unknown.NO_ROLE: "Nothing that the issuer says of you stands for a role here. Ask your administrator for one.",
    Unknown.SEVERAL_ROLES: "What the issuer says of you stands for several roles. Ask your administrator for one.",
    Unknown.LEFT: "You have left. Ask your administrator if that is wrong.",
    Unknown.USERNAME_INVALID: "The issuer gives you no work name of 2 to 64 letters, digits, dots, @ and hyphens.",
    Unknown.USERNAME_TAKEN: "Your work name belongs to somebody else here. Ask your administrator for another.",
}
_CEILING = "SESSION_CEILING"
_RECORDED = frozenset({*(one.value for one in Unknown), _CEILING})
"""Refusals whose rows are written where they are found; others are counted, for nobody is known by then."""
_log = logging.getLogger("needful.oidc")


def routes() -> list[Route]:
    """The routes; whom they log in with is the application's `state.staff_login`."""
    return [
        Route(LOGIN, _step(StaffLogin.login), methods=["GET"]),
        Route(CALLBACK, _step(StaffLogin.callback), methods=["GET"]),
        Route(REDEEM, _step(StaffLogin.redeem), methods=["POST"]),
    ]


def _step(
    answer: Callable[["StaffLogin", HttpRequest], Awaitable[Response]],
) -> Callable[[HttpRequest], Awaitable[Response]]:
    async def answered(http: HttpRequest) -> Response:
        return await answer(http.app.state.staff_login, http)

    return answered


@dataclass(frozen=True, slots=True)
class StaffLogin:
    """Logs staff in with one issuer."""

    issuer: Issuer
    sessions: Sessions
    pool: Any
    key: bytes
    """Seals what travels with the browser."""
    secure: bool
    """Is the service reached by HTTPS? Only then may a cookie say so."""
    snapshot: Callable[[], Snapshot]
    clock: Callable[[], datetime]

    async def login(self, http: HttpRequest) -> Response:
        """Send the browser to the issuer."""
        return await _answered(http, self._login(http))

    async def callback(self, http: HttpRequest) -> Response:
        """The browser comes back from the issuer; whatever comes of it, this log-in is over."""
        response = await _answered(http, self._callback(http))
        response.delete_cookie(self._cookie, path="/", secure=self.secure, httponly=True, samesite="lax")
        return response

    async def redeem(self, http: HttpRequest) -> Response:
        """A session for the code that came with `return_to`."""
        return await _answered(http, self._redeem(http))

    @property
    def _cookie(self) -> str:
        return f"__Host-{_COOKIE}" if self.secure else _COOKIE

    async def _login(self, http: HttpRequest) -> Response:
        return_to = _single(http, "return_to")
        if return_to is not None and not _LOCAL_PATH.fullmatch(return_to):
            raise _refused("RETURN_TO", "return_to must be a path of this service, such as /graphql.")
        pending = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
        url = await self.issuer.authorization_url(**pending)
        response = RedirectResponse(url, status_code=303, headers=_SAFE)
        sealed = self._seal({**pending, "return_to": return_to}, _PENDING, self.clock() + _LASTS)
        self._set_cookie(response, self._cookie, sealed, _LASTS)
        return response

    async def _callback(self, http: HttpRequest) -> Response:
        now = self.clock()
        pending = self._open(http.cookies.get(self._cookie, ""), _PENDING, now)
        state = _single(http, "state")
        if pending is None or state is None or not hmac.compare_digest(state.encode(), pending["state"].encode()):
            raise _refused("STATE_MISMATCH", f"This is not the answer to a log-in begun here. {_AGAIN}")
        if not await self._spend("oidc state", state, _LASTS):
            raise _refused("REPLAYED", f"This log-in is over. {_AGAIN}")
        await self._check_issuer(_single(http, "iss"))
        code = _single(http, "code")
        if _single(http, "error") is not None or code is None or len(code) > _LONGEST_CODE:
            raise _refused("ISSUER_REFUSED", f"The issuer has not let you in. {_AGAIN}")
        claims = await self._claims(code, pending)
        member = await self._admitted(claims, now)
        if pending["return_to"] is None:
            return await self._opened(member, now)
        browser = secrets.token_urlsafe(32)
        content = {"browser": browser, "staff": str(member.id), "at": now.timestamp()}
        sealed = self._seal(content, _CODE, now + _CODE_LASTS)
        address = f"{pending['return_to']}#{urlencode({'code': sealed})}"
        response = RedirectResponse(address, status_code=303, headers=_SAFE)
        # Only the browser that logged in can use the code: no link logs anybody in as somebody else.
        self._set_cookie(response, f"{self._cookie}-code", browser, _CODE_LASTS)
        return response

    def _set_cookie(self, response: Response, name: str, value: str, lasts: timedelta) -> None:
        seconds = int(lasts.total_seconds())
        response.set_cookie(name, value, max_age=seconds, secure=self.secure, httponly=True, samesite="lax")

    async def _check_issuer(self, named: str | None) -> None:
        """RFC 9207: an answer of another issuer is refused before its code goes anywhere (mix-up)."""
        expected = (await self.issuer.metadata()).names_itself
        if (named is None and expected) or (named is not None and named != self.issuer.settings.issuer):
            raise _refused("ISSUER_MISMATCH", f"This is the answer of another issuer. {_AGAIN}")

    async def _claims(self, code: str, pending: Mapping[str, Any]) -> Mapping[str, Any]:
        settings = self.issuer.settings
        try:
            text = await self.issuer.exchange(code, verifier=pending["verifier"])
        except CodeRefusedError:
            raise _refused("CODE_REFUSED", f"The issuer does not take its code. {_AGAIN}") from None
        expected = Expected(settings.issuer, settings.client_id, pending["nonce"])
        claims = believe(text, await self.issuer.keys(text), expected, now=self.clock())
        if isinstance(claims, Disbelieved):
            _log.warning("an ID token was refused: %s", claims.why)
            raise _refused("ID_TOKEN_REFUSED", f"Your log-in is refused: {claims.why}. {_AGAIN}")
        if not (settings.trust_mfa or has_second_factor(claims, settings.acr)):
            message = "Staff need a second factor, and the issuer does not say that you gave one."
            raise _refused("SECOND_FACTOR_MISSING", message, code=Code.UNAUTHENTICATED)
        return claims

    async def _admitted(self, claims: Mapping[str, Any], now: datetime) -> Member:
        async with self.pool.acquire() as connection:
            async with connection.transaction():
                claim = self.issuer.settings.username_claim
                member = await admit(connection, claims, username_claim=claim, now=now)
                if isinstance(member, Unknown):
                    await self._note(connection, CALLBACK, None, refused=member.value)
            # The refusal has been committed: what ended with it stays ended.
            if isinstance(member, Unknown):
                raise _refused(member.value, _MESSAGES[member], code=Code.UNAUTHENTICATED)
            return member

    async def _redeem(self, http: HttpRequest) -> Response:
        now = self.clock()
        try:
            given = json.loads(await read_body(http, most=_MAX_BODY))["code"]
            found = self._open(given, _CODE, now) if isinstance(given, str) and len(given) <= _LONGEST_CODE else None
        except BodyTooLargeError:
            message = f"The request is larger than {_MAX_BODY} bytes. Send less."
            raise RequestRefusedError(Code.BODY_TOO_LARGE, message, extensions={"max": _MAX_BODY}) from None
        except (ValueError, KeyError, TypeError, RecursionError):
            found = None
        browser = http.cookies.get(f"{self._cookie}-code", "")
        ours = found is not None and hmac.compare_digest(browser.encode(), found["browser"].encode())
        if found is None or not ours or not await self._spend("oidc code", browser, _CODE_LASTS):
            raise _refused("CODE_REFUSED", f"The code is wrong, used or older than a minute. {_AGAIN}")
        member = UUID(found["staff"])
        role = await self.pool.fetchval(_ROLE_OF, member)
        return await self._opened(Member(member, Role(role)), now, at=datetime.fromtimestamp(found["at"], UTC))

    async def _opened(self, member: Member, now: datetime, *, at: datetime | None = None) -> Response:
        async with self.pool.acquire() as connection, connection.transaction():
            opened = await self.sessions.open(
                connection, owner=Owner(staff=member.id), role=member.role, now=now, second_factor_at=at or now
            )
            refused = opened.value if isinstance(opened, Refusal) else None
            await self._note(connection, REDEEM if at else CALLBACK, member, refused=refused)
        if not isinstance(opened, Opened):
            if opened is Refusal.CEILING:
                message = "You have as many sessions as are allowed. End one of them first."
                raise _refused(_CEILING, message, code=Code.UNAUTHENTICATED)
            raise _refused(Unknown.LEFT.value, _MESSAGES[Unknown.LEFT], code=Code.UNAUTHENTICATED)
        return JSONResponse(_told(opened, member), headers=_SAFE)

    async def _note(self, connection: Any, path: str, member: Member | None, *, refused: str | None) -> None:  # noqa: ANN401
        """The ledger's row of a log-in (C59), in its transaction."""
        ruleset = self.snapshot().ruleset
        operation = Operation(
            Kind.LOGIN,
            uuid4(),
            self.clock(),
            Outcome.REFUSED if refused else Outcome.DONE,
            refused,
            role=member.role if member else Role.ANONYMOUS,
            account=member.id if member else None,
            purpose=Purpose.ACCOUNT_SERVICE,
            operation_hash=hashlib.sha256(path.encode()).hexdigest(),
            operation_name=path,
            ruleset=ruleset.number,
            digest=ruleset.digest,
        )
        await add_alone(connection, operation)

    async def _spend(self, kind: str, what: str, good_for: timedelta) -> bool:
        """Is this the first use?"""
        identifier = proof_id(kind, self.issuer.settings.issuer, what)
        return await use(self.pool, identifier, good_for=good_for.total_seconds())

    def _seal(self, content: Mapping[str, Any], context: bytes, until: datetime) -> str:
        message = json.dumps({**content, "until": until.timestamp()})
        return close_message(self.key, message.encode(), context=context)

    def _open(self, text: str, context: bytes, now: datetime) -> dict[str, Any] | None:
        message = open_message(self.key, text, context=context) if text.isascii() else None
        if message is None:
            return None
        found: dict[str, Any] = json.loads(message)
        return found if found["until"] > now.timestamp() else None


_UNAVAILABLE = (IssuerUnavailableError, UnavailableError, *NO_ANSWER)


async def _answered(http: HttpRequest, answer: Awaitable[Response]) -> Response:
    """The answer, or its refusal as every other."""
    seen = seen_in(http.scope)
    try:
        response = await answer
    except ClientDisconnect:
        return Response(status_code=400)
    except _UNAVAILABLE as fault:
        _log.error("a log-in could not go on: %s", type(fault).__name__)
        seen.code = Code.UNAVAILABLE.name
        message = "The issuer or the database does not answer at the moment. Try again later."
        return _error(Code.UNAVAILABLE, message, {})
    except RequestRefusedError as refusal:
        seen.code = refusal.errors[0]["extensions"].get("reason", refusal.code.name)
        seen.recorded = seen.code in _RECORDED
        return JSONResponse({"errors": refusal.errors}, refusal.code.status, headers={**_SAFE, **refusal.headers})
    return response


def _error(code: Code, message: str, extensions: Mapping[str, Any]) -> Response:
    body = {"errors": [{"message": message, "extensions": {"code": code.name, **extensions}}]}
    return JSONResponse(body, code.status, headers=_SAFE)


def _refused(reason: str, message: str, *, code: Code = Code.BAD_REQUEST) -> RequestRefusedError:
    headers = {"WWW-Authenticate": 'Bearer realm="needful"'} if code is Code.UNAUTHENTICATED else {}
    return RequestRefusedError(code, message, extensions={"reason": reason}, headers=headers)


def _single(http: HttpRequest, name: str) -> str | None:
    """A parameter. Raises BAD_REQUEST where it stands twice (RFC 6749, 3.1)."""
    values = http.query_params.getlist(name)
    if len(values) > 1:
        raise _refused("PARAMETER_TWICE", f"The parameter {name} stands twice. {_AGAIN}")
    return values[0] if values else None


def _told(opened: Opened, member: Member) -> dict[str, Any]:
    return {
        "role": member.role.value,
        "accessToken": opened.access.token,
        "accessExpiresAt": opened.access.expires_at.isoformat(),
        "refreshToken": opened.refresh_token,
        "sessionExpiresAt": opened.expires_at.isoformat(),
    }
