"""The ledger's signed head and its proofs: `/ledger/head`, `/ledger/consistency` and `/ledger/inclusion`.

Anybody may ask, within the rate of anonymous callers: hashes and numbers say nothing of a person. A row's text calls a
person the same for everybody, so that a partner or a seat that read it could tell that two of its ids are one person's,
or another recipient's too (C21, C37). It is for auditors, and for customers and guardians of what they did themselves.
"""

import hashlib
import logging
import re
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from authz.seen import seen_in
from authz.subjects import Subject
from ledger.bodies import Said, read_body
from ledger.head_keys import PublicKeys
from ledger.heads import Head, HeadsError
from ledger.proofs import growth, indexes_of, leaf_of, text_of
from ledger.recorder import NotRecordedError, Recorder
from ledger.rows import Kind, Operation
from ledger.sealer import last_head
from models.faults import NO_ANSWER
from models.vocabulary import PERSON_ROLES, Purpose, Role
from resolvers.authentication import Authentication
from resolvers.problems import Code, RequestRefusedError, bad_input, unavailable
from vault.keyring import KeyringError

HEAD, CONSISTENCY, INCLUSION = "/ledger/head", "/ledger/consistency", "/ledger/inclusion"
_AGAIN_SECONDS = "2"
_SAFE = {"Cache-Control": "no-store"}
_NUMBER = re.compile(r"[0-9]{1,18}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FAULTS = (*NO_ANSWER, HeadsError, KeyringError, KeyError)
_log = logging.getLogger("needful.ledger")


def routes() -> list[Route]:
    """The routes; who answers them is the application's `state.transparency`."""
    return [
        Route(HEAD, _step(Transparency.head), methods=["GET"]),
        Route(CONSISTENCY, _step(Transparency.consistency), methods=["GET"]),
        Route(INCLUSION, _step(Transparency.inclusion), methods=["GET"]),
    ]


def _step(
    answer: Callable[["Transparency", HttpRequest], Awaitable[dict[str, Any]]],
) -> Callable[[HttpRequest], Awaitable[Response]]:
    async def answered(http: HttpRequest) -> Response:
        try:
            try:
                return JSONResponse(await answer(http.app.state.transparency, http), headers=_SAFE)
            except _FAULTS as fault:
                _log.error("a proof could not be given: %s", type(fault).__name__)
                raise unavailable() from fault
        except RequestRefusedError as refusal:
            seen = seen_in(http.scope)
            # That somebody is to come again in a moment is counted, and no refusal that anybody's behaviour shows.
            seen.code, seen.recorded = refusal.code.name, refusal.code is Code.NOT_SEALED
            headers = {**_SAFE, **refusal.headers}
            return JSONResponse({"errors": refusal.errors}, refusal.code.status, headers=headers)

    return answered


@dataclass(frozen=True, slots=True)
class Transparency:
    """Answers what anybody may ask of the ledger."""

    pool: Any
    keys: PublicKeys
    authentication: Authentication
    """Of `INCLUSION`, whose address a proof of possession names."""
    recorder: Recorder
    clock: Callable[[], datetime]

    async def head(self, _: HttpRequest) -> dict[str, Any]:
        """The latest signed head."""
        return self._told(await self._latest())

    async def consistency(self, http: HttpRequest) -> dict[str, Any]:
        """That the tree of `second` rows begins with that of `first`."""
        latest = await self._latest()
        first, second = _number(http, "first"), _number(http, "second")
        if first is None or not 1 <= first <= latest.size:
            raise bad_input("first", f"The argument 'first' must be a number of rows from 1 to {latest.size}.")
        if second is None or not first <= second <= latest.size:
            raise bad_input("second", f"The argument 'second' must be a number of rows from {first} to {latest.size}.")
        grown = await growth(self.pool, first, second)
        return {
            "first": first,
            "second": second,
            "firstRoot": grown.roots[0].hex(),
            "secondRoot": grown.roots[1].hex(),
            "path": [step.hex() for step in grown.path],
        }

    async def inclusion(self, http: HttpRequest) -> dict[str, Any]:
        """Where a decision's rows are, and that they are in the tree; with their texts for whom they are about."""
        decision = _single(http, "decision")
        if decision is None or not _UUID.fullmatch(decision):
            raise bad_input("decision", "The argument 'decision' must be a decisionId as an answer has it.")
        subject = await self._subject(http)
        latest = await self._latest()
        size = _number(http, "size")
        if "size" in http.query_params and (size is None or not 1 <= size <= latest.size):
            raise bad_input("size", f"The argument 'size' must be a number of rows from 1 to {latest.size}.")
        size = size or latest.size
        indexes = await indexes_of(self.pool, UUID(decision), size=size)
        if not indexes:
            raise _not_sealed("No row of this decision is sealed yet, or there is none. Try again in a moment.")
        leaves = [await self._leaf(index, size, subject) for index in indexes]
        if subject is not None and any("text" in leaf for leaf in leaves):
            await self._record(subject, decision)
        return {"decision": decision.lower(), "size": size, "leaves": leaves, "head": self._told(latest)}

    async def _leaf(self, index: int, size: int, subject: Subject | None) -> dict[str, Any]:
        leaf = await leaf_of(self.pool, index, size=size)
        told = {"index": index, "leafHash": leaf.hash.hex(), "path": [step.hex() for step in leaf.path]}
        text = await text_of(self.pool, index) if subject else None
        if subject is None or text is None or not _may_read(subject, read_body(text[1])):
            return told
        return {**told, "text": text[0]}

    async def _subject(self, http: HttpRequest) -> Subject | None:
        if "authorization" not in http.headers:
            return None
        token = await self.authentication.token(http)
        await self.authentication.prove(http, token)
        seen_in(http.scope).known(token.subject)
        return token.subject

    async def _record(self, subject: Subject, decision: str) -> None:
        """To read a row is an operation with its own. Raises UNAVAILABLE where that cannot be written."""
        operation = Operation(
            kind=Kind.READ,
            decision=uuid4(),
            at=self.clock(),
            role=subject.role,
            organization=subject.organization,
            account=subject.account,
            token=subject.token_id,
            client=subject.client,
            agreement=subject.agreement,
            operation_hash=hashlib.sha256(INCLUSION.encode()).hexdigest(),
            operation_name=INCLUSION,
            purpose=Purpose.ADMINISTRATION if subject.role is Role.AUDITOR else Purpose.ACCOUNT_SERVICE,
            detail={"decision": decision.lower()},
        )
        try:
            await self.recorder.record(operation)
        except NotRecordedError as fault:
            raise unavailable() from fault

    async def _latest(self) -> Head:
        head = await last_head(self.pool)
        if head is None:
            raise _not_sealed("Nothing is sealed yet. Try again in a moment.")
        return head

    def _told(self, head: Head) -> dict[str, Any]:
        x = urlsafe_b64encode(self.keys[head.key]).rstrip(b"=").decode()
        key = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": head.key, "use": "sig", "alg": "EdDSA"}
        return {
            "head": head.text,
            "signature": head.signature.hex(),
            "size": head.size,
            "root": head.root.hex(),
            "at": head.at,
            "publicKey": key,
        }


def _may_read(subject: Subject, row: Said) -> bool:
    """Is the caller an auditor, or the customer or guardian who did what the row is about?"""
    if subject.role is Role.AUDITOR:
        return Purpose.ADMINISTRATION in subject.purposes
    return subject.role in PERSON_ROLES and subject.account is not None and row.account == subject.account


def _not_sealed(message: str) -> RequestRefusedError:
    return RequestRefusedError(Code.NOT_SEALED, message, headers={"Retry-After": _AGAIN_SECONDS})


def _single(http: HttpRequest, name: str) -> str | None:
    values = http.query_params.getlist(name)
    if len(values) > 1:
        raise bad_input(name, f"The argument {name!r} stands twice. Give it once.")
    return values[0] if values else None


def _number(http: HttpRequest, name: str) -> int | None:
    text = _single(http, name)
    return int(text) if text is not None and _NUMBER.fullmatch(text) else None
