"""Variables that cannot be: where in them, and what is expected there. Their values are the caller's own data."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    VariableDefinitionNode,
    type_from_ast,
)

from resolvers.problems import Code, RequestRefusedError

_FORMS = {
    "Date": "a day as text, YYYY-MM-DD",
    "DateTime": "a moment as text, RFC 3339 with offset",
    "Decimal": 'a number or text such as "1200.50", without separators and signs',
    "ID": "an id as the API returned it",
    "Int": "a whole number",
    "String": "text",
    "Boolean": "true or false",
}
_MOST_NAMES = 30

_TYPES: Mapping[Any, type] = {GraphQLID: str, GraphQLString: str, GraphQLInt: int, GraphQLBoolean: bool}
"""Types whose values are taken as JSON has them."""
_LARGEST_INT = 2**31 - 1

PlainVariables = Sequence[tuple[str, type, bool]]
"""Variables of such types: name, Python's type, and may it be null or left out?"""


def plain_variables(schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> PlainVariables | None:
    """The variables of an operation if all are of such types and without a default; None where one is not."""
    found = []
    for definition in definitions:
        declared: Any = type_from_ast(schema, definition.type)
        nullable = not isinstance(declared, GraphQLNonNull)
        kind = _TYPES.get(declared if nullable else declared.of_type)
        if kind is None or definition.default_value is not None or definition.directives:
            return None
        found.append((definition.variable.name.value, kind, nullable))
    return tuple(found)


def plain_values(variables: PlainVariables, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """What graphql-core would make of these values; None where that is for it to say."""
    values: dict[str, Any] = {}
    for name, kind, nullable in variables:
        value: Any = given.get(name)
        if value is None:
            if not nullable:
                return None
            if name in given:
                values[name] = None
        elif _is_plain(kind, value):
            values[name] = value
        else:
            return None
    return values


def _is_plain(kind: type, value: Any) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(value, int) and abs(value) > _LARGEST_INT:
        return False
    return type(value) is kind


def variables_refused(
    schema: GraphQLSchema,
    definitions: Sequence[VariableDefinitionNode],
    given: Mapping[str, Any],
    *,
    most: int,
) -> RequestRefusedError:
    """BAD_USER_INPUT with an error for each of the first faults, by path, never with a value."""
    refusal = RequestRefusedError(Code.BAD_USER_INPUT, "")
    found = (fault for one in definitions for fault in _of_variable(schema, one, given))
    refusal.errors = [fault for fault, _ in zip(found, range(most), strict=False)] or [_error((), "cannot be read")]
    return refusal


def _of_variable(
    schema: GraphQLSchema, definition: VariableDefinitionNode, given: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    name = definition.variable.name.value
    declared = type_from_ast(schema, definition.type)
    if declared is None:
        return
    if name not in given:
        if isinstance(declared, GraphQLNonNull) and definition.default_value is None:
            yield _error((name,), "is missing")
        return
    for path, expected in _faults(declared, given[name], (name,)):  # type: ignore[arg-type] # input types only
        yield _error(path, expected)


def _error(path: tuple[str | int, ...], expected: str) -> dict[str, Any]:
    place = "$" + ".".join(map(str, path)) if path else "A variable"
    extensions: dict[str, Any] = {"code": Code.BAD_USER_INPUT.name, "argument": path[0] if path else "variables"}
    if len(path) > 1:
        extensions["path"] = list(path)
    return {"message": f"{place} {expected}.", "extensions": extensions}


def _faults(
    declared: GraphQLInputType,
    value: Any,  # noqa: ANN401 - any JSON
    path: tuple[str | int, ...],
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(declared, GraphQLNonNull):
        if value is None:
            yield path, "must not be null"
            return
        declared = declared.of_type
    if value is None:
        return
    if isinstance(declared, GraphQLList):
        for place, item in enumerate(value if isinstance(value, list) else [value]):
            yield from _faults(declared.of_type, item, (*path, place) if isinstance(value, list) else path)
    elif isinstance(declared, GraphQLInputObjectType):
        yield from _object_faults(declared, value, path)
    elif not _is_value(declared, value):
        yield path, f"must be {_form(declared)}"


def _object_faults(
    declared: GraphQLInputObjectType,
    value: Any,  # noqa: ANN401 - any JSON
    path: tuple[str | int, ...],
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if not isinstance(value, dict):
        yield path, f"must be an object, {declared.name}"
        return
    if value.keys() - declared.fields.keys():
        yield path, f"has a field that {declared.name} does not have: it has {_listed(declared.fields)}"
    for name, field in declared.fields.items():
        if name in value:
            yield from _faults(field.type, value[name], (*path, name))
        elif isinstance(field.type, GraphQLNonNull) and field.default_value is Undefined:
            yield (*path, name), "is missing"


def _is_value(declared: GraphQLNamedType, value: Any) -> bool:  # noqa: ANN401 - any JSON
    if not isinstance(declared, GraphQLScalarType | GraphQLEnumType):
        return True
    try:
        return declared.parse_value(value) is not Undefined
    except (GraphQLError, ValueError, TypeError, ArithmeticError):
        return False


def _form(declared: GraphQLNamedType) -> str:
    if isinstance(declared, GraphQLEnumType):
        return f"one of {_listed(declared.values)}"
    return _FORMS.get(declared.name, f"a {declared.name}")


def _listed(names: Mapping[str, Any]) -> str:
    found = list(names)
    return ", ".join(found[:_MOST_NAMES]) + (", …" if len(found) > _MOST_NAMES else "")
