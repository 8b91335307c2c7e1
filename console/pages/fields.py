"""For frontend developers: the schema's sensitive fields and who may see them, and what an operation would be shown."""

from typing import Any

import orjson
from starlette.responses import Response
from starlette.routing import Route

from authz.catalogue import Catalogue
from authz.compile import Snapshot
from console.asking import Refused
from console.frame import Page, page
from models.vocabulary import Category, Purpose, Role

_FIELDS, _PREVIEW = "/console/fields", "/console/preview"
_ROLES = (Role.DEVELOPER, Role.SECURITY_ADMIN)
_OPERATIONS = 100


def snapshot_of(found: Page) -> Snapshot:
    """The rules in force, and the law beside them."""
    return found.console.endpoint.service.snapshot()


def catalogue_of(found: Page) -> Catalogue:
    """What the schema declares sensitive: it is published, and nobody's datum."""
    return snapshot_of(found).catalogue


async def _fields(found: Page) -> Response:
    category, named = found.given("category"), found.given("field")
    catalogue = catalogue_of(found)
    who = None
    if named:
        if named not in catalogue:
            raise found.refused(404, "NOT_FOUND", "refusal.unknown")
        who = (await found.ask("WhoCanReach", coordinate=named))["whoCanReach"]
    return found.render(
        "fields.html",
        coordinates=[one for one in catalogue.values() if category in ("", one.category)],
        categories=list(Category),
        category=category,
        named=named,
        who=who,
    )


async def _preview(found: Page) -> Response:
    """The form, and if it was sent what came of it. It reads no data and changes nothing, so it may be a POST."""
    given = {name: found.given(name) for name in ("document", "purpose", "role", "variables", "operation")}
    registered = await found.ask("RegisteredOperations", first=_OPERATIONS, after=None)
    operations = [one["node"] for one in (registered["registeredOperations"] or {"edges": ()})["edges"]]
    chosen = next((one for one in operations if one["hash"] == found.given("hash")), None)
    if chosen and not given["document"]:
        given.update(document=chosen["document"], purpose=chosen["purpose"].lower(), role=chosen["role"])
    problem, answer = None, None
    if given["document"] and given["purpose"]:
        try:
            answer = await _previewed(found, given)
        except Refused as refused:
            problem = refused.problem
    return found.render(
        "preview.html",
        status=400 if problem else 200,
        problem=problem,
        answer=answer,
        given=given,
        roles=list(Role),
        purposes=list(Purpose),
        operations=operations,
    )


async def _previewed(found: Page, given: dict[str, str]) -> list[dict[str, Any]]:
    try:
        variables = orjson.loads(given["variables"]) if given["variables"] else None
        orjson.dumps(variables)
    except (ValueError, TypeError):  # no JSON, or nested deeper than can be sent
        raise found.refused(400, "BAD_REQUEST", "preview.variables_wrong") from None
    said = await found.ask(
        "AccessPreview",
        document=given["document"],
        purpose=given["purpose"].upper(),
        variables=variables,
        asRole=given["role"] or None,
        operation=given["operation"] or None,
    )
    answer: list[dict[str, Any]] = said["accessPreview"]
    return answer


ROUTES = (
    Route(_FIELDS, page(_fields, *_ROLES), methods=["GET"]),
    Route(_PREVIEW, page(_preview, Role.DEVELOPER), methods=["GET", "POST"]),
)
