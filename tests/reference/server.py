"""The reference server: graphql-core over the contract, one resolver a field, each cell decided when read."""

from collections import Counter
from datetime import datetime
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    execute_sync,
    parse,
    validate,
)

from tests.reference.asking import Cell, Code, Context, Examined, Refused
from tests.reference.callers import Caller, Subject
from tests.reference.fields import schema
from tests.reference.rules import sensitive
from tests.reference.scope import scope
from tests.reference.world import World, now


def answer(
    world: World,
    caller: Caller,
    document: str,
    variables: dict[str, Any] | None = None,
    operation_name: str | None = None,
) -> dict[str, Any]:
    """The response to one operation: data, errors and the authorization extension."""
    return examine(world, caller, document, variables, operation_name).response


def examine(
    world: World,
    caller: Caller,
    document: str,
    variables: dict[str, Any] | None = None,
    operation_name: str | None = None,
    *,
    at: datetime | None = None,
) -> Examined:
    """The response to one operation with what it hides."""
    subject = Subject(world, caller, at=at or now())
    context = Context(world, subject, scope(subject))
    parsed = read(document)
    if isinstance(parsed, Code):
        return _refused(parsed)
    result = execute_sync(
        schema(),
        parsed,
        context_value=context,
        variable_values=variables,
        operation_name=operation_name,
    )
    for error in result.errors or ():
        if isinstance(error.original_error, Refused):
            return _refused(error.original_error.code)
        raise error.original_error or error
    return Examined(_response(context, result.data), _hidden(context.cells))


@lru_cache(maxsize=16)
def read(document: str) -> DocumentNode | Code:
    """A valid document, or why it is none; kept for a moment, since whoever makes one up and whoever runs it ask."""
    try:
        parsed = parse(document)
    except GraphQLError:
        return Code.GRAPHQL_PARSE_FAILED
    return Code.GRAPHQL_VALIDATION_FAILED if validate(schema(), parsed) else parsed


def _refused(code: Code) -> Examined:
    return Examined({"data": None, "errors": [{"extensions": {"code": code.value}}]}, frozenset())


def _hidden(cells: list[Cell]) -> frozenset[str]:
    hidden = [cell.raw for cell in cells if cell.effect != "REVEAL" and cell.raw is not None]
    return frozenset(str(part) for raw in hidden for part in (raw if isinstance(raw, list) else [raw]))


def _response(context: Context, data: dict[str, Any] | None) -> dict[str, Any]:
    purpose, ruleset = context.subject.purpose, context.world.ruleset
    fields = Counter((cell.coordinate, cell.pattern, cell.effect) for cell in context.cells)
    denied: dict[tuple[str, str, str | None], list[Cell]] = {}
    for cell in context.cells:
        if cell.effect == "DENY":
            denied.setdefault((cell.coordinate, cell.pattern, cell.reason), []).append(cell)
    errors = [
        {
            "path": cells[0].path,
            "extensions": {
                "code": "FIELD_DENIED",
                "coordinate": coordinate,
                "category": sensitive()[coordinate].category,
                "pathPattern": pattern,
                "count": len(cells),
                "reason": reason,
                "purpose": purpose,
                "ruleset": ruleset,
            },
        }
        for (coordinate, pattern, reason), cells in denied.items()
    ]
    listed = [
        {"coordinate": coordinate, "pathPattern": pattern, "effect": effect, "count": count}
        for (coordinate, pattern, effect), count in fields.items()
    ]
    response: dict[str, Any] = {"data": data}
    if errors:
        response["errors"] = errors
    response["extensions"] = {"authorization": {"purpose": purpose, "ruleset": ruleset, "fields": listed}}
    return response


def normalise(response: dict[str, Any]) -> dict[str, Any]:
    """The comparable part of a response, the reference's or the product's."""
    data, errors = response.get("data"), response.get("errors", [])
    denied = [error for error in errors if _code(error) == "FIELD_DENIED"]
    authorization = response.get("extensions", {}).get("authorization", {})
    kept = ("coordinate", "category", "pathPattern", "count", "reason", "purpose", "ruleset")
    return {
        "data": _without_cursors(data),
        "codes": sorted(_code(error) for error in errors if error not in denied),
        "denied": sorted(
            ([error["extensions"][name] for name in kept] + [error["path"]] for error in denied),
            key=repr,
        ),
        "authorization": {}
        if data is None or not authorization.get("fields")
        else {
            "purpose": authorization.get("purpose"),
            "ruleset": authorization.get("ruleset"),
            "fields": sorted(
                tuple(entry[name] for name in ("coordinate", "pathPattern", "effect", "count"))
                for entry in authorization.get("fields", ())
            ),
        },
    }


def _code(error: dict[str, Any]) -> str:
    return str(error.get("extensions", {}).get("code"))


def _without_cursors(data: Any) -> Any:
    if isinstance(data, list):
        return [_without_cursors(item) for item in data]
    if not isinstance(data, dict):
        return data
    return {
        key: value is not None if key in ("cursor", "startCursor", "endCursor") else _without_cursors(value)
        for key, value in data.items()
    }
