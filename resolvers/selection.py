"""What an operation selects: fragments expanded, conditions applied, equal response keys merged (GraphQL, 6.3.2)."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLInterfaceType,
    GraphQLSchema,
    GraphQLSkipDirective,
    GraphQLUnionType,
    InlineFragmentNode,
    NameNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
)
from graphql.execution.values import VariableValues, get_directive_values

from resolvers.problems import bad_input, over_limit

MAX_FIELDS = 1_000

AbstractTypes = Mapping[str, frozenset[str]]
"""By the name of an interface or a union, the object types it may be."""


@dataclass(frozen=True, slots=True)
class Selected:
    """One field of the answer: its response key, its first occurrence, and all its sub-selections."""

    key: str
    name: str
    node: FieldNode
    below: tuple[SelectionSetNode, ...]


class Selector:
    """Collects the fields of one operation under one set of variable values."""

    def __init__(
        self,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        *,
        variables: VariableValues,
        abstract: AbstractTypes,
        unknown: Container[str] = frozenset(),
    ) -> None:
        """Only the variables of `@skip` and `@include` are looked at here; what waits for an `unknown` one is in."""
        self._abstract = abstract
        self._unknown = unknown
        self.operation = operation
        self._fragments = fragments
        self._variables = variables
        self._visited = 0
        self._root: list[Selected] | None = None

    def root(self) -> list[Selected]:
        """The fields of the operation's root, collected once."""
        if self._root is None:
            self._root = self.fields("Query", (self.operation.selection_set,))
        return self._root

    def fields(self, type_name: str, below: Iterable[SelectionSetNode]) -> list[Selected]:
        """The fields that `below` selects on an object of `type_name`, in the order of the answer."""
        merged: dict[str, list[FieldNode]] = {}
        for selection_set in below:
            for node in self._flatten(selection_set.selections, type_name, frozenset()):
                key = node.alias.value if node.alias else node.name.value
                merged.setdefault(key, []).append(node)
        return [
            Selected(
                key=key,
                name=nodes[0].name.value,
                node=nodes[0],
                below=tuple(node.selection_set for node in nodes if node.selection_set),
            )
            for key, nodes in merged.items()
        ]

    def _flatten(
        self, selections: Iterable[SelectionNode], type_name: str, spread: frozenset[str]
    ) -> Iterator[FieldNode]:
        for node in selections:
            self._count()
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition.name.value if node.type_condition else type_name
                if self._applies(condition, type_name):
                    yield from self._flatten(node.selection_set.selections, type_name, spread)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
                fragment = self._fragments[node.name.value]
                if self._applies(fragment.type_condition.name.value, type_name):
                    inner = spread | {node.name.value}
                    yield from self._flatten(fragment.selection_set.selections, type_name, inner)

    def _count(self) -> None:
        """Fragments can multiply: stop counting where it is too much anyway."""
        self._visited += 1
        if self._visited > MAX_FIELDS:
            raise over_limit("fields", maximum=MAX_FIELDS, actual=self._visited)

    def _included(self, node: SelectionNode) -> bool:
        if not node.directives:
            return True
        known = self._known(node)
        try:
            skip = get_directive_values(GraphQLSkipDirective, known, self._variables)
            include = get_directive_values(GraphQLIncludeDirective, known, self._variables)
        except GraphQLError:
            raise bad_input("if", "The condition of @skip and @include must not be null.") from None
        if skip and skip["if"] is True:
            return False
        return not (include and include["if"] is False)

    def _known(self, node: SelectionNode) -> SelectionNode:
        """The node without conditions that nobody can tell yet."""
        left = tuple(one for one in node.directives or () if not any(name in self._unknown for name in _waits_for(one)))
        return replace(node, directives=left)

    def _applies(self, condition: str, type_name: str) -> bool:
        return condition == type_name or type_name in self._abstract.get(condition, ())


def _waits_for(directive: DirectiveNode) -> Iterator[str]:
    """The variable that a condition waits for, if it is one."""
    for one in directive.arguments or ():
        if isinstance(one.value, VariableNode):
            yield one.value.name.value


def abstract_types(schema: GraphQLSchema) -> AbstractTypes:
    """The interfaces and unions of a schema."""
    return {
        name: frozenset(one.name for one in schema.get_possible_types(declared))
        for name, declared in schema.type_map.items()
        if isinstance(declared, GraphQLInterfaceType | GraphQLUnionType)
    }


def as_field(selected: Selected) -> FieldNode:
    """The field as one node, for graphql-core."""
    node = selected.node
    selections = tuple(one for below in selected.below for one in below.selections)
    return FieldNode(
        alias=NameNode(value=selected.key),
        name=node.name,
        arguments=node.arguments,
        directives=(),
        selection_set=SelectionSetNode(selections=selections) if selections else None,
    )
