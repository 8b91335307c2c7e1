"""Arguments of a field, read once: literals at compile time, variables at every request."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInputType,
    ListValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    is_non_null_type,
)
from graphql.utilities import value_from_ast

from resolvers.problems import bad_input


@dataclass(frozen=True, slots=True)
class Arguments:
    """Where the values of one field's arguments come from."""

    literals: tuple[tuple[str, Any], ...]
    variables: tuple[tuple[str, str], ...]
    mixed: tuple[tuple[str, ValueNode, GraphQLInputType], ...]
    """Literals with variables in them."""
    required: frozenset[str]
    """Arguments that must not be null: a variable with a default may be null where they stand."""

    def values(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that are given and not null; enum values by name."""
        found = dict(self.literals)
        for argument, variable in self.variables:
            value = variables.get(variable)
            if value is not None:
                found[argument] = value.name if isinstance(value, Enum) else value
            elif argument in self.required:
                raise bad_input(argument, f"The argument {argument!r} must not be null.")
        for argument, node, kind in self.mixed:
            found[argument] = _value(argument, node, kind, variables)
        return found


NO_ARGUMENTS = Arguments((), (), (), frozenset())


def read_arguments(field: GraphQLField, node: FieldNode) -> Arguments:
    """The arguments of a validated field."""
    literals, variables, mixed = [], [], []
    for argument in node.arguments or ():
        name = argument.name.value
        if isinstance(argument.value, VariableNode):
            variables.append((name, argument.value.name.value))
            continue
        if _holds_variable(argument.value):
            mixed.append((name, argument.value, field.args[name].type))
            continue
        value = _value(name, argument.value, field.args[name].type, {})
        if value is not None:
            literals.append((name, value.name if isinstance(value, Enum) else value))
    required = frozenset(name for name, _ in variables if is_non_null_type(field.args[name].type))
    return Arguments(tuple(literals), tuple(variables), tuple(mixed), required)


def _holds_variable(node: ValueNode) -> bool:
    if isinstance(node, ObjectValueNode):
        return any(_holds_variable(one.value) for one in node.fields)
    if isinstance(node, ListValueNode):
        return any(_holds_variable(one) for one in node.values)
    return isinstance(node, VariableNode)


def _value(name: str, node: ValueNode, kind: GraphQLInputType, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any
    value = value_from_ast(node, kind, dict(variables))
    if value is Undefined:
        raise bad_input(name, f"The argument {name!r} is no value of its type.")
    return value
