"""Archives over HTTP: `GET /exports/{token}`, once, by whoever asked for it and with their own access token (C64).

A link alone opens nothing: mail scanners and prefetchers that follow it are asked who they are, and use nothing up.
What is given is in the ledger before it leaves; until then the link stays good, and two at once cannot both have it.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from authz.narrowing import narrowing_of
from authz.seen import seen_in
from authz.subjects import Subject
from ledger.recorder import NotRecordedError
from ledger.rows import Kind, Operation, Outcome, withheld
from models.faults import NO_ANSWER
from models.global_ids import NodeType, to_global
from models.vocabulary import PERSON_ROLES, Category, Purpose, Role, to_bits
from privacy.exports import Taken, fetched, take
from privacy.recipients import Recipient, recipients_of
from resolvers.endpoint import Endpoint, defect
from resolvers.export_archives import Heading, TooLargeError, pack
from resolvers.export_documents import ask_about
from resolvers.export_records import Archivist, Stored
from resolvers.gathering import Gathered
from resolvers.media_types import GRAPHQL
from resolvers.operations import Service
from resolvers.problems import Code, RequestRefusedError, unavailable
from resolvers.recording import asked, scope_said
from resolvers.times import in_shanghai
from resolvers.writes import ACQUIRE_SECONDS

EXPORT_PATH = "/exports/{token}"
ARCHIVE_TYPE = "application/zip"
STORED = "Export.stored"
"""What the ledger calls what an archive holds beside fields of the API."""
SECONDS = 60.0
_STEPPED_UP = timedelta(minutes=5)
_PURPOSE = Purpose.RIGHTS_REQUEST
_OPERATION, _SHAPE = "Export", hashlib.sha256(EXPORT_PATH.encode()).hexdigest()
_SAFE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_EVERYTHING = to_bits(set(Category))
_AGAIN_SECONDS = "5"
_NOT_FOUND = {
    "message": "This link is none of yours, or was used, or is past. Ask for another by `requestExport`.",
    "extensions": {"code": "NOT_FOUND"},
}
_making = asyncio.Lock()


def routes() -> list[Route]:
    """The route; the application's `state.endpoint` knows who asks and answers for what is in the archive."""
    return [Route(EXPORT_PATH, _export, methods=["GET"])]


async def _export(http: HttpRequest) -> Response:
    endpoint: Endpoint = http.app.state.endpoint
    if http.method != "GET":
        seen_in(http.scope).code = Code.METHOD_NOT_ALLOWED.name
        return Response(status_code=405, headers={**_SAFE, "Allow": "GET"})
    try:
        subject = await _subject(endpoint, http)
        archive = await _turn(endpoint.service, subject, http.path_params["token"])
    except RequestRefusedError as refusal:
        seen_in(http.scope).code = refusal.code.name
        return JSONResponse({"errors": refusal.errors}, refusal.code.status, headers={**_SAFE, **refusal.headers})
    except Exception as fault:  # noqa: BLE001 - whatever it is, the client gets an id and nothing else
        seen_in(http.scope).code = Code.INTERNAL.name
        return defect(fault, GRAPHQL)
    if archive is None:
        return JSONResponse({"errors": [_NOT_FOUND]}, 404, headers=_SAFE)
    headers = {**_SAFE, "Content-Disposition": 'attachment; filename="personal-data.zip"'}
    return Response(archive, headers=headers, media_type=ARCHIVE_TYPE)


async def _subject(endpoint: Endpoint, http: HttpRequest) -> Subject:
    """A person, with a token that is not narrowed: an archive knows no caveats. Raises RequestRefusedError."""
    subject = await endpoint.subject(http)
    whole = subject.categories == _EVERYTHING and not subject.caveats and _PURPOSE in subject.purposes
    if subject.role not in PERSON_ROLES or subject.person is None or not whole:
        message = "An archive is for the person, or a guardian, with a token of a log-in that is not narrowed."
        raise RequestRefusedError(Code.PURPOSE_NOT_ALLOWED, message, extensions={"allowed": [_PURPOSE.value]})
    await endpoint.rulesets.current()
    seen_in(http.scope).purpose = _PURPOSE
    # Who they are was proved when the link was made, by a second factor where they have one: it is the person's right
    # to see all of it, ID and card numbers not masked (C64).
    return replace(subject, stepped_up_until=int((endpoint.service.clock() + _STEPPED_UP).timestamp()))


async def _turn(service: Service, subject: Subject, token: str) -> bytes | None:
    """One archive at a time is made by a worker, and nobody waits: others keep their connections."""
    if _making.locked():
        message = "Another archive is being made. Try again in a few seconds; the link stays good."
        raise RequestRefusedError(Code.RATE_LIMITED, message, headers={"Retry-After": _AGAIN_SECONDS})
    async with _making:
        try:
            async with asyncio.timeout(SECONDS), service.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                return await _given(connection, service, subject, token)
        except NO_ANSWER as fault:
            raise unavailable() from fault


async def _given(connection: Any, service: Service, subject: Subject, token: str) -> bytes | None:  # noqa: ANN401 - asyncpg's proxy
    """The archive of a link, which is used up with it; None where there is no such link for this caller."""
    by = subject.person
    if by is None:
        return None
    # Nothing of it is undone but the link: whatever fails, it stays good.
    async with connection.transaction():
        own = subject.role == Role.CUSTOMER
        link = await take(connection, token, by=by, own=own, now=service.clock())
        if link is None or not (own or link.person in await _wards(connection, service, by)):
            return None
        archive = await _archive(connection, service, subject, link)
        await fetched(connection, link, now=service.clock())
    return archive


async def _wards(connection: Any, service: Service, guardian: UUID) -> Sequence[UUID]:  # noqa: ANN401 - as above
    return await service.reader.wards(connection, guardian, now=service.clock())


async def _archive(connection: Any, service: Service, subject: Subject, link: Taken) -> bytes:  # noqa: ANN401 - as above
    snapshot, now = service.snapshot(), service.clock()
    said = await ask_about(service, subject, link.person)
    stored = await Archivist(connection, snapshot, service.reader.keys, subject.role).read(link.person)
    got = await recipients_of(connection, link.person, catalogue=snapshot.catalogue)
    further = {"Recipient": [_recipient(one) for one in got]}
    asked_by = "SELF" if subject.role == Role.CUSTOMER else "GUARDIAN"
    heading = Heading(to_global(NodeType.USER, link.person), asked_by, now, snapshot.ruleset.number)
    try:
        archive = await asyncio.to_thread(pack, heading, said, stored, further)
    except TooLargeError:
        message = "This archive is too large to be made at once. Ask the privacy officer for it."
        raise RequestRefusedError(Code.LIMIT_EXCEEDED, message) from None
    await _record(service, subject, link, stored)
    return archive


def _recipient(one: Recipient) -> dict[str, Any]:
    return {
        "code": one.code,
        "name": one.name,
        "kind": one.kind,
        "grounds": sorted(one.grounds),
        "purposes": sorted(purpose.name for purpose in one.purposes),
        "categories": sorted(category.name for category in one.categories),
        "fields": sorted(one.coordinates),
        "times": one.times,
        "first": one.first and in_shanghai(one.first),
        "last": one.last and in_shanghai(one.last),
    }


async def _record(service: Service, subject: Subject, link: Taken, stored: Stored) -> None:
    """What the archive holds beside the API's own answers, which are recorded already. Raises UNAVAILABLE."""
    snapshot, decided = service.snapshot(), Gathered()
    decided.tell({name: [link.person] for name in (STORED, *sorted(stored.opened))})
    narrowing = narrowing_of(subject, _PURPOSE, now=service.clock())
    row = Operation(
        Kind.READ,
        uuid4(),
        service.clock(),
        Outcome.DONE,
        **asked(subject, _PURPOSE, snapshot.ruleset, shape_hash=_SHAPE, name=_OPERATION),
        scope=scope_said(subject.categories, narrowing),
        persons=decided.persons,
        records=decided.records,
        groups=decided.groups,
        entries=decided.entries,
    )
    try:
        await service.recorder.record(row)
    except NotRecordedError as fault:
        service.recorder.record_later(withheld(row))
        raise unavailable() from fault
