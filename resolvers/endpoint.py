"""The endpoint: GraphQL over HTTP, both media types; no document is parsed before the caller or its hash is known."""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import orjson
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Message, Receive

from authz.bodies import BodyTooLargeError, receive_body
from authz.ruleset_watch import RulesetWatch
from authz.seen import Seen, seen_in
from authz.subjects import ANONYMOUS, Subject
from models.faults import place
from models.vocabulary import Purpose
from resolvers.authentication import Authentication
from resolvers.limits import MAX_BODY
from resolvers.media_types import GRAPHQL, JSON, is_json, media_type
from resolvers.operations import Request, Service
from resolvers.payloads import Attempt
from resolvers.problems import NO_NUL, Code, RequestRefusedError, bad_input, purpose_names
from resolvers.rates import Rates
from resolvers.registered import hash_named, hash_of
from resolvers.report import Answer
from resolvers.serving.heads import Asking, Head, HeadFields
from resolvers.serving.whole_responses import Whole

_log = logging.getLogger("needful.http")

MODE = "x-authorization-mode"
AT_LEAST = "x-ruleset-at-least"
_LONGEST_NUMBER = 9
ONCE = "idempotency-key"
_LONGEST_KEY = 255
_SINGLE = ("authorization", "x-purpose", MODE, AT_LEAST, ONCE, "content-type")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Answers `/graphql` requests with a service."""

    service: Service
    authentication: Authentication
    rates: Rates
    rulesets: RulesetWatch
    partial_status: int = 200
    """Status of data with errors: 200, or 294 for those who want the newer recommendation."""

    async def __call__(self, http: HttpRequest) -> Response:
        """Answer one HTTP request of Starlette's."""
        return (await self.respond(Head(http.scope), http.receive)).response()

    async def respond(self, head: Head, receive: Receive) -> Whole:
        """Answer one HTTP request; every refusal and fault has its code and status, none a traceback."""
        media = media_type(head.headers.get("accept", ""))
        try:
            answer = await self._answer(head, receive, media)
        except RequestRefusedError as refusal:
            seen_in(head.scope).code = refusal.code.name
            return _refused(refusal, media or JSON)
        except ClientDisconnect:
            return Whole(400, media or JSON, b"")
        except Exception as fault:  # noqa: BLE001 - whatever it is, the client gets an id and nothing else
            seen_in(head.scope).code = Code.INTERNAL.name
            return _defect(fault, media or JSON)
        if media != GRAPHQL:
            return Whole(200, JSON, answer.encoded)
        return Whole(self.partial_status if answer.partial else answer.status, GRAPHQL, answer.encoded)

    async def _answer(self, head: Head, receive: Receive, media: str | None) -> Answer:
        if head.method not in ("GET", "POST"):
            message = "Use POST, or GET for queries."
            raise RequestRefusedError(Code.METHOD_NOT_ALLOWED, message, headers={"Allow": "GET, POST"})
        if media is None:
            message = f"This endpoint answers with {GRAPHQL} or {JSON}. Accept one of them."
            raise RequestRefusedError(Code.UNSUPPORTED_MEDIA_TYPE, message)
        _check_headers(head.headers)
        known = "authorization" in head.headers
        if not known:
            await self.rates.anonymous(head.scope)
        body = await _body(head, receive) if head.method == "POST" else b""
        subject = await self.subject(head) if known else ANONYMOUS
        purpose = _purpose(head.headers.get("x-purpose"), subject) if known else None
        await self._check_ruleset(head.headers.get(AT_LEAST))
        given = await self._with_document(head, await self._given(head, body, known), known)
        attempt = partial(self.rates.log_in, head.scope)
        request = _request(
            given, strict=_strict(head), read_only=head.method == "GET", attempt=attempt, idempotency_key=_key(head)
        )
        seen = seen_in(head.scope)
        seen.purpose = purpose or (subject.purposes[0] if len(subject.purposes) == 1 else None)
        try:
            answer = await self.service.answer(request, subject, purpose)
        except RequestRefusedError:
            document = self.service.documents.known(request.query)
            seen.operation_hash = document.shape_hash if document else None
            raise
        _note(seen, answer)
        return answer

    async def subject(self, http: Asking) -> Subject:
        """Who asks, within their rate; a bad token counts as nobody's. Raises UNAUTHENTICATED, RATE_LIMITED."""
        try:
            token = await self.authentication.token(http)
        except RequestRefusedError as refusal:
            if refusal.code is Code.UNAUTHENTICATED:
                await self.rates.anonymous(http.scope)
            raise
        await self.rates.subject(http.scope, token.subject.identity)
        await self.authentication.prove(http, token)
        seen_in(http.scope).known(token.subject)
        return token.subject

    async def _given(self, http: Head, body: bytes, known: bool) -> dict[str, Any]:  # noqa: FBT001
        try:
            return _posted(http, body) if http.method == "POST" else _got(HttpRequest(http.scope))
        except RequestRefusedError:
            if not known:
                await self.authentication.token(http)  # says what it takes, and nothing of the request
            raise

    async def _with_document(self, http: Head, given: dict[str, Any], known: bool) -> dict[str, Any]:  # noqa: FBT001
        """The request with the document that it names by hash. Whoever is not known runs registered ones only.

        Raises OPERATION_NOT_REGISTERED, UNAUTHENTICATED or BAD_REQUEST; nothing has been parsed until then.
        """
        query, named = given.get("query"), hash_named(given)
        if named is None:
            if not known and not (isinstance(query, str) and await self.service.registered.find(hash_of(query))):
                await self.authentication.token(http)  # says what it takes
            return given
        if query is not None and not (isinstance(query, str) and hash_of(query) == named):
            raise _bad_request("The query is not the document of that hash. Send one of the two.")
        text = await self.service.registered.find(named, known=known)
        if text is None and query is not None and known:
            # A client that sends text and hash, as those do that persist queries on the fly, sent all there is to send.
            return given
        if text is None:
            message = "No operation of that hash is registered. Send the document itself, with a token."
            raise RequestRefusedError(Code.OPERATION_NOT_REGISTERED, message)
        return {**given, "query": text}

    async def _check_ruleset(self, wanted: str | None) -> None:
        """See that the ruleset is up to date. Raises RULESET_BEHIND if after a second it is older than asked for."""
        await self.rulesets.current()
        if wanted is None:
            return
        if not (wanted.isascii() and wanted.isdecimal() and len(wanted) <= _LONGEST_NUMBER):
            message = f"X-Ruleset-At-Least is the number of a ruleset: 1 to {_LONGEST_NUMBER} digits and nothing else."
            raise bad_input(AT_LEAST, message)
        if not await self.rulesets.rulesets.reach(int(wanted)):
            number = self.rulesets.rulesets.number
            message = f"The ruleset in force is {number}, older than asked for. Try again shortly."
            raise RequestRefusedError(
                Code.RULESET_BEHIND, message, extensions={"ruleset": number}, headers={"Retry-After": "1"}
            )


def within(http: HttpRequest, token: str | None, body: Mapping[str, Any], *, purpose: str | None = None) -> HttpRequest:
    """A request to the API by whoever sent this one: from the same address, with a token if there is one."""
    text = orjson.dumps(body)
    headers = [(b"content-type", b"application/json"), (b"accept", GRAPHQL.encode())]
    if token is not None:
        headers.append((b"authorization", b"Bearer " + token.encode()))
    if purpose is not None:
        headers.append((b"x-purpose", purpose.encode()))
    scope = {**http.scope, "method": "POST", "path": "/graphql", "raw_path": b"/graphql", "query_string": b""}
    sent = iter([{"type": "http.request", "body": text, "more_body": False}])

    async def receive() -> Message:
        return next(sent, {"type": "http.disconnect"})

    return HttpRequest({**scope, "headers": headers}, receive)


def _note(seen: Seen, answer: Answer) -> None:
    """Leave beside the request what was decided, cells by effect and reason; of what is refused nothing was shown."""
    if answer.status == Code.FIELD_DENIED.status:
        seen.code, seen.recorded = Code.FIELD_DENIED.name, True
    decided = answer.decided
    if decided is not None:
        seen.decision, seen.purpose, seen.cells = decided.decision, Purpose(decided.purpose), decided.cells


def _json(body: Mapping[str, Any], status: int, media: str, *, headers: Mapping[str, str] | None = None) -> Whole:
    return Whole(status, media, orjson.dumps(body), headers or None)


def _check_headers(fields: HeadFields) -> None:
    """Raises BAD_REQUEST for a header of ours that stands twice: what is before us may have read the other one."""
    if fields.repeats:
        for name in _SINGLE:
            if len(fields.getlist(name)) > 1:
                raise _bad_request(f"The header {name!r} stands twice.")
    if fields.get("content-encoding", "identity").lower() != "identity":
        message = "Send the request without a Content-Encoding."
        raise RequestRefusedError(Code.UNSUPPORTED_MEDIA_TYPE, message)


async def _body(head: Head, receive: Receive) -> bytes:
    since = perf_counter()
    try:
        return await receive_body(receive, declared=head.headers.get("content-length", ""), most=MAX_BODY)
    except BodyTooLargeError:
        raise _too_large() from None
    finally:
        head.waited += perf_counter() - since


def _too_large() -> RequestRefusedError:
    # The connection stays: the server throws away what still comes. Closed at once, many clients lose the answer.
    message = f"The request is larger than {MAX_BODY} bytes. Send less."
    return RequestRefusedError(Code.BODY_TOO_LARGE, message, extensions={"max": MAX_BODY})


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


def _posted(http: Head, body: bytes) -> dict[str, Any]:
    if not is_json(http.headers.get("content-type", "")):
        message = f"Send the request as {JSON} in UTF-8."
        raise RequestRefusedError(Code.UNSUPPORTED_MEDIA_TYPE, message)
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _bad_request("The body is not JSON of valid Unicode.") from None
    if not isinstance(given, dict):
        raise _bad_request("The body must be a JSON object with a member 'query'.")
    return given


def _got(http: HttpRequest) -> dict[str, Any]:
    if len(http.url.query) > MAX_BODY:
        raise _too_large()
    texts = ("query", "operationName", "documentId")
    given: dict[str, Any] = {name: http.query_params[name] for name in texts if name in http.query_params}
    for name in ("variables", "extensions"):
        text = http.query_params.get(name)
        if text:
            try:
                given[name] = orjson.loads(text)
            except orjson.JSONDecodeError:
                raise _bad_request(f"The parameter {name!r} is not JSON.") from None
    return given


def _strict(http: Head) -> bool:
    mode = http.headers.get(MODE)
    if mode is None:
        return False
    if mode.strip().lower() != "strict":
        raise bad_input(MODE, "X-Authorization-Mode is 'strict' or absent.")
    return True


def _key(http: Head) -> str | None:
    """The client's idempotency key. Raises BAD_USER_INPUT for one that cannot be."""
    key = http.headers.get(ONCE)
    if key is None:
        return None
    key = key.strip()
    if not (key.isascii() and key.isprintable() and 0 < len(key) <= _LONGEST_KEY):
        raise bad_input(ONCE, f"An Idempotency-Key has 1 to {_LONGEST_KEY} printable ASCII characters.")
    return key


def _request(
    given: Mapping[str, Any], *, strict: bool, read_only: bool, attempt: Attempt, idempotency_key: str | None
) -> Request:
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
    return Request(query, name or None, variables, strict, read_only, attempt, idempotency_key)


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


def _refused(refusal: RequestRefusedError, media: str) -> Whole:
    code = refusal.code
    if code is Code.UNAVAILABLE:
        _log.error("unavailable: %s", place(refusal.__cause__ or refusal))
    return _json({"errors": refusal.errors}, _status(code, media), media, headers=refusal.headers)


def _status(code: Code, media: str) -> int:
    return code.status if media == GRAPHQL or code.always else 200


def defect(fault: Exception, media: str) -> Response:
    """A defect: the log has its place under an id; the client gets the id and nothing else."""
    return _defect(fault, media).response()


def _defect(fault: Exception, media: str) -> Whole:
    fault_id = secrets.token_hex(8)
    _log.error("fault %s: %s", fault_id, place(fault))
    error = {"message": "Something went wrong here.", "extensions": {"code": Code.INTERNAL.name, "id": fault_id}}
    return _json({"errors": [error]}, _status(Code.INTERNAL, media), media)
