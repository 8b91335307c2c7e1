"""Examples of values: what stands for a variable that has to be given, where only the form of an operation is asked."""

from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    TypeNode,
    Undefined,
    type_from_ast,
)

_SCALARS: dict[str, Any] = {
    "Boolean": True,
    "Int": 1,
    "Float": 1.0,
    "String": "",
    "Date": "2000-01-01",
    "DateTime": "2000-01-01T00:00:00Z",
    "Decimal": "1",
    "JSON": {},
}


def example_of(schema: GraphQLSchema, declared: TypeNode, *, id_example: str) -> Any:  # noqa: ANN401 - any JSON
    """A value of a variable's type, as JSON; None where it may be left out."""
    found = type_from_ast(schema, declared)
    return _example(found.of_type, id_example) if isinstance(found, GraphQLNonNull) else None


def _example(declared: Any, id_example: str) -> Any:  # noqa: ANN401 - graphql-core's types, any JSON
    if isinstance(declared, GraphQLNonNull):
        return _example(declared.of_type, id_example)
    if isinstance(declared, GraphQLList):
        return []
    if isinstance(declared, GraphQLEnumType):
        return next(iter(declared.values))
    if isinstance(declared, GraphQLInputObjectType):
        return {
            name: _example(one.type, id_example)
            for name, one in declared.fields.items()
            if isinstance(one.type, GraphQLNonNull) and one.default_value is Undefined
        }
    return id_example if declared.name == "ID" else _SCALARS[declared.name]
